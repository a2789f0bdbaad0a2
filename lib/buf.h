/* lib/buf.h - octets that we own: a growing buffer with a limit set at birth. */
#ifndef LIB_BUF_H
#define LIB_BUF_H

#include <stdarg.h>
#include <stdint.h>

#include "lib/span.h"

/*
 * What is held lies at p + off, len octets long. Taking from the front moves
 * off; adding may move p. max bounds len, never to be exceeded.
 */
struct buf {
	char *p;
	size_t off, len, cap, max;
};

#define BUF_INIT(limit) { NULL, 0, 0, 0, (limit) }

void buf_init(struct buf *b, size_t max);

/* buf_clear - frees; the buffer is empty and usable again, max unchanged. */
void buf_clear(struct buf *b);

/* buf_wipe - like buf_clear, after overwriting what was held (secrets). */
void buf_wipe(struct buf *b);

/* buf_reset - empties and keeps the memory for what comes next. */
void buf_reset(struct buf *b);

/*
 * The buf_add family: 0, or -1 with errno ENOBUFS when max would be passed;
 * then nothing was added.
 */
int buf_add(struct buf *b, const void *p, size_t len);
int buf_add_span(struct buf *b, struct span s);
int buf_add_str(struct buf *b, const char *s);
int buf_add_char(struct buf *b, char c);
int buf_addf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
int buf_vaddf(struct buf *b, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

/* Little-endian numbers at a fixed width, as on the wire and on disk. */
int buf_add_u8(struct buf *b, uint8_t v);
int buf_add_u16(struct buf *b, uint16_t v);
int buf_add_u32(struct buf *b, uint32_t v);
int buf_add_u64(struct buf *b, uint64_t v);

/*
 * buf_reserve - room for n octets behind what is held, not yet part of it.
 * Returns the place, or NULL with errno ENOBUFS. buf_grow(n) makes n of them
 * part of the buffer once they are written.
 */
char *buf_reserve(struct buf *b, size_t n);
void buf_grow(struct buf *b, size_t n);

/* buf_drop - takes n octets (at most all) from the front. */
void buf_drop(struct buf *b, size_t n);

/* buf_span - what is held, borrowed until the buffer is next changed. */
struct span buf_span(const struct buf *b);

/* buf_str - what is held as a C string (a NUL behind it, not counted). */
const char *buf_str(struct buf *b);

/* buf_write_all - all to fd, short writes continued; -1 with errno. */
int buf_write_all(const struct buf *b, int fd);

/* Reads of little-endian numbers; the caller knows that the octets exist. */
uint16_t get_u16(const void *p);
uint32_t get_u32(const void *p);
uint64_t get_u64(const void *p);
void put_u16(void *p, uint16_t v);
void put_u32(void *p, uint32_t v);
void put_u64(void *p, uint64_t v);

#endif
