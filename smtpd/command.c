/*
 * smtpd/command.c - the command table, and the verbs that need no transaction.
 * A line comes from the connection, is judged as a line, and runs one verb.
 */
#include <stdio.h>

#include "lib/mem.h"
#include "smtpd/smtpd.h"

enum {
	C_ARG = 1,     /* needs an argument */
	C_BARE = 2,    /* takes none */
	C_LAST = 4,    /* nothing may be pipelined behind it (RFC 2920 3.1) */
	C_ASKING = 8,  /* may run while authd is asked about recipients */
};

struct command {
	const char *verb;
	unsigned states, flags;
	void (*run)(struct session *s, struct span arg);
};

static void cmd_ehlo(struct session *, struct span);
static void cmd_helo(struct session *, struct span);
static void cmd_rset(struct session *, struct span);
static void cmd_noop(struct session *, struct span);
static void cmd_vrfy(struct session *, struct span);
static void cmd_help(struct session *, struct span);
static void cmd_quit(struct session *, struct span);
static void cmd_absent(struct session *, struct span);

static const struct command commands[] = {
	{ "EHLO", S_ANY,           C_ARG | C_LAST,   cmd_ehlo },
	{ "HELO", S_ANY,           C_LAST,           cmd_helo },
	{ "MAIL", S_GREETED,       C_ARG,            cmd_mail },
	{ "RCPT", S_MAIL | S_RCPT, C_ARG | C_ASKING, cmd_rcpt },
	{ "DATA", S_MAIL | S_RCPT, C_BARE | C_LAST,  cmd_data },
	{ "BDAT", S_ANY,           0,                cmd_bdat },
	{ "RSET", S_ANY,           C_BARE,           cmd_rset },
	{ "NOOP", S_ANY,           0,                cmd_noop },
	{ "QUIT", S_ANY,           0,                cmd_quit },
	{ "AUTH", S_GREETED,       C_ARG,            cmd_auth },
	{ "STARTTLS", S_NEW | S_GREETED, C_BARE,     cmd_starttls },
	{ "VRFY", S_ANY,           C_ARG,            cmd_vrfy },
	{ "EXPN", S_ANY,           0,                cmd_absent },
	{ "HELP", S_ANY,           0,                cmd_help },
};

/* A browser that was made to post mail opens with one of these. */
static const char *const http_verbs[] = { "GET", "POST", "PUT", "HEAD",
	"CONNECT", "OPTIONS", "DELETE", "TRACE", "PATCH" };

static const struct command *
command_find(struct span verb)
{
	size_t i;

	for (i = 0; i < nitems(commands); i++)
		if (span_caseeq(verb, commands[i].verb))
			return &commands[i];
	return NULL;
}

static bool
is_http(struct span verb)
{
	size_t i;

	for (i = 0; i < nitems(http_verbs); i++)
		if (span_caseeq(verb, http_verbs[i]))
			return true;
	return false;
}

/* Without NUL, CR and the like: no terminal and no log ever sees them. */
static bool
line_is_clean(struct span line)
{
	size_t i;

	for (i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.p[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

static void
command_run(struct session *s, struct span line)
{
	const struct command *c;
	struct span verb, arg;

	span_split(line, ' ', &verb, &arg);
	arg = span_trim(arg);
	verb = span_trim(verb);
	if ((c = command_find(verb)) == NULL) {
		if (is_http(verb))
			session_refuse(s, 554, "5.5.1",
			    "This is no web server");
		else
			reply_junk(s, "5.5.1", "Command not recognized");
	} else if ((c->states & s->state) == 0)
		reply(s, 503, "5.5.1", "%s is out of order", c->verb);
	else if ((c->flags & C_ARG) && arg.len == 0)
		reply(s, 501, "5.5.4", "%s needs an argument", c->verb);
	else if ((c->flags & C_BARE) && arg.len != 0)
		reply(s, 501, "5.5.4", "%s takes no argument", c->verb);
	else if ((c->flags & C_LAST) && s->listen->kind == LISTEN_MX &&
	    !conn_input_empty(&s->conn))
		session_refuse(s, 554, "5.5.0",
		    "You did not wait for the reply");
	else
		c->run(s, arg);
}

/* RCPT may be pipelined while authd is asked; anything else has to wait until
 * its predecessors are answered, and all input with it. */
static bool
line_must_wait(const struct session *s, struct span line)
{
	const struct command *c;
	struct span verb, arg;

	if (s->tx == NULL || s->tx->nwaiting == 0)
		return false;
	span_split(line, ' ', &verb, &arg);
	c = command_find(span_trim(verb));
	return c == NULL || !(c->flags & C_ASKING) ||
	    s->tx->nwaiting >= SMTP_ASKS_MAX;
}

void
command_line(struct session *s, struct span line, enum conn_eol eol)
{
	if (s->state == S_CLOSING)
		return;
	if (eol == EOL_LF) {
		/* the other side's idea of a line differs from ours: whatever
		 * follows may be smuggled (design.md section 10) */
		session_refuse(s, 500, "5.5.2", "Lines end in CR LF");
		return;
	}
	while (line.len > 0 && (line.p[line.len - 1] == ' ' ||
	    line.p[line.len - 1] == '\t'))
		line.len--;
	if (s->state == S_AUTH) {
		auth_line(s, line);
		return;
	}
	if (line_must_wait(s, line)) {
		buf_add_span(&s->held, line);
		conn_pause(&s->conn);
		return;
	}
	if (line.len == 0)
		reply_junk(s, "5.5.2", "An empty line is no command");
	else if (line_is_clean(line))
		command_run(s, line);
	else if (span_caseprefix(line, "BDAT"))
		/* like any BDAT without a size: what follows is no command */
		session_refuse(s, 501, "5.5.4", "BDAT needs a number");
	else
		reply(s, 500, "5.5.2",
		    "Too long, or control characters in a command");
}

void
command_line_long(struct session *s)
{
	if (s->state == S_AUTH)
		auth_line_long(s);
	else /* the way of any other line, so that replies keep their order */
		command_line(s, span_str("\x7f"), EOL_CRLF);
}

void
command_resume(struct session *s)
{
	struct buf line;

	if (s->state == S_CLOSING)
		return;
	if (s->held.len > 0) {
		line = s->held; /* the verb may have to wait again */
		buf_init(&s->held, SMTP_LINE_OCTETS);
		command_line(s, buf_span(&line), EOL_CRLF);
		buf_clear(&line);
	}
	session_settled(s);
}

/* -- verbs ----------------------------------------------------------------- */

/* RFC 5321 section 4.1.4 forbids to refuse a name for not being true; only
 * what could be read as something else in the Received field is refused. */
static bool
helo_take(struct session *s, struct span arg)
{
	struct span name, rest;
	size_t i;

	span_split(arg, ' ', &name, &rest);
	if (name.len > SMTP_HELO_OCTETS || !span_printable(name))
		return false;
	for (i = 0; i < name.len; i++)
		if (strchr("()<>\\\"", name.p[i]) != NULL)
			return false;
	tx_end(s);
	x_free(&s->helo);
	s->helo = span_dup(name.len == 0 ? span_str("unknown") : name);
	session_enter(s, S_GREETED);
	return true;
}

static void
cmd_helo(struct session *s, struct span arg)
{
	if (!helo_take(s, arg)) {
		reply(s, 501, "5.5.4", "That is no name for a host");
		return;
	}
	s->esmtp = false;
	reply(s, 250, "", "%s", s->smtpd->conf->host);
}

static void
cmd_ehlo(struct session *s, struct span arg)
{
	const struct conf_listen *l = s->listen;
	struct conn *c = &s->conn;

	if (!helo_take(s, arg)) {
		reply(s, 501, "5.5.4", "That is no name for a host");
		return;
	}
	s->esmtp = true;
	conn_writef(c, "250-%s\r\n250-PIPELINING\r\n250-SIZE %llu\r\n"
	    "250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n250-DSN\r\n"
	    "250-LIMITS MAILMAX=%d RCPTMAX=%u\r\n", s->smtpd->conf->host,
	    (unsigned long long)l->size, SMTP_MAILS_MAX, l->recipients);
	if (secure_offered(s))
		conn_writef(c, "250-STARTTLS\r\n");
	auth_offer(s);
	/* how sendmail(1) learns what address its user has here */
	if (s->address != NULL)
		conn_writef(c, "250-XACCOUNT %s\r\n", s->address);
	conn_writef(c, "250 ENHANCEDSTATUSCODES\r\n");
}

static void
cmd_rset(struct session *s, struct span arg)
{
	(void)arg;
	if (s->state != S_NEW) {
		tx_end(s);
		session_enter(s, S_GREETED);
	}
	reply(s, 250, "2.0.0", "Ok");
}

static void
cmd_noop(struct session *s, struct span arg)
{
	(void)arg;
	reply(s, 250, "2.0.0", "Ok");
}

static void
cmd_vrfy(struct session *s, struct span arg)
{
	(void)arg; /* the same for everybody: no way to learn who exists */
	reply(s, 252, "2.0.0", "Try RCPT and see");
}

static void
cmd_help(struct session *s, struct span arg)
{
	(void)arg;
	reply(s, 214, "2.0.0", "EHLO HELO STARTTLS AUTH MAIL RCPT DATA BDAT "
	    "RSET NOOP VRFY QUIT: see RFC 5321");
}

static void
cmd_absent(struct session *s, struct span arg)
{
	(void)arg;
	reply(s, 502, "5.5.1", "Not offered here");
}

static void
cmd_quit(struct session *s, struct span arg)
{
	(void)arg;
	session_end(s, 221, "2.0.0", "Bye");
}
