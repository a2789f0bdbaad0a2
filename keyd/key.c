/*
 * keyd/key.c - one private key, from PEM to signatures. libcrypto's memory is
 * wiped whenever it is freed: see wipe.c.
 */
#include "keyd/key.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"

/* What a scheme of lib/net/sign.h means. */
struct scheme {
	uint16_t number;
	enum key_kind kind;    /* KEY_P256: either curve in TLS 1.2 ... */
	enum key_kind in_13;   /* ... and this one in TLS 1.3 */
	const char *digest;    /* NULL: the scheme has its own */
	bool pss;
	bool tls13;            /* still lawful there */
};

static const struct scheme schemes[] = {
	{ SIGN_RSA_PKCS1_SHA256, KEY_RSA, KEY_RSA, "SHA256", false, false },
	{ SIGN_RSA_PKCS1_SHA384, KEY_RSA, KEY_RSA, "SHA384", false, false },
	{ SIGN_RSA_PKCS1_SHA512, KEY_RSA, KEY_RSA, "SHA512", false, false },
	{ SIGN_RSA_PSS_SHA256, KEY_RSA, KEY_RSA, "SHA256", true, true },
	{ SIGN_RSA_PSS_SHA384, KEY_RSA, KEY_RSA, "SHA384", true, true },
	{ SIGN_RSA_PSS_SHA512, KEY_RSA, KEY_RSA, "SHA512", true, true },
	{ SIGN_ECDSA_SHA256, KEY_P256, KEY_P256, "SHA256", false, true },
	{ SIGN_ECDSA_SHA384, KEY_P256, KEY_P384, "SHA384", false, true },
	{ SIGN_ECDSA_SHA512, KEY_P256, KEY_P256, "SHA512", false, false },
	{ SIGN_ED25519, KEY_ED25519, KEY_ED25519, NULL, false, true },
};

static const struct scheme *
scheme_find(uint16_t number)
{
	size_t i;

	for (i = 0; i < nitems(schemes); i++)
		if (schemes[i].number == number)
			return &schemes[i];
	return NULL;
}

bool
key_scheme_ok(const struct key *k, uint16_t scheme, bool tls13)
{
	const struct scheme *s = scheme_find(scheme);
	enum key_kind kind = k->kind == KEY_P384 ? KEY_P256 : k->kind;

	if (s == NULL || s->kind != kind)
		return false;
	return !tls13 || (s->tls13 && s->in_13 == k->kind);
}

/* -- reading --------------------------------------------------------------- */

/* Asked for the passphrase of an encrypted key: nobody is there to type it. */
static int
on_passphrase(char *out, int size, int rw, void *arg)
{
	bool *asked = arg;

	(void)out;
	(void)size;
	(void)rw;
	*asked = true;
	return -1;
}

static EVP_PKEY *
pem_read(struct span pem, char *why, size_t size)
{
	bool asked = false;
	EVP_PKEY *pkey = NULL;
	BIO *bio;

	if (pem.len <= KEY_FILE_MAX &&
	    (bio = BIO_new_mem_buf(pem.p, (int)pem.len)) != NULL) {
		pkey = PEM_read_bio_PrivateKey(bio, NULL, on_passphrase,
		    &asked);
		BIO_free(bio);
	}
	ERR_clear_error();
	if (pkey == NULL)
		snprintf(why, size, "%s", asked ? "the key is encrypted: keep "
		    "it without a passphrase, readable by root alone"
		    : "there is no private key in PEM in it");
	return pkey;
}

static int
rsa_check(const EVP_PKEY *pkey, char *why, size_t size)
{
	int bits = EVP_PKEY_get_bits(pkey);

	if (bits >= KEY_RSA_MIN && bits <= KEY_RSA_MAX)
		return 0;
	snprintf(why, size, "an RSA key of %d bits; %d to %d are taken", bits,
	    KEY_RSA_MIN, KEY_RSA_MAX);
	return -1;
}

static int
kind_set(struct key *k, char *why, size_t size)
{
	char group[64] = "";

	if (EVP_PKEY_is_a(k->pkey, "RSA")) {
		k->kind = KEY_RSA;
		return rsa_check(k->pkey, why, size);
	}
	if (EVP_PKEY_is_a(k->pkey, "ED25519")) {
		k->kind = KEY_ED25519;
		return 0;
	}
	if (EVP_PKEY_is_a(k->pkey, "EC") && EVP_PKEY_get_group_name(k->pkey,
	    group, sizeof(group), NULL) == 1) {
		k->kind = strcmp(group, "secp384r1") == 0 ? KEY_P384 : KEY_P256;
		if (k->kind == KEY_P384 || strcmp(group, "prime256v1") == 0)
			return 0;
	}
	snprintf(why, size, "a key of a kind that is not used (%s%s%s); RSA "
	    "from %d bits, P-256, P-384 and Ed25519 are",
	    EVP_PKEY_get0_type_name(k->pkey), group[0] == '\0' ? "" : " ",
	    group, KEY_RSA_MIN);
	return -1;
}

static int
name_set(struct key *k)
{
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(k->pkey, &der), rv = -1;

	if (len > 0 && EVP_Digest(der, (size_t)len, k->name, NULL,
	    EVP_sha256(), NULL) == 1)
		rv = 0;
	OPENSSL_free(der);
	return rv;
}

/* The digest of a scheme set up for signing or verifying, or NULL. */
static EVP_MD_CTX *
context_new(const struct key *k, const struct scheme *s, bool sign)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx = NULL;
	int ok;

	if (ctx == NULL)
		return NULL;
	ok = sign ? EVP_DigestSignInit_ex(ctx, &pctx, s->digest, NULL, NULL,
	    k->pkey, NULL) : EVP_DigestVerifyInit_ex(ctx, &pctx, s->digest,
	    NULL, NULL, k->pkey, NULL);
	if (ok == 1 && s->pss)
		ok = EVP_PKEY_CTX_set_rsa_padding(pctx,
		    RSA_PKCS1_PSS_PADDING) > 0 &&
		    EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx,
		    RSA_PSS_SALTLEN_DIGEST) > 0;
	if (ok == 1)
		return ctx;
	EVP_MD_CTX_free(ctx);
	return NULL;
}

int
key_sign(const struct key *k, uint16_t scheme, struct span data,
    struct buf *out)
{
	const struct scheme *s = scheme_find(scheme);
	unsigned char sig[SIGN_SIGNATURE_MAX];
	size_t len = sizeof(sig);
	EVP_MD_CTX *ctx;
	int rv = -1;

	if (s == NULL || (ctx = context_new(k, s, true)) == NULL)
		goto done;
	if (EVP_DigestSign(ctx, sig, &len, (const unsigned char *)data.p,
	    data.len) == 1)
		rv = buf_add(out, sig, len);
	EVP_MD_CTX_free(ctx);
done:
	ERR_clear_error();
	return rv;
}

/* A key whose halves do not belong together would fail every handshake. */
static int
halves_check(const struct key *k)
{
	static const uint16_t first[] = {
		[KEY_RSA] = SIGN_RSA_PSS_SHA256,
		[KEY_P256] = SIGN_ECDSA_SHA256,
		[KEY_P384] = SIGN_ECDSA_SHA384,
		[KEY_ED25519] = SIGN_ED25519,
	};
	const struct scheme *s = scheme_find(first[k->kind]);
	struct buf sig = BUF_INIT(SIGN_SIGNATURE_MAX);
	struct span text = span_str("barid-keyd tries a key");
	EVP_MD_CTX *ctx = NULL;
	int rv = -1;

	if (key_sign(k, s->number, text, &sig) == 0 &&
	    (ctx = context_new(k, s, false)) != NULL &&
	    EVP_DigestVerify(ctx, (const unsigned char *)buf_span(&sig).p,
	    sig.len, (const unsigned char *)text.p, text.len) == 1)
		rv = 0;
	EVP_MD_CTX_free(ctx);
	buf_clear(&sig);
	ERR_clear_error();
	return rv;
}

struct key *
key_parse(struct span pem, char *why, size_t size)
{
	struct key *k = xcalloc(1, sizeof(*k));

	k->users = 1;
	if ((k->pkey = pem_read(pem, why, size)) == NULL ||
	    kind_set(k, why, size) == -1)
		goto bad;
	if (name_set(k) == 0 && halves_check(k) == 0)
		return k;
	snprintf(why, size, "the key is damaged: what it signs does not fit "
	    "its public half");
bad:
	key_drop(k);
	return NULL;
}

struct key *
key_share(struct key *k)
{
	k->users++;
	return k;
}

void
key_drop(struct key *k)
{
	if (k == NULL || --k->users > 0)
		return;
	EVP_PKEY_free(k->pkey); /* wipes it, as wipe.c does the rest */
	free(k);
}

const char *
key_describe(const struct key *k, char *out, size_t size)
{
	static const char *const names[] = { "RSA", "P-256", "P-384",
		"Ed25519" };

	if (k->kind == KEY_RSA)
		snprintf(out, size, "RSA-%d", EVP_PKEY_get_bits(k->pkey));
	else
		snprintf(out, size, "%s", names[k->kind]);
	return out;
}
