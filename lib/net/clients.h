/*
 * lib/net/clients.h - who is connected, by address: how many connections each
 * has, and how many letters a device has sent in its span of time. This worker
 * counts what it sees itself.
 */
#ifndef LIB_NET_CLIENTS_H
#define LIB_NET_CLIENTS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/conf.h"

/* One address of IPv4 or one /64 of IPv6, which is what one host has. */
struct client {
	struct client *next;
	struct in6_addr addr;
	unsigned connections;
	uint32_t letters;      /* in the span that ends at window_end_ms */
	int64_t window_end_ms; /* boottime clock; the entry lives until then */
};

struct clients {
	struct client **buckets;
	size_t nbuckets, n;
};

void clients_init(struct clients *c);
void clients_clear(struct clients *c);

/* clients_enter - one more connection of this address. Never NULL. */
struct client *clients_enter(struct clients *c, const struct in6_addr *a,
    int64_t now_ms);

/* clients_leave - one less; the entry goes when nothing is to be remembered. */
void clients_leave(struct clients *c, struct client *k, int64_t now_ms);

/* client_may_send - counts one letter against a rate; false: too many. */
bool client_may_send(struct client *k, struct conf_rate limit, int64_t now_ms);

/* clients_count - entries, for tests. */
size_t clients_count(const struct clients *c);

#endif
