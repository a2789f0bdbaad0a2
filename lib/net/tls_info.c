/*
 * lib/net/tls_info.c - what came of a handshake: for the log, for SASL, for the
 * admin who wonders why there was none.
 */
#include "lib/net/tls_in.h"

#include <openssl/err.h>
#include <openssl/sslerr.h>
#include <openssl/x509_vfy.h>

#include "lib/mem.h"

static struct conn_tls *
tls_of(const struct conn *c)
{
	return (struct conn_tls *)(void *)c->layer;
}

static const struct conn_tls *
secured(const struct conn *c)
{
	return c->layer == NULL || c->layer->busy ? NULL : tls_of(c);
}

bool
conn_tls_info(const struct conn *c, struct tls_info *out)
{
	const struct conn_tls *l = secured(c);

	if (l == NULL)
		return false;
	*out = (struct tls_info){ .version = SSL_get_version(l->ssl),
	    .cipher = SSL_get_cipher_name(l->ssl),
	    .resumed = SSL_session_reused(l->ssl) == 1,
	    .peer = l->peer == NULL ? "" : l->peer };
	out->bits = (unsigned)SSL_get_cipher_bits(l->ssl, NULL);
	if (!l->server) {
		out->verified = !l->dane && SSL_get_verify_result(l->ssl) ==
		    X509_V_OK && SSL_get0_peer_certificate(l->ssl) != NULL;
		out->dane = l->dane &&
		    SSL_get_verify_result(l->ssl) == X509_V_OK &&
		    SSL_get0_dane_authority(l->ssl, NULL, NULL) >= 0;
	}
	return true;
}

const char *
conn_tls_error(const struct conn *c)
{
	const struct conn_tls *l = tls_of(c);

	return l == NULL || l->error == NULL ? "" : l->error;
}

/* -- channel bindings ----------------------------------------------------- */

/* RFC 9266: in TLS 1.2 only with the extended master secret, without which two
 * connections can share it. */
size_t
conn_tls_exporter(const struct conn *c, char out[TLS_BINDING_MAX])
{
	static const char label[] = "EXPORTER-Channel-Binding";
	const struct conn_tls *l = secured(c);
	static const unsigned char none[1];

	if (l == NULL || (SSL_version(l->ssl) < TLS1_3_VERSION &&
	    SSL_get_extms_support(l->ssl) != 1) ||
	    SSL_export_keying_material(l->ssl, (unsigned char *)out, 32, label,
	    sizeof(label) - 1, none, 0, 1) != 1)
		return 0;
	return 32;
}

/* RFC 5929 section 4.1: with the digest of the certificate's own signature, but
 * SHA-256 for those that are older; of Ed25519 it does not speak. */
size_t
tls_end_point(X509 *cert, char out[TLS_BINDING_MAX])
{
	unsigned len = 0;
	const EVP_MD *md;
	int nid;

	if (cert == NULL ||
	    X509_get_signature_info(cert, &nid, NULL, NULL, NULL) != 1)
		return 0;
	if (nid == NID_md5 || nid == NID_sha1)
		nid = NID_sha256;
	if ((md = EVP_get_digestbynid(nid)) == NULL ||
	    EVP_MD_get_size(md) > TLS_BINDING_MAX ||
	    X509_digest(cert, md, (unsigned char *)out, &len) != 1)
		return 0;
	return len;
}

size_t
conn_tls_end_point(const struct conn *c, char out[TLS_BINDING_MAX])
{
	const struct conn_tls *l = secured(c);
	void *kept;
	size_t len;

	if (l == NULL)
		return 0;
	if (!l->server)
		return tls_end_point(SSL_get0_peer_certificate(l->ssl), out);
	if (SSL_session_reused(l->ssl) == 0)
		return tls_end_point(SSL_get_certificate(l->ssl), out);
	if (SSL_SESSION_get0_ticket_appdata(SSL_get_session(l->ssl), &kept,
	    &len) != 1 || kept == NULL || len > TLS_BINDING_MAX)
		return 0;
	memcpy(out, kept, len);
	return len;
}

/* -- why not -------------------------------------------------------------- */

static const struct { int reason; const char *text; } reasons[] = {
	{ SSL_R_UNSUPPORTED_PROTOCOL, "no version of TLS in common" },
	{ SSL_R_VERSION_TOO_LOW, "no version of TLS in common" },
	{ SSL_R_NO_PROTOCOLS_AVAILABLE, "no version of TLS in common" },
	{ SSL_R_WRONG_VERSION_NUMBER, "what came was not TLS" },
	{ SSL_R_HTTP_REQUEST, "what came was HTTP" },
	{ SSL_R_HTTPS_PROXY_REQUEST, "what came was HTTP" },
	{ SSL_R_NO_SHARED_CIPHER, "no cipher in common" },
	{ SSL_R_NO_SUITABLE_KEY_SHARE, "no group in common" },
	{ SSL_R_NO_SHARED_GROUPS, "no group in common" },
	{ SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM,
	    "no kind of signature in common" },
	{ SSL_R_NO_APPLICATION_PROTOCOL,
	    "the client wants another protocol (ALPN)" },
	{ SSL_R_UNEXPECTED_EOF_WHILE_READING,
	    "the other side closed the connection" },
};

static char *
explain_reason(const struct conn_tls *l, unsigned long e)
{
	long verify = SSL_get_verify_result(l->ssl);
	int reason = ERR_GET_REASON(e);
	const char *text;
	size_t i;

	if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED)
		return xasprintf("the certificate is not believed: %s",
		    X509_verify_cert_error_string(verify));
	if (ERR_GET_LIB(e) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET)
		return xasprintf("the other side refused: %s",
		    SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET));
	for (i = 0; i < nitems(reasons); i++)
		if (ERR_GET_LIB(e) == ERR_LIB_SSL &&
		    reasons[i].reason == reason)
			return xstrdup(reasons[i].text);
	text = ERR_reason_error_string(e);
	return xasprintf("the handshake failed: %s",
	    text == NULL ? "for a reason without a name" : text);
}

char *
tls_explain(const struct conn_tls *l, int ssl_error, int error)
{
	unsigned long e = ERR_peek_error();

	if (l->tls->signer != NULL && tls_sign_why(l->tls->signer) != NULL)
		return xstrdup(tls_sign_why(l->tls->signer));
	if (ssl_error == SSL_ERROR_SSL && e != 0)
		return explain_reason(l, e);
	if (l->eof || error == 0)
		return xstrdup("the other side closed the connection");
	return xstrdup(strerror(error));
}
