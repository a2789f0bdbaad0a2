/*
 * lib/store/mbox_expunge.c - letters taken out of the mailbox: which stretches
 * go, which stay, and where the letters lie afterwards.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/mem.h"
#include "lib/store/mbox_side.h"

/* More letters at once than this and the index is written anew instead. */
#define EXPUNGE_DELTAS_MAX 16

static int
by_place(const void *pa, const void *pb)
{
	const struct ix_rec *a = pa, *b = pb;

	return a->place < b->place ? -1 : a->place > b->place;
}

static bool
uid_in(const uint32_t *uids, size_t n, uint32_t uid)
{
	size_t lo = 0, hi = n, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (uids[mid] == uid)
			return true;
		if (uids[mid] < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

/* Letters that go, by place; they must lie in the file and not overlap. */
static int
holes_find(struct store *s, const uint32_t *uids, size_t n, uint64_t size,
    struct ix_rec **out, uint32_t *n_out)
{
	struct ix_rec *holes = xcalloc(n + 1, sizeof(*holes)), r;
	uint32_t i, k = 0;
	uint64_t at = 0;

	for (i = 0; i < index_count(&s->ix) && k < n; i++) {
		index_get(&s->ix, i, &r);
		if (uid_in(uids, n, r.uid))
			holes[k++] = r;
	}
	if (k > 1)
		qsort(holes, k, sizeof(*holes), by_place);
	*out = holes;
	*n_out = k;
	for (i = 0; i < k; i++) {
		if (holes[i].place < at || holes[i].place > size ||
		    holes[i].octets > size - holes[i].place) {
			errno = EIO;
			return -1;
		}
		at = holes[i].place + holes[i].octets;
	}
	return 0;
}

static int
text_remove(struct store *s, const struct ix_rec *holes, uint32_t n,
    const struct ix_seen *now)
{
	struct range *keep = xcalloc(n, sizeof(*keep));
	struct side side = { .old_length = now->size, .inode = now->inode,
		.offset = holes[0].place };
	uint64_t end, next, len = 0;
	uint32_t i;
	int rv;

	for (i = 0; i < n; i++) {
		end = holes[i].place + holes[i].octets;
		next = i + 1 < n ? holes[i + 1].place : now->size;
		keep[i] = (struct range){ s->fd, end, next - end };
		len += next - end;
	}
	if (len == 0) /* nothing behind the hole: the cut alone does it */
		rv = ftruncate(s->fd, (off_t)side.offset) == -1 ? -1
		    : fsync(s->fd);
	else if ((rv = side_write(s, &side, keep, n)) == 0)
		rv = side_apply(s, &side);
	x_free(&keep);
	return rv;
}

/* -- the index ------------------------------------------------------------- */

static void
deltas_put(struct index *ix, const struct ix_rec *holes, uint32_t n)
{
	uint32_t i;

	for (i = n; i-- > 0;) {
		index_put_expunge(ix, holes[i].uid, holes[i].uid);
		index_put_shift(ix, holes[i].place, holes[i].octets);
	}
}

/* Octets of the holes in front of a place. */
static uint64_t
moved_by(const struct ix_rec *holes, const uint64_t *sums, uint32_t n,
    uint64_t place)
{
	uint32_t lo = 0, hi = n, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (holes[mid].place < place)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo == 0 ? 0 : sums[lo - 1];
}

static int
records_replace(struct index *ix, const struct ix_rec *holes, uint32_t n,
    const uint32_t *uids, size_t n_uids, const struct ix_seen *now)
{
	struct ix_rec *recs = xcalloc((size_t)index_count(ix) + 1,
	    sizeof(*recs));
	uint64_t *sums = xcalloc(n, sizeof(*sums)), sum = 0;
	uint32_t i, k = 0;
	int rv;

	for (i = 0; i < n; i++)
		sums[i] = sum += holes[i].octets;
	for (i = 0; i < index_count(ix); i++) {
		index_get(ix, i, &recs[k]);
		if (uid_in(uids, n_uids, recs[k].uid))
			continue;
		recs[k].place -= moved_by(holes, sums, n, recs[k].place);
		k++;
	}
	rv = index_replace(ix, recs, k, now);
	x_free(&sums);
	x_free(&recs);
	return rv;
}

/* Failing here loses nothing: the next look at the mailbox reads it anew. */
static void
index_follow(struct store *s, const struct ix_rec *holes, uint32_t n,
    const uint32_t *uids, size_t n_uids)
{
	struct ix_seen before = s->ix.seen, now;

	if (mbox_seen(s, &now) == -1 ||
	    index_lock(&s->ix, s->conf.lock_wait_ms) == -1)
		return;
	if (!mbox_seen_same(&before, &s->ix.seen))
		; /* made anew meanwhile: it lacks the letters that stay */
	else if (n > EXPUNGE_DELTAS_MAX)
		records_replace(&s->ix, holes, n, uids, n_uids, &now);
	else if (index_reserve(&s->ix, n) == 0) {
		deltas_put(&s->ix, holes, n);
		index_put_seen(&s->ix, &now);
		index_commit(&s->ix);
	}
	index_unlock(&s->ix);
}

int
store_expunge(struct store *s, const uint32_t *uids, size_t n)
{
	struct ix_rec *holes = NULL;
	struct ix_seen now;
	uint32_t n_holes = 0;
	int rv = -1;

	if (n == 0)
		return 0;
	if (mbox_lock(s, false, NULL) == -1)
		return -1;
	if (s->fd == -1)
		return 0; /* gone altogether */
	if (mbox_sync(s) == -1 || mbox_seen(s, &now) == -1 ||
	    holes_find(s, uids, n, now.size, &holes, &n_holes) == -1)
		goto done;
	if (n_holes > 0) {
		if (text_remove(s, holes, n_holes, &now) == -1)
			goto done;
		index_follow(s, holes, n_holes, uids, n);
	}
	rv = 0;
done:
	mbox_unlock(s);
	x_free(&holes);
	return rv;
}
