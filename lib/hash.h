/* lib/hash.h - an intrusive hash table: nodes live in what they find. */
#ifndef LIB_HASH_H
#define LIB_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hash_node {
	struct hash_node *next;
	uint64_t key;
};

/* Zeroed: an empty table. It owns its buckets, never the nodes. */
struct hash {
	struct hash_node **buckets;
	size_t n, nbuckets;
};

/* The struct around a node. */
#define hash_entry(node, type, member) \
	((type *)(void *)((char *)(node) - offsetof(type, member)))

/* hash_add - node is linked under key; equal keys may stand side by side. */
void hash_add(struct hash *h, struct hash_node *node, uint64_t key);

/* hash_find - a node under key, or NULL; hash_next: another one behind it.
 * Keys that come from outside are to be hashes (span_hash). */
struct hash_node *hash_find(const struct hash *h, uint64_t key);
struct hash_node *hash_next(const struct hash_node *node);

/* hash_remove - unlinks a node that is in the table. */
void hash_remove(struct hash *h, struct hash_node *node);

/* hash_each - calls fn for every node; fn may remove and free that node. */
void hash_each(struct hash *h, void (*fn)(void *arg, struct hash_node *node),
    void *arg);

/* hash_clear - frees the buckets. */
void hash_clear(struct hash *h);

#endif
