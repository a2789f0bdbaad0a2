/*
 * authd/pool.h - the workers (authd -w): look-ups that block, one in flight in
 * each, in the order in which they came.
 */
#ifndef AUTHD_POOL_H
#define AUTHD_POOL_H

#include "lib/ipc/daemon.h"

#define POOL_WORKERS_MAX 32
#define POOL_QUEUE_MAX   4096  /* what waits: beyond it the answer is 'later' */
#define POOL_TIMEOUT_MS  30000 /* in the queue, and again in the worker */
#define POOL_BUSY        1     /* questions at a time that a worker has */
#define POOL_BUSY_PAM    32    /* authd -p, which blocks for none of them */

struct pool_task {
	struct pool_task *next;
	bool again;            /* its worker had left before it came */
	uint16_t type;         /* IPC_PW_NAME, IPC_PW_UID, IPC_PW_CHECK ... */
	struct buf body;       /* of the message; owned, wiped */
	int64_t until_ms;
	/* called once, never from within pool_ask; m NULL: no answer */
	int (*done)(void *arg, struct ipc_msg *m);
	void *arg;
	struct pool *pool;
	struct channel *ch;    /* of the worker that has it */
	struct pool_worker *worker;
};

struct pool {
	struct daemon *daemon;
	enum role role;        /* of its workers */
	struct pool_task *first, **last;
	size_t queued;
	struct pool_worker {
		unsigned busy;     /* questions that it has */
		int64_t failed_ms; /* when it last let a deadline pass */
	} workers[POOL_WORKERS_MAX];
	struct timer deadline;
};

void pool_init(struct pool *p, struct daemon *d, enum role workers);

/* pool_body - for what a question's message holds: a str is added by pool_str,
 * numbers by the buf_add family. */
struct buf pool_body(void);
void pool_str(struct buf *body, struct span s);

/* pool_ask - asks a worker, now or when one is free. Takes body. Returns 0, or
 * -1: too many wait already, and body is wiped. */
int pool_ask(struct pool *p, enum ipc_type type, struct buf *body,
    int (*done)(void *, struct ipc_msg *), void *arg);

/* pool_kick - a worker's channel is up: hand out what waits. */
void pool_kick(struct pool *p);

#endif
