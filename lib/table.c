/*
 * lib/table.c - names to numbers. Only grows: a table whose file has changed
 * is built anew beside the old one.
 */
#include <errno.h>
#include <stdlib.h>

#include "lib/table.h"
#include "lib/mem.h"

#define TABLE_FIRST 64 /* slots, entries; text is sixteen times that */

void
table_init(struct table *t)
{
	memset(t, 0, sizeof(*t));
}

void
table_clear(struct table *t)
{
	x_free(&t->entries);
	x_free(&t->slots);
	x_free(&t->text);
	memset(t, 0, sizeof(*t));
}

struct span
table_name(const struct table *t, size_t n)
{
	return span_make(t->text + t->entries[n].off, t->entries[n].len);
}

/* The slot that holds name, or the free one where it belongs. */
static size_t
slot_of(const struct table *t, struct span name, uint64_t hash)
{
	size_t mask = t->nslots - 1, i = (size_t)hash & mask;

	for (;; i = (i + 1) & mask) {
		uint32_t at = t->slots[i];

		if (at == 0)
			return i;
		if (t->entries[at - 1].hash == (uint32_t)(hash >> 32) &&
		    span_eq(table_name(t, at - 1), name))
			return i;
	}
}

/* At most half of the slots are taken, so that a search stays short. */
static void
slots_grow(struct table *t)
{
	size_t i;

	t->nslots = t->nslots == 0 ? TABLE_FIRST : t->nslots * 2;
	x_free(&t->slots);
	t->slots = xcalloc(t->nslots, sizeof(*t->slots));
	for (i = 0; i < t->n; i++) {
		struct span name = table_name(t, i);

		t->slots[slot_of(t, name, span_hash(name))] = (uint32_t)i + 1;
	}
}

static int
text_add(struct table *t, struct span name)
{
	if (name.len > TABLE_TEXT_MAX - t->text_len) {
		errno = ENOSPC;
		return -1;
	}
	while (t->text_len + name.len > t->text_cap) {
		t->text_cap = t->text_cap == 0 ? 16 * TABLE_FIRST :
		    t->text_cap * 2;
		t->text = xreallocarray(t->text, t->text_cap, 1);
	}
	if (name.len > 0)
		memcpy(t->text + t->text_len, name.p, name.len);
	t->text_len += name.len;
	return 0;
}

int
table_add(struct table *t, struct span name, uint32_t value)
{
	uint64_t hash = span_hash(name);
	size_t slot;

	if ((t->n + 1) * 2 > t->nslots)
		slots_grow(t);
	slot = slot_of(t, name, hash);
	if (t->slots[slot] != 0) {
		errno = EEXIST;
		return -1;
	}
	if (text_add(t, name) == -1)
		return -1;
	if (t->n == t->cap) {
		t->cap = t->cap == 0 ? TABLE_FIRST : t->cap * 2;
		t->entries = xreallocarray(t->entries, t->cap,
		    sizeof(*t->entries));
	}
	t->entries[t->n] = (struct table_entry){
		.off = (uint32_t)(t->text_len - name.len),
		.len = (uint32_t)name.len,
		.hash = (uint32_t)(hash >> 32),
		.value = value,
	};
	t->slots[slot] = (uint32_t)++t->n;
	return 0;
}

bool
table_find(const struct table *t, struct span name, uint32_t *value)
{
	size_t slot;

	if (t->nslots == 0)
		return false;
	slot = slot_of(t, name, span_hash(name));
	if (t->slots[slot] == 0)
		return false;
	*value = t->entries[t->slots[slot] - 1].value;
	return true;
}
