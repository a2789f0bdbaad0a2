/* lib/store/index*.c: what is written is read, also by others and after a
 * crash; what is damaged is noticed. */
#include <errno.h>

#include "lib/store/index.h"
#include "lib/store/index_in.h"
#include "tests/unit/store_fixture.h"

static void
add(struct index *ix, unsigned n, unsigned digest)
{
	struct ix_rec recs[STORE_BATCH_MAX];
	unsigned i;

	memset(recs, 0, sizeof(recs));
	for (i = 0; i < n; i++) {
		recs[i].wire = 10;
		recs[i].octets = 9;
		recs[i].place = 9 * (uint64_t)i;
		put_u32(recs[i].digest, digest + i);
		put_u32(recs[i].token, 1 + digest + i);
	}
	check_int(index_lock(ix, 0), 0);
	check_int(index_reserve(ix, n), 0);
	index_add(ix, recs, n);
	check_int(index_commit(ix), 0);
	index_unlock(ix);
}

static void
expunge(struct index *ix, uint32_t first, uint32_t last)
{
	check_int(index_lock(ix, 0), 0);
	index_put_expunge(ix, first, last);
	check_int(index_commit(ix), 0);
	index_unlock(ix);
}

static void
flags(struct index *ix, uint32_t first, uint32_t last, uint32_t on,
    uint32_t off)
{
	check_int(index_lock(ix, 0), 0);
	index_put_flags(ix, first, last, on, off);
	check_int(index_commit(ix), 0);
	index_unlock(ix);
}

static void
check_same(const struct index *a, const struct index *b)
{
	struct ix_rec ra, rb;
	uint32_t i;

	check_int(index_count(a), index_count(b));
	check_int(a->wire, b->wire);
	check_int(a->uidnext, b->uidnext);
	check_int(a->modseq, b->modseq);
	for (i = 0; i < index_count(a) && i < index_count(b); i++) {
		uint8_t ea[IX_RECORD_OCTETS], eb[IX_RECORD_OCTETS];

		index_get(a, i, &ra);
		index_get(b, i, &rb);
		ix_rec_encode(&ra, ea);
		ix_rec_encode(&rb, eb);
		check_mem(ea, sizeof(ea), eb, sizeof(eb));
	}
}

static void
test_two(struct fixture *f)
{
	struct index a, b;
	struct ix_rec r;
	uint32_t uid;
	uint8_t token[STORE_TOKEN_OCTETS] = { 3 };

	check_begin("two who have it open");
	check_int(index_open(&a, f->index, "two", geteuid()), 0);
	check_int(index_open(&b, f->index, "two", geteuid()), 0);
	add(&a, 100, 0);
	check_int(index_refresh(&b), 0);
	check_same(&a, &b);
	flags(&b, 10, 20, STORE_SEEN | STORE_FLAGGED, 0);
	flags(&b, 15, 15, 0, STORE_SEEN);
	expunge(&b, 3, 5);
	check_int(index_refresh(&a), 0);
	check_same(&a, &b);
	check_int(index_count(&a), 97);
	index_get(&a, index_find(&a, 15), &r);
	check_int(r.flags, STORE_FLAGGED);
	check_true(index_token(&a, token, &uid));
	check_int(uid, 0);

	check_begin("folded under a reader");
	check_int(index_lock(&a, 0), 0);
	check_int(index_fold(&a), 0);
	index_unlock(&a);
	check_int(index_refresh(&b), 0);
	check_same(&a, &b);
	check_true(b.mapped == 97);
	check_true(index_token(&b, token, &uid));
	flags(&a, 1, 1, STORE_SEEN, 0);
	expunge(&a, 50, 60);
	add(&b, 3, 1000);
	check_int(index_refresh(&a), 0);
	check_same(&a, &b);

	check_begin("a lock that another holds");
	check_int(index_lock(&a, 0), 0);
	check_int(index_lock(&b, 30), -1);
	check_int(errno, EAGAIN);
	index_unlock(&a);
	check_int(index_lock(&b, 0), 0);
	index_unlock(&b);

	check_begin("many letters fold by themselves");
	while (a.generation < 4)
		add(&a, STORE_BATCH_MAX, 5000 + a.uidnext);
	check_int(index_refresh(&b), 0);
	check_same(&a, &b);
	index_close(&a);
	index_close(&b);
}

static void
test_damage(struct fixture *f)
{
	struct index a;
	uint32_t validity, uidnext;
	struct stat st;
	int fd;

	check_begin("a torn delta is cut off");
	check_int(index_open(&a, f->index, "torn", geteuid()), 0);
	add(&a, 10, 0);
	add(&a, 10, 100);
	uidnext = a.uidnext;
	validity = a.uidvalidity;
	index_close(&a);
	fd = openat(f->index, "torn.ix", O_RDWR);
	fstat(fd, &st);
	check_int(ftruncate(fd, st.st_size - 5), 0);
	check_int(index_open(&a, f->index, "torn", geteuid()), 0);
	check_int(index_count(&a), 19);
	check_int(a.uidnext, uidnext - 1);
	add(&a, 1, 500);
	index_close(&a);
	check_int(index_open(&a, f->index, "torn", geteuid()), 0);
	check_int(index_count(&a), 20);
	check_int(a.uidvalidity, validity);
	index_close(&a);

	check_begin("after a restart of the machine no UID comes twice");
	check_int(index_open(&a, f->index, "torn", geteuid()), 0);
	a.boot ^= 1;
	check_int(index_lock(&a, 0), 0);
	index_unlock(&a);
	check_true(a.uidnext >= IX_RESERVE_STEP);
	index_close(&a);

	check_begin("a damaged header");
	check_int(pwrite(fd, "x", 1, 40), 1);
	check_int(index_open(&a, f->index, "torn", geteuid()), 0);
	check_int(a.fd, -1);
	check_int(index_count(&a), 0);
	add(&a, 1, 0);
	check_true(a.uidvalidity > validity);
	index_close(&a);
	close(fd);

	check_begin("a link");
	check_int(linkat(f->index, "torn.ix", f->index, "l.ix", 0), 0);
	check_int(index_open(&a, f->index, "torn", geteuid()), -1);
	check_int(errno, EPERM);
	index_close(&a);
}

struct changes {
	unsigned present, gone;
};

static void
on_change(void *arg, uint32_t uid, uint32_t fl, uint64_t modseq, bool gone)
{
	struct changes *c = arg;

	(void)uid;
	(void)fl;
	(void)modseq;
	if (gone)
		c->gone++;
	else
		c->present++;
}

static void
test_changes(struct fixture *f)
{
	struct changes c = { 0, 0 };
	struct index a;
	uint64_t since;

	check_begin("changes since a modseq");
	check_int(index_open(&a, f->index, "ch", geteuid()), 0);
	add(&a, 20, 0);
	since = a.modseq;
	flags(&a, 3, 4, STORE_SEEN, 0);
	expunge(&a, 7, 9);
	add(&a, 1, 100);
	check_int(index_changes(&a, since, on_change, &c), 0);
	check_int(c.present, 3);
	check_int(c.gone, 3);
	check_int(index_lock(&a, 0), 0);
	check_int(index_fold(&a), 0);
	index_unlock(&a);
	c = (struct changes){ 0, 0 };
	check_int(index_changes(&a, since, on_change, &c), 1);
	check_int(c.present, 3);
	index_close(&a);
}

int
main(void)
{
	struct fixture f;

	fixture_init(&f);
	test_two(&f);
	test_damage(&f);
	test_changes(&f);
	fixture_clear(&f);
	return check_end();
}
