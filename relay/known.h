/*
 * relay/known.h - hosts that encrypted lately: such a host gets nothing in
 * clear, for who takes STARTTLS out of its answers is hardly its owner.
 */
#ifndef RELAY_KNOWN_H
#define RELAY_KNOWN_H

#include <stdbool.h>
#include <stdint.h>

/* Shorter than a letter is kept by default: where a host gave encryption up for
 * good, letters are late, and none goes back. */
#define KNOWN_S       (3 * 86400)
#define KNOWN_BUCKETS 4096
#define KNOWN_WAYS    5      /* together 20,480 hosts, 320 KiB */

/* Zeroed: nobody is known. Lost when the program ends. */
struct known {
	struct known_host {
		uint64_t hash;   /* of name and port; 0: free */
		int64_t until_ms;
	} hosts[KNOWN_BUCKETS][KNOWN_WAYS];
};

/* known_add - it has just encrypted; where there is no room, the one of its
 * bucket goes that was met longest ago. known_is - has it, within KNOWN_S? */
void known_add(struct known *k, const char *host, uint16_t port);
bool known_is(const struct known *k, const char *host, uint16_t port);

#endif
