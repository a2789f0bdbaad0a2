/*
 * lib/mail/usersfile.h - the users file, one account a line: barid-users(5).
 *	address : hash[, hash ...] : uid : quota : flags
 */
#ifndef LIB_MAIL_USERSFILE_H
#define LIB_MAIL_USERSFILE_H

#include <sys/types.h>

#include "lib/span.h"

#define USERSFILE_LINE_MAX  4096u     /* a line: five hashes and a home */
#define USERSFILE_ADDR_MAX  255u      /* what an account's name may have */
#define USERSFILE_HASH_MAX  383u      /* libxcrypt's CRYPT_OUTPUT_SIZE less 1 */
#define USERSFILE_HASHES    8u        /* of one account */
#define USERSFILE_HOME_MAX  1000u
#define USERSFILE_ROWS_MAX  10000000u /* of one file */

/* Fields that may be left out. */
#define USERSFILE_NO_UID    ((uid_t)-1)
#define USERSFILE_NO_QUOTA  UINT64_MAX

/* One line; all spans borrow from it, and from name. */
struct users_line {
	struct span address;     /* canonical: domain in lower case */
	struct span hashes[USERSFILE_HASHES];
	size_t nhashes;          /* 0: "*", nobody logs in */
	uid_t uid;               /* or USERSFILE_NO_UID: the block's owner */
	uint64_t quota;          /* octets; 0 none; or USERSFILE_NO_QUOTA */
	unsigned flags;          /* USER_F_ */
	struct span home;        /* absolute, or empty */
	char name[USERSFILE_ADDR_MAX + 1]; /* what address borrows from */
};

/*
 * users_line_parse - one line without its line end.
 * Returns 1, 0 for a comment or an empty line, or -1 with *complaint a sentence
 * that holds nothing of the line (a hash stays out of the log).
 */
int users_line_parse(struct span line, struct users_line *out,
    const char **complaint);

/* What a reader of the whole file does with good lines and with bad ones. */
struct users_sink {
	/* returns NULL, or why the row cannot stand (a sentence) */
	const char *(*row)(void *arg, const struct users_line *row);
	void (*bad)(void *arg, unsigned line, const char *complaint);
	void *arg;
};

/* usersfile_read - the file from its beginning, whatever fd's offset is.
 * Returns 0, or -1 with errno (EINVAL: no regular file). */
int usersfile_read(int fd, const struct users_sink *sink);

/* account_name_ok - may this name be a folder's, and a part of a path? One
 * component: no slash, no control character, no dot in front. */
bool account_name_ok(struct span name);

#endif
