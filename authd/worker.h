/*
 * authd/worker.h - what the rooms of authd -w share: the process that may
 * block, that reads NSS, shadow and users files, and that alone has hashes.
 */
#ifndef AUTHD_WORKER_H
#define AUTHD_WORKER_H

#include <crypt.h>

#include "authd/rows.h"
#include "authd/secret.h"
#include "lib/ipc/daemon.h"

/* Complaints about one file that are logged one by one. */
#define WORKER_COMPLAINTS_MAX 50

/* One users file. */
struct hashed_users {
	char *name;            /* of the block */
	char *file;            /* NULL: system accounts */
	enum conf_passwords passwords;
	bool loaded;
	struct rows rows;
	uint32_t *hash_at;     /* of each row: where its hashes begin in text */
	size_t hash_cap;
	bool scram;            /* SCRAM works with every password here */
	size_t npasswords;     /* rows that have one */
	size_t first_password; /* the first of them */
	char *text;            /* the hashes of one row behind another's */
	size_t text_len, text_cap;
	unsigned complaints;
};

struct worker {
	struct daemon daemon;
	struct hashed_users *users; /* in the order of conf->users */
	size_t nusers;
	struct crypt_data crypt;
	struct secret secret;
	unsigned questions;    /* answered since the start */
	int64_t started_ms;
	bool leaving;
};

/* worker.c - the life of authd -w; returns the exit status. */
int worker_main(void);

/* password.c */

/*
 * password_check - PW_OK, PW_WRONG or PW_TEMP. An account that is not there
 * costs one crypt(3) of the kind that is usual there, and is PW_WRONG too.
 */
uint8_t password_check(struct worker *w, struct span block,
    struct span address, const char *password, uint8_t service);

/* worker_users - the block of that name, or NULL. */
const struct hashed_users *worker_users(const struct worker *w,
    struct span block);

/* scram.c: the two steps in which a password is proved and never told. */
int on_pw_scram(void *arg, struct ipc_msg *m);
int on_pw_proof(void *arg, struct ipc_msg *m);

/* hashed.c */
void hashed_clear(struct hashed_users *u);

/* hashed_read - the rows of a users file, anew. uid_min: rows below it are left
 * out; loud: say what is wrong with lines. 0, or -1 with errno. */
int hashed_read(struct hashed_users *u, int fd, bool has_owner, uid_t uid_min,
    bool loud);

/* The passwords of one account, one after the other; they borrow. */
struct hashed_walk { struct span rest; };
struct hashed_one {
	struct span text;      /* a NUL stands behind it */
	unsigned scope;        /* USERS_SCOPEs; 0: everything */
	uint32_t until;        /* its last day, or USERSFILE_NO_UNTIL */
};

/* hashed_find - false, and nothing to walk over: no account, or no password. */
bool hashed_find(const struct hashed_users *u, struct span address,
    struct hashed_walk *out);

/* hashed_model - the account that a name which nobody has is taken for, so that
 * it costs what accounts here cost: the same for the same place. false: no
 * account of this file has a password. */
bool hashed_model(const struct hashed_users *u, uint64_t place,
    struct hashed_walk *out);
bool hashed_next(struct hashed_walk *w, struct hashed_one *out);

/* hashed_usable - today, by this service (enum conf_kind)? */
bool hashed_usable(const struct hashed_one *one, uint8_t service);

/* hashed_send - all rows, without hashes, to authd. */
void hashed_send(const struct hashed_users *u, struct channel *ch);

#endif
