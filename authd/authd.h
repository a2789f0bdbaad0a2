/*
 * authd/authd.h - what the rooms of authd share. authd knows who exists; it
 * has no file and never sees a password hash. Everything that blocks, and every
 * hash, is in authd -w (worker.h).
 */
#ifndef AUTHD_AUTHD_H
#define AUTHD_AUTHD_H

#include "authd/directory.h"
#include "authd/exchange.h"
#include "authd/job.h"
#include "authd/nss.h"
#include "authd/pool.h"
#include "authd/pwcache.h"
#include "authd/throttle.h"
#include "lib/ipc/daemon.h"

/* How long a question waits for a table that has not come yet; after that it is
 * answered as a temporary failure until the table is there. */
#define TABLES_WAIT_MS 10000

struct authd {
	struct daemon daemon;
	struct directory dir;
	struct nss nss;
	struct pool pool;        /* authd -w */
	struct pool outside;     /* authd -p, where there is one */
	struct pwcache cache;
	struct throttle throttle;
	struct exchanges exchanges;
	struct buf challenge;    /* being made */
	uint8_t offered;         /* OFFER_, as the others know it */
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

/* authd_rooms - all that is empty at the start; the loop is there already. */
void authd_rooms(struct authd *a);
/* pool_of - who checks the passwords of a users block. */
struct pool *pool_of(struct authd *a, struct span block);

/* account.c */
int on_account_ask(void *arg, struct ipc_msg *m);
int on_uid_ask(void *arg, struct ipc_msg *m);
void account_put(struct ipc_writer *w, const struct user *u, unsigned flags);

/* auth.c: SASL between smtpd, pop3d and us. */
int on_auth(void *arg, struct ipc_msg *m);
int on_auth_step(void *arg, struct ipc_msg *m);
int on_auth_abort(void *arg, struct ipc_msg *m);

/* auth_offer - tells everybody what works for every account, if it changed;
 * auth_offer_to - one whose channel is new. */
void auth_offer(struct authd *a);
void auth_offer_to(struct authd *a, struct channel *ch);

/* auth_challenge - a->challenge goes to the client, whose turn it is then. */
void auth_challenge(struct authd *a, struct exchange *x, uint32_t request);

/* login.c: what a step of an exchange needs to know from others. */

/* login_start - m: what is to be answered when all is known. next: what the
 * mechanism has come to. x may be gone when this returns. */
void login_start(struct authd *a, struct exchange *x, const struct ipc_msg *m,
    enum sasl_next next);

/* login_forget - its client has gone. */
void login_forget(struct login *l);

/* sender.c */
int on_sender_ask(void *arg, struct ipc_msg *m);

#endif
