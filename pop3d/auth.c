/*
 * pop3d/auth.c - a login: authd judges name and password and has master note a
 * grant; with its ticket, master has the session's process made on one end of a
 * socketpair. Nothing here knows where the mailbox is.
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

/* -- name and password ----------------------------------------------------- */

static void
refuse_now(struct login *c)
{
	if (++c->tries >= LOGIN_TRIES_MAX)
		login_end(c, "-ERR [AUTH] Authentication failed, goodbye");
	else
		auth_failed(c, "[AUTH] Authentication failed");
}

static void
on_delay(void *arg)
{
	refuse_now(arg);
}

static void
refuse(struct login *c)
{
	c->d->n_failed++;
	if (c->d->daemon.test) {
		refuse_now(c);
		return;
	}
	timer_set_ms(&c->delay, LOGIN_DELAY_MS);
}

static int
on_auth_answer(void *arg, struct ipc_msg *m)
{
	struct span ticket, account;
	struct login *c = arg;
	struct ipc_reader rd;
	uint8_t status;

	c->request = 0;
	if (m == NULL) {
		auth_failed(c, "[SYS/TEMP] Logins cannot be checked now");
		return 0;
	}
	rd = ipc_reader(m);
	status = ipc_get_u8(&rd);
	ticket = ipc_get_span(&rd, IPC_PATH_MAX);
	account = ipc_get_span(&rd, IPC_PATH_MAX);
	ipc_get_span(&rd, IPC_TEXT_MAX);
	if (!ipc_at_end(&rd))
		return -1;
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
	return 0;
}

void
auth_start(struct login *c, const char *name, struct span password)
{
	struct ipc_writer w;

	login_enter(c, L_WAIT);
	timer_init(&c->delay, c->d->loop, on_delay, c);
	c->asked = c->d->authd;
	c->request = channel_request(c->asked, LOGIN_AUTH_MS, on_auth_answer,
	    c);
	w = ipc_begin(c->asked, IPC_AUTH, c->request, 0);
	ipc_put_u8(&w, LISTEN_POP3);
	ipc_put_str(&w, name);
	ipc_put_span(&w, password);
	ipc_put_str(&w, c->client_text);
	ipc_end(&w);
	channel_flush_secret(c->asked);
}

/* The client has gone, or goes: nobody is to answer it any more. */
void
auth_cancel(struct login *c)
{
	if (c->request != 0)
		channel_forget(c->asked, c->request);
	c->request = 0;
	if (c->delay.loop != NULL)
		timer_stop(&c->delay);
	if (c->session_fd != -1)
		close(c->session_fd);
	c->session_fd = -1;
}
