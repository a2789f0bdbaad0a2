/*
 * queued/record.h - what lies in a segment: the header at its front, records,
 * and the type-length-value payloads inside them. Everything little-endian, at
 * fixed widths. Decoders believe nothing: a spool may come from a broken disk.
 *
 * Record, 8-aligned: magic u32, type u16, flags u16, payload octets u32, header
 * crc u32, lsn u64, qid u64, payload crc u32, reserved u32; then the payload,
 * then zeros up to the next multiple of 8. The header crc is seeded with the
 * segment's random salt, so that neither stale octets of a recycled segment nor
 * a letter whose text looks like a record can pass for one.
 */
#ifndef QUEUED_RECORD_H
#define QUEUED_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/span.h"
#include "queued/letter.h"

#define RECORD_HEAD 40
/* A body of 256 KiB and the envelope of 10,000 recipients fit; a segment of
 * the smallest size (4 MiB) holds one with its COMMIT. */
#define RECORD_PAYLOAD_MAX (3u << 20)
#define RECORD_OCTETS(payload) \
	((RECORD_HEAD + (uint64_t)(payload) + 7) & ~(uint64_t)7)

enum record_type {
	REC_MSG = 1,
	REC_EXPAND,
	REC_STATE,
	REC_CTRL,
	REC_DONE,
	REC_COPY,
	REC_COMMIT,
	REC_TYPE_MAX
};

struct record_head {
	uint16_t type, flags;
	uint32_t payload_octets, payload_crc;
	uint64_t lsn, qid;
};

#define LSN(segment, offset) ((uint64_t)(segment) << 32 | (uint32_t)(offset))
#define LSN_SEGMENT(lsn)     ((uint32_t)((lsn) >> 32))
#define LSN_OFFSET(lsn)      ((uint32_t)(lsn))

void record_head_encode(const struct record_head *h, uint32_t salt,
    unsigned char out[RECORD_HEAD]);

/*
 * record_head_decode - in: RECORD_HEAD octets. Returns 0, or -1 unless magic,
 * type, length, crc and lsn are right.
 */
int record_head_decode(const void *in, uint32_t salt, uint64_t lsn,
    struct record_head *out);

/* The front of a segment; a second copy lies half a page further. */
#define SEGMENT_HEAD        4096
#define SEGMENT_HEAD_SECOND 2048
#define SEGMENT_FORMAT      1

struct segment_head {
	uint32_t number;
	uint32_t octets; /* of the file */
	uint32_t epoch;  /* of the run that opened it */
	uint32_t salt;
	unsigned char uuid[16];
	uint64_t prev_end;    /* lsn at which the previous segment ends; 0: none */
	uint64_t prev_commit; /* lsn of the last COMMIT before; 0: none */
	uint64_t next_batch;  /* number of the first batch in here */
};

void segment_head_encode(const struct segment_head *h,
    unsigned char out[SEGMENT_HEAD]);

/* segment_head_decode - 0; -1: damaged (both copies); -2: a newer format. */
int segment_head_decode(const unsigned char in[SEGMENT_HEAD],
    struct segment_head *out);

struct commit {
	uint64_t batch, prev; /* prev: lsn of the COMMIT before */
	uint32_t records;     /* in the batch, this one aside */
	uint32_t crc;         /* over their headers, which hold the payload's */
};
#define COMMIT_PAYLOAD 30
#define COMMIT_OCTETS  RECORD_OCTETS(COMMIT_PAYLOAD)

/*
 * The encoders append one payload to b (whose max bounds it).
 * Return 0, or -1 with errno ENOBUFS, or EINVAL: a text or count over its limit.
 */
int record_encode_commit(struct buf *b, const struct commit *c);
/*
 * record_encode_letter - for MSG and COPY: the envelope, then either the name
 * of the body's file (l->big) or the head of text_octets octets of text, which
 * the caller puts behind. through: in a COPY the highest lsn folded in, else 0.
 */
int record_encode_letter(struct buf *b, const struct letter *l,
    uint64_t through, uint32_t text_octets);
int record_encode_expand(struct buf *b, const uint32_t *parents, size_t n,
    const struct final *finals, size_t nfinals);
int record_encode_state(struct buf *b, const struct outcome *o, size_t n);
int record_encode_ctrl(struct buf *b, const struct control *c);

/* The decoders: 0, or -1 when the payload is no such thing. */
int record_decode_commit(struct span payload, struct commit *out);

/*
 * record_envelope_octets - how much of a MSG's or COPY's payload must be there
 * for record_decode_envelope; prefix holds at least its first
 * RECORD_ENVELOPE_MIN octets. 0 when it is none.
 */
#define RECORD_ENVELOPE_MIN 6
uint64_t record_envelope_octets(struct span prefix);

/* record_decode_envelope - payload may end behind the envelope. *out is new,
 * and the caller's; through may be NULL. */
int record_decode_envelope(struct span payload, uint64_t qid,
    struct letter **out, uint64_t *through);

/* record_decode_text - the text inside a whole payload, borrowed; for a body
 * in big/ empty with *big set. */
int record_decode_text(struct span payload, struct span *text, bool *big);

/* record_apply - folds an EXPAND, STATE or CTRL into the letter. */
int record_apply(struct letter *l, uint16_t type, struct span payload);

#endif
