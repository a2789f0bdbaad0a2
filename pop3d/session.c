/*
 * pop3d/session.c - one logged-in client: its stream, its table of letters, its
 * end. What each command does is in verb.c.
 */
#include "pop3d/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/mem.h"

/* Pieces of 256 KiB, doubled by line ends and again by dots. */
#define OUT_MAX  ((size_t)4 << 20)
#define TEXT_MAX ((size_t)1 << 20)

/* Waits for the stream; -1 when it takes too long. */
static int
wait_for(struct pop_session *s, short what)
{
	struct pollfd p = { .fd = s->fd, .events = what };
	int n;

	do
		n = poll(&p, 1, s->idle_ms);
	while (n == -1 && errno == EINTR);
	return n == 1 ? 0 : -1;
}

int
session_flush(struct pop_session *s)
{
	ssize_t n;

	while (s->out.len > 0 && !s->broken) {
		n = write(s->fd, buf_span(&s->out).p, s->out.len);
		if (n > 0) {
			buf_drop(&s->out, (size_t)n);
			continue;
		}
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == EAGAIN && wait_for(s, POLLOUT) == 0)
			continue;
		s->over = s->broken = true;
	}
	/* A client that reads on must not take what it has for all. */
	if (s->broken)
		buf_reset(&s->out);
	return s->broken ? -1 : 0;
}

/* More input, after all answers have left. 0 or -1: the end. */
static int
read_more(struct pop_session *s)
{
	ssize_t n;

	memmove(s->in, s->in + s->in_begin, s->in_end - s->in_begin);
	s->in_end -= s->in_begin;
	s->in_begin = 0;
	for (;;) {
		n = read(s->fd, s->in + s->in_end, sizeof(s->in) - s->in_end);
		if (n > 0) {
			s->in_end += (size_t)n;
			return 0;
		}
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno != EAGAIN)
			return -1;
		/* Before we wait, and before we go, all answers leave. */
		if (session_flush(s) == -1 || n == 0 ||
		    wait_for(s, POLLIN) == -1)
			return -1;
	}
}

static void
line_run(struct pop_session *s, struct span line)
{
	/* People type through programs that send a bare LF: it ends a line. */
	if (line.len > 0 && line.p[line.len - 1] == '\r')
		line.len--;
	verb_run(s, line);
	if (s->out.len >= SESSION_OUT_OCTETS)
		session_flush(s);
}

/* Lines until the end of the stream or of the session. */
static void
lines_run(struct pop_session *s)
{
	bool skipping = false;
	const char *nl;
	size_t len;

	while (!s->over) {
		struct span in = span_make(s->in + s->in_begin,
		    s->in_end - s->in_begin);

		nl = in.len > 0 ? memchr(in.p, '\n', in.len) : NULL;
		len = nl != NULL ? (size_t)(nl - in.p) : in.len;
		if (nl == NULL && !skipping && len < POP3_LINE_OCTETS) {
			if (read_more(s) == -1)
				return;
			continue;
		}
		s->in_begin += len + (nl != NULL ? 1 : 0);
		if (nl == NULL) { /* the rest of a line that is too long */
			skipping = true;
			if (read_more(s) == -1)
				return;
		} else if (skipping || len >= POP3_LINE_OCTETS) {
			skipping = false;
			verb_run(s, span_make("", 0));
		} else
			line_run(s, span_make(in.p, len));
	}
}

static void
letters_list(struct pop_session *s)
{
	struct store_info info;
	uint32_t i;

	s->n = s->n_left = store_count(s->store);
	s->letters = xcalloc((size_t)s->n + 1, sizeof(*s->letters));
	for (i = 0; i < s->n && store_get(s->store, i, &info) == 0; i++) {
		s->letters[i].uid = info.uid;
		s->letters[i].octets = info.octets;
		s->octets_left += info.octets;
	}
}

int
session_run(int fd, struct store *store, int idle_s)
{
	struct pop_session *s = xcalloc(1, sizeof(*s));
	int flags = fcntl(fd, F_GETFL), rv;

	s->fd = fd;
	s->store = store;
	s->idle_ms = idle_s * 1000;
	buf_init(&s->out, OUT_MAX);
	buf_init(&s->text, TEXT_MAX);
	if (flags != -1)
		fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	letters_list(s);
	buf_addf(&s->out, "+OK %u messages (%llu octets)\r\n", s->n,
	    (unsigned long long)s->octets_left);
	lines_run(s);
	rv = s->over && session_flush(s) == 0 ? 0 : -1;
	buf_clear(&s->out);
	buf_clear(&s->text);
	x_free(&s->letters);
	mem_free(s);
	return rv;
}

void
session_refuse(int fd, const char *text)
{
	char line[256];
	int n = snprintf(line, sizeof(line), "-ERR %s\r\n", text);

	/* Short and first: it fits into the socket, or nobody is there. */
	if (n > 0 && write(fd, line, (size_t)n) == -1)
		return;
}
