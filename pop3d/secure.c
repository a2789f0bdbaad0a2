/*
 * pop3d/secure.c - when a connection is encrypted: STLS (RFC 2595), ports that
 * speak TLS from the first octet, handshakes that fail. What was said in clear
 * is void afterwards; what cannot be said encrypted is not said at all.
 */
#include <stdio.h>

#include "pop3d/pop3d.h"

/* -- the program ----------------------------------------------------------- */

void
secure_file(void *arg, const char *name, int fd)
{
	struct pop3d *d = arg;

	tls_file(d->tls, name, fd);
}

void
secure_init(struct pop3d *d)
{
	d->tls = tls_new(d->loop, d->conf, ROLE_POP3D,
	    daemon_peer(&d->daemon, ROLE_KEYD, 0));
}

/* -- a client -------------------------------------------------------------- */

static bool
is_possible(const struct login *c)
{
	return c->d->tls != NULL && tls_can_serve(c->d->tls, c->from->conf);
}

static bool
has_stls(const struct login *c)
{
	return c->from->conf->tls_mode == TLS_OFFERED ||
	    c->from->conf->tls_mode == TLS_REQUIRED;
}

bool
secure_offered(const struct login *c)
{
	return !c->tls && has_stls(c) && is_possible(c);
}

bool
secure_silent(const struct login *c)
{
	return c->state == L_TLS ||
	    (!c->tls && c->from->conf->tls_mode == TLS_IMMEDIATE);
}

const char *
secure_text(const struct login *c, char out[SECURE_TEXT])
{
	struct tls_info info;

	out[0] = '\0';
	if (c->tls && conn_tls_info(&c->conn, &info))
		snprintf(out, SECURE_TEXT, "%s %s", info.version, info.cipher);
	return out;
}

static void
failed_event(const struct login *c, const char *why)
{
	struct event_out e;

	event_begin(&e, EV_TLS_FAILED, 0, c->sid);
	event_str(&e, KEY_CLIENT, c->client_text);
	event_str(&e, KEY_SERVICE, "pop3");
	event_str(&e, KEY_TEXT, why);
	event_send(&e);
}

void
secure_start(struct login *c)
{
	if (!is_possible(c)) {
		failed_event(c, "no certificate for this listener");
		login_close(c);
		return;
	}
	login_enter(c, L_TLS);
	conn_tls_accept(&c->conn, c->d->tls, c->from->conf, "pop3");
}

/* Nothing is left of what was said in clear but that it was too much, where it
 * was: the counts of errors and wrong passwords go on. */
void
secure_done(struct login *c)
{
	c->tls = true;
	login_forget(c);
	login_enter(c, L_AUTH);
	if (c->from->conf->tls_mode == TLS_IMMEDIATE)
		login_greet(c);
}

void
secure_failed(struct login *c, enum conn_end how)
{
	failed_event(c, how == CONN_TLS ? conn_tls_error(&c->conn) :
	    how == CONN_TIMEOUT ? "the client took too long" :
	    how == CONN_EOF ? "closed by the client" : "connection lost");
	login_close(c);
}

void
cmd_stls(struct login *c, struct span arg)
{
	if (c->tls)
		login_error(c, "This is encrypted already");
	else if (!has_stls(c))
		login_error(c, "Not offered here");
	else if (arg.len > 0)
		login_error(c, "STLS takes no argument");
	else if (!conn_input_empty(&c->conn))
		/* it would be taken for something said under TLS:
		 * CVE-2011-0411 */
		login_end(c, "-ERR You did not wait for the answer to STLS");
	else if (!is_possible(c))
		login_error(c, "[SYS/TEMP] TLS is not available for the moment");
	else {
		login_reply(c, "+OK Go on with TLS");
		secure_start(c);
	}
}
