/*
 * relay/relay.h - what the rooms of relay share: jobs from queued, the sessions
 * that carry them out, and where they go.
 */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include <sys/socket.h>

#include "lib/ipc/daemon.h"
#include "lib/mail/addr.h"
#include "lib/mail/dot.h"
#include "lib/net/conn.h"
#include "lib/net/tls.h"
#include "relay/known.h"
#include "relay/reply.h"

/* RFC 5321 section 4.5.3.1.8: every host takes so many at once. */
#define RELAY_RCPTS_MAX    100
/* A text in frames; queued sends bigger ones as a descriptor (IPC_JOB_BIG). */
#define RELAY_BODY_MAX     (1024u * 1024)
/* Jobs at once: queued's windows stay far below. */
#define RELAY_JOBS_MAX     10000
/* Letters over one connection: others want to be served by that host, too. */
#define SESSION_LETTERS    100
/* So many octets of the text are in memory of one session. */
#define SESSION_BLOCK      (64u * 1024)
/* Addresses and hosts of one route, as the resolver limits them. */
#define NEXTHOP_ADDRS_MAX  100
#define NEXTHOP_HOSTS_MAX  20
#define NEXTHOP_TLSA_MAX   2000 /* octets of one host's records */
/* A host that did not answer is asked last for so long. */
#define DEAD_S             60
#define DEAD_MAX           500
/* Of a reply with a few words of ours: queued keeps 2000 octets. */
#define RELAY_TEXT_MAX     1500
#define RELAY_HOST_TEXT    340 /* "host[address]:port" */

/* Seconds; RFC 5321 section 4.5.3.2, the connection by experience. */
struct relay_times {
	int64_t connect, greeting, command, handshake, data, block, dot, idle;
	int64_t quit;
	int64_t attempt; /* after so long no further address is tried */
};
extern const struct relay_times relay_times;

enum settled { NOT_YET, AGAIN /* in the next transaction */, SETTLED };

struct rcpt {
	uint32_t number;
	char *address;
	char *orcpt;             /* "type;address" decoded, or "" */
	uint8_t notify;          /* DSN_ */
	enum settled settled;
	bool sent;               /* RCPT went out in this transaction */
	bool accepted;           /* and was taken */
};

/* Where the letters of a job go, decided when the job came. */
struct nexthop {
	enum conf_via via;
	char host[256];          /* domain, smarthost or LMTP host */
	char path[256];          /* of a Unix socket */
	char refusal[256];
	uint16_t port;
	bool ipv6;
	uint32_t connections;    /* to one destination */
	enum conf_tls_out tls;
	bool dane;               /* TLSA records are asked for and heeded */
	char certificate[CONF_LABEL_MAX + 1]; /* ours, or "" */
	char key[700];           /* what a session may be used again for */
};

/* A mail host of the route, and what the DNS says of its TLS. */
struct mailhost {
	char name[256];
	uint16_t preference;
	uint8_t dane;            /* DANE_ */
	char base[256];          /* the name that its TLSA records belong to */
	struct span *tlsa;       /* ntlsa records, in octets */
	size_t ntlsa;
	char *octets;
};

struct address {
	struct sockaddr_storage ss;
	socklen_t len;
	uint8_t host;            /* its place in session.hosts */
};

struct job {
	struct job *next, **link;     /* of relay.jobs */
	struct job *next_waiting, **link_waiting; /* of relay.waiting */
	struct relay *relay;
	uint32_t number;         /* queued's */
	uint64_t qid, size;
	uint32_t flags;          /* JOB_F_ */
	int64_t arrival_s;
	unsigned attempt;
	char *from, *envid;
	struct nexthop hop;
	struct rcpt *rcpts;
	size_t nrcpts, nexpected;
	struct buf body;
	int big;                 /* the text's descriptor, or -1 */
	uint64_t octets;         /* of the text */
	bool complete;           /* IPC_JOB_END came */
	bool orphan;             /* its queued has gone: reported to the next */
	bool fresh_only;         /* an idle connection has just failed it */
	struct session *session; /* that works on it, or NULL */
};

/* States are bits, so that a check can name several. */
enum session_state {
	S_ROUTE    = 1 << 0, /* asks for addresses */
	S_CONNECT  = 1 << 1,
	S_GREETING = 1 << 2,
	S_EHLO     = 1 << 3,
	S_HELO     = 1 << 4,
	S_IDLE     = 1 << 5,
	S_ENVELOPE = 1 << 6, /* MAIL, RCPT, DATA */
	S_TEXT     = 1 << 7,
	S_DOT      = 1 << 8, /* the end of the text is out */
	S_RSET     = 1 << 9,
	S_QUIT     = 1 << 10,
	S_DEAD     = 1 << 11,
	S_STARTTLS = 1 << 12, /* said, and not yet answered */
	S_HANDSHAKE = 1 << 13
};

struct session {
	struct session *next, **link; /* of relay.sessions */
	struct relay *relay;
	struct nexthop hop;
	struct job *job;         /* or NULL: idle, or on its way out */
	enum session_state state;
	struct mailhost *hosts;
	size_t nhosts;
	struct address *addrs;
	size_t naddrs, at;
	int64_t began_ms;        /* of the attempt */
	struct channel *asked;   /* who works on our question */
	uint32_t request;
	struct conn conn;
	bool connected;          /* conn was opened */
	bool encrypted;          /* and its handshake is done */
	bool clear;              /* this host's failed: no STARTTLS now */
	char host[RELAY_HOST_TEXT];
	/* "TLSv1.3,verified": version, and what was asked of it; "none"; "" as
	 * long as that is open */
	char tls[IPC_TLS_MAX];
	struct caps caps;
	struct reply reply;
	unsigned letters;        /* carried so far */
	bool used_again;         /* this job found it idle */
	bool heard;              /* a reply has come since the job began */
	/* the transaction: commands are numbered 0 MAIL, 1.. RCPT, last DATA */
	struct rcpt **list;
	size_t nlist, sent, answered, accepted, dots;
	bool dirty;              /* needs RSET before the next letter */
	struct dot_stuff stuff;
	uint64_t offset;         /* octets of the text passed on */
	struct timer more;       /* the next block of it */
	struct timer idle;       /* QUIT when nothing comes */
	struct defer reap;
};

struct dead { struct sockaddr_storage ss; int64_t until_ms; };

struct relay {
	struct daemon daemon;
	const struct relay_times *times;
	struct job *jobs, *waiting, **waiting_last;
	struct session *sessions;
	size_t njobs, nsessions;
	struct dead dead[DEAD_MAX];
	size_t ndead;
	struct tls *tls;         /* NULL: before the start */
	struct known known;
	/* outcomes for a queued that is not there: kept until the next */
	struct buf reports;
	struct defer next;       /* pool_run */
	struct timer patience;   /* of an orderly stop */
	int waited_ms;
	uint64_t letters, deferred, failed, connections;
};

/* relay_init - in job.c, for tests as well: everything but the daemon. */
void relay_init(struct relay *r);

/* job.c: what queued wants. */
extern const struct ipc_handler relay_job_handlers[];
void job_up(void *arg, struct channel *ch);
void job_down(void *arg, struct channel *ch);
/* job_settle - one recipient's fate, told to queued once, who logs it; text is
 * cut at RELAY_TEXT_MAX. */
void job_settle(struct job *j, struct rcpt *r, uint8_t outcome,
    const char *enhanced, const char *text, const char *host);
/* job_settle_all - the same for all that are not yet settled. */
void job_settle_all(struct job *j, uint8_t outcome, const char *enhanced,
    const char *text, const char *host);
bool job_is_settled(const struct job *j);
/* job_end - every recipient is settled: IPC_JOB_DONE, and it is freed. */
void job_end(struct job *j);
void job_free(struct job *j);

/* pool.c: which session takes which job. */
void pool_take(struct job *j);
/* pool_next - a session is ready for another letter, or has gone: who waits?
 * pool_run - what it defers. */
void pool_next(struct relay *r);
void pool_run(void *arg);

/* nexthop.c */
void nexthop_set(struct nexthop *h, const struct conf *c, uint32_t route,
    const char *target);
/* nexthop_ask - fills s->hosts and s->addrs, then session_connect or
 * session_give_up. nexthop_clear - frees the two. */
void nexthop_ask(struct session *s);
void nexthop_clear(struct session *s);
/* nexthop_host - whose address is tried now; not for a Unix socket. */
const struct mailhost *nexthop_host(const struct session *s);

/* dead.c: who did not answer lately. */
void dead_add(struct relay *r, const struct address *a);
void dead_sort(struct relay *r, struct address *addrs, size_t n);

/* session.c: one connection from the route to QUIT. */
struct session *session_new(struct relay *r, struct job *j);
void session_use(struct session *s, struct job *j);
void session_connect(struct session *s);
void session_connected_fd(struct session *s, int fd);
/* session_enter - the only writer of state, and the one that sets deadlines. */
void session_enter(struct session *s, enum session_state to);
/* session_give_up - settles what is left of the job and ends the session. */
void session_give_up(struct session *s, uint8_t outcome, const char *enhanced,
    const char *text);
/* session_next - this host failed (text says how): the next one, if any. What
 * is past its final dot is not repeated. */
void session_next(struct session *s, const char *enhanced, const char *text);
/* session_protocol_error - the same; the host does not speak SMTP. */
void session_protocol_error(struct session *s, const char *what);
void session_ready(struct session *s); /* free for another letter */
/* session_hello - EHLO or LHLO: whatever the host said of itself is void. */
void session_hello(struct session *s);
/* session_again_in_clear - a new connection to the same address. */
void session_again_in_clear(struct session *s);
void session_quit(struct session *s);
void session_close(struct session *s);

/* secure.c: TLS. Of the program: */
void secure_file(void *arg, const char *name, int fd);
void secure_init(struct relay *r);
int secure_reload(void *arg, const struct conf *old);
/* secure_may_connect - false: the DNS forbids it, and it goes on elsewhere. */
bool secure_may_connect(struct session *s);
/* secure_greeted - EHLO was answered: STARTTLS, the letter, or another host. */
void secure_greeted(struct session *s);
void secure_reply(struct session *s); /* in S_STARTTLS */
/* The handshake is done, or what was to be one is over; error: of another
 * end than CONN_TLS, in words. */
void secure_done(void *arg);
void secure_failed(struct session *s, enum conn_end how, const char *error);

/* transaction.c: one letter over an open session. */
void transaction_begin(struct session *s);
/* s->reply is whole, in S_ENVELOPE, S_TEXT, S_DOT or S_RSET */
void transaction_reply(struct session *s);
/* transaction_lost - the connection went while a transaction was under way;
 * false: nothing final has been sent, another host may be tried. */
bool transaction_lost(struct session *s, const char *enhanced,
    const char *text);
void transaction_more(void *arg);

/* envelope.c: the commands of a transaction, and what a host must know */
void envelope_mail(struct session *s);
void envelope_rcpt(struct session *s, const struct rcpt *r);
/* envelope_check - settles recipients that this host cannot take. */
void envelope_check(struct session *s);

#endif
