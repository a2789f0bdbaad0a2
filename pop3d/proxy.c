/*
 * pop3d/proxy.c - after the login: octets pass between the client and the
 * process of the mailbox's owner, unread. Whichever side is slow holds back the
 * other, so that neither costs more than a quarter of a megabyte.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "pop3d/pop3d.h"

/* The session's process ends an idle session; this is for when it cannot. */
#define PROXY_DEADLINE_S (LOGIN_IDLE_S + 60)

static size_t on_octets(void *, struct span);
static void on_ended(void *, enum conn_end);
static void on_drained(void *);

static const struct conn_ops ops = {
	.octets = on_octets, .ended = on_ended, .drained = on_drained,
};

void
proxy_start(struct login *c)
{
	conn_open(&c->stream, c->d->loop, c->session_fd, &ops, c,
	    LOGIN_LINE_OCTETS);
	conn_octets(&c->stream);
	c->session_fd = -1;
	c->has_stream = true;
	conn_octets(&c->conn);
	c->conn.out_max = PROXY_UNSENT_OCTETS;
	login_enter(c, L_PROXY);
	conn_deadline_s(&c->conn, PROXY_DEADLINE_S);
}

/* From one side to the other, as far as the other takes it. */
static size_t
pass(struct login *c, struct conn *from, struct conn *to, struct span data)
{
	conn_deadline_s(&c->conn, PROXY_DEADLINE_S);
	if (conn_write(to, data) == -1)
		return data.len; /* over: its end is told soon */
	if (conn_unsent(to) >= PROXY_UNSENT_OCTETS)
		conn_pause(from);
	return data.len;
}

size_t
proxy_from_client(struct login *c, struct span data)
{
	return pass(c, &c->conn, &c->stream, data);
}

static size_t
on_octets(void *arg, struct span data)
{
	struct login *c = arg;

	c->sent += data.len;
	return pass(c, &c->stream, &c->conn, data);
}

void
proxy_client_drained(struct login *c)
{
	conn_deadline_s(&c->conn, PROXY_DEADLINE_S);
	conn_resume(&c->stream);
}

static void
on_drained(void *arg)
{
	struct login *c = arg;

	if (c->client_done)
		shutdown(c->stream.fd, SHUT_WR);
	else
		conn_resume(&c->conn);
}

/* A client that only closed its sending side still gets its answers. */
void
proxy_client_ended(struct login *c, enum conn_end how)
{
	if (how != CONN_EOF) {
		login_close(c);
		return;
	}
	c->client_done = true;
	if (conn_unsent(&c->stream) == 0)
		shutdown(c->stream.fd, SHUT_WR);
	conn_deadline_s(&c->conn, PROXY_DEADLINE_S);
}

/* The session wrote its last words before it went: they may still lie there
 * when a write to it has failed already. */
static void
last_words(struct login *c)
{
	char block[4096];
	ssize_t n;

	while ((n = read(c->stream.fd, block, sizeof(block))) > 0) {
		c->sent += (uint64_t)n;
		if (conn_write(&c->conn, span_make(block, (size_t)n)) == -1)
			break;
	}
}

static void
on_ended(void *arg, enum conn_end how)
{
	struct login *c = arg;

	if (how == CONN_ERROR)
		last_words(c);
	conn_close(&c->stream);
	login_enter(c, L_CLOSING);
	conn_finish(&c->conn, LOGIN_IDLE_S);
}
