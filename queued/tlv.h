/*
 * queued/tlv.h - type-length-value: tag u16, length u32, octets. The reader is
 * sticky: after a short read every further one gives zeros and bad stays set.
 */
#ifndef QUEUED_TLV_H
#define QUEUED_TLV_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/span.h"

#define TLV_HEAD 6

/* Tags lie on the disk: only ever append. A reader skips what it knows not. */
enum tlv_tag {
	TLV_ENVELOPE = 1, /* crc u32 of the rest, then the TLVs of a letter */
	TLV_TEXT,
	TLV_BIG,
	TLV_FIXED,
	TLV_REVERSE_PATH,
	TLV_ENVID,
	TLV_ACCOUNT,
	TLV_CLIENT,
	TLV_RCPT,
	TLV_PARENTS,
	TLV_FINAL,
	TLV_OUTCOME,
	TLV_CONTROL,
	TLV_COMMIT
};

struct cursor {
	const char *p;
	size_t len;
	bool bad;
};

struct cursor cursor_make(struct span s);
uint8_t cursor_u8(struct cursor *c);
uint16_t cursor_u16(struct cursor *c);
uint32_t cursor_u32(struct cursor *c);
uint64_t cursor_u64(struct cursor *c);

/* cursor_take - the next n octets, borrowed. */
struct span cursor_take(struct cursor *c, size_t n);

/* cursor_text - length u16 and octets. */
struct span cursor_text(struct cursor *c);

/* cursor_tlv - the next element; false at the end, or with bad set. */
bool cursor_tlv(struct cursor *c, uint16_t *tag, struct cursor *value);

int tlv_head(struct buf *b, uint16_t tag, uint32_t len);

/* tlv_open, tlv_close - an element whose length is known only at its end;
 * open gives its place, or SIZE_MAX with errno ENOBUFS. */
size_t tlv_open(struct buf *b, uint16_t tag);
void tlv_close(struct buf *b, size_t place);

int tlv_span(struct buf *b, uint16_t tag, struct span s);

/* tlv_text - for cursor_text; -1 with EINVAL beyond max. */
int tlv_text(struct buf *b, struct span s, size_t max);

#endif
