/*
 * queued/commit.h - the committer: a thread that writes all records that are
 * ready as one batch, closes it with a COMMIT, syncs once, and tells the loop.
 * While it syncs, the next batch gathers.
 */
#ifndef QUEUED_COMMIT_H
#define QUEUED_COMMIT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "lib/loop.h"
#include "queued/postbox.h"
#include "queued/segment.h"

#define BATCH_OCTETS_MAX  (1u << 20) /* or one letter */
#define BATCH_RECORDS_MAX 300        /* three pieces each, below IOV_MAX */
#define BATCH_GLUED_MAX   8          /* records of one glued run */

/*
 * A record on its way to the log. head holds RECORD_HEAD octets of room and
 * the payload up to the text; the text follows from body.
 */
struct rec {
	struct rec *next;
	uint16_t type;  /* enum record_type; 0: a barrier, nothing is written */
	bool intake;    /* a failed sync refuses it; others are written again */
	bool glued;     /* in the same batch as the next one */
	uint64_t qid;
	uint64_t through; /* of a COPY */
	struct buf head;
	struct buf body;
	struct place place; /* set when durable */
	bool durable;
	void (*done)(struct rec *r); /* on the loop; the rec is freed after */
	void *arg, *arg2;
};

/* What the index is told about each durable record, in order of the log. */
struct notice {
	uint16_t type;
	uint64_t qid, through;
	struct place place;
};

struct committer_start {
	struct segments *segments;
	struct postbox *box;
	struct loop *loop;
	unsigned char uuid[16];
	uint32_t epoch, number;   /* of the first segment to open */
	uint64_t prev_end, prev_commit, next_batch;
	/* In the committer's thread, after the sync and before the loop hears
	 * of it. end: lsn behind the batch. */
	void (*notice)(void *arg, const struct notice *n, size_t count,
	    uint64_t end);
	void *arg;
};

struct committer;

struct rec *rec_new(uint16_t type, uint64_t qid);
void rec_free(struct rec *r);

/* commit_start - opens the first segment (durably) and makes the thread.
 * NULL with errno. */
struct committer *commit_start(const struct committer_start *s);

/* commit_append - loop's thread; order is kept. Written soon after the loop
 * next sleeps, or with the batch behind the one under way. */
void commit_append(struct committer *c, struct rec *r);

/* commit_stop - writes all that was appended, then joins the thread; the
 * caller runs the postbox after it. */
void commit_stop(struct committer *c);
void commit_free(struct committer *c);

/* commit_broken - the disk takes no segment at present: refuse intake. */
bool commit_broken(struct committer *c);

struct commit_counts {
	uint64_t batches, records, syncs, failed_syncs;
};
void commit_counts(struct committer *c, struct commit_counts *out);

#endif
