/*
 * lib/store/dotlock.h - MAILBOX.lock, the lock that Debian policy wants beside
 * a mailbox. Used by deliver (for all in /var/spool/mail) and wherever the
 * owner may write to the folder himself. Needs no /proc and no /etc after
 * dotlock_identify.
 */
#ifndef LIB_STORE_DOTLOCK_H
#define LIB_STORE_DOTLOCK_H

#include <stdint.h>
#include <sys/types.h>

#include "lib/store/store.h"

/* A lock of unknown origin is broken when it is older (procmail's value). */
#define DOTLOCK_AGE_S 1024

/* How often a lock that is still held is touched, so that it stays young. */
#define DOTLOCK_REFRESH_S 60

/* Who we are, as written into our locks. */
struct dotlock_id {
	char machine[40]; /* /etc/machine-id; "-" when there is none */
	char boot[40];    /* boot id */
	uint64_t pid_ns;  /* inode of our pid namespace */
	pid_t pid;
	/* the file that all our locks are links to; dev 0: none */
	uint64_t dev, ino;
};

/* Its name; no mailbox begins with a dot. */
#define DOTLOCK_COMMON ".barid-lock"

/* dotlock_identify - fills id; before a chroot. What cannot be read stays
 * unknown: locks are then broken by age alone. */
void dotlock_identify(struct dotlock_id *id);

/*
 * dotlock_common_open - for a process that takes many: makes one file in dir,
 * of which each lock will be a link. That spares making and freeing an inode a
 * lock, and they are made young together. Returns 0, or -1 with errno; then
 * each lock is a file of its own. dotlock_common_close removes it.
 */
int dotlock_common_open(int dir, struct dotlock_id *id);
void dotlock_common_close(int dir, struct dotlock_id *id);

/*
 * dotlock_take - one try. A lock is broken at once only if it names our machine
 * with an earlier boot, or our boot and pid namespace with a dead process, or
 * was ours and cut off before it was written; any other when it is older than
 * DOTLOCK_AGE_S.
 * Returns 0, or -1 with errno: EAGAIN (held), else why it cannot be made.
 */
int dotlock_take(int dir, const char *mailbox, const struct dotlock_id *id);

/* dotlock_refresh - makes it young; 0, or -1 with errno (ESTALE: not ours). */
int dotlock_refresh(int dir, const char *mailbox, const struct dotlock_id *id);

/* dotlock_drop - removes it if it is still ours. */
void dotlock_drop(int dir, const char *mailbox, const struct dotlock_id *id);

/* A store_locks for those who may write to the mail folder themselves. */
struct dotlock_local {
	struct dotlock_id id;
	int dir; /* borrowed */
	struct store_locks locks;
};

void dotlock_local_init(struct dotlock_local *l, int dir);

#endif
