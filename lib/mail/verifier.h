/*
 * lib/mail/verifier.h - what a server keeps of a password for SCRAM-SHA-256
 * (RFC 5802, RFC 7677): nobody who reads it can log in with it. As text it is
 * what RFC 5803 describes for authPassword:
 *	SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY
 */
#ifndef LIB_MAIL_VERIFIER_H
#define LIB_MAIL_VERIFIER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/span.h"

#define VERIFIER_PREFIX   "SCRAM-SHA-256$"
#define VERIFIER_KEY      32u      /* SHA-256 */
#define VERIFIER_SALT_MIN 8u
#define VERIFIER_SALT_MAX 64u
/* RFC 7677 section 4 wants 4096 at least; a million cost a worker 0.3 s. */
#define VERIFIER_ITERATIONS_MIN 4096u
#define VERIFIER_ITERATIONS_MAX 1000000u
/* What is written today: 2.8 ms, between sha512crypt and yescrypt. */
#define VERIFIER_ITERATIONS     10000u
#define VERIFIER_SALT           16u
/* Prefix, seven digits, 88 of salt, twice 44, three marks, NUL. */
#define VERIFIER_TEXT     208u

struct verifier {
	uint32_t iterations;
	size_t nsalt;
	unsigned char salt[VERIFIER_SALT_MAX];
	unsigned char stored[VERIFIER_KEY], server[VERIFIER_KEY];
};

/*
 * verifier_length - how many octets at the front of s may be a verifier (its
 * two colons make it longer than a field), or 0: it does not begin like one.
 */
size_t verifier_length(struct span s);

/* verifier_parse - exactly one. 0, or -1: it is none, or beyond the limits. */
int verifier_parse(struct span s, struct verifier *out);

/* verifier_format - with a NUL. */
void verifier_format(const struct verifier *v, char out[VERIFIER_TEXT]);

/*
 * verifier_make - of a password, as it is: ASCII needs no preparation, and other
 * text must be in the form that clients send (RFC 5802 section 2.2). salt: at
 * most VERIFIER_SALT_MAX octets. 0, or -1: OpenSSL refuses.
 */
int verifier_make(struct verifier *v, struct span password, struct span salt,
    uint32_t iterations);

/* verifier_same_keys - in constant time: both of one password? */
bool verifier_same_keys(const struct verifier *a, const struct verifier *b);

/*
 * verifier_proof - does this ClientProof show the password (RFC 5802 section 3)?
 * proof: VERIFIER_KEY octets. signature: the ServerSignature, written always.
 */
bool verifier_proof(const struct verifier *v, struct span auth_message,
    struct span proof, unsigned char signature[VERIFIER_KEY]);

#endif
