/*
 * keyd/key.h - one private key: read from PEM, named by its public half, used
 * to sign, wiped at the end.
 */
#ifndef KEYD_KEY_H
#define KEYD_KEY_H

#include <openssl/types.h>

#include "lib/buf.h"
#include "lib/net/sign.h"

#define KEY_FILE_MAX 65536 /* octets: a key and perhaps its chain beside it */
#define KEY_RSA_MIN  2048  /* bits */
#define KEY_RSA_MAX  8192  /* one signature takes about 30 ms */

enum key_kind { KEY_RSA, KEY_P256, KEY_P384, KEY_ED25519 };

struct key {
	uint8_t name[SIGN_KEY]; /* SHA-256 of the SubjectPublicKeyInfo */
	enum key_kind kind;
	EVP_PKEY *pkey;         /* owned */
	unsigned users;
};

/*
 * key_parse - the first private key in PEM text.
 * Returns it with one user, or NULL with a sentence in why: encrypted, damaged,
 * of a kind or size that is not used, or not fitting its own public half.
 */
struct key *key_parse(struct span pem, char *why, size_t size);

/* key_share - one user more. key_drop - one less; the last one wipes it. */
struct key *key_share(struct key *k);
void key_drop(struct key *k);

/* key_describe - "P-256", "RSA-2048" ... */
const char *key_describe(const struct key *k, char *out, size_t size);

/* key_scheme_ok - may this key sign by that scheme? tls13: there a scheme names
 * the curve too, and PKCS #1 v1.5 is gone (RFC 8446 section 4.2.3). */
bool key_scheme_ok(const struct key *k, uint16_t scheme, bool tls13);

/* key_sign - adds the signature over data to out. 0, or -1. */
int key_sign(const struct key *k, uint16_t scheme, struct span data,
    struct buf *out);

#endif
