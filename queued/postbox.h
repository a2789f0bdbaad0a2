/*
 * queued/postbox.h - how the other threads hand what they finished back to the
 * loop: a list under a lock and an eventfd that the loop watches.
 */
#ifndef QUEUED_POSTBOX_H
#define QUEUED_POSTBOX_H

#include <pthread.h>

#include "lib/loop.h"

/* Embedded in what is handed over; fn runs on the loop and owns it then. */
struct note {
	struct note *next;
	void (*fn)(struct note *n);
};

struct postbox {
	pthread_mutex_t lock;
	struct note *first, **last;
	struct watch watch;
	int fd;
};

/* 0, or -1 with errno. */
int postbox_init(struct postbox *b, struct loop *l);
void postbox_clear(struct postbox *b);

/* postbox_post - from any thread; notes of one thread keep their order. */
void postbox_post(struct postbox *b, struct note *n);

/* postbox_wait - sleeps until something is there, and runs it: for the end. */
void postbox_wait(struct postbox *b);

/* postbox_run - runs what is there now, on the loop's thread. */
void postbox_run(struct postbox *b);

#endif
