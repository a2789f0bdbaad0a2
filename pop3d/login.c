/*
 * pop3d/login.c - one client from greeting to close, and the only writer of its
 * state. Who may come in is judged here, with the limits of a listener.
 */
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/mem.h"
#include "pop3d/pop3d.h"

static void on_line(void *, struct span, enum conn_eol);
static void on_line_long(void *);
static size_t on_octets(void *, struct span);
static void on_ended(void *, enum conn_end);
static void on_drained(void *);
static void on_secured(void *);

static const struct conn_ops ops = {
	.line = on_line, .line_long = on_line_long, .octets = on_octets,
	.ended = on_ended, .drained = on_drained, .secured = on_secured,
};

static const struct {
	enum login_state state;
	const char *name;
	unsigned after; /* states that may come before it */
} states[] = {
	{ L_AUTH,    "auth",    L_AUTH | L_USER | L_SASL | L_WAIT | L_TLS },
	{ L_USER,    "user",    L_AUTH | L_USER },
	{ L_SASL,    "sasl",    L_WAIT },
	{ L_WAIT,    "wait",    L_USER | L_SASL | L_AUTH },
	{ L_PROXY,   "proxy",   L_WAIT },
	{ L_CLOSING, "closing", ~0u },
	{ L_TLS,     "tls",     L_AUTH | L_USER },
};

static size_t
state_index(enum login_state state)
{
	size_t i = 0;

	while (states[i].state != state)
		i++;
	return i;
}

/* -- the list: the longest idle first -------------------------------------- */

static void
list_leave(struct login *c)
{
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		c->d->first = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	else
		c->d->last = c->prev;
	c->prev = c->next = NULL;
}

static void
list_enter(struct login *c)
{
	c->prev = c->d->last;
	if (c->d->last != NULL)
		c->d->last->next = c;
	else
		c->d->first = c;
	c->d->last = c;
	c->active_ms = clock_boot_ms();
}

void
login_enter(struct login *c, enum login_state to)
{
	size_t i = state_index(to);

	if ((states[i].after & c->state) == 0)
		fatalx("%s after %s", states[i].name,
		    states[state_index(c->state)].name);
	c->state = to;
	list_leave(c);
	list_enter(c);
	if (to == L_WAIT)
		conn_pause(&c->conn); /* what follows is for whoever comes */
	else if (to != L_CLOSING)
		conn_resume(&c->conn);
	/* While others are asked, their deadlines count. */
	if (to != L_CLOSING)
		conn_deadline_s(&c->conn, to == L_WAIT ? 0 :
		    to == L_TLS ? TLS_HANDSHAKE_S : LOGIN_IDLE_S);
}

void
login_reply(struct login *c, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (c->state == L_CLOSING || secure_silent(c))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	conn_writef(&c->conn, "%s\r\n", text);
}

void
login_error(struct login *c, const char *text)
{
	login_reply(c, "-ERR %s", text);
	if (c->state != L_CLOSING && ++c->errors >= c->from->conf->errors)
		login_end(c, "-ERR Too many errors");
}

void
login_end(struct login *c, const char *text)
{
	if (c->state == L_CLOSING)
		return;
	if (c->state == L_TLS) { /* halfway to where words could be said */
		login_close(c);
		return;
	}
	if (text != NULL)
		login_reply(c, "%s", text);
	auth_cancel(c);
	login_enter(c, L_CLOSING);
	conn_finish(&c->conn, LOGIN_FINISH_S);
}

/* -- the end --------------------------------------------------------------- */

static void
on_bury(void *arg)
{
	struct login *c = arg;

	x_free(&c->name);
	mem_free(c);
}

static void
end_event(struct login *c)
{
	bool session = c->has_stream;
	char tls[SECURE_TEXT];
	struct event_out e;

	event_begin(&e, session ? EV_SESSION : EV_DISCONNECT, 0, c->sid);
	event_str(&e, KEY_CLIENT, c->client_text);
	event_str(&e, KEY_SERVICE, "pop3");
	if (c->tls)
		event_str(&e, KEY_TLS, secure_text(c, tls));
	if (session) {
		event_str(&e, KEY_USER, c->name);
		event_num(&e, KEY_SIZE, c->sent);
	}
	event_num(&e, KEY_MS, (uint64_t)(clock_boot_ms() - c->begin_ms));
	event_send(&e);
}

/* Handlers of this client may still be running above us: it is freed later. */
void
login_close(struct login *c)
{
	struct pop3d *d = c->d;

	if (c->gone)
		return;
	c->gone = true;
	end_event(c);
	auth_cancel(c);
	conn_close(&c->conn);
	if (c->has_stream)
		conn_close(&c->stream);
	clients_leave(&d->clients, c->client, clock_boot_ms());
	list_leave(c);
	d->nlogins--;
	c->from->sessions--;
	loop_defer(d->loop, &c->bury);
	if (d->draining && d->nlogins == 0)
		daemon_exit(&d->daemon);
}

/* -- what the connection says ---------------------------------------------- */

static void
on_line(void *arg, struct span line, enum conn_eol eol)
{
	struct login *c = arg;

	(void)eol; /* a bare LF ends a command: people type here */
	if (c->state == L_SASL)
		sasl_line(c, line);
	else
		login_command(c, line);
}

static void
on_line_long(void *arg)
{
	struct login *c = arg;

	if (c->state == L_SASL) {
		auth_cancel(c);
		login_enter(c, L_AUTH);
	}
	login_error(c, "Line too long");
}

static size_t
on_octets(void *arg, struct span data)
{
	return proxy_from_client(arg, data);
}

static void
on_ended(void *arg, enum conn_end how)
{
	struct login *c = arg;

	if (c->state == L_PROXY)
		proxy_client_ended(c, how);
	else if (c->state == L_TLS)
		secure_failed(c, how);
	else if (how == CONN_TIMEOUT && c->state != L_CLOSING)
		login_end(c, "-ERR Too long without a command, goodbye");
	else
		login_close(c);
}

static void
on_drained(void *arg)
{
	struct login *c = arg;

	if (c->state == L_PROXY)
		proxy_client_drained(c);
}

static void
on_secured(void *arg)
{
	secure_done(arg);
}

/* -- the beginning --------------------------------------------------------- */

/* Room, where all places are taken: the longest idle that is not logged in. */
static void
make_room(struct pop3d *d, struct pop3d_listener *l)
{
	int64_t before = clock_boot_ms() - LOGIN_YIELD_MS;
	struct login *c;

	for (c = d->first; c != NULL && c->active_ms < before; c = c->next)
		if (c->from == l &&
		    (c->state & (L_AUTH | L_USER | L_SASL | L_TLS))) {
			login_end(c, "-ERR [SYS/TEMP] Too many connections");
			login_close(c);
			return;
		}
}

static const char *
refusal(const struct pop3d_listener *l, const struct login *c,
    const struct in6_addr *addr)
{
	const struct conf_listen *conf = l->conf;
	size_t i;

	for (i = 0; i < conf->ndenies; i++)
		if (!conf->denies[i].is_sender &&
		    conf_net_match(&conf->denies[i].net, addr))
			return conf->denies[i].text != NULL
			    ? conf->denies[i].text : "Access denied";
	if (l->sessions > conf->connections ||
	    c->client->connections > conf->client_connections)
		return "[SYS/TEMP] Too many connections";
	return NULL;
}

static struct login *
login_new(struct pop3d_listener *l, const struct sockaddr_storage *peer,
    const struct in6_addr *addr)
{
	struct login *c = xcalloc(1, sizeof(*c));
	struct pop3d *d = l->d;
	char ip[INET6_ADDRSTRLEN];

	c->d = d;
	c->from = l;
	c->state = L_AUTH;
	c->session_fd = -1;
	c->sid = d->next_sid++;
	c->begin_ms = clock_boot_ms();
	defer_init(&c->bury, on_bury, c);
	addr_text(peer, ip, sizeof(ip));
	snprintf(c->client_text, sizeof(c->client_text),
	    strchr(ip, ':') == NULL ? "%s:%u" : "[%s]:%u", ip,
	    addr_port(peer));
	c->client = clients_enter(&d->clients, addr, c->begin_ms);
	list_enter(c);
	d->nlogins++;
	d->n_connections++;
	l->sessions++;
	return c;
}

void
login_open(struct pop3d_listener *l, int fd,
    const struct sockaddr_storage *peer)
{
	struct in6_addr addr = addr_in6(peer);
	struct login *c = login_new(l, peer, &addr);
	char text[256];
	const char *why;
	struct event_out e;

	conn_open(&c->conn, l->d->loop, fd, &ops, c, LOGIN_LINE_OCTETS);
	if (l->sessions > l->conf->connections)
		make_room(l->d, l);
	why = refusal(l, c, &addr);
	event_begin(&e, why != NULL ? EV_REFUSED : EV_CONNECT, 0, c->sid);
	event_str(&e, KEY_CLIENT, c->client_text);
	event_str(&e, KEY_SERVICE, "pop3");
	if (why != NULL)
		event_str(&e, KEY_REPLY, why);
	event_send(&e);
	if (why != NULL) {
		l->d->n_refused++;
		snprintf(text, sizeof(text), "-ERR %s", why);
		login_end(c, text);
		return;
	}
	if (l->conf->tls_mode == TLS_IMMEDIATE)
		secure_start(c);
	else
		login_greet(c);
}

void
login_greet(struct login *c)
{
	login_reply(c, "+OK %s POP3 ready", c->d->conf->host);
	conn_deadline_s(&c->conn, LOGIN_IDLE_S);
}

void
login_forget(struct login *c)
{
	auth_cancel(c);
	x_free(&c->name);
}

/* Nobody new comes; who is not logged in has nothing to lose. */
void
login_drain_all(struct pop3d *d)
{
	struct login *c, *next;

	for (c = d->first; c != NULL; c = next) {
		next = c->next;
		if (c->state & (L_AUTH | L_USER | L_SASL | L_TLS))
			login_end(c, "-ERR [SYS/TEMP] The server is restarted");
	}
}
