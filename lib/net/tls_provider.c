/*
 * lib/net/tls_provider.c - keys that OpenSSL takes for whole although their
 * private half is in keyd: a built-in provider whose keys consist of the public
 * half and whose one operation, signing, asks keyd. They refuse to be exported
 * with a private part, or OpenSSL would try to sign with its own code.
 */
#include "lib/net/tls_in.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>

#include "lib/log.h"
#include "lib/mem.h"

#define PROVIDER     "barid"
#define IS_OURS      "provider=" PROVIDER
#define IS_OPENSSLS  "provider=default"
#define PARAM_SIGNER "barid-signer" /* the address of the struct tls_signer */

/* -- kinds ---------------------------------------------------------------- */

enum kind { KIND_RSA, KIND_EC, KIND_ED25519 };

static const struct {
	const char *name, *operation;
} kinds[] = {
	[KIND_RSA]     = { "RSA",     "RSA" },
	[KIND_EC]      = { "EC",      "ECDSA" },
	[KIND_ED25519] = { "ED25519", "ED25519" },
};

/* The digests, and what they make of each kind (enum sign_scheme). */
static const struct {
	const char *name;
	int octets;
	uint16_t pkcs1, pss, ecdsa;
} digests[] = {
	{ "SHA256", 32, SIGN_RSA_PKCS1_SHA256, SIGN_RSA_PSS_SHA256,
	    SIGN_ECDSA_SHA256 },
	{ "SHA384", 48, SIGN_RSA_PKCS1_SHA384, SIGN_RSA_PSS_SHA384,
	    SIGN_ECDSA_SHA384 },
	{ "SHA512", 64, SIGN_RSA_PKCS1_SHA512, SIGN_RSA_PSS_SHA512,
	    SIGN_ECDSA_SHA512 },
};

/* -- keys ----------------------------------------------------------------- */

struct key {
	enum kind kind;
	EVP_PKEY *public;        /* OpenSSL's own */
	struct tls_signer *signer;
	uint8_t id[SIGN_KEY];
};

static void *
key_new(enum kind kind)
{
	struct key *k = xcalloc(1, sizeof(*k));

	k->kind = kind;
	return k;
}

static void *
rsa_new(void *provider)
{
	(void)provider;
	return key_new(KIND_RSA);
}

static void *
ec_new(void *provider)
{
	(void)provider;
	return key_new(KIND_EC);
}

static void *
ed25519_new(void *provider)
{
	(void)provider;
	return key_new(KIND_ED25519);
}

static void
key_free(void *key)
{
	struct key *k = key;

	if (k == NULL)
		return;
	EVP_PKEY_free(k->public);
	mem_free(k);
}

static int
key_has(const void *key, int selection)
{
	(void)selection;
	return ((const struct key *)key)->public != NULL;
}

static int
key_match(const void *a, const void *b, int selection)
{
	(void)selection;
	return EVP_PKEY_eq(((const struct key *)a)->public,
	    ((const struct key *)b)->public) == 1;
}

/* The parameters of a public key, as OpenSSL exports them, and perhaps whom to
 * ask for its private half. */
static int
key_import(void *key, int selection, const OSSL_PARAM params[])
{
	struct key *k = key;
	const OSSL_PARAM *p;
	OSSL_PARAM *list = (OSSL_PARAM *)(uintptr_t)params;
	EVP_PKEY_CTX *ctx;
	const void *at;
	size_t len;
	int rv = 0;

	(void)selection;
	p = OSSL_PARAM_locate_const(params, PARAM_SIGNER);
	if (p != NULL && OSSL_PARAM_get_octet_string_ptr(p, &at, &len) == 1 &&
	    len == sizeof(k->signer))
		memcpy(&k->signer, at, len);
	ctx = EVP_PKEY_CTX_new_from_name(NULL, kinds[k->kind].name,
	    IS_OPENSSLS);
	if (ctx != NULL && EVP_PKEY_fromdata_init(ctx) == 1 &&
	    EVP_PKEY_fromdata(ctx, &k->public, EVP_PKEY_PUBLIC_KEY,
	    list) == 1 && tls_key_id(k->public, k->id) == 0)
		rv = 1;
	EVP_PKEY_CTX_free(ctx);
	return rv;
}

static int
key_export(void *key, int selection, OSSL_CALLBACK *fn, void *arg)
{
	struct key *k = key;
	OSSL_PARAM *params = NULL;
	int rv;

	if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 ||
	    EVP_PKEY_todata(k->public, EVP_PKEY_PUBLIC_KEY, &params) != 1)
		return 0;
	rv = fn(params, arg);
	OSSL_PARAM_free(params);
	return rv;
}

static const OSSL_PARAM *
key_types(int selection)
{
	static const OSSL_PARAM types[] = {
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
		OSSL_PARAM_END
	};

	return (selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0 ? types : NULL;
}

static int
key_get_params(void *key, OSSL_PARAM params[])
{
	return EVP_PKEY_get_params(((struct key *)key)->public, params);
}

static const OSSL_PARAM *
key_gettable(void *provider)
{
	static const OSSL_PARAM gettable[] = {
		OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL,
		    0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_END
	};

	(void)provider;
	return gettable;
}

static const char *
rsa_operation(int id)
{
	return id == OSSL_OP_SIGNATURE ? kinds[KIND_RSA].operation : NULL;
}

static const char *
ec_operation(int id)
{
	return id == OSSL_OP_SIGNATURE ? kinds[KIND_EC].operation : NULL;
}

static const char *
ed25519_operation(int id)
{
	return id == OSSL_OP_SIGNATURE ? kinds[KIND_ED25519].operation : NULL;
}

/* -- signatures ----------------------------------------------------------- */

struct signature {
	const struct key *key;   /* borrowed: OpenSSL keeps it as long */
	unsigned digest;         /* index in digests */
	bool pss;
};

static void *
signature_new(void *provider, const char *query)
{
	(void)provider;
	(void)query;
	return xcalloc(1, sizeof(struct signature));
}

static void
signature_free(void *ctx)
{
	mem_free(ctx);
}

static void *
signature_dup(void *ctx)
{
	struct signature *copy = xmalloc(sizeof(*copy));

	*copy = *(struct signature *)ctx;
	return copy;
}

static int
digest_find(const char *name, unsigned *out)
{
	EVP_MD *md = EVP_MD_fetch(NULL, name, IS_OPENSSLS);
	unsigned i;

	for (i = 0; md != NULL && i < nitems(digests); i++)
		if (EVP_MD_is_a(md, digests[i].name))
			break;
	EVP_MD_free(md);
	*out = i;
	return md != NULL && i < nitems(digests);
}

/* RSA comes with PKCS #1 v1.5 unless PSS is said, and PSS with a salt as long
 * as the digest: TLS knows no other (RFC 8446 section 4.2.3). */
static int
signature_set(void *ctx, const OSSL_PARAM params[])
{
	struct signature *s = ctx;
	const OSSL_PARAM *p;
	const char *text;
	int n;

	if (params == NULL)
		return 1;
	p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
	if (p != NULL) {
		if (OSSL_PARAM_get_int(p, &n) == 1)
			s->pss = n == RSA_PKCS1_PSS_PADDING;
		else if (OSSL_PARAM_get_utf8_string_ptr(p, &text) == 1)
			s->pss = strcmp(text, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0;
		else
			return 0;
	}
	p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PSS_SALTLEN);
	if (p == NULL)
		return 1;
	if (OSSL_PARAM_get_int(p, &n) == 1)
		return n == RSA_PSS_SALTLEN_DIGEST ||
		    n == digests[s->digest].octets;
	return OSSL_PARAM_get_utf8_string_ptr(p, &text) == 1 &&
	    (strcmp(text, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST) == 0 ||
	    strcmp(text, "-1") == 0);
}

static const OSSL_PARAM *
signature_settable(void *ctx, void *provider)
{
	static const OSSL_PARAM settable[] = {
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL,
		    0),
		OSSL_PARAM_END
	};

	(void)ctx;
	(void)provider;
	return settable;
}

static int
signature_begin(void *ctx, const char *digest, void *key,
    const OSSL_PARAM params[])
{
	struct signature *s = ctx;

	if (key != NULL)
		s->key = key;
	if (s->key == NULL)
		return 0;
	s->pss = false;
	if (s->key->kind == KIND_ED25519)
		return digest == NULL || digest[0] == '\0';
	return digest_find(digest == NULL ? "SHA256" : digest, &s->digest) &&
	    signature_set(s, params);
}

static uint16_t
signature_scheme(const struct signature *s)
{
	switch (s->key->kind) {
	case KIND_RSA:
		return s->pss ? digests[s->digest].pss :
		    digests[s->digest].pkcs1;
	case KIND_EC:
		return digests[s->digest].ecdsa;
	default:
		return SIGN_ED25519;
	}
}

/* Called twice: how long is it at most (sig is NULL), then in earnest. */
static int
signature_make(void *ctx, unsigned char *sig, size_t *len, size_t size,
    const unsigned char *data, size_t data_len)
{
	const struct signature *s = ctx;
	unsigned char out[SIGN_SIGNATURE_MAX];
	size_t n;

	if (sig == NULL) {
		*len = (size_t)EVP_PKEY_get_size(s->key->public);
		return 1;
	}
	if (s->key->signer == NULL)
		return 0;
	n = tls_sign(s->key->signer, s->key->id, signature_scheme(s),
	    span_make(data, data_len), out);
	if (n == 0 || n > size)
		return 0;
	memcpy(sig, out, n);
	*len = n;
	return 1;
}

/* -- the provider --------------------------------------------------------- */

#define FN(id, fn) { OSSL_FUNC_##id, (void (*)(void))(fn) }
#define FN_END     { 0, NULL }

#define KEYS(kind) {							\
	FN(KEYMGMT_NEW, kind##_new),					\
	FN(KEYMGMT_FREE, key_free),					\
	FN(KEYMGMT_HAS, key_has),					\
	FN(KEYMGMT_MATCH, key_match),					\
	FN(KEYMGMT_IMPORT, key_import),					\
	FN(KEYMGMT_IMPORT_TYPES, key_types),				\
	FN(KEYMGMT_EXPORT, key_export),					\
	FN(KEYMGMT_EXPORT_TYPES, key_types),				\
	FN(KEYMGMT_GET_PARAMS, key_get_params),				\
	FN(KEYMGMT_GETTABLE_PARAMS, key_gettable),			\
	FN(KEYMGMT_QUERY_OPERATION_NAME, kind##_operation),		\
	FN_END								\
}

static const OSSL_DISPATCH rsa_keys[] = KEYS(rsa);
static const OSSL_DISPATCH ec_keys[] = KEYS(ec);
static const OSSL_DISPATCH ed25519_keys[] = KEYS(ed25519);

static const OSSL_DISPATCH signatures[] = {
	FN(SIGNATURE_NEWCTX, signature_new),
	FN(SIGNATURE_FREECTX, signature_free),
	FN(SIGNATURE_DUPCTX, signature_dup),
	FN(SIGNATURE_DIGEST_SIGN_INIT, signature_begin),
	FN(SIGNATURE_DIGEST_SIGN, signature_make),
	FN(SIGNATURE_SET_CTX_PARAMS, signature_set),
	FN(SIGNATURE_SETTABLE_CTX_PARAMS, signature_settable),
	FN_END
};

static const OSSL_ALGORITHM *
provider_query(void *provider, int operation, int *no_cache)
{
	static const OSSL_ALGORITHM keys[] = {
		{ "RSA:rsaEncryption", IS_OURS, rsa_keys, NULL },
		{ "EC:id-ecPublicKey", IS_OURS, ec_keys, NULL },
		{ "ED25519", IS_OURS, ed25519_keys, NULL },
		{ NULL, NULL, NULL, NULL }
	};
	static const OSSL_ALGORITHM signs[] = {
		{ "RSA:rsaEncryption", IS_OURS, signatures, NULL },
		{ "ECDSA", IS_OURS, signatures, NULL },
		{ "ED25519", IS_OURS, signatures, NULL },
		{ NULL, NULL, NULL, NULL }
	};

	(void)provider;
	*no_cache = 0;
	return operation == OSSL_OP_KEYMGMT ? keys :
	    operation == OSSL_OP_SIGNATURE ? signs : NULL;
}

static int
provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
    const OSSL_DISPATCH **out, void **provider)
{
	static const OSSL_DISPATCH functions[] = {
		FN(PROVIDER_QUERY_OPERATION, provider_query), FN_END
	};

	(void)in;
	*out = functions;
	*provider = (void *)(uintptr_t)handle;
	return 1;
}

/* Whoever names no provider means OpenSSL's: ours is found by its name alone,
 * and through a key that is in it. */
int
tls_provider_load(void)
{
	static OSSL_PROVIDER *openssls, *ours; /* for the life of a program */

	if (ours != NULL)
		return 0;
	openssls = OSSL_PROVIDER_load(NULL, "default");
	if (openssls == NULL ||
	    OSSL_PROVIDER_add_builtin(NULL, PROVIDER, provider_init) != 1 ||
	    (ours = OSSL_PROVIDER_load(NULL, PROVIDER)) == NULL ||
	    EVP_set_default_properties(NULL, "?" IS_OPENSSLS) != 1)
		return -1;
	return 0;
}

static int
key_kind(EVP_PKEY *public)
{
	switch (EVP_PKEY_get_base_id(public)) {
	case EVP_PKEY_RSA:
		return KIND_RSA;
	case EVP_PKEY_EC:
		return KIND_EC;
	case EVP_PKEY_ED25519:
		return KIND_ED25519;
	default:
		return -1;
	}
}

EVP_PKEY *
tls_key_new(struct tls_signer *s, EVP_PKEY *public)
{
	OSSL_PARAM extra[2] = { OSSL_PARAM_construct_octet_string(PARAM_SIGNER,
	    &s, sizeof(s)), OSSL_PARAM_construct_end() };
	OSSL_PARAM *params = NULL, *all = NULL;
	EVP_PKEY_CTX *ctx = NULL;
	EVP_PKEY *key = NULL;
	int kind = key_kind(public);

	if (kind == -1 ||
	    EVP_PKEY_todata(public, EVP_PKEY_PUBLIC_KEY, &params) != 1 ||
	    (all = OSSL_PARAM_merge(params, extra)) == NULL ||
	    (ctx = EVP_PKEY_CTX_new_from_name(NULL, kinds[kind].name,
	    IS_OURS)) == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, all) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	OPENSSL_free(all);
	return key;
}

int
tls_key_id(EVP_PKEY *public, uint8_t id[SIGN_KEY])
{
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(public, &der), rv = -1;

	if (len > 0 && EVP_Digest(der, (size_t)len, id, NULL, EVP_sha256(),
	    NULL) == 1)
		rv = 0;
	OPENSSL_free(der);
	return rv;
}

uint16_t
tls_key_scheme(EVP_PKEY *public)
{
	char group[32] = "";
	size_t len;

	switch (key_kind(public)) {
	case KIND_RSA:
		return EVP_PKEY_get_bits(public) >= 2048 ?
		    SIGN_RSA_PSS_SHA256 : 0;
	case KIND_EC:
		if (EVP_PKEY_get_group_name(public, group, sizeof(group),
		    &len) != 1)
			return 0;
		return strcmp(group, SN_X9_62_prime256v1) == 0 ?
		    SIGN_ECDSA_SHA256 : strcmp(group, SN_secp384r1) == 0 ?
		    SIGN_ECDSA_SHA384 : 0;
	case KIND_ED25519:
		return SIGN_ED25519;
	default:
		return 0;
	}
}
