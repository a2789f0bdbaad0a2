/*
 * lib/ipc/channel.c - frames in and out of one socket. Runs in every program; a
 * peer's fault costs that peer its channel and nothing else.
 */
#include "lib/ipc/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/ipc/credit.h"
#include "lib/ipc/request.h"
#include "lib/log.h"
#include "lib/mem.h"

#define FLAG_FD     1
#define READS_MAX   8    /* per event, so that one peer cannot starve others */
#define FDS_MAX     16   /* descriptors that may arrive ahead of their frames */
#define FDS_A_READ  8

/* Reads land here and frames are handled in place: one thread has the loop. */
static char scratch[IPC_FRAME_MAX];

static void on_flush(void *arg);
static void on_ready(void *arg, unsigned what);

/* Exactly the types that this peer may send us and that are no replies. */
static void
handlers_check(enum role self, enum role peer, const struct ipc_handler *h)
{
	bool has[IPC_TYPE_MAX] = { false };
	unsigned t;

	for (; h != NULL && h->type != IPC_NONE; h++) {
		if (h->type >= IPC_TYPE_MAX || has[h->type])
			fatalx("handlers: %s twice", ipc_type_name(h->type));
		has[h->type] = true;
	}
	for (t = IPC_NONE + 1; t < IPC_TYPE_MAX; t++) {
		const struct ipc_rule *r = ipc_rule(t);
		bool may = !r->reply && t != IPC_CREDITS &&
		    ipc_admit(t, peer, self, r->min, r->fd);

		if (may != has[t])
			fatalx("%s %s a handler for %s from %s",
			    role_name(self), may ? "lacks" : "must not have",
			    ipc_type_name(t), role_name(peer));
	}
}

void
channel_init(struct channel *ch, struct loop *loop, enum role self,
    enum role peer, const struct ipc_handler *handlers, void *arg)
{
	handlers_check(self, peer, handlers);
	*ch = (struct channel){ 0 };
	ch->loop = loop;
	ch->self = self;
	ch->peer = peer;
	ch->handlers = handlers;
	ch->arg = arg;
	ch->fd = -1;
	buf_init(&ch->in, 2 * IPC_FRAME_MAX);
	buf_init(&ch->out, CHANNEL_OUT_MAX);
	buf_init(&ch->held, CHANNEL_OUT_MAX);
	defer_init(&ch->flush, on_flush, ch);
	request_init(ch);
}

bool
channel_is_open(const struct channel *ch)
{
	return ch->fd != -1 && !ch->lost;
}

void
channel_open(struct channel *ch, int fd)
{
	channel_close(ch);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	ch->fd = fd;
	ch->lost = false;
	ch->sent = 0;
	watch_init(&ch->watch, ch->loop, fd, on_ready, ch);
	watch_set(&ch->watch, LOOP_READ);
	credit_open(ch);
}

static void
fds_clear(struct channel *ch)
{
	size_t i;

	for (i = 0; i < ch->fds_in.n; i++)
		close(ch->fds_in.fds[i]);
	for (i = 0; i < ch->fds_out.n; i++)
		close(ch->fds_out.list[i].fd);
	ch->fds_in.n = ch->fds_out.n = 0;
	x_free(&ch->fds_in.fds);
	x_free(&ch->fds_out.list);
}

void
channel_close(struct channel *ch)
{
	if (ch->fd != -1) {
		watch_clear(&ch->watch);
		close(ch->fd);
		ch->fd = -1;
	}
	ch->lost = ch->writing = false;
	loop_undefer(ch->loop, &ch->flush);
	fds_clear(ch);
	buf_clear(&ch->in);
	buf_clear(&ch->out);
	credit_close(ch);
	request_close(ch);
}

void
channel_abandon(struct channel *ch)
{
	request_abandon(ch);
	channel_close(ch);
}

/* The end of a channel is told from the loop, never from within a call. */
static void
channel_fail(struct channel *ch)
{
	if (ch->lost || ch->fd == -1)
		return;
	ch->lost = true;
	watch_set(&ch->watch, 0);
	loop_defer(ch->loop, &ch->flush);
}

static void
channel_misbehaved(struct channel *ch, const char *what, unsigned type)
{
	struct event_out e;

	event_begin(&e, EV_PEER_MISBEHAVED, 0, 0);
	event_str(&e, KEY_ROLE, role_name(ch->peer));
	event_str(&e, KEY_VERB, ipc_type_name(type));
	event_str(&e, KEY_TEXT, what);
	event_send(&e);
	channel_fail(ch);
}

static int
fds_take(struct channel *ch)
{
	int fd;

	if (ch->fds_in.n == 0)
		return -1;
	fd = ch->fds_in.fds[0];
	ch->fds_in.n--;
	memmove(ch->fds_in.fds, ch->fds_in.fds + 1,
	    ch->fds_in.n * sizeof(fd));
	return fd;
}

static int
handler_run(struct channel *ch, struct ipc_msg *m)
{
	const struct ipc_handler *h;

	if (ipc_rule(m->type)->reply)
		return request_answer(ch, m);
	if (m->type == IPC_CREDITS)
		return credit_granted(ch, m);
	if (credit_asked(ch, m) == -1)
		return -1;
	for (h = ch->handlers; h != NULL && h->type != IPC_NONE; h++)
		if (h->type == m->type)
			return h->fn(ch->arg, m);
	return -1;
}

/* One whole frame. Returns 0, or -1: the channel is over. */
static int
frame_run(struct channel *ch, const char *p, size_t len)
{
	struct ipc_msg m;
	unsigned flags = get_u16(p + 6);
	bool fd = (flags & FLAG_FD) != 0;
	int rv;

	m.ch = ch;
	m.type = get_u16(p + 4);
	m.request = get_u32(p + 8);
	m.session = get_u32(p + 12);
	m.body = span_make(p + IPC_HEAD, len - IPC_HEAD);
	m.fd = -1;
	if ((flags & ~(unsigned)FLAG_FD) != 0 ||
	    !ipc_admit(m.type, ch->peer, ch->self, m.body.len, fd) ||
	    (fd && (m.fd = fds_take(ch)) == -1)) {
		channel_misbehaved(ch, "not in the contract", m.type);
		return -1;
	}
	ch->in_handler = true;
	rv = handler_run(ch, &m);
	ch->in_handler = false;
	if (m.fd != -1)
		close(m.fd);
	if (rv == -1)
		channel_misbehaved(ch, "body not as agreed", m.type);
	return rv == -1 || !channel_is_open(ch) ? -1 : 0;
}

/* Whole frames of data; returns the octets used, or -1. */
static ssize_t
frames_run(struct channel *ch, struct span data)
{
	size_t used = 0;

	while (data.len - used >= IPC_HEAD) {
		uint32_t len = get_u32(data.p + used);

		if (len < IPC_HEAD || len > IPC_FRAME_MAX) {
			channel_misbehaved(ch, "frame length", IPC_NONE);
			return -1;
		}
		if (data.len - used < len)
			break;
		if (frame_run(ch, data.p + used, len) == -1)
			return -1;
		used += len;
	}
	return (ssize_t)used;
}

static int
fds_received(struct channel *ch, struct msghdr *mh)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(mh); c != NULL; c = CMSG_NXTHDR(mh, c)) {
		size_t n, i;
		int fds[FDS_A_READ];

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(c), n * sizeof(int));
		ch->fds_in.fds = xreallocarray(ch->fds_in.fds,
		    ch->fds_in.n + n, sizeof(int));
		for (i = 0; i < n; i++)
			ch->fds_in.fds[ch->fds_in.n++] = fds[i];
	}
	return ch->fds_in.n > FDS_MAX || (mh->msg_flags & MSG_CTRUNC) ? -1 : 0;
}

/* Reads once: octets, 0 at the end or when nothing is there, -1 = failed. */
static ssize_t
read_once(struct channel *ch, char *to, size_t size)
{
	char control[CMSG_SPACE(FDS_A_READ * sizeof(int))];
	struct iovec iov = { to, size };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control) };
	ssize_t n;

	do
		n = recvmsg(ch->fd, &mh, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return errno == EAGAIN ? 0 : -1;
	if (fds_received(ch, &mh) == -1) {
		channel_misbehaved(ch, "too many descriptors", IPC_NONE);
		return -1;
	}
	return n == 0 ? -1 : n;
}

/* One read and what is whole in it: true when there may be more. */
static bool
pump(struct channel *ch)
{
	bool kept = ch->in.len > 0;
	size_t size = kept ? 2 * IPC_FRAME_MAX - ch->in.len : sizeof(scratch);
	char *to = kept ? buf_reserve(&ch->in, size) : scratch;
	struct span data;
	ssize_t n, used;

	if ((n = read_once(ch, to, size)) <= 0) {
		if (n == -1)
			channel_fail(ch);
		return false;
	}
	if (kept)
		buf_grow(&ch->in, (size_t)n);
	data = kept ? buf_span(&ch->in) : span_make(scratch, (size_t)n);
	if ((used = frames_run(ch, data)) == -1)
		return false;
	if (kept)
		buf_drop(&ch->in, (size_t)used);
	else
		buf_add_span(&ch->in, span_from(data, (size_t)used));
	if (ch->in.len == 0)
		buf_clear(&ch->in); /* an idle channel owns no memory */
	return (size_t)n == size;
}

static void
on_ready(void *arg, unsigned what)
{
	struct channel *ch = arg;
	int i;

	if (what & LOOP_WRITE) {
		ch->writing = false;
		watch_set(&ch->watch, LOOP_READ);
		channel_flush(ch);
	}
	if (what & LOOP_READ)
		for (i = 0; i < READS_MAX && channel_is_open(ch); i++)
			if (!pump(ch))
				break;
}

/* One sendmsg: up to the next frame that carries a descriptor. */
static ssize_t
write_once(struct channel *ch)
{
	union { struct cmsghdr h; char room[CMSG_SPACE(sizeof(int))]; } control;
	struct span data = buf_span(&ch->out);
	struct iovec iov = { (void *)(uintptr_t)data.p, data.len };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct ipc_out_fd *next = ch->fds_out.n > 0 ? ch->fds_out.list : NULL;
	size_t carry = next != NULL && next->at == ch->sent ? 1 : 0;
	ssize_t n;

	if (carry) {
		memset(&control, 0, sizeof(control));
		mh.msg_control = control.room;
		mh.msg_controllen = sizeof(control.room);
		control.h.cmsg_level = SOL_SOCKET;
		control.h.cmsg_type = SCM_RIGHTS;
		control.h.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.h), &next->fd, sizeof(int));
	}
	if (ch->fds_out.n > carry) {
		uint64_t room = ch->fds_out.list[carry].at - ch->sent;

		if (room < iov.iov_len)
			iov.iov_len = (size_t)room;
	}
	do
		n = sendmsg(ch->fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n == -1 && errno == EINTR);
	if (n > 0 && carry) {
		close(next->fd);
		ch->fds_out.n--;
		memmove(next, next + 1, ch->fds_out.n * sizeof(*next));
	}
	return n;
}

void
channel_flush(struct channel *ch)
{
	while (channel_is_open(ch) && ch->out.len > 0 && !ch->writing) {
		ssize_t n = write_once(ch);

		if (n == -1 && errno == EAGAIN) {
			ch->writing = true;
			watch_set(&ch->watch, LOOP_READ | LOOP_WRITE);
			return;
		}
		if (n == -1) {
			channel_fail(ch);
			return;
		}
		ch->sent += (uint64_t)n;
		buf_drop(&ch->out, (size_t)n);
	}
	if (ch->out.len == 0 && ch->out.cap > IPC_FRAME_MAX)
		buf_clear(&ch->out);
}

void
channel_flush_secret(struct channel *ch)
{
	channel_flush(ch);
	if (ch->out.len == 0)
		buf_wipe(&ch->out);
}

static void
on_flush(void *arg)
{
	struct channel *ch = arg;

	if (!ch->lost) {
		channel_flush(ch);
		return;
	}
	channel_close(ch);
	if (ch->on_lost != NULL)
		ch->on_lost(ch->arg, ch);
}

size_t
channel_queued(const struct channel *ch)
{
	return ch->out.len;
}

struct ipc_writer
ipc_begin(struct channel *ch, enum ipc_type type, uint32_t request,
    uint32_t session)
{
	struct ipc_writer w = { ch, &ch->out, ch->out.len, -1, false };

	if (!channel_is_open(ch)) {
		w.bad = true;
		return w;
	}
	ipc_put_u32(&w, 0); /* the length, known at the end */
	ipc_put_u16(&w, (uint16_t)type);
	ipc_put_u16(&w, 0);
	ipc_put_u32(&w, request);
	ipc_put_u32(&w, session);
	return w;
}

struct ipc_writer
ipc_begin_secret(struct channel *ch, enum ipc_type type, uint32_t request,
    uint32_t session)
{
	if (channel_is_open(ch))
		(void)buf_reserve(&ch->out, IPC_HEAD + ipc_rule(type)->max);
	return ipc_begin(ch, type, request, session);
}

struct ipc_writer
ipc_reply_begin(struct channel *ch, const struct ipc_msg *m,
    enum ipc_type type)
{
	return ipc_begin(ch, type, m->request, m->session);
}

static int
writer_fail(struct ipc_writer *w, int error)
{
	if (w->fd != -1)
		close(w->fd);
	if (w->ch->out.len > w->start)
		w->ch->out.len = w->start;
	errno = error;
	return -1;
}

int
ipc_end(struct ipc_writer *w)
{
	struct channel *ch = w->ch;
	size_t len = ch->out.len - w->start;
	struct ipc_out_fd out = { ch->sent + w->start, w->fd };
	char *head;

	if (!channel_is_open(ch))
		return writer_fail(w, EPIPE);
	head = ch->out.p + ch->out.off + w->start;
	if (w->bad || !ipc_admit(get_u16(head + 4), ch->self, ch->peer,
	    len - IPC_HEAD, w->fd != -1)) {
		log_warnx("%s to %s breaks the contract: %zu octets",
		    ipc_type_name(get_u16(head + 4)), role_name(ch->peer),
		    len);
		return writer_fail(w, EMSGSIZE);
	}
	put_u32(head, (uint32_t)len);
	if (w->fd != -1) {
		put_u16(head + 6, FLAG_FD);
		ch->fds_out.list = xreallocarray(ch->fds_out.list,
		    ch->fds_out.n + 1, sizeof(out));
		ch->fds_out.list[ch->fds_out.n++] = out;
	}
	credit_answered(ch, get_u16(head + 4), get_u32(head + 8));
	if (w->fd != -1 || !credit_hold(ch, w->start, len))
		loop_defer(ch->loop, &ch->flush);
	return 0;
}
