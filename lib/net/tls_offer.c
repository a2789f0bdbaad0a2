/*
 * lib/net/tls_offer.c - what a client is shown: the certificates for the name
 * that it asks for, one of each kind of key, and the protocol that it names.
 */
#include "lib/net/tls_in.h"

#include <openssl/x509v3.h>

#include "lib/mem.h"

struct tls_block **
tls_offers(const struct tls *t, const struct conf_listen *l, size_t *n)
{
	struct tls_block **list, *b;
	size_t i;

	*n = 0;
	if (l->tls.n == 0)
		return NULL;
	list = xcalloc(l->tls.n, sizeof(struct tls_block *));
	for (i = 0; i < l->tls.n; i++) {
		b = tls_block_find(t, l->tls.words[i]);
		if (b != NULL && b->cred != NULL)
			list[(*n)++] = b;
	}
	return list;
}

bool
tls_can_serve(const struct tls *t, const struct conf_listen *l)
{
	const struct tls_block *b;
	size_t i;

	for (i = 0; i < l->tls.n; i++) {
		b = tls_block_find(t, l->tls.words[i]);
		if (b != NULL && b->cred != NULL)
			return true;
	}
	return false;
}

static bool
has_name(const struct tls_block *b, const char *name)
{
	return X509_check_host(b->cred->leaf, name, 0, 0, NULL) == 1;
}

/* The first name of a certificate, as a host that it is good for; freed by the
 * caller. Whoever names no host gets all certificates of that one. */
static char *
first_name(const struct tls_block *b)
{
	GENERAL_NAMES *names;
	const GENERAL_NAME *name;
	char *found = NULL;
	struct span s;
	int i;

	names = X509_get_ext_d2i(b->cred->leaf, NID_subject_alt_name, NULL,
	    NULL);
	for (i = 0; i < sk_GENERAL_NAME_num(names) && found == NULL; i++) {
		name = sk_GENERAL_NAME_value(names, i);
		if (name->type != GEN_DNS)
			continue;
		s = span_make(ASN1_STRING_get0_data(name->d.dNSName),
		    (size_t)ASN1_STRING_length(name->d.dNSName));
		if (!span_printable(s) || s.len == 0)
			continue;
		found = span_dup(s);
		if (found[0] == '*')
			found[0] = 'x';
	}
	GENERAL_NAMES_free(names);
	return found;
}

/* Those for a name, one of each kind of key, beginning at the first of them;
 * always that one, even if it is for another. */
static int
offer(struct conn_tls *l, size_t first, const char *name)
{
	const struct tls_shake *h = l->shake;
	const struct tls_block *b;
	unsigned kinds = 0, kind;
	size_t i;

	for (i = first; i < h->noffers; i++) {
		b = h->offers[i];
		kind = b->cred->kind == EVP_PKEY_RSA ? 1 :
		    b->cred->kind == EVP_PKEY_EC ? 2 : 4;
		if ((kinds & kind) != 0 ||
		    (i != first && (name == NULL || !has_name(b, name))))
			continue;
		if (tls_cred_use(b->cred, l->ssl) == -1)
			return 0;
		kinds |= kind;
	}
	tls_verify_clients(l, h->offers[first]);
	return 1;
}

int
tls_on_cert(SSL *ssl, void *arg)
{
	struct conn_tls *l = TLS_OF(ssl);
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	char *own;
	size_t i;
	int rv;

	(void)arg;
	if (l->shake == NULL || l->shake->noffers == 0)
		return 0;
	for (i = 0; name != NULL && i < l->shake->noffers; i++)
		if (has_name(l->shake->offers[i], name))
			return offer(l, i, name);
	own = first_name(l->shake->offers[0]);
	rv = offer(l, 0, own);
	mem_free(own);
	return rv;
}

/* RFC 7301 section 3.2: a client that names protocols, but not ours, is at the
 * wrong door, perhaps led there (ALPACA). */
int
tls_on_alpn(SSL *ssl, const unsigned char **out, unsigned char *len,
    const unsigned char *in, unsigned in_len, void *arg)
{
	const struct conn_tls *l = TLS_OF(ssl);
	const char *want = l->shake == NULL ? NULL : l->shake->alpn;
	unsigned at = 0, n;

	(void)arg;
	if (want == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	while (at < in_len && (n = in[at]) < in_len - at) {
		if (n == strlen(want) && memcmp(in + at + 1, want, n) == 0) {
			*out = in + at + 1;
			*len = (unsigned char)n;
			return SSL_TLSEXT_ERR_OK;
		}
		at += n + 1;
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}
