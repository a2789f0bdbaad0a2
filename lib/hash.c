/* lib/hash.c - chained buckets, doubled as they fill. */
#include "lib/hash.h"

#include <stdlib.h>

#include "lib/mem.h"

#define HASH_MIN 64

/* Numbers in a row spread as well as hashes do: a multiplier of 2^64 / phi. */
static size_t
place(const struct hash *h, uint64_t key)
{
	return (size_t)((key * 0x9e3779b97f4a7c15) >> 32) & (h->nbuckets - 1);
}

static void
link_node(struct hash *h, struct hash_node *node)
{
	struct hash_node **at = &h->buckets[place(h, node->key)];

	node->next = *at;
	*at = node;
}

static void
grow(struct hash *h)
{
	struct hash_node **old = h->buckets, *node;
	size_t nold = h->nbuckets, i;

	h->nbuckets = nold == 0 ? HASH_MIN : nold * 2;
	h->buckets = xcalloc(h->nbuckets, sizeof(*h->buckets));
	for (i = 0; i < nold; i++)
		while ((node = old[i]) != NULL) {
			old[i] = node->next;
			link_node(h, node);
		}
	free(old);
}

void
hash_add(struct hash *h, struct hash_node *node, uint64_t key)
{
	if (h->n >= h->nbuckets)
		grow(h);
	node->key = key;
	link_node(h, node);
	h->n++;
}

static struct hash_node *
find_from(struct hash_node *node, uint64_t key)
{
	while (node != NULL && node->key != key)
		node = node->next;
	return node;
}

struct hash_node *
hash_find(const struct hash *h, uint64_t key)
{
	return h->nbuckets == 0 ? NULL
	    : find_from(h->buckets[place(h, key)], key);
}

struct hash_node *
hash_next(const struct hash_node *node)
{
	return find_from(node->next, node->key);
}

void
hash_remove(struct hash *h, struct hash_node *node)
{
	struct hash_node **at;

	for (at = &h->buckets[place(h, node->key)]; *at != NULL;
	    at = &(*at)->next)
		if (*at == node) {
			*at = node->next;
			h->n--;
			return;
		}
}

void
hash_each(struct hash *h, void (*fn)(void *arg, struct hash_node *node),
    void *arg)
{
	struct hash_node *node, *next;
	size_t i;

	for (i = 0; i < h->nbuckets; i++)
		for (node = h->buckets[i]; node != NULL; node = next) {
			next = node->next;
			fn(arg, node);
		}
}

void
hash_clear(struct hash *h)
{
	x_free(&h->buckets);
	h->n = h->nbuckets = 0;
}
