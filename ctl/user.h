/* ctl/user.h - what the rooms of barid user share. */
#ifndef CTL_USER_H
#define CTL_USER_H

#include "ctl/ctl.h"
#include "lib/mail/verifier.h"

#define USER_PASSWORD_MAX 1000 /* what authd takes */
#define USER_HASH_MAX     400
#define USER_SENDERS_MAX  32

/* What was said behind the verb. */
struct user_words {
	const char *verb;        /* add, passwd, list, delete */
	const char *address;     /* as it was typed, or NULL */
	const char *file, *label, *scope, *until;
	const char *uid, *quota, *home;
	const char *senders[USER_SENDERS_MAX];
	size_t nsenders;
	bool generate, crypt, locked, nologin, nomail;
};

/* -- userpass.c: each returns 0 or an exit status, complained of -- */

/* user_password - from the terminal, twice, or one line of standard input. The
 * caller wipes it. */
int user_password(const char *account, char out[USER_PASSWORD_MAX + 2]);
/* user_password_fresh - one that nobody has guessed yet. */
void user_password_fresh(char out[USER_PASSWORD_MAX + 2]);
int user_hash_crypt(const char *password, char out[USER_HASH_MAX]);
/* user_hash_scram - like: whose salt and iterations it shares, or NULL. */
int user_hash_scram(const char *password, const struct verifier *like,
    char out[USER_HASH_MAX]);

/* -- userlist.c -- */

/* user_list - of one file; only: an account, or a domain with its @, or NULL. */
int user_list(const struct ctl *c, const char *path, const char *only);

#endif
