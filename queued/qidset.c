/* queued/qidset.c - open addressing with linear probing, no tombstones. */
#include "queued/qidset.h"

#include <stdlib.h>

#include "lib/mem.h"

#define FIRST_CAP 64

/* qids count up and come from ourselves: mixing is enough, no key needed. */
static size_t
slot_of(const struct qidset *s, uint64_t qid)
{
	return (size_t)(qid * 0x9e3779b97f4a7c15u >> 17) & (s->cap - 1);
}

static size_t
find(const struct qidset *s, uint64_t qid)
{
	size_t i = slot_of(s, qid);

	while (s->slots[i] != 0 && s->slots[i] != qid)
		i = (i + 1) & (s->cap - 1);
	return i;
}

void
qidset_clear(struct qidset *s)
{
	x_free(&s->slots);
	s->n = s->cap = 0;
}

static void
grow(struct qidset *s)
{
	struct qidset bigger = { NULL, s->n, s->cap == 0 ? FIRST_CAP :
	    s->cap * 2 };
	size_t i;

	bigger.slots = xcalloc(bigger.cap, sizeof(*bigger.slots));
	for (i = 0; i < s->cap; i++)
		if (s->slots[i] != 0)
			bigger.slots[find(&bigger, s->slots[i])] = s->slots[i];
	free(s->slots);
	*s = bigger;
}

void
qidset_add(struct qidset *s, uint64_t qid)
{
	size_t i;

	if (qid == 0)
		return;
	if (s->n * 2 >= s->cap)
		grow(s);
	i = find(s, qid);
	if (s->slots[i] == 0) {
		s->slots[i] = qid;
		s->n++;
	}
}

bool
qidset_has(const struct qidset *s, uint64_t qid)
{
	return s->cap != 0 && qid != 0 && s->slots[find(s, qid)] == qid;
}

bool
qidset_del(struct qidset *s, uint64_t qid)
{
	size_t hole, i, home;

	if (!qidset_has(s, qid))
		return false;
	hole = find(s, qid);
	s->n--;
	for (i = (hole + 1) & (s->cap - 1); s->slots[i] != 0;
	    i = (i + 1) & (s->cap - 1)) {
		home = slot_of(s, s->slots[i]);
		/* May it move down to the hole without passing its home? */
		if (((i - home) & (s->cap - 1)) >=
		    ((i - hole) & (s->cap - 1))) {
			s->slots[hole] = s->slots[i];
			hole = i;
		}
	}
	s->slots[hole] = 0;
	return true;
}
