/*
 * lib/mail/verifier.c - SCRAM-SHA-256 verifiers: text, making, proving. Used by
 * authd -w, which alone has those of users, and barid user, which makes them.
 */
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/sha.h>
#include <stdio.h>

#include "lib/mail/verifier.h"
#include "lib/mail/base64.h"

#define ITERATIONS_DIGITS 7

static bool
base64_char(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	    (c >= '0' && c <= '9') || c == '+' || c == '/' || c == '=';
}

/* Octets of base64 from at on. */
static size_t
run_length(struct span s, size_t at)
{
	size_t n = 0;

	while (at + n < s.len && base64_char(s.p[at + n]))
		n++;
	return n;
}

size_t
verifier_length(struct span s)
{
	static const char marks[] = { ':', '$', ':' };
	size_t at = sizeof(VERIFIER_PREFIX) - 1, i;

	if (!span_prefix(s, VERIFIER_PREFIX))
		return 0;
	for (i = 0; i < sizeof(marks); i++) {
		at += run_length(s, at);
		if (at == s.len || s.p[at] != marks[i])
			return at;
		at++;
	}
	return at + run_length(s, at);
}

static bool
key_parse(struct span s, unsigned char key[VERIFIER_KEY])
{
	return base64_decode(s, key, VERIFIER_KEY) == (ssize_t)VERIFIER_KEY;
}

int
verifier_parse(struct span s, struct verifier *out)
{
	struct span count, salt, stored, server, rest;
	uint64_t n;
	ssize_t len;

	if (!span_prefix(s, VERIFIER_PREFIX))
		return -1;
	rest = span_from(s, sizeof(VERIFIER_PREFIX) - 1);
	if (span_find(rest, ':') == -1)
		return -1;
	span_split(rest, ':', &count, &rest);
	if (span_find(rest, '$') == -1)
		return -1;
	span_split(rest, '$', &salt, &rest);
	span_split(rest, ':', &stored, &server);
	if (count.len > ITERATIONS_DIGITS ||
	    span_u64(count, VERIFIER_ITERATIONS_MAX, &n) == -1 ||
	    n < VERIFIER_ITERATIONS_MIN)
		return -1;
	len = base64_decode(salt, out->salt, sizeof(out->salt));
	if (len < (ssize_t)VERIFIER_SALT_MIN ||
	    !key_parse(stored, out->stored) || !key_parse(server, out->server))
		return -1;
	out->nsalt = (size_t)len;
	out->iterations = (uint32_t)n;
	return 0;
}

void
verifier_format(const struct verifier *v, char out[VERIFIER_TEXT])
{
	char salt[BASE64_TEXT(VERIFIER_SALT_MAX) + 1];
	char stored[BASE64_TEXT(VERIFIER_KEY) + 1];
	char server[BASE64_TEXT(VERIFIER_KEY) + 1];

	/* The rooms are what the lengths need: none of these can fail. */
	(void)base64_encode(span_make(v->salt, v->nsalt), salt, sizeof(salt));
	(void)base64_encode(span_make(v->stored, VERIFIER_KEY), stored,
	    sizeof(stored));
	(void)base64_encode(span_make(v->server, VERIFIER_KEY), server,
	    sizeof(server));
	snprintf(out, VERIFIER_TEXT, VERIFIER_PREFIX "%u:%s$%s:%s",
	    (unsigned)v->iterations, salt, stored, server);
}

static bool
hmac(const unsigned char key[VERIFIER_KEY], struct span text,
    unsigned char out[VERIFIER_KEY])
{
	unsigned len = VERIFIER_KEY;

	return HMAC(EVP_sha256(), key, (int)VERIFIER_KEY,
	    (const unsigned char *)text.p, text.len, out, &len) != NULL;
}

/* Hi() of RFC 5802 section 2.2 is PBKDF2 with HMAC as its function. */
static bool
salted_password(struct span password, struct span salt, uint32_t iterations,
    unsigned char out[VERIFIER_KEY])
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "PBKDF2", NULL);
	EVP_KDF_CTX *ctx = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
	unsigned count = iterations;
	int no_lower_bound = 1; /* of SP 800-132, which SCRAM does not know */
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PASSWORD,
		    (void *)(uintptr_t)password.p, password.len),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT,
		    (void *)(uintptr_t)salt.p, salt.len),
		OSSL_PARAM_construct_uint(OSSL_KDF_PARAM_ITER, &count),
		OSSL_PARAM_construct_int(OSSL_KDF_PARAM_PKCS5,
		    &no_lower_bound),
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
		    digest, 0),
		OSSL_PARAM_construct_end(),
	};
	bool ok = ctx != NULL &&
	    EVP_KDF_derive(ctx, out, VERIFIER_KEY, params) == 1;

	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return ok;
}

int
verifier_make(struct verifier *v, struct span password, struct span salt,
    uint32_t iterations)
{
	unsigned char salted[VERIFIER_KEY], client[VERIFIER_KEY];
	bool ok;

	if (salt.len > sizeof(v->salt))
		return -1;
	memcpy(v->salt, salt.p, salt.len);
	v->nsalt = salt.len;
	v->iterations = iterations;
	ok = salted_password(password, salt, iterations, salted) &&
	    hmac(salted, span_str("Client Key"), client) &&
	    hmac(salted, span_str("Server Key"), v->server) &&
	    EVP_Digest(client, sizeof(client), v->stored, NULL, EVP_sha256(),
	    NULL) == 1;
	explicit_bzero(salted, sizeof(salted));
	explicit_bzero(client, sizeof(client));
	return ok ? 0 : -1;
}

bool
verifier_same_keys(const struct verifier *a, const struct verifier *b)
{
	int stored = CRYPTO_memcmp(a->stored, b->stored, VERIFIER_KEY);
	int server = CRYPTO_memcmp(a->server, b->server, VERIFIER_KEY);

	return (stored | server) == 0;
}

bool
verifier_proof(const struct verifier *v, struct span auth_message,
    struct span proof, unsigned char signature[VERIFIER_KEY])
{
	unsigned char client[VERIFIER_KEY], digest[VERIFIER_KEY];
	bool ok;
	size_t i;

	ok = hmac(v->server, auth_message, signature);
	if (!ok || proof.len != VERIFIER_KEY ||
	    !hmac(v->stored, auth_message, client))
		return false;
	for (i = 0; i < VERIFIER_KEY; i++)
		client[i] ^= (unsigned char)proof.p[i];
	ok = EVP_Digest(client, sizeof(client), digest, NULL, EVP_sha256(),
	    NULL) == 1 && CRYPTO_memcmp(digest, v->stored, VERIFIER_KEY) == 0;
	explicit_bzero(client, sizeof(client));
	return ok;
}
