/*
 * tests/unit/relay_secure_test.c - who must encrypt, whom relay believes, and
 * what becomes of a letter when it does not come about. Hosts follow a script,
 * as in relay_session_test; their keys are with a keyd of the test's.
 */
#include "tests/unit/tls_play.h"

#include "tests/unit/relay_play.h"

enum { MAY, REQUIRED, VERIFIED, NEVER, NO_DANE, SHOWS, ROUTES };

#define TLS "250-h\r\n250 STARTTLS"
#define G .greeting = "220 h"
#define GOES { "STARTTLS", "*220 go" }
#define BREAKS { "STARTTLS", "~220 go" }
#define HEARD "MAIL FROM:<me@here.test>|RCPT TO:<a@dest.test>|DATA|"
#define SEALED "EHLO me.test|STARTTLS|TLS|EHLO me.test|" HEARD
#define CLEAR "EHLO me.test|" HEARD
#define TAKEN "1 2 2.0.0|"

static struct speaker server, client;
static EVP_PKEY *key;
static struct cert root, host;

static const struct {
	const char *name;
	uint32_t route;
	const char *hosts, *dane;
	struct script scripts[HOSTS];
	bool known;
	const char *told, *tls, *heard;
	unsigned connections;    /* to the first */
} cases[] = {
	{ "as it is offered", MAY, "1", NULL, { { G, TLS, NULL, { GOES } } },
	    false, TAKEN, "TLSv1.3,opportunistic", SEALED, 1 },
	{ "not offered", MAY, "1", NULL, { { G } }, false, TAKEN, "none",
	    CLEAR, 1 },
	{ "refused", MAY, "1", NULL, { { G, TLS, NULL,
	    { { "STARTTLS", "454 4.7.0 no" } } } }, false, TAKEN, "none",
	    "EHLO me.test|STARTTLS|" HEARD, 1 },
	{ "broken: once more in clear", MAY, "1", NULL, { { G, TLS, NULL,
	    { BREAKS } } }, false, TAKEN, "none",
	    "EHLO me.test|STARTTLS|" CLEAR, 2 },
	{ "no answer to it: once more in clear", MAY, "1", NULL, { { G, TLS,
	    NULL, { { "STARTTLS", "!" } } } }, false, TAKEN, "none",
	    "EHLO me.test|STARTTLS|" CLEAR, 2 },
	{ "octets behind 220", MAY, "1", NULL, { { G, TLS, NULL,
	    { { "STARTTLS", "220 go\r\n250 more" } } } }, false,
	    "1 3 4.5.0|", NULL, "EHLO me.test|STARTTLS|", 1 },
	{ "421 to STARTTLS: another host", MAY, "12", NULL, { { G, TLS, NULL,
	    { { "STARTTLS", "~421 4.3.2 bye" } } }, { G } }, false, TAKEN,
	    "none", "EHLO me.test|STARTTLS|", 1 },
	{ "required", REQUIRED, "1", NULL, { { G, TLS, NULL, { GOES } } },
	    false, TAKEN, "TLSv1.3,required", SEALED, 1 },
	{ "required, not offered", REQUIRED, "1", NULL, { { G } }, false,
	    "1 3 4.7.4|", NULL, "EHLO me.test|", 1 },
	{ "required, no EHLO there", REQUIRED, "1", NULL, { { G, "502 no" } },
	    false, "1 3 4.7.4|", NULL, "EHLO me.test|HELO me.test|", 1 },
	{ "required, refused", REQUIRED, "1", NULL, { { G, TLS, NULL,
	    { { "STARTTLS", "502 no" } } } }, false, "1 3 4.7.4|", NULL,
	    "EHLO me.test|STARTTLS|", 1 },
	{ "required, broken", REQUIRED, "1", NULL, { { G, TLS, NULL,
	    { BREAKS } } }, false, "1 3 4.7.5|", NULL,
	    "EHLO me.test|STARTTLS|", 1 },
	{ "required, the second has it", REQUIRED, "12", NULL, { { G }, { G,
	    TLS, NULL, { GOES } } }, false, TAKEN, "TLSv1.3,required",
	    "EHLO me.test|", 1 },
	{ "verified, nobody vouches", VERIFIED, "1", NULL, { { G, TLS, NULL,
	    { GOES } } }, false, "1 3 4.7.5|", NULL,
	    "EHLO me.test|STARTTLS|", 1 },
	{ "never", NEVER, "1", NULL, { { G, TLS, NULL, { GOES } } }, true,
	    TAKEN, "none", CLEAR, 1 },
	{ "known, offered", MAY, "1", NULL, { { G, TLS, NULL, { GOES } } },
	    true, TAKEN, "TLSv1.3,opportunistic", SEALED, 1 },
	{ "known, not offered", MAY, "1", NULL, { { G } }, true,
	    "1 3 4.7.4|", NULL, "EHLO me.test|", 1 },
	{ "known, refused", MAY, "1", NULL, { { G, TLS, NULL,
	    { { "STARTTLS", "454 no" } } } }, true, "1 3 4.7.4|", NULL,
	    "EHLO me.test|STARTTLS|", 1 },
	{ "known, broken", MAY, "1", NULL, { { G, TLS, NULL, { BREAKS } } },
	    true, "1 3 4.7.5|", NULL, "EHLO me.test|STARTTLS|", 1 },
	{ "a certificate of ours that is not there", SHOWS, "1", NULL,
	    { { G, TLS, NULL, { GOES } } }, false, "1 3 4.7.5|", NULL,
	    "EHLO me.test|STARTTLS|", 1 },
	{ "DANE: it matches", MAY, "1", "1", { { G, TLS, NULL, { GOES } } },
	    false, TAKEN, "TLSv1.3,dane", SEALED, 1 },
	{ "DANE: it matches, for verified too", VERIFIED, "1", "1", { { G,
	    TLS, NULL, { GOES } } }, false, TAKEN, "TLSv1.3,dane", SEALED, 1 },
	{ "DANE: not offered", MAY, "1", "1", { { G } }, false,
	    "1 3 4.7.4|", NULL, "EHLO me.test|", 1 },
	{ "DANE: broken", MAY, "1", "1", { { G, TLS, NULL, { BREAKS } } },
	    false, "1 3 4.7.5|", NULL, "EHLO me.test|STARTTLS|", 1 },
	{ "DANE: nothing usable, encrypted", MAY, "1", "2", { { G, TLS, NULL,
	    { GOES } } }, false, TAKEN, "TLSv1.3,required", SEALED, 1 },
	{ "DANE: nothing usable, in clear", MAY, "1", "2", { { G } }, false,
	    "1 3 4.7.4|", NULL, "EHLO me.test|", 1 },
	{ "DANE: forged", MAY, "1", "3", { { G } }, false, "1 3 4.7.5|",
	    NULL, "", 0 },
	{ "DANE: forged, the second has none", MAY, "12", "30",
	    { { G }, { G } }, false, TAKEN, "none", "", 0 },
};

static const struct letter letters[ROUTES] = {
#define TO(n) [n] = { .from = "me@here.test", .to = { "a@dest.test" }, \
	.text = "Hi: 1\r\n\r\nx\r\n", .route = n }
	TO(MAY), TO(REQUIRED), TO(VERIFIED), TO(NEVER), TO(NO_DANE), TO(SHOWS)
};

static void
test_cases(void)
{
	size_t i, k;

	for (i = 0; i < nitems(cases); i++) {
		check_begin(cases[i].name);
		forget();
		memset(&t.r.known, 0, sizeof(t.r.known));
		if (cases[i].known)
			known_add(&t.r.known, "MX1.test", t.port);
		t.route = cases[i].hosts;
		t.dane = cases[i].dane;
		for (k = 0; k < HOSTS; k++)
			if (cases[i].scripts[k].greeting != NULL)
				t.hosts[k].script = &cases[i].scripts[k];
		job_put(&letters[cases[i].route]);
		run_until_done();
		check_span(buf_span(&t.told), cases[i].told);
		if (cases[i].tls != NULL)
			check_span(buf_span(&t.level), cases[i].tls);
		check_span(buf_span(&t.hosts[0].heard), cases[i].heard);
		check_int(t.hosts[0].connections, cases[i].connections);
		drop_idle();
	}
}

/* -- whom it believes ------------------------------------------------------*/

static const struct script sealed = { G, TLS, NULL, { GOES } };

static void
believes(const char *name, uint32_t route, const char *to, const char *told,
    const char *tls)
{
	check_begin(name);
	forget();
	memset(&t.r.known, 0, sizeof(t.r.known));
	t.dane = NULL;
	t.route = to;
	t.hosts[*to - '1'].script = &sealed;
	job_put(&letters[route]);
	run_until_done();
	check_span(buf_span(&t.told), told);
	if (tls != NULL)
		check_span(buf_span(&t.level), tls);
	drop_idle();
}

static void
test_names(void)
{
	X509 *list[1] = { root.x };

	tls_file(client.tls, "/roots.pem", cert_file(list, 1));
	believes("the host's name", VERIFIED, "1", TAKEN, "TLSv1.3,verified");
	believes("another's name", VERIFIED, "2", "1 3 4.7.5|", NULL);
	believes("another's name, unasked", MAY, "2", TAKEN,
	    "TLSv1.3,opportunistic");
	believes("the right name, unasked", MAY, "1", TAKEN,
	    "TLSv1.3,verified");
}

static void
test_mismatch(void)
{
	char other[35] = { 3, 1, 1 };

	check_begin("DANE: another key");
	t.tlsa = span_make(other, sizeof(other));
	forget();
	t.dane = "1";
	t.hosts[0].script = &sealed;
	job_put(&letters[MAY]);
	run_until_done();
	check_span(buf_span(&t.told), "1 3 4.7.5|");
	check_true(memmem(t.text.p, t.text.len, "DANE", 4) != NULL);
	t.dane = NULL;
	drop_idle();
}

/* -- a resolver that was taken over ----------------------------------------*/

static void
lie(const char *name, const char *route, const char *dane, size_t tlsa,
    uint8_t beside)
{
	static char octets[NEXTHOP_TLSA_MAX + 1];

	check_begin(name);
	forget();
	t.hosts[0].script = &sealed;
	t.route = route;
	t.dane = dane;
	t.tlsa = span_make(octets, tlsa);
	t.beside = beside;
	job_put(&letters[MAY]);
	run_until_done();
	check_span(buf_span(&t.told), "1 3 4.4.3|");
	check_int(t.hosts[0].connections, 0);
	check_true(!channel_is_open(daemon_peer(&t.r.daemon, ROLE_RESOLVER,
	    0)));
	t.dane = NULL;
	t.beside = 0;
	drop_idle();
	channel_close(&t.resolver);
	wire(&t.resolver, ROLE_RESOLVER);
}

static void
test_lies(void)
{
	lie("no state of DANE", "1", "4", 35, 0);
	lie("a TLSA record beyond the limit", "1", "1", NEXTHOP_TLSA_MAX + 1,
	    0);
	lie("more hosts than there may be", "111111111111111111111", NULL, 35,
	    0);
	lie("an address without a host", "11", NULL, 35, 1);
}

/* -- what is remembered ----------------------------------------------------*/

static void
test_known(void)
{
	static const struct script clear = { G };
	struct known *k = &t.r.known;
	char name[40];
	unsigned i, there = 0;

	check_begin("whoever encrypted is known");
	forget();
	memset(k, 0, sizeof(*k));
	t.hosts[0].script = &sealed;
	job_put(&letters[MAY]);
	run_until_done();
	check_true(known_is(k, "mx1.TEST", t.port));
	check_true(!known_is(k, "mx1.test", 1));
	check_true(!known_is(k, "mx2.test", t.port));
	drop_idle();

	check_begin("for a while");
	for (i = 0; i < KNOWN_BUCKETS * KNOWN_WAYS; i++)
		k->hosts[i / KNOWN_WAYS][i % KNOWN_WAYS].until_ms = 0;
	forget();
	t.hosts[0].script = &clear;
	job_put(&letters[MAY]);
	run_until_done();
	check_span(buf_span(&t.told), TAKEN);
	check_span(buf_span(&t.level), "none");
	drop_idle();

	check_begin("many: none grows, the newest stay");
	for (i = 0; i < 3 * KNOWN_BUCKETS * KNOWN_WAYS; i++) {
		snprintf(name, sizeof(name), "h%u.test", i);
		known_add(k, name, 25);
		check_true(known_is(k, name, 25));
	}
	for (i = 0; i < 3 * KNOWN_BUCKETS * KNOWN_WAYS; i++) {
		snprintf(name, sizeof(name), "h%u.test", i);
		there += known_is(k, name, 25);
	}
	check_true(there > KNOWN_BUCKETS * KNOWN_WAYS / 2);
	check_true(there <= KNOWN_BUCKETS * KNOWN_WAYS);
}

/* Two letters for one host share a connection only if they want the same. */
static void
test_keys(void)
{
	struct nexthop a, b;
	uint32_t i, j;

	check_begin("one connection for those that want the same");
	for (i = 0; i < ROUTES; i++)
		for (j = 0; j < ROUTES; j++) {
			nexthop_set(&a, &t.conf, i, "dest.test");
			nexthop_set(&b, &t.conf, j, "dest.test");
			check_int(strcmp(a.key, b.key) == 0, i == j);
		}
	nexthop_set(&a, &t.conf, ~0u, "dest.test");
	nexthop_set(&b, &t.conf, MAY, "dest.test");
	check_true(strcmp(a.key, b.key) == 0);
	check_true(a.dane && a.tls == TLS_OUT_MAY);
	nexthop_set(&a, &t.conf, NO_DANE, "dest.test");
	check_true(!a.dane);
	nexthop_set(&a, &t.conf, NEVER, "dest.test");
	check_true(!a.dane);
}

static void
routes_make(void)
{
	static char nobody[] = "nobody";
	size_t i;

	for (i = 0; i < ROUTES; i++)
		t.routes[i] = (struct conf_route){ .via = VIA_MX,
			.port = t.port, .ipv6 = true };
	t.routes[REQUIRED].tls = TLS_OUT_REQUIRED;
	t.routes[VERIFIED].tls = TLS_OUT_VERIFIED;
	t.routes[NEVER].tls = TLS_OUT_NO;
	t.routes[NO_DANE].no_dane = true;
	t.routes[SHOWS].certificate = nobody;
	play_routes(ROUTES);
}

/* TLSA 3 1 1 of that key. */
static struct span
tlsa_of(EVP_PKEY *of, char out[35])
{
	unsigned char *der = NULL;
	int n = i2d_PUBKEY(of, &der);

	memcpy(out, "\3\1\1", 3);
	EVP_Digest(der, (size_t)n, (unsigned char *)out + 3, NULL,
	    EVP_sha256(), NULL);
	OPENSSL_free(der);
	return span_make(out, 35);
}

int
main(void)
{
	static const struct relay_times times = { .connect = 5, .greeting = 5,
		.command = 5, .handshake = 20, .data = 5, .block = 5,
		.dot = 5, .idle = 5, .quit = 5, .attempt = 60 };
	static char name[] = "main", *names[] = { name };
	static char cert_path[] = "/host.pem", ca_path[] = "/roots.pem";
	struct conf_listen listen = { .tls = { names, 1 } };
	X509 *list[1];
	char tlsa[35];

	key = key_make(KEY_P256);
	root = cert_make(key_make(KEY_P256), NULL, NULL, 100);
	host = cert_make(key, &root, "DNS:mx1.test", 90);
	list[0] = host.x;
	play_start("relay_secure_test", &times);
	routes_make();
	server.blocks[0] = (struct conf_tls){ .name = name,
	    .cert = cert_path };
	client.conf.relay.ca = ca_path;
	speaker_init(&server, t.loop, ROLE_SMTPD);
	speaker_init(&client, t.loop, ROLE_RELAY);
	speaker_keyd(&server, &key, 1);
	tls_file(server.tls, cert_path, cert_file(list, 1));
	t.tls = server.tls;
	t.listen = &listen;
	t.r.tls = client.tls;
	t.tlsa = tlsa_of(key, tlsa);
	test_cases();
	test_names();
	test_mismatch();
	test_lies();
	test_known();
	test_keys();
	speaker_clear(&server);
	speaker_clear(&client);
	return check_end();
}
