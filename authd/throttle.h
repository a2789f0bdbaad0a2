/*
 * authd/throttle.h - failed logins slow down: by client address (a /64 of IPv6)
 * and by account, whichever program they came through. What is slowed down is
 * the answer, right or wrong, so that nobody saves time by not waiting for it.
 *
 * The table never grows. Who floods it with addresses pushes out the lowest
 * counts, which cost a guesser nothing yet.
 */
#ifndef AUTHD_THROTTLE_H
#define AUTHD_THROTTLE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/span.h"

#define THROTTLE_WAYS    8u
#define THROTTLE_BUCKETS 2048u /* of THROTTLE_WAYS places: 24 octets each */

/* Failures that cost nothing but the least wait: people mistype, and many may
 * share an address. */
#define THROTTLE_FREE_ACCOUNT 3u
#define THROTTLE_FREE_ADDRESS 8u

#define THROTTLE_LEAST_MS 2000  /* every refusal */
#define THROTTLE_MOST_MS  16000 /* programs give up after 30 s or more */
#define THROTTLE_HALF_S   600   /* after that, half of the failures count */
#define THROTTLE_COUNT    64u   /* more are not told apart: an hour long */

struct throttle {
	bool off;              /* below --test DIR: no waits */
	struct throttle_place {
		uint64_t tag;  /* keyed hash of address or account; 0: free */
		int64_t at_ms; /* of the last failure, or of the last halving */
		uint32_t count;
	} places[THROTTLE_BUCKETS][THROTTLE_WAYS];
};

/* throttle_failed - counts it; returns the ms that its answer shall wait.
 * account is the name as it was given, whether there is such an account or
 * not; empty when none came. */
int64_t throttle_failed(struct throttle *t, const struct in6_addr *address,
    struct span account, int64_t now_ms);

/* throttle_succeeded - the same for a right password: the account's failures
 * are forgotten, those of the address are not. */
int64_t throttle_succeeded(struct throttle *t, const struct in6_addr *address,
    struct span account, int64_t now_ms);

/* throttle_address - of "192.0.2.1:5555" or "[2001:db8::1]:5555"; what is
 * neither counts as one address of its own. */
void throttle_address(struct span client, struct in6_addr *out);

#endif
