/*
 * lib/net/conn.c - one connection's octets: in as lines or blocks, out in one
 * write an answer. Knows no protocol; the limits are those of its owner.
 */
#include "lib/net/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/mem.h"
#include "lib/net/layer.h"

#define SCRATCH   65536
#define OUT_LIMIT (16u * 1024 * 1024) /* owners stop far below: conn_unsent() */

/* One for all connections: what is not used at once is copied to its owner. */
static char scratch[SCRATCH];

static void on_pump(void *arg);
static void on_ready(void *arg, unsigned what);
static void on_timeout(void *arg);
static void handshake_run(struct conn *c);
static void linger(struct conn *c);

static void
conn_setup(struct conn *c, struct loop *loop, int fd,
    const struct conn_ops *ops, void *arg, size_t line_max)
{
	*c = (struct conn){ .loop = loop, .fd = fd, .ops = ops, .arg = arg };
	c->line_max = line_max;
	c->out_max = CONN_OUT_PAUSE;
	buf_init(&c->in, SCRATCH * 2);
	buf_init(&c->out, OUT_LIMIT);
	defer_init(&c->pump, on_pump, c);
	watch_init(&c->watch, loop, fd, on_ready, c);
	timer_init(&c->timer, loop, on_timeout, c);
}

/* Is a handshake under way, so that nothing of the owner passes? */
static bool
is_busy(const struct conn *c)
{
	return c->layer != NULL && c->layer->busy;
}

/* What a layer needs of the socket beyond what the connection itself does. */
static unsigned
layer_wants(const struct conn *c)
{
	const struct layer *l = c->layer;

	if (l == NULL)
		return 0;
	if (l->busy && !l->begun) /* soon over, unless our answer is stuck */
		return c->blocked ? 0 : c->watch.what & LOOP_READ;
	if (l->busy)
		return l->read_wants_write ? LOOP_WRITE : LOOP_READ;
	return (l->read_wants_write ? LOOP_WRITE : 0) |
	    (l->write_wants_read ? LOOP_READ : 0);
}

/* What the descriptor is watched for follows from the state, in one place. */
static void
watch_update(struct conn *c)
{
	unsigned want = 0;

	if (c->closed || c->dead || c->lingering)
		return;
	want = layer_wants(c);
	if (c->connecting || c->blocked)
		want |= LOOP_WRITE;
	/* A pause is mostly over before anything comes: what is watched stays
	 * so until then, which saves two system calls a letter. */
	if (!c->connecting && !c->eof && !c->closing && !is_busy(c) &&
	    c->out.len <= c->out_max &&
	    (!c->paused || (c->watch.what & LOOP_READ) != 0))
		want |= LOOP_READ;
	watch_set(&c->watch, want);
}

void
conn_open(struct conn *c, struct loop *loop, int fd,
    const struct conn_ops *ops, void *arg, size_t line_max)
{
	conn_setup(c, loop, fd, ops, arg, line_max);
	watch_update(c);
}

int
conn_connect(struct conn *c, struct loop *loop, const struct sockaddr *addr,
    socklen_t len, const struct sockaddr *source, socklen_t source_len,
    const struct conn_ops *ops, void *arg, size_t line_max)
{
	int fd, one = 1, error;

	fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0);
	if (fd == -1)
		return -1;
	if (addr->sa_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if ((source != NULL && bind(fd, source, source_len) == -1) ||
	    (connect(fd, addr, len) == -1 && errno != EINPROGRESS)) {
		error = errno;
		close(fd);
		errno = error;
		return -1;
	}
	conn_setup(c, loop, fd, ops, arg, line_max);
	c->connecting = true;
	watch_update(c);
	return 0;
}

bool
conn_is_open(const struct conn *c)
{
	return c->ops != NULL && !c->closed;
}

void
conn_close(struct conn *c)
{
	if (!conn_is_open(c))
		return;
	c->closed = true;
	watch_clear(&c->watch);
	timer_stop(&c->timer);
	loop_undefer(c->loop, &c->pump);
	if (c->layer != NULL && c->out.len == 0 && !c->lingering)
		c->layer->ops->goodbye(c->layer);
	if (c->layer != NULL)
		c->layer->ops->free(c->layer);
	c->layer = NULL;
	close(c->fd);
	c->fd = -1;
	buf_wipe(&c->in); /* perhaps half a password */
	buf_clear(&c->out);
}

/* The end, told once; the owner closes. */
static void
conn_ended(struct conn *c, enum conn_end how)
{
	if (c->closed || c->dead)
		return;
	if (how == CONN_ERROR || how == CONN_TLS || c->closing)
		c->dead = true;
	else if (c->told)
		return;
	else
		c->eof = c->told = true; /* a last word can still be said */
	watch_set(&c->watch, 0);
	timer_stop(&c->timer);
	c->ops->ended(c->arg, how);
}

static void
on_timeout(void *arg)
{
	struct conn *c = arg;

	if (c->closing && !c->lingering && c->out.len == 0) {
		linger(c);
		return;
	}
	errno = ETIMEDOUT;
	conn_ended(c, c->closing ? CONN_EOF : CONN_TIMEOUT);
}

void
conn_deadline_s(struct conn *c, int64_t seconds)
{
	if (!conn_is_open(c))
		return;
	if (seconds == 0)
		timer_stop(&c->timer);
	else
		timer_set_ms(&c->timer, seconds * 1000);
}

void
conn_lines(struct conn *c, size_t line_max)
{
	c->octets = false;
	c->line_max = line_max;
}

void
conn_octets(struct conn *c)
{
	c->octets = true;
}

void
conn_pause(struct conn *c)
{
	c->paused = true;
	if (!c->in_pump)
		watch_update(c);
}

void
conn_resume(struct conn *c)
{
	if (!c->paused || c->closed)
		return;
	c->paused = false;
	if (c->in.len > 0 || c->eof)
		loop_defer(c->loop, &c->pump);
	if (!c->in_pump)
		watch_update(c);
}

bool
conn_input_empty(const struct conn *c)
{
	return c->in.len == 0 && c->ahead == 0 && !c->skipping;
}

/* Is the owner ready for more input just now? */
static bool
wants_input(const struct conn *c)
{
	return !c->closed && !c->paused && !c->closing && !c->dead &&
	    !is_busy(c) && c->out.len <= c->out_max;
}

/* Hands on one line. Returns the octets used, 0 when it is not yet whole. */
static size_t
line_run(struct conn *c, struct span data)
{
	ssize_t at = span_find(data, '\n');
	struct span line;
	bool was_long = c->skipping;

	if (at == -1) {
		if (data.len < c->line_max)
			return 0;
		c->skipping = true; /* the limit holds also without an end */
		return data.len;
	}
	line = span_make(data.p, (size_t)at);
	c->ahead = data.len - (size_t)at - 1;
	c->skipping = false;
	if (was_long || line.len + 1 > c->line_max) {
		c->ops->line_long(c->arg);
		return (size_t)at + 1;
	}
	if (line.len > 0 && line.p[line.len - 1] == '\r') {
		line.len--;
		c->ops->line(c->arg, line, EOL_CRLF);
	} else
		c->ops->line(c->arg, line, EOL_LF);
	return (size_t)at + 1;
}

/* Hands on what the owner will take of data; returns the octets used. */
static size_t
input_run(struct conn *c, struct span data)
{
	size_t used = 0, n;

	while (used < data.len && wants_input(c)) {
		struct span rest = span_from(data, used);
		bool octets = c->octets;

		if (c->octets)
			n = c->ops->octets(c->arg, rest);
		else if (c->skipping && span_find(rest, '\n') == -1)
			n = rest.len;
		else
			n = line_run(c, rest);
		used += n;
		if (n == 0 && octets == c->octets)
			break; /* more is needed; else: as the other kind */
	}
	return used;
}

/* Input that was kept while the owner paused, then the end if it came. */
static void
kept_run(struct conn *c)
{
	struct buf kept = c->in;
	size_t used;

	if (kept.len > 0) {
		/* the buffer is ours while handlers run: they may close */
		buf_init(&c->in, SCRATCH * 2);
		used = input_run(c, buf_span(&kept));
		if (c->closed) {
			buf_wipe(&kept);
			return;
		}
		buf_drop(&kept, used);
		if (kept.len == 0)
			buf_wipe(&kept);
		c->in = kept;
	}
}

static void
on_pump(void *arg)
{
	struct conn *c = arg;

	c->in_pump = true;
	kept_run(c);
	c->in_pump = false;
	conn_flush_soon(c);
	handshake_run(c);
	if (c->closed || c->dead)
		return;
	/* a peer that closed its side still gets the answers it waits for */
	if (c->eof && !c->paused && !c->closing && c->out.len == 0)
		conn_ended(c, CONN_EOF);
	else
		watch_update(c);
}

/* New octets behind those kept; the scratch is used where nothing is kept. */
static bool
read_once(struct conn *c)
{
	bool kept = c->in.len > 0;
	size_t size = kept ? SCRATCH : sizeof(scratch), used;
	char *to = kept ? buf_reserve(&c->in, size) : scratch;
	ssize_t n;

	if (to == NULL)
		return false; /* enough is kept: first let that be used */
	if (c->layer != NULL)
		n = c->layer->ops->read(c->layer, to, size);
	else
		do
			n = read(c->fd, to, size);
		while (n == -1 && errno == EINTR);
	if (n == -1 && errno == EAGAIN)
		return false;
	if (n == -1) {
		conn_ended(c, CONN_ERROR);
		return false;
	}
	if (n == 0) {
		c->eof = true;
		loop_defer(c->loop, &c->pump);
		return false;
	}
	c->heard = true;
	if (kept) {
		buf_grow(&c->in, (size_t)n);
		kept_run(c);
	} else {
		used = input_run(c, span_make(scratch, (size_t)n));
		if (!c->closed)
			buf_add(&c->in, scratch + used, (size_t)n - used);
	}
	return !c->closed && (size_t)n >= (c->layer == NULL ? size :
	    LAYER_READ_MAX);
}

/* As send(2). Before a handshake begins all passes in clear; while it is under
 * way nothing does. */
static ssize_t
send_some(struct conn *c, struct span s)
{
	struct layer *l = c->layer;
	ssize_t n;

	if (l != NULL && l->begun)
		return l->ops->write(l, s);
	do
		n = send(c->fd, s.p, s.len, MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	return n;
}

/* Everything is said: the peer reads it, closes, and so do we. */
static void
linger(struct conn *c)
{
	if (c->layer != NULL)
		c->layer->ops->goodbye(c->layer);
	/* whoever has said nothing was refused at the door, where one that does
	 * not go would take another's place */
	if (c->eof || !c->heard || shutdown(c->fd, SHUT_WR) == -1) {
		conn_ended(c, CONN_EOF);
		return;
	}
	c->lingering = true;
	c->ahead = 0;
	watch_set(&c->watch, LOOP_READ);
	timer_set_ms(&c->timer, CONN_LINGER_MS);
}

/* What still comes is nobody's. */
static void
linger_read(struct conn *c)
{
	ssize_t n;

	do {
		n = read(c->fd, scratch, sizeof(scratch));
		c->ahead += n > 0 ? (size_t)n : 0;
	} while ((n > 0 && c->ahead < CONN_LINGER_OCTETS) ||
	    (n == -1 && errno == EINTR));
	if (n >= 0 || errno != EAGAIN)
		conn_ended(c, CONN_EOF);
}

static void
write_some(struct conn *c)
{
	struct span s = buf_span(&c->out);
	ssize_t n;

	if (is_busy(c) && s.len > c->layer->clear)
		s.len = c->layer->clear; /* the rest leaves encrypted */
	if (c->closed || c->connecting || s.len == 0)
		return;
	n = send_some(c, s);
	if (n == -1 && errno != EAGAIN) {
		conn_ended(c, CONN_ERROR);
		return;
	}
	if (n > 0)
		buf_drop(&c->out, (size_t)n);
	if (n > 0 && is_busy(c))
		c->layer->clear -= (size_t)n;
	c->blocked = is_busy(c) ? c->layer->clear > 0 : c->out.len > 0 &&
	    (c->layer == NULL || !c->layer->write_wants_read);
	/* input that had to wait for room in the output */
	if ((c->in.len > 0 || c->eof) && wants_input(c))
		loop_defer(c->loop, &c->pump);
	if (c->out.len > 0)
		return;
	buf_clear(&c->out); /* an idle connection owns no buffer */
	if (c->closing)
		linger(c);
	else if (c->ops->drained != NULL)
		c->ops->drained(c->arg);
}

/* The handshake goes on, once what was said in clear has left. */
static void
handshake_run(struct conn *c)
{
	struct layer *l = c->layer;

	if (c->closed || c->dead || !is_busy(c) || c->connecting ||
	    (!l->begun && (l->clear > 0 || c->closing)))
		return;
	l->begun = true;
	switch (l->ops->handshake(l)) {
	case LAYER_GOES_ON:
		watch_update(c);
		return;
	case LAYER_FAILED:
		conn_ended(c, CONN_TLS);
		return;
	case LAYER_DONE:
		break;
	}
	l->busy = false;
	if (c->ops->secured != NULL)
		c->ops->secured(c->arg);
	if (!c->closed && c->out.len > 0)
		loop_defer(c->loop, &c->pump);
	watch_update(c);
}

void
layer_push(struct conn *c, struct layer *l)
{
	c->layer = l;
	l->clear = c->out.len;
	c->held = false;
	loop_defer(c->loop, &c->pump);
}

void
layer_kick(struct conn *c)
{
	c->layer->begun = true;
	c->layer->clear = 0;
	loop_defer(c->loop, &c->pump);
}

static void
connect_done(struct conn *c)
{
	int error = 0;
	socklen_t len = sizeof(error);

	c->connecting = false;
	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		error = errno;
	if (error != 0) {
		errno = error;
		conn_ended(c, CONN_ERROR);
		return;
	}
	if (c->out.len > 0)
		loop_defer(c->loop, &c->pump);
	if (c->ops->connected != NULL)
		c->ops->connected(c->arg);
}

/* What it waited for the other way round may be possible now. */
static unsigned
layer_ready(const struct layer *l, unsigned what)
{
	unsigned also = 0;

	if ((what & LOOP_WRITE) && l->read_wants_write)
		also |= LOOP_READ;
	if ((what & LOOP_READ) && l->write_wants_read)
		also |= LOOP_WRITE;
	return what | also;
}

static void
on_ready(void *arg, unsigned what)
{
	struct conn *c = arg;
	int i;

	if (c->lingering) {
		linger_read(c);
		return;
	}
	if (is_busy(c) && c->layer->begun) {
		handshake_run(c);
		return;
	}
	if (c->layer != NULL)
		what = layer_ready(c->layer, what);
	if ((what & LOOP_WRITE) && c->connecting)
		connect_done(c);
	else if (what & LOOP_WRITE)
		write_some(c);
	handshake_run(c);
	if (c->closed || c->dead)
		return;
	if ((what & LOOP_READ) && c->paused)
		watch_set(&c->watch, c->watch.what & ~(unsigned)LOOP_READ);
	else if (what & LOOP_READ) {
		c->in_pump = true;
		for (i = 0; i < 4 && wants_input(c) && !c->eof; i++)
			if (!read_once(c))
				break;
		c->in_pump = false;
	}
	if (!c->closed)
		watch_update(c);
}

/* Output leaves with the deferred calls of the round; one write an answer. */
void
conn_flush_soon(struct conn *c)
{
	if (c->closed || c->dead || c->out.len == 0 ||
	    (c->held && !c->closing))
		return;
	if (c->in_pump) {
		loop_defer(c->loop, &c->pump);
		return;
	}
	write_some(c);
	if (!c->closed)
		watch_update(c);
}

void
conn_hold(struct conn *c, bool hold)
{
	c->held = hold;
	if (!hold && c->out.len > 0 && !c->closed)
		loop_defer(c->loop, &c->pump);
}

struct buf *
conn_out(struct conn *c)
{
	return &c->out;
}

size_t
conn_unsent(const struct conn *c)
{
	return c->out.len;
}

int
conn_write(struct conn *c, struct span s)
{
	if (c->closed || c->dead || c->lingering ||
	    buf_add_span(&c->out, s) == -1)
		return -1;
	loop_defer(c->loop, &c->pump);
	return 0;
}

int
conn_writef(struct conn *c, const char *fmt, ...)
{
	va_list ap;
	int rv;

	if (c->closed || c->dead || c->lingering)
		return -1;
	va_start(ap, fmt);
	rv = buf_vaddf(&c->out, fmt, ap);
	va_end(ap);
	loop_defer(c->loop, &c->pump);
	return rv;
}

void
conn_finish(struct conn *c, int64_t seconds)
{
	if (c->closed)
		return;
	c->closing = true;
	conn_deadline_s(c, seconds);
	if (is_busy(c))
		c->out.len = c->layer->clear; /* nobody could read the rest */
	if (c->out.len == 0)
		timer_set_ms(&c->timer, 0); /* from the loop */
	else
		loop_defer(c->loop, &c->pump);
}
