/*
 * tls_keyd_test.c - what does not go well: a keyd that is slow, dead or says
 * odd things, certificate files that are broken, and certificates whose key
 * comes later than they do.
 */
#include "tests/unit/tls_play.h"

#include "lib/ipc/daemon.h"

static EVP_PKEY *keys[2];
static struct cert authority, first, second;

struct server {
	struct loop loop;
	struct speaker s;
	struct conf_listen listen;
	char *names[1];
	struct end end;
	struct client c;
};

static void
give_file(struct server *s, X509 *x)
{
	tls_file(s->s.tls, "/cert.pem", cert_file(&x, 1));
}

static void
server_init(struct server *s, const char *name)
{
	check_begin(name);
	*s = (struct server){ .listen = { .kind = LISTEN_MX } };
	loop_init(&s->loop);
	s->s.blocks[0] = (struct conf_tls){ .name = "main",
	    .cert = "/cert.pem", .client_ca = "/ca.pem" };
	s->names[0] = s->s.blocks[0].name;
	s->listen.tls = (struct conf_list){ s->names, 1 };
	speaker_init(&s->s, &s->loop, ROLE_SMTPD);
	client_init(&s->c, &s->loop, 0);
}

static void
server_clear(struct server *s)
{
	client_clear(&s->c);
	end_clear(&s->end);
	speaker_clear(&s->s);
	loop_clear(&s->loop);
}

/* One handshake: does it succeed, and how long does it take? */
static bool
shakes(struct server *s, int64_t *ms)
{
	int64_t begin;
	int sv[2];
	bool done;

	client_close(&s->c);
	end_clear(&s->end);
	peer_pair(sv);
	end_init(&s->end, &s->loop, sv[0]);
	conn_tls_accept(&s->end.c, s->s.tls, &s->listen, NULL);
	client_open(&s->c, sv[1], NULL);
	begin = clock_boot_ms();
	done = client_shake(&s->c);
	if (ms != NULL)
		*ms = clock_boot_ms() - begin;
	loop_until(&s->loop, s->end.secured || s->end.ended);
	check_int(s->end.secured, done);
	check_int(s->end.ended && s->end.how == CONN_TLS, !done);
	return done;
}

static void
test_silent(void)
{
	struct server s;
	int64_t ms;
	int i;

	server_init(&s, "keyd does not answer");
	give_file(&s, first.x);
	speaker_keyd(&s.s, keys, 2);
	check_true(shakes(&s, NULL));
	s.s.play->mode = KEYD_SILENT;
	s.s.play->mute = true;
	check_true(!shakes(&s, &ms));
	check_true(ms >= TLS_SIGN_MS);
	check_str(s.end.error, "keyd does not answer");
	for (i = 0; i < 5; i++) {
		check_true(!shakes(&s, &ms));
		check_true(ms < TLS_SIGN_MS);
		check_str(s.end.error, "keyd is not there to sign");
	}
	check_begin("keyd has a new socket, but does not say that it is there");
	loop_until(&s.loop, s.s.play->sockets >= 2);
	check_true(!shakes(&s, &ms));
	check_true(ms < TLS_SIGN_MS);
	check_begin("keyd is there again");
	s.s.play->mode = KEYD_SIGNS;
	s.s.play->mute = false;
	loop_until(&s.loop, shakes(&s, NULL));
	check_begin("keyd goes and another one comes");
	channel_close(&s.s.keyd);
	tls_keyd_down(NULL, &s.s.keyd);
	check_true(!shakes(&s, &ms));
	check_str(s.end.error, "keyd is not there to sign");
	speaker_keyd(&s.s, keys, 2);
	check_true(shakes(&s, NULL));
	server_clear(&s);
}

static void
test_back(void)
{
	struct server s;
	unsigned sockets;

	server_init(&s, "keyd comes back by itself");
	give_file(&s, first.x);
	speaker_keyd(&s.s, keys, 2);
	s.s.play->mode = KEYD_CLOSES;
	check_true(!shakes(&s, NULL));
	check_str(s.end.error, "keyd closed its socket");
	check_true(!shakes(&s, NULL));
	s.s.play->mode = KEYD_SIGNS;
	sockets = s.s.play->sockets;
	loop_until(&s.loop, s.s.play->sockets > sockets);
	loop_until(&s.loop, shakes(&s, NULL));
	server_clear(&s);
}

static void
test_odd_answers(void)
{
	static const struct { const char *what, *error; int mode; } cases[] = {
		{ "an answer to another question", "keyd's answer is none",
		    KEYD_OTHER_ID },
		{ "an answer that is none", "keyd's answer is none",
		    KEYD_RUBBISH },
		{ "it closes the socket", "keyd closed its socket",
		    KEYD_CLOSES },
	};
	struct server s;
	size_t i;

	for (i = 0; i < nitems(cases); i++) {
		server_init(&s, cases[i].what);
		give_file(&s, first.x);
		speaker_keyd(&s.s, keys, 2);
		s.s.play->mode = cases[i].mode;
		check_true(!shakes(&s, NULL));
		check_str(s.end.error, cases[i].error);
		check_true(!shakes(&s, NULL));
		check_str(s.end.error, "keyd is not there to sign");
		server_clear(&s);
	}
	server_init(&s, "a refusal is about one handshake alone");
	give_file(&s, first.x);
	speaker_keyd(&s.s, keys, 2);
	s.s.play->mode = KEYD_REFUSES;
	check_true(!shakes(&s, NULL));
	check_str(s.end.error, "keyd refused to sign");
	s.s.play->mode = KEYD_NO_KEY;
	check_true(!shakes(&s, NULL));
	check_str(s.end.error, "keyd has no key for our certificate");
	s.s.play->mode = KEYD_SIGNS;
	check_true(shakes(&s, NULL));
	check_int(s.s.play->sockets, 1);
	server_clear(&s);
}

/* A descriptor with this text, then with a certificate behind it. */
static int
text_file(const char *text, X509 *behind)
{
	int fd = memfd_create("text", MFD_CLOEXEC), from;
	char block[8192];
	ssize_t n;

	must(fd != -1 && write(fd, text, strlen(text)) == (ssize_t)strlen(text),
	    "a file");
	if (behind == NULL)
		return fd;
	from = cert_file(&behind, 1);
	n = pread(from, block, sizeof(block), 0);
	must(n > 0 && write(fd, block, (size_t)n) == n, "a file");
	close(from);
	return fd;
}

static void
test_files(void)
{
	EVP_PKEY *small = EVP_PKEY_Q_keygen(NULL, "provider=default", "RSA",
	    (size_t)1024);
	EVP_PKEY *odd = EVP_PKEY_Q_keygen(NULL, "provider=default", "EC",
	    "P-521");
	struct cert weak = cert_make(small, NULL, "DNS:mail.example", 90);
	struct cert strange = cert_make(odd, NULL, "DNS:mail.example", 90);
	const char *marks = "-----BEGIN CERTIFICATE-----\n"
	    "MIIB\n-----END CERTIFICATE-----\n";
	int broken[7], round;
	struct server s;
	size_t i;

	server_init(&s, "a broken file leaves the old certificate");
	check_true(!tls_can_serve(s.s.tls, &s.listen));
	for (round = 0; round < 2; round++) {
		broken[0] = text_file("", NULL);
		broken[1] = text_file("no certificate\n", NULL);
		broken[2] = text_file(marks, NULL);
		broken[3] = text_file("-----BEGIN PRIVATE KEY-----\n"
		    "AAAA\n-----END PRIVATE KEY-----\n", second.x);
		broken[4] = cert_file(&weak.x, 1);
		broken[5] = cert_file(&strange.x, 1);
		broken[6] = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		for (i = 0; i < nitems(broken); i++) {
			tls_file(s.s.tls, "/cert.pem", broken[i]);
			check_int(tls_can_serve(s.s.tls, &s.listen), round);
			if (round == 1) {
				check_true(shakes(&s, NULL));
				check_int(X509_cmp(first.x,
				    SSL_get0_peer_certificate(s.c.ssl)), 0);
			}
		}
		give_file(&s, first.x);
		if (round == 0)
			speaker_keyd(&s.s, keys, 2);
	}
	check_begin("a file that is not ours is closed");
	i = (size_t)cert_file(&second.x, 1);
	tls_file(s.s.tls, "/other.pem", (int)i);
	check_int(fcntl((int)i, F_GETFD), -1);
	check_begin("text before the certificates is let be");
	tls_file(s.s.tls, "/cert.pem", text_file("subject=...\n", first.x));
	check_true(shakes(&s, NULL));
	check_begin("client-ca without a certificate");
	tls_file(s.s.tls, "/ca.pem", text_file("nothing\n", NULL));
	check_true(shakes(&s, NULL));
	server_clear(&s);
	X509_free(weak.x);
	X509_free(strange.x);
	EVP_PKEY_free(small);
	EVP_PKEY_free(odd);
}

/* The certificate is there, keyd has its key only later. */
static void
test_key_comes_later(void)
{
	struct server s;
	unsigned asked;

	server_init(&s, "a new certificate waits for its key");
	give_file(&s, first.x);
	speaker_keyd(&s.s, keys, 1);
	check_true(shakes(&s, NULL));
	give_file(&s, second.x);
	check_true(shakes(&s, NULL));
	check_int(X509_cmp(first.x, SSL_get0_peer_certificate(s.c.ssl)), 0);
	asked = s.s.play->questions;
	loop_until(&s.loop, s.s.play->questions > asked);
	check_true(shakes(&s, NULL));
	check_int(X509_cmp(first.x, SSL_get0_peer_certificate(s.c.ssl)), 0);
	/* a keyd that knows both */
	channel_close(&s.s.keyd);
	tls_keyd_down(NULL, &s.s.keyd);
	speaker_keyd(&s.s, keys, 2);
	loop_until(&s.loop, shakes(&s, NULL) && X509_cmp(second.x,
	    SSL_get0_peer_certificate(s.c.ssl)) == 0);
	check_begin("and the old one comes back at once");
	give_file(&s, first.x);
	check_true(shakes(&s, NULL));
	check_int(X509_cmp(first.x, SSL_get0_peer_certificate(s.c.ssl)), 0);
	server_clear(&s);
}

static void
test_status(void)
{
	struct daemon_status st[8];
	struct server s;
	size_t n;

	server_init(&s, "numbers for the admin");
	check_int(tls_status(s.s.tls, st, nitems(st)), 3);
	give_file(&s, first.x);
	speaker_keyd(&s.s, keys, 1);
	check_true(shakes(&s, NULL));
	s.s.play->mode = KEYD_REFUSES;
	check_true(!shakes(&s, NULL));
	n = tls_status(s.s.tls, st, nitems(st));
	check_int(n, 4);
	check_str(st[0].key, "tls-handshakes");
	check_int(st[0].value, 1);
	check_str(st[1].key, "tls-resumed");
	check_int(st[1].value, 0);
	check_str(st[2].key, "tls-failed");
	check_int(st[2].value, 1);
	check_str(st[3].key, "expires-main");
	check_int(st[3].value, 89);
	check_int(tls_status(s.s.tls, st, 2), 2);
	server_clear(&s);
}

int
main(void)
{
	log_stderr_level(LOG_L_ERROR + 1);
	keys[0] = key_make(KEY_P256);
	keys[1] = key_make(KEY_RSA);
	authority = cert_make(key_make(KEY_P256), NULL, NULL, 100);
	first = cert_make(keys[0], &authority, "DNS:mail.example", 90);
	second = cert_make(keys[1], &authority, "DNS:mail.example", 90);
	test_silent();
	test_back();
	test_odd_answers();
	test_files();
	test_key_comes_later();
	test_status();
	return check_end();
}
