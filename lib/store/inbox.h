/*
 * lib/store/inbox.h - from the paths of an account to an open INBOX: deliver -u
 * and sessions open it alike, so that they share one index.
 */
#ifndef LIB_STORE_INBOX_H
#define LIB_STORE_INBOX_H

#include "lib/store/dotlock.h"
#include "lib/store/store.h"

struct inbox {
	int mail_dir, index_dir;
	char name[STORE_NAME_MAX + 1];
	struct dotlock_local local; /* where the owner may make his own locks */
	struct store_conf conf;     /* for store_open; points into this */
};

/*
 * inbox_folder - opens the folder of a path, and gives the name of its last
 * part, which is a plain file name. Returns the descriptor, or -1 with errno.
 */
int inbox_folder(const char *path, char name[STORE_NAME_MAX + 1]);

/*
 * inbox_open - opens the folders of mailbox (a path, its last part the mbox)
 * and index (a folder). locks: NULL when MAILBOX.lock is ours to make.
 * Returns 0, or -1 with errno; then nothing is open.
 */
int inbox_open(struct inbox *in, const char *mailbox, const char *index,
    uid_t owner, uint64_t quota_octets, const struct store_locks *locks);
void inbox_close(struct inbox *in);

#endif
