/*
 * lib/net/tls_ticket.c - session tickets (RFC 5077, RFC 8446 section 4.6.1):
 * the session itself, sealed with keys that keyd gives all workers of a role,
 * so that each of them resumes what another began, and none remembers anything.
 */
#include "lib/net/tls_in.h"

#include <openssl/core_names.h>
#include <stdlib.h>

#include "lib/log.h"

static OSSL_PARAM
mac_param(const char *name, unsigned char *p, size_t len)
{
	return OSSL_PARAM_construct_octet_string(name, p, len);
}

static int
key_setup(struct tls_ticket_key *k, const unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seal)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[3];

	params[0] = mac_param(OSSL_MAC_PARAM_KEY, k->hmac, sizeof(k->hmac));
	params[1] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
	    digest, 0);
	params[2] = OSSL_PARAM_construct_end();
	return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, k->aes, iv,
	    seal) == 1 && EVP_MAC_CTX_set_params(mac, params) == 1 ? 0 : -1;
}

/* OpenSSL's call for each ticket it makes or reads. What was sealed with an
 * older key is renewed; in TLS 1.3 every ticket, which is to be used once (RFC
 * 8446 appendix C.4). */
static int
on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seal)
{
	struct tls_tickets *t = &TLS_OF(ssl)->tls->tickets;
	size_t i;

	if (seal) {
		if (t->n == 0)
			return 0;
		memcpy(name, t->keys[0].name, sizeof(t->keys[0].name));
		arc4random_buf(iv, EVP_MAX_IV_LENGTH);
		return key_setup(&t->keys[0], iv, cipher, mac, 1) == 0 ? 1 : -1;
	}
	for (i = 0; i < t->n; i++)
		if (memcmp(name, t->keys[i].name,
		    sizeof(t->keys[i].name)) == 0)
			return key_setup(&t->keys[i], iv, cipher, mac,
			    0) == -1 ? -1 : i > 0 ||
			    SSL_version(ssl) == TLS1_3_VERSION ? 2 : 1;
	return 0;
}

/* What a resumed session cannot know any more: which certificate was shown, for
 * tls-server-end-point. */
static int
on_seal(SSL *ssl, void *arg)
{
	SSL_SESSION *session = SSL_get_session(ssl);
	char binding[TLS_BINDING_MAX];
	size_t len;

	(void)arg;
	if (SSL_session_reused(ssl))
		return 1;
	len = tls_end_point(SSL_get_certificate(ssl), binding);
	return SSL_SESSION_set1_ticket_appdata(session, binding, len);
}

void
tls_tickets_setup(SSL_CTX *ctx)
{
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
	SSL_CTX_set_session_ticket_cb(ctx, on_seal, NULL, NULL);
	SSL_CTX_set_timeout(ctx, TLS_TICKET_S);
	/* One is what nearly every client uses. */
	SSL_CTX_set_num_tickets(ctx, 1);
}

int
tls_tickets_take(struct tls_tickets *t, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);
	struct tls_tickets got = { .n = ipc_get_u8(&rd) };
	struct tls_ticket_key *k;
	struct span name, aes, hmac;
	bool odd = got.n > TLS_TICKET_KEYS;
	size_t i;

	for (i = 0; i < got.n && !odd; i++) {
		k = &got.keys[i];
		name = ipc_get_span(&rd, sizeof(k->name));
		aes = ipc_get_span(&rd, sizeof(k->aes));
		hmac = ipc_get_span(&rd, sizeof(k->hmac));
		odd = name.len != sizeof(k->name) ||
		    aes.len != sizeof(k->aes) || hmac.len != sizeof(k->hmac);
		if (odd)
			break;
		memcpy(k->name, name.p, name.len);
		memcpy(k->aes, aes.p, aes.len);
		memcpy(k->hmac, hmac.p, hmac.len);
	}
	odd = odd || !ipc_at_end(&rd);
	if (!odd)
		*t = got;
	OPENSSL_cleanse(&got, sizeof(got));
	return odd ? -1 : 0;
}
