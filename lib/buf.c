/* lib/buf.c - a growing buffer that never grows past the limit of its birth. */
#include "lib/buf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/mem.h"

#define BUF_MIN 64 /* the first allocation */

void
buf_init(struct buf *b, size_t max)
{
	*b = (struct buf)BUF_INIT(max);
}

void
buf_clear(struct buf *b)
{
	x_free(&b->p);
	b->off = b->len = b->cap = 0;
}

void
buf_wipe(struct buf *b)
{
	if (b->p != NULL)
		explicit_bzero(b->p, b->cap);
	buf_clear(b);
}

void
buf_reset(struct buf *b)
{
	b->off = b->len = 0;
}

char *
buf_reserve(struct buf *b, size_t n)
{
	size_t cap;

	if (n > b->max || b->len > b->max - n) {
		errno = ENOBUFS;
		return NULL;
	}
	if (b->off + b->len + n <= b->cap)
		return b->p + b->off + b->len;
	if (b->off > 0 && b->len + n <= b->cap && b->off >= b->len) {
		/* room enough in front: move only when that is cheap */
		memmove(b->p, b->p + b->off, b->len);
		b->off = 0;
		return b->p + b->len;
	}
	for (cap = b->cap < BUF_MIN ? BUF_MIN : b->cap; cap < b->len + n;)
		cap *= 2;
	if (cap > b->max)
		cap = b->max;
	if (b->off > 0) {
		char *p = xmalloc(cap);

		memcpy(p, b->p + b->off, b->len);
		free(b->p);
		b->p = p;
		b->off = 0;
	} else
		b->p = xreallocarray(b->p, cap, 1);
	b->cap = cap;
	return b->p + b->len;
}

void
buf_grow(struct buf *b, size_t n)
{
	b->len += n;
}

int
buf_add(struct buf *b, const void *p, size_t len)
{
	char *to;

	if (len == 0)
		return 0;
	if ((to = buf_reserve(b, len)) == NULL)
		return -1;
	memcpy(to, p, len);
	b->len += len;
	return 0;
}

int
buf_add_span(struct buf *b, struct span s)
{
	return buf_add(b, s.p, s.len);
}

int
buf_add_str(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

int
buf_add_char(struct buf *b, char c)
{
	return buf_add(b, &c, 1);
}

int
buf_vaddf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	char *to, small[256];
	int n;

	va_copy(again, ap);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	if (n >= 0 && (size_t)n < sizeof(small)) {
		va_end(again);
		return buf_add(b, small, (size_t)n);
	}
	if (n < 0 || (to = buf_reserve(b, (size_t)n + 1)) == NULL) {
		va_end(again);
		errno = ENOBUFS;
		return -1;
	}
	vsnprintf(to, (size_t)n + 1, fmt, again);
	va_end(again);
	b->len += (size_t)n;
	return 0;
}

int
buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int rv;

	va_start(ap, fmt);
	rv = buf_vaddf(b, fmt, ap);
	va_end(ap);
	return rv;
}

void
put_u16(void *p, uint16_t v)
{
	unsigned char *o = p;

	o[0] = (unsigned char)(v & 0xff);
	o[1] = (unsigned char)(v >> 8);
}

void
put_u32(void *p, uint32_t v)
{
	unsigned char *o = p;

	put_u16(o, (uint16_t)(v & 0xffff));
	put_u16(o + 2, (uint16_t)(v >> 16));
}

void
put_u64(void *p, uint64_t v)
{
	unsigned char *o = p;

	put_u32(o, (uint32_t)(v & 0xffffffff));
	put_u32(o + 4, (uint32_t)(v >> 32));
}

uint16_t
get_u16(const void *p)
{
	const unsigned char *i = p;

	return (uint16_t)(i[0] | i[1] << 8);
}

uint32_t
get_u32(const void *p)
{
	const unsigned char *i = p;

	return (uint32_t)get_u16(i) | (uint32_t)get_u16(i + 2) << 16;
}

uint64_t
get_u64(const void *p)
{
	const unsigned char *i = p;

	return (uint64_t)get_u32(i) | (uint64_t)get_u32(i + 4) << 32;
}

int
buf_add_u8(struct buf *b, uint8_t v)
{
	return buf_add(b, &v, 1);
}

int
buf_add_u16(struct buf *b, uint16_t v)
{
	char o[2];

	put_u16(o, v);
	return buf_add(b, o, sizeof(o));
}

int
buf_add_u32(struct buf *b, uint32_t v)
{
	char o[4];

	put_u32(o, v);
	return buf_add(b, o, sizeof(o));
}

int
buf_add_u64(struct buf *b, uint64_t v)
{
	char o[8];

	put_u64(o, v);
	return buf_add(b, o, sizeof(o));
}

void
buf_drop(struct buf *b, size_t n)
{
	if (n >= b->len) {
		buf_reset(b);
		return;
	}
	b->off += n;
	b->len -= n;
}

struct span
buf_span(const struct buf *b)
{
	return b->p == NULL ? span_make("", 0)
	                    : span_make(b->p + b->off, b->len);
}

const char *
buf_str(struct buf *b)
{
	char *end;
	size_t max = b->max;

	b->max = b->len + 1; /* the NUL is not counted */
	end = buf_reserve(b, 1);
	b->max = max;
	*end = '\0';
	return b->p + b->off;
}

int
buf_write_all(const struct buf *b, int fd)
{
	struct span s = buf_span(b);
	ssize_t n;

	while (s.len > 0) {
		if ((n = write(fd, s.p, s.len)) == -1) {
			if (errno == EINTR)
				continue;
			return -1;
		}
		s = span_from(s, (size_t)n);
	}
	return 0;
}
