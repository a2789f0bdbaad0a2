/*
 * lib/mail/usersfile.h - the users file, one account a line: barid-users(5).
 *	address : hash[, hash ...] : uid : quota : flags
 * A hash is crypt(3)'s, or a SCRAM verifier (verifier.h), whose colons end no
 * field; behind it label=, scope= and until= make it an app password.
 */
#ifndef LIB_MAIL_USERSFILE_H
#define LIB_MAIL_USERSFILE_H

#include <sys/types.h>

#include "lib/span.h"

#define USERSFILE_LINE_MAX  4096u     /* a line: five hashes and a home */
#define USERSFILE_ADDR_MAX  255u      /* what an account's name may have */
#define USERSFILE_HASH_MAX  383u      /* libxcrypt's CRYPT_OUTPUT_SIZE less 1 */
#define USERSFILE_HASHES    8u        /* of one account */
#define USERSFILE_LABEL_MAX 32u       /* of an app password */
#define USERSFILE_HOME_MAX  1000u
#define USERSFILE_SENDERS   32u       /* grants of one account */
#define USERSFILE_SENDERS_MAX 2000u   /* octets of them, commas included */
#define USERSFILE_ROWS_MAX  10000000u /* of one file */

/* Fields that may be left out. */
#define USERSFILE_NO_UID    ((uid_t)-1)
#define USERSFILE_NO_QUOTA  UINT64_MAX

/* Days are counted from 1970-01-01, in UTC. */
#define USERSFILE_NO_UNTIL  UINT32_MAX

/* One password of an account. */
struct users_hash {
	struct span text;        /* for crypt(3), or a verifier */
	struct span label;       /* empty: the account's own password */
	unsigned scope;          /* USERS_SCOPEs; 0: everything */
	uint32_t until;          /* its last day, or USERSFILE_NO_UNTIL */
};

/* The bit of a service that takes logins (enum conf_kind). */
#define USERS_SCOPE(kind) (1u << (kind))

/* One line; all spans borrow from it, and from name. */
struct users_line {
	struct span address;     /* canonical: domain in lower case */
	struct users_hash hashes[USERSFILE_HASHES];
	size_t nhashes;          /* 0: "*", nobody logs in */
	uid_t uid;               /* or USERSFILE_NO_UID: the block's owner */
	uint64_t quota;          /* octets; 0 none; or USERSFILE_NO_QUOTA */
	unsigned flags;          /* USER_F_ */
	struct span home;        /* absolute, or empty */
	/* local@domain and @domain, domains in lower case, commas between */
	char senders[USERSFILE_SENDERS_MAX + 1];
	size_t nsenders;
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

/*
 * users_hash_parse - the word or words of one hash at the front of *rest, which
 * then begins behind it, at a comma or a colon or its end. Returns 1, 0 (locked,
 * or nothing: out is not written), or -1 with *complaint.
 */
int users_hash_parse(struct span *rest, struct users_hash *out,
    const char **complaint);

/* users_scope_parse - "pop3|submission" as bits. 0, or -1. users_scope_format:
 * the same text, "" for 0. */
#define USERS_SCOPE_TEXT 32
int users_scope_parse(struct span in, unsigned *out);
void users_scope_format(unsigned scope, char out[USERS_SCOPE_TEXT]);

/* users_day_parse - YYYY-MM-DD as a day. 0, or -1. users_day_format: back. */
#define USERS_DAY_TEXT 16
int users_day_parse(struct span in, uint32_t *day);
void users_day_format(uint32_t day, char out[USERS_DAY_TEXT]);

/* users_label_ok - letters, digits, dot, dash and underscore. */
bool users_label_ok(struct span label);

/* account_name_ok - may this name be a folder's, and a part of a path? One
 * component: no slash, no control character, no dot in front. */
bool account_name_ok(struct span name);

#endif
