/*
 * pop3d/command.c - the AUTHORIZATION state: RFC 1939 section 4 without APOP,
 * AUTH of RFC 5034, CAPA of RFC 2449. Until TLS is there, a password is taken
 * only where the configuration says `login clear`.
 */
#include "lib/mem.h"
#include "pop3d/capa.h"
#include "pop3d/pop3d.h"

static bool
login_allowed(const struct login *c)
{
	return c->d->conf->login_clear;
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

/* A password may hold blanks: it is all that follows the verb. */
static void
cmd_pass(struct login *c, struct span arg)
{
	if (arg.len == 0 || arg.len > LOGIN_PASSWORD_MAX) {
		login_error(c, "[AUTH] Authentication failed");
		return;
	}
	auth_start(c, c->name, arg);
}

static void
plain_response(struct login *c, struct span in)
{
	char name[LOGIN_NAME_MAX + 1], password[LOGIN_PASSWORD_MAX + 1];
	size_t len;

	if (sasl_plain(in, name, password, &len) == -1) {
		login_enter(c, L_AUTH);
		login_error(c, "That is no response of PLAIN");
	} else
		auth_start(c, name, span_make(password, len));
	explicit_bzero(password, sizeof(password));
}

static void
cmd_auth(struct login *c, struct span arg)
{
	struct span mechanism, rest;

	if (refused_in_clear(c))
		return;
	span_split(arg, ' ', &mechanism, &rest);
	rest = span_trim(rest);
	if (!span_caseeq(mechanism, "PLAIN")) {
		login_error(c, "PLAIN is the only mechanism");
		return;
	}
	if (rest.len > 0) {
		plain_response(c, rest);
		return;
	}
	login_enter(c, L_SASL);
	login_reply(c, "+ ");
}

static void
cmd_capa(struct login *c, struct span arg)
{
	(void)arg;
	login_reply(c, "+OK Capabilities follow\r\n" POP3_CAPA "%s.",
	    login_allowed(c) ? POP3_CAPA_LOGIN : "");
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
	{ "AUTH",    L_AUTH | L_USER, cmd_auth },
	{ "CAPA",    L_AUTH | L_USER, cmd_capa },
	{ "QUIT",    L_AUTH | L_USER, cmd_quit },
	{ "GET",     L_AUTH | L_USER, cmd_http },
	{ "POST",    L_AUTH | L_USER, cmd_http },
	{ "CONNECT", L_AUTH | L_USER, cmd_http },
};

static void
sasl_line(struct login *c, struct span line)
{
	if (!span_eqstr(line, "*")) {
		plain_response(c, line);
		return;
	}
	login_enter(c, L_AUTH);
	login_error(c, "Authentication cancelled");
}

void
login_command(struct login *c, struct span line)
{
	struct span verb, arg;
	size_t i;

	if (c->state == L_CLOSING)
		return;
	if (memchr(line.p, '\0', line.len) != NULL) {
		if (c->state == L_SASL)
			login_enter(c, L_AUTH);
		login_error(c, "NUL is no part of a command");
		return;
	}
	if (c->state == L_SASL) {
		sasl_line(c, line);
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
