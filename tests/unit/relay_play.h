/*
 * tests/unit/relay_play.h - the others, as relay sees them: hosts that follow a
 * script, queued and the resolver. All in one loop with relay itself.
 */
#ifndef TESTS_UNIT_RELAY_PLAY_H
#define TESTS_UNIT_RELAY_PLAY_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/mem.h"
#include "relay/relay.h"
#include "tests/unit/check.h"
#include "tests/unit/fake_peer.h"

#define HOSTS 3

/* One rule: the command begins with it, then this is answered. "!" closes,
 * "" says nothing, "~TEXT" says it and closes, "*TEXT" says it and speaks TLS.
 * NULL ends. */
struct rule { const char *begin, *answer; };

struct script {
	const char *greeting;
	const char *ehlo;         /* NULL: "250 host" */
	const char *dot;          /* NULL: "250 2.0.0 taken" */
	struct rule rules[6];
};

struct visit {
	struct visit *next;
	struct host *host;
	struct conn conn;
	bool text;
	struct defer reap;
};

struct host {
	int fd;
	struct watch watch;
	const struct script *script; /* NULL: nobody listens */
	unsigned connections;
	struct buf heard;         /* commands, one a line */
	struct buf got;           /* the text behind DATA */
};

static struct {
	struct relay r;
	struct conf conf;
	struct conf_route routes[8];
	struct loop *loop;
	struct channel queued, resolver;
	struct host hosts[HOSTS];
	uint16_t port;
	struct buf told;          /* "number outcome enhanced" per line */
	struct buf text;          /* the last reply text and host */
	struct buf level;         /* and how it went there */
	unsigned done, reported, expect_done;
	uint32_t next_job;
	bool mad;                 /* hosts answer at random now and then */
	const char *route;        /* what the resolver says: "123", or "!5" */
	const char *dane;         /* of each host, "013", or NULL: nothing */
	uint8_t beside;           /* what it adds to a host's place */
	struct span tlsa;         /* the record of those that have one */
	struct tls *tls;          /* of the hosts */
	const struct conf_listen *listen;
} t = { .told = BUF_INIT(65536), .text = BUF_INIT(8192),
	.level = BUF_INIT(IPC_TLS_MAX), .route = "1" };

/* -- hosts -----------------------------------------------------------------*/

static void
visit_reap(void *arg)
{
	free(arg);
}

static void
visit_close(struct visit *c)
{
	conn_close(&c->conn);
	loop_defer(t.loop, &c->reap);
}

static void
say(struct visit *c, const char *what)
{
	if (*what == '!') {
		visit_close(c);
		return;
	}
	if (*what == '~') {
		conn_writef(&c->conn, "%s\r\n", what + 1);
		conn_finish(&c->conn, 1);
		return;
	}
	if (*what == '*') {
		conn_writef(&c->conn, "%s\r\n", what + 1);
		conn_tls_accept(&c->conn, t.tls, t.listen, NULL);
		return;
	}
	if (*what != '\0')
		conn_writef(&c->conn, "%s\r\n", what);
}

/* What a host says that has lost its mind; the same at each run. */
static const char *
babble(const char *sane)
{
	static const char *const words[] = { "250 2.0.0 ok", "354 go on",
		"421 4.3.2 full", "~421 4.3.2 bye", "450 4.2.1 busy", "!",
		"452 4.5.3 too many", "550 5.1.1 no", "554 5.6.0 bad",
		"250-two\r\n250 lines", "250 ok\r\n250 more", "220 hello",
		"hello", "250-a\r\n251 b", "503 5.5.1 order", "354 a\r\n250 b",
		"250-h\r\n250-PIPELINING\r\n250 SIZE 5", "552 full" };
	static uint32_t seed = 1;

	seed = seed * 1103515245u + 12345u;
	if ((seed >> 16) % 3 != 0)
		return sane;
	return words[(seed >> 18) % nitems(words)];
}

static void
on_text_line(struct visit *c, struct span line)
{
	struct host *h = c->host;
	const struct rule *rule;
	const char *answer;

	if (!span_eqstr(line, ".")) {
		buf_addf(&h->got, "%.*s|", SPAN_ARG(line));
		for (rule = h->script->rules; rule->begin != NULL; rule++)
			if (span_eqstr(line, rule->begin))
				say(c, rule->answer);
		return;
	}
	c->text = false;
	answer = h->script->dot != NULL ? h->script->dot : "250 2.0.0 taken";
	say(c, t.mad ? babble(answer) : answer);
}

static void
on_visit_line(void *arg, struct span line, enum conn_eol eol)
{
	struct visit *c = arg;
	struct host *h = c->host;
	const struct rule *rule;
	const char *answer = "250 2.0.0 ok";

	check_int(eol, EOL_CRLF);
	if (c->text) {
		on_text_line(c, line);
		return;
	}
	buf_addf(&h->heard, "%.*s|", SPAN_ARG(line));
	if (span_caseprefix(line, "EHLO") || span_caseprefix(line, "LHLO"))
		answer = h->script->ehlo != NULL ? h->script->ehlo :
		    "250 host";
	else if (span_caseeq(line, "DATA"))
		answer = "354 go on";
	else if (span_caseeq(line, "QUIT"))
		answer = "~221 bye";
	for (rule = h->script->rules; rule->begin != NULL; rule++)
		if (span_prefix(line, rule->begin)) {
			answer = rule->answer;
			break;
		}
	if (t.mad)
		answer = babble(answer);
	c->text = strncmp(answer, "354", 3) == 0;
	say(c, answer);
}

static void
on_visit_long(void *arg)
{
	(void)arg;
	check_true(false);
}

static void
on_visit_ended(void *arg, enum conn_end how)
{
	(void)how;
	visit_close(arg);
}

static void
on_visit_secured(void *arg)
{
	struct visit *c = arg;

	buf_add_str(&c->host->heard, "TLS|");
}

static const struct conn_ops visit_ops = {
	.line = on_visit_line,
	.line_long = on_visit_long,
	.ended = on_visit_ended,
	.secured = on_visit_secured,
};

static void
visit_open(struct host *h, int fd)
{
	struct visit *c = xcalloc(1, sizeof(*c));

	h->connections++;
	c->host = h;
	defer_init(&c->reap, visit_reap, c);
	conn_open(&c->conn, t.loop, fd, &visit_ops, c, 4096);
	say(c, t.mad ? babble(h->script->greeting) : h->script->greeting);
}

static void
on_accept(void *arg, unsigned what)
{
	struct host *h = arg;
	int fd = accept4(h->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)what;
	if (fd == -1)
		return;
	if (h->script == NULL)
		close(fd);
	else
		visit_open(h, fd);
}

/* All on one port, as MX hosts are. */
static void
hosts_open(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof(in);
	unsigned i;
	int one = 1;

	for (i = 0; i < HOSTS; i++) {
		struct host *h = &t.hosts[i];

		buf_init(&h->heard, 65536);
		buf_init(&h->got, 8u << 20);
		in.sin_addr.s_addr = htonl(0x7f000001 + i);
		h->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		setsockopt(h->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (bind(h->fd, (struct sockaddr *)&in, sizeof(in)) == -1 ||
		    listen(h->fd, 10) == -1 ||
		    getsockname(h->fd, (struct sockaddr *)&in, &len) == -1)
			fatal("listening on 127.0.0.%u", i + 1);
		watch_init(&h->watch, t.loop, h->fd, on_accept, h);
		watch_set(&h->watch, LOOP_READ);
	}
	t.port = ntohs(in.sin_port);
}

/* -- queued and the resolver -----------------------------------------------*/

static void
told(struct ipc_reader *rd)
{
	uint32_t number = ipc_get_u32(rd);
	uint8_t outcome = ipc_get_u8(rd);
	struct span enhanced = ipc_get_span(rd, 15);
	struct span text = ipc_get_span(rd, 2000);
	struct span host = ipc_get_span(rd, 1000);
	struct span tls = ipc_get_span(rd, IPC_TLS_MAX);

	check_true(ipc_at_end(rd));
	buf_addf(&t.told, "%u %u %.*s|", number, outcome, SPAN_ARG(enhanced));
	buf_reset(&t.text);
	buf_addf(&t.text, "%.*s @%.*s", SPAN_ARG(text), SPAN_ARG(host));
	buf_reset(&t.level);
	buf_add_span(&t.level, tls);
}

static int
on_outcome(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);

	(void)arg;
	told(&rd);
	return 0;
}

static int
on_report(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);

	(void)arg;
	buf_addf(&t.told, "qid %u ", (unsigned)ipc_get_u64(&rd));
	told(&rd);
	return 0;
}

static int
on_done(void *arg, struct ipc_msg *m)
{
	(void)arg;
	(void)m;
	t.done++;
	return 0;
}

static int
on_reported(void *arg, struct ipc_msg *m)
{
	(void)arg;
	(void)m;
	t.reported++;
	return 0;
}

static int
on_route_ask(void *arg, struct ipc_msg *m)
{
	struct ipc_writer w = ipc_reply_begin(&t.resolver, m,
	    IPC_ROUTE_ANSWER);
	const char *p;
	char name[20];
	uint8_t dane;

	(void)arg;
	ipc_put_u8(&w, *t.route == '!' ? (uint8_t)(t.route[1] - '0') : DNS_OK);
	ipc_put_u8(&w, 0);
	ipc_put_str(&w, *t.route == '!' ? "as the test wants it" : "");
	ipc_put_u8(&w, *t.route == '!' ? 0 : (uint8_t)strlen(t.route));
	for (p = t.route; *p != '\0' && *t.route != '!'; p++) {
		snprintf(name, sizeof(name), "mx%c.test", *p);
		ipc_put_str(&w, name);
		ipc_put_u16(&w, (uint16_t)(p - t.route));
		dane = t.dane == NULL ? DANE_NONE :
		    (uint8_t)(t.dane[p - t.route] - '0');
		ipc_put_u8(&w, dane);
		ipc_put_str(&w, dane == DANE_USABLE ? name : "");
		ipc_put_u8(&w, dane == DANE_USABLE);
		if (dane == DANE_USABLE)
			ipc_put_span(&w, t.tlsa);
	}
	ipc_put_u16(&w, *t.route == '!' ? 0 : (uint16_t)strlen(t.route));
	for (p = t.route; *p != '\0' && *t.route != '!'; p++) {
		ipc_put_u8(&w, (uint8_t)(p - t.route + t.beside));
		ipc_put_u8(&w, 0);
		ipc_put_u8(&w, 4);
		ipc_put_octets(&w, span_make((char[]){ 127, 0, 0,
			(char)(*p - '0') }, 4));
	}
	ipc_end(&w);
	return 0;
}

static const struct ipc_handler queued_side[] = {
	{ IPC_JOB_WINDOW, on_nothing }, { IPC_JOB_OUTCOME, on_outcome },
	{ IPC_JOB_DONE, on_done }, { IPC_JOB_REPORT, on_report },
	{ IPC_JOB_REPORTED, on_reported }, IPC_HANDLERS_END };
static const struct ipc_handler resolver_side[] = {
	{ IPC_ROUTE_ASK, on_route_ask }, IPC_HANDLERS_END };
static const struct ipc_handler none[] = { IPC_HANDLERS_END };

static const struct daemon_peer peers[] = {
	{ ROLE_QUEUED, relay_job_handlers, job_up, job_down },
	{ ROLE_RESOLVER, none, NULL, NULL },
	{ ROLE_NONE, NULL, NULL, NULL }
};
static const struct daemon_spec spec = { .role = ROLE_RELAY, .peers = peers };

static void
wire(struct channel *ours, enum role role)
{
	struct channel *theirs = daemon_peer(&t.r.daemon, role, 0);
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == -1)
		fatal("socketpair");
	channel_open(ours, fds[0]);
	channel_open(theirs, fds[1]);
	if (role == ROLE_QUEUED)
		job_up(&t.r, theirs);
}

/* -- one job ---------------------------------------------------------------*/

struct letter {
	const char *from, *to[4], *text, *envid;
	uint32_t flags, route;
	uint8_t notify;
	int big; /* a descriptor, or 0 */
};

static inline void
job_put(const struct letter *l)
{
	uint32_t job = ++t.next_job;
	struct ipc_writer w = ipc_begin(&t.queued, IPC_JOB_BEGIN, 0, job);
	uint16_t n = 0, i;

	while (n < 4 && l->to[n] != NULL)
		n++;
	ipc_put_u64(&w, 1000 + job);
	ipc_put_u8(&w, FINAL_REMOTE);
	ipc_put_u32(&w, l->flags);
	ipc_put_u64(&w, 0);
	ipc_put_u64(&w, 0);
	ipc_put_u16(&w, 1);
	ipc_put_str(&w, l->from);
	ipc_put_str(&w, l->to[0]);
	ipc_put_str(&w, "");
	ipc_put_str(&w, "dest.test");
	ipc_put_str(&w, "");
	ipc_put_str(&w, "0123456789");
	ipc_put_str(&w, l->envid != NULL ? l->envid : "");
	ipc_put_u32(&w, l->route);
	ipc_put_u16(&w, n);
	ipc_end(&w);
	for (i = 0; i < n; i++) {
		w = ipc_begin(&t.queued, IPC_JOB_RCPT, 0, job);
		ipc_put_u32(&w, i + 1u);
		ipc_put_str(&w, l->to[i]);
		ipc_put_u8(&w, l->notify);
		ipc_put_str(&w, l->notify != 0 ? "rfc822;a+b@c.test" : "");
		ipc_end(&w);
	}
	if (l->big != 0) {
		w = ipc_begin(&t.queued, IPC_JOB_BIG, 0, job);
		ipc_put_fd(&w, l->big);
		ipc_end(&w);
	} else {
		w = ipc_begin(&t.queued, IPC_JOB_BODY, 0, job);
		ipc_put_octets(&w, span_str(l->text));
		ipc_end(&w);
	}
	w = ipc_begin(&t.queued, IPC_JOB_END, 0, job);
	ipc_end(&w);
	t.expect_done++;
}

static inline void
run_until_done(void)
{
	unsigned i;

	for (i = 0; i < 3000 && t.done < t.expect_done; i++)
		loop_run_once(t.loop, 10);
	check_int(t.done, t.expect_done);
}

static inline void
forget(void)
{
	unsigned i;

	buf_reset(&t.told);
	for (i = 0; i < HOSTS; i++) {
		t.hosts[i].script = NULL;
		t.hosts[i].connections = 0;
		buf_reset(&t.hosts[i].heard);
		buf_reset(&t.hosts[i].got);
	}
	t.route = "1";
	t.r.ndead = 0;
}

/* Connections that the last case left are not for the next one. */
static inline void
drop_idle(void)
{
	struct session *s, *next;
	unsigned i;

	for (s = t.r.sessions; s != NULL; s = next) {
		next = s->next;
		session_close(s);
	}
	for (i = 0; i < 5; i++)
		loop_run_once(t.loop, 2);
	check_int(t.r.njobs, 0);
	check_int(t.r.nsessions, 0);
}

/* -- relay itself ----------------------------------------------------------*/

static inline void
play_start(const char *name, const struct relay_times *times)
{
	static char host[] = "me.test";

	log_init(name);
	relay_init(&t.r);
	t.r.times = times;
	t.r.daemon.spec = &spec;
	t.r.daemon.arg = &t.r;
	t.r.daemon.conf = &t.conf;
	t.loop = &t.r.daemon.loop;
	loop_init(t.loop);
	hosts_open();
	t.conf.host = host;
	t.conf.allow_loopback = true;
	t.conf.mx_port = t.port;
	t.conf.relay = (struct conf_relay){ .connections = 20, .workers = 1,
		.limit = 50 };
	channel_init(&t.queued, t.loop, ROLE_QUEUED, ROLE_RELAY, queued_side,
	    NULL);
	channel_init(&t.resolver, t.loop, ROLE_RESOLVER, ROLE_RELAY,
	    resolver_side, NULL);
	wire(&t.queued, ROLE_QUEUED);
	wire(&t.resolver, ROLE_RESOLVER);
}

/* The first n of t.routes are what there is. */
static inline void
play_routes(size_t n)
{
	t.conf.routes = t.routes;
	t.conf.nroutes = n;
}

#endif /* TESTS_UNIT_RELAY_PLAY_H */
