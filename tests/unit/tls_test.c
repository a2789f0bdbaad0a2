/*
 * tls_test.c - a server's TLS: handshakes of both versions with each kind of
 * key in keyd, which certificate a client gets, ALPN, tickets, and what is
 * refused.
 */
#include "tests/unit/tls_play.h"

#include "lib/net/tls_in.h"

static EVP_PKEY *keys[KEY_KINDS + 1];
static struct cert authority, certs[KEY_KINDS], other;

struct server {
	struct loop loop;
	struct speaker s;
	struct conf_listen listen;
	char *names[4];
	struct end end;
};

/* A server with these certificates, each in a block "0", "1" ... */
static void
server_init(struct server *s, const struct cert *const *list, size_t n)
{
	static char *const labels[] = { "0", "1", "2", "3" };
	static char *const files[] = { "/0.pem", "/1.pem", "/2.pem",
	    "/3.pem" };
	X509 *chain[2];
	size_t i;

	*s = (struct server){ .listen = { .kind = LISTEN_MX } };
	loop_init(&s->loop);
	for (i = 0; i < n; i++) {
		s->s.blocks[i] = (struct conf_tls){ .name = labels[i],
		    .cert = files[i] };
		s->names[i] = labels[i];
	}
	s->listen.tls = (struct conf_list){ s->names, n };
	speaker_init(&s->s, &s->loop, ROLE_SMTPD);
	check_true(!tls_can_serve(s->s.tls, &s->listen));
	for (i = 0; i < n; i++) {
		chain[0] = list[i]->x;
		chain[1] = authority.x;
		tls_file(s->s.tls, files[i], cert_file(chain, 2));
	}
	speaker_keyd(&s->s, keys, nitems(keys));
	check_true(tls_can_serve(s->s.tls, &s->listen));
}

static void
server_clear(struct server *s)
{
	end_clear(&s->end);
	speaker_clear(&s->s);
	loop_clear(&s->loop);
}

/* A new connection between the two, on which TLS begins at once. */
static void
meet(struct server *s, struct client *c, const char *name, const char *alpn)
{
	int sv[2];

	client_close(c);
	end_clear(&s->end);
	peer_pair(sv);
	end_init(&s->end, &s->loop, sv[0]);
	conn_tls_accept(&s->end.c, s->s.tls, &s->listen, alpn);
	client_open(c, sv[1], name);
}

static void
test_keys(void)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	const struct cert *list[1];
	struct server s;
	struct client c;
	size_t v;
	int k;

	for (k = 0; k < KEY_KINDS; k++) {
		for (v = 0; v < nitems(versions); v++) {
			check_begin(key_names[k]);
			list[0] = &certs[k];
			server_init(&s, list, 1);
			client_init(&c, &s.loop, versions[v]);
			meet(&s, &c, "mail.example", NULL);
			check_true(client_shake(&c));
			check_int(SSL_version(c.ssl), versions[v]);
			check_str(client_ask(&c, "hello\r\n"), "ok hello\r\n");
			check_true(s.end.secured);
			check_str(buf_str(&s.end.log), "[hello]");
			check_str(s.end.info.version, v == 0 ? "TLSv1.2" :
			    "TLSv1.3");
			check_true(!s.end.info.resumed);
			check_true(s.end.info.bits >= 128);
			check_str(s.end.info.peer, "");
			check_str(s.end.error, "");
			client_clear(&c);
			loop_until(&s.loop, s.end.ended);
			check_int(s.end.how, CONN_EOF);
			server_clear(&s);
		}
	}
}

/* The common name of the certificate that a client was shown. */
static long
shown(const struct client *c)
{
	return ASN1_INTEGER_get(X509_get0_serialNumber(
	    SSL_get0_peer_certificate(c->ssl)));
}

static long
serial(const struct cert *c)
{
	return ASN1_INTEGER_get(X509_get0_serialNumber(c->x));
}

static void
test_names(void)
{
	static const struct {
		const char *what, *name, *sigalgs;
		int cert;        /* index in list */
	} cases[] = {
		{ "no name: the first",     NULL, "RSA-PSS+SHA256:ECDSA+SHA256",
		    -1 },
		{ "no name, RSA alone",     NULL, "RSA-PSS+SHA256", 0 },
		{ "no name, ECDSA alone",   NULL, "ECDSA+SHA256", 1 },
		{ "a name, RSA alone",      "mx.example", "RSA-PSS+SHA256", 0 },
		{ "a name, ECDSA alone",    "mx.example", "ECDSA+SHA256", 1 },
		{ "a wildcard's",           "a.other.example", "ECDSA+SHA256",
		    2 },
		{ "an unknown name",        "nobody.example", "RSA-PSS+SHA256",
		    0 },
		{ "of two for it the first", "b.other.example",
		    "ECDSA+SHA256:RSA-PSS+SHA256", 2 },
	};
	const struct cert *list[] = { &certs[KEY_RSA], &certs[KEY_P256],
	    &other };
	struct server s;
	struct client c;
	size_t i;

	server_init(&s, list, nitems(list));
	for (i = 0; i < nitems(cases); i++) {
		check_begin(cases[i].what);
		client_init(&c, &s.loop, 0);
		check_int(SSL_CTX_set1_sigalgs_list(c.ctx, cases[i].sigalgs),
		    1);
		meet(&s, &c, cases[i].name, NULL);
		if (check_true(client_shake(&c)) && cases[i].cert != -1)
			check_int(shown(&c), serial(list[cases[i].cert]));
		client_clear(&c);
	}
	check_begin("nothing in common to sign with");
	client_init(&c, &s.loop, 0);
	SSL_CTX_set1_sigalgs_list(c.ctx, "ed25519");
	meet(&s, &c, NULL, NULL);
	check_true(!client_shake(&c));
	loop_until(&s.loop, s.end.ended);
	check_int(s.end.how, CONN_TLS);
	check_str(s.end.error, "no kind of signature in common");
	client_clear(&c);
	server_clear(&s);
}

/* A protocol that the client names, in the form of RFC 7301. */
static void
test_alpn(void)
{
	static const struct {
		const char *what, *client, *server;
		bool works;
	} cases[] = {
		{ "neither names one",       "",              NULL,   true },
		{ "the server has none",     "\4imap",        NULL,   true },
		{ "the client names none",   "",              "pop3", true },
		{ "the same",                "\4pop3",        "pop3", true },
		{ "the second of two",       "\4imap\4pop3",  "pop3", true },
		{ "another",                 "\4imap",        "pop3", false },
		{ "one that it begins with", "\5pop3s",       "pop3", false },
		{ "HTTP",                    "\2h2\10http/1.1", "imap", false },
	};
	const struct cert *list[] = { &certs[KEY_P256] };
	const unsigned char *got;
	struct server s;
	struct client c;
	unsigned len;
	size_t i;
	int version;

	server_init(&s, list, 1);
	for (i = 0; i < 2 * nitems(cases); i++) {
		const char *alpn = cases[i / 2].client;

		version = i % 2 == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
		check_begin(cases[i / 2].what);
		client_init(&c, &s.loop, version);
		SSL_CTX_set_alpn_protos(c.ctx, (const unsigned char *)alpn,
		    (unsigned)strlen(alpn));
		meet(&s, &c, NULL, cases[i / 2].server);
		check_int(client_shake(&c), cases[i / 2].works);
		if (cases[i / 2].works) {
			SSL_get0_alpn_selected(c.ssl, &got, &len);
			check_mem(got, len, cases[i / 2].server,
			    alpn[0] == '\0' || cases[i / 2].server == NULL ?
			    0 : strlen(cases[i / 2].server));
		} else {
			check_int(c.failed, SSL_AD_REASON_OFFSET +
			    SSL_AD_NO_APPLICATION_PROTOCOL);
			loop_until(&s.loop, s.end.ended);
			check_int(s.end.how, CONN_TLS);
			check_str(s.end.error,
			    "the client wants another protocol (ALPN)");
		}
		client_clear(&c);
	}
	server_clear(&s);
}

static void
test_versions(void)
{
	static const struct {
		const char *what, *ciphers, *groups, *error;
		int version;
	} cases[] = {
		{ "TLS 1.1", "ALL:@SECLEVEL=0", "X25519",
		    "no version of TLS in common", TLS1_1_VERSION },
		{ "no ephemeral key", "AES128-GCM-SHA256", "X25519",
		    "no cipher in common", TLS1_2_VERSION },
		{ "CBC", "ECDHE-ECDSA-AES128-SHA", "X25519",
		    "no cipher in common", TLS1_2_VERSION },
		{ "a group that we have not", "ALL", "P-521",
		    "no group in common", TLS1_3_VERSION },
		{ "P-384", "ALL", "P-384", NULL, TLS1_3_VERSION },
		{ "P-256 in TLS 1.2", "ALL", "P-256", NULL, TLS1_2_VERSION },
		{ "ChaCha20", "ECDHE-ECDSA-CHACHA20-POLY1305", "X25519:P-256",
		    NULL, TLS1_2_VERSION },
	};
	const struct cert *list[] = { &certs[KEY_P256] };
	struct server s;
	struct client c;
	size_t i;

	server_init(&s, list, 1);
	for (i = 0; i < nitems(cases); i++) {
		check_begin(cases[i].what);
		client_init(&c, &s.loop, cases[i].version);
		check_int(SSL_CTX_set_cipher_list(c.ctx, cases[i].ciphers), 1);
		check_int(SSL_CTX_set1_groups_list(c.ctx, cases[i].groups), 1);
		meet(&s, &c, NULL, NULL);
		check_int(client_shake(&c), cases[i].error == NULL);
		if (cases[i].error != NULL) {
			loop_until(&s.loop, s.end.ended);
			check_str(s.end.error, cases[i].error);
		}
		client_clear(&c);
	}
	server_clear(&s);
}

/* Handshakes in a row, each with the ticket of the one before. */
static bool
resumes(struct server *s, struct client *c, const char *name)
{
	bool resumed;

	meet(s, c, name, NULL);
	check_true(client_shake(c));
	check_str(client_ask(c, "hello\r\n"), "ok hello\r\n");
	resumed = SSL_session_reused(c->ssl) == 1;
	check_int(s->end.info.resumed, resumed);
	return resumed;
}

static void
test_tickets(int version, const char *what)
{
	const struct cert *list[] = { &certs[KEY_P256] };
	struct server s, worker;
	struct client c;
	SSL_SESSION *old;
	unsigned asked;

	check_begin(what);
	server_init(&s, list, 1);
	server_init(&worker, list, 1);
	client_init(&c, &s.loop, version);
	check_true(!resumes(&s, &c, NULL));
	check_true(c.session == NULL); /* no keys, no tickets */
	speaker_tickets(&s.s, "a");
	check_true(!resumes(&s, &c, NULL));
	check_true(c.session != NULL);
	asked = s.s.play->questions;
	check_true(resumes(&s, &c, NULL));
	check_true(resumes(&s, &c, NULL));
	check_int(s.s.play->questions, asked); /* keyd had no work */

	/* another worker of the role, with the same keys */
	speaker_tickets(&worker.s, "ba");
	c.loop = &worker.loop;
	check_true(resumes(&worker, &c, NULL));
	check_true(resumes(&worker, &c, NULL));
	/* the first has its next key by then */
	speaker_tickets(&s.s, "cba");
	c.loop = &s.loop;
	client_close(&c);
	SSL_SESSION_up_ref(c.session);
	old = c.session;
	check_true(resumes(&s, &c, NULL));
	/* and now "b" is gone */
	speaker_tickets(&s.s, "dc");
	check_true(resumes(&s, &c, NULL));
	client_close(&c);
	SSL_SESSION_free(c.session);
	c.session = old;
	check_true(!resumes(&s, &c, NULL));
	check_true(resumes(&s, &c, NULL));

	/* a listener that has other certificates believes other things */
	check_begin("a session of another listener");
	s.names[0] = (char *)(uintptr_t)"0";
	s.names[1] = (char *)(uintptr_t)"0";
	s.listen.tls.n = 2;
	check_true(!resumes(&s, &c, NULL));
	client_clear(&c);
	server_clear(&worker);
	server_clear(&s);
}

static void
test_tickets_odd(void)
{
	static const char *const odd[] = { "", "\1", "\4", "\1\20\0\0\0a",
	    "\1\377\377\377\377", "\0x" };
	struct server s;
	const struct cert *list[] = { &certs[KEY_P256] };
	size_t i;

	check_begin("ticket keys that are none");
	server_init(&s, list, 1);
	for (i = 0; i < nitems(odd); i++) {
		size_t len = i == 3 ? 6 : i == 4 ? 5 : i == 5 ? 2 :
		    strlen(odd[i]);

		check_int(speaker_hears(&s.s, IPC_TICKETS,
		    span_make(odd[i], len)), -1);
	}
	check_int(speaker_hears(&s.s, IPC_TICKETS, span_make("", 1)), 0);
	server_clear(&s);
}

/* What SCRAM binds itself to is the same on both sides, also when resumed. */
static void
test_bindings(int version, int key, const char *what)
{
	const struct cert *list[1] = { &certs[key] };
	char ours[TLS_BINDING_MAX];
	unsigned char theirs[TLS_BINDING_MAX];
	struct server s;
	struct client c;
	unsigned len;
	int i;

	check_begin(what);
	server_init(&s, list, 1);
	speaker_tickets(&s.s, "a");
	client_init(&c, &s.loop, version);
	for (i = 0; i < 3; i++) {
		check_int(resumes(&s, &c, NULL), i > 0);
		check_int(SSL_export_keying_material(c.ssl, theirs, 32,
		    "EXPORTER-Channel-Binding", 24, theirs, 0, 1), 1);
		check_int(conn_tls_exporter(&s.end.c, ours), 32);
		check_mem(ours, 32, theirs, 32);
		check_int(X509_digest(certs[key].x, EVP_sha256(), theirs,
		    &len), 1);
		check_mem(ours, conn_tls_end_point(&s.end.c, ours), theirs,
		    len);
	}
	client_clear(&c);
	server_clear(&s);
}

static void
test_renegotiation(void)
{
	const struct cert *list[] = { &certs[KEY_P256] };
	struct server s;
	struct client c;

	check_begin("renegotiation is refused");
	server_init(&s, list, 1);
	client_init(&c, &s.loop, TLS1_2_VERSION);
	meet(&s, &c, NULL, NULL);
	check_true(client_shake(&c));
	check_str(client_ask(&c, "one\r\n"), "ok one\r\n");
	check_int(SSL_renegotiate(c.ssl), 1);
	check_true(!client_shake(&c));
	check_int(c.failed, SSL_R_NO_RENEGOTIATION);
	client_clear(&c);
	server_clear(&s);
}

/* Each scheme that a client may insist on (RFC 8446 section 4.2.3). */
static void
test_schemes(void)
{
	static const struct {
		const char *sigalgs;
		int key, version;
	} cases[] = {
		{ "RSA+SHA256", KEY_RSA, TLS1_2_VERSION },
		{ "RSA+SHA384", KEY_RSA, TLS1_2_VERSION },
		{ "RSA+SHA512", KEY_RSA, TLS1_2_VERSION },
		{ "RSA-PSS+SHA256", KEY_RSA, TLS1_2_VERSION },
		{ "RSA-PSS+SHA512", KEY_RSA, TLS1_2_VERSION },
		{ "RSA-PSS+SHA384", KEY_RSA, TLS1_3_VERSION },
		{ "RSA-PSS+SHA512", KEY_RSA, TLS1_3_VERSION },
		{ "ECDSA+SHA384", KEY_P256, TLS1_2_VERSION },
		{ "ECDSA+SHA512", KEY_P256, TLS1_2_VERSION },
		{ "ECDSA+SHA256", KEY_P384, TLS1_2_VERSION },
		{ "ECDSA+SHA512", KEY_P384, TLS1_2_VERSION },
		{ "ECDSA+SHA384", KEY_P384, TLS1_3_VERSION },
	};
	const struct cert *list[1];
	struct server s;
	struct client c;
	size_t i;

	for (i = 0; i < nitems(cases); i++) {
		check_begin(cases[i].sigalgs);
		list[0] = &certs[cases[i].key];
		server_init(&s, list, 1);
		client_init(&c, &s.loop, cases[i].version);
		check_int(SSL_CTX_set1_sigalgs_list(c.ctx, cases[i].sigalgs),
		    1);
		meet(&s, &c, NULL, NULL);
		check_true(client_shake(&c));
		check_str(client_ask(&c, "hello\r\n"), "ok hello\r\n");
		client_clear(&c);
		server_clear(&s);
	}
}

/* New keys in the middle, which the server has to answer with its own (RFC 8446
 * section 4.6.3), also while it has much to say. */
static void
test_key_update(void)
{
	const struct cert *list[] = { &certs[KEY_P256] };
	static char block[65536];
	struct server s;
	struct client c;
	int64_t until = clock_boot_ms() + PATIENCE_MS;
	size_t got = 0;
	int i, n = 0;

	check_begin("new keys in the middle");
	server_init(&s, list, 1);
	client_init(&c, &s.loop, TLS1_3_VERSION);
	meet(&s, &c, NULL, NULL);
	check_true(client_shake(&c));
	for (i = 0; i < 5; i++) {
		check_int(SSL_key_update(c.ssl, i % 2 == 0 ?
		    SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED),
		    1);
		check_str(client_ask(&c, "hello\r\n"), "ok hello\r\n");
	}
	for (i = 0; i < 20; i++)
		conn_write(&s.end.c, span_make(block, sizeof(block)));
	loop_run_once(&s.loop, 1);
	check_true(conn_unsent(&s.end.c) > 0);
	check_int(SSL_key_update(c.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
	check_int(SSL_write(c.ssl, "more\r\n", 6), 6);
	while (got < 20 * sizeof(block) + 9 && clock_boot_ms() < until) {
		if ((n = SSL_read(c.ssl, block, sizeof(block))) > 0)
			got += (size_t)n;
		else if (!client_again(&c, n))
			break;
	}
	check_int(got, 20 * sizeof(block) + 9);
	check_mem(block + n - 9, 9, "ok more\r\n", 9);
	client_clear(&c);
	server_clear(&s);
}

/* What the client says comes octet by octet. */
static void
test_octets(int version, const char *what)
{
	const struct cert *list[] = { &certs[KEY_P256] };
	struct server s;
	struct client c;
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	int64_t until = clock_boot_ms() + PATIENCE_MS;
	char octet, block[4096];
	ssize_t n;

	check_begin(what);
	server_init(&s, list, 1);
	client_init(&c, &s.loop, version);
	meet(&s, &c, NULL, NULL);
	SSL_set_bio(c.ssl, in, out);
	while (s.end.log.len == 0 && !s.end.ended && clock_boot_ms() < until) {
		SSL_do_handshake(c.ssl);
		if (BIO_read(out, &octet, 1) == 1)
			check_int(write(c.fd, &octet, 1), 1);
		loop_run_once(&s.loop, 0);
		n = read(c.fd, block, sizeof(block));
		if (n > 0)
			BIO_write(in, block, (int)n);
		if (s.end.secured && BIO_pending(out) == 0 &&
		    s.end.log.len == 0)
			SSL_write(c.ssl, "hello\r\n", 7);
	}
	check_true(s.end.secured);
	check_true(span_prefix(buf_span(&s.end.log), "[hello]"));
	client_clear(&c);
	server_clear(&s);
}

/* Memory is not set aside for whoever announces much. */
static void
test_hello(void)
{
	static const struct {
		const char *what, *octets;
		size_t n;
		bool fits;
	} cases[] = {
		{ "16384 octets", "\x16\3\1\0\4\1\0\x40\0", 9, true },
		{ "16385 octets", "\x16\3\1\0\4\1\0\x40\1", 9, false },
		{ "131071 octets", "\x16\3\1\0\4\1\1\xff\xff", 9, false },
		{ "in two records", "\x16\3\1\0\1\1\x16\3\1\0\3\1\xff\xff",
		    14, false },
		{ "behind an alert", "\x15\3\3\0\2\1\1\x16\3\3\0\4\1\1\xff"
		    "\xff", 16, false },
		{ "the second", "\x16\3\1\0\x0a\1\0\0\2..\1\1\xff\xff", 15,
		    false },
		{ "another message", "\x16\3\3\0\4\x0b\1\xff\xff", 9, true },
		{ "encrypted", "\x14\3\3\0\1\1\x16\3\3\0\4\1\1\xff\xff", 15,
		    true },
		{ "an empty record", "\x16\3\1\0\0\x16\3\1\0\4\1\1\xff\xff",
		    14, false },
	};
	const struct cert *list[] = { &certs[KEY_P256] };
	struct tls_hello h;
	struct server s;
	size_t i, k;
	bool fits;
	int sv[2];

	for (i = 0; i < nitems(cases); i++) {
		check_begin(cases[i].what);
		h = (struct tls_hello){ .over = false };
		check_int(tls_hello_fits(&h, cases[i].octets, cases[i].n),
		    cases[i].fits);
		h = (struct tls_hello){ .over = false };
		fits = true;
		for (k = 0; k < cases[i].n && fits; k++)
			fits = tls_hello_fits(&h, cases[i].octets + k, 1);
		check_int(fits, cases[i].fits);
	}
	check_begin("a hello that is too long, on the wire");
	server_init(&s, list, 1);
	peer_pair(sv);
	end_init(&s.end, &s.loop, sv[0]);
	conn_tls_accept(&s.end.c, s.s.tls, &s.listen, NULL);
	check_int(write(sv[1], cases[2].octets, 9), 9);
	loop_until(&s.loop, s.end.ended);
	check_int(s.end.how, CONN_TLS);
	check_str(s.end.error, "the client's hello is too long");
	close(sv[1]);
	server_clear(&s);
}

static void
test_rubbish(void)
{
	static const struct { const char *what, *in, *error; } cases[] = {
		{ "HTTP", "GET / HTTP/1.0\r\n\r\n", "what came was HTTP" },
		{ "SMTP", "EHLO client.example\r\n",
		    "what came was not TLS" },
		{ "nothing", "", "the other side closed the connection" },
	};
	const struct cert *list[] = { &certs[KEY_P256] };
	struct server s;
	size_t i;
	int sv[2];

	server_init(&s, list, 1);
	for (i = 0; i < nitems(cases); i++) {
		check_begin(cases[i].what);
		peer_pair(sv);
		end_init(&s.end, &s.loop, sv[0]);
		conn_tls_accept(&s.end.c, s.s.tls, &s.listen, NULL);
		loop_run_once(&s.loop, 1);
		check_int(write(sv[1], cases[i].in, strlen(cases[i].in)),
		    (int)strlen(cases[i].in));
		if (cases[i].in[0] == '\0')
			close(sv[1]);
		loop_until(&s.loop, s.end.ended);
		check_int(s.end.how, CONN_TLS);
		check_str(s.end.error, cases[i].error);
		check_true(!s.end.secured);
		if (cases[i].in[0] != '\0')
			close(sv[1]);
		end_clear(&s.end);
	}
	server_clear(&s);
}

static void
certs_make(void)
{
	int k;

	for (k = 0; k < KEY_KINDS; k++)
		keys[k] = key_make(k);
	keys[KEY_KINDS] = key_make(KEY_P256);
	authority = cert_make(key_make(KEY_P256), NULL, NULL, 100);
	for (k = 0; k < KEY_KINDS; k++)
		certs[k] = cert_make(keys[k], &authority,
		    "DNS:mail.example,DNS:mx.example", 90);
	other = cert_make(keys[KEY_KINDS], &authority,
	    "DNS:*.other.example", 90);
}

int
main(void)
{
	certs_make();
	test_keys();
	test_names();
	test_alpn();
	test_versions();
	test_tickets(TLS1_2_VERSION, "tickets of TLS 1.2");
	test_tickets(TLS1_3_VERSION, "tickets of TLS 1.3");
	test_tickets_odd();
	test_bindings(TLS1_2_VERSION, KEY_P256, "bindings of TLS 1.2");
	test_bindings(TLS1_3_VERSION, KEY_RSA, "bindings of TLS 1.3");
	test_renegotiation();
	test_schemes();
	test_key_update();
	test_octets(TLS1_2_VERSION, "octet by octet, TLS 1.2");
	test_octets(TLS1_3_VERSION, "octet by octet, TLS 1.3");
	test_hello();
	test_rubbish();
	return check_end();
}
