/* queued/meta.h - owner.lock and meta: whose spool this is, and which run. */
#ifndef QUEUED_META_H
#define QUEUED_META_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define META_FORMAT 1
#define META_EPOCH_MAX 0xffffffu /* the upper 24 bits of a qid */

struct meta {
	unsigned char uuid[16];
	uint32_t epoch;   /* counts the starts */
	bool clean;       /* the last run ended in order */
	int64_t start[2]; /* realtime of the last two starts, newest first */
};

/* meta_lock - the descriptor that holds the lock, or -1 with a sentence. */
int meta_lock(int rootfd, char *why, size_t why_size);

/*
 * meta_read - 0; 1: there is none; -1 with a sentence: unreadable, damaged or
 * of a newer format.
 */
int meta_read(int rootfd, struct meta *m, char *why, size_t why_size);

/*
 * meta_write - tmp, fsync, rename, fsync of the directory: after a crash the
 * old or the new one is there. 0, or -1 with errno.
 */
int meta_write(int rootfd, const struct meta *m);

#endif
