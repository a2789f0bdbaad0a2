/*
 * queued/pending.h - letters whose newest records are not in the index yet.
 * Most are settled while they wait here, and never get there. Kept in the order
 * of the first record that waits, so that what is taken from the front moves
 * the index forward without a gap.
 */
#ifndef QUEUED_PENDING_H
#define QUEUED_PENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queued/commit.h"
#include "queued/letter.h"

struct pend {
	struct pend *hash_next, *prev, *next;
	uint64_t qid;
	uint64_t first_lsn; /* of its oldest record that waits */
	int64_t since_ms;
	bool fresh; /* its MSG is among them: unknown to the index */
	bool done;
	struct place base;  /* MSG or COPY; lsn 0: neither waits */
	uint64_t through;   /* of the COPY: what it holds already */
	struct place *adds; /* EXPAND, STATE, CTRL, ascending */
	size_t n, cap;
};

struct pending {
	struct pend **slots;
	size_t nslots, n;
	struct pend *first, *last;
};

void pending_init(struct pending *p);
void pending_clear(struct pending *p);

/* pending_note - one more durable record. True if it settled a letter that
 * the index never saw. */
bool pending_note(struct pending *p, const struct notice *n, int64_t now_ms);
struct pend *pending_find(const struct pending *p, uint64_t qid);
void pending_drop(struct pending *p, struct pend *d);

#endif
