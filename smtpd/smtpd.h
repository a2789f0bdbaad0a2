/*
 * smtpd/smtpd.h - what the rooms of smtpd share: the program, its sessions,
 * their transactions. All of it runs in one loop and one thread.
 */
#ifndef SMTPD_SMTPD_H
#define SMTPD_SMTPD_H

#include <netinet/in.h>

#include "lib/ipc/daemon.h"
#include "lib/log.h"
#include "lib/mail/addr.h"
#include "lib/mail/dot.h"
#include "lib/mail/header.h"
#include "lib/net/clients.h"
#include "lib/net/conn.h"
#include "lib/net/listener.h"
#include "lib/net/tls.h"

/*
 * Limits that no configuration changes, each with its reason.
 * A command line: 512 octets (RFC 5321 section 4.5.3.1.4) and what our
 * extensions add to MAIL and RCPT, the most of which is ORCPT's 500 (RFC 3461).
 */
#define SMTP_LINE_OCTETS     2048
#define SMTP_HELO_OCTETS     255      /* a domain or an address literal */
#define SMTP_MAILS_MAX       100000   /* transactions of a session: LIMITS */
#define SMTP_ASKS_MAX        100      /* recipients asked of authd at a time */
/* A line of an AUTH exchange, and AUTH itself (RFC 4954 section 4). */
#define SMTP_AUTH_TEXT       12288
#define SMTP_AUTH_OCTETS     (SMTP_AUTH_TEXT + 2)
/* Failed logins of one session: RFC 4954 section 4 wants three at least. */
#define SMTP_AUTH_TRIES      5
/* Who wrote a letter: more From addresses are nobody's letter, and what has no
 * room is not read in part. */
#define SMTP_FROM_ADDRESSES  32
#define SMTP_FROM_OCTETS     16384
/* A refused text is eaten, so that the client reads the reply; up to this many
 * octets past the size limit, then the connection ends. */
#define SMTP_EAT_OCTETS      (64u << 20)

/* Deadlines of RFC 5321 section 4.5.3.2, in seconds. */
#define SMTP_COMMAND_S       300      /* 4.5.3.2.7: the next command */
#define SMTP_DATA_S          180      /* 4.5.3.2.5: a block of the text ... */
#define SMTP_DATA_BLOCK      16384    /* ... which for us is so many octets */
#define SMTP_ANSWER_S        540      /* a client waits 10 minutes for 250 */
#define SMTP_ASK_MS          30000    /* authd about an address */
#define SMTP_AUTH_MS         90000    /* authd: slow hashes, guessers wait */
#define SMTP_FINISH_S        5        /* for the last reply to leave */

/* When a listener is full, who has said nothing for so long makes room. */
#define SMTP_IDLE_MS         10000

enum session_state {
	S_START    = 1 << 0,  /* before the banner: who is the local user? */
	S_NEW      = 1 << 1,  /* greeted by us, not yet by the client */
	S_GREETED  = 1 << 2,
	S_MAIL     = 1 << 3,  /* a reverse-path, no recipient taken yet */
	S_RCPT     = 1 << 4,
	S_DATA     = 1 << 5,  /* text up to the final dot */
	S_CHUNK    = 1 << 6,  /* octets of a BDAT chunk */
	S_CHUNKED  = 1 << 7,  /* between two chunks */
	S_COMMIT   = 1 << 8,  /* the text is complete, queued decides */
	S_CLOSING  = 1 << 9,  /* the last reply is on its way */
	S_TLS      = 1 << 10, /* a handshake is under way: nothing can be said */
	S_AUTH     = 1 << 11, /* lines are responses to challenges */
};

/* Any state in which a command may come. */
#define S_ANY (S_NEW | S_GREETED | S_MAIL | S_RCPT | S_CHUNKED)

/* A verdict with its words: what the client reads. Text is printable. */
struct verdict {
	unsigned code;           /* 0: none yet */
	char enhanced[12];
	char text[404]; /* a "deny" text of 400 */
};

/*
 * One RCPT and its fate. Replies go out in the order of the commands, answers
 * come from authd as they are ready: a RCPT that is not answered at once waits
 * in the transaction's list, and those behind it with it.
 */
struct rcpt {
	struct rcpt *next;
	struct session *session; /* borrows */
	uint32_t request;        /* to authd; 0: none under way */
	uint8_t notify;          /* DSN_ bits; 0: not said */
	uint64_t hash;           /* of the canonical address */
	struct verdict verdict;  /* code 0: not answered yet */
	char *orcpt;             /* owns: "type;address" decoded, or NULL */
	char path[ADDR_TEXT];    /* local@domain as it was written */
};

struct rcpts { struct rcpt *first, **last; };

/*
 * Who wrote a submission, by its From fields: read as they pass, each address
 * asked about while the text streams on.
 */
struct author {
	struct author_ask {
		struct tx *tx;       /* borrows */
		uint32_t request;    /* 0: answered */
		char *address;       /* owns */
	} asks[SMTP_FROM_ADDRESSES];
	unsigned nasks, due;     /* of them, without an answer yet */
	unsigned addresses;      /* of all From fields */
	bool another;            /* one of them is not the account's name */
	bool gathering;          /* the field at hand is From */
	struct buf field;        /* owns: its octets, name included */
};

/* From MAIL to the end of the text. */
struct tx {
	struct session *session; /* borrows; NULL: gone, only queued's word is
	                          * waited for */
	struct smtpd *smtpd;     /* borrows */
	struct tx *hash_next;    /* in smtpd.txs, while queued knows of it */
	uint32_t number;         /* what queued calls it; 0: not begun there */
	uint64_t qid;
	char from[ADDR_TEXT];
	char *envid;             /* owns; or NULL */
	uint32_t flags;          /* TX_F_ */
	uint64_t declared;       /* SIZE=, 0: not said */
	struct rcpts taken;      /* owns: those that got 250 */
	struct rcpts waiting;    /* owns: those without a reply yet */
	unsigned ntaken, nwaiting; /* the one being judged waits, too */
	bool refused;            /* a RCPT was: for what DATA says without any */

	uint32_t sender_request; /* to authd, about from; 0: none under way */
	bool granted;            /* from is another's, and may be used */
	struct author author;

	struct dot_scan dot;
	struct header_scan header; /* as it passes */
	time_t arrival_s;        /* realtime: in Received and Date */
	uint64_t size;           /* octets of the text, dots taken off */
	uint64_t sent;           /* octets given to queued */
	int64_t window;          /* how many more it takes now */
	bool window_wait;        /* reading pauses until queued takes more */
	bool begun;              /* the text has begun */
	bool ended;              /* the text is complete, the author asked for */
	bool committed;          /* queued knows that it is complete */
	bool logged;             /* an event has told its end */
	struct verdict failed;   /* why the rest of the text is only eaten */
};

struct session {
	struct smtpd *smtpd;     /* borrows */
	struct smtpd_listener *from; /* borrows: where it came in */
	const struct conf_listen *listen; /* borrows from the configuration */
	struct conn conn;
	struct defer bury;       /* frees it when nothing runs in it any more */
	enum session_state state;
	uint64_t sid;
	struct client *client;   /* borrows: counted in smtpd.clients */
	struct in6_addr addr;
	uint16_t port;
	bool tls;                /* encrypted from here on */
	char *helo;              /* owns; NULL before HELO */
	bool esmtp;
	struct auth {
		uint32_t exchange;   /* with authd; 0: none */
		uint32_t request;    /* to authd; 0: it is the client's turn */
		unsigned failed;     /* logins */
	} auth;
	bool idle_listed;
	unsigned errors, junk, mails;
	uint64_t progress;       /* octets since the deadline was set */
	int64_t active_ms;       /* last command, boottime clock */
	struct session *idle_prev, *idle_next; /* in its listener's list */
	struct session *all_prev, *all_next;   /* in smtpd.sessions */
	struct tx *tx;           /* owns */
	uint64_t chunk;          /* octets of a BDAT chunk, still to come */
	bool chunk_last;
	enum session_state chunk_from; /* the state that BDAT came in */
	struct buf held;         /* a command that waits for authd */
	/* Who it is: on submit.sock the kernel says so, on a submission port
	 * authd. NULL: nobody has said so. */
	char *account;           /* owns */
	/* submit.sock */
	uint32_t uid, uid_request;
	char *address;           /* owns: account@domain */
};

/* A run of qids granted by queued. */
struct qids { uint64_t next; uint32_t left; };

#define SMTPD_LISTENERS_MAX 512 /* 100 statements, some with addresses */
#define SMTPD_TX_BUCKETS    1024

struct smtpd {
	struct daemon daemon;
	struct loop *loop;       /* borrows */
	const struct conf *conf; /* borrows */
	struct channel *authd, *queued; /* borrow */
	struct smtpd_listener {
		struct listener listener;
		struct smtpd *smtpd;
		const struct conf_listen *conf;
		int fd;          /* until accepting begins; -1 then */
		unsigned index;  /* in conf.listens */
		enum conf_kind kind;
		unsigned open;   /* sessions of it */
		struct session *idle_first, *idle_last; /* longest first */
	} listeners[SMTPD_LISTENERS_MAX];
	size_t nlisteners;
	struct clients clients;
	struct session *sessions;            /* all of them */
	unsigned nsessions;
	struct tx *txs[SMTPD_TX_BUCKETS];    /* by number */
	unsigned ntxs;
	uint32_t next_tx;
	struct tls *tls;         /* owns; NULL before the start */
	uint8_t offer;           /* OFFER_: what authd can do for all accounts */
	uint32_t next_exchange;
	struct ipc_writer body;  /* an open frame of text */
	size_t body_octets;      /* in it; 0: none is open */
	struct qids qids[2];     /* in use, and the block to follow */
	bool qids_asked;
	uint64_t next_sid;
	bool listening, draining;
	struct timer stop_timer;
	struct timer patience;   /* of the listeners, with a queued away */
	struct conf_listen submit; /* submit.sock: in no configuration */
	uint64_t n_connections, n_refused, n_messages, n_rcpt_refused,
	    n_msg_refused, n_logins; /* for `barid status` */
};

/* -- listen.c -------------------------------------------------------------- */

/* smtpd_init - the state of a worker, before its first session. */
void smtpd_init(struct smtpd *d, struct loop *loop, const struct conf *conf,
    struct channel *authd, struct channel *queued);

/* listeners_add - a descriptor from master, kept until listeners_start. */
void listeners_add(void *arg, unsigned index, enum conf_kind kind, int fd);
/* listeners_start - takes clients from now on; called again, does nothing.
 * listeners_wait - does so by itself after some seconds: clients who come before
 * queued is there would all be told to come again. */
void listeners_start(struct smtpd *d);
void listeners_wait(struct smtpd *d);

/* listeners_drain - no more clients; sessions end when they can. */
void listeners_drain(struct smtpd *d);

/* smtpd_drained - the last session of an old generation has gone. */
void smtpd_drained(struct smtpd *d);

/* -- session.c ------------------------------------------------------------- */

/*
 * session_open - a client is there: limits and refusals are judged, the banner
 * goes out. fd is ours from now on. peer is a Unix address on submit.sock.
 */
void session_open(struct smtpd_listener *l, int fd,
    const struct sockaddr_storage *peer);

/* session_close - every way out meets here. The memory is freed only when the
 * loop comes round. */
void session_close(struct session *s);

/* session_forget - all that the client has said or been told: after a
 * handshake it is void (RFC 3207 section 4.2). */
void session_forget(struct session *s);

/* session_lines - from here on commands, as long as they may be just now. */
void session_lines(struct session *s);

/* session_end - a last reply, then close: 421 and the like. Input is over.
 * Nothing is said where it would be in clear and the client expects TLS. */
void session_end(struct session *s, unsigned code, const char *enhanced,
    const char *text);

/* session_refuse - the same, and the log tells of it. */
void session_refuse(struct session *s, unsigned code, const char *enhanced,
    const char *text);

/* session_enter - the only writer of s->state and of its deadline. */
void session_enter(struct session *s, enum session_state to);

/* session_greet - the banner. */
void session_greet(struct session *s);

/* session_drain_all - this generation ends: idle ones now, others soon. */
void session_drain_all(struct smtpd *d);

/* session_ip - "192.0.2.1", "2001:db8::1"; "" for local users. */
const char *session_ip(const struct session *s, char *out, size_t size);

/* session_client_text - "192.0.2.1:4711", "local uid 1000". */
const char *session_client_text(const struct session *s, char *out,
    size_t size);

/*
 * reply - one reply, "250 2.1.0 text". A 5xx counts as an error, and the
 * session is ended when there are too many (S_CLOSING). reply_junk is for what
 * is no command: counted on its own.
 */
void reply(struct session *s, unsigned code, const char *enhanced,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void reply_junk(struct session *s, const char *enhanced, const char *text);

/* session_part - ends it if this worker drains and no letter is under way. */
void session_part(struct session *s);

/* session_event - begins an event with the session's id and client. */
void session_event(struct session *s, struct event_out *e,
    enum event_code code);

/* session_settled - an answer has gone out that input had to wait for. */
void session_settled(struct session *s);

/* -- command.c ------------------------------------------------------------- */

/* command_line - a line of the client's, as the connection hands it on. */
void command_line(struct session *s, struct span line, enum conn_eol eol);

void command_line_long(struct session *s);

/* command_resume - what was held back while authd was asked. */
void command_resume(struct session *s);

/* -- secure.c -------------------------------------------------------------- */

/* secure_file - a certificate from master. */
void secure_file(void *arg, const char *name, int fd);

/* secure_init - for a worker that starts. */
void secure_init(struct smtpd *d);

/* secure_start - the handshake; what is written before leaves in clear. */
void secure_start(struct session *s);

/* secure_done, secure_failed - how it went. */
void secure_done(struct session *s);
void secure_failed(struct session *s, enum conn_end how);

/* secure_offered - may this client say STARTTLS? */
bool secure_offered(const struct session *s);

/* secure_wanted - must it, before a letter or a login? */
bool secure_wanted(const struct session *s);

/* secure_silent - is TLS expected, and not there: nothing can be said? */
bool secure_silent(const struct session *s);

/* secure_text - "TLSv1.3 TLS_AES_256_GCM_SHA384"; "" in clear. */
#define SECURE_TEXT (IPC_TLS_MAX + 1)
const char *secure_text(const struct session *s, char out[SECURE_TEXT]);

void cmd_starttls(struct session *s, struct span arg);

/* -- auth.c ---------------------------------------------------------------- */

/* auth_offer - adds what EHLO says of logins, with CRLF, or nothing. */
void auth_offer(struct session *s);

/* auth_possible - may this session log in now? */
bool auth_possible(const struct session *s);

void cmd_auth(struct session *s, struct span arg);

/* auth_line - a response of the client; auth_line_long - one too long. */
void auth_line(struct session *s, struct span line);
void auth_line_long(struct session *s);

/* auth_challenge, auth_answer - authd's word. */
void auth_challenge(struct session *s, struct span challenge);
void auth_answer(struct session *s, uint8_t status, struct span account);

/* auth_cancel - the session ends, or forgets: authd is told. */
void auth_cancel(struct session *s);

/* -- envelope.c ------------------------------------------------------------ */

void cmd_mail(struct session *s, struct span arg);
void cmd_rcpt(struct session *s, struct span arg);

/* rcpt_answer - authd has spoken: r->verdict is set, due replies go out. */
void rcpt_answer(struct rcpt *r);

/* sender_answer - may the account use this reverse-path? SENDER_ */
void sender_answer(struct tx *tx, uint8_t status);

/* tx_free - with all it owns; queued is told if it still gathers. */
void tx_free(struct tx *tx);

/* tx_end - back to S_GREETED without a transaction: RSET, EHLO, done. */
void tx_end(struct session *s);

/* -- data.c ---------------------------------------------------------------- */

void cmd_data(struct session *s, struct span arg);
void cmd_bdat(struct session *s, struct span arg);
size_t data_octets(struct session *s, struct span in);

/* data_fail - from here on the text is only eaten; the reply waits for its end.
 * Only the first reason counts. */
void data_fail(struct tx *tx, unsigned code, const char *enhanced,
    const char *text);

/* data_resume - what the end of a text had to wait for is known. */
void data_resume(struct tx *tx);

/* data_window - queued takes more: reading goes on. */
void data_window(struct tx *tx);

/* data_done - queued's last word on this text. Before its end it is a refusal,
 * and the rest is only eaten; after it, the reply. */
void data_done(struct tx *tx, const struct verdict *v);

/* -- author.c -------------------------------------------------------------- */

/* author_keep - a field of that name begins; false: it does not go on. */
bool author_keep(struct tx *tx, struct span name);
/* author_text - octets of the field that is kept. */
void author_text(struct tx *tx, struct span text);
/* author_end - behind the last field: adds From and Sender if they are due. */
void author_end(struct tx *tx, struct buf *lines);

/* author_answer - may the account write as this? SENDER_ */
void author_answer(struct author_ask *ask, uint8_t status);

/* author_clear - frees, and waits for no answer any more. */
void author_clear(struct tx *tx);

/* -- policy.c -------------------------------------------------------------- */

/* policy_connect - may this client speak to this listener? Else v is filled. */
bool policy_connect(const struct conf_listen *l, const struct in6_addr *a,
    struct verdict *v);

/* policy_sender - "deny sender". */
bool policy_sender(const struct conf_listen *l, struct span from,
    struct verdict *v);

/* policy_rcpt - a device may write to the named domains alone. */
bool policy_rcpt(const struct conf_listen *l, struct span domain,
    struct verdict *v);

/* verdict_set - fills v; the text is cut to fit and made printable. */
void verdict_set(struct verdict *v, unsigned code, const char *enhanced,
    struct span text);

/* -- ask.c ----------------------------------------------------------------- */

extern const struct ipc_handler ask_handlers[];

void ask_rcpt(struct session *s, struct rcpt *r, const struct addr *a);
void ask_uid(struct session *s);

/*
 * ask_auth - begins a login; ask_auth_step goes on with it. response.p NULL:
 * there is none. Returns 0, and auth_challenge or auth_answer follows, never
 * from within; or -1: longer than anything that authd knows.
 */
int ask_auth(struct session *s, const char *mechanism, struct span response);
int ask_auth_step(struct session *s, struct span response);
void ask_auth_abort(struct session *s);

/* ask_sender - about the reverse-path; sender_answer follows.
 * ask_author - about one of its From addresses; author_answer follows. */
void ask_sender(struct tx *tx);
void ask_author(struct author_ask *ask, const char *address);

/* -- peers.c --------------------------------------------------------------- */

extern const struct daemon_peer smtpd_peers[];

/*
 * peer_tx_begin - a qid, and the envelope goes to queued. Returns 0, or -1:
 * queued is away or gave no more ids (451 4.3.0).
 */
int peer_tx_begin(struct tx *tx);
/* Octets gather in one frame until it is full or ended. Nothing else may be
 * said to queued in between. */
void peer_tx_body(struct tx *tx, struct span octets);
void peer_tx_body_end(struct tx *tx);
void peer_tx_commit(struct tx *tx);
void peer_tx_abort(struct tx *tx);

#endif
