/*
 * smtpd/auth.c - AUTH (RFC 4954): base64 lines of the client become messages to
 * authd, and back. Nothing here knows a password or what a mechanism means;
 * what passes through is overwritten.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/mail/base64.h"
#include "lib/mem.h"
#include "smtpd/smtpd.h"

/* Octets of one response, and of a challenge: SCRAM's is 300 at most. */
#define RESPONSE_MAX  BASE64_OCTETS(SMTP_AUTH_TEXT)
#define CHALLENGE_MAX 2048

enum {
	M_ALWAYS = 0,
	M_SCRAM = 1,   /* if every account has a verifier of this kind */
	M_BINDS = 2,   /* needs something of the connection to bind to */
	M_PROVED = 4,  /* needs a client certificate that says who it is */
};

static const struct mechanism { const char *name; unsigned needs; }
mechanisms[] = {
	{ "SCRAM-SHA-256-PLUS", M_SCRAM | M_BINDS },
	{ "SCRAM-SHA-256",      M_SCRAM },
	{ "EXTERNAL",           M_PROVED },
	{ "PLAIN",              M_ALWAYS },
	{ "LOGIN",              M_ALWAYS },
};

/* Of a line that was handed to us: its memory is the connection's, which fills
 * it anew with the next octets that come, whenever that is. */
static void
wipe(struct span s)
{
	explicit_bzero((void *)(uintptr_t)s.p, s.len);
}

static bool
mechanism_offered(const struct session *s, const struct mechanism *m)
{
	unsigned offer = s->smtpd->offer;
	char binding[TLS_BINDING_MAX];
	struct tls_info info;
	bool ok = true;

	if (m->needs & M_SCRAM)
		ok = (offer & OFFER_SCRAM) != 0;
	if (ok && (m->needs & M_BINDS))
		ok = conn_tls_exporter(&s->conn, binding) > 0 ||
		    conn_tls_end_point(&s->conn, binding) > 0;
	if (ok && (m->needs & M_PROVED))
		ok = (offer & OFFER_EXTERNAL) != 0 &&
		    conn_tls_info(&s->conn, &info) && info.peer[0] != '\0';
	return ok;
}

bool
auth_possible(const struct session *s)
{
	return s->listen->kind == LISTEN_SUBMISSION && s->tls &&
	    s->account == NULL;
}

void
auth_offer(struct session *s)
{
	size_t i;

	if (!auth_possible(s))
		return;
	conn_writef(&s->conn, "250-AUTH");
	for (i = 0; i < nitems(mechanisms); i++)
		if (mechanism_offered(s, &mechanisms[i]))
			conn_writef(&s->conn, " %s", mechanisms[i].name);
	conn_writef(&s->conn, "\r\n");
}

/* -- the exchange ---------------------------------------------------------- */

/* Back to commands; a reply follows. */
static void
auth_over(struct session *s)
{
	s->auth.exchange = 0;
	session_enter(s, S_GREETED);
}

void
auth_cancel(struct session *s)
{
	if (s->auth.request != 0)
		channel_forget(s->smtpd->authd, s->auth.request);
	s->auth.request = 0;
	if (s->auth.exchange != 0)
		ask_auth_abort(s);
	s->auth.exchange = 0;
}

/* The one reply for whatever was wrong: nobody learns what it was. */
static void
auth_refuse(struct session *s)
{
	reply(s, 535, "5.7.8", "Authentication failed");
	if (++s->auth.failed >= SMTP_AUTH_TRIES)
		session_refuse(s, 421, "4.7.0", "Too many failed logins");
}

void
auth_challenge(struct session *s, struct span challenge)
{
	char text[BASE64_TEXT(CHALLENGE_MAX) + 1];

	if (base64_encode(challenge, text, sizeof(text)) == -1) {
		auth_cancel(s);
		auth_answer(s, AUTH_TEMP, span_str(""));
		return;
	}
	conn_writef(&s->conn, "334 %s\r\n", text);
	explicit_bzero(text, sizeof(text));
	session_settled(s);
}

void
auth_answer(struct session *s, uint8_t status, struct span account)
{
	auth_over(s);
	if (status == AUTH_OK && account.len > 0 && span_printable(account)) {
		s->account = span_dup(account);
		s->smtpd->n_logins++;
		session_lines(s);
		reply(s, 235, "2.7.0", "Welcome");
	} else if (status == AUTH_FAIL)
		auth_refuse(s);
	else
		reply(s, 454, "4.7.0",
		    "Logins cannot be checked now, try again later");
	session_settled(s);
}

/* Octets of a base64 text; "=" stands for none (RFC 4954 section 4). */
static ssize_t
response_decode(struct span text, char *out, size_t size)
{
	if (span_eqstr(text, "="))
		return 0;
	return base64_decode(text, out, size);
}

/* More than any name and password have together: they are wrong. */
static void
auth_too_long(struct session *s)
{
	auth_cancel(s);
	auth_answer(s, AUTH_FAIL, span_str(""));
}

void
auth_line(struct session *s, struct span line)
{
	char octets[RESPONSE_MAX];
	ssize_t n;
	int rv;

	if (span_eqstr(line, "*")) {
		auth_cancel(s);
		auth_over(s);
		reply(s, 501, "5.7.0", "Cancelled, as you wish");
		return;
	}
	n = base64_decode(line, octets, sizeof(octets));
	wipe(line);
	if (n == -1) {
		auth_cancel(s);
		auth_over(s);
		reply(s, 501, "5.5.2", "That is no base64");
	} else {
		conn_pause(&s->conn);
		rv = ask_auth_step(s, span_make(octets, (size_t)n));
		explicit_bzero(octets, (size_t)n);
		if (rv == -1)
			auth_too_long(s);
	}
}

void
auth_line_long(struct session *s)
{
	auth_cancel(s);
	auth_over(s);
	reply(s, 500, "5.5.6", "That line is too long");
}

static void
auth_begin(struct session *s, const struct mechanism *m, struct span text)
{
	char octets[RESPONSE_MAX];
	struct span response = { NULL, 0 };
	ssize_t n = 0;
	int rv;

	if (text.len > 0) {
		n = response_decode(text, octets, sizeof(octets));
		response = span_make(octets, n == -1 ? 0 : (size_t)n);
	}
	if (n == -1) {
		reply(s, 501, "5.5.2", "That is no base64");
		return;
	}
	session_enter(s, S_AUTH);
	conn_pause(&s->conn);
	rv = ask_auth(s, m->name, response);
	explicit_bzero(octets, response.len);
	if (rv == -1)
		auth_too_long(s);
}

static const struct mechanism *
mechanism_find(const struct session *s, struct span name)
{
	size_t i;

	for (i = 0; i < nitems(mechanisms); i++)
		if (span_caseeq(name, mechanisms[i].name))
			return mechanism_offered(s, &mechanisms[i]) ?
			    &mechanisms[i] : NULL;
	return NULL;
}

static void
auth_judge(struct session *s, struct span name, struct span text)
{
	const struct mechanism *m;

	if (s->listen->kind != LISTEN_SUBMISSION)
		reply(s, 502, "5.5.1", "Not offered here");
	else if (!s->tls)
		reply(s, 530, "5.7.0", "STARTTLS first");
	else if (s->account != NULL)
		reply(s, 503, "5.5.1", "You are logged in");
	else if ((m = mechanism_find(s, name)) == NULL)
		reply(s, 504, "5.5.4", "No such way to log in");
	else if (span_find(text, ' ') != -1)
		reply(s, 501, "5.5.4", "AUTH takes one response");
	else
		auth_begin(s, m, text);
}

void
cmd_auth(struct session *s, struct span arg)
{
	struct span name, text;

	span_split(arg, ' ', &name, &text);
	auth_judge(s, name, span_trim(text));
	wipe(text); /* also what was said at the wrong time */
}
