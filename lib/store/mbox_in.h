/* lib/store/mbox_in.h - what the parts of the mbox back end share. */
#ifndef LIB_STORE_MBOX_IN_H
#define LIB_STORE_MBOX_IN_H

#include <sys/stat.h>

#include "lib/mail/mbox.h"
#include "lib/store/index.h"
#include "lib/store/store.h"

struct store {
	struct store_conf conf; /* its name pointers are ours */
	char name[STORE_NAME_MAX + 1];
	char index_name[STORE_NAME_MAX + 1];
	struct index ix;
	int fd;       /* the mbox; -1: there was none when we last looked */
	int claim;    /* the session lock file, or -1 */
	bool locked;  /* both locks are held */
	bool doubt;   /* letters do not lie where the index says: read all */
	char *block;  /* owns: what store_read reads into */
	size_t block_size;
};

/* The longest piece of text made or read at once. */
#define MBOX_BLOCK ((size_t)256 * 1024)

/*
 * mbox_open - the file that the name stands for now, if it changed. A missing
 * mailbox gives 0 and fd -1, unless create.
 * mbox_lock - both locks, the file as it must be, and what a crash left of an
 * expunge repaired. *created: the file was made by this call (may be NULL).
 * Without create and without a mailbox it returns 0 and fd is -1.
 */
int mbox_open(struct store *s, bool create, bool *created);
int mbox_lock(struct store *s, bool create, bool *created);
void mbox_unlock(struct store *s);

/* mbox_seen - how the file looks now; all 0 when there is none. */
int mbox_seen(struct store *s, struct ix_seen *out);
bool mbox_seen_same(const struct ix_seen *a, const struct ix_seen *b);

/* mbox_sync - makes the index agree with the file; both are locked. */
int mbox_sync(struct store *s);

/* mbox_recover - finishes an expunge that a crash cut off; locked. */
int mbox_recover(struct store *s);

/*
 * The text of one letter as it will be stored, piece by piece.
 * letter_next adds at least one octet: 1, 0 at the end, -1 with errno.
 */
struct letter_text {
	const struct store_letter *l; /* borrows */
	struct mbox_put put;
	uint64_t at;   /* octets of the input taken */
	char *in;      /* owns: read ahead from text_fd */
	size_t held;
	int stage;
};

void letter_begin(struct letter_text *t, const struct store_letter *l);
int letter_next(struct letter_text *t, struct buf *out);
void letter_clear(struct letter_text *t);
uint64_t letter_octets(const struct store_letter *l);

/*
 * mbox_crash_check - letters of a batch whose earlier attempt may have got
 * through are looked for; found ones get was_there, error 0 and their UID, and
 * what was torn off is cut back. Includes mbox_sync. Locked. 0 or -1; EAGAIN:
 * the mailbox ends in a torn letter, which none of these is, and that letter
 * gets MBOX_TORN_WAIT_S to come by, two tries of the usual schedule.
 */
#define MBOX_TORN_WAIT_S 600
int mbox_crash_check(struct store *s, struct store_letter *l, size_t n);

/* Where a test lets a process die, to see that nothing is lost. */
enum mbox_step { STEP_SIDE_BEGUN = 1, STEP_SIDE_WRITTEN, STEP_SIDE_SYNCED,
	STEP_HALF_WRITTEN, STEP_WRITTEN, STEP_SYNCED, STEP_TRUNCATED,
	STEP_UNLINKED, STEP_MAX };
extern void (*mbox_step_hook)(enum mbox_step step);

#endif
