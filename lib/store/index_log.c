/*
 * lib/store/index_log.c - the log of an index: deltas put together, written at
 * once, and replayed by readers and by the writer himself through the same
 * code, so that all see the same.
 */
#include "lib/store/index.h"
#include "lib/store/index_in.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/crc32c.h"
#include "lib/mem.h"

/* A batch of letters is at most STORE_BATCH_MAX; expunges fold beyond that. */
#define IX_BATCH_OCTETS ((size_t)(2 * STORE_BATCH_MAX + 64) * IX_DELTA_MAX)

static void
delta_put(struct index *ix, enum ix_delta type, const uint8_t *p, size_t len)
{
	uint8_t head[IX_DELTA_HEAD];
	uint32_t crc;

	put_u16(head + 4, (uint16_t)(IX_DELTA_HEAD + len));
	head[6] = (uint8_t)type;
	head[7] = 0;
	crc = crc32c(crc32c(0, head + 4, 4), p, len);
	put_u32(head, crc);
	if (ix->batch.max == 0)
		buf_init(&ix->batch, IX_BATCH_OCTETS);
	if (buf_add(&ix->batch, head, sizeof(head)) == -1 ||
	    buf_add(&ix->batch, p, len) == -1)
		ix->overflow = true; /* index_commit refuses it all */
}

void
index_add(struct index *ix, struct ix_rec *recs, uint32_t n)
{
	uint8_t p[IX_RECORD_OCTETS];
	struct ix_rec *r;
	uint32_t i, j;

	for (i = 0; i < n; i++) {
		r = &recs[i];
		r->uid = index_next_uid(ix);
		r->twin = ix_twin(ix, r->digest);
		for (j = 0; j < i; j++)
			if (memcmp(recs[j].digest, r->digest,
			    IX_DIGEST_OCTETS) == 0 && recs[j].twin >= r->twin)
				r->twin = recs[j].twin + 1;
		ix_rec_encode(r, p);
		delta_put(ix, IX_APPEND, p, sizeof(p));
	}
}

uint32_t
index_next_uid(struct index *ix)
{
	return ix->uidnext++;
}

void
index_put_flags(struct index *ix, uint32_t first, uint32_t last, uint32_t add,
    uint32_t remove)
{
	uint8_t p[16];

	put_u32(p, first);
	put_u32(p + 4, last);
	put_u32(p + 8, add);
	put_u32(p + 12, remove);
	delta_put(ix, IX_FLAGS, p, sizeof(p));
}

void
index_put_expunge(struct index *ix, uint32_t first, uint32_t last)
{
	uint8_t p[8];

	put_u32(p, first);
	put_u32(p + 4, last);
	delta_put(ix, IX_EXPUNGE, p, sizeof(p));
}

void
index_put_shift(struct index *ix, uint64_t behind, uint64_t by)
{
	uint8_t p[16];

	put_u64(p, behind);
	put_u64(p + 8, by);
	delta_put(ix, IX_SHIFT, p, sizeof(p));
}

void
index_put_seen(struct index *ix, const struct ix_seen *seen)
{
	uint8_t p[24];

	put_u64(p, seen->size);
	put_u64(p + 8, (uint64_t)seen->mtime_ns);
	put_u64(p + 16, seen->inode);
	delta_put(ix, IX_SEEN, p, sizeof(p));
}

void
index_put_token(struct index *ix, uint32_t uid, const uint8_t *token)
{
	uint8_t p[16] = { 0 };

	put_u32(p, uid);
	memcpy(p + 4, token, STORE_TOKEN_OCTETS);
	delta_put(ix, IX_TOKEN, p, sizeof(p));
}

void
ix_put_gone(struct index *ix, const uint8_t *token)
{
	uint8_t p[16] = { 0 };

	memcpy(p, token, STORE_TOKEN_OCTETS);
	delta_put(ix, IX_GONE, p, sizeof(p));
}

/* The batch to the end of the log; what lies behind it was torn by a crash. */
static int
batch_write(struct index *ix)
{
	const char *p = buf_span(&ix->batch).p;
	size_t len = buf_span(&ix->batch).len, done = 0;
	ssize_t n;

	if (ix->file_size > ix->log_end &&
	    ftruncate(ix->fd, (off_t)ix->log_end) == -1)
		return -1;
	ix->file_size = ix->log_end + len; /* at most, if we fail */
	while (done < len) {
		n = pwrite(ix->fd, p + done, len - done,
		    (off_t)(ix->log_end + done));
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		done += (size_t)n;
	}
	return 0;
}

int
index_commit(struct index *ix)
{
	struct span s = buf_span(&ix->batch);
	int rv = -1;

	if (s.len == 0)
		return 0;
	if (ix->fd == -1 || !ix->locked)
		errno = EBADF;
	else if (ix->overflow)
		errno = ENOBUFS;
	else if (batch_write(ix) == 0) {
		ix->log_end += ix_replay(ix, (const uint8_t *)s.p, s.len);
		rv = 0;
	}
	buf_reset(&ix->batch);
	ix->overflow = false;
	return rv;
}

int
index_reserve(struct index *ix, uint32_t n)
{
	uint8_t p[16];
	uint32_t uid;

	if (index_count(ix) + (uint64_t)n > IX_LETTERS_MAX ||
	    ix->uidnext > UINT32_MAX - n - 2 * IX_RESERVE_STEP) {
		errno = EFBIG;
		return -1;
	}
	/* 2 * n: each letter may cost an expunge or a token as well. */
	if (ix->uidnext + n <= ix->uid_reserved &&
	    ix->modseq + 2 * (uint64_t)n + 64 <= ix->modseq_reserved)
		return 0;
	uid = ix->uidnext + n + IX_RESERVE_STEP;
	put_u32(p, uid);
	put_u32(p + 4, 0);
	put_u64(p + 8, ix->modseq + 2 * (uint64_t)n + 64 + IX_RESERVE_STEP);
	delta_put(ix, IX_RESERVE, p, sizeof(p));
	if (index_commit(ix) == -1)
		return -1;
	return fdatasync(ix->fd);
}

/* Called with the lock held, before anything is written. */
int
ix_boot_check(struct index *ix)
{
	uint64_t now = ix->boot_now;
	uint8_t p[24];

	if (ix->boot == now)
		return 0;
	put_u64(p, now);
	put_u32(p + 8, ix->uid_reserved > ix->uidnext ? ix->uid_reserved
	    : ix->uidnext);
	put_u32(p + 12, 0);
	put_u64(p + 16, ix->modseq_reserved);
	delta_put(ix, IX_BOOT, p, sizeof(p));
	return index_commit(ix);
}

/* -- replay ---------------------------------------------------------------- */

static struct ix_rec *
heap_room(struct index *ix, uint32_t more)
{
	uint32_t want = ix->n_heap + more;

	if (want > ix->cap_heap) {
		ix->cap_heap = want + want / 2 + 16;
		ix->heap = xreallocarray(ix->heap, ix->cap_heap,
		    sizeof(*ix->heap));
	}
	return ix->heap;
}

/* A delta changes a record of the map: all come onto the heap. */
static void
heap_take_map(struct index *ix)
{
	uint32_t i, n = ix->mapped;

	if (n == 0)
		return;
	heap_room(ix, n);
	memmove(ix->heap + n, ix->heap, ix->n_heap * sizeof(*ix->heap));
	for (i = 0; i < n; i++)
		ix_rec_decode(ix->map + IX_HEADER_OCTETS +
		    (size_t)i * IX_RECORD_OCTETS, &ix->heap[i]);
	ix->n_heap += n;
	ix->mapped = 0;
}

static bool
replay_append(struct index *ix, const uint8_t *p)
{
	struct ix_rec r, last;
	uint32_t n = index_count(ix);

	ix_rec_decode(p, &r);
	if (n > 0)
		index_get(ix, n - 1, &last);
	if (r.uid == 0 || r.uid == UINT32_MAX || n >= IX_LETTERS_MAX ||
	    (n > 0 && r.uid <= last.uid))
		return false;
	r.modseq = ix->modseq;
	heap_room(ix, 1)[ix->n_heap++] = r;
	ix->wire += r.wire;
	ix_filter_add(ix, r.digest);
	if (ix->uidnext <= r.uid)
		ix->uidnext = r.uid + 1;
	return true;
}

static void
replay_flags(struct index *ix, const uint8_t *p)
{
	uint32_t last = get_u32(p + 4), i = index_find(ix, get_u32(p));
	uint32_t add = get_u32(p + 8) & STORE_FLAGS;
	uint32_t remove = get_u32(p + 12) & STORE_FLAGS;

	if (i < ix->mapped) {
		heap_take_map(ix);
		i = index_find(ix, get_u32(p));
	}
	for (i -= ix->mapped; i < ix->n_heap && ix->heap[i].uid <= last; i++) {
		ix->heap[i].flags = (ix->heap[i].flags & ~remove) | add;
		ix->heap[i].modseq = ix->modseq;
	}
}

static void
replay_expunge(struct index *ix, const uint8_t *p)
{
	uint32_t first = index_find(ix, get_u32(p)), end, i;
	uint32_t last = get_u32(p + 4);

	if (first < ix->mapped) {
		heap_take_map(ix);
		first = index_find(ix, get_u32(p));
	}
	first -= ix->mapped;
	for (end = first; end < ix->n_heap && ix->heap[end].uid <= last; end++)
		;
	if (first == end)
		return;
	for (i = first; i < end; i++) {
		ix->wire -= ix->heap[i].wire;
		ix_remember(ix, ix->heap[i].token);
	}
	memmove(ix->heap + first, ix->heap + end,
	    (ix->n_heap - end) * sizeof(*ix->heap));
	ix->n_heap -= end - first;
}

static void
replay_shift(struct index *ix, const uint8_t *p)
{
	uint64_t behind = get_u64(p), by = get_u64(p + 8);
	uint32_t i;

	heap_take_map(ix);
	for (i = 0; i < ix->n_heap; i++)
		if (ix->heap[i].place > behind && ix->heap[i].place >= by)
			ix->heap[i].place -= by;
}

static void
replay_token(struct index *ix, const uint8_t *p)
{
	uint32_t uid = get_u32(p), i = index_find(ix, uid);

	if (i < ix->mapped) {
		heap_take_map(ix);
		i = index_find(ix, uid);
	}
	i -= ix->mapped;
	if (i < ix->n_heap && ix->heap[i].uid == uid)
		memcpy(ix->heap[i].token, p + 4, STORE_TOKEN_OCTETS);
}

static bool
replay_numbers(struct index *ix, const uint8_t *p, bool boot)
{
	uint32_t uid = get_u32(p + (boot ? 8 : 0));
	uint64_t modseq = get_u64(p + (boot ? 16 : 8));

	if (uid < ix->uidnext || modseq < ix->modseq || modseq > INT64_MAX)
		return false;
	if (boot) {
		ix->boot = get_u64(p);
		ix->uidnext = uid;
		ix->modseq = modseq;
	} else {
		ix->uid_reserved = uid;
		ix->modseq_reserved = modseq;
	}
	return true;
}

static bool
replay_one(struct index *ix, unsigned type, const uint8_t *p, size_t len)
{
	static const uint8_t lengths[] = { 0, IX_RECORD_OCTETS, 16, 8, 16, 24,
		16, 24, 16, 16 };

	if (type == 0 || type >= nitems(lengths) || lengths[type] != len ||
	    ix->modseq >= INT64_MAX)
		return false;
	ix->modseq++;
	switch (type) {
	case IX_APPEND:
		return replay_append(ix, p);
	case IX_FLAGS:
		replay_flags(ix, p);
		break;
	case IX_EXPUNGE:
		replay_expunge(ix, p);
		break;
	case IX_SHIFT:
		replay_shift(ix, p);
		break;
	case IX_SEEN:
		ix->seen.size = get_u64(p);
		ix->seen.mtime_ns = (int64_t)get_u64(p + 8);
		ix->seen.inode = get_u64(p + 16);
		break;
	case IX_RESERVE:
	case IX_BOOT:
		return replay_numbers(ix, p, type == IX_BOOT);
	case IX_GONE:
		ix_remember(ix, p);
		break;
	case IX_TOKEN:
		replay_token(ix, p);
		break;
	}
	return true;
}

/* Returns how many octets were whole, sound deltas. */
size_t
ix_replay(struct index *ix, const uint8_t *p, size_t len)
{
	size_t at = 0, n;

	while (len - at >= IX_DELTA_HEAD) {
		n = get_u16(p + at + 4);
		if (n < IX_DELTA_HEAD || n > len - at || p[at + 7] != 0 ||
		    get_u32(p + at) != crc32c(0, p + at + 4,
		    n - 4))
			break;
		if (!replay_one(ix, p[at + 6], p + at + IX_DELTA_HEAD,
		    n - IX_DELTA_HEAD))
			break;
		at += n;
	}
	return at;
}

/* -- what changed ---------------------------------------------------------- */

/* Expunges are told from the log alone; its modseqs are counted again. */
static int
changes_gone(struct index *ix, uint64_t since, const uint8_t *p, size_t len,
    void (*fn)(void *arg, uint32_t uid, uint32_t flags, uint64_t modseq,
    bool gone), void *arg)
{
	uint64_t modseq = ix->log_floor;
	uint32_t uid, last;
	size_t at, n;

	for (at = 0; at + IX_DELTA_HEAD <= len; at += n) {
		n = get_u16(p + at + 4);
		if (n < IX_DELTA_HEAD || n > len - at)
			break;
		modseq++;
		if (p[at + 6] == IX_BOOT && n == IX_DELTA_HEAD + 24)
			modseq = get_u64(p + at + IX_DELTA_HEAD + 16);
		if (p[at + 6] != IX_EXPUNGE || modseq <= since ||
		    n != IX_DELTA_HEAD + 8)
			continue;
		uid = get_u32(p + at + IX_DELTA_HEAD);
		last = get_u32(p + at + IX_DELTA_HEAD + 4);
		for (; uid <= last && uid < ix->uidnext; uid++)
			fn(arg, uid, 0, modseq, true);
	}
	return since < ix->log_floor ? 1 : 0;
}

int
index_changes(struct index *ix, uint64_t since,
    void (*fn)(void *arg, uint32_t uid, uint32_t flags, uint64_t modseq,
    bool gone), void *arg)
{
	size_t len = (size_t)(ix->log_end - ix->log_begin);
	struct ix_rec r;
	uint8_t *log;
	uint32_t i;
	int rv = 1;

	for (i = 0; i < index_count(ix); i++) {
		index_get(ix, i, &r);
		if (r.modseq > since)
			fn(arg, r.uid, r.flags & STORE_FLAGS, r.modseq, false);
	}
	if (ix->fd == -1 || len == 0)
		return since < ix->log_floor ? 1 : 0;
	log = xmalloc(len);
	if (pread(ix->fd, log, len, (off_t)ix->log_begin) == (ssize_t)len)
		rv = changes_gone(ix, since, log, len, fn, arg);
	mem_free(log);
	return rv;
}
