/* tests/unit/smtpd_policy_test.c - what a configuration says about clients, and
 * the table in which they are counted. */
#include <arpa/inet.h>

#include "smtpd/smtpd.h"
#include "tests/unit/check.h"

static struct in6_addr
address(const char *text)
{
	struct in6_addr a = IN6ADDR_ANY_INIT;

	if (strchr(text, ':') != NULL)
		inet_pton(AF_INET6, text, &a);
	else {
		a.s6_addr[10] = a.s6_addr[11] = 0xff;
		inet_pton(AF_INET, text, a.s6_addr + 12);
	}
	return a;
}

static const struct {
	const char *from;
	unsigned mx, device; /* 0: may connect */
} peers[] = {
	{ "192.0.2.1",      0,   0 },
	{ "198.51.100.255", 554, 554 },
	{ "198.51.101.0",   0,   554 },
	{ "2001:db8::1",    554, 554 },
	{ "2001:db9::1",    0,   0 },
};

static const struct {
	const char *from;
	bool refused;
} senders[] = {
	{ "a@spam.example", true },
	{ "a@SPAM.Example", true },
	{ "a@sub.spam.example", false },
	{ "a@ham.example", false },
	{ "news@x.example", true },
	{ "new@x.example", false },
	{ "", false },
};

static void
rules(const struct conf *c)
{
	const struct conf_listen *mx = &c->listens[0], *dev = &c->listens[1];
	struct verdict v;
	struct in6_addr a;
	size_t i;

	for (i = 0; i < nitems(peers); i++) {
		check_begin(peers[i].from);
		a = address(peers[i].from);
		v.code = 0;
		check_int(policy_connect(mx, &a, &v), peers[i].mx == 0);
		check_int(v.code, peers[i].mx);
		v.code = 0;
		check_int(policy_connect(dev, &a, &v), peers[i].device == 0);
		check_int(v.code, peers[i].device);
	}
	for (i = 0; i < nitems(senders); i++) {
		check_begin(senders[i].from);
		check_int(policy_sender(mx, span_str(senders[i].from), &v),
		    !senders[i].refused);
	}
	check_begin("the words of the configuration");
	check_true(!policy_sender(mx, span_str("a@spam.example"), &v));
	check_str(v.text, "no spam");
	check_int(v.code, 550);
	check_begin("a device's domains");
	check_true(policy_rcpt(dev, span_str("ISP.example"), &v));
	check_true(policy_rcpt(dev, span_str(""), &v));
	check_true(!policy_rcpt(dev, span_str("other.example"), &v));
	check_int(v.code, 550);
	check_true(policy_rcpt(mx, span_str("other.example"), &v));
}

static void
verdicts(void)
{
	struct verdict v;
	char text[600];

	check_begin("a verdict is printable and bounded");
	memset(text, 'x', sizeof(text));
	text[3] = '\r';
	text[4] = '\n';
	text[5] = '\0';
	verdict_set(&v, 550, "5.7.1", span_make(text, sizeof(text)));
	check_true(strlen(v.text) < sizeof(v.text));
	check_true(span_printable(span_str(v.text)));
}

static void
counting(void)
{
	const struct conf_rate limit = { 2, 60 }, none = { 0, 0 };
	struct clients c;
	struct client *k, *same, *other;
	struct in6_addr a = address("2001:db8::1"), b;
	unsigned i;

	clients_init(&c);
	check_begin("one network, one client");
	k = clients_enter(&c, &a, 0);
	b = address("2001:db8::ffff");
	same = clients_enter(&c, &b, 0);
	check_true(k == same);
	check_int(k->connections, 2);
	b = address("2001:db8:0:1::1");
	other = clients_enter(&c, &b, 0);
	check_true(other != k);
	check_int(c.n, 2);
	clients_leave(&c, k, 0);
	clients_leave(&c, k, 0);
	check_int(c.n, 1);
	clients_leave(&c, other, 0);
	check_int(c.n, 0);

	check_begin("a rate, and hanging up");
	a = address("192.0.2.1");
	k = clients_enter(&c, &a, 1000);
	check_true(client_may_send(k, none, 1000));
	check_true(client_may_send(k, limit, 1000));
	check_true(client_may_send(k, limit, 2000));
	check_true(!client_may_send(k, limit, 60999));
	clients_leave(&c, k, 60999);
	check_int(c.n, 1);
	k = clients_enter(&c, &a, 60999);
	check_true(!client_may_send(k, limit, 60999));
	check_true(client_may_send(k, limit, 61000));
	clients_leave(&c, k, 200000);
	check_int(c.n, 0);

	check_begin("what is over is swept out");
	for (i = 0; i < 100000; i++) {
		b = address("10.0.0.0");
		put_u32(b.s6_addr + 12, i);
		k = clients_enter(&c, &b, i);
		check_state.failed += !client_may_send(k, limit, i);
		clients_leave(&c, k, i);
	}
	check_true(c.n < 100000);
	clients_clear(&c);
}

int
main(void)
{
	struct conf_errors errors = { 0 };
	struct conf *c = conf_parse(span_str("config 1 for smtpd\n"
	    "host mx.isp.example\n"
	    "listen mx { port 25; deny from 198.51.100.0/24, 2001:db8::/32\n"
	    "deny sender @spam.example \"no spam\"\n"
	    "deny sender news@*.example }\n"
	    "listen device { port 26; from 192.0.2.0/24, 2001:db9::/32\n"
	    "to isp.example }\n"), "test", true, &errors);

	if (c == NULL) {
		printf("%s\n", errors.list[0].text);
		return 1;
	}
	rules(c);
	verdicts();
	counting();
	conf_free(c);
	return check_end();
}
