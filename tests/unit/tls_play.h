/*
 * tls_play.h - what the tests of TLS share: keys and certificates made for the
 * run, a keyd in a process of its own that signs as it is told to, a server's
 * connection over a socketpair, and OpenSSL as the client on its other side.
 */
#ifndef TESTS_UNIT_TLS_PLAY_H
#define TESTS_UNIT_TLS_PLAY_H

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/net/conn.h"
#include "lib/net/sign.h"
#include "lib/net/tls.h"
#include "tests/unit/check.h"
#include "tests/unit/fake_peer.h"

/* Longer than any handshake takes on the busiest machine. */
#define PATIENCE_MS 30000

/* -- keys and certificates ------------------------------------------------ */

enum { KEY_RSA, KEY_P256, KEY_P384, KEY_ED25519, KEY_KINDS };
static const char *const key_names[] = { "RSA", "P-256", "P-384", "Ed25519" };

/* Everything that could not be made ends the test. */
static inline void
must(bool made, const char *what)
{
	if (made)
		return;
	ERR_print_errors_fp(stdout);
	printf("cannot make %s\n", what);
	exit(1);
}

static inline EVP_PKEY *
key_make(int kind)
{
	EVP_PKEY *k = kind == KEY_RSA ?
	    EVP_PKEY_Q_keygen(NULL, "provider=default", "RSA", (size_t)2048) :
	    kind == KEY_ED25519 ?
	    EVP_PKEY_Q_keygen(NULL, "provider=default", "ED25519") :
	    EVP_PKEY_Q_keygen(NULL, "provider=default", "EC",
	    key_names[kind]);

	must(k != NULL, "a key");
	return k;
}

struct cert { X509 *x; EVP_PKEY *key; };

static inline void
extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	must(e != NULL && X509_add_ext(x, e, -1) == 1, value);
	X509_EXTENSION_free(e);
}

/* names: subjectAltName, or NULL for an authority. days: how long it is good
 * for, from three days ago. by: who signs, or NULL: itself. */
static inline struct cert
cert_make(EVP_PKEY *key, const struct cert *by, const char *names, int days)
{
	static long serial;
	struct cert c = { X509_new(), key };
	const struct cert *signer = by == NULL ? &c : by;
	X509_NAME *name = X509_get_subject_name(c.x);
	char text[40];

	snprintf(text, sizeof(text), "certificate %ld", ++serial);
	X509_set_version(c.x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(c.x), serial);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	    (const unsigned char *)text, -1, -1, 0);
	X509_set_issuer_name(c.x, X509_get_subject_name(signer->x));
	X509_gmtime_adj(X509_getm_notBefore(c.x), -3 * 86400);
	X509_gmtime_adj(X509_getm_notAfter(c.x), (long)days * 86400);
	X509_set_pubkey(c.x, key);
	extension(c.x, signer->x, NID_basic_constraints, names == NULL ?
	    "critical,CA:TRUE" : "CA:FALSE");
	if (names != NULL)
		extension(c.x, signer->x, NID_subject_alt_name, names);
	must(X509_sign(c.x, signer->key,
	    EVP_PKEY_get_base_id(signer->key) == EVP_PKEY_ED25519 ? NULL :
	    EVP_sha256()) > 0, "a certificate");
	return c;
}

/* The certificates of a list as a file would hold them; the descriptor. */
static inline int
cert_file(X509 *const *list, size_t n)
{
	BIO *b = BIO_new(BIO_s_mem());
	int fd = memfd_create("certificate", MFD_CLOEXEC);
	char *p;
	long len;
	size_t i;

	for (i = 0; i < n; i++)
		must(PEM_write_bio_X509(b, list[i]) == 1, "a file");
	len = BIO_get_mem_data(b, &p);
	must(fd != -1 && write(fd, p, (size_t)len) == len, "a file");
	BIO_free(b);
	return fd;
}

/* -- keyd, as a process of its own ---------------------------------------- */

enum { KEYD_SIGNS, KEYD_SILENT, KEYD_CLOSES, KEYD_REFUSES, KEYD_NO_KEY,
	KEYD_OTHER_ID, KEYD_RUBBISH };

#define KEYS_MAX 16

/* Seen by both processes. */
struct keyd_play {
	int mode;
	unsigned sockets, questions;
	bool mute;               /* does not say that it is ready */
};

struct keyd {
	struct loop loop;
	struct channel ch;
	struct watch watch;
	int fd;
	struct keyd_play *play;
	EVP_PKEY *const *keys;
	size_t nkeys;
};

static inline size_t
keyd_sign(const struct keyd *k, const struct sign_question *q,
    unsigned char *sig, size_t size)
{
	static const char *const digest[] = { [4] = "SHA256", [5] = "SHA384",
	    [6] = "SHA512" };
	const unsigned kind = q->scheme & 0xff, high = q->scheme >> 8;
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	EVP_PKEY_CTX *ctx;
	unsigned char *der, id[32];
	EVP_PKEY *key = NULL;
	size_t i, len = size;
	int n;

	for (i = 0; i < k->nkeys && key == NULL; i++) {
		der = NULL;
		n = i2d_PUBKEY(k->keys[i], &der);
		EVP_Digest(der, (size_t)n, id, NULL, EVP_sha256(), NULL);
		OPENSSL_free(der);
		if (memcmp(id, q->key, sizeof(id)) == 0)
			key = k->keys[i];
	}
	if (key == NULL || EVP_DigestSignInit_ex(md, &ctx,
	    q->scheme == SIGN_ED25519 ? NULL :
	    digest[high == 8 ? kind : high], NULL, NULL, key, NULL) != 1)
		len = 0;
	if (len > 0 && high == 8 && kind < 7 &&
	    (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) != 1 ||
	    EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx,
	    RSA_PSS_SALTLEN_DIGEST) != 1))
		len = 0;
	if (len > 0 && EVP_DigestSign(md, sig, &len,
	    (const unsigned char *)q->data.p, q->data.len) != 1)
		len = 0;
	EVP_MD_CTX_free(md);
	return len;
}

static inline void
keyd_on_question(void *arg, unsigned what)
{
	static char packet[SIGN_QUESTION_MAX + 1];
	struct keyd *k = arg;
	unsigned char sig[SIGN_SIGNATURE_MAX];
	struct sign_question q;
	struct sign_answer a = { .status = SIGN_OK };
	struct buf out = BUF_INIT(SIGN_ANSWER_MAX);
	ssize_t n = recv(k->fd, packet, sizeof(packet), 0);

	(void)what;
	if (n <= 0 || k->play->mode == KEYD_CLOSES ||
	    sign_question_decode(span_make(packet, (size_t)n), &q) == -1) {
		watch_clear(&k->watch);
		close(k->fd);
		k->fd = -1;
		return;
	}
	k->play->questions++;
	a.id = q.id + (k->play->mode == KEYD_OTHER_ID);
	a.signature = span_make(sig, keyd_sign(k, &q, sig, sizeof(sig)));
	if (k->play->mode == KEYD_REFUSES)
		a = (struct sign_answer){ a.id, SIGN_REFUSED, { NULL, 0 } };
	else if (a.signature.len == 0 || k->play->mode == KEYD_NO_KEY)
		a = (struct sign_answer){ a.id, SIGN_NO_KEY, { NULL, 0 } };
	must(sign_answer_encode(&a, &out) == 0, "an answer");
	if (k->play->mode == KEYD_RUBBISH)
		out.len = 3;
	if (k->play->mode != KEYD_SILENT)
		send(k->fd, buf_span(&out).p, out.len, MSG_NOSIGNAL);
	buf_clear(&out);
}

static inline int
keyd_on_socket(void *arg, struct ipc_msg *m)
{
	struct keyd *k = arg;

	if (k->fd != -1) {
		watch_clear(&k->watch);
		close(k->fd);
	}
	k->fd = ipc_take_fd(m);
	k->play->sockets++;
	watch_init(&k->watch, &k->loop, k->fd, keyd_on_question, k);
	watch_set(&k->watch, LOOP_READ);
	if (!k->play->mute)
		peer_say(&k->ch, IPC_SIGN_READY, 0);
	return 0;
}

static inline void
keyd_on_lost(void *arg, struct channel *ch)
{
	(void)arg;
	(void)ch;
	_exit(0);
}

static inline struct keyd_play *
keyd_play_new(void)
{
	struct keyd_play *p = mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	must(p != MAP_FAILED, "shared memory");
	return p;
}

/* Starts it; our end of its channel. It ends when that is closed. */
static inline int
keyd_start(struct keyd_play *play, enum role asker, EVP_PKEY *const *keys,
    size_t n)
{
	static const struct ipc_handler handlers[] = {
		{ IPC_SIGN_SOCKET, keyd_on_socket },
		{ IPC_KEY_USED, on_nothing }, IPC_HANDLERS_END
	};
	static struct keyd k;
	int sv[2];

	peer_pair(sv);
	fcntl(sv[0], F_SETFD, FD_CLOEXEC);
	switch (fork()) {
	case -1:
		must(false, "a process");
		break;
	case 0:
		close(sv[0]);
		k = (struct keyd){ .fd = -1, .play = play, .keys = keys,
		    .nkeys = n };
		loop_init(&k.loop);
		channel_init(&k.ch, &k.loop, ROLE_KEYD, asker, handlers, &k);
		k.ch.on_lost = keyd_on_lost;
		channel_open(&k.ch, sv[1]);
		loop_run(&k.loop);
		_exit(0);
	}
	close(sv[1]);
	return sv[0];
}

/* -- a program that speaks TLS -------------------------------------------- */

struct speaker {
	struct loop *loop;
	struct conf conf;
	struct conf_tls blocks[8];
	struct channel keyd;
	struct keyd_play *play;
	struct tls *tls;
};

/* The blocks are those of s->blocks that have a name. */
static inline void
speaker_init(struct speaker *s, struct loop *loop, enum role role)
{
	s->loop = loop;
	s->conf.tls = s->blocks;
	while (s->conf.ntls < nitems(s->blocks) &&
	    s->blocks[s->conf.ntls].name != NULL)
		s->conf.ntls++;
	s->play = keyd_play_new();
	channel_init(&s->keyd, loop, role, ROLE_KEYD, tls_keyd_handlers,
	    s);
	s->keyd.on_lost = tls_keyd_down;
	s->tls = tls_new(loop, &s->conf, role, &s->keyd);
}

static inline void
speaker_keyd(struct speaker *s, EVP_PKEY *const *keys, size_t n)
{
	channel_open(&s->keyd, keyd_start(s->play, s->keyd.self, keys, n));
	tls_keyd_up(s, &s->keyd);
}

static inline void
speaker_clear(struct speaker *s)
{
	channel_close(&s->keyd);
	tls_free(s->tls);
	munmap(s->play, sizeof(*s->play));
}

/* As if keyd had sent that: what the handler says. */
static inline int
speaker_hears(struct speaker *s, enum ipc_type type, struct span body)
{
	const struct ipc_handler *h = tls_keyd_handlers;
	struct ipc_msg m = { .ch = &s->keyd, .type = (uint16_t)type,
	    .body = body, .fd = -1 };

	while (h->type != type)
		h++;
	return h->fn(s, &m);
}

/* n ticket keys, each made of its number. */
static inline void
speaker_tickets(struct speaker *s, const char *numbers)
{
	struct buf b = BUF_INIT(1024);
	char key[32];
	size_t i, k;

	buf_add_u8(&b, (uint8_t)strlen(numbers));
	for (i = 0; numbers[i] != '\0'; i++) {
		memset(key, numbers[i], sizeof(key));
		for (k = 0; k < 3; k++) {
			buf_add_u32(&b, k == 0 ? 16 : 32);
			buf_add(&b, key, k == 0 ? 16 : 32);
		}
	}
	check_int(speaker_hears(s, IPC_TICKETS, buf_span(&b)), 0);
	buf_clear(&b);
}

/* -- one end of a connection ---------------------------------------------- */

struct end {
	struct loop *loop;
	struct conn c;
	struct buf log;          /* lines as "[...]", the end as "{...}" */
	struct buf octets;
	bool secured, ended, echo;
	enum conn_end how;
	char error[200];
	struct tls_info info;
};

static inline void
end_on_line(void *arg, struct span line, enum conn_eol eol)
{
	struct end *e = arg;

	(void)eol;
	buf_addf(&e->log, "[%.*s]", SPAN_ARG(line));
	if (e->echo)
		conn_writef(&e->c, "ok %.*s\r\n", SPAN_ARG(line));
}

static inline void
end_on_long(void *arg)
{
	buf_add_str(&((struct end *)arg)->log, "[long]");
}

static inline size_t
end_on_octets(void *arg, struct span data)
{
	struct end *e = arg;

	buf_add_span(&e->octets, data);
	return data.len;
}

static inline void
end_on_secured(void *arg)
{
	struct end *e = arg;

	e->secured = true;
	check_true(conn_tls_info(&e->c, &e->info));
	check_true(conn_input_empty(&e->c));
}

static inline void
end_on_ended(void *arg, enum conn_end how)
{
	struct end *e = arg;

	e->ended = true;
	e->how = how;
	strlcpy(e->error, conn_tls_error(&e->c), sizeof(e->error));
	conn_close(&e->c);
}

static inline void
end_init(struct end *e, struct loop *loop, int fd)
{
	static const struct conn_ops ops = { .line = end_on_line,
	    .line_long = end_on_long, .octets = end_on_octets,
	    .ended = end_on_ended, .secured = end_on_secured };

	*e = (struct end){ .loop = loop, .echo = true };
	buf_init(&e->log, 1 << 20);
	buf_init(&e->octets, 64 << 20);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	conn_open(&e->c, loop, fd, &ops, e, 1000);
}

static inline void
end_clear(struct end *e)
{
	conn_close(&e->c);
	buf_clear(&e->log);
	buf_clear(&e->octets);
}

/* loop_until - runs the loop as long as COND is false and patience lasts. */
#define loop_until(loop, cond) do {					\
	int64_t until_ = clock_boot_ms() + PATIENCE_MS;			\
									\
	while (!(cond) && clock_boot_ms() < until_)			\
		loop_run_once((loop), 2);				\
	check_true(cond);						\
} while (0)

/* -- OpenSSL as a client -------------------------------------------------- */

struct client {
	struct loop *loop;
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;
	SSL_SESSION *session;    /* the last ticket */
	int failed;              /* reason of the error that ended it */
};

static inline int
client_on_session(SSL *ssl, SSL_SESSION *session)
{
	struct client *c = SSL_get_app_data(ssl);

	SSL_SESSION_free(c->session);
	c->session = session;
	return 1;
}

static inline void
client_init(struct client *c, struct loop *loop, int version)
{
	*c = (struct client){ .loop = loop, .fd = -1 };
	c->ctx = SSL_CTX_new(TLS_client_method());
	must(c->ctx != NULL, "a client");
	if (version != 0) {
		SSL_CTX_set_min_proto_version(c->ctx, version);
		SSL_CTX_set_max_proto_version(c->ctx, version);
	}
	SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_CLIENT |
	    SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(c->ctx, client_on_session);
}

/* A new connection on fd; a session that is known is resumed. */
static inline void
client_open(struct client *c, int fd, const char *name)
{
	fcntl(fd, F_SETFL, O_NONBLOCK);
	c->fd = fd;
	c->failed = 0;
	c->ssl = SSL_new(c->ctx);
	SSL_set_fd(c->ssl, fd);
	SSL_set_app_data(c->ssl, c);
	SSL_set_connect_state(c->ssl);
	if (name != NULL)
		SSL_set_tlsext_host_name(c->ssl, name);
	if (c->session != NULL)
		SSL_set_session(c->ssl, c->session);
}

static inline void
client_close(struct client *c)
{
	if (c->ssl == NULL)
		return;
	/* Without a goodbye OpenSSL would forget the session. */
	if (c->failed == 0)
		SSL_shutdown(c->ssl);
	/* of a ticket that renews another one it tells in TLS 1.3 alone */
	if (c->failed == 0 && c->session != NULL && SSL_version(c->ssl) ==
	    TLS1_2_VERSION) {
		SSL_SESSION_free(c->session);
		c->session = SSL_get1_session(c->ssl);
	}
	SSL_free(c->ssl);
	close(c->fd);
	c->ssl = NULL;
}

static inline void
client_clear(struct client *c)
{
	client_close(c);
	SSL_SESSION_free(c->session);
	SSL_CTX_free(c->ctx);
}

/* After a call that gave rv: true when it is to be repeated. */
static inline bool
client_again(struct client *c, int rv)
{
	int e = SSL_get_error(c->ssl, rv);

	if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE) {
		loop_run_once(c->loop, 1);
		return true;
	}
	c->failed = ERR_GET_REASON(ERR_peek_error());
	if (c->failed == 0)
		c->failed = -1;
	ERR_clear_error();
	return false;
}

/* The handshake, while the loop runs. */
static inline bool
client_shake(struct client *c)
{
	int64_t until = clock_boot_ms() + PATIENCE_MS;
	int rv;

	do
		rv = SSL_do_handshake(c->ssl);
	while (rv != 1 && clock_boot_ms() < until && client_again(c, rv));
	return rv == 1;
}

/* Says a line and hears one, or "" when there is none. */
static inline const char *
client_ask(struct client *c, const char *text)
{
	static char line[1000];
	int64_t until = clock_boot_ms() + PATIENCE_MS;
	int rv;

	line[0] = '\0';
	do
		rv = SSL_write(c->ssl, text, (int)strlen(text));
	while (rv <= 0 && clock_boot_ms() < until && client_again(c, rv));
	if (rv <= 0)
		return line;
	do
		rv = SSL_read(c->ssl, line, sizeof(line) - 1);
	while (rv <= 0 && clock_boot_ms() < until && client_again(c, rv));
	line[rv > 0 ? rv : 0] = '\0';
	return line;
}

#endif /* TESTS_UNIT_TLS_PLAY_H */
