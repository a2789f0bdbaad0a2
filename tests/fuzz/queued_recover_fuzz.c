/*
 * tests/fuzz/queued_recover_fuzz.c - the walk over a segment. The input is a
 * recipe: an octet of flags, then pieces (kind, length u16, octets). A piece is
 * a record with a right header, a COMMIT that fits or not, or raw octets; so
 * that the checksums keep nothing away from what lies behind them.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/crc32c.h"
#include "queued/record.h"
#include "queued/scan.h"
#include "queued/tlv.h"

enum { OCTETS = 64 << 10, SALT = 5 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct image {
	unsigned char *p;
	uint32_t off;
	uint32_t crc, records;
	uint64_t batch, prev;
};

static struct segment_head head = { .number = 2, .octets = OCTETS,
	.salt = SALT, .next_batch = 7, .prev_commit = LSN(1, 4096) };

static void
add_record(struct image *m, uint16_t type, struct span payload, bool spoil)
{
	struct record_head h = { .type = type, .qid = payload.len,
		.payload_octets = (uint32_t)payload.len };
	uint64_t octets = RECORD_OCTETS(payload.len);

	if (m->off + octets > OCTETS)
		return;
	h.lsn = LSN(head.number, m->off);
	h.payload_crc = crc32c(0, payload.p, payload.len);
	record_head_encode(&h, SALT, m->p + m->off);
	if (type == REC_COMMIT) {
		m->prev = h.lsn;
		m->batch++;
		m->crc = m->records = 0;
	} else {
		m->crc = crc32c(m->crc, m->p + m->off, RECORD_HEAD);
		m->records++;
	}
	if (payload.len > 0)
		memcpy(m->p + m->off + RECORD_HEAD, payload.p, payload.len);
	if (spoil)
		m->p[m->off + octets - 8] ^= 0x10;
	m->off += (uint32_t)octets;
}

static void
add_commit(struct image *m, uint8_t spoil)
{
	struct commit c = { m->batch + (spoil & 1), m->prev, m->records,
		m->crc ^ (spoil >> 1 & 1) };
	struct buf b = BUF_INIT(100);

	record_encode_commit(&b, &c);
	add_record(m, REC_COMMIT, buf_span(&b), (spoil >> 2 & 1) != 0);
	buf_clear(&b);
}

static void
build(struct image *m, const uint8_t *data, size_t size)
{
	while (size >= 3) {
		uint8_t kind = data[0];
		size_t len = get_u16(data + 1);

		data += 3;
		size -= 3;
		if (len > size)
			len = size;
		if (kind % 4 == 0)
			add_commit(m, kind >> 2);
		else if (kind % 4 == 1 && m->off + len + 8 < OCTETS) {
			memcpy(m->p + m->off, data, len);
			m->off += (uint32_t)(len + 7) & ~7u;
		} else
			add_record(m, (uint16_t)(1 + kind / 4 % 6),
			    span_make(data, len), kind >= 224);
		data += len;
		size -= len;
	}
}

struct seen {
	uint32_t last;
	uint64_t n;
};

static void
on_record(void *arg, const struct record_head *h, struct span payload)
{
	struct seen *s = arg;
	struct letter *l;

	/* In order, aligned, and with the payload that the header names. */
	if (LSN_OFFSET(h->lsn) <= s->last || h->lsn % 8 != 0 ||
	    payload.len != h->payload_octets || h->type == REC_COMMIT ||
	    crc32c(0, payload.p, payload.len) != h->payload_crc)
		abort();
	s->last = LSN_OFFSET(h->lsn);
	s->n++;
	if (record_decode_envelope(payload, h->qid, &l, NULL) == 0)
		letter_free(l);
}

static void
on_lost(void *arg, const struct record_head *h)
{
	(void)arg;
	if (h->type == REC_COMMIT)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	struct seen seen = { 0 };
	const struct scan_visitor v = { on_record, on_lost, &seen };
	struct image m = { .off = SEGMENT_HEAD, .batch = head.next_batch,
		.prev = head.prev_commit };
	struct scan_result r;
	uint32_t end;

	if (size == 0)
		return 0;
	if (fd == -1)
		fd = memfd_create("segment", 0);
	m.p = calloc(1, OCTETS);
	build(&m, data + 1, size - 1);
	if (m.p == NULL || fd == -1 ||
	    pwrite(fd, m.p, OCTETS, 0) != OCTETS)
		abort();
	end = data[0] & 1 ? m.off : 0;
	if (scan_segment(fd, &head, end, &v, &r) == -1 ||
	    r.records != seen.n || r.end > OCTETS || r.end < SEGMENT_HEAD ||
	    (end != 0 && r.end > end))
		abort();
	free(m.p);
	return 0;
}
