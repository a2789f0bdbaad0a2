/*
 * lib/net/tls_cert.c - certificates: from a descriptor to what a connection
 * shows. A file that does not hold is refused whole, with the reason; nothing
 * here decides what then stays in force.
 */
#include "lib/net/tls_in.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/mem.h"

int
tls_file_read(int fd, struct buf *out, const char **why)
{
	char *to;
	ssize_t n;

	/* from its beginning: another program may share the offset */
	while ((to = buf_reserve(out, 16384)) != NULL) {
		n = pread(fd, to, 16384, (off_t)out->len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1) {
			*why = strerror(errno);
			return -1;
		}
		if (n == 0)
			return 0;
		buf_grow(out, (size_t)n);
	}
	*why = "it is too large";
	return -1;
}

static X509 *
next_cert(BIO *in)
{
	X509 *x = PEM_read_bio_X509(in, NULL, NULL, NULL);

	if (x == NULL && ERR_GET_REASON(ERR_peek_last_error()) ==
	    PEM_R_NO_START_LINE)
		ERR_clear_error(); /* simply the end */
	return x;
}

/* The rest of the chain; order is the file's. */
static const char *
chain_read(struct tls_cred *c, BIO *in)
{
	X509 *x;

	if ((c->chain = sk_X509_new_null()) == NULL)
		return "memory is out";
	while ((x = next_cert(in)) != NULL) {
		if (sk_X509_num(c->chain) >= TLS_CHAIN_MAX ||
		    sk_X509_push(c->chain, x) == 0) {
			X509_free(x);
			return "its chain is too long";
		}
	}
	return ERR_peek_error() != 0 ?
	    "a certificate of its chain cannot be read" : NULL;
}

/* Would OpenSSL show it to a client? */
static bool
cred_works(const struct tls_cred *c, SSL_CTX *trial)
{
	SSL *ssl = SSL_new(trial);
	bool works = ssl != NULL && tls_cred_use(c, ssl) == 0;

	SSL_free(ssl);
	return works;
}

static const char *
cred_read(struct tls_cred *c, struct span pem, BIO *in, struct tls_signer *s,
    SSL_CTX *trial)
{
	EVP_PKEY *public;
	const char *why;

	/* A key among the certificates would lie in the memory of a program
	 * that reads the network. */
	if (memmem(pem.p, pem.len, "PRIVATE KEY-----", 16) != NULL)
		return "it holds a private key, which belongs into a file "
		    "of its own";
	if ((c->leaf = next_cert(in)) == NULL)
		return "it holds no certificate that can be read";
	if ((why = chain_read(c, in)) != NULL)
		return why;
	if ((public = X509_get0_pubkey(c->leaf)) == NULL ||
	    tls_key_scheme(public) == 0)
		return "its key is none of RSA of 2048 bits and more, P-256, "
		    "P-384 and Ed25519";
	c->kind = EVP_PKEY_get_base_id(public);
	if (tls_key_id(public, c->id) == -1 ||
	    (c->key = tls_key_new(s, public)) == NULL)
		return "its key cannot be used";
	if (!cred_works(c, trial))
		return "its signatures are too weak, or its chain is";
	return NULL;
}

struct tls_cred *
tls_cred_new(struct span pem, struct tls_signer *s, SSL_CTX *trial,
    const char **why)
{
	struct tls_cred *c = xcalloc(1, sizeof(*c));
	BIO *in = BIO_new_mem_buf(pem.p, (int)pem.len);

	ERR_clear_error();
	*why = in == NULL ? "memory is out" :
	    cred_read(c, pem, in, s, trial);
	ERR_clear_error();
	BIO_free(in);
	if (*why == NULL)
		return c;
	tls_cred_free(c);
	return NULL;
}

void
tls_cred_free(struct tls_cred *c)
{
	if (c == NULL)
		return;
	X509_free(c->leaf);
	sk_X509_pop_free(c->chain, X509_free);
	EVP_PKEY_free(c->key);
	mem_free(c);
}

int
tls_cred_use(const struct tls_cred *c, SSL *ssl)
{
	return SSL_use_cert_and_key(ssl, c->leaf, c->key, c->chain, 1) == 1 ?
	    0 : -1;
}

/* Full days left; 0 on the last and ever after. */
int64_t
tls_cred_days(const struct tls_cred *c)
{
	int days, seconds;

	if (ASN1_TIME_diff(&days, &seconds, NULL,
	    X509_get0_notAfter(c->leaf)) != 1 || days < 0)
		return 0;
	return days;
}

static int
names_add(STACK_OF(X509_NAME) *names, X509 *x)
{
	X509_NAME *name = X509_NAME_dup(X509_get_subject_name(x));

	if (name != NULL && sk_X509_NAME_push(names, name) > 0)
		return 0;
	X509_NAME_free(name);
	return -1;
}

X509_STORE *
tls_cas_new(struct span pem, STACK_OF(X509_NAME) **names, const char **why)
{
	X509_STORE *store = X509_STORE_new();
	BIO *in = BIO_new_mem_buf(pem.p, (int)pem.len);
	size_t n = 0;
	X509 *x;

	ERR_clear_error();
	*why = NULL;
	while (store != NULL && in != NULL && (x = next_cert(in)) != NULL) {
		if (X509_STORE_add_cert(store, x) != 1 ||
		    (names != NULL && names_add(*names, x) == -1))
			*why = "one of its certificates cannot be used";
		else
			n++;
		X509_free(x);
	}
	if (ERR_peek_error() != 0)
		*why = "one of its certificates cannot be read";
	else if (n == 0)
		*why = "it holds no certificate that can be read";
	ERR_clear_error();
	BIO_free(in);
	if (*why == NULL)
		return store;
	X509_STORE_free(store);
	return NULL;
}
