/*
 * relay/session.c - one connection to another host, from its address to QUIT;
 * the only writer of its state. When a host fails, the next address follows.
 */
#include "relay/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/mem.h"

/* clang-format off */
const struct relay_times relay_times = {
	.connect = 30, .greeting = 300, .command = 300,
	.handshake = TLS_HANDSHAKE_S, .data = 120, .block = 180, .dot = 600,
	.idle = 5, .quit = 5, .attempt = 900
};

static const struct {
	unsigned state;
	const char *doing;
	size_t time; /* offset in struct relay_times */
	unsigned from; /* states that it may follow */
} states[] = {
#define TIME(field) offsetof(struct relay_times, field)
	{ S_CONNECT,  "connecting",           TIME(connect),  S_ROUTE |
	    S_CONNECT | S_GREETING | S_EHLO | S_HELO | S_STARTTLS |
	    S_HANDSHAKE | S_ENVELOPE | S_TEXT | S_RSET | S_IDLE },
	{ S_GREETING, "waiting for a greeting", TIME(greeting), S_CONNECT |
	    S_ROUTE },
	{ S_EHLO,     "EHLO",                 TIME(command),  S_GREETING |
	    S_HANDSHAKE },
	{ S_HELO,     "HELO",                 TIME(command),  S_EHLO },
	{ S_STARTTLS, "STARTTLS",             TIME(command),  S_EHLO },
	{ S_HANDSHAKE, "the TLS handshake",   TIME(handshake), S_STARTTLS },
	{ S_IDLE,     "idling",               TIME(idle),     S_EHLO | S_HELO |
	    S_STARTTLS | S_ENVELOPE | S_DOT | S_RSET | S_IDLE },
	{ S_ENVELOPE, "sending the envelope", TIME(command),  S_EHLO | S_HELO |
	    S_STARTTLS | S_IDLE | S_ENVELOPE | S_RSET | S_DOT },
	{ S_TEXT,     "sending the text",     TIME(block),    S_ENVELOPE },
	{ S_DOT,      "waiting for the receipt", TIME(dot),   S_TEXT | S_DOT |
	    S_ENVELOPE },
	{ S_RSET,     "RSET",                 TIME(command),  S_EHLO | S_HELO |
	    S_STARTTLS | S_ENVELOPE | S_DOT | S_IDLE },
	{ S_QUIT,     "QUIT",                 TIME(quit),     ~0u },
};
/* clang-format on */

static size_t
state_row(unsigned state)
{
	size_t i;

	for (i = 0; i < nitems(states); i++)
		if (states[i].state == state)
			return i;
	fatalx("no session state %u", state);
}

static const char *
state_doing(const struct session *s)
{
	return s->state == S_ROUTE ? "looking for it" :
	    states[state_row(s->state)].doing;
}

void
session_enter(struct session *s, enum session_state to)
{
	size_t row = state_row(to);
	int64_t seconds;

	if ((states[row].from & s->state) == 0)
		fatalx("%s after %s", states[row].doing, state_doing(s));
	s->state = to;
	memcpy(&seconds, (const char *)s->relay->times + states[row].time,
	    sizeof(seconds));
	/* the connection's own deadline ends it, and QUIT wants an answer */
	timer_stop(&s->idle);
	if (to == S_IDLE)
		timer_set_ms(&s->idle, seconds * 1000);
	conn_deadline_s(&s->conn, to == S_IDLE ? 0 : seconds);
}

/* -- the end ---------------------------------------------------------------*/

/* Not from within a call of the connection: it looks at itself afterwards. */
static void
on_reap(void *arg)
{
	struct session *s = arg;

	nexthop_clear(s);
	free(s->list);
	free(s);
}

static void
disconnect(struct session *s)
{
	timer_stop(&s->more);
	timer_stop(&s->idle);
	if (s->connected)
		conn_close(&s->conn);
	s->connected = false;
}

void
session_close(struct session *s)
{
	if (s->state == S_DEAD)
		return;
	disconnect(s);
	s->state = S_DEAD;
	if (s->request != 0)
		channel_forget(s->asked, s->request);
	*s->link = s->next;
	if (s->next != NULL)
		s->next->link = s->link;
	s->relay->nsessions--;
	loop_defer(&s->relay->daemon.loop, &s->reap);
	pool_next(s->relay);
}

void
session_quit(struct session *s)
{
	session_enter(s, S_QUIT);
	conn_writef(&s->conn, "QUIT\r\n");
}

static void
on_idle(void *arg)
{
	session_quit(arg);
}

static struct job *
job_detach(struct session *s)
{
	struct job *j = s->job;

	s->job = NULL;
	if (j != NULL)
		j->session = NULL;
	return j;
}

void
session_give_up(struct session *s, uint8_t outcome, const char *enhanced,
    const char *text)
{
	struct job *j = s->job;

	if (j != NULL) {
		job_settle_all(j, outcome, enhanced, text, s->host);
		job_detach(s);
		job_end(j);
	}
	session_close(s);
}

void
session_next(struct session *s, const char *enhanced, const char *text)
{
	struct job *j = s->job;
	int64_t past_ms = clock_boot_ms() - s->began_ms;

	if (j == NULL) {
		session_close(s);
		return;
	}
	if (transaction_lost(s, enhanced, text))
		return;
	if (job_is_settled(j)) {
		session_give_up(s, OUTCOME_DEFERRED, enhanced, text);
		return;
	}
	disconnect(s);
	if (s->used_again && !s->heard) {
		/* it had been closed while it was idle: no fault of anybody */
		j->fresh_only = true;
		job_detach(s);
		session_close(s);
		pool_take(j);
	} else if (s->at + 1 < s->naddrs &&
	    past_ms < s->relay->times->attempt * 1000) {
		s->at++;
		s->used_again = s->clear = false;
		session_connect(s);
	} else {
		session_give_up(s, OUTCOME_DEFERRED, enhanced, text);
	}
}

/* This host is away or does not want us: not for good, others may do. */
static void
host_failed(struct session *s, const char *enhanced, const char *what)
{
	char text[IPC_TEXT_MAX];

	if (s->naddrs > 0 && (s->state & (S_CONNECT | S_GREETING)))
		dead_add(s->relay, &s->addrs[s->at]);
	snprintf(text, sizeof(text), "%s: %s", s->host, what);
	session_next(s, enhanced, text);
}

void
session_protocol_error(struct session *s, const char *what)
{
	if (s->job != NULL)
		log_info("%s: %s while %s", s->host, what, state_doing(s));
	host_failed(s, "4.5.0", what);
}

/* -- from the route to a working session -----------------------------------*/

static const char *
helo_name(const struct relay *r)
{
	const struct conf *c = r->daemon.conf;

	return c->relay.helo != NULL ? c->relay.helo : c->host;
}

void
session_hello(struct session *s)
{
	memset(&s->caps, 0, sizeof(s->caps));
	session_enter(s, S_EHLO);
	conn_writef(&s->conn, "%s %s\r\n",
	    s->hop.via == VIA_LMTP ? "LHLO" : "EHLO", helo_name(s->relay));
}

/* A host with our name is ourselves, by whatever way we got there. */
static bool
is_loop(struct session *s)
{
	const struct conf *c = s->relay->daemon.conf;
	size_t i;

	if (c->allow_loopback || s->hop.via == VIA_LMTP ||
	    !span_caseeq(span_str(s->caps.name), c->host))
		return false;
	/* A better host that is away is no reason to give a letter up. */
	for (i = 0; i < s->nhosts; i++)
		if (s->hosts[i].preference < nexthop_host(s)->preference)
			break;
	session_give_up(s, i < s->nhosts ? OUTCOME_DEFERRED : OUTCOME_FAILED,
	    i < s->nhosts ? "4.4.6" : "5.4.6",
	    "mail for this destination comes back to this host");
	return true;
}

static void
greeted(struct session *s)
{
	if (is_loop(s))
		return;
	if (s->hop.path[0] != '\0')
		transaction_begin(s); /* nobody can listen there */
	else
		secure_greeted(s);
}

/* Codes of a refusal that another host, or later, may not give. */
static const char *
as_temporary(struct reply *r)
{
	return r->code < 500 ? reply_enhanced(r) : "4.3.2";
}

static void
hello_reply(struct session *s)
{
	unsigned code = s->reply.code;

	if (s->state == S_GREETING && code == 220)
		session_hello(s);
	else if ((s->state & (S_EHLO | S_HELO)) && code == 250)
		greeted(s);
	else if (s->state == S_EHLO && code >= 500 &&
	    s->hop.via != VIA_LMTP) {
		session_enter(s, S_HELO); /* RFC 5321 section 3.2 */
		conn_writef(&s->conn, "HELO %s\r\n", helo_name(s->relay));
	} else
		host_failed(s, as_temporary(&s->reply), s->reply.text);
}

static void
on_line(void *arg, struct span line, enum conn_eol eol)
{
	struct session *s = arg;
	struct span text;

	(void)eol;
	if (s->state & (S_IDLE | S_QUIT)) {
		session_close(s); /* "421 timeout", or the answer to QUIT */
		return;
	}
	if (s->state == S_CONNECT)
		return;
	s->heard = true;
	switch (reply_line(&s->reply, line, &text)) {
	case REPLY_BAD:
		session_protocol_error(s, "an answer that is no SMTP reply");
		return;
	case REPLY_MORE:
	case REPLY_DONE:
		if (s->state == S_EHLO && s->reply.code == 250)
			caps_line(&s->caps, text);
		if (line.len > 3 && line.p[3] == '-')
			return;
		break;
	}
	/* behind 220 to STARTTLS it would be taken for something encrypted */
	if ((s->state & (S_GREETING | S_EHLO | S_HELO | S_STARTTLS)) &&
	    !conn_input_empty(&s->conn)) {
		session_protocol_error(s, "data that nobody asked for");
		return;
	}
	if (s->state & (S_GREETING | S_EHLO | S_HELO))
		hello_reply(s);
	else if (s->state == S_STARTTLS && s->reply.code != 421)
		secure_reply(s);
	else
		transaction_reply(s);
	if (s->state != S_DEAD)
		reply_init(&s->reply);
}

static void
on_line_long(void *arg)
{
	session_protocol_error(arg, "a line of more than 2048 octets");
}

static void
on_ended(void *arg, enum conn_end how)
{
	struct session *s = arg;
	int error = errno;
	char what[300];

	if (s->job == NULL) {
		session_close(s);
		return;
	}
	if (s->state == S_CONNECT) {
		snprintf(what, sizeof(what), "cannot connect: %s",
		    strerror(how == CONN_TIMEOUT ? ETIMEDOUT : error));
		host_failed(s, "4.4.1", what);
		return;
	}
	snprintf(what, sizeof(what), "%s while %s",
	    how == CONN_TIMEOUT ? "no answer in time" :
	    how == CONN_EOF ? "it closed the connection" : strerror(error),
	    state_doing(s));
	if (s->state & (S_STARTTLS | S_HANDSHAKE))
		secure_failed(s, how, what);
	else
		host_failed(s, "4.4.2", what);
}

static void
on_connected(void *arg)
{
	struct session *s = arg;

	s->relay->connections++;
	session_enter(s, S_GREETING);
}

static void
on_drained(void *arg)
{
	struct session *s = arg;

	/* in the next round: others want their turn between two blocks */
	if (s->state == S_TEXT)
		timer_set_ms(&s->more, 0);
}

static const struct conn_ops session_ops = {
	.line = on_line,
	.line_long = on_line_long,
	.ended = on_ended,
	.drained = on_drained,
	.connected = on_connected,
	.secured = secure_done,
};

/* -- connecting ------------------------------------------------------------*/

/* The address to come from, or NULL where the admin named none. */
static const struct sockaddr *
source_of(const struct conf_relay *c, sa_family_t family,
    struct sockaddr_storage *out, socklen_t *len)
{
	struct sockaddr_in *four = (struct sockaddr_in *)out;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	out->ss_family = family;
	if (family == AF_INET && c->has_source4) {
		four->sin_addr = c->source4;
		*len = sizeof(*four);
	} else if (family == AF_INET6 && c->has_source6) {
		six->sin6_addr = c->source6;
		*len = sizeof(*six);
	} else {
		return NULL;
	}
	return (const struct sockaddr *)out;
}

static void
host_name(struct session *s, const struct address *a)
{
	const char *name = s->hosts[a->host].name;
	char addr[64];

	addr_text(&a->ss, addr, sizeof(addr));
	snprintf(s->host, sizeof(s->host), "%s[%s]:%u",
	    name[0] == '[' ? "" : name, addr, addr_port(&a->ss));
}

void
session_connect(struct session *s)
{
	const struct address *a = &s->addrs[s->at];
	struct sockaddr_storage ss;
	const struct sockaddr *source;
	socklen_t source_len = 0;
	char what[RELAY_HOST_TEXT + 200];

	s->encrypted = false;
	s->tls[0] = '\0';
	source = source_of(&s->relay->daemon.conf->relay, a->ss.ss_family, &ss,
	    &source_len);
	host_name(s, a);
	if (!secure_may_connect(s))
		return;
	reply_init(&s->reply);
	if (conn_connect(&s->conn, &s->relay->daemon.loop,
	    (const struct sockaddr *)&a->ss, a->len, source, source_len,
	    &session_ops, s, REPLY_LINE_MAX) == -1) {
		snprintf(what, sizeof(what), "%s: cannot connect: %s", s->host,
		    strerror(errno));
		session_next(s, "4.4.1", what);
		return;
	}
	s->connected = true;
	session_enter(s, S_CONNECT);
}

void
session_again_in_clear(struct session *s)
{
	disconnect(s);
	s->clear = true;
	session_connect(s);
}

void
session_connected_fd(struct session *s, int fd)
{
	int flags = fcntl(fd, F_GETFL);

	snprintf(s->host, sizeof(s->host), "%s", s->hop.path);
	if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1) {
		close(fd);
		session_give_up(s, OUTCOME_DEFERRED, "4.3.0", strerror(errno));
		return;
	}
	conn_open(&s->conn, &s->relay->daemon.loop, fd, &session_ops, s,
	    REPLY_LINE_MAX);
	s->connected = true;
	reply_init(&s->reply);
	s->relay->connections++;
	session_enter(s, S_GREETING);
}

static void
job_attach(struct session *s, struct job *j)
{
	s->job = j;
	j->session = s;
	s->heard = false;
	s->began_ms = clock_boot_ms();
}

struct session *
session_new(struct relay *r, struct job *j)
{
	struct session *s = xcalloc(1, sizeof(*s));

	s->relay = r;
	s->hop = j->hop;
	s->state = S_ROUTE;
	s->next = r->sessions;
	s->link = &r->sessions;
	if (s->next != NULL)
		s->next->link = &s->next;
	r->sessions = s;
	r->nsessions++;
	timer_init(&s->more, &r->daemon.loop, transaction_more, s);
	timer_init(&s->idle, &r->daemon.loop, on_idle, s);
	defer_init(&s->reap, on_reap, s);
	job_attach(s, j);
	nexthop_ask(s);
	return s;
}

void
session_use(struct session *s, struct job *j)
{
	s->used_again = true;
	job_attach(s, j);
	transaction_begin(s);
}

void
session_ready(struct session *s)
{
	job_detach(s);
	s->used_again = false;
	if (s->letters >= SESSION_LETTERS || s->relay->daemon.stopping) {
		session_quit(s);
	} else if (s->dirty) {
		session_enter(s, S_RSET);
		conn_writef(&s->conn, "RSET\r\n");
	} else {
		session_enter(s, S_IDLE);
		pool_next(s->relay);
	}
}
