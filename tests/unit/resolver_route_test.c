/*
 * tests/unit/resolver_route_test.c - questions over a channel, answered by
 * libunbound from test records: MX, implicit MX, null MX, loops, failures.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "lib/conf.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "resolver/dane.h"
#include "resolver/resolver.h"
#include "tests/unit/check.h"

/* The data of a digest. */
#define D32 "000102030405060708090a0b0c0d0e0f" \
	"101112131415161718191a1b1c1d1e1f"

static const char records[] =
    "plain.test MX 20 b.test\n"
    "plain.test MX 10 a.test\n"
    "a.test A 192.0.2.1\n"
    "a.test AAAA 2001:db8::1\n"
    "b.test A 192.0.2.2\n"
    "self.test A 192.0.2.3\n"
    "null.test MX 0 .\n"
    "number.test MX 10 192.0.2.1\n"
    "zero.test MX 10 zero.test\n"
    "zero.test A 0.0.0.0\n"
    "xn--bcher-kva.test A 192.0.2.6\n"
    "alias.test CNAME plain.test\n"
    "ring1.test CNAME ring2.test\n"
    "ring2.test CNAME ring1.test\n"
    "ours.test MX 10 mx.here.test\n"
    "ours.test MX 20 b.test\n"
    "backup.test MX 10 a.test\n"
    "backup.test MX 20 MX.here.test\n"
    "backup.test MX 30 b.test\n"
    "mx.here.test A 192.0.2.9\n"
    "lo.test MX 10 localhost.lo.test\n"
    "localhost.lo.test A 127.0.0.1\n"
    "localhost.lo.test AAAA ::1\n"
    "mixed.test MX 10 localhost.lo.test\n"
    "mixed.test MX 10 b.test\n"
    "dead.test MX 10 nowhere.test\n"
    "gone.test NXDOMAIN\n"
    "broken.test MX SERVFAIL\n"
    "half.test MX 10 slow.test\n"
    "half.test MX 20 b.test\n"
    "slow.test TIMEOUT\n"
    "forged.test MX BOGUS\n"
    "signed.test MX 10 signed.test\n"
    "signed.test A 192.0.2.5\n"
    "signed.test SECURE\n"
    "_25._tcp.signed.test TLSA 3 1 1 " D32 "\n"
    "_25._tcp.signed.test SECURE\n"
    "_26._tcp.signed.test TLSA 3 1 1 " D32 "\n" /* not SECURE */
    "_27._tcp.signed.test TLSA BOGUS\n"
    "_28._tcp.signed.test TLSA SERVFAIL\n"
    "_29._tcp.signed.test TLSA TIMEOUT\n"
    "_30._tcp.signed.test TLSA 1 1 1 " D32 "\n"
    "_30._tcp.signed.test SECURE\n"
    "_31._tcp.signed.test TLSA 3 1 1 " D32 "\n"
    "_31._tcp.signed.test TLSA 0 0 1 " D32 "\n"
    "_31._tcp.signed.test TLSA 3 1 1 0011\n"
    "_31._tcp.signed.test TLSA 2 0 2 " D32 D32 "\n"
    "_31._tcp.signed.test SECURE\n"
    "half-signed.test MX 10 signed.test\n"   /* its MX is not SECURE */
    "mx-signed.test MX 10 a.test\n"          /* the address is not */
    "mx-signed.test MX 20 signed.test\n"
    "mx-signed.test SECURE\n"
    "_25._tcp.a.test TLSA 3 1 1 " D32 "\n"
    "_25._tcp.a.test SECURE\n"
    "alias-signed.test CNAME signed.test\n"
    "alias-signed.test SECURE\n"
    "_26._tcp.alias-signed.test TLSA 3 1 1 " D32 "\n"
    "_26._tcp.alias-signed.test SECURE\n"
    "alias-half.test CNAME self.test\n"
    "alias-half.test SECURE\n"
    "_25._tcp.alias-half.test TLSA 3 1 1 " D32 "\n"
    "_25._tcp.alias-half.test SECURE\n"
    "txt.test TXT \"v=spf1\" \" -all\"\n"
    "9.2.0.192.in-addr.arpa PTR mx.here.test\n";

static struct {
	struct resolver r;
	struct conf conf;
	struct loop *loop;
	struct channel server, client;
	struct buf got;
	unsigned waiting;
} t = { .got = BUF_INIT(65536) };

static int
on_ask(void *arg, struct ipc_msg *m)
{
	return ask_start(arg, m);
}

static int
on_route(void *arg, struct ipc_msg *m)
{
	return route_start(arg, m);
}

static const struct ipc_handler relay[] = {
	{ IPC_ROUTE_ASK, on_route }, IPC_HANDLERS_END };
static const struct ipc_handler smtpd[] = {
	{ IPC_DNS_ASK, on_ask }, IPC_HANDLERS_END };
static const struct ipc_handler none[] = { IPC_HANDLERS_END };

/* "host/pref", and with DANE "/state,base,records". */
static unsigned
hosts_read(struct ipc_reader *rd, char hosts[20][300])
{
	struct buf b = BUF_INIT(300);
	unsigned n = ipc_get_u8(rd), i, state, rows;
	struct span name, base;

	for (i = 0; i < n && i < 20; i++) {
		name = ipc_get_span(rd, 255);
		buf_addf(&b, "%.*s/%u", SPAN_ARG(name), ipc_get_u16(rd));
		state = ipc_get_u8(rd);
		base = ipc_get_span(rd, 255);
		rows = ipc_get_u8(rd);
		if (state != DANE_NONE)
			buf_addf(&b, "/%u,%.*s,%u", state, SPAN_ARG(base),
			    rows);
		for (; rows > 0; rows--)
			check_true(tlsa_usable(ipc_get_span(rd, 2000)));
		span_copy(buf_span(&b), hosts[i], 300);
		buf_reset(&b);
	}
	buf_clear(&b);
	return n;
}

/* "status[s]: host/pref/last octet ..." */
static int
on_route_answer(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd;
	char hosts[20][300];
	struct span addr;
	unsigned n, host, nhosts;
	bool secure;

	(void)arg;
	t.waiting--;
	if (m == NULL)
		return buf_add_str(&t.got, "lost");
	rd = ipc_reader(m);
	buf_addf(&t.got, "%u", ipc_get_u8(&rd));
	buf_add_str(&t.got, ipc_get_u8(&rd) ? "s" : "");
	ipc_get_span(&rd, IPC_TEXT_MAX);
	nhosts = hosts_read(&rd, hosts);
	for (n = ipc_get_u16(&rd); n > 0; n--) {
		host = ipc_get_u8(&rd);
		check_true(host < nhosts);
		secure = ipc_get_u8(&rd) != 0;
		addr = ipc_get_octets(&rd, ipc_get_u8(&rd) == 6 ? 16 : 4);
		buf_addf(&t.got, " %s%s/%s%u", hosts[host], secure ?
		    "s" : "", addr.len == 16 ? "6." : "", addr.len > 0 ?
		    (unsigned char)addr.p[addr.len - 1] : 0);
	}
	check_true(ipc_at_end(&rd));
	return 0;
}

static void
wait_for_answers(void)
{
	unsigned i;

	for (i = 0; i < 500 && t.waiting > 0; i++)
		loop_run_once(t.loop, 20);
	check_int(t.waiting, 0);
}

static void
route_port(const char *name, uint8_t flags, uint16_t port, const char *want)
{
	struct ipc_writer w;

	check_begin(name);
	buf_reset(&t.got);
	t.waiting = 1;
	w = ipc_begin(&t.client, IPC_ROUTE_ASK, channel_request(&t.client,
	    9000, on_route_answer, NULL), 0);
	ipc_put_u8(&w, flags);
	ipc_put_u16(&w, port);
	ipc_put_str(&w, name);
	ipc_end(&w);
	wait_for_answers();
	check_span(buf_span(&t.got), want);
}

static void
route(const char *name, uint8_t flags, const char *want)
{
	route_port(name, flags, 25, want);
}

static int
on_dns_answer(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);
	struct span data;
	unsigned n;

	(void)arg;
	t.waiting--;
	buf_addf(&t.got, "%u", ipc_get_u8(&rd));
	ipc_get_u8(&rd);
	for (n = ipc_get_u16(&rd); n > 0; n--) {
		data = ipc_get_span(&rd, IPC_BODY_MAX);
		buf_addf(&t.got, " %.*s", SPAN_ARG(data));
	}
	check_true(ipc_at_end(&rd));
	return 0;
}

static void
ask(const char *name, uint16_t type, const char *want)
{
	struct ipc_writer w;

	check_begin(name);
	buf_reset(&t.got);
	t.waiting = 1;
	w = ipc_begin(&t.client, IPC_DNS_ASK, channel_request(&t.client,
	    9000, on_dns_answer, NULL), 0);
	ipc_put_u16(&w, type);
	ipc_put_str(&w, name);
	ipc_end(&w);
	wait_for_answers();
	check_span(buf_span(&t.got), want);
}

static void
connect_as(enum role peer, const struct ipc_handler *handlers)
{
	int fds[2];

	if (t.server.loop != NULL) {
		channel_close(&t.client);
		channel_close(&t.server);
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == -1)
		fatal("socketpair");
	channel_init(&t.server, t.loop, ROLE_RESOLVER, peer, handlers, &t.r);
	channel_init(&t.client, t.loop, peer, ROLE_RESOLVER, none, NULL);
	channel_open(&t.server, fds[0]);
	channel_open(&t.client, fds[1]);
}

static void
routes(void)
{
	connect_as(ROLE_RELAY, relay);
	route("plain.test", ROUTE_F_MX,
	    "0 a.test/10/6.1 a.test/10/1 b.test/20/2");
	route("PLAIN.test.", ROUTE_F_MX | ROUTE_F_NO_IPV6,
	    "0 a.test/10/1 b.test/20/2");
	route("alias.test", ROUTE_F_MX | ROUTE_F_NO_IPV6,
	    "0 a.test/10/1 b.test/20/2");
	route("ring1.test", ROUTE_F_MX, "3");
	route("self.test", ROUTE_F_MX, "0 self.test/0/3");
	route("plain.test", ROUTE_F_HOST, "2");
	route("a.test", ROUTE_F_HOST, "0 a.test/0/6.1 a.test/0/1");
	route("null.test", ROUTE_F_MX, "5");
	route("ours.test", ROUTE_F_MX, "6");
	route("backup.test", ROUTE_F_MX, "0 a.test/10/6.1 a.test/10/1");
	route("mx.here.test", ROUTE_F_MX, "6");
	route("lo.test", ROUTE_F_MX, "6");
	route("mixed.test", ROUTE_F_MX, "0 b.test/10/2");
	route("number.test", ROUTE_F_MX, "2");
	t.conf.allow_loopback = true;
	route("zero.test", ROUTE_F_MX, "6");
	route("lo.test", ROUTE_F_MX | ROUTE_F_NO_IPV6,
	    "0 localhost.lo.test/10/1");
	t.conf.allow_loopback = false;
	route("dead.test", ROUTE_F_MX, "2");
	route("gone.test", ROUTE_F_MX, "1");
	route("unheard-of.test", ROUTE_F_MX, "1");
	route("broken.test", ROUTE_F_MX, "3");
	route("forged.test", ROUTE_F_MX, "4");
	route("signed.test", ROUTE_F_MX, "0s signed.test/10s/5");
	route("b\303\274cher.test", ROUTE_F_MX,
	    "0 xn--bcher-kva.test/0/6");
	route("b\303cher.test", ROUTE_F_MX, "1");
	route("half.test", ROUTE_F_MX, "0 b.test/20/2");
	check_int(t.r.open, 0);
}

/* More than an answer holds: 51 of 70 digests; and a certificate too large for
 * it, which is not the same as none that is usable. */
static void
records_add(int fd)
{
	FILE *f = fdopen(fd, "w");
	unsigned i;

	if (f == NULL || fputs(records, f) == EOF)
		fatal("records");
	for (i = 0; i < 70; i++)
		fprintf(f, "_32._tcp.signed.test TLSA 3 1 1 %02x%s\n", i,
		    &D32[2]);
	fputs("_32._tcp.signed.test SECURE\n"
	    "_33._tcp.signed.test SECURE\n"
	    "_33._tcp.signed.test TLSA 3 0 0 ", f);
	for (i = 0; i < DANE_OCTETS_MAX - 4 - 3 + 1; i++)
		fputs("ab", f);
	fputs("\n", f);
	fclose(f);
}

/* What TLSA records make of a host: RFC 7672 sections 2.2 and 3.1. */
static void
dane(void)
{
	const uint8_t mx = ROUTE_F_MX | ROUTE_F_DANE | ROUTE_F_NO_IPV6;
	const uint8_t host = ROUTE_F_HOST | ROUTE_F_DANE | ROUTE_F_NO_IPV6;

	connect_as(ROLE_RELAY, relay);
	route("signed.test", mx, "0s signed.test/10/1,signed.test,1s/5");
	route("signed.test", host, "0 signed.test/0/1,signed.test,1s/5");
	route("signed.test", ROUTE_F_MX | ROUTE_F_NO_IPV6,
	    "0s signed.test/10s/5");
	route("half-signed.test", mx, "0 signed.test/10s/5");
	route("mx-signed.test", mx,
	    "0s a.test/10/1 signed.test/20/1,signed.test,1s/5");
	route("a.test", host, "0 a.test/0/1");
	route_port("signed.test", mx, 24, "0s signed.test/10s/5");
	route_port("signed.test", mx, 26, "0s signed.test/10s/5");
	route_port("signed.test", mx, 27,
	    "0s signed.test/10/3,signed.test,0s/5");
	route_port("signed.test", mx, 28,
	    "0s signed.test/10/3,signed.test,0s/5");
	route_port("signed.test", mx, 29,
	    "0s signed.test/10/3,signed.test,0s/5");
	route_port("signed.test", mx, 30,
	    "0s signed.test/10/2,signed.test,0s/5");
	route_port("signed.test", mx, 31,
	    "0s signed.test/10/1,signed.test,2s/5");
	route_port("signed.test", mx, 32,
	    "0s signed.test/10/1,signed.test,51s/5");
	route_port("signed.test", mx, 33,
	    "0s signed.test/10/3,signed.test,0s/5");
	/* at the end of the CNAMEs, else at the name itself */
	route("alias-signed.test", host,
	    "0 alias-signed.test/0/1,signed.test,1s/5");
	route_port("alias-signed.test", host, 26,
	    "0 alias-signed.test/0/1,alias-signed.test,1s/5");
	route("alias-half.test", host,
	    "0 alias-half.test/0/1,alias-half.test,1/3");
	check_int(t.r.open, 0);
}

static void
usable(void)
{
	static const struct { const char *name, *rdata; size_t len; bool is; }
	    cases[] = {
		{ "cut short", "\3\1\1", 3, false },
		{ "no digest", "\3\1\1x", 4, false },
		{ "whole certificate", "\2\0\0x", 4, true },
		{ "usage 0", "\0\0\0x", 4, false },
		{ "usage 1", "\1\0\0x", 4, false },
		{ "usage 4", "\4\0\0x", 4, false },
		{ "selector 2", "\3\2\0x", 4, false },
		{ "matching 3", "\3\1\3x", 4, false },
	};
	size_t i;

	for (i = 0; i < nitems(cases); i++) {
		check_begin(cases[i].name);
		check_int(tlsa_usable(span_make(cases[i].rdata,
		    cases[i].len)), cases[i].is);
	}
}

static void
questions(void)
{
	connect_as(ROLE_SMTPD, smtpd);
	ask("lo.test", RR_MX, "0 10 localhost.lo.test");
	ask("9.2.0.192.in-addr.arpa", RR_PTR, "0 mx.here.test");
	ask("txt.test", RR_TXT, "0 v=spf1 -all");
	ask("alias.test", RR_CNAME, "0 plain.test");
	ask("txt.test", RR_A, "2");
	ask("gone.test", RR_A, "1");
	ask("..", RR_A, "1");
}

static void
peer_lost(void)
{
	struct ipc_writer w;

	check_begin("the asker goes before the answer comes");
	connect_as(ROLE_RELAY, relay);
	w = ipc_begin(&t.client, IPC_ROUTE_ASK, channel_request(&t.client,
	    9000, on_route_answer, NULL), 0);
	ipc_put_u8(&w, ROUTE_F_MX);
	ipc_put_u16(&w, 25);
	ipc_put_str(&w, "half.test");
	ipc_end(&w);
	loop_run_once(t.loop, 100);
	loop_run_once(t.loop, 100);
	check_int(t.r.open, 1);
	channel_forget(&t.client, 1);
	asker_drop_all(&t.r, &t.server);
	check_int(t.r.open, 0);
	channel_close(&t.client);
	channel_close(&t.server);
}

int
main(void)
{
	char path[] = "/tmp/resolver_route_test.XXXXXX";
	char host[] = "mx.here.test";
	int fd = mkstemp(path);

	if (fd == -1)
		fatal("%s", path);
	records_add(fd);
	log_init("resolver_route_test");
	t.conf.host = host;
	t.conf.dns.records = path;
	t.r.daemon.conf = &t.conf;
	t.loop = &t.r.daemon.loop;
	loop_init(t.loop);
	check_int(dns_open(&t.r.dns, &t.conf, true), 0);
	unlink(path);
	dns_start(&t.r.dns, t.loop);
	t.r.dns.query_ms = 300;
	routes();
	dane();
	usable();
	questions();
	peer_lost();
	dns_close(&t.r.dns);
	loop_clear(t.loop);
	buf_clear(&t.got);
	return check_end();
}
