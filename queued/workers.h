/*
 * queued/workers.h - a few threads for what blocks and may be done in any
 * order: bodies into big/, spare segments. The result goes to the loop.
 */
#ifndef QUEUED_WORKERS_H
#define QUEUED_WORKERS_H

#include <pthread.h>
#include <stdbool.h>

#include "queued/postbox.h"

/* Two letters can be synced while a third is being written. */
#define WORKERS 3

struct job {
	struct note note; /* note.fn: what the loop does afterwards */
	struct job *next;
	void (*work)(struct job *j); /* in a worker thread */
};

struct workers {
	pthread_mutex_t lock;
	pthread_cond_t more;
	pthread_t threads[WORKERS];
	unsigned n;
	struct job *first, **last;
	struct postbox *box;
	bool stop;
};

int workers_start(struct workers *w, struct postbox *box);

/* workers_stop - does all that was asked, then joins the threads. */
void workers_stop(struct workers *w);

void workers_ask(struct workers *w, struct job *j);

#endif
