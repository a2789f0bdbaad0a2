/* lib/table.h - names to numbers: a compact hash table of many rows. */
#ifndef LIB_TABLE_H
#define LIB_TABLE_H

#include "lib/span.h"

/* All names of one table together: 10 million of a hundred octets. */
#define TABLE_TEXT_MAX (1024u * 1024 * 1024)

/*
 * Open addressing under a keyed hash, so that who chooses the names cannot
 * choose where they fall. Names lie one behind the other in text.
 */
struct table {
	struct table_entry {
		uint32_t off, len; /* the name's place in text */
		uint32_t hash;     /* the upper half: compared before it */
		uint32_t value;
	} *entries;
	size_t n, cap;
	uint32_t *slots;           /* number of an entry plus one, or 0 */
	size_t nslots;             /* a power of two, or 0 */
	char *text;
	size_t text_len, text_cap;
};

void table_init(struct table *t);
void table_clear(struct table *t);

/* table_add - the name is copied. 0, or -1: errno EEXIST (known already, and
 * nothing is changed) or ENOSPC (TABLE_TEXT_MAX). */
int table_add(struct table *t, struct span name, uint32_t value);

/* table_find - the name exactly as it was added. */
bool table_find(const struct table *t, struct span name, uint32_t *value);

/* table_name - of the n-th name that was added; borrowed until the next add. */
struct span table_name(const struct table *t, size_t n);

#endif
