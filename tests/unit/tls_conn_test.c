/*
 * tls_conn_test.c - the state machine of TLS under a connection, with two ends
 * of ours: upgrade, injected octets, much data through tiny buffers, pauses,
 * ends. What conn_test.c asks of a clear connection holds here, too.
 */
#include "tests/unit/tls_play.h"

#include "lib/net/tls_in.h"

#define MUCH (3u << 20)

static struct {
	struct loop loop;
	struct speaker server, client;
	struct conf_listen listen;
	char *names[1];
	struct end a, b;         /* the server's end and the client's */
} t;

static EVP_PKEY *keys[1];
static struct cert authority, cert;

static void
world_init(void)
{
	X509 *chain[1];

	keys[0] = key_make(KEY_P256);
	authority = cert_make(key_make(KEY_P256), NULL, NULL, 100);
	cert = cert_make(keys[0], &authority, "DNS:mail.example", 90);
	loop_init(&t.loop);
	t.server.blocks[0] = (struct conf_tls){ .name = "main",
	    .cert = "/cert.pem" };
	t.names[0] = t.server.blocks[0].name;
	t.listen.tls = (struct conf_list){ t.names, 1 };
	speaker_init(&t.server, &t.loop, ROLE_SMTPD);
	speaker_init(&t.client, &t.loop, ROLE_RELAY);
	chain[0] = cert.x;
	tls_file(t.server.tls, "/cert.pem", cert_file(chain, 1));
	speaker_keyd(&t.server, keys, 1);
}

static void
world_clear(void)
{
	speaker_clear(&t.server);
	speaker_clear(&t.client);
	loop_clear(&t.loop);
}

/* Two ends in clear; octets: the buffers of the kernel, 0: as they are. */
static void
ends_init(const char *name, int octets)
{
	int sv[2], i;

	check_begin(name);
	peer_pair(sv);
	for (i = 0; i < 2 && octets > 0; i++)
		setsockopt(sv[i], SOL_SOCKET, SO_SNDBUF, &octets,
		    sizeof(octets));
	end_init(&t.a, &t.loop, sv[0]);
	end_init(&t.b, &t.loop, sv[1]);
	t.b.echo = false;
}

static void
ends_clear(void)
{
	end_clear(&t.a);
	end_clear(&t.b);
}

static void
server_begins(void)
{
	conn_tls_accept(&t.a.c, t.server.tls, &t.listen, NULL);
}

static void
client_begins(void)
{
	static const struct tls_wish wish = { .host = "mail.example" };

	conn_tls_connect(&t.b.c, t.client.tls, &wish);
}

static void
ends_secure(const char *name, int octets)
{
	ends_init(name, octets);
	server_begins();
	client_begins();
	loop_until(&t.loop, t.a.secured && t.b.secured);
}

static void
test_upgrade(void)
{
	ends_init("STARTTLS between two lines", 0);
	check_true(!conn_tls_info(&t.a.c, &t.a.info));
	conn_writef(&t.b.c, "STARTTLS\r\n");
	loop_until(&t.loop, t.b.log.len > 0);
	check_str(buf_str(&t.a.log), "[STARTTLS]");
	check_str(buf_str(&t.b.log), "[ok STARTTLS]");
	conn_writef(&t.a.c, "220 go\r\n");
	server_begins(); /* the answer leaves in clear */
	loop_until(&t.loop, t.b.log.len > 13);
	check_str(buf_str(&t.b.log), "[ok STARTTLS][220 go]");
	check_true(!t.a.secured);
	client_begins();
	conn_writef(&t.b.c, "EHLO\r\n"); /* waits, and leaves encrypted */
	loop_until(&t.loop, t.b.log.len > 21);
	check_true(t.a.secured && t.b.secured);
	check_str(buf_str(&t.a.log), "[STARTTLS][EHLO]");
	check_str(buf_str(&t.b.log), "[ok STARTTLS][220 go][ok EHLO]");
	check_str(t.b.info.version, "TLSv1.3");
	check_true(!t.b.info.verified && !t.b.info.dane);
	conn_finish(&t.a.c, 5);
	loop_until(&t.loop, t.a.ended && t.b.ended);
	check_int(t.a.how, CONN_EOF);
	check_int(t.b.how, CONN_EOF);
	ends_clear();
}

/* What stands in the buffer when TLS begins came from anybody. */
static void
starttls_line(void *arg, struct span line, enum conn_eol eol)
{
	struct end *e = arg;

	end_on_line(arg, line, eol);
	if (span_eqstr(line, "STARTTLS")) {
		if (e == &t.a)
			server_begins();
		else
			client_begins();
	}
}

static void
test_injection(void)
{
	static const struct conn_ops ops = { .line = starttls_line,
	    .line_long = end_on_long, .octets = end_on_octets,
	    .ended = end_on_ended, .secured = end_on_secured };
	static const char *const behind[] = { "RCPT TO:<x>\r\n", "RC", "\r\n",
	    "\x16\x03\x01" };
	size_t i;

	for (i = 0; i < nitems(behind); i++) {
		ends_init("octets behind STARTTLS, server", 0);
		t.a.c.ops = &ops;
		conn_writef(&t.b.c, "STARTTLS\r\n%s", behind[i]);
		loop_until(&t.loop, t.a.ended);
		check_int(t.a.how, CONN_TLS);
		check_str(t.a.error,
		    "octets in clear came before the handshake");
		check_str(buf_str(&t.a.log), "[STARTTLS]");
		check_true(!t.a.secured);
		ends_clear();

		ends_init("octets behind the answer, client", 0);
		t.b.c.ops = &ops;
		conn_writef(&t.a.c, "STARTTLS\r\n%s", behind[i]);
		loop_until(&t.loop, t.b.ended);
		check_int(t.b.how, CONN_TLS);
		check_str(buf_str(&t.b.log), "[STARTTLS]");
		ends_clear();
	}
	ends_init("nothing behind it", 0);
	t.a.c.ops = &ops;
	conn_writef(&t.b.c, "STARTTLS\r\n");
	loop_until(&t.loop, t.b.log.len > 0);
	client_begins();
	loop_until(&t.loop, t.a.secured && t.b.secured);
	ends_clear();
}

static void
much_write(struct conn *c)
{
	static char block[65536];
	size_t i, n;

	for (n = 0; n < MUCH; n += sizeof(block)) {
		for (i = 0; i < sizeof(block); i++)
			block[i] = (char)((n + i) * 2654435761u >> 24);
		check_int(conn_write(c, span_make(block, sizeof(block))), 0);
	}
}

static void
much_check(const struct end *e)
{
	struct span s = buf_span(&e->octets);
	size_t i;

	check_int(s.len, MUCH);
	for (i = 0; i < s.len; i++)
		if (s.p[i] != (char)(i * 2654435761u >> 24))
			break;
	check_int(i, MUCH);
}

static void
test_much(void)
{
	static const int buffers[] = { 0, 1, 20000 };
	size_t i;

	for (i = 0; i < nitems(buffers); i++) {
		ends_secure("much in both directions at once", buffers[i]);
		conn_octets(&t.a.c);
		conn_octets(&t.b.c);
		t.a.c.out_max = t.b.c.out_max = MUCH;
		much_write(&t.a.c);
		much_write(&t.b.c);
		loop_until(&t.loop, t.a.octets.len >= MUCH &&
		    t.b.octets.len >= MUCH);
		much_check(&t.a);
		much_check(&t.b);
		check_true(!t.a.ended && !t.b.ended);
		ends_clear();
	}
}

static void
test_pause(void)
{
	size_t before;

	ends_secure("nothing comes while it is paused", 1);
	conn_octets(&t.a.c);
	conn_pause(&t.a.c);
	much_write(&t.b.c);
	loop_run_once(&t.loop, 20);
	loop_run_once(&t.loop, 20);
	check_int(t.a.octets.len, 0);
	conn_resume(&t.a.c);
	loop_until(&t.loop, t.a.octets.len > MUCH / 2);
	conn_pause(&t.a.c);
	before = t.a.octets.len;
	loop_run_once(&t.loop, 20);
	loop_run_once(&t.loop, 20);
	check_int(t.a.octets.len, before);
	conn_resume(&t.a.c);
	loop_until(&t.loop, t.a.octets.len >= MUCH);
	much_check(&t.a);
	ends_clear();

	ends_secure("lines wait while it is paused", 0);
	conn_pause(&t.a.c);
	conn_writef(&t.b.c, "one\r\ntwo\r\n");
	loop_run_once(&t.loop, 10);
	loop_run_once(&t.loop, 10);
	check_str(buf_str(&t.a.log), "");
	conn_resume(&t.a.c);
	loop_until(&t.loop, t.b.log.len >= 16);
	check_str(buf_str(&t.b.log), "[ok one][ok two]");
	ends_clear();
}

static void
test_ends(void)
{
	int fd;

	ends_secure("the last word and the goodbye", 0);
	conn_writef(&t.a.c, "421 bye\r\n");
	conn_finish(&t.a.c, 5);
	loop_until(&t.loop, t.a.ended && t.b.ended);
	check_str(buf_str(&t.b.log), "[421 bye]");
	check_int(t.b.how, CONN_EOF);
	ends_clear();

	ends_secure("much, then the end", 1);
	conn_octets(&t.b.c);
	much_write(&t.a.c);
	conn_finish(&t.a.c, 60);
	loop_until(&t.loop, t.a.ended && t.b.ended);
	much_check(&t.b);
	check_int(t.a.how, CONN_EOF);
	ends_clear();

	ends_secure("answers to one that has closed its side", 0);
	conn_writef(&t.b.c, "one\r\ntwo\r\n");
	loop_run_once(&t.loop, 0);
	conn_finish(&t.b.c, 5);
	loop_until(&t.loop, t.a.ended);
	check_int(t.a.how, CONN_EOF);
	check_str(buf_str(&t.a.log), "[one][two]");
	ends_clear();

	ends_secure("cut off without a goodbye", 0);
	conn_writef(&t.b.c, "one\r\nhal");
	loop_until(&t.loop, t.a.log.len > 0);
	fd = dup(t.b.c.fd);
	shutdown(fd, SHUT_RDWR);
	loop_until(&t.loop, t.a.ended);
	check_int(t.a.how, CONN_EOF);
	check_str(buf_str(&t.a.log), "[one]");
	close(fd);
	ends_clear();

	ends_secure("octets in clear behind the handshake", 0);
	fd = dup(t.b.c.fd);
	check_int(write(fd, "RSET\r\n", 6), 6);
	loop_until(&t.loop, t.a.ended);
	check_int(t.a.how, CONN_ERROR);
	check_str(buf_str(&t.a.log), "");
	check_true(t.a.error[0] != '\0');
	close(fd);
	ends_clear();
}

static void
test_ends_early(void)
{
	char tail[64];
	int fd;

	ends_init("the other side goes in the middle of the handshake", 0);
	server_begins();
	client_begins();
	loop_run_once(&t.loop, 0);
	conn_close(&t.b.c);
	loop_until(&t.loop, t.a.ended);
	check_int(t.a.how, CONN_TLS);
	check_true(!t.a.secured);
	ends_clear();

	ends_init("we finish in the middle of the handshake", 0);
	server_begins();
	loop_run_once(&t.loop, 0);
	conn_writef(&t.a.c, "421 bye\r\n");
	conn_finish(&t.a.c, 5);
	loop_until(&t.loop, t.a.ended && t.b.ended);
	check_int(t.a.how, CONN_EOF);
	check_str(buf_str(&t.b.log), ""); /* least of all in clear */
	ends_clear();

	ends_init("we finish before it has begun", 0);
	conn_writef(&t.a.c, "220 go\r\n");
	server_begins();
	conn_finish(&t.a.c, 5);
	loop_until(&t.loop, t.a.ended && t.b.ended);
	check_str(buf_str(&t.b.log), "[220 go]");
	ends_clear();

	ends_init("a failed handshake says nothing in clear", 0);
	server_begins();
	conn_pause(&t.b.c);
	conn_writef(&t.b.c, "EHLO x\r\n");
	loop_until(&t.loop, t.a.ended);
	conn_writef(&t.a.c, "500 what\r\n");
	check_int(conn_unsent(&t.a.c), 0);
	fd = (int)recv(t.b.c.fd, tail, sizeof(tail), MSG_PEEK);
	check_true(fd <= 0 || tail[0] == 0x15); /* an alert at most */
	ends_clear();
}

static void
test_deadline(void)
{
	ends_secure("a deadline of the owner", 0);
	timer_set_ms(&t.a.c.timer, 1);
	loop_until(&t.loop, t.a.ended);
	check_int(t.a.how, CONN_TIMEOUT);
	ends_clear();

	ends_init("a deadline during the handshake", 0);
	server_begins();
	timer_set_ms(&t.a.c.timer, 1);
	loop_until(&t.loop, t.a.ended);
	check_int(t.a.how, CONN_TIMEOUT);
	ends_clear();
}

/* The limit of the handshake itself, whatever the owner's deadline is. */
static void
test_limit(void)
{
	struct conn_tls *l;

	ends_init("a handshake that takes too long", 0);
	server_begins();
	l = (struct conn_tls *)(void *)t.a.c.layer;
	check_true(timer_is_set(&l->shake->limit));
	timer_set_ms(&l->shake->limit, 1);
	loop_until(&t.loop, t.a.ended);
	check_int(t.a.how, CONN_TLS);
	check_str(t.a.error, "the handshake took too long");
	ends_clear();

	ends_init("a last word in clear that nobody reads", 1);
	conn_pause(&t.b.c);
	much_write(&t.a.c);
	server_begins();
	loop_run_once(&t.loop, 5);
	check_true(!t.a.c.layer->begun);
	l = (struct conn_tls *)(void *)t.a.c.layer;
	timer_set_ms(&l->shake->limit, 1);
	loop_until(&t.loop, t.a.ended);
	check_int(t.a.how, CONN_TLS);
	ends_clear();
}

/* -- whatever the owners do, and whenever ---------------------------------- */

static uint32_t
next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 16;
}

static struct { unsigned secured, line, octets; } close_in; /* 1 in so many */
static uint32_t chance;

static bool
closes(struct end *e, unsigned one_in)
{
	if (one_in == 0 || next_random(&chance) % one_in != 0)
		return false;
	e->ended = true;
	if (next_random(&chance) % 2 == 0)
		conn_close(&e->c);
	else
		conn_finish(&e->c, 1);
	return true;
}

static void
wild_secured(void *arg)
{
	struct end *e = arg;

	e->secured = true;
	if (!closes(e, close_in.secured))
		conn_writef(&e->c, "hello\r\n");
}

static void
wild_line(void *arg, struct span line, enum conn_eol eol)
{
	struct end *e = arg;

	(void)line;
	(void)eol;
	if (closes(e, close_in.line))
		return;
	if (next_random(&chance) % 8 == 0)
		conn_octets(&e->c);
	if (next_random(&chance) % 4 == 0)
		conn_pause(&e->c);
	if (next_random(&chance) % 4 != 0)
		conn_writef(&e->c, "and another line\r\n");
	conn_hold(&e->c, next_random(&chance) % 8 == 0);
}

static size_t
wild_octets(void *arg, struct span data)
{
	struct end *e = arg;
	size_t n = next_random(&chance) % (data.len + 1);

	if (closes(e, close_in.octets))
		return 0;
	if (next_random(&chance) % 2 == 0)
		conn_lines(&e->c, 1000);
	return n;
}

static void
wild_ended(void *arg, enum conn_end how)
{
	struct end *e = arg;

	(void)how;
	e->ended = true;
	conn_close(&e->c);
}

static void
wild_step(struct end *e)
{
	if (!conn_is_open(&e->c))
		return;
	switch (next_random(&chance) % 8) {
	case 0:
		conn_resume(&e->c);
		break;
	case 1:
		conn_pause(&e->c);
		break;
	case 2:
		conn_writef(&e->c, "%0*d\r\n", (int)(next_random(&chance) %
		    900), 7);
		break;
	case 3:
		conn_hold(&e->c, false);
		break;
	}
}

static void
test_wild(void)
{
	static const struct conn_ops ops = { .line = wild_line,
	    .line_long = end_on_long, .octets = wild_octets,
	    .ended = wild_ended, .secured = wild_secured };
	unsigned round, step, secured = 0;

	for (round = 0; round < 300; round++) {
		chance = round;
		ends_init("anything at any time", round % 3 == 0 ? 1 : 0);
		t.a.c.ops = t.b.c.ops = &ops;
		close_in.secured = round % 10 == 0 ? 2 : 0;
		close_in.line = 20 + round % 50;
		close_in.octets = 30;
		server_begins();
		if (round % 7 != 0)
			client_begins();
		else
			conn_writef(&t.b.c, "in clear\r\n");
		for (step = 0; step < 60; step++) {
			wild_step(&t.a);
			wild_step(&t.b);
			loop_run_once(&t.loop, 0);
		}
		secured += t.a.secured;
		check_true(round % 7 != 0 || !t.a.secured);
		ends_clear();
	}
	check_true(secured > 200);
}

static void
test_bindings(void)
{
	char a[TLS_BINDING_MAX], b[TLS_BINDING_MAX];

	ends_secure("both ends are bound to the same", 0);
	check_int(conn_tls_exporter(&t.a.c, a), 32);
	check_int(conn_tls_exporter(&t.b.c, b), 32);
	check_mem(a, 32, b, 32);
	check_int(conn_tls_end_point(&t.a.c, a), 32);
	check_int(conn_tls_end_point(&t.b.c, b), 32);
	check_mem(a, 32, b, 32);
	ends_clear();

	ends_init("nothing in clear is bound", 0);
	check_int(conn_tls_exporter(&t.a.c, a), 0);
	check_int(conn_tls_end_point(&t.a.c, a), 0);
	check_str(conn_tls_error(&t.a.c), "");
	ends_clear();
}

int
main(void)
{
	world_init();
	test_upgrade();
	test_injection();
	test_much();
	test_pause();
	test_ends();
	test_ends_early();
	test_deadline();
	test_limit();
	test_wild();
	test_bindings();
	world_clear();
	return check_end();
}
