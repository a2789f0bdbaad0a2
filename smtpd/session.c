/*
 * smtpd/session.c - one client from banner to close, and the only writer of
 * its state. Who may come in is judged here, with the limits of a listener;
 * what a client says is for command.c.
 */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/mem.h"
#include "smtpd/smtpd.h"

static void on_line(void *, struct span, enum conn_eol);
static void on_line_long(void *);
static size_t on_octets(void *, struct span);
static void on_ended(void *, enum conn_end);
static void on_secured(void *);

static const struct conn_ops ops = {
	.line = on_line, .line_long = on_line_long, .octets = on_octets,
	.ended = on_ended, .secured = on_secured,
};

static const struct {
	enum session_state state;
	const char *name;
	unsigned after;   /* states that may come before it */
	int64_t deadline_s;
} states[] = {
	{ S_START,   "start",   0, 0 },
	{ S_TLS,     "tls",     S_START | S_NEW | S_GREETED,
	    TLS_HANDSHAKE_S },
	{ S_NEW,     "new",     S_START | S_CHUNK | S_TLS, SMTP_COMMAND_S },
	{ S_GREETED, "greeted", S_ANY | S_DATA | S_CHUNK | S_COMMIT | S_AUTH,
	    SMTP_COMMAND_S },
	{ S_AUTH,    "auth",    S_GREETED, SMTP_COMMAND_S },
	{ S_MAIL,    "mail",    S_GREETED | S_CHUNK, SMTP_COMMAND_S },
	{ S_RCPT,    "rcpt",    S_MAIL | S_RCPT, SMTP_COMMAND_S },
	{ S_DATA,    "data",    S_RCPT, SMTP_DATA_S },
	{ S_CHUNK,   "chunk",   S_ANY, SMTP_DATA_S },
	{ S_CHUNKED, "chunked", S_CHUNK, SMTP_COMMAND_S },
	{ S_COMMIT,  "commit",  S_DATA | S_CHUNK, SMTP_ANSWER_S },
	{ S_CLOSING, "closing", ~0u, 0 },
};

static size_t
state_index(enum session_state state)
{
	size_t i = 0;

	while (states[i].state != state)
		i++;
	return i;
}

/* -- the list of the idle: longest first, so that room is found at once ---- */

static void
idle_leave(struct session *s)
{
	struct smtpd_listener *l = s->from;

	if (!s->idle_listed)
		return;
	if (s->idle_prev != NULL)
		s->idle_prev->idle_next = s->idle_next;
	else
		l->idle_first = s->idle_next;
	if (s->idle_next != NULL)
		s->idle_next->idle_prev = s->idle_prev;
	else
		l->idle_last = s->idle_prev;
	s->idle_prev = s->idle_next = NULL;
	s->idle_listed = false;
}

static void
idle_enter(struct session *s)
{
	struct smtpd_listener *l = s->from;

	idle_leave(s);
	s->idle_prev = l->idle_last;
	if (l->idle_last != NULL)
		l->idle_last->idle_next = s;
	else
		l->idle_first = s;
	l->idle_last = s;
	s->idle_listed = true;
}

void
session_enter(struct session *s, enum session_state to)
{
	size_t i = state_index(to);

	if ((states[i].after & s->state) == 0)
		fatalx("%s after %s", states[i].name,
		    states[state_index(s->state)].name);
	s->state = to;
	s->progress = 0;
	if (to & (S_TLS | S_NEW | S_GREETED | S_AUTH)) {
		s->active_ms = clock_boot_ms();
		idle_enter(s);
	} else
		idle_leave(s);
	if (to != S_CLOSING)
		conn_deadline_s(&s->conn, states[i].deadline_s);
}

const char *
session_ip(const struct session *s, char *out, size_t size)
{
	out[0] = '\0';
	if (s->listen->kind == LISTEN_SUBMIT)
		return out;
	if (IN6_IS_ADDR_V4MAPPED(&s->addr))
		inet_ntop(AF_INET, s->addr.s6_addr + 12, out, (socklen_t)size);
	else
		inet_ntop(AF_INET6, &s->addr, out, (socklen_t)size);
	return out;
}

const char *
session_client_text(const struct session *s, char *out, size_t size)
{
	char ip[INET6_ADDRSTRLEN];

	if (s->listen->kind == LISTEN_SUBMIT)
		snprintf(out, size, "local uid %u", s->uid);
	else
		snprintf(out, size, IN6_IS_ADDR_V4MAPPED(&s->addr) ?
		    "%s:%u" : "[%s]:%u", session_ip(s, ip, sizeof(ip)),
		    s->port);
	return out;
}

void
session_event(struct session *s, struct event_out *e, enum event_code code)
{
	char client[64], tls[SECURE_TEXT];

	event_begin(e, code, s->tx != NULL ? s->tx->qid : 0, s->sid);
	event_str(e, KEY_CLIENT,
	    session_client_text(s, client, sizeof(client)));
	if (s->helo != NULL)
		event_str(e, KEY_HELO, s->helo);
	if (s->tls)
		event_str(e, KEY_TLS, secure_text(s, tls));
	if (s->account != NULL)
		event_str(e, KEY_USER, s->account);
}

/* -- replies --------------------------------------------------------------- */

static void
reply_write(struct session *s, unsigned code, const char *enhanced,
    const char *text)
{
	conn_writef(&s->conn, "%u %s%s%s\r\n", code, enhanced,
	    enhanced[0] == '\0' ? "" : " ", text);
}

void
reply(struct session *s, unsigned code, const char *enhanced,
    const char *fmt, ...)
{
	char text[512]; /* RFC 5321 section 4.5.3.1.5: a reply line */
	va_list ap;

	if (s->state == S_CLOSING)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text) - 20, fmt, ap);
	va_end(ap);
	reply_write(s, code, enhanced, text);
	if (code >= 500 && ++s->errors >= s->listen->errors)
		session_refuse(s, 421, "4.7.0", "Too many errors");
}

void
reply_junk(struct session *s, const char *enhanced, const char *text)
{
	if (s->state == S_CLOSING)
		return;
	reply_write(s, 500, enhanced, text);
	if (++s->junk >= s->listen->junk)
		session_refuse(s, 421, "4.7.0", "Too much that is no command");
}

/* -- the beginning --------------------------------------------------------- */

static void
session_bury(void *arg)
{
	struct session *s = arg;

	mem_free(s);
}

static struct session *
session_new(struct smtpd_listener *l, int fd,
    const struct sockaddr_storage *peer)
{
	struct smtpd *d = l->smtpd;
	struct session *s = xcalloc(1, sizeof(*s));

	s->smtpd = d;
	s->from = l;
	s->listen = l->conf;
	s->sid = d->next_sid++;
	s->state = S_START;
	buf_init(&s->held, SMTP_LINE_OCTETS);
	defer_init(&s->bury, session_bury, s);
	if (l->conf->kind != LISTEN_SUBMIT) {
		s->addr = addr_in6(peer);
		s->port = addr_port(peer);
		s->client = clients_enter(&d->clients, &s->addr,
		    clock_boot_ms());
	}
	if ((s->all_next = d->sessions) != NULL)
		s->all_next->all_prev = s;
	d->sessions = s;
	d->nsessions++;
	l->open++;
	conn_open(&s->conn, d->loop, fd, &ops, s, SMTP_LINE_OCTETS);
	return s;
}

/* A full listener, the new session included: the one that has idled longest
 * makes room. */
static bool
room_make(struct smtpd_listener *l)
{
	struct session *s = l->idle_first;

	if (l->open <= l->conf->connections)
		return true;
	if (s == NULL || clock_boot_ms() - s->active_ms < SMTP_IDLE_MS)
		return false;
	session_refuse(s, 421, "4.3.2", "Idle, and others are waiting");
	return true;
}

/* Text before our banner: a client that does not listen, or a page that makes
 * a browser talk to us. */
static bool
talks_early(int fd)
{
	char c;

	return recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

/* Nobody has to make room for one who is refused for another reason. */
static bool
session_admit(struct session *s, int fd, struct verdict *v)
{
	const struct conf_listen *l = s->listen;

	if (l->kind != LISTEN_SUBMIT && !policy_connect(l, &s->addr, v))
		return false;
	if (s->client != NULL &&
	    s->client->connections > l->client_connections)
		verdict_set(v, 421, "4.7.0",
		    span_str("Too many connections from your address"));
	else if (l->kind == LISTEN_MX && talks_early(fd))
		verdict_set(v, 554, "5.5.1",
		    span_str("You spoke before the banner"));
	else if (!room_make(s->from))
		verdict_set(v, 421, "4.3.2",
		    span_str("Too many connections, try later"));
	else
		return true;
	return false;
}

static void
local_uid(struct session *s, int fd)
{
	uid_t uid;
	gid_t gid;

	if (getpeereid(fd, &uid, &gid) == -1) {
		log_warn("getpeereid");
		session_end(s, 421, "4.3.0", "Who are you?");
		return;
	}
	s->uid = uid;
	conn_pause(&s->conn);
	ask_uid(s);
}

void
session_open(struct smtpd_listener *l, int fd,
    const struct sockaddr_storage *peer)
{
	struct session *s = session_new(l, fd, peer);
	struct verdict v;

	l->smtpd->n_connections++;
	if (!session_admit(s, fd, &v))
		session_refuse(s, v.code, v.enhanced, v.text);
	else if (l->conf->kind == LISTEN_SUBMIT)
		local_uid(s, fd);
	else if (l->conf->tls_mode == TLS_IMMEDIATE)
		secure_start(s);
	else
		session_greet(s);
}

void
session_greet(struct session *s)
{
	session_enter(s, S_NEW);
	reply(s, 220, "", "%s ESMTP barid", s->smtpd->conf->host);
}

/* -- the end --------------------------------------------------------------- */

static void
session_drop_tx(struct session *s)
{
	struct tx *tx = s->tx;

	if (tx == NULL)
		return;
	s->tx = NULL;
	tx_free(tx);
}

void
session_end(struct session *s, unsigned code, const char *enhanced,
    const char *text)
{
	if (s->state == S_CLOSING)
		return;
	if (secure_silent(s)) {
		session_close(s);
		return;
	}
	reply_write(s, code, enhanced, text);
	session_drop_tx(s);
	auth_cancel(s);
	session_enter(s, S_CLOSING);
	conn_finish(&s->conn, SMTP_FINISH_S);
}

/* The end of a session that an admin may have to explain to somebody. */
void
session_refuse(struct session *s, unsigned code, const char *enhanced,
    const char *text)
{
	struct event_out e;
	char said[sizeof(((struct verdict *)NULL)->text) + 20];

	if (s->state == S_CLOSING)
		return;
	s->smtpd->n_refused++;
	session_event(s, &e, EV_REFUSED);
	snprintf(said, sizeof(said), "%u %s %s", code, enhanced, text);
	event_str(&e, KEY_REPLY, said);
	event_send(&e);
	session_end(s, code, enhanced, text);
}

void
session_forget(struct session *s)
{
	session_drop_tx(s);
	auth_cancel(s);
	x_free(&s->helo);
	s->esmtp = false;
	x_free(&s->account);
	x_free(&s->address);
	s->chunk = 0;
	s->chunk_last = false;
	buf_clear(&s->held);
}

void
session_lines(struct session *s)
{
	conn_lines(&s->conn, auth_possible(s) ? SMTP_AUTH_OCTETS :
	    SMTP_LINE_OCTETS);
}

void
session_close(struct session *s)
{
	struct smtpd *d = s->smtpd;

	if (s->from == NULL)
		return;
	conn_close(&s->conn);
	session_forget(s);
	idle_leave(s);
	s->state = S_CLOSING;
	if (s->uid_request != 0)
		channel_forget(d->authd, s->uid_request);
	if (s->client != NULL)
		clients_leave(&d->clients, s->client, clock_boot_ms());
	if (s->all_prev != NULL)
		s->all_prev->all_next = s->all_next;
	else
		d->sessions = s->all_next;
	if (s->all_next != NULL)
		s->all_next->all_prev = s->all_prev;
	d->nsessions--;
	s->from->open--;
	s->from = NULL;
	loop_defer(d->loop, &s->bury);
	if (d->draining && d->nsessions == 0)
		smtpd_drained(d);
}

/* Waiting for another program's word, so that input has to wait too? */
static bool
session_waits(const struct session *s)
{
	return s->state == S_COMMIT || s->state == S_START ||
	    s->auth.request != 0 || (s->tx != NULL &&
	    (s->tx->nwaiting > 0 || s->tx->sender_request != 0));
}

/* A worker that drains finishes transactions, and begins none. */
void
session_part(struct session *s)
{
	if (s->smtpd->draining && s->tx == NULL)
		session_end(s, 421, "4.3.2", "Restarting, come again");
}

void
session_drain_all(struct smtpd *d)
{
	struct session *s, *next;

	for (s = d->sessions; s != NULL; s = next) {
		next = s->all_next;
		session_part(s);
	}
}

void
session_settled(struct session *s)
{
	if (s->state == S_CLOSING || session_waits(s))
		return;
	session_part(s);
	conn_resume(&s->conn);
}

/* -- what the connection tells --------------------------------------------- */

static void
on_secured(void *arg)
{
	secure_done(arg);
}

static void
on_line(void *arg, struct span line, enum conn_eol eol)
{
	struct session *s = arg;

	conn_deadline_s(&s->conn, SMTP_COMMAND_S);
	if (s->idle_listed) {
		s->active_ms = clock_boot_ms();
		idle_enter(s);
	}
	command_line(s, line, eol);
	session_part(s);
}

static void
on_line_long(void *arg)
{
	struct session *s = arg;

	command_line_long(s);
}

static size_t
on_octets(void *arg, struct span data)
{
	struct session *s = arg;
	size_t used = data_octets(s, data);

	/* A deadline for each block, not for each octet: who sends a few
	 * now and then has no session for ever. */
	if ((s->progress += used) >= SMTP_DATA_BLOCK &&
	    s->state & (S_DATA | S_CHUNK)) {
		s->progress = 0;
		conn_deadline_s(&s->conn, SMTP_DATA_S);
	}
	return used;
}

static void
lost_event(struct session *s, enum conn_end how)
{
	struct event_out e;

	if (s->tx == NULL || s->tx->ntaken == 0 || s->state == S_CLOSING)
		return; /* nothing was lost that anyone would look for */
	session_event(s, &e, EV_DISCONNECT);
	event_str(&e, KEY_FROM, s->tx->from);
	event_str(&e, KEY_TEXT, how == CONN_TIMEOUT ? "timeout" :
	    how == CONN_EOF ? "closed by the client" : "connection lost");
	event_str(&e, KEY_STATUS, states[state_index(s->state)].name);
	event_send(&e);
}

static void
on_ended(void *arg, enum conn_end how)
{
	struct session *s = arg;

	if (s->state == S_TLS) {
		secure_failed(s, how);
		return;
	}
	lost_event(s, how);
	if (how == CONN_TIMEOUT && s->state != S_CLOSING)
		session_end(s, 421, "4.4.2", "Timeout");
	else if (how == CONN_EOF && s->state != S_CLOSING &&
	    conn_unsent(&s->conn) > 0) {
		session_drop_tx(s); /* half-closed: the replies are waited for */
		session_enter(s, S_CLOSING);
		conn_finish(&s->conn, SMTP_FINISH_S);
	} else
		session_close(s);
}
