/*
 * lib/store/mbox_side.h - the side file of an expunge, NAME.xp in the index
 * folder: the text that survives from the first hole on, complete and synced
 * before the mailbox is touched.
 *
 * What is behind offset + len in the mailbox is not written to before the file
 * is cut there: as long as it is unchanged, the expunge is not complete and may
 * be repeated. Letters that others appended meanwhile are kept.
 */
#ifndef LIB_STORE_MBOX_SIDE_H
#define LIB_STORE_MBOX_SIDE_H

#include "lib/store/mbox_in.h"

#define SIDE_DIGEST 32

struct side {
	uint64_t old_length; /* of the mailbox */
	uint64_t offset;     /* of the first hole */
	uint64_t len;        /* of the surviving text */
	uint64_t inode;      /* of the mailbox */
	uint8_t digest[SIDE_DIGEST]; /* of that text */
	uint8_t tail[SIDE_DIGEST];   /* of offset + len to old_length */
};

/* A run of octets of an open file. */
struct range {
	int fd;
	uint64_t at, len;
};

/*
 * side_write - makes the side file out of these ranges, durable and complete;
 * sets len and the digests. side_apply - overwrites, cuts, removes the side
 * file. Locked. Return 0, or -1 with errno.
 */
int side_write(struct store *s, struct side *side, const struct range *keep,
    size_t n);
int side_apply(struct store *s, const struct side *side);

#endif
