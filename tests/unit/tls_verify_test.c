/*
 * tls_verify_test.c - whom to believe: a host by name and chain or by DANE, a
 * client by the one address in its certificate, both with keys in keyd.
 */
#include "tests/unit/tls_play.h"

#include "lib/net/tls_in.h"

static struct {
	struct loop loop;
	struct speaker server, client;
	struct conf_listen listen;
	char *names[1];
	struct end a, b;
	struct buf tlsa;
} t;

/* Authorities and what they vouch for; the server's key is keys[0], clients
 * have keys[1] (in keyd) and clients' own. */
static EVP_PKEY *keys[2];
static struct cert root, foreign, good, expired, alone, by_foreign;

static void
certs_make(void)
{
	keys[0] = key_make(KEY_RSA);
	keys[1] = key_make(KEY_P384);
	root = cert_make(key_make(KEY_P256), NULL, NULL, 100);
	foreign = cert_make(key_make(KEY_P256), NULL, NULL, 100);
	good = cert_make(keys[0], &root,
	    "DNS:mail.example,DNS:*.wild.example,IP:192.0.2.1", 90);
	expired = cert_make(keys[0], &root, "DNS:mail.example", -1);
	alone = cert_make(keys[0], NULL, "DNS:mail.example", 90);
	by_foreign = cert_make(keys[0], &foreign, "DNS:mail.example", 90);
}

static void
server_shows(const struct cert *c, const struct cert *issuer)
{
	X509 *chain[2] = { c->x, issuer == NULL ? NULL : issuer->x };

	tls_file(t.server.tls, "/server.pem",
	    cert_file(chain, issuer == NULL ? 1 : 2));
}

static void
world_init(void)
{
	X509 *list[1];

	loop_init(&t.loop);
	buf_init(&t.tlsa, 4096);
	t.server.blocks[0] = (struct conf_tls){ .name = "main",
	    .cert = "/server.pem", .client_ca = "/clients.pem" };
	t.client.blocks[0] = (struct conf_tls){ .name = "us",
	    .cert = "/us.pem" };
	t.client.conf.relay.ca = "/roots.pem";
	t.names[0] = t.server.blocks[0].name;
	t.listen.tls = (struct conf_list){ t.names, 1 };
	speaker_init(&t.server, &t.loop, ROLE_SMTPD);
	speaker_init(&t.client, &t.loop, ROLE_RELAY);
	speaker_keyd(&t.server, keys, 1);
	speaker_keyd(&t.client, keys + 1, 1);
	list[0] = root.x;
	tls_file(t.client.tls, "/roots.pem", cert_file(list, 1));
}

static void
meet(const struct tls_wish *w)
{
	int sv[2];

	end_clear(&t.a);
	end_clear(&t.b);
	peer_pair(sv);
	end_init(&t.a, &t.loop, sv[0]);
	end_init(&t.b, &t.loop, sv[1]);
	t.b.echo = false;
	conn_tls_accept(&t.a.c, t.server.tls, &t.listen, NULL);
	conn_tls_connect(&t.b.c, t.client.tls, w);
	loop_until(&t.loop, (t.a.secured || t.a.ended) &&
	    (t.b.secured || t.b.ended));
	/* of the client's certificate the client hears nothing in TLS 1.3
	 * until it says something */
	if (t.b.secured)
		conn_writef(&t.b.c, "hello\r\n");
	loop_until(&t.loop, t.b.ended || t.b.log.len > 0);
}

static void
test_names(void)
{
	static const char *const others[] = { "mx.example", "mail.example",
	    NULL };
	static const struct {
		const char *what, *host;
		const struct cert *cert, *issuer;
		const char *const *names;
		bool verify;
		const char *error; /* NULL: it works */
		bool verified;
	} cases[] = {
		{ "name and chain", "mail.example", &good, NULL, NULL, true,
		    NULL, true },
		{ "case aside", "MAIL.Example", &good, NULL, NULL, true, NULL,
		    true },
		{ "a wildcard", "a.wild.example", &good, NULL, NULL, true,
		    NULL, true },
		{ "an address", "192.0.2.1", &good, NULL, NULL, true, NULL,
		    true },
		{ "another address", "192.0.2.2", &good, NULL, NULL, true,
		    "the certificate is not believed: IP address mismatch",
		    false },
		{ "another name", "mx.example", &good, NULL, NULL, true,
		    "the certificate is not believed: hostname mismatch",
		    false },
		{ "a further name", "mx.example", &good, NULL, others, true,
		    NULL, true },
		{ "deeper than the wildcard", "a.b.wild.example", &good, NULL,
		    NULL, true,
		    "the certificate is not believed: hostname mismatch",
		    false },
		{ "expired", "mail.example", &expired, NULL, NULL, true,
		    "the certificate is not believed: certificate has expired",
		    false },
		{ "signed by itself", "mail.example", &alone, NULL, NULL, true,
		    "the certificate is not believed: self-signed certificate",
		    false },
		{ "an authority that nobody knows", "mail.example",
		    &by_foreign, &foreign, NULL, true,
		    "the certificate is not believed: self-signed certificate "
		    "in certificate chain", false },
		{ "unverified: a good one", "mail.example", &good, NULL, NULL,
		    false, NULL, true },
		{ "unverified: another name", "mx.example", &good, NULL, NULL,
		    false, NULL, false },
		{ "unverified: expired", "mail.example", &expired, NULL, NULL,
		    false, NULL, false },
		{ "unverified: signed by itself", "mail.example", &alone, NULL,
		    NULL, false, NULL, false },
	};
	struct tls_wish w = { .host = NULL };
	size_t i;

	for (i = 0; i < nitems(cases); i++) {
		check_begin(cases[i].what);
		server_shows(cases[i].cert, cases[i].issuer);
		w.host = cases[i].host;
		w.names = cases[i].names;
		w.verify = cases[i].verify;
		meet(&w);
		check_int(t.b.secured, cases[i].error == NULL);
		if (cases[i].error != NULL) {
			check_int(t.b.how, CONN_TLS);
			check_str(t.b.error, cases[i].error);
			continue;
		}
		check_str(buf_str(&t.b.log), "[ok hello]");
		check_int(t.b.info.verified, cases[i].verified);
		check_true(!t.b.info.dane);
	}
}

/* TLSA rdata of a certificate (selector 0) or its key (1). */
static struct span
tlsa(int usage, int selector, int matching, X509 *cert)
{
	unsigned char *der = NULL, digest[64];
	unsigned len;
	int n = selector == 0 ? i2d_X509(cert, &der) :
	    i2d_PUBKEY(X509_get0_pubkey(cert), &der);

	buf_reset(&t.tlsa);
	buf_add_u8(&t.tlsa, (uint8_t)usage);
	buf_add_u8(&t.tlsa, (uint8_t)selector);
	buf_add_u8(&t.tlsa, (uint8_t)matching);
	if (matching == 0)
		buf_add(&t.tlsa, der, (size_t)n);
	else {
		EVP_Digest(der, (size_t)n, digest, &len, matching == 1 ?
		    EVP_sha256() : EVP_sha512(), NULL);
		buf_add(&t.tlsa, digest, len);
	}
	OPENSSL_free(der);
	return buf_span(&t.tlsa);
}

static void
test_dane(void)
{
	static const char *const others[] = { "mail.example", NULL };
	static const struct {
		const char *what, *host;
		int usage, selector, matching;
		const struct cert *of, *cert, *issuer;
		const char *const *names;
		bool works, dane;
	} cases[] = {
		{ "EE: the key", "mail.example", 3, 1, 1, &good, &good, NULL,
		    NULL, true, true },
		{ "EE: the key, SHA-512", "mail.example", 3, 1, 2, &good,
		    &good, NULL, NULL, true, true },
		{ "EE: the whole certificate", "mail.example", 3, 0, 0, &good,
		    &good, NULL, NULL, true, true },
		{ "EE: another name", "mx.example", 3, 1, 1, &good, &good,
		    NULL, NULL, true, true },
		{ "EE: expired", "mail.example", 3, 1, 1, &expired, &expired,
		    NULL, NULL, true, true },
		{ "EE: signed by itself", "mail.example", 3, 0, 1, &alone,
		    &alone, NULL, NULL, true, true },
		{ "EE: another certificate", "mail.example", 3, 0, 1, &alone,
		    &good, NULL, NULL, false, false },
		{ "EE: another key", "mail.example", 3, 1, 1, &foreign, &good,
		    NULL, NULL, false, false },
		{ "TA: chain and name", "mail.example", 2, 0, 1, &foreign,
		    &by_foreign, &foreign, NULL, true, true },
		{ "TA: its key", "mail.example", 2, 1, 1, &foreign,
		    &by_foreign, &foreign, NULL, true, true },
		{ "TA: another name", "mx.example", 2, 0, 1, &foreign,
		    &by_foreign, &foreign, NULL, false, false },
		{ "TA: a further name", "mx.example", 2, 0, 1, &foreign,
		    &by_foreign, &foreign, others, true, true },
		{ "TA: not in the chain", "mail.example", 2, 0, 1, &foreign,
		    &by_foreign, NULL, NULL, false, false },
		{ "TA: another authority", "mail.example", 2, 0, 1, &root,
		    &by_foreign, &foreign, NULL, false, false },
		{ "PKIX-EE is no use for SMTP", "mail.example", 1, 1, 1,
		    &foreign, &alone, NULL, NULL, true, false },
	};
	struct tls_wish w = { .host = NULL };
	struct span record;
	size_t i;

	for (i = 0; i < nitems(cases); i++) {
		check_begin(cases[i].what);
		server_shows(cases[i].cert, cases[i].issuer);
		record = tlsa(cases[i].usage, cases[i].selector,
		    cases[i].matching, cases[i].of->x);
		w.host = cases[i].host;
		w.names = cases[i].names;
		w.tlsa = &record;
		w.ntlsa = 1;
		meet(&w);
		check_int(t.b.secured, cases[i].works);
		if (cases[i].works)
			check_int(t.b.info.dane, cases[i].dane);
		else
			check_int(t.b.how, CONN_TLS);
	}
}

/* -- clients -------------------------------------------------------------- */

static void
test_clients(void)
{
	static const struct {
		const char *what, *names, *peer;
		const struct cert *by;
		int days;
	} cases[] = {
		{ "its one address", "email:ann@example.org,DNS:x.example",
		    "ann@example.org", &root, 90 },
		{ "two addresses", "email:a@example.org,email:b@example.org",
		    "", &root, 90 },
		{ "none", "DNS:x.example", "", &root, 90 },
		{ "of an unknown authority", "email:ann@example.org", "",
		    &foreign, 90 },
		{ "its own authority", "email:ann@example.org", "", NULL, 90 },
		{ "expired", "email:ann@example.org", "", &root, -1 },
	};
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	EVP_PKEY *key = key_make(KEY_P256);
	struct client c;
	struct cert cert;
	X509 *list[1] = { root.x };
	size_t i, v;
	int sv[2], round;

	server_shows(&good, NULL);
	speaker_tickets(&t.server, "a");
	tls_file(t.server.tls, "/clients.pem", cert_file(list, 1));
	for (i = 0; i < nitems(cases); i++) {
		for (v = 0; v < nitems(versions); v++) {
			check_begin(cases[i].what);
			cert = cert_make(key, cases[i].by, cases[i].names,
			    cases[i].days);
			client_init(&c, &t.loop, versions[v]);
			SSL_CTX_use_certificate(c.ctx, cert.x);
			SSL_CTX_use_PrivateKey(c.ctx, key);
			for (round = 0; round < 2; round++) {
				client_close(&c);
				end_clear(&t.a);
				peer_pair(sv);
				end_init(&t.a, &t.loop, sv[0]);
				conn_tls_accept(&t.a.c, t.server.tls,
				    &t.listen, NULL);
				client_open(&c, sv[1], NULL);
				check_true(client_shake(&c));
				check_str(client_ask(&c, "hello\r\n"),
				    "ok hello\r\n");
				check_int(t.a.info.resumed, round);
				check_str(t.a.info.peer, cases[i].peer);
			}
			client_clear(&c);
			X509_free(cert.x);
		}
	}
	EVP_PKEY_free(key);
}

/* Our own certificate at another host: its key is in keyd as well. */
static void
test_own(void)
{
	struct tls_wish w = { .host = "mail.example", .certificate = "us" };
	struct cert us = cert_make(keys[1], &root, "email:us@example.org", 90);
	X509 *list[1] = { us.x };

	check_begin("no certificate of ours yet");
	meet(&w);
	check_int(t.b.how, CONN_TLS);
	check_str(t.b.error, "there is no certificate of ours to show");
	tls_file(t.client.tls, "/us.pem", cert_file(list, 1));
	check_begin("a certificate of ours");
	meet(&w);
	check_true(t.b.secured);
	check_str(t.a.info.version, "TLSv1.3");
	check_str(t.a.info.peer, "us@example.org");
	check_begin("and in TLS 1.2, where the whole handshake is signed");
	SSL_CTX_set_max_proto_version(t.client.tls->client, TLS1_2_VERSION);
	meet(&w);
	check_true(t.b.secured);
	check_str(t.a.info.version, "TLSv1.2");
	check_str(t.a.info.peer, "us@example.org");
	SSL_CTX_set_max_proto_version(t.client.tls->client, 0);
	check_begin("none is shown unless it is wished");
	w.certificate = NULL;
	meet(&w);
	check_true(t.b.secured);
	check_str(t.a.info.peer, "");
	X509_free(us.x);
}

int
main(void)
{
	log_stderr_level(LOG_L_ERROR);
	certs_make();
	world_init();
	test_names();
	test_dane();
	test_clients();
	test_own();
	end_clear(&t.a);
	end_clear(&t.b);
	speaker_clear(&t.server);
	speaker_clear(&t.client);
	buf_clear(&t.tlsa);
	loop_clear(&t.loop);
	return check_end();
}
