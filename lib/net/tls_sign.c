/*
 * lib/net/tls_sign.c - asks keyd for signatures, over a socketpair of its own,
 * one question at a time, and waits. One wait that was in vain, or anything
 * odd, and every signature fails at once until keyd serves a new socket: a dead
 * keyd costs this program half a second, not half a second for each client.
 */
#include "lib/net/tls_in.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/mem.h"

/* After a failure a new socket is offered: soon first, then less often. */
#define RETRY_FIRST_MS 500
#define RETRY_MAX_MS   16000

static const char no_key[] = "keyd has no key for our certificate";

struct tls_signer {
	struct loop *loop;
	struct channel *keyd;
	struct timer retry;
	int64_t retry_ms;
	int fd;              /* -1: none */
	bool trusted;        /* nothing has failed, or keyd is back since */
	uint32_t id;
	struct buf packet;
	const char *why;
};

static void
socket_drop(struct tls_signer *s)
{
	if (s->fd != -1)
		close(s->fd);
	s->fd = -1;
}

/* A fresh pair of ends; keyd gets one of them. */
static void
socket_offer(struct tls_signer *s)
{
	struct ipc_writer w;
	int sv[2];

	socket_drop(s);
	if (!channel_is_open(s->keyd))
		return;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    0, sv) == -1) {
		log_warn("a socket for signatures");
		return;
	}
	w = ipc_begin(s->keyd, IPC_SIGN_SOCKET, 0, 0);
	ipc_put_fd(&w, sv[1]);
	if (ipc_end(&w) == -1) {
		close(sv[0]);
		return;
	}
	s->fd = sv[0];
	channel_flush(s->keyd); /* we may wait for an answer before the loop */
}

static void
on_retry(void *arg)
{
	struct tls_signer *s = arg;

	if (s->retry_ms < RETRY_MAX_MS)
		s->retry_ms *= 2;
	socket_offer(s);
	timer_set_ms(&s->retry, s->retry_ms);
}

struct tls_signer *
tls_signer_new(struct loop *loop, struct channel *keyd)
{
	struct tls_signer *s = xcalloc(1, sizeof(*s));

	s->loop = loop;
	s->keyd = keyd;
	s->fd = -1;
	s->retry_ms = RETRY_FIRST_MS;
	timer_init(&s->retry, loop, on_retry, s);
	buf_init(&s->packet, SIGN_QUESTION_MAX);
	return s;
}

void
tls_signer_free(struct tls_signer *s)
{
	timer_stop(&s->retry);
	socket_drop(s);
	buf_clear(&s->packet);
	mem_free(s);
}

/* A keyd that has just come is believed to answer: at the start of all programs
 * the first client may be here before its word that it does. */
void
tls_signer_up(struct tls_signer *s)
{
	timer_stop(&s->retry);
	s->retry_ms = RETRY_FIRST_MS;
	s->trusted = true;
	socket_offer(s);
}

void
tls_signer_down(struct tls_signer *s)
{
	timer_stop(&s->retry);
	s->trusted = false;
	socket_drop(s);
}

/* Its word may be about an earlier socket, but then it is about to take the one
 * that we have now. */
void
tls_signer_ready(struct tls_signer *s)
{
	if (s->fd == -1)
		return;
	if (!s->trusted)
		log_info("keyd signs again");
	s->trusted = true;
	s->retry_ms = RETRY_FIRST_MS;
	timer_stop(&s->retry);
}

const char *
tls_sign_why(const struct tls_signer *s)
{
	return s->why;
}

void
tls_sign_forget(struct tls_signer *s)
{
	s->why = NULL;
}

/* No more of this socket: an answer that comes late is nobody's. */
static int
fail(struct tls_signer *s, const char *why)
{
	s->why = why;
	s->trusted = false;
	log_warnx("%s: no TLS handshake succeeds until it is back", why);
	socket_drop(s);
	timer_set_ms(&s->retry, s->retry_ms);
	return -1;
}

static int
packet_wait(struct tls_signer *s, int64_t until_ms)
{
	struct pollfd p = { .fd = s->fd, .events = POLLIN };
	int64_t left;
	int n;

	do {
		left = until_ms - clock_boot_ms();
		n = poll(&p, 1, left < 0 ? 0 : (int)left);
	} while (n == -1 && errno == EINTR);
	return n == 1 ? 0 : -1;
}

/* One question and its answer, which borrows from s->packet. */
static int
ask(struct tls_signer *s, struct sign_question *q, struct sign_answer *a)
{
	int64_t until_ms = clock_boot_ms() + TLS_SIGN_MS;
	struct span packet;
	char *to;
	ssize_t n;

	q->id = ++s->id;
	buf_reset(&s->packet);
	if (sign_question_encode(q, &s->packet) == -1) {
		s->why = "there is too much to be signed";
		return -1;
	}
	packet = buf_span(&s->packet);
	if (send(s->fd, packet.p, packet.len, MSG_NOSIGNAL) == -1)
		return fail(s, "keyd takes no question");
	buf_reset(&s->packet);
	if (packet_wait(s, until_ms) == -1)
		return fail(s, "keyd does not answer");
	if ((to = buf_reserve(&s->packet, SIGN_ANSWER_MAX + 1)) == NULL)
		return fail(s, "keyd's answer finds no room");
	n = recv(s->fd, to, SIGN_ANSWER_MAX + 1, 0);
	if (n <= 0)
		return fail(s, "keyd closed its socket");
	if (sign_answer_decode(span_make(to, (size_t)n), a) == -1 ||
	    a->id != q->id)
		return fail(s, "keyd's answer is none");
	return 0;
}

size_t
tls_sign(struct tls_signer *s, const uint8_t key[SIGN_KEY], uint16_t scheme,
    struct span data, unsigned char *sig)
{
	struct sign_question q = { .scheme = scheme, .data = data };
	struct sign_answer a;

	memcpy(q.key, key, SIGN_KEY);
	s->why = NULL;
	if (s->fd == -1 || !s->trusted) {
		s->why = "keyd is not there to sign";
		return 0;
	}
	if (ask(s, &q, &a) == -1)
		return 0;
	if (a.status != SIGN_OK) {
		s->why = a.status == SIGN_NO_KEY ? no_key :
		    a.status == SIGN_REFUSED ? "keyd refused to sign" :
		    "keyd could not sign";
		return 0;
	}
	memcpy(sig, a.signature.p, a.signature.len);
	return a.signature.len;
}

/* Asked for what a handshake would ask, with a digest of nothing: keyd says so
 * to no other input. */
int
tls_sign_knows(struct tls_signer *s, const uint8_t key[SIGN_KEY],
    uint16_t scheme, bool server)
{
	unsigned char sig[SIGN_SIGNATURE_MAX];
	struct buf b = BUF_INIT(256);
	size_t len;

	memset(buf_reserve(&b, 64), ' ', 64);
	buf_grow(&b, 64);
	buf_addf(&b, "TLS 1.3, %s CertificateVerify",
	    server ? "server" : "client");
	buf_add(&b, "\0", 1);
	arc4random_buf(buf_reserve(&b, 32), 32);
	buf_grow(&b, 32);
	len = tls_sign(s, key, scheme, buf_span(&b), sig);
	buf_clear(&b);
	return len > 0 ? 1 : s->why == no_key ? 0 : -1;
}
