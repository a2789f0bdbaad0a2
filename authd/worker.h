/*
 * authd/worker.h - what the rooms of authd -w share: the process that may
 * block, that reads NSS, shadow and users files, and that alone has hashes.
 */
#ifndef AUTHD_WORKER_H
#define AUTHD_WORKER_H

#include <crypt.h>

#include "authd/early.h"
#include "authd/rows.h"
#include "lib/ipc/daemon.h"

/* Complaints about one file that are logged one by one. */
#define WORKER_COMPLAINTS_MAX 50

/* One users file. */
struct hashed_users {
	char *name;            /* of the block */
	char *file;            /* NULL: system accounts */
	bool loaded;
	struct rows rows;
	uint32_t *hash_at;     /* of each row: where its hashes begin in text */
	size_t hash_cap;
	bool scram;            /* every row that has a hash has SCRAM's too */
	char *text;            /* hashes with their NUL, an empty one behind */
	size_t text_len, text_cap;
	unsigned complaints;
};

struct worker {
	struct daemon daemon;
	struct early early;
	struct hashed_users *users; /* in the order of conf->users */
	size_t nusers;
	struct crypt_data crypt;
};

/* worker.c - the life of authd -w; returns the exit status. */
int worker_main(void);

/* password.c */

/*
 * password_check - PW_OK, PW_WRONG or PW_TEMP. An account that is not there
 * costs one crypt(3) of the kind that is usual there, and is PW_WRONG too.
 */
uint8_t password_check(struct worker *w, struct span block,
    struct span address, const char *password);

/* hashed.c */
void hashed_clear(struct hashed_users *u);

/* hashed_read - the rows of a users file, anew. uid_min: rows below it are left
 * out; loud: say what is wrong with lines. 0, or -1 with errno. */
int hashed_read(struct hashed_users *u, int fd, bool has_owner, uid_t uid_min,
    bool loud);

/* hashed_find - the first hash of an account; the next lies behind its NUL, an
 * empty one ends them. NULL: no such account. */
const char *hashed_find(const struct hashed_users *u, struct span address);

/* hashed_send - all rows, without hashes, to authd. */
void hashed_send(const struct hashed_users *u, struct channel *ch);

#endif
