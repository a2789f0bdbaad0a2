/*
 * authd/pwcache.h - passwords that were right a moment ago, so that a client
 * that polls costs no crypt(3). Only a keyed digest over every input is kept,
 * its key made at start and known to this process alone.
 */
#ifndef AUTHD_PWCACHE_H
#define AUTHD_PWCACHE_H

#include "lib/span.h"

#define PWCACHE_S       60
#define PWCACHE_ENTRIES 4096 /* a power of two; 48 octets each */
#define PWCACHE_DIGEST  32

struct pwcache {
	unsigned char key[32];
	struct pwcache_entry {
		unsigned char digest[PWCACHE_DIGEST];
		int64_t until_ms; /* 0: free */
	} entries[PWCACHE_ENTRIES];
};

void pwcache_init(struct pwcache *c);

/* pwcache_wipe - forgets all: a table of accounts has changed. */
void pwcache_wipe(struct pwcache *c);

/* pwcache_hit - was exactly this right within the last PWCACHE_S, for this
 * service (enum conf_kind: app passwords have a scope)? */
bool pwcache_hit(const struct pwcache *c, uint8_t service, struct span block,
    struct span account, struct span password);
void pwcache_add(struct pwcache *c, uint8_t service, struct span block,
    struct span account, struct span password);

#endif
