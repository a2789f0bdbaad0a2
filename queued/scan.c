/*
 * queued/scan.c - reads a segment, batch by batch: verified first, shown then.
 * Runs at start on the loop's thread and later on the index thread; writes
 * nothing.
 */
#include "queued/scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/crc32c.h"
#include "lib/mem.h"
#include "queued/io.h"

/* Holds the largest record; most batches are read once by it. */
#define WINDOW_OCTETS (4u << 20)

struct scan {
	int fd;
	int error;
	bool fault; /* the last scan_at could not be read */
	const struct segment_head *head;
	const struct scan_visitor *v;
	struct scan_result *r;
	char *window;
	uint32_t off, len; /* what the window holds */
	uint32_t limit;    /* nothing is read beyond */
};

/* The octets at off, borrowed until the next call; NULL beyond the limit. */
static const char *
scan_at(struct scan *s, uint32_t off, uint32_t len)
{
	uint32_t n;

	s->fault = false;
	if (off > s->limit || len > s->limit - off || len > WINDOW_OCTETS)
		return NULL;
	if (off >= s->off && len <= s->len && off - s->off <= s->len - len)
		return s->window + (off - s->off);
	n = s->limit - off < WINDOW_OCTETS ? s->limit - off : WINDOW_OCTETS;
	s->len = 0;
	if (io_read_at(s->fd, s->window, n, off) == -1) {
		/* A bad sector: as much as is wanted, no more. */
		if (io_read_at(s->fd, s->window, len, off) == -1) {
			s->error = errno;
			s->fault = true;
			return NULL;
		}
		n = len;
	}
	s->off = off;
	s->len = n;
	return s->window;
}

/* The record at off: 1 good, 0 its payload is bad, -1 none. */
static int
record_at(struct scan *s, uint32_t off, struct record_head *h,
    struct span *payload)
{
	const char *p = scan_at(s, off, RECORD_HEAD);

	if (p == NULL || record_head_decode(p, s->head->salt,
	    LSN(s->head->number, off), h) == -1)
		return -1;
	p = scan_at(s, off, (uint32_t)RECORD_OCTETS(h->payload_octets));
	if (p == NULL)
		return 0;
	*payload = span_make(p + RECORD_HEAD, h->payload_octets);
	return crc32c(0, payload->p, payload->len) == h->payload_crc;
}

static uint32_t
record_crc(uint32_t crc, const struct record_head *h, uint32_t salt)
{
	unsigned char raw[RECORD_HEAD];

	record_head_encode(h, salt, raw);
	return crc32c(crc, raw, sizeof(raw));
}

/* The offset behind the batch at off if all of it verifies, else 0. */
static uint32_t
batch_verify(struct scan *s, uint32_t off)
{
	struct record_head h;
	struct commit c;
	struct span payload;
	uint32_t crc = 0, n = 0;

	for (;;) {
		if (record_at(s, off, &h, &payload) != 1)
			return 0;
		off += (uint32_t)RECORD_OCTETS(h.payload_octets);
		if (h.type == REC_COMMIT)
			break;
		crc = record_crc(crc, &h, s->head->salt);
		n++;
	}
	if (record_decode_commit(payload, &c) == -1 || c.records != n ||
	    c.crc != crc || c.batch != s->r->next_batch ||
	    c.prev != s->r->last_commit)
		return 0;
	return off;
}

static void
batch_taken(struct scan *s, uint64_t batch, uint64_t lsn, uint32_t end)
{
	s->r->batches++;
	s->r->next_batch = batch + 1;
	s->r->last_commit = lsn;
	s->r->end = end;
}

static void
batch_show(struct scan *s, uint32_t off, uint32_t end)
{
	struct record_head h;
	struct span payload;

	while (off < end && record_at(s, off, &h, &payload) == 1) {
		if (h.type == REC_COMMIT) {
			batch_taken(s, s->r->next_batch, h.lsn, end);
			return;
		}
		s->r->records++;
		s->v->record(s->v->arg, &h, payload);
		off += (uint32_t)RECORD_OCTETS(h.payload_octets);
	}
}

/* Where to look next when nothing is at off; behind a sector that cannot be
 * read by the page. */
static uint32_t
step(const struct scan *s, uint32_t off)
{
	return s->fault ? (off | 4095) + 1 : off + 8;
}

/*
 * The next COMMIT behind off that proves the batch at off to be damaged. One
 * batch is under way at a time, so any later one does; where the end of the
 * segment is known its own COMMIT does too. 0 if there is none.
 */
static uint32_t
find_commit(struct scan *s, uint32_t off, bool end_known, struct commit *c,
    struct record_head *h)
{
	struct span payload;

	for (; off < s->limit && s->limit - off >= RECORD_HEAD;
	    off = step(s, off)) {
		if (record_at(s, off, h, &payload) != 1 ||
		    h->type != REC_COMMIT ||
		    record_decode_commit(payload, c) == -1)
			continue;
		if (c->batch > s->r->next_batch ||
		    (end_known && c->batch == s->r->next_batch))
			return off;
	}
	return 0;
}

/* Shows what verifies by itself between off and end. */
static void
salvage(struct scan *s, uint32_t off, uint32_t end)
{
	struct record_head h;
	struct span payload;
	int what;

	while (off < end) {
		what = record_at(s, off, &h, &payload);
		if (what == -1) {
			off = step(s, off);
			continue;
		}
		if (what == 1 && h.type != REC_COMMIT) {
			s->r->records++;
			s->v->record(s->v->arg, &h, payload);
		} else if (what == 0 && h.type != REC_COMMIT) {
			s->r->bad_records++;
			s->v->lost(s->v->arg, &h);
		}
		off = what == 0 ? step(s, off) :
		    off + (uint32_t)RECORD_OCTETS(h.payload_octets);
	}
}

/*
 * The batch at off is bad. Returns where to go on, or 0: nothing follows.
 * known: where the segment must end, or 0.
 */
static uint32_t
batch_bad(struct scan *s, uint32_t off, uint32_t known)
{
	struct record_head h;
	struct commit c;
	uint32_t at, end;

	at = find_commit(s, off, known != 0, &c, &h);
	if (at == 0 && known == 0)
		return 0; /* a torn tail */
	s->r->damaged = true;
	if (at == 0) {
		salvage(s, off, known);
		s->r->end = known;
		return 0;
	}
	end = at + (uint32_t)RECORD_OCTETS(h.payload_octets);
	salvage(s, off, at);
	batch_taken(s, c.batch, h.lsn, end);
	return end;
}

int
scan_segment(int fd, const struct segment_head *head, uint32_t end,
    const struct scan_visitor *v, struct scan_result *out)
{
	struct scan s = { .fd = fd, .head = head, .v = v, .r = out };
	uint32_t off = SEGMENT_HEAD, next;

	memset(out, 0, sizeof(*out));
	out->end = SEGMENT_HEAD;
	out->last_commit = head->prev_commit;
	out->next_batch = head->next_batch;
	s.limit = end != 0 && end < head->octets ? end : head->octets;
	s.window = xmalloc(WINDOW_OCTETS);
	while (off != 0 && off < s.limit) {
		if ((next = batch_verify(&s, off)) != 0) {
			batch_show(&s, off, next);
			off = next;
		} else
			off = batch_bad(&s, off, end == 0 ? 0 : s.limit);
	}
	free(s.window);
	if (s.error != 0 && out->end == SEGMENT_HEAD && out->records == 0) {
		errno = s.error;
		return -1;
	}
	if (s.error != 0)
		out->damaged = true;
	return 0;
}
