/* queued/spool_int.h - what the files of the storage engine's front share. */
#ifndef QUEUED_SPOOL_INT_H
#define QUEUED_SPOOL_INT_H

#include "queued/body.h"
#include "queued/commit.h"
#include "queued/index_thread.h"
#include "queued/meta.h"
#include "queued/spool.h"

/* Freeing the oldest segment; the loop's thread. See compact.c. */
struct compactor {
	bool busy;
	struct qidset done_since; /* settled since it began */
	uint32_t number;          /* of the segment; 0: long tails only */
	uint64_t *qids;           /* letters to be copied */
	size_t n, next;
	size_t outstanding;       /* COPYs that are not durable yet */
	uint64_t copied;
};

struct spool {
	struct spool_options o;
	int rootfd, lockfd, bigdir, baddir;
	struct meta meta;
	struct segments segments;
	struct postbox box;
	struct workers workers;
	struct committer *committer;
	struct index_thread *index;
	struct bodies bodies;
	struct logread reader;
	struct compactor compactor;
	struct timer tick;
	uint64_t next_qid;
	uint64_t free_octets, reserve_octets;
	bool full, spare_wanted, closing;
};

/* spool_later - a callback that must not run within the call that asks. */
void spool_later(struct spool *sp, spool_fn *cb, void *arg,
    enum spool_status status);

void spool_ask(struct spool *sp, struct ask *a,
    void (*work)(struct ask *a, struct catalog *c), void (*fn)(struct note *n));

void compact_tick(struct spool *sp);
void compact_done(struct spool *sp, uint64_t qid);
void compact_clear(struct spool *sp);

#endif
