/*
 * ctl/usersedit.h - changing a users file: under a lock, in memory, and then as a
 * new file in the old one's place. What a change does not touch, comments and
 * other lines, stays octet for octet.
 */
#ifndef CTL_USERSEDIT_H
#define CTL_USERSEDIT_H

#include <limits.h>
#include <sys/stat.h>

#include "lib/buf.h"
#include "lib/mail/usersfile.h"
#include "lib/mail/verifier.h"

#define USERSEDIT_MAX (1u << 30) /* octets of a file */

struct usersedit {
	char path[PATH_MAX];     /* what a link leads to */
	struct stat st;          /* of the file as it was */
	bool fresh;              /* there was none */
	int lock;                /* -1: none held */
	struct buf text;
};

/*
 * usersedit_open - waits for the lock and reads the file; one that is missing
 * counts as empty if create is true. Returns 0 or an exit status, complained of.
 */
int usersedit_open(struct usersedit *e, const char *path, bool create);

/* usersedit_commit - the text as the file: whole, or the old one stays. Returns 0
 * or an exit status, complained of. */
int usersedit_commit(struct usersedit *e);

/* usersedit_close - lets go of the lock; wipes what was read. */
void usersedit_close(struct usersedit *e);

/* The line of an account: borrowed until the text is changed. */
struct usersedit_line {
	size_t at, len;          /* in the text, without its line end */
	size_t hashes_at, hashes_len; /* its second field, with blanks */
	unsigned number;
};

/*
 * usersedit_find - the first line of that account. Returns 1, 0 (none), or -1:
 * its line is wrong, and *complaint says why.
 */
int usersedit_find(const struct usersedit *e, struct span account,
    struct usersedit_line *out, const char **complaint);

/* usersedit_remove - the whole line. usersedit_append - one, with LF. Both: 0, or
 * -1: the file would be too big. */
void usersedit_remove(struct usersedit *e, const struct usersedit_line *line);
int usersedit_append(struct usersedit *e, struct span line);

/* usersedit_verifier - the first one of that line that does not have this label:
 * whose salt the next has to share. false: there is none. */
bool usersedit_verifier(const struct usersedit *e,
    const struct usersedit_line *line, struct span label,
    struct verifier *out);

/*
 * usersedit_password - puts a password among those of a line, in place of the
 * one with that label ("": those without), or takes that one away if hash is
 * empty. words: what stands behind it, with a blank in front, or "". Returns 0,
 * -1 (the line is then wrong, *complaint), or 1: there was none to take away.
 */
int usersedit_password(struct usersedit *e, const struct usersedit_line *line,
    struct span label, struct span hash, const char *words,
    const char **complaint);

#endif
