/*
 * tests/unit/keyd_key_test.c - which key files are taken, what a key is called,
 * by which schemes it signs, and that the signatures are good.
 */
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "keyd/wipe.h"
#include "tests/unit/check.h"
#include "tests/unit/keyd_key.h"

#define PEM_MAX 65536

static const uint16_t all_schemes[] = {
	SIGN_RSA_PKCS1_SHA256, SIGN_RSA_PKCS1_SHA384, SIGN_RSA_PKCS1_SHA512,
	SIGN_RSA_PSS_SHA256, SIGN_RSA_PSS_SHA384, SIGN_RSA_PSS_SHA512,
	SIGN_ECDSA_SHA256, SIGN_ECDSA_SHA384, SIGN_ECDSA_SHA512, SIGN_ED25519,
};

static const struct {
	const char *kind, *described;
	unsigned in_12, in_13;     /* bits of all_schemes */
} good[] = {
	{ "RSA2048", "RSA-2048", 0x03f, 0x038 },
	{ "RSA3072", "RSA-3072", 0x03f, 0x038 },
	{ "P-256",   "P-256",    0x1c0, 0x040 },
	{ "P-384",   "P-384",    0x1c0, 0x080 },
	{ "ED25519", "Ed25519",  0x200, 0x200 },
};

/* By libcrypto alone, with nothing of keyd's. */
static bool
verify(EVP_PKEY *p, uint16_t scheme, struct span data, struct span sig)
{
	static const char *const digests[] = { "SHA256", "SHA384", "SHA512",
		"SHA256", "SHA384", "SHA512", "SHA256", "SHA384", "SHA512",
		NULL };
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx = NULL;
	size_t i = 0;
	int ok;

	while (all_schemes[i] != scheme)
		i++;
	ok = EVP_DigestVerifyInit_ex(ctx, &pctx, digests[i], NULL, NULL, p,
	    NULL);
	if (ok == 1 && i >= 3 && i <= 5)
		ok = EVP_PKEY_CTX_set_rsa_padding(pctx,
		    RSA_PKCS1_PSS_PADDING) > 0 &&
		    EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, -1) > 0;
	ok = ok == 1 && EVP_DigestVerify(ctx, (const unsigned char *)sig.p,
	    sig.len, (const unsigned char *)data.p, data.len) == 1;
	EVP_MD_CTX_free(ctx);
	return ok;
}

static void
check_schemes(const struct key *k, EVP_PKEY *p, unsigned in_12,
    unsigned in_13)
{
	struct buf sig = BUF_INIT(SIGN_SIGNATURE_MAX);
	struct span data = span_str("a part of a handshake");
	size_t i;

	for (i = 0; i < nitems(all_schemes); i++) {
		uint16_t s = all_schemes[i];

		check_int(key_scheme_ok(k, s, false), in_12 >> i & 1);
		check_int(key_scheme_ok(k, s, true), in_13 >> i & 1);
		if ((in_12 >> i & 1) == 0)
			continue;
		buf_reset(&sig);
		check_int(key_sign(k, s, data, &sig), 0);
		check_true(verify(p, s, data, buf_span(&sig)));
		check_true(!verify(p, s, span_str("another"),
		    buf_span(&sig)));
	}
	check_true(!key_scheme_ok(k, 0, false));
	check_true(!key_scheme_ok(k, 0x0201, false)); /* rsa_pkcs1_sha1 */
	check_true(!key_scheme_ok(k, 0x0809, true));  /* rsa_pss_pss */
	check_int(key_sign(k, 0, data, &sig), -1);
	buf_clear(&sig);
}

static void
check_name(const struct key *k, EVP_PKEY *p)
{
	unsigned char md[EVP_MAX_MD_SIZE], *der = NULL;
	X509_PUBKEY *pub = NULL;
	unsigned n = 0;
	int len;

	check_int(X509_PUBKEY_set(&pub, p), 1);
	len = i2d_X509_PUBKEY(pub, &der); /* as it stands in certificates */
	EVP_Digest(der, (size_t)len, md, &n, EVP_sha256(), NULL);
	check_mem(k->name, sizeof(k->name), md, n);
	OPENSSL_free(der);
	X509_PUBKEY_free(pub);
}

static void
test_good(struct buf *pem)
{
	char why[256], what[32];
	EVP_PKEY *p;
	struct key *k;
	size_t i;

	for (i = 0; i < nitems(good); i++) {
		check_begin(good[i].kind);
		buf_reset(pem);
		p = make_pkey(good[i].kind);
		buf_add_str(pem, "Bag Attributes\n  friendlyName: x\n");
		put_pem(p, NULL, pem);
		k = key_parse(buf_span(pem), why, sizeof(why));
		if (check_true(k != NULL)) {
			check_str(key_describe(k, what, sizeof(what)),
			    good[i].described);
			check_name(k, p);
			check_schemes(k, p, good[i].in_12, good[i].in_13);
		}
		key_drop(k);
		EVP_PKEY_free(p);
	}
}

/* The older forms, as openssl ecparam -genkey and genrsa -traditional write. */
static void
test_forms(struct buf *pem)
{
	static const char *const kinds[] = { "P-256", "RSA2048" };
	char why[256], *text;
	EVP_PKEY *p;
	struct key *k;
	BIO *bio;
	size_t i;
	long len;

	for (i = 0; i < nitems(kinds); i++) {
		check_begin("traditional PEM");
		p = make_pkey(kinds[i]);
		bio = BIO_new(BIO_s_mem());
		BIO_puts(bio, "-----BEGIN EC PARAMETERS-----\n"
		    "BggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n");
		PEM_write_bio_PrivateKey_traditional(bio, p, NULL, NULL, 0,
		    NULL, NULL);
		buf_reset(pem);
		len = BIO_get_mem_data(bio, &text);
		buf_add(pem, text, (size_t)len);
		k = key_parse(buf_span(pem), why, sizeof(why));
		check_true(k != NULL);
		key_drop(k);
		BIO_free(bio);
		EVP_PKEY_free(p);
	}
}

static void
refused(const char *name, struct span pem, const char *word)
{
	char why[256] = "";
	struct key *k = key_parse(pem, why, sizeof(why));

	check_begin(name);
	check_true(k == NULL);
	if (!check_true(strstr(why, word) != NULL))
		printf("\tit says: %s\n", why);
	key_drop(k);
}

static void
test_refused(struct buf *pem)
{
	static const struct { const char *kind, *word; } kinds[] = {
		{ "RSA1024", "1024 bits" }, { "RSA2047", "2047 bits" },
		{ "P-521", "secp521r1" }, { "P-224", "secp224r1" },
		{ "secp256k1", "secp256k1" }, { "ED448", "ED448" },
		{ "X25519", "X25519" },
	};
	EVP_PKEY *p;
	size_t i;

	for (i = 0; i < nitems(kinds); i++) {
		p = make_pkey(kinds[i].kind);
		buf_reset(pem);
		put_pem(p, NULL, pem);
		refused(kinds[i].kind, buf_span(pem), kinds[i].word);
		EVP_PKEY_free(p);
	}
	p = make_pkey("P-256");
	buf_reset(pem);
	put_pem(p, "secret", pem);
	refused("encrypted", buf_span(pem), "encrypted");
	buf_reset(pem);
	put_pem(p, "", pem);
	refused("encrypted with an empty passphrase", buf_span(pem),
	    "encrypted");
	buf_reset(pem);
	put_pem(p, NULL, pem);
	refused("cut short", span_make(buf_span(pem).p, pem->len / 2),
	    "no private key");
	refused("empty", span_make("", 0), "no private key");
	refused("words", span_str("-----BEGIN PRIVATE KEY-----\n"
	    "AAAA\n-----END PRIVATE KEY-----\n"), "no private key");
	refused("a public key", span_str("-----BEGIN PUBLIC KEY-----\n"
	    "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
	    "-----END PUBLIC KEY-----\n"), "no private key");
	EVP_PKEY_free(p);
}

/* The halves of an EC key exchanged against those of another. */
static void
test_damaged(struct buf *pem)
{
	EVP_PKEY *a = make_pkey("P-256"), *b = make_pkey("P-256");
	unsigned char *one = NULL, point[65];
	const unsigned char *at;
	size_t n = 0, i;
	EVP_PKEY *mixed;
	int len;

	len = i2d_PrivateKey(a, &one);
	EVP_PKEY_get_octet_string_param(a, "pub", point, sizeof(point), &n);
	check_begin("halves that do not fit");
	check_int((intmax_t)n, 65);
	for (i = 0; i + n <= (size_t)len; i++)
		if (memcmp(one + i, point, n) == 0)
			EVP_PKEY_get_octet_string_param(b, "pub", one + i, n,
			    &n);
	at = one;
	mixed = d2i_PrivateKey(EVP_PKEY_EC, NULL, &at, len);
	if (mixed != NULL) {
		buf_reset(pem);
		put_pem(mixed, NULL, pem);
		refused("halves that do not fit", buf_span(pem), "damaged");
	}
	EVP_PKEY_free(mixed);
	OPENSSL_free(one);
	EVP_PKEY_free(a);
	EVP_PKEY_free(b);
}

int
main(void)
{
	struct buf pem = BUF_INIT(PEM_MAX);

	wipe_install();
	test_good(&pem);
	test_forms(&pem);
	test_refused(&pem);
	test_damaged(&pem);
	buf_clear(&pem);
	return check_end();
}
