/*
 * pop3d/auth.c - a login: authd judges what the client says and has master note
 * a grant; with its ticket, master has the session's process made on one end of
 * a socketpair. Nothing here knows where the mailbox is.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/mem.h"
#include "pop3d/pop3d.h"

static void
auth_failed(struct login *c, const char *text)
{
	if (c->session_fd != -1)
		close(c->session_fd);
	c->session_fd = -1;
	x_free(&c->name);
	login_enter(c, L_AUTH);
	login_error(c, text);
}

/* -- the session's process ------------------------------------------------- */

static int
on_session_done(void *arg, struct ipc_msg *m)
{
	struct login *c = arg;
	struct ipc_reader rd;
	struct span why;
	bool ok;

	c->request = 0;
	if (m == NULL) {
		auth_failed(c, "[SYS/TEMP] The mailbox cannot be opened now");
		return 0;
	}
	rd = ipc_reader(m);
	ok = ipc_get_u8(&rd) != 0;
	why = ipc_get_span(&rd, IPC_TEXT_MAX);
	if (!ipc_at_end(&rd))
		return -1;
	if (ok) {
		c->d->n_logins++;
		proxy_start(c);
		return 0;
	}
	log_warnx("no session for %s: %.*s", c->name, SPAN_ARG(why));
	auth_failed(c, "[SYS/TEMP] The mailbox cannot be opened now");
	return 0;
}

static void
session_ask(struct login *c, struct span ticket)
{
	struct channel *master = c->d->master;
	struct ipc_writer w;
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
	    sv) == -1) {
		log_warn("socketpair");
		auth_failed(c, "[SYS/TEMP] The mailbox cannot be opened now");
		return;
	}
	c->session_fd = sv[0];
	c->asked = master;
	c->request = channel_request(master, LOGIN_START_MS, on_session_done,
	    c);
	w = ipc_begin(master, IPC_SESSION, c->request, 0);
	ipc_put_span(&w, ticket);
	ipc_put_fd(&w, sv[1]);
	ipc_end(&w); /* failing: the request is answered with NULL */
}

/* -- SASL ------------------------------------------------------------------ */

static void
refuse(struct login *c)
{
	c->d->n_failed++;
	if (++c->tries >= LOGIN_TRIES_MAX)
		login_end(c, "-ERR [AUTH] Authentication failed, goodbye");
	else
		auth_failed(c, "[AUTH] Authentication failed");
}

static void
answered(struct login *c, uint8_t status, struct span ticket,
    struct span account)
{
	switch (status) {
	case AUTH_OK:
		x_free(&c->name);
		c->name = span_dup(account);
		session_ask(c, ticket);
		break;
	case AUTH_FAIL:
		refuse(c);
		break;
	case AUTH_IN_USE:
		auth_failed(c, "[IN-USE] The mailbox is in use");
		break;
	default:
		auth_failed(c, "[SYS/TEMP] Logins cannot be checked now");
		break;
	}
}

static int
on_auth_reply(void *arg, struct ipc_msg *m)
{
	struct span ticket, account, octets;
	struct login *c = arg;
	struct ipc_reader rd;
	uint8_t status;

	c->request = 0;
	if (m == NULL) {
		auth_cancel(c);
		auth_failed(c, "[SYS/TEMP] Logins cannot be checked now");
		return 0;
	}
	rd = ipc_reader(m);
	if (m->type == IPC_AUTH_CHALLENGE) {
		octets = ipc_get_span(&rd, IPC_TEXT_MAX);
		if (!ipc_at_end(&rd))
			return -1;
		sasl_challenge(c, octets);
		return 0;
	}
	status = ipc_get_u8(&rd);
	ticket = ipc_get_span(&rd, IPC_PATH_MAX);
	account = ipc_get_span(&rd, IPC_PATH_MAX);
	ipc_get_span(&rd, IPC_TEXT_MAX);
	if (m->type != IPC_AUTH_ANSWER || !ipc_at_end(&rd))
		return -1;
	c->exchange = 0;
	answered(c, status, ticket, account);
	return 0;
}

static void
ask(struct login *c)
{
	login_enter(c, L_WAIT);
	c->asked = c->d->authd;
	c->request = channel_request(c->asked, LOGIN_AUTH_MS, on_auth_reply,
	    c);
}

void
auth_start(struct login *c, const char *mechanism, struct span response)
{
	struct pop3d *d = c->d;
	char exporter[TLS_BINDING_MAX], end_point[TLS_BINDING_MAX];
	struct ipc_writer w;

	ask(c);
	if ((c->exchange = ++d->next_exchange) == 0)
		c->exchange = ++d->next_exchange;
	w = ipc_begin_secret(c->asked, IPC_AUTH, c->request, c->exchange);
	ipc_put_u8(&w, LISTEN_POP3);
	ipc_put_str(&w, mechanism);
	ipc_put_u8(&w, response.p != NULL);
	ipc_put_span(&w, response);
	ipc_put_str(&w, c->client_text);
	ipc_put_u8(&w, c->tls ? AUTH_F_TLS : 0);
	ipc_put_span(&w, span_make(exporter,
	    conn_tls_exporter(&c->conn, exporter)));
	ipc_put_span(&w, span_make(end_point,
	    conn_tls_end_point(&c->conn, end_point)));
	ipc_put_str(&w, ""); /* a certificate lets nobody in here */
	ipc_end(&w); /* failing: the request is answered with NULL */
	channel_flush_secret(c->asked);
}

void
auth_step(struct login *c, struct span response)
{
	struct ipc_writer w;

	ask(c);
	w = ipc_begin_secret(c->asked, IPC_AUTH_STEP, c->request,
	    c->exchange);
	ipc_put_span(&w, response);
	ipc_end(&w);
	channel_flush_secret(c->asked);
}

/* The client has gone, or goes: nobody is to answer it any more. */
void
auth_cancel(struct login *c)
{
	struct ipc_writer w;

	if (c->request != 0)
		channel_forget(c->asked, c->request);
	c->request = 0;
	if (c->exchange != 0) {
		w = ipc_begin(c->d->authd, IPC_AUTH_ABORT, 0, c->exchange);
		ipc_end(&w);
	}
	c->exchange = 0;
	if (c->session_fd != -1)
		close(c->session_fd);
	c->session_fd = -1;
}

static int
on_auth_offer(void *arg, struct ipc_msg *m)
{
	struct pop3d *d = arg;
	struct ipc_reader rd = ipc_reader(m);
	uint8_t offer = ipc_get_u8(&rd);

	if (!ipc_at_end(&rd))
		return -1;
	d->offer = offer;
	return 0;
}

const struct ipc_handler auth_handlers[] = {
	{ IPC_AUTH_OFFER, on_auth_offer },
	IPC_HANDLERS_END
};
