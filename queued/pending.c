/* queued/pending.c - see pending.h; used by the index thread alone. */
#include "queued/pending.h"

#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"

#define FIRST_SLOTS 256

void
pending_init(struct pending *p)
{
	memset(p, 0, sizeof(*p));
	p->nslots = FIRST_SLOTS;
	p->slots = xcalloc(p->nslots, sizeof(struct pend *));
}

static struct pend **
slot_of(const struct pending *p, uint64_t qid)
{
	return &p->slots[(qid * 0x9e3779b97f4a7c15u >> 17) & (p->nslots - 1)];
}

struct pend *
pending_find(const struct pending *p, uint64_t qid)
{
	struct pend *d = *slot_of(p, qid);

	while (d != NULL && d->qid != qid)
		d = d->hash_next;
	return d;
}

static void
pend_free(struct pend *d)
{
	free(d->adds);
	free(d);
}

void
pending_clear(struct pending *p)
{
	struct pend *d, *next;

	for (d = p->first; d != NULL; d = next) {
		next = d->next;
		pend_free(d);
	}
	free(p->slots);
	memset(p, 0, sizeof(*p));
}

static void
grow(struct pending *p)
{
	struct pend *d;

	free(p->slots);
	p->nslots *= 2;
	p->slots = xcalloc(p->nslots, sizeof(struct pend *));
	for (d = p->first; d != NULL; d = d->next) {
		struct pend **slot = slot_of(p, d->qid);

		d->hash_next = *slot;
		*slot = d;
	}
}

static struct pend *
pend_new(struct pending *p, uint64_t qid, uint64_t lsn, int64_t now_ms)
{
	struct pend *d = xcalloc(1, sizeof(*d)), **slot;

	if (p->n >= p->nslots)
		grow(p);
	d->qid = qid;
	d->first_lsn = lsn;
	d->since_ms = now_ms;
	slot = slot_of(p, qid);
	d->hash_next = *slot;
	*slot = d;
	if ((d->prev = p->last) != NULL)
		p->last->next = d;
	else
		p->first = d;
	p->last = d;
	p->n++;
	return d;
}

void
pending_drop(struct pending *p, struct pend *d)
{
	struct pend **slot = slot_of(p, d->qid);

	while (*slot != d)
		slot = &(*slot)->hash_next;
	*slot = d->hash_next;
	if (d->prev != NULL)
		d->prev->next = d->next;
	else
		p->first = d->next;
	if (d->next != NULL)
		d->next->prev = d->prev;
	else
		p->last = d->prev;
	p->n--;
	pend_free(d);
}

static void
pend_add(struct pend *d, struct place place)
{
	if (d->n == d->cap) {
		d->cap = d->cap == 0 ? 4 : d->cap * 2;
		d->adds = xreallocarray(d->adds, d->cap, sizeof(*d->adds));
	}
	d->adds[d->n++] = place;
}

static void
pend_copy(struct pend *d, const struct notice *n)
{
	size_t i, kept = 0;

	d->base = n->place;
	d->through = n->through;
	for (i = 0; i < d->n; i++)
		if (d->adds[i].lsn > n->through)
			d->adds[kept++] = d->adds[i];
	d->n = kept;
}

bool
pending_note(struct pending *p, const struct notice *n, int64_t now_ms)
{
	struct pend *d = pending_find(p, n->qid);

	if (d == NULL)
		d = pend_new(p, n->qid, n->place.lsn, now_ms);
	switch (n->type) {
	case REC_MSG:
		d->fresh = true;
		d->base = n->place;
		break;
	case REC_COPY:
		pend_copy(d, n);
		break;
	case REC_DONE:
		d->done = true;
		if (d->fresh) {
			pending_drop(p, d);
			return true;
		}
		break;
	default:
		pend_add(d, n->place);
		break;
	}
	return false;
}
