/*
 * tests/unit/queued_recover_test.c - what a start finds after a crash: copies
 * of a working spool taken at arbitrary moments, torn tails, flipped bits.
 * What was acknowledged is there, octet for octet; what was not may be.
 */
#include "queued/record.h"
#include "tests/unit/check.h"
#include "tests/unit/spool_help.h"

/* Berkeley DB after DB_RUNRECOVERY is left as it is: a close may crash. */
const char *__lsan_default_suppressions(void);
const char *
__lsan_default_suppressions(void)
{
	return "leak:libdb";
}

enum { LETTERS = 60 };

struct one {
	struct help *h;
	struct letter *l;
	size_t len;
	bool acked, settled;
};

static unsigned dice = 4711;
static bool small_only;

static unsigned
throw_dice(unsigned n)
{
	dice = dice * 1103515245u + 12345u;
	return (dice >> 8) % n;
}

static void
on_ack(void *arg, enum spool_status st)
{
	struct one *o = arg;

	o->acked = st == SPOOL_OK;
}

static void
one_send(struct help *h, struct one *o)
{
	uint64_t qid = spool_qids(h->sp, 1);

	o->h = h;
	o->len = !small_only && throw_dice(10) == 0 ? 300000 : 500 + throw_dice(9000);
	o->l = help_new_letter(qid, 1 + throw_dice(3));
	spool_accept(h->sp, o->l, help_body(h, qid, o->len), on_ack, o);
}

/* A second help whose folder is a copy of the first one's. */
static void
copy_of(struct help *h, struct help *copy)
{
	help_init(copy);
	copy->o.engine = h->o.engine;
	help_copy_tree(h->path, copy->path);
}

static void
drop_index(struct help *h)
{
	char *path = xasprintf("%s/index", h->path);

	tree_empty(path);
	free(path);
}

static void
check_there(struct help *h, const struct one *o)
{
	enum spool_status st;
	struct letter *m = help_get(h, o->l->qid, &st);

	if (check_int(st, SPOOL_OK)) {
		check_int(m->nrcpts, o->l->nrcpts);
		check_true(help_text_ok(h, m, o->len));
	}
	letter_free(m);
}

/* Sends, settles, copies in mid flight; then opens the copy. */
static void
test_crash(struct help *h, unsigned round)
{
	static struct one all[LETTERS];
	bool acked[LETTERS], settled[LETTERS];
	struct help copy;
	unsigned i, at = throw_dice(LETTERS);

	memset(all, 0, sizeof(all));
	memset(acked, 0, sizeof(acked));
	memset(settled, 0, sizeof(settled));
	for (i = 0; i < LETTERS; i++) {
		one_send(h, &all[i]);
		if (throw_dice(3) == 0)
			loop_run_once(&h->loop, 1);
		if (i > 5 && all[i - 5].acked && throw_dice(3) == 0) {
			spool_done(h->sp, all[i - 5].l->qid);
			all[i - 5].settled = true;
		}
		if (i == at) {
			unsigned k;

			for (k = 0; k <= i; k++) {
				acked[k] = all[k].acked;
				settled[k] = all[k].settled;
			}
			copy_of(h, &copy);
		}
	}
	if (round % 2 == 0)
		drop_index(&copy);
	if (!check_int(help_open(&copy), 0)) {
		printf("%s\n", copy.why);
		return;
	}
	for (i = 0; i < LETTERS; i++)
		if (acked[i] && !settled[i])
			check_there(&copy, &all[i]);
	help_clear(&copy);
	help_run_ms(h, 300);
	for (i = 0; i < LETTERS; i++) {
		check_true(all[i].acked);
		if (!all[i].settled)
			spool_done(h->sp, all[i].l->qid);
		letter_free(all[i].l);
	}
}

static int
open_segment(struct help *h, uint64_t lsn)
{
	char path[400];

	snprintf(path, sizeof(path), "%s/seg/%08u.seg", h->path,
	    LSN_SEGMENT(lsn));
	return open(path, O_RDWR);
}

static void
flip(struct help *h, uint64_t lsn, unsigned at)
{
	int fd = open_segment(h, lsn);
	char c;

	check_int(pread(fd, &c, 1, LSN_OFFSET(lsn) + at), 1);
	c = (char)(c ^ 4);
	check_int(pwrite(fd, &c, 1, LSN_OFFSET(lsn) + at), 1);
	close(fd);
}

static bool
bad_copy_exists(struct help *h, uint64_t lsn)
{
	char path[400];
	struct stat st;

	snprintf(path, sizeof(path), "%s/bad/%08u.seg", h->path,
	    LSN_SEGMENT(lsn));
	return stat(path, &st) == 0;
}

struct report {
	bool done;
	struct spool_report r;
};

static void
on_report(void *arg, const struct spool_report *r)
{
	struct report *w = arg;

	w->r = *r;
	w->done = true;
}

/* Damage to letter 2 of 5 (each a batch of its own), or to the last one. */
static void
test_damage(struct help *h, const char *name, unsigned victim, unsigned at,
    bool keep_index, bool torn)
{
	struct one all[5] = { { 0 } };
	struct help copy;
	struct report w = { 0 };
	enum spool_status st;
	struct letter *m;
	unsigned i;

	check_begin(name);
	for (i = 0; i < nitems(all); i++) {
		one_send(h, &all[i]);
		while (!all[i].acked)
			loop_run_once(&h->loop, 10);
	}
	if (keep_index)
		help_run_ms(h, 400);
	copy_of(h, &copy);
	if (!keep_index)
		drop_index(&copy);
	flip(&copy, all[victim].l->place.lsn, at);
	if (!check_int(help_open(&copy), 0))
		return;
	for (i = 0; i < nitems(all); i++) {
		if (i != victim) {
			check_there(&copy, &all[i]);
			continue;
		}
		m = help_get(&copy, all[i].l->qid, &st);
		if (!keep_index)
			check_true(m == NULL);
		letter_free(m);
	}
	if (!keep_index)
		check_int(bad_copy_exists(&copy, all[victim].l->place.lsn),
		    !torn);
	spool_verify(copy.sp, on_report, &w);
	help_run(&copy, &w.done);
	check_int(w.r.bad_segments, !torn);
	/* Life goes on behind it. */
	m = help_accept(&copy, 50, 1, &st);
	check_int(st, SPOOL_OK);
	letter_free(m);
	help_clear(&copy);
	for (i = 0; i < nitems(all); i++) {
		spool_done(h->sp, all[i].l->qid);
		letter_free(all[i].l);
	}
}

/* The file ends where a crash may have left it. */
static void
test_truncated(struct help *h)
{
	struct one all[3] = { { 0 } };
	struct help copy;
	unsigned i;
	int fd;

	check_begin("a segment that was cut off");
	for (i = 0; i < nitems(all); i++) {
		one_send(h, &all[i]);
		while (!all[i].acked)
			loop_run_once(&h->loop, 10);
	}
	copy_of(h, &copy);
	fd = open_segment(&copy, all[2].l->place.lsn);
	check_int(ftruncate(fd, LSN_OFFSET(all[2].l->place.lsn) + 50), 0);
	close(fd);
	if (check_int(help_open(&copy), 0)) {
		check_there(&copy, &all[0]);
		check_there(&copy, &all[1]);
	}
	help_clear(&copy);
	for (i = 0; i < nitems(all); i++) {
		spool_done(h->sp, all[i].l->qid);
		letter_free(all[i].l);
	}
}

static void
test_header(struct help *h)
{
	struct one o = { 0 };
	struct help copy;

	check_begin("one copy of the segment's header is damaged");
	one_send(h, &o);
	while (!o.acked)
		loop_run_once(&h->loop, 10);
	copy_of(h, &copy);
	drop_index(&copy);
	flip(&copy, LSN(LSN_SEGMENT(o.l->place.lsn), 0), 20);
	if (check_int(help_open(&copy), 0))
		check_there(&copy, &o);
	help_clear(&copy);
	spool_done(h->sp, o.l->qid);
	letter_free(o.l);
}

/* The index is a cache: whatever happens to it, nobody misses a letter. */
static void
test_index_damage(struct help *h)
{
	static const char *const files[] = { "q", "due", "meta",
		"log.0000000001" };
	struct one all[4] = { { 0 } };
	struct help copy;
	unsigned i, f;
	char *path;
	int fd;

	check_begin("a damaged index");
	for (i = 0; i < nitems(all); i++) {
		one_send(h, &all[i]);
		while (!all[i].acked)
			loop_run_once(&h->loop, 10);
	}
	help_indexed(h, nitems(all));
	for (f = 0; f < nitems(files); f++) {
		copy_of(h, &copy);
		path = xasprintf("%s/index/%s", copy.path, files[f]);
		fd = open(path, O_RDWR);
		free(path);
		if (check_true(fd != -1)) {
			char junk[9000];

			memset(junk, f % 2 == 0 ? 0 : 0x55, sizeof(junk));
			check_int(pwrite(fd, junk, sizeof(junk), f == 3 ? 0 :
			    512 * f), sizeof(junk));
			close(fd);
		}
		if (check_int(help_open(&copy), 0))
			for (i = 0; i < nitems(all); i++)
				check_there(&copy, &all[i]);
		help_clear(&copy);
	}
	for (i = 0; i < nitems(all); i++) {
		spool_done(h->sp, all[i].l->qid);
		letter_free(all[i].l);
	}
}

int
main(void)
{
	struct help h;
	unsigned i;

	log_init("test");
	log_stderr_level(LOG_L_ERROR + 1);
	help_init(&h);
	if (help_open(&h) == -1) {
		printf("%s\n", h.why);
		return 1;
	}
	check_begin("crashes at arbitrary moments");
	for (i = 0; i < 12; i++)
		test_crash(&h, i);
	small_only = true;
	test_damage(&h, "a flipped bit in a text", 2, 60, false, false);
	test_damage(&h, "a flipped bit in a header", 2, 12, false, false);
	test_damage(&h, "the same with the index there", 2, 60, true, false);
	test_damage(&h, "a torn tail", 4, 60, false, true);
	test_truncated(&h);
	test_header(&h);
	test_index_damage(&h);
	help_clear(&h);
	return check_end();
}
