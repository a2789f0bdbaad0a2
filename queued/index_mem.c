/*
 * queued/index_mem.c - the index in memory: a skip list for each table. Passes
 * the same tests as the other engine, and starts empty each time, so that the
 * log is replayed whole.
 */
#include <errno.h>
#include <stdlib.h>

#include "lib/mem.h"
#include "queued/index.h"

#define LEVELS 16

struct node {
	char *value;
	size_t value_len, key_len;
	char *key;
	struct node *next[];
};

struct index {
	struct node *heads[INDEX_TABLES];
	uint32_t dice;
};

static struct node *
node_new(unsigned levels)
{
	return xcalloc(1, sizeof(struct node) + levels * sizeof(struct node *));
}

static struct index *
mem_open(int rootfd)
{
	struct index *ix = xcalloc(1, sizeof(*ix));
	unsigned t;

	(void)rootfd;
	ix->dice = 1;
	for (t = 0; t < INDEX_TABLES; t++)
		ix->heads[t] = node_new(LEVELS);
	return ix;
}

static void
node_free(struct node *n)
{
	free(n->key);
	free(n->value);
	free(n);
}

static void
mem_close(struct index *ix)
{
	struct node *n, *next;
	unsigned t;

	for (t = 0; t < INDEX_TABLES; t++)
		for (n = ix->heads[t]; n != NULL; n = next) {
			next = n->next[0];
			node_free(n);
		}
	free(ix);
}

static int
mem_wipe(int rootfd)
{
	(void)rootfd;
	return 0;
}

static int
mem_nothing(struct index *ix)
{
	(void)ix;
	return 0;
}

static int
key_cmp(const struct node *n, struct span key)
{
	size_t len = n->key_len < key.len ? n->key_len : key.len;
	int rv = len == 0 ? 0 : memcmp(n->key, key.p, len);

	if (rv != 0)
		return rv;
	return n->key_len < key.len ? -1 : n->key_len > key.len;
}

/* The last node below key on each level; returns what follows it. */
static struct node *
find(struct index *ix, enum index_table t, struct span key,
    struct node *before[LEVELS])
{
	struct node *n = ix->heads[t];
	int level;

	for (level = LEVELS - 1; level >= 0; level--) {
		while (n->next[level] != NULL &&
		    key_cmp(n->next[level], key) < 0)
			n = n->next[level];
		before[level] = n;
	}
	return n->next[0];
}

static int
mem_get(struct index *ix, enum index_table t, struct span key,
    struct buf *value)
{
	struct node *before[LEVELS], *n = find(ix, t, key, before);

	if (n == NULL || key_cmp(n, key) != 0)
		return 0;
	buf_reset(value);
	return buf_add(value, n->value, n->value_len) == -1 ? -1 : 1;
}

static unsigned
throw_dice(struct index *ix)
{
	unsigned levels = 1;

	ix->dice = ix->dice * 1664525u + 1013904223u;
	while (levels < LEVELS && (ix->dice >> (levels + 8) & 3) == 0)
		levels++;
	return levels;
}

static char *
octets_dup(struct span s)
{
	char *p = xmalloc(s.len + 1);

	if (s.len > 0)
		memcpy(p, s.p, s.len);
	return p;
}

static int
mem_put(struct index *ix, enum index_table t, struct span key,
    struct span value)
{
	struct node *before[LEVELS], *n = find(ix, t, key, before);
	unsigned levels, i;

	if (n == NULL || key_cmp(n, key) != 0) {
		levels = throw_dice(ix);
		n = node_new(LEVELS);
		n->key = octets_dup(key);
		n->key_len = key.len;
		for (i = 0; i < levels; i++) {
			n->next[i] = before[i]->next[i];
			before[i]->next[i] = n;
		}
	} else
		x_free(&n->value);
	n->value = octets_dup(value);
	n->value_len = value.len;
	return 0;
}

static int
mem_del(struct index *ix, enum index_table t, struct span key)
{
	struct node *before[LEVELS], *n = find(ix, t, key, before);
	unsigned i;

	if (n == NULL || key_cmp(n, key) != 0)
		return 0;
	for (i = 0; i < LEVELS && before[i]->next[i] == n; i++)
		before[i]->next[i] = n->next[i];
	node_free(n);
	return 0;
}

static int
mem_scan(struct index *ix, enum index_table t, struct span from, index_fn *fn,
    void *arg)
{
	struct node *before[LEVELS], *n;

	for (n = find(ix, t, from, before); n != NULL; n = n->next[0])
		if (!fn(arg, span_make(n->key, n->key_len),
		    span_make(n->value, n->value_len)))
			break;
	return 0;
}

static int
mem_sync(struct index *ix, bool now)
{
	(void)ix;
	(void)now;
	return 1;
}

const struct index_ops index_mem = {
	"memory", mem_open, mem_close, mem_wipe, mem_nothing, mem_nothing,
	mem_get, mem_put, mem_del, mem_scan, mem_sync
};
