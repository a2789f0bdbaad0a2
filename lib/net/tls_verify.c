/*
 * lib/net/tls_verify.c - whom to believe: a server by its name and chain or by
 * DANE (RFC 7672), a client by the one address in its certificate.
 */
#include "lib/net/tls_in.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>

#include "lib/mem.h"

/* RFC 7218: those that RFC 7672 section 3.1 leaves. */
enum { DANE_TA = 2, DANE_EE = 3 };

/* -- what a client believes of a server ----------------------------------- */

static bool
is_address(const char *host)
{
	struct in6_addr a;

	return inet_pton(AF_INET, host, &a) == 1 ||
	    inet_pton(AF_INET6, host, &a) == 1;
}

/* RFC 6066 section 3: an address is no server name. */
static int
names_set(SSL *ssl, const struct tls_wish *w)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	size_t i;

	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (is_address(w->host)) {
		if (X509_VERIFY_PARAM_set1_ip_asc(param, w->host) != 1)
			return -1;
	} else if (SSL_set_tlsext_host_name(ssl, w->host) != 1 ||
	    SSL_set1_host(ssl, w->host) != 1)
		return -1;
	for (i = 0; w->names != NULL && w->names[i] != NULL; i++)
		if (SSL_add1_host(ssl, w->names[i]) != 1)
			return -1;
	return 0;
}

/* TLSA rdata: usage, selector, matching type, data (RFC 6698 section 2.1). The
 * usages of PKIX are none for SMTP (RFC 7672 section 3.1.3). Returns how many
 * records can be used. */
static size_t
dane_set(SSL *ssl, const struct tls_wish *w)
{
	const unsigned char *p;
	size_t i, n = 0;

	if (SSL_dane_enable(ssl, w->host) <= 0)
		return 0;
	/* RFC 7672 section 3.1.1: the record binds the key to the name */
	SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	for (i = 0; i < w->ntlsa; i++) {
		p = (const unsigned char *)w->tlsa[i].p;
		if (w->tlsa[i].len > 3 && (p[0] == DANE_TA ||
		    p[0] == DANE_EE) &&
		    SSL_dane_tlsa_add(ssl, p[0], p[1], p[2], p + 3,
		    w->tlsa[i].len - 3) > 0)
			n++;
	}
	return n;
}

int
tls_verify_wish(struct conn_tls *l, const struct tls_wish *w)
{
	SSL *ssl = l->ssl;

	if (l->tls->ca != NULL)
		SSL_set1_verify_cert_store(ssl, l->tls->ca);
	l->dane = w->ntlsa > 0 && dane_set(ssl, w) > 0;
	if (names_set(ssl, w) == -1)
		return -1;
	/* Where nothing is believed a weak certificate is as good as any. */
	if (l->dane || w->verify)
		SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
	else
		SSL_set_security_level(ssl, 1);
	return 0;
}

/* -- what a server believes of a client ----------------------------------- */

/* A bad certificate does not end the connection: it proves nothing. */
static int
on_client(int ok, X509_STORE_CTX *ctx)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(ctx,
	    SSL_get_ex_data_X509_STORE_CTX_idx());

	if (!ok)
		TLS_OF(ssl)->bad_peer = true;
	return 1;
}

void
tls_verify_clients(struct conn_tls *l, const struct tls_block *b)
{
	if (b->clients == NULL)
		return;
	SSL_set1_verify_cert_store(l->ssl, b->clients);
	if (b->client_names != NULL)
		SSL_set_client_CA_list(l->ssl,
		    SSL_dup_CA_list(b->client_names));
	SSL_set_verify(l->ssl, SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE,
	    on_client);
}

/* Its only rfc822Name (RFC 5280 section 4.2.1.6); more than one say nothing. */
static char *
mailbox_of(X509 *cert)
{
	GENERAL_NAMES *names;
	const GENERAL_NAME *name;
	char *found = NULL;
	struct span s;
	int i, n = 0;

	names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	for (i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		name = sk_GENERAL_NAME_value(names, i);
		if (name->type != GEN_EMAIL || n++ > 0)
			continue;
		s = span_make(ASN1_STRING_get0_data(name->d.rfc822Name),
		    (size_t)ASN1_STRING_length(name->d.rfc822Name));
		if (s.len > 0 && s.len <= 254 && span_printable(s))
			found = span_dup(s);
	}
	GENERAL_NAMES_free(names);
	if (n != 1)
		x_free(&found);
	return found;
}

char *
tls_verify_peer(const struct conn_tls *l)
{
	X509 *cert = SSL_get0_peer_certificate(l->ssl);

	/* Of a resumed session the result is that of its beginning, but time
	 * has passed since. */
	if (cert == NULL || l->bad_peer ||
	    SSL_get_verify_result(l->ssl) != X509_V_OK ||
	    X509_cmp_current_time(X509_get0_notAfter(cert)) != 1)
		return NULL;
	return mailbox_of(cert);
}
