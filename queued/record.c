/*
 * queued/record.c - headers of segments and records, and the COMMIT: octets in
 * and out, no file. What a letter's payloads hold is payload.c.
 */
#include "queued/record.h"

#include <errno.h>
#include <string.h>

#include "lib/crc32c.h"
#include "queued/tlv.h"

#define RECORD_MAGIC 0x72646261u /* "abdr" */
#define SEGMENT_MAGIC "barid segment\r\n"

/* Where the members of a header lie. */
enum { H_MAGIC = 0, H_TYPE = 4, H_FLAGS = 6, H_LEN = 8, H_CRC = 12, H_LSN = 16,
	H_QID = 24, H_PCRC = 32, H_RESERVED = 36 };

void
record_head_encode(const struct record_head *h, uint32_t salt,
    unsigned char out[RECORD_HEAD])
{
	put_u32(out + H_MAGIC, RECORD_MAGIC);
	put_u16(out + H_TYPE, h->type);
	put_u16(out + H_FLAGS, h->flags);
	put_u32(out + H_LEN, h->payload_octets);
	put_u32(out + H_CRC, 0);
	put_u64(out + H_LSN, h->lsn);
	put_u64(out + H_QID, h->qid);
	put_u32(out + H_PCRC, h->payload_crc);
	put_u32(out + H_RESERVED, 0);
	put_u32(out + H_CRC, crc32c(salt, out, RECORD_HEAD));
}

int
record_head_decode(const void *in, uint32_t salt, uint64_t lsn,
    struct record_head *out)
{
	unsigned char h[RECORD_HEAD];
	uint32_t crc;

	memcpy(h, in, sizeof(h));
	if (get_u32(h + H_MAGIC) != RECORD_MAGIC || get_u64(h + H_LSN) != lsn)
		return -1;
	crc = get_u32(h + H_CRC);
	put_u32(h + H_CRC, 0);
	if (crc32c(salt, h, sizeof(h)) != crc)
		return -1;
	out->type = get_u16(h + H_TYPE);
	out->flags = get_u16(h + H_FLAGS);
	out->payload_octets = get_u32(h + H_LEN);
	out->payload_crc = get_u32(h + H_PCRC);
	out->lsn = lsn;
	out->qid = get_u64(h + H_QID);
	if (out->type == 0 || out->type >= REC_TYPE_MAX ||
	    out->payload_octets > RECORD_PAYLOAD_MAX)
		return -1;
	return 0;
}

enum { S_MAGIC = 0, S_FORMAT = 16, S_NUMBER = 20, S_OCTETS = 24, S_EPOCH = 28,
	S_SALT = 32, S_UUID = 36, S_PREV_END = 52, S_PREV_COMMIT = 60,
	S_NEXT_BATCH = 68, S_CRC = 76, S_LEN = 80 };

static void
head_encode(const struct segment_head *h, unsigned char *out)
{
	memcpy(out + S_MAGIC, SEGMENT_MAGIC, sizeof(SEGMENT_MAGIC));
	put_u32(out + S_FORMAT, SEGMENT_FORMAT);
	put_u32(out + S_NUMBER, h->number);
	put_u32(out + S_OCTETS, h->octets);
	put_u32(out + S_EPOCH, h->epoch);
	put_u32(out + S_SALT, h->salt);
	memcpy(out + S_UUID, h->uuid, sizeof(h->uuid));
	put_u64(out + S_PREV_END, h->prev_end);
	put_u64(out + S_PREV_COMMIT, h->prev_commit);
	put_u64(out + S_NEXT_BATCH, h->next_batch);
	put_u32(out + S_CRC, crc32c(0, out, S_CRC));
}

void
segment_head_encode(const struct segment_head *h,
    unsigned char out[SEGMENT_HEAD])
{
	memset(out, 0, SEGMENT_HEAD);
	head_encode(h, out);
	head_encode(h, out + SEGMENT_HEAD_SECOND);
}

static int
head_decode(const unsigned char *in, struct segment_head *h)
{
	if (memcmp(in + S_MAGIC, SEGMENT_MAGIC, sizeof(SEGMENT_MAGIC)) != 0 ||
	    crc32c(0, in, S_CRC) != get_u32(in + S_CRC))
		return -1;
	if (get_u32(in + S_FORMAT) != SEGMENT_FORMAT)
		return -2;
	h->number = get_u32(in + S_NUMBER);
	h->octets = get_u32(in + S_OCTETS);
	h->epoch = get_u32(in + S_EPOCH);
	h->salt = get_u32(in + S_SALT);
	memcpy(h->uuid, in + S_UUID, sizeof(h->uuid));
	h->prev_end = get_u64(in + S_PREV_END);
	h->prev_commit = get_u64(in + S_PREV_COMMIT);
	h->next_batch = get_u64(in + S_NEXT_BATCH);
	return 0;
}

int
segment_head_decode(const unsigned char in[SEGMENT_HEAD],
    struct segment_head *out)
{
	int rv = head_decode(in, out);

	return rv == -1 ? head_decode(in + SEGMENT_HEAD_SECOND, out) : rv;
}

int
record_encode_commit(struct buf *b, const struct commit *c)
{
	if (tlv_head(b, TLV_COMMIT, COMMIT_PAYLOAD - TLV_HEAD) == -1 ||
	    buf_add_u64(b, c->batch) == -1 || buf_add_u64(b, c->prev) == -1 ||
	    buf_add_u32(b, c->records) == -1 || buf_add_u32(b, c->crc) == -1)
		return -1;
	return 0;
}

int
record_decode_commit(struct span payload, struct commit *out)
{
	struct cursor c = cursor_make(payload), v;
	uint16_t tag;

	if (!cursor_tlv(&c, &tag, &v) || tag != TLV_COMMIT)
		return -1;
	out->batch = cursor_u64(&v);
	out->prev = cursor_u64(&v);
	out->records = cursor_u32(&v);
	out->crc = cursor_u32(&v);
	return v.bad ? -1 : 0;
}
