/*
 * deliver/router.h - deliver itself: jobs from queued on one side, a child per
 * user on the other. It opens no mailbox and reads no letter.
 */
#ifndef DELIVER_ROUTER_H
#define DELIVER_ROUTER_H

#include "deliver/job.h"
#include "deliver/locks.h"
#include "lib/hash.h"
#include "lib/ipc/daemon.h"

/* A child that had nothing to do for so long is sent home. */
#define CHILD_IDLE_MS     60000
/* While others wait for a place, a child that is never idle yields after: */
#define CHILD_TURN_MS     5000
/* "as USER" or not: how long master's word about that is believed. */
#define ACCOUNT_KNOWN_MS  60000
/* authd and NSS behind master may take their time. */
#define CHILD_ASK_MS      60000
/* Master may have to start another program first: asked again so long. */
#define CHILD_PATIENCE_MS 15000
/* Jobs of an earlier queued are waited for; master kills us after 30 s. */
#define REPORT_WAIT_MS    20000
/* At the end what is being written may come to an end. */
#define STOP_WAIT_MS      5000
/* Bodies that a child holds as descriptors, of its 256 (privsep/roles.c). */
#define CHILD_BIGS_MAX    64
/* Jobs at once: far beyond what queued gives, so more is a fault of its. */
#define JOBS_MAX          20000

struct router;
struct user;

/* A job: gathered until it is whole, then given to the user's child. */
struct job {
	struct hash_node in;   /* by queued's number, while queued waits for it */
	struct hash_node out;  /* by our number */
	struct router *r;
	struct user *user;     /* NULL while it is being gathered */
	struct job *next, **at; /* among the user's */
	uint32_t session, id;  /* queued's number and ours */
	uint64_t qid;
	uint32_t number;       /* of the recipient */
	uint8_t kind;          /* FINAL_ */
	bool sent;             /* the child has it: it will come to an end */
	bool told;             /* its outcome has been told */
	bool again;            /* a child died with it: this is the second */
	bool orphan;           /* the queued that gave it is gone */
	bool big;
	int fd;                /* the body, when big */
	struct buf begin, body;
};

enum user_state {
	USER_NEW,     /* nothing asked yet, or the child has gone */
	USER_WAITING, /* all places are taken */
	USER_ASKING,  /* master has been asked */
	USER_REFUSED, /* and could not: asked again soon */
	USER_UP,      /* the child is there */
	USER_PLAIN    /* no account of an "as USER" table: see the plain one */
};

/* A user as a program account ("as USER") and the same as the owner of a
 * mailbox are two, and have a child each. */
struct user {
	struct hash_node node; /* by name and flags */
	struct router *r;
	enum user_state state;
	uint8_t flags;         /* CHILD_F_COMMANDS or 0 */
	bool yields;           /* gets no new jobs: others wait for its place */
	char *name;
	uint32_t request;      /* at master */
	struct channel ch;
	struct lock lock;
	struct job *first, **last; /* its jobs, in order */
	unsigned njobs, nsent, nbig; /* big: of those sent */
	int64_t since_ms;      /* of its state */
	int64_t refused_ms;    /* when master first could not, 0: it could */
	struct user *idle_next, **idle_at; /* least recently used first */
	struct user *wait_next;
};

/* A pop3d -u: nothing but its lock. */
struct lock_peer {
	struct channel ch;
	struct lock lock;
};

/* What an earlier queued has still to be told. */
struct report {
	struct report *next;
	uint64_t qid;
	struct outcome o;      /* its spans lie in text */
	char text[STATUS_MAX + REPLY_MAX];
};

struct router {
	struct daemon d;
	struct loop *loop;     /* these three are borrowed, of d or a test's */
	struct channel *master, *queued;
	void (*finished)(struct router *r); /* after router_stop */
	unsigned places_max;   /* children at once */
	struct locks locks;
	struct hash users, jobs_in, jobs_out;
	struct user *idle_first, **idle_last;
	struct user *wait_first, **wait_last;
	unsigned njobs, orphans, places; /* taken */
	uint32_t next_id;
	struct report *reports, **reports_last;
	bool reported;
	bool stopping;
	struct timer report_wait, tick;
	struct defer balance;
	/* numbers for barid status */
	uint64_t delivered, deferred, failed, forwarded, forks;
};

/* router.c */
void router_init(struct router *r, struct loop *loop, int dir);
extern const struct ipc_handler queued_handlers[];
void queued_up(void *arg, struct channel *ch);
void queued_down(void *arg, struct channel *ch);
/* router_stop - no more jobs; finished() once the children have ended theirs,
 * or after STOP_WAIT_MS. Removes the lock files. */
void router_stop(struct router *r);

/* job_settle - tells queued (or the next one) how it ended; frees the job. */
void job_settle(struct job *j, uint8_t what, const char *status,
    const char *reply);
/* the parts of it: what the child said, and that it was all */
void job_tell(struct job *j, const struct outcome *o);
void job_done(struct job *j);

/* children.c */
void user_add_job(struct router *r, struct job *j, struct span name);
void user_drop_job(struct job *j);
void user_end(struct user *u);
void children_balance(void *arg);
void children_tick(struct router *r);
void children_end_orphans(struct router *r);

/* peers.c */
extern const struct ipc_handler child_handlers[], lock_handlers[];
int on_lock_peer(void *arg, struct ipc_msg *m);

#endif
