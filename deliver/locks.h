/*
 * deliver/locks.h - MAILBOX.lock files in the mail folder, made and removed for
 * processes that may not write there. Each channel is bound to one name.
 */
#ifndef DELIVER_LOCKS_H
#define DELIVER_LOCKS_H

#include "lib/ipc/channel.h"
#include "lib/store/dotlock.h"

/* All locks; dir is the mail folder, id is filled before the chroot. */
struct locks {
	struct loop *loop;
	int dir;
	struct dotlock_id id;
	struct lock *first;
	struct timer refresh;
};

/* What one channel may lock; embedded beside it. */
struct lock {
	struct lock *next, **at;
	struct locks *all;
	struct channel *ch;    /* borrows */
	char name[STORE_NAME_MAX + 1]; /* "": none */
	bool held;
	bool asked;            /* an answer is owed, to this: */
	uint32_t request;
	int64_t until_ms;      /* and is given by then */
	struct timer retry;
};

void locks_init(struct locks *all, struct loop *loop, int dir);
/* locks_clear - removes every lock file that we hold. */
void locks_clear(struct locks *all);

/* lock_init - name as master told it. lock_clear - lets go, at the channel's
 * end; may be called twice. */
void lock_init(struct lock *l, struct locks *all, struct channel *ch,
    struct span name);
void lock_clear(struct lock *l);

/*
 * lock_ask - IPC_LOCK: answered at once or within LOCK_PATIENCE_MS, for the
 * asker holds another lock meanwhile that somebody may wait for. A complaint
 * that is empty means: held by another, ask again. lock_drop - IPC_UNLOCK.
 * Both return 0, or -1: not allowed on this channel now.
 */
int lock_ask(struct lock *l, const struct ipc_msg *m);
int lock_drop(struct lock *l);

#endif
