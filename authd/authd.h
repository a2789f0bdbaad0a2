/*
 * authd/authd.h - what the rooms of authd share. authd knows who exists; it
 * has no file and never sees a password hash. Everything that blocks, and every
 * hash, is in authd -w (worker.h).
 */
#ifndef AUTHD_AUTHD_H
#define AUTHD_AUTHD_H

#include "authd/directory.h"
#include "lib/ipc/early.h"
#include "authd/job.h"
#include "authd/nss.h"
#include "authd/pool.h"
#include "authd/pwcache.h"
#include "lib/ipc/daemon.h"

/* How long a question waits for a table that has not come yet; after that it is
 * answered as a temporary failure until the table is there. */
#define TABLES_WAIT_MS 10000

struct authd {
	struct daemon daemon;
	struct early early;
	struct directory dir;
	struct nss nss;
	struct pool pool;
	struct pwcache cache;
	struct jobs jobs;
	struct timer tables;     /* TABLES_WAIT_MS after a start or reload */
	uint64_t asked, logins, refused; /* for `barid status` */
};

/* rcpt.c */
struct verdict {
	uint8_t code;            /* RCPT_ */
	const char *enhanced, *text;
};

/*
 * rcpt_judge - may a letter for local@domain come in? local is as it stood in
 * the path, quotes included. Returns false when j now waits for an account
 * or a table and must ask again.
 */
bool rcpt_judge(struct directory *dir, struct nss *nss, struct job *j,
    unsigned flags, struct span local, struct span domain,
    struct verdict *out);

/* peers.c */
extern const struct daemon_peer authd_peers[];
extern const struct ipc_handler authd_master_handlers[];
bool ask_worker(void *arg, struct nss_entry *e);

/* account.c */
int on_account_ask(void *arg, struct ipc_msg *m);
int on_uid_ask(void *arg, struct ipc_msg *m);
void account_put(struct ipc_writer *w, const struct user *u, unsigned flags);

/* login.c */
int on_auth(void *arg, struct ipc_msg *m);

#endif
