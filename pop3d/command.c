/*
 * pop3d/command.c - the AUTHORIZATION state: RFC 1939 section 4 without APOP,
 * CAPA of RFC 2449. A password is taken under TLS alone, from whatever address
 * it comes, unless a test's configuration says `login clear`.
 */
#include "lib/mem.h"
#include "pop3d/capa.h"
#include "pop3d/pop3d.h"

bool
login_allowed(const struct login *c)
{
	return c->tls || c->d->conf->login_clear;
}

/* Says no, where a password would travel in clear. */
static bool
refused_in_clear(struct login *c)
{
	if (login_allowed(c))
		return false;
	login_error(c, "[SYS/PERM] Logging in needs an encrypted connection");
	return true;
}

static void
cmd_user(struct login *c, struct span arg)
{
	if (refused_in_clear(c))
		return;
	if (arg.len == 0 || arg.len > LOGIN_NAME_MAX) {
		login_error(c, "USER needs a name");
		return;
	}
	x_free(&c->name);
	c->name = span_dup(arg);
	login_enter(c, L_USER);
	/* Whether there is such a user is told to nobody. */
	login_reply(c, "+OK");
}

/* A password may hold blanks: it is all that follows the verb. What authd
 * judges is PLAIN (RFC 4616), whichever way it came. */
static void
cmd_pass(struct login *c, struct span arg)
{
	char plain[LOGIN_NAME_MAX + LOGIN_PASSWORD_MAX + 2];
	size_t n = strlen(c->name);

	if (arg.len == 0 || arg.len > LOGIN_PASSWORD_MAX) {
		login_enter(c, L_AUTH);
		login_error(c, "[AUTH] Authentication failed");
		return;
	}
	plain[0] = '\0';
	memcpy(plain + 1, c->name, n + 1);
	memcpy(plain + n + 2, arg.p, arg.len);
	/* The line lies in the connection's buffer, which others fill next. */
	explicit_bzero((void *)(uintptr_t)arg.p, arg.len);
	auth_start(c, "PLAIN", span_make(plain, n + 2 + arg.len));
	explicit_bzero(plain, sizeof(plain));
}

static void
cmd_sasl(struct login *c, struct span arg)
{
	if (!refused_in_clear(c))
		cmd_auth(c, arg);
}

static void
cmd_capa(struct login *c, struct span arg)
{
	(void)arg;
	conn_writef(&c->conn, "+OK Capabilities follow\r\n" POP3_CAPA "%s",
	    secure_offered(c) ? "STLS\r\n" : "");
	if (login_allowed(c)) { /* RFC 5034 section 3 */
		conn_writef(&c->conn, "USER\r\nSASL");
		sasl_capa(c);
		conn_writef(&c->conn, "\r\n");
	}
	login_reply(c, ".");
}

static void
cmd_quit(struct login *c, struct span arg)
{
	(void)arg;
	login_end(c, "+OK Goodbye");
}

/* What a browser sends: nothing that follows can be meant for us. */
static void
cmd_http(struct login *c, struct span arg)
{
	(void)arg;
	login_end(c, "-ERR This is not a web server");
}

static const struct {
	const char *verb;
	unsigned states;
	void (*run)(struct login *c, struct span arg);
} commands[] = {
	{ "USER",    L_AUTH | L_USER, cmd_user },
	{ "PASS",    L_USER,          cmd_pass },
	{ "AUTH",    L_AUTH | L_USER, cmd_sasl },
	{ "STLS",    L_AUTH | L_USER, cmd_stls },
	{ "CAPA",    L_AUTH | L_USER, cmd_capa },
	{ "QUIT",    L_AUTH | L_USER, cmd_quit },
	{ "GET",     L_AUTH | L_USER, cmd_http },
	{ "POST",    L_AUTH | L_USER, cmd_http },
	{ "CONNECT", L_AUTH | L_USER, cmd_http },
};

void
login_command(struct login *c, struct span line)
{
	struct span verb, arg;
	size_t i;

	if (c->state == L_CLOSING)
		return;
	if (memchr(line.p, '\0', line.len) != NULL) {
		login_error(c, "NUL is no part of a command");
		return;
	}
	span_split(line, ' ', &verb, &arg);
	if (!span_caseeq(verb, "PASS")) /* its blanks may be meant */
		arg = span_trim(arg);
	for (i = 0; i < nitems(commands); i++)
		if (span_caseeq(verb, commands[i].verb))
			break;
	if (i == nitems(commands))
		login_error(c, "Unknown command");
	else if ((commands[i].states & c->state) == 0)
		login_error(c, "Not now");
	else
		commands[i].run(c, arg);
}
