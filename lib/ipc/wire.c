/* lib/ipc/wire.c - sticky reading and writing of message bodies. */
#include "lib/ipc/wire.h"

#include <unistd.h>

int
ipc_take_fd(struct ipc_msg *m)
{
	int fd = m->fd;

	m->fd = -1;
	return fd;
}

struct ipc_reader
ipc_reader_span(struct span body)
{
	return (struct ipc_reader){ body, false };
}

struct ipc_reader
ipc_reader(const struct ipc_msg *m)
{
	return ipc_reader_span(m->body);
}

/* n octets from the front, or NULL for ever after. */
static const char *
take(struct ipc_reader *r, size_t n)
{
	const char *p = r->rest.p;

	if (r->bad || r->rest.len < n) {
		r->bad = true;
		return NULL;
	}
	r->rest = span_from(r->rest, n);
	return p;
}

uint8_t
ipc_get_u8(struct ipc_reader *r)
{
	const char *p = take(r, 1);

	return p == NULL ? 0 : (uint8_t)*p;
}

uint16_t
ipc_get_u16(struct ipc_reader *r)
{
	const char *p = take(r, 2);

	return p == NULL ? 0 : get_u16(p);
}

uint32_t
ipc_get_u32(struct ipc_reader *r)
{
	const char *p = take(r, 4);

	return p == NULL ? 0 : get_u32(p);
}

uint64_t
ipc_get_u64(struct ipc_reader *r)
{
	const char *p = take(r, 8);

	return p == NULL ? 0 : get_u64(p);
}

struct span
ipc_get_octets(struct ipc_reader *r, size_t n)
{
	const char *p = take(r, n);

	return p == NULL ? span_make("", 0) : span_make(p, n);
}

struct span
ipc_get_span(struct ipc_reader *r, size_t max)
{
	uint32_t n = ipc_get_u32(r);

	if (n > max)
		r->bad = true;
	return ipc_get_octets(r, n);
}

struct span
ipc_get_rest(struct ipc_reader *r)
{
	return ipc_get_octets(r, r->rest.len);
}

bool
ipc_ok(const struct ipc_reader *r)
{
	return !r->bad;
}

bool
ipc_at_end(const struct ipc_reader *r)
{
	return !r->bad && r->rest.len == 0;
}

static void
put(struct ipc_writer *w, const void *p, size_t n)
{
	if (!w->bad && buf_add(w->b, p, n) == -1)
		w->bad = true;
}

void
ipc_put_u8(struct ipc_writer *w, uint8_t v)
{
	put(w, &v, 1);
}

void
ipc_put_u16(struct ipc_writer *w, uint16_t v)
{
	char o[2];

	put_u16(o, v);
	put(w, o, sizeof(o));
}

void
ipc_put_u32(struct ipc_writer *w, uint32_t v)
{
	char o[4];

	put_u32(o, v);
	put(w, o, sizeof(o));
}

void
ipc_put_u64(struct ipc_writer *w, uint64_t v)
{
	char o[8];

	put_u64(o, v);
	put(w, o, sizeof(o));
}

void
ipc_put_span(struct ipc_writer *w, struct span s)
{
	if (s.len > IPC_BODY_MAX)
		w->bad = true;
	ipc_put_u32(w, (uint32_t)s.len);
	put(w, s.p, s.len);
}

void
ipc_put_str(struct ipc_writer *w, const char *s)
{
	ipc_put_span(w, span_str(s));
}

void
ipc_put_octets(struct ipc_writer *w, struct span s)
{
	put(w, s.p, s.len);
}

void
ipc_put_fd(struct ipc_writer *w, int fd)
{
	if (w->fd != -1)
		close(w->fd);
	w->fd = fd;
}
