/*
 * authd/directory.h - domains, alias tables and users tables, all in memory,
 * and the one way to look an account up.
 */
#ifndef AUTHD_DIRECTORY_H
#define AUTHD_DIRECTORY_H

#include "lib/mail/aliases.h"
#include "authd/nss.h"
#include "authd/rows.h"
#include "lib/conf.h"
#include "lib/mail/addr.h"

/* System recipients and logins begin here, as in login.defs(5). */
#define SYSTEM_UID_MIN 1000

#define ACCOUNT_NAME_MAX 255
#define GID_UNKNOWN      ((gid_t)-1)

struct users {
	char *name;            /* of the block */
	char *file;            /* NULL: system */
	bool loaded, loading;
	bool scram;            /* can work for every row with a password */
	struct rows now, next;
};

/* Tables that came for a configuration that has not reached us yet. */
#define ORPHANS_MAX 8

struct alias_table {
	char *file;
	bool loaded, programs;
	struct aliases now;
};

struct directory {
	const struct conf *conf; /* borrowed from the daemon */
	struct table domains;    /* name -> index in conf->domains */
	struct users *users;     /* in the order of conf->users */
	size_t nusers;
	struct users orphans[ORPHANS_MAX];
	struct alias_table *aliases;
	size_t naliases;
	uint32_t *domain_users;   /* of each domain: index, or NONE */
	uint32_t *domain_aliases;
	bool tables_given_up;    /* what has not come is a failure now */
	uid_t uid_min;           /* SYSTEM_UID_MIN; 1 with "privileges none" */
};

#define DIRECTORY_NONE UINT32_MAX

/* directory_set - to a configuration; tables whose file stays are kept. */
void directory_set(struct directory *d, const struct conf *conf);
void directory_clear(struct directory *d);

/* directory_domain - its block, or NULL when it is not ours. Any case. */
const struct conf_domain *directory_domain(const struct directory *d,
    struct span domain);
/* The domain of names without one, or NULL. */
const struct conf_domain *directory_default(const struct directory *d);

/* The three steps of a users table on its way in. 0, or -1: the sender broke
 * the contract. directory_users_end gives false when the count is wrong. */
int directory_users_begin(struct directory *d, struct span block);
int directory_users_row(struct directory *d, struct span address,
    const struct user_row *row, struct span home, struct span senders);
int directory_users_end(struct directory *d, uint32_t rows, bool scram,
    const struct users **done);

/* directory_aliases - an alias file's descriptor has come; borrowed. Returns
 * the table, or NULL: not one of ours, or unreadable (the old one stays). */
const struct alias_table *directory_aliases(struct directory *d,
    const char *file, int fd);

enum found { FOUND_YES, FOUND_NO, FOUND_WAIT, FOUND_FAILED };

/* directory_alias - the list behind a name of a domain ("name@domain" first,
 * then "name"). FOUND_WAIT: the table has not come; j waits for it. */
enum found directory_alias(const struct directory *d, struct job *j,
    const struct conf_domain *dom, struct span local, struct span domain,
    const struct aliases **table, uint32_t *list);

/* An account that was found; strings are its own. */
struct user {
	const struct conf_users *block;
	char account[ACCOUNT_NAME_MAX + 1]; /* its name in every table */
	char local[ACCOUNT_NAME_MAX + 1];   /* %u */
	char domain[ADDR_DOMAIN_TEXT];      /* %d */
	char home[1001];
	uid_t uid;             /* or UID_OF_OWNER: see directory_ids */
	gid_t gid;             /* or GID_UNKNOWN: see directory_ids */
	uint64_t quota;
	unsigned flags;        /* USER_F_ */
};

/*
 * directory_user - the account local (without quotes) of a domain, exactly,
 * then in lower case. System accounts count from uid_min on.
 */
enum found directory_user(const struct directory *d, struct nss *nss,
    struct job *j, const struct conf_domain *dom, struct span local,
    struct span domain, struct user *out);

/* directory_account - by the name in user.account. */
enum found directory_account(const struct directory *d, struct nss *nss,
    struct job *j, struct span account, struct user *out);

/* directory_ids - fills uid and gid where they are still unknown: the owner's,
 * or the primary group of that uid, else the same number. */
enum found directory_ids(struct nss *nss, struct job *j, struct user *u);

/* directory_by_uid - the first row with that uid (a walk over all of them). */
bool directory_by_uid(const struct directory *d, uid_t uid, struct user *out);

/* directory_senders - what the row of an account may send as, commas between; ""
 * if it has no more than its own address. Borrowed until a table comes. */
const char *directory_senders(const struct directory *d, struct span account);

/* directory_path - the mailbox of an account, %u %d %h filled in. 0, or -1:
 * too long, or a component that is none. */
int directory_path(const struct user *u, char *out, size_t size);

#endif
