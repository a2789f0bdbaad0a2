/*
 * queued/index_thread.h - the thread around the catalog: the only caller of
 * the index engine. Takes notices from the committer and requests from the
 * loop, in the order in which they come; answers through the postbox.
 */
#ifndef QUEUED_INDEX_THREAD_H
#define QUEUED_INDEX_THREAD_H

#include "queued/catalog.h"
#include "queued/postbox.h"

/* Asked by the loop. work runs in the index thread, note.fn on the loop. */
struct ask {
	struct note note;
	struct ask *next;
	void (*work)(struct ask *a, struct catalog *c);
};

struct index_start {
	struct catalog_config catalog;
	struct postbox *box;
	bool wipe;
	uint32_t settle_ms;
	int bigdir;     /* borrowed */
	uint32_t epoch; /* of this run */
};

/* What others may see of it at any time. */
struct index_view {
	uint64_t applied, synced;
	uint64_t letters, waiting, indexed;
	uint64_t live_octets;
	uint32_t oldest;      /* segment */
	uint64_t oldest_live; /* octets of it that matter */
	bool ready; /* it has caught up with the log */
	bool long_tails;
};

struct index_thread;

struct index_thread *index_thread_start(const struct index_start *s);

/* index_thread_notice - for struct committer_start; any thread. */
void index_thread_notice(void *arg, const struct notice *n, size_t count,
    uint64_t end);
void index_thread_ask(struct index_thread *t, struct ask *a);
void index_thread_view(struct index_thread *t, struct index_view *out);

/* index_thread_stop - does all that came, flushes, makes a checkpoint, joins
 * the thread; the caller runs the postbox after it. */
void index_thread_stop(struct index_thread *t);

#endif
