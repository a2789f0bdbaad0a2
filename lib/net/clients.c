/*
 * lib/net/clients.c - a hash table of client addresses. It grows with the number
 * of connections, which is limited, and with devices that a listener names.
 */
#include "lib/net/clients.h"

#include <string.h>

#include "lib/mem.h"
#include "lib/span.h"

#define BUCKETS_FIRST 256

void
clients_init(struct clients *c)
{
	*c = (struct clients){ NULL, 0, 0 };
}

void
clients_clear(struct clients *c)
{
	struct client *k;
	size_t i;

	for (i = 0; i < c->nbuckets; i++)
		while ((k = c->buckets[i]) != NULL) {
			c->buckets[i] = k->next;
			mem_free(k);
		}
	x_free(&c->buckets);
	clients_init(c);
}

size_t
clients_count(const struct clients *c)
{
	return c->n;
}

static struct in6_addr
client_key(const struct in6_addr *a)
{
	struct in6_addr key = *a;

	if (!IN6_IS_ADDR_V4MAPPED(a))
		memset(key.s6_addr + 8, 0, 8);
	return key;
}

static struct client **
client_bucket(struct clients *c, const struct in6_addr *key)
{
	struct span s = span_make(key, sizeof(*key));

	return &c->buckets[span_hash(s) & (c->nbuckets - 1)];
}

/* Devices that have not come back since their span of time ended. */
static void
clients_sweep(struct clients *c, int64_t now_ms)
{
	struct client **at, *k;
	size_t i;

	for (i = 0; i < c->nbuckets; i++)
		for (at = &c->buckets[i]; (k = *at) != NULL;)
			if (k->connections == 0 && k->window_end_ms <= now_ms) {
				*at = k->next;
				mem_free(k);
				c->n--;
			} else
				at = &k->next;
}

static void
clients_grow(struct clients *c)
{
	struct clients old = *c;
	struct client *k, **at;
	size_t i;

	c->nbuckets = old.nbuckets == 0 ? BUCKETS_FIRST : old.nbuckets * 2;
	c->buckets = xcalloc(c->nbuckets, sizeof(struct client *));
	for (i = 0; i < old.nbuckets; i++)
		while ((k = old.buckets[i]) != NULL) {
			old.buckets[i] = k->next;
			at = client_bucket(c, &k->addr);
			k->next = *at;
			*at = k;
		}
	mem_free(old.buckets);
}

struct client *
clients_enter(struct clients *c, const struct in6_addr *a, int64_t now_ms)
{
	struct in6_addr key = client_key(a);
	struct client **at, *k;

	if (c->n >= c->nbuckets) {
		clients_sweep(c, now_ms);
		if (c->n >= c->nbuckets / 2)
			clients_grow(c);
	}
	at = client_bucket(c, &key);
	for (k = *at; k != NULL; k = k->next)
		if (memcmp(&k->addr, &key, sizeof(key)) == 0)
			break;
	if (k == NULL) {
		k = xcalloc(1, sizeof(*k));
		k->addr = key;
		k->next = *at;
		*at = k;
		c->n++;
	}
	k->connections++;
	return k;
}

void
clients_leave(struct clients *c, struct client *k, int64_t now_ms)
{
	struct client **at;

	/* A device must not get a fresh span of time by hanging up. */
	if (--k->connections > 0 || k->window_end_ms > now_ms)
		return;
	for (at = client_bucket(c, &k->addr); *at != k; at = &(*at)->next)
		;
	*at = k->next;
	mem_free(k);
	c->n--;
}

bool
client_may_send(struct client *k, struct conf_rate limit, int64_t now_ms)
{
	if (limit.count == 0)
		return true;
	if (k->window_end_ms <= now_ms) {
		k->letters = 0;
		k->window_end_ms = now_ms + (int64_t)limit.per_s * 1000;
	}
	if (k->letters >= limit.count)
		return false;
	k->letters++;
	return true;
}
