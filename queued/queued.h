/*
 * queued/queued.h - what the rooms of the queue manager share: letters being
 * taken in, letters in the active window, destinations, jobs under way.
 */
#ifndef QUEUED_QUEUED_H
#define QUEUED_QUEUED_H

#include "lib/hash.h"
#include "lib/ipc/daemon.h"
#include "queued/letter.h"
#include "queued/limits.h"
#include "queued/qidset.h"
#include "queued/spool.h"

/* Letters whose fate is being decided right now; all others wait on disk. */
#define ACTIVE_MAX      5000
/* Below so many active letters the next due ones are fetched. */
#define ACTIVE_LOW      4000
/* Attempts that a mailbox's child may have before it: one batch, one sync. */
#define LOCAL_WINDOW    256
/* All jobs at a worker, and their octets: what it holds in memory. */
#define WORKER_JOBS     2000
#define WORKER_OCTETS   (32u << 20)
#define RELAY_RCPTS     100 /* of one transaction, RFC 5321 section 4.5.3.1.8 */
#define WINDOW_START    5   /* letters at once to a host not yet known */
/* Waiting for one destination; more of them stay on disk, so that a slow host
 * leaves room in the window for letters to others. */
#define DEST_WAITING_MAX 1000
/* ... but a sender with few there is let in beside one with many. */
#define ACCOUNT_FEW 20
/* So many attempts in a row that met nobody speak for all that wait. */
#define DEST_UNREACHED_MAX 5

/* A kind beyond those of types.h: a mailbox whose .forward has been asked. */
#define FINAL_MAILBOX_OWN 6
/* A recipient's flag beside RCPT_WARNED: an attempt may have been cut off. */
#define RCPT_CHECK (1 << 1)
/* The last attempt was relay's: for the list of what waits. */
#define RCPT_REMOTE (1 << 2)
/* Of an outcome: the host it went to has the request for a report (RFC 3461
 * section 5.2.1), so that none is ours to make. */
#define RCPT_PASSED (1 << 2)

struct queued;
struct dest;

/* A letter in the active window. */
struct active {
	struct hash_node node;  /* by qid */
	struct queued *q;
	struct letter *l;
	unsigned expanding;     /* questions at authd */
	unsigned tasks;         /* attempts waiting or under way */
	unsigned writes;        /* records that must be durable first */
	uint8_t *busy;          /* by recipient number: in one of those */
	size_t nbusy;
};

/* One attempt: a letter and those of its recipients that go the same way. */
struct task {
	struct task *next;
	struct active *a;
	struct dest *dest;
	uint32_t *numbers;
	struct outcome_told {
		uint8_t what;   /* OUTCOME_, 0: not told */
		char *status, *reply, *host, *tls;
		struct final *finals; /* OUTCOME_FORWARDED */
		size_t nfinals;
	} *told;                /* beside numbers */
	size_t n;
	struct worker *worker;  /* NULL: waiting */
	struct hash_node node;  /* by job number, while under way */
	uint32_t octets;        /* held against WORKER_OCTETS */
};

/* Letters of one sender account, waiting for a destination. */
struct lane_account {
	struct hash_node node;  /* by account hash */
	struct lane_account *next; /* round-robin */
	unsigned waiting;
	struct task *first, **last;
};

/* Two lanes: fresh mail, and retries and bounces, which yield to it. */
struct lane {
	struct hash accounts;
	struct lane_account *first, **last;
};

struct dest {
	struct hash_node node;  /* by hash of kind and name */
	struct dest *next;      /* ring of those that may start something */
	bool ready;             /* in the ring */
	bool starting;
	bool local;
	char *name;             /* the user, or route number and next hop */
	char *nexthop;          /* relay: domain or host */
	uint32_t route;         /* relay: number in conf.routes or ~0 */
	struct lane lanes[2];
	unsigned waiting, running, window, window_max;
	unsigned unreached;     /* attempts in a row that met nobody */
	bool crowded;           /* more of its letters wait on disk */
	unsigned turn;          /* fresh mail served since the last retry */
};

/* deliver, or one relay process. */
struct worker {
	struct worker *next;
	struct queued *q;
	struct channel *ch;
	bool relay;
	bool ready;             /* has said IPC_JOB_REPORTED, or took too long */
	bool reported;          /* has said it */
	bool hung;              /* has not, and master was asked to end it */
	unsigned jobs;
	uint64_t octets;
	struct timer patience;  /* for IPC_JOB_REPORTED */
};

struct queued {
	struct daemon d;
	int rootfd;
	struct spool *spool;
	struct hash txs;        /* intake.c */
	struct limits limits;   /* what accounts have sent */
	struct hash actives;
	struct hash dests;
	struct hash jobs;
	struct dest *ring, **ring_last;
	struct worker *workers;
	struct defer dispatch;
	struct timer scan;
	bool scanning, scan_again;
	bool scan_asked;        /* a pass from the start is wanted */
	bool crowded;           /* the scan met more than a destination holds */
	struct qidset left;     /* left the window while a scan was under way */
	int64_t scan_s;         /* where the scan goes on */
	uint64_t scan_qid;
	uint32_t next_job;
	unsigned closing;       /* records that must be durable before the end */
	bool stopping;
	int64_t close_until_ms; /* then the end comes whoever still talks */
	int64_t base_real_s, base_boot_s; /* queue_now() */
	bool clock_told;
	/* numbers for barid status */
	uint64_t accepted, held, refused, delivered, relayed, deferred, failed,
	    expired, dsns;
};

/* intake.c: smtpd's transactions */
extern const struct ipc_handler intake_handlers[];
void intake_up(void *arg, struct channel *ch);
void intake_down(void *arg, struct channel *ch);
/* the end is near: what is not committed is forgotten */
void intake_close(struct queued *q);

/* active.c: the window. The letter becomes the window's. */
void active_add(struct queued *q, struct letter *l);
/* the same, whatever the room, and nothing is started yet */
struct active *active_hold(struct queued *q, struct letter *l);
struct active *active_find(struct queued *q, uint64_t qid);
/* starts what is due; lets the letter go when nothing of it is */
void active_schedule(struct active *a);
/* the letter's recipient is in an attempt, a question or a write (or not) */
void active_busy(struct active *a, uint32_t number, bool busy);
bool active_is_busy(const struct active *a, uint32_t number);
void active_scan(void *arg);
/* what a restart of the scan is good for: letters were made due */
void active_scan_soon(struct queued *q);
size_t active_room(const struct queued *q);
void active_moved(void *arg, uint64_t qid, struct place place);

/* expand.c: authd turns recipients into final ones */
extern const struct ipc_handler authd_handlers[];
void expand_ask(struct active *a, struct rcpt *r);
/* writes finals in place of recipient parent, then goes on with them */
void expand_write(struct active *a, uint32_t parent, struct final *finals,
    size_t n);
/* reads the finals of a message body; -1 when malformed */
int finals_get(struct ipc_reader *rd, struct final **list, size_t *n);
void finals_free(struct final *list, size_t n);

/* dest.c: where letters wait for their turn */
void dest_add_local(struct active *a, struct rcpt *r);
void dest_add_remote(struct active *a, struct rcpt **list, size_t n,
    uint32_t route, const char *nexthop, unsigned connections);
void dest_dispatch(void *arg);
/* the configuration is new: what waits for a host is routed anew */
void dest_reroute(struct queued *q);
void dest_task_over(struct task *t, bool reached);
/* the host of t could not be reached once too often: what waits for it is
 * deferred as t was */
void dest_give_up(struct dest *d, struct queued *q,
    const struct outcome_told *why);
void task_free(struct task *t);

/* jobs.c: deliver and relay */
extern const struct ipc_handler deliver_handlers[], relay_handlers[];
void worker_up(void *arg, struct channel *ch);
void worker_down(void *arg, struct channel *ch);
/* a worker that can take this destination's job now, or NULL */
struct worker *worker_for(struct queued *q, const struct dest *d);
/* sends the attempt; -1: the letter's text cannot be read */
int job_send(struct queued *q, struct worker *w, struct task *t);

/* settle.c: from outcomes to records, retries and the end of a letter */
void settle_task(struct task *t);
void settle_report(struct queued *q, uint64_t qid, const struct outcome *o,
    bool remote);
/* recipients that fail without an attempt (no route, unknown now) */
void settle_fail(struct active *a, struct rcpt *r, const char *status,
    const char *reply);
/* away: who would know is being restarted, so it is asked again soon */
void settle_defer(struct active *a, struct rcpt *r, const char *status,
    const char *reply, bool away);
/* the last recipient is settled: the letter is no longer ours */
void settle_end(struct active *a);

/* bounce.c: writes outcomes that are not yet in the letter, with the DSNs that
 * its sender is to get about them */
void bounce_write(struct active *a, const struct outcome *outcomes, size_t n);

/* now.c: seconds since 1970 as the queue counts them: a jump of the wall
 * clock by more than an hour makes no letter due or expired */
int64_t queue_now(struct queued *q);

/* command.c: the admin's verbs */
extern const struct ipc_handler ctl_handlers[];
void command_down(void *arg, struct channel *ch);

/* The recipient as it stood in the envelope: what it was expanded from. */
const struct rcpt *rcpt_origin(const struct letter *l, const struct rcpt *r);

#endif
