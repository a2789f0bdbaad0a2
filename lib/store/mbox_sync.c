/*
 * lib/store/mbox_sync.c - the index made to agree with the mailbox after others
 * wrote to it. What was appended is read alone; after anything else the whole
 * file is read and the letters keep their UIDs by what they contain.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/store/mbox_in.h"
#include "lib/store/scan.h"

struct found {
	struct ix_rec *recs; /* owns */
	uint32_t n, cap;
};

static int
on_found(void *arg, struct ix_rec *rec)
{
	struct found *f = arg;

	if (f->n >= IX_LETTERS_MAX) {
		errno = EFBIG;
		return -1;
	}
	if (f->n == f->cap) {
		f->cap = f->cap * 2 + 64;
		f->recs = xreallocarray(f->recs, f->cap, sizeof(*f->recs));
	}
	f->recs[f->n++] = *rec;
	return 0;
}

static int
scan_range(struct store *s, struct found *f, uint64_t from, uint64_t to)
{
	struct scan sc;
	int rv;

	scan_init(&sc, on_found, f);
	rv = scan_file(&sc, s->fd, from, to);
	scan_clear(&sc);
	return rv;
}

/* -- appended only --------------------------------------------------------- */

/* Does the letter that was the last one still end where the file did? */
static bool
last_is_there(struct store *s)
{
	const struct ix_seen *seen = &s->ix.seen;
	uint8_t digest[IX_DIGEST_OCTETS];
	uint32_t n = index_count(&s->ix);
	struct ix_rec r;

	/* Records whose seen state a crash tore off: they are known already. */
	if (n > 0) {
		index_get(&s->ix, n - 1, &r);
		if (r.place >= seen->size)
			return false;
	}
	while (n-- > 0) { /* nearly always the first that is looked at */
		index_get(&s->ix, n, &r);
		if (r.place < seen->size && r.octets == seen->size - r.place)
			return scan_digest(s->fd, &r, digest) == 0 &&
			    memcmp(digest, r.digest, sizeof(digest)) == 0;
	}
	return seen->size == 0;
}

/* 1: it was so and is done; 0: something else happened; -1 with errno. */
static int
sync_appended(struct store *s, const struct ix_seen *now)
{
	const struct ix_seen *old = &s->ix.seen;
	struct found f = { 0 };
	int rv = 0;

	if (old->inode != now->inode || now->size <= old->size ||
	    !last_is_there(s))
		return 0;
	if (scan_range(s, &f, old->size, now->size) == -1)
		rv = -1;
	else if (f.n > 0 && f.n <= STORE_BATCH_MAX &&
	    f.recs[0].place == old->size) {
		rv = -1;
		if (index_reserve(&s->ix, f.n) == 0) {
			index_add(&s->ix, f.recs, f.n);
			index_put_seen(&s->ix, now);
			rv = index_commit(&s->ix) == 0 ? 1 : -1;
		}
	}
	x_free(&f.recs);
	return rv;
}

/* -- anything else --------------------------------------------------------- */

static int
digest_cmp(const struct ix_rec *a, const struct ix_rec *b)
{
	return memcmp(a->digest, b->digest, IX_DIGEST_OCTETS);
}

static int
by_content(const void *pa, const void *pb)
{
	const struct ix_rec *a = pa, *b = pb;
	int c = digest_cmp(a, b);

	if (c != 0)
		return c;
	if (a->wire != b->wire)
		return a->wire < b->wire ? -1 : 1;
	if (a->twin != b->twin)
		return a->twin < b->twin ? -1 : 1;
	return a->place < b->place ? -1 : a->place > b->place;
}

static int
by_place(const void *pa, const void *pb)
{
	const struct ix_rec *a = pa, *b = pb;

	return a->place < b->place ? -1 : a->place > b->place;
}

static int
by_uid(const void *pa, const void *pb)
{
	const struct ix_rec *a = pa, *b = pb;

	return a->uid < b->uid ? -1 : a->uid > b->uid;
}

static void
identity_take(struct ix_rec *now, struct ix_rec *old)
{
	now->uid = old->uid;
	now->twin = old->twin;
	now->flags |= old->flags & STORE_FLAGS;
	now->modseq = old->modseq;
	memcpy(now->token, old->token, sizeof(now->token));
	old->uid = 0; /* taken */
}

/*
 * Both sorted by content: equal letters take the identity of the known ones in
 * order; first those of the same length, then, of one digest, the rest (a mail
 * reader may have changed the letter's text).
 */
static void
match(struct ix_rec *now, uint32_t n, struct ix_rec *old, uint32_t n_old)
{
	uint32_t i = 0, j = 0, pass;
	int c;

	for (pass = 0; pass < 2; pass++)
		for (i = j = 0; i < n && j < n_old;) {
			if (now[i].uid != 0) {
				i++;
				continue;
			}
			if (old[j].uid == 0) {
				j++;
				continue;
			}
			c = digest_cmp(&now[i], &old[j]);
			if (c == 0 && pass == 0 && now[i].wire != old[j].wire)
				c = now[i].wire < old[j].wire ? -1 : 1;
			if (c == 0)
				identity_take(&now[i++], &old[j++]);
			else if (c < 0)
				i++;
			else
				j++;
		}
}

/* Counters for those that are new, above those of their equals. */
static void
twins_count(struct ix_rec *now, uint32_t n)
{
	uint32_t i, j, next;

	for (i = 0; i < n; i = j) {
		next = 0;
		for (j = i; j < n && digest_cmp(&now[i], &now[j]) == 0; j++)
			if (now[j].uid != 0 && now[j].twin >= next)
				next = now[j].twin + 1;
		for (j = i; j < n && digest_cmp(&now[i], &now[j]) == 0; j++)
			if (now[j].uid == 0)
				now[j].twin = next++;
	}
}

static int
sync_all(struct store *s, const struct ix_seen *now)
{
	uint32_t i, n_old = index_count(&s->ix);
	struct ix_rec *old = NULL;
	struct found f = { 0 };
	int rv = -1;

	if (s->fd != -1 && scan_range(s, &f, 0, now->size) == -1)
		goto done;
	if (index_reserve(&s->ix, 0) == -1 ||
	    s->ix.uidnext > UINT32_MAX - f.n - IX_RESERVE_STEP)
		goto done;
	old = xcalloc((size_t)n_old + 1, sizeof(*old));
	for (i = 0; i < n_old; i++)
		index_get(&s->ix, i, &old[i]);
	if (f.n > 0) {
		qsort(f.recs, f.n, sizeof(*f.recs), by_content);
		qsort(old, n_old, sizeof(*old), by_content);
		match(f.recs, f.n, old, n_old);
		twins_count(f.recs, f.n);
		qsort(f.recs, f.n, sizeof(*f.recs), by_place);
	}
	for (i = 0; i < f.n; i++)
		if (f.recs[i].uid == 0) {
			f.recs[i].uid = index_next_uid(&s->ix);
			f.recs[i].modseq = s->ix.modseq + 1;
		}
	if (f.n > 0)
		qsort(f.recs, f.n, sizeof(*f.recs), by_uid);
	rv = index_replace(&s->ix, f.recs, f.n, now);
done:
	x_free(&old);
	x_free(&f.recs);
	return rv;
}

int
mbox_sync(struct store *s)
{
	struct ix_seen now;
	int rv = -1;

	if (mbox_seen(s, &now) == -1)
		return -1;
	/* No mailbox and nothing known of one: leave no file behind. */
	if (s->fd == -1 && s->ix.fd == -1)
		return 0;
	if (index_lock(&s->ix, s->conf.lock_wait_ms) == -1)
		return -1;
	if (s->doubt)
		rv = sync_all(s, &now);
	else if (mbox_seen_same(&now, &s->ix.seen))
		rv = 0;
	else if ((rv = sync_appended(s, &now)) == 0)
		rv = sync_all(s, &now);
	if (rv != -1)
		s->doubt = false;
	index_unlock(&s->ix);
	return rv == -1 ? -1 : 0;
}
