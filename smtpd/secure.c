/*
 * smtpd/secure.c - when a session is encrypted: STARTTLS, ports that speak TLS
 * from the first octet, handshakes that fail. What was said in clear is void
 * afterwards; what cannot be said encrypted is not said at all.
 */
#include <stdio.h>
#include <unistd.h>

#include "smtpd/smtpd.h"

void
secure_file(void *arg, const char *name, int fd)
{
	struct smtpd *d = arg;

	tls_file(d->tls, name, fd);
}

void
secure_init(struct smtpd *d)
{
	d->tls = tls_new(d->loop, d->conf, ROLE_SMTPD,
	    daemon_peer(&d->daemon, ROLE_KEYD, 0));
}

static bool
secure_possible(const struct session *s)
{
	return s->smtpd->tls != NULL &&
	    tls_can_serve(s->smtpd->tls, s->listen);
}

bool
secure_offered(const struct session *s)
{
	enum conf_tls_mode mode = s->listen->tls_mode;

	return !s->tls && (mode == TLS_OFFERED || mode == TLS_REQUIRED) &&
	    secure_possible(s);
}

bool
secure_wanted(const struct session *s)
{
	return !s->tls && (s->listen->kind == LISTEN_SUBMISSION ||
	    s->listen->tls_mode == TLS_REQUIRED);
}

bool
secure_silent(const struct session *s)
{
	return s->state == S_TLS ||
	    (!s->tls && s->listen->tls_mode == TLS_IMMEDIATE);
}

const char *
secure_text(const struct session *s, char out[SECURE_TEXT])
{
	struct tls_info info;

	out[0] = '\0';
	if (s->tls && conn_tls_info(&s->conn, &info))
		snprintf(out, SECURE_TEXT, "%s %s", info.version, info.cipher);
	return out;
}

/* -- the handshake --------------------------------------------------------- */

static void
failed_event(struct session *s, const char *why)
{
	struct event_out e;

	session_event(s, &e, EV_TLS_FAILED);
	event_str(&e, KEY_TEXT, why);
	event_send(&e);
}

void
secure_start(struct session *s)
{
	if (!secure_possible(s)) {
		failed_event(s, "no certificate for this listener");
		session_close(s);
		return;
	}
	session_enter(s, S_TLS);
	conn_tls_accept(&s->conn, s->smtpd->tls, s->listen, NULL);
}

/* Nothing is left of what was said in clear but that it was too much, where it
 * was: the counts of errors go on. */
void
secure_done(struct session *s)
{
	s->tls = true;
	if (s->listen->tls_mode == TLS_IMMEDIATE)
		session_greet(s);
	else {
		session_forget(s);
		session_enter(s, S_NEW);
	}
	session_lines(s);
	session_part(s);
}

void
secure_failed(struct session *s, enum conn_end how)
{
	const char *why = NULL;

	if (how == CONN_TLS)
		why = conn_tls_error(&s->conn);
	else if (how == CONN_TIMEOUT)
		why = "the client took too long";
	else if (how == CONN_EOF)
		why = "closed by the client";
	failed_event(s, why != NULL ? why : "connection lost");
	session_close(s);
}

void
cmd_starttls(struct session *s, struct span arg)
{
	enum conf_tls_mode mode = s->listen->tls_mode;

	(void)arg;
	if (s->tls)
		reply(s, 503, "5.5.1", "This is encrypted already");
	else if (mode != TLS_OFFERED && mode != TLS_REQUIRED)
		reply(s, 502, "5.5.1", "Not offered here");
	else if (!conn_input_empty(&s->conn))
		/* it would be taken for something said under TLS: CVE-2011-0411 */
		session_refuse(s, 554, "5.5.0",
		    "You did not wait for the reply to STARTTLS");
	else if (!secure_possible(s))
		reply(s, 454, "4.7.0", "TLS is not available for the moment");
	else {
		reply(s, 220, "2.0.0", "Go on with TLS");
		secure_start(s);
	}
}
