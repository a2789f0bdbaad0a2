/*
 * pop3d/sasl.c - AUTH (RFC 5034): base64 lines of the client become messages to
 * authd, and back. What a mechanism means is not known here; what passes
 * through is overwritten.
 */
#include "pop3d/pop3d.h"

enum { M_SCRAM = 1, M_BINDS = 2 };

/* The strongest first: some clients take the first that they know. */
static const struct mechanism { const char *name; unsigned needs; }
mechanisms[] = {
	{ "SCRAM-SHA-256-PLUS", M_SCRAM | M_BINDS },
	{ "SCRAM-SHA-256",      M_SCRAM },
	{ "PLAIN",              0 },
};

static bool
is_offered(const struct login *c, const struct mechanism *m)
{
	char binding[TLS_BINDING_MAX];

	if ((m->needs & M_SCRAM) != 0 && (c->d->offer & OFFER_SCRAM) == 0)
		return false;
	return (m->needs & M_BINDS) == 0 ||
	    conn_tls_exporter(&c->conn, binding) > 0 ||
	    conn_tls_end_point(&c->conn, binding) > 0;
}

void
sasl_capa(struct login *c)
{
	size_t i;

	for (i = 0; i < nitems(mechanisms); i++)
		if (is_offered(c, &mechanisms[i]))
			conn_writef(&c->conn, " %s", mechanisms[i].name);
}

static const struct mechanism *
find(const struct login *c, struct span name)
{
	size_t i;

	for (i = 0; i < nitems(mechanisms); i++)
		if (span_caseeq(name, mechanisms[i].name))
			return is_offered(c, &mechanisms[i]) ?
			    &mechanisms[i] : NULL;
	return NULL;
}

/* The octets of a line, which is overwritten: another client's may be the
 * next to lie there. -1: no base64. */
static ssize_t
decode(struct span line, char out[IPC_SASL_MAX])
{
	ssize_t n = base64_decode(line, out, IPC_SASL_MAX);

	explicit_bzero((void *)(uintptr_t)line.p, line.len);
	return n;
}

void
cmd_auth(struct login *c, struct span arg)
{
	struct span response = { NULL, 0 }, name, rest;
	const struct mechanism *m;
	char octets[IPC_SASL_MAX];
	ssize_t n = 0;

	span_split(arg, ' ', &name, &rest);
	rest = span_trim(rest);
	if ((m = find(c, name)) == NULL) {
		login_error(c, "No such way to log in");
		return;
	}
	if (span_eqstr(rest, "=")) /* a first message, and an empty one */
		response = span_make(octets, 0);
	else if (rest.len > 0) {
		n = decode(rest, octets);
		response = span_make(octets, n == -1 ? 0 : (size_t)n);
	}
	if (n == -1)
		login_error(c, "That is no base64");
	else
		auth_start(c, m->name, response);
	explicit_bzero(octets, response.len);
}

void
sasl_line(struct login *c, struct span line)
{
	char octets[IPC_SASL_MAX];
	ssize_t n;

	if (span_eqstr(line, "*")) {
		auth_cancel(c);
		login_enter(c, L_AUTH);
		login_error(c, "Authentication cancelled");
		return;
	}
	if ((n = decode(line, octets)) == -1) {
		auth_cancel(c);
		login_enter(c, L_AUTH);
		login_error(c, "That is no base64");
		return;
	}
	auth_step(c, span_make(octets, (size_t)n));
	explicit_bzero(octets, (size_t)n);
}

void
sasl_challenge(struct login *c, struct span octets)
{
	char text[BASE64_TEXT(IPC_TEXT_MAX) + 1];

	login_enter(c, L_SASL);
	(void)base64_encode(octets, text, sizeof(text));
	conn_writef(&c->conn, "+ %s\r\n", text);
}
