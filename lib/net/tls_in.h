/*
 * lib/net/tls_in.h - what the rooms of TLS share: tls.c (the program's TLS),
 * tls_cert.c (certificates from descriptors), tls_offer.c (which of them a
 * client gets), tls_conn.c (one connection), tls_sign.c (the way to keyd),
 * tls_provider.c (keys that sign that way), tls_ticket.c (sessions to be
 * resumed), tls_hello.c (how long a hello may be), tls_verify.c (whom to
 * believe), tls_info.c (what came of it).
 */
#ifndef LIB_NET_TLS_IN_H
#define LIB_NET_TLS_IN_H

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "lib/net/layer.h"
#include "lib/net/sign.h"
#include "lib/net/tls.h"

/* -- signatures ----------------------------------------------------------- */

struct tls_signer;

struct tls_signer *tls_signer_new(struct loop *loop, struct channel *keyd);
void tls_signer_free(struct tls_signer *s);
void tls_signer_up(struct tls_signer *s);
void tls_signer_down(struct tls_signer *s);
void tls_signer_ready(struct tls_signer *s);

/*
 * tls_sign - asks keyd, and waits for at most TLS_SIGN_MS. sig has room for
 * SIGN_SIGNATURE_MAX. Returns the length, or 0: tls_sign_why() tells.
 */
size_t tls_sign(struct tls_signer *s, const uint8_t key[SIGN_KEY],
    uint16_t scheme, struct span data, unsigned char *sig);

/* tls_sign_knows - does keyd have this key for us? 1, 0, or -1: no answer. */
int tls_sign_knows(struct tls_signer *s, const uint8_t key[SIGN_KEY],
    uint16_t scheme, bool server);

/* tls_sign_why - why the last signature failed, a sentence, or NULL if it did
 * not; tls_sign_forget forgets that. */
const char *tls_sign_why(const struct tls_signer *s);
void tls_sign_forget(struct tls_signer *s);

/* tls_provider_load - once in a program. tls_key_new - a key that keyd holds,
 * from its public half; NULL: not of a kind that we use. */
int tls_provider_load(void);
EVP_PKEY *tls_key_new(struct tls_signer *s, EVP_PKEY *public);

/* tls_key_id - SHA-256 of the SubjectPublicKeyInfo. 0 or -1. */
int tls_key_id(EVP_PKEY *public, uint8_t id[SIGN_KEY]);

/* tls_key_scheme - one in which a key of this kind can sign; 0: unfit. */
uint16_t tls_key_scheme(EVP_PKEY *public);

/* -- certificates --------------------------------------------------------- */

#define TLS_FILE_MAX  (4 * 1024 * 1024) /* a bundle of roots has 230 KB */
#define TLS_CHAIN_MAX 10

struct tls_cred {
	X509 *leaf;
	STACK_OF(X509) *chain;
	EVP_PKEY *key;
	uint8_t id[SIGN_KEY];
	int kind;                /* EVP_PKEY_id of the public key */
};

/* A tls block of the configuration, and what its files gave so far. */
struct tls_block {
	char *name, *cert_file, *ca_file;
	char *status_key;        /* "expires-NAME" */
	struct tls_cred *cred;   /* NULL: no usable certificate yet */
	struct tls_cred *next;   /* its key is not with keyd yet */
	X509_STORE *clients;     /* client-ca, or NULL */
	STACK_OF(X509_NAME) *client_names;
	uint8_t clients_id[32];
};

/* tls_file_read - the whole text of fd, which stays open. 0, or -1 with why. */
int tls_file_read(int fd, struct buf *out, const char **why);

/* tls_cred_new - from PEM, the host's own first; NULL with why. */
struct tls_cred *tls_cred_new(struct span pem, struct tls_signer *s,
    SSL_CTX *trial, const char **why);
void tls_cred_free(struct tls_cred *c);
int tls_cred_use(const struct tls_cred *c, SSL *ssl);
int64_t tls_cred_days(const struct tls_cred *c);

/* tls_cas_new - all certificates of a PEM text; NULL with why. names: their
 * subjects, for the hint that a server gives its clients, or NULL. */
X509_STORE *tls_cas_new(struct span pem, STACK_OF(X509_NAME) **names,
    const char **why);

/* -- tickets -------------------------------------------------------------- */

#define TLS_TICKET_KEYS 3    /* one to seal with, two that others seal with */
#define TLS_TICKET_S    7200 /* how long a session can be resumed */

struct tls_ticket_key { unsigned char name[16], aes[32], hmac[32]; };

struct tls_tickets {
	struct tls_ticket_key keys[TLS_TICKET_KEYS];
	size_t n;
};

void tls_tickets_setup(SSL_CTX *ctx);
int tls_tickets_take(struct tls_tickets *k, struct ipc_msg *m);

/* -- the program's TLS ---------------------------------------------------- */

struct tls {
	struct loop *loop;
	const struct conf *conf;
	enum role role;
	struct channel *keyd;
	struct tls_signer *signer;
	struct tls_tickets tickets;
	struct tls_block **blocks; /* they stay: connections know them */
	size_t nblocks;
	SSL_CTX *server, *client;
	BIO_METHOD *bio;
	X509_STORE *ca;          /* relay's, or NULL */
	struct timer next_timer; /* asks whether keyd has a new key by now */
	uint64_t handshakes, resumed, failed;
};

struct tls_block *tls_block_find(const struct tls *t, const char *name);

/* -- one connection ------------------------------------------------------- */

/* A key share and a ticket of the future included; the longest of today have 2
 * KiB, with a client's certificate in the ticket 4. */
#define TLS_HELLO_MAX 16384

/* What a client has sent in clear so far; zeroed at first. */
struct tls_hello {
	unsigned char record[5], message[4]; /* heads */
	size_t record_have, message_have;
	size_t record_left, message_left;
	bool over;
};

/* tls_hello_fits - data comes next: false when a ClientHello is announced that
 * is too long. */
bool tls_hello_fits(struct tls_hello *h, const void *data, size_t n);

/* What is needed until the handshake is done. */
struct tls_shake {
	struct timer limit;
	struct tls_block **offers; /* a server's certificates, or NULL */
	size_t noffers;
	const char *alpn;          /* as conn_tls_accept() was told */
	const char *refused;       /* why it may not go on, or NULL */
	struct tls_hello hello;
};

struct conn_tls {
	struct layer layer;        /* first: what conn.c knows */
	struct tls *tls;
	struct conn *conn;
	SSL *ssl;
	struct tls_shake *shake;   /* NULL behind it */
	char *error, *peer;        /* or NULL */
	bool server, eof, broken, bad_peer, dane;
};

#define TLS_OF(ssl) ((struct conn_tls *)SSL_get_app_data(ssl))

/* tls_bio_new - how OpenSSL reaches a connection's socket. */
BIO_METHOD *tls_bio_new(void);

/* tls_on_... - OpenSSL's calls when it knows whom the client wants, and which
 * protocol. */
int tls_on_cert(SSL *ssl, void *arg);
int tls_on_alpn(SSL *ssl, const unsigned char **out, unsigned char *len,
    const unsigned char *in, unsigned in_len, void *arg);

/* tls_offers - the blocks of a listener that have a certificate; n of them, in
 * a list that the caller frees, or NULL. */
struct tls_block **tls_offers(const struct tls *t, const struct conf_listen *l,
    size_t *n);

/* tls_verify_wish - what a client believes. 0, or -1: out of the question. */
int tls_verify_wish(struct conn_tls *l, const struct tls_wish *w);
void tls_verify_clients(struct conn_tls *l, const struct tls_block *b);
/* tls_verify_peer - the address that the client proved, or NULL; freed by the
 * caller. */
char *tls_verify_peer(const struct conn_tls *l);

/* tls_explain - the sentence for a handshake that failed so; freed by the
 * caller. */
char *tls_explain(const struct conn_tls *l, int ssl_error, int error);

/* tls_end_point - tls-server-end-point of a certificate; the length or 0. */
size_t tls_end_point(X509 *cert, char out[TLS_BINDING_MAX]);

#endif
