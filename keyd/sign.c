/*
 * keyd/sign.c - answers over the sign sockets. Each wake-up takes one question
 * of one asker, so that nobody who asks without end keeps others waiting.
 */
#include "keyd/sign.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "keyd/input.h"
#include "lib/clock.h"
#include "lib/log.h"

void
sign_init(struct sign *s, const struct keys *keys, struct sign_counts *counts,
    enum role role)
{
	*s = (struct sign){ .keys = keys, .counts = counts, .role = role,
		.fd = -1 };
}

void
sign_close(struct sign *s)
{
	if (s->fd == -1)
		return;
	watch_clear(&s->watch);
	close(s->fd);
	s->fd = -1;
}

/* A program that asks for what no handshake needs may have been taken over. */
static void
misbehaved(struct sign *s, const char *text)
{
	int64_t now = clock_boot_ms();
	struct event_out e;

	if (s->told_ms != 0 && now - s->told_ms < SIGN_TOLD_MS)
		return;
	s->told_ms = now;
	event_begin(&e, EV_PEER_MISBEHAVED, 0, 0);
	event_str(&e, KEY_ROLE, role_name(s->role));
	event_str(&e, KEY_VERB, "sign");
	event_str(&e, KEY_TEXT, text);
	event_send(&e);
}

/* The signature in sig, or why not. */
static enum sign_status
sign(struct sign *s, const struct sign_question *q, struct buf *sig)
{
	const struct key *key = keys_find(s->keys, s->role, q->key);
	enum input_kind kind = input_judge(q->data);

	if (!input_role_may(kind, s->role)) {
		misbehaved(s, kind == INPUT_NONE
		    ? "asks to sign what is no part of a TLS handshake"
		    : "asks to sign for the other side of a TLS handshake");
		return SIGN_REFUSED;
	}
	if (key == NULL)
		return SIGN_NO_KEY;
	if (!key_scheme_ok(key, q->scheme, input_is_13(kind)))
		return SIGN_REFUSED;
	if (key_sign(key, q->scheme, q->data, sig) == -1) {
		log_warnx("libcrypto cannot sign with the key of %s",
		    role_name(s->role));
		return SIGN_FAILED;
	}
	return SIGN_OK;
}

int
sign_answer(struct sign *s, struct span packet, struct buf *out)
{
	struct buf sig = BUF_INIT(SIGN_SIGNATURE_MAX);
	struct sign_answer a = { .status = SIGN_FAILED };
	struct sign_question q;
	int rv;

	if (sign_question_decode(packet, &q) == -1) {
		s->counts->refused++;
		misbehaved(s, "asks in a way that was not agreed on");
		return -1;
	}
	a.id = q.id;
	a.status = (uint8_t)sign(s, &q, &sig);
	a.signature = buf_span(&sig);
	if (a.status == SIGN_OK)
		s->counts->signatures++;
	else
		s->counts->refused++;
	rv = sign_answer_encode(&a, out);
	buf_clear(&sig);
	return rv;
}

static void
on_question(void *arg, unsigned what)
{
	struct sign *s = arg;
	struct buf out = BUF_INIT(SIGN_ANSWER_MAX);
	char packet[SIGN_QUESTION_MAX + 1]; /* to see what is too long */
	ssize_t n = recv(s->fd, packet, sizeof(packet), 0);

	(void)what;
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	/* An asker that does not take its answer has given up the socket. */
	if (n <= 0 || sign_answer(s, span_make(packet, (size_t)n), &out) == -1
	    || send(s->fd, buf_span(&out).p, out.len,
	    MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)out.len)
		sign_close(s);
	buf_clear(&out);
}

static bool
is_ours(int fd)
{
	int domain = 0, type = 0;
	socklen_t len = sizeof(int);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
	    domain == AF_UNIX &&
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	    type == SOCK_SEQPACKET;
}

int
sign_open(struct sign *s, struct loop *loop, int fd)
{
	int flags;

	if (!is_ours(fd) || (flags = fcntl(fd, F_GETFL)) == -1 ||
	    fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1) {
		close(fd);
		return -1;
	}
	sign_close(s);
	s->fd = fd;
	watch_init(&s->watch, loop, fd, on_question, s);
	watch_set(&s->watch, LOOP_READ);
	return 0;
}
