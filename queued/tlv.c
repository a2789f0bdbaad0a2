/* queued/tlv.c - the little reader and writer under all payloads. */
#include "queued/tlv.h"

#include <errno.h>

struct cursor
cursor_make(struct span s)
{
	return (struct cursor){ s.p, s.len, false };
}

struct span
cursor_take(struct cursor *c, size_t n)
{
	struct span s = { c->p, n };

	if (c->bad || c->len < n) {
		c->bad = true;
		c->len = 0;
		return span_make("", 0);
	}
	c->p += n;
	c->len -= n;
	return s;
}

uint8_t
cursor_u8(struct cursor *c)
{
	struct span s = cursor_take(c, 1);

	return s.len == 0 ? 0 : (uint8_t)s.p[0];
}

uint16_t
cursor_u16(struct cursor *c)
{
	struct span s = cursor_take(c, 2);

	return s.len == 0 ? 0 : get_u16(s.p);
}

uint32_t
cursor_u32(struct cursor *c)
{
	struct span s = cursor_take(c, 4);

	return s.len == 0 ? 0 : get_u32(s.p);
}

uint64_t
cursor_u64(struct cursor *c)
{
	struct span s = cursor_take(c, 8);

	return s.len == 0 ? 0 : get_u64(s.p);
}

struct span
cursor_text(struct cursor *c)
{
	return cursor_take(c, cursor_u16(c));
}

bool
cursor_tlv(struct cursor *c, uint16_t *tag, struct cursor *value)
{
	uint32_t len;

	if (c->bad || c->len == 0)
		return false;
	*tag = cursor_u16(c);
	len = cursor_u32(c);
	*value = cursor_make(cursor_take(c, len));
	return !c->bad;
}

int
tlv_head(struct buf *b, uint16_t tag, uint32_t len)
{
	return buf_add_u16(b, tag) == -1 || buf_add_u32(b, len) == -1 ? -1 : 0;
}

size_t
tlv_open(struct buf *b, uint16_t tag)
{
	return tlv_head(b, tag, 0) == -1 ? SIZE_MAX : b->len;
}

void
tlv_close(struct buf *b, size_t place)
{
	put_u32(b->p + b->off + place - 4, (uint32_t)(b->len - place));
}

int
tlv_span(struct buf *b, uint16_t tag, struct span s)
{
	return tlv_head(b, tag, (uint32_t)s.len) == -1 ? -1 :
	    buf_add_span(b, s);
}

int
tlv_text(struct buf *b, struct span s, size_t max)
{
	if (s.len > max || s.len > UINT16_MAX) {
		errno = EINVAL;
		return -1;
	}
	return buf_add_u16(b, (uint16_t)s.len) == -1 ? -1 : buf_add_span(b, s);
}
