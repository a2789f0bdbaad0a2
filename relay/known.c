/*
 * relay/known.c - a fixed table of digests: no name is kept, no memory grows,
 * and two hosts that fall on one digest cost at worst a late letter.
 */
#include "relay/known.h"

#include <stdio.h>

#include "lib/clock.h"
#include "lib/span.h"

static uint64_t
hash_of(const char *host, uint16_t port)
{
	char name[300];
	uint64_t hash;

	snprintf(name, sizeof(name), "%s:%u", host, port);
	hash = span_hash_lower(span_str(name));
	return hash != 0 ? hash : 1;
}

void
known_add(struct known *k, const char *host, uint16_t port)
{
	uint64_t hash = hash_of(host, port);
	struct known_host *bucket = k->hosts[hash % KNOWN_BUCKETS];
	size_t i, at = 0;

	for (i = 0; i < KNOWN_WAYS; i++) {
		if (bucket[i].hash == hash) {
			at = i;
			break;
		}
		if (bucket[i].until_ms < bucket[at].until_ms)
			at = i; /* a free one has 0 */
	}
	bucket[at].hash = hash;
	bucket[at].until_ms = clock_boot_ms() + (int64_t)KNOWN_S * 1000;
}

bool
known_is(const struct known *k, const char *host, uint16_t port)
{
	uint64_t hash = hash_of(host, port);
	const struct known_host *bucket = k->hosts[hash % KNOWN_BUCKETS];
	size_t i;

	for (i = 0; i < KNOWN_WAYS; i++)
		if (bucket[i].hash == hash)
			return bucket[i].until_ms > clock_boot_ms();
	return false;
}
