/*
 * lib/ipc/types.h - every message between programs, and the contract that each
 * must fit: who may say what to whom, how long, with a descriptor or without.
 * The bodies are described here, field by field, in the order on the wire:
 * u8 u16 u32 u64 little-endian; str = u32 length and octets.
 */
#ifndef LIB_IPC_TYPES_H
#define LIB_IPC_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/privsep/roles.h"

#define IPC_VERSION   1
#define IPC_HEAD      16
#define IPC_FRAME_MAX 65536               /* header included */
#define IPC_BODY_MAX  (IPC_FRAME_MAX - IPC_HEAD)
#define IPC_CHUNK     32768               /* message octets in one body frame */
#define IPC_WINDOW    (256 * 1024)        /* body octets in flight, per tx/job */
#define IPC_PATH_MAX  1024                /* an address with all its quoting */
#define IPC_TEXT_MAX  2048                /* a reply text */
#define IPC_SASL_MAX  3072                /* one message of a SASL exchange: the
                                           * longest name and password, twice */
#define IPC_TLS_MAX   64                  /* how a connection was encrypted */
#define IPC_NO_ACCOUNT "no such account"  /* a complaint of IPC_CHILD */

enum ipc_type {
	IPC_NONE,

	/* master - all */
	IPC_HELLO,        /* to master: u16 version, u8 role, u16 0, str package */
	IPC_WELCOME,      /* from master: u16 version, u8 role, u16 instance, str
	                   * package; other versions end here */
	IPC_CONF,         /* u8 last, str text: pieces of the configuration */
	IPC_CONF_DONE,    /* reply: u8 ok, str complaint */
	IPC_IDENTITY,     /* u32 uid, u32 gid, u8 none, str root, u8 test,
	                   * u8 log instead of end, u8 newest Landlock ABI */
	IPC_PEER,         /* u8 role, u16 instance; fd: a channel end */
	IPC_LISTENER,     /* u16 index in conf.listens, u8 kind; fd */
	IPC_FILE,         /* str name as in the configuration; fd read-only */
	IPC_START,        /* - : everything has been handed out */
	IPC_DRAIN,        /* - : accept no more, finish, then exit */
	IPC_STOP,         /* - : stop in order, soon */
	IPC_STATUS_ASK,   /* - */
	IPC_STATUS,       /* reply: u16 n, n x { str key, u64 value } */

	/* both ways between programs, first of all; see credit.h */
	IPC_CREDITS,      /* u32 requests that the other may have open */

	/* all - logd */
	IPC_EVENT,        /* u64 time_us, u16 code, u64 qid, u64 sid, fields */

	/* smtpd - authd */
	IPC_RCPT_ASK,     /* u8 flags RCPT_F_, str local, str domain, str from */
	IPC_RCPT_ANSWER,  /* u8 verdict RCPT_, str enhanced, str text */
	IPC_UID_ASK,      /* u32 uid */
	IPC_UID_ANSWER,   /* u8 found, str name, str address, str gecos */

	/* smtpd - queued; session id = the sender's transaction number */
	IPC_QID_GRANT,    /* u64 first, u32 count: to be used in rising order */
	IPC_QID_ASK,      /* - : another block please */
	IPC_TX_BEGIN,     /* u64 qid, u64 sid, u32 flags TX_F_, u64 size or 0,
	                   * str reverse-path, str account, str client, str tls
	                   * ("" in clear), str envid */
	IPC_TX_RCPT,      /* str forward-path, u8 notify DSN_, str orcpt */
	IPC_TX_BODY,      /* octets, CRLF lines */
	IPC_TX_WINDOW,    /* u32 octets taken: may send so many more */
	IPC_TX_COMMIT,    /* u64 octets in all, str message-id */
	IPC_TX_DONE,      /* u16 SMTP code, str enhanced, str text; ends the tx */
	IPC_TX_ABORT,     /* - : forget it */

	/* smtpd - resolver */
	IPC_DNS_ASK,      /* u16 rrtype, str name */
	IPC_DNS_ANSWER,   /* u8 status DNS_, u8 secure, u16 n, n x str rdata:
	                   * A, AAAA raw; TXT joined; PTR, CNAME, MX ("pref name")
	                   * as text; TLSA raw rdata */

	/* queued - authd */
	IPC_EXPAND_ASK,   /* u8 depth, str address (local@domain), str from,
	                   * u8 flags EXPAND_F_ */
	IPC_EXPAND_MORE,  /* reply piece: u16 n, n x final (see FINAL_) */
	IPC_EXPAND_END,   /* reply: u8 status EXPAND_, str enhanced, str text;
	                   * EXPAND_OK: text is the list's owner, who becomes
	                   * the reverse-path, or "" */

	/* queued - deliver, queued - relay, deliver - deliver -u;
	 * session id = the sender's job number */
	IPC_JOB_BEGIN,    /* u64 qid, u8 kind FINAL_, u32 flags JOB_F_, u64 size,
	                   * u64 arrival_s, u16 attempt, str reverse-path,
	                   * str address, str orcpt (original recipient),
	                   * str target (user, or nexthop), str argument (command,
	                   * file, include), str token (10 octets), str envid,
	                   * u32 relay: number in conf.routes, ~0 plain mx;
	                   * deliver: number of the one recipient, u16 rcpts */
	IPC_JOB_RCPT,     /* relay: u32 number, str address, u8 notify, str orcpt */
	IPC_JOB_BODY,     /* octets, CRLF lines */
	IPC_JOB_BIG,      /* - ; fd: the whole body, read-only */
	IPC_JOB_END,      /* - : the letter is complete */
	IPC_JOB_WINDOW,   /* u32 octets taken */
	IPC_JOB_OUTCOME,  /* u32 rcpt number, u8 outcome OUTCOME_, str enhanced,
	                   * str reply text, str remote host, str how it was
	                   * encrypted ("" where no host was met) */
	IPC_JOB_FORWARD,  /* u32 rcpt number, u16 n, n x final: the user's list */
	IPC_JOB_DONE,     /* - : every outcome has been told */
	/* after a new channel to queued, before anything else: outcomes of jobs
	 * that an earlier queued gave, then that there are no more of them.
	 * queued gives no job to a worker that has not said so. */
	IPC_JOB_REPORT,   /* u64 qid, then as IPC_JOB_OUTCOME */
	IPC_JOB_REPORTED, /* - */

	/* deliver - master */
	IPC_CHILD_ASK,    /* str user, u8 flags CHILD_F_ */
	IPC_CHILD,        /* reply: u8 ok, str complaint, str file name of the
	                   * INBOX below the mail folder ("": lies elsewhere and
	                   * is locked by its owner); fd when ok */
	IPC_LOCK_PEER,    /* str file name likewise; fd: a pop3d -u's channel */

	/* deliver -u, pop3d -u - deliver */
	IPC_LOCK,         /* - : the dotlock of the one mailbox of this channel */
	IPC_LOCKED,       /* reply: u8 ok, str complaint; not ok and no
	                   * complaint: held by another, ask again */
	IPC_UNLOCK,       /* - */

	/* master - authd */
	IPC_ACCOUNT_ASK,  /* str user, u8 flags CHILD_F_ */
	IPC_ACCOUNT,      /* reply: u8 status ACCOUNT_, then as in IPC_FORK */
	IPC_GRANT,        /* authd to master: str ticket (16 octets), u8 role,
	                   * u16 worker, then an account */
	IPC_GRANT_DONE,   /* reply: u8 ok */

	/* master - deliver -s, pop3d -s */
	IPC_FORK,         /* account: str user, u32 uid, u32 gid, str home,
	                   * str mailbox path, str index path, u64 quota,
	                   * u8 flags CHILD_F_, u32 mail gid; fd: its channel */
	IPC_FORK_LOCK,    /* - : just before the IPC_FORK that it belongs to;
	                   * fd: a session's channel to deliver; that of
	                   * deliver -u to its deliver -c */
	IPC_FORKED,       /* reply: u32 pid, or 0 and str complaint */
	IPC_CHILD_EXIT,   /* u32 pid, u32 wait status */

	/* smtpd, pop3d - authd: SASL (RFC 4422), octets as they are without
	 * base64; session id = the asker's number of this exchange */
	IPC_AUTH,         /* u8 service (enum conf_kind), str mechanism, u8 1 if
	                   * there is an initial response, str response, str
	                   * client (address:port), u8 flags AUTH_F_, str
	                   * tls-exporter (RFC 9266) or "", str
	                   * tls-server-end-point (RFC 5929) or "", str address
	                   * that a client certificate proves, or "" */
	IPC_AUTH_STEP,    /* str response: to the challenge of that session id */
	IPC_AUTH_ABORT,   /* - : the client cancelled, or has gone; no answer of its
	                   * own: a question that is open gets one, for nobody */
	IPC_AUTH_CHALLENGE, /* reply to IPC_AUTH and IPC_AUTH_STEP: str */
	IPC_AUTH_ANSWER,  /* reply likewise, the last: u8 status AUTH_, str ticket
	                   * ("" for smtpd), str account, str text */
	IPC_AUTH_OFFER,   /* from authd, first and when it changes: u8 bits of
	                   * OFFER_: what can work for every account here. With
	                   * SCRAM, -PLUS is offered too where IPC_AUTH will
	                   * carry a binding: authd counts on it */

	/* smtpd - authd */
	IPC_SENDER_ASK,   /* str account, str address: may it send as this? */
	IPC_SENDER_ANSWER, /* reply: u8 SENDER_ */

	/* pop3d - master */
	IPC_SESSION,      /* str ticket; fd: one end of a socketpair */
	IPC_SESSION_DONE, /* reply: u8 ok, str complaint */

	/* queued - master */
	IPC_HUNG,         /* u8 role, u16 instance: it does not answer; end it */

	/* authd -w - master */
	IPC_RENEW,        /* - : I end in order; start me again, it is no death */

	/* authd - authd -w */
	IPC_PW_NAME,      /* str name: of the host's accounts */
	IPC_PW_UID,       /* u32 uid */
	IPC_PW,           /* reply: u8 status PW_, str name, u32 uid, u32 gid,
	                   * str home, str gecos */
	IPC_PW_CHECK,     /* str users block, str address, str password, u8
	                   * service, str client (address:port): to authd -p
	                   * likewise */
	IPC_PW_CHECKED,   /* reply: u8 status PW_ */
	IPC_PW_SCRAM,     /* str users block, str address, u8 service: how does
	                   * SCRAM-SHA-256 begin for it? */
	IPC_PW_SALT,      /* reply: u8 status PW_, u32 iterations, str salt; of an
	                   * account without a verifier such that nobody can tell */
	IPC_PW_PROOF,     /* str users block, str address, u8 service, str salt,
	                   * str AuthMessage, str ClientProof (RFC 5802 3) */
	IPC_PW_PROVED,    /* reply: u8 status PW_, str ServerSignature */
	IPC_USERS_BEGIN,  /* str users block: a users file follows, anew */
	IPC_USERS_ROW,    /* u16 n, n x { str address, u32 uid, u32 gid,
	                   * u64 quota, u8 flags USER_F_, str home,
	                   * str senders } */
	IPC_USERS_END,    /* u32 rows in all, u8 1 if SCRAM can work for every
	                   * row that has a password */

	/* relay - resolver */
	IPC_ROUTE_ASK,    /* u8 flags ROUTE_F_, u16 port, str domain or host */
	IPC_ROUTE_ANSWER, /* u8 status DNS_, u8 secure, str text, u8 hosts, hosts
	                   * x { str name, u16 preference, u8 DANE_, str TLSA
	                   * base domain, u8 n, n x str TLSA rdata }, u16 n, n x
	                   * { u8 place of its host, u8 secure, u8 family (4, 6),
	                   * 4 or 16 octets }: in the order to try */

	/* relay, logd, authd -p - master */
	IPC_UNIX_ASK,     /* str path, as named in the configuration */
	IPC_UNIX,         /* reply: u8 ok, str complaint; fd when ok */

	/* keyd - smtpd, pop3d, relay */
	IPC_TICKETS,      /* u8 n, n x { str name (16), str AES key (32), str HMAC
	                   * key (32) }: what to seal with, then what to open too */
	IPC_SIGN_SOCKET,  /* to keyd; fd: its end of a socketpair over which it is
	                   * asked to sign, see keyd/sign.h for what passes there */
	IPC_SIGN_READY,   /* - : that socket is served from now on */
	IPC_KEY_USED,     /* str tls block, str SHA-256 of the public key (32): the
	                   * certificate in use from now on has this key */

	/* ctl - master, queued, logd */
	IPC_CTL_OPEN,     /* u8 role: a channel to it */
	IPC_CTL_OPENED,   /* reply: u8 ok, str complaint; fd when ok */
	IPC_CTL,          /* u16 n, n x str: verb and words */
	IPC_CTL_RECORD,   /* u16 n, n x { str key, u8 kind (0 text 1 number
	                   * 2 qid 3 time_s), str text or u64 } */
	IPC_CTL_END,      /* u8 exit status of sysexits, str text */

	IPC_TYPE_MAX
};

enum { RCPT_F_LOCAL = 1, RCPT_F_DEVICE = 2 }; /* who asks: submit.sock, device */
enum { RCPT_OK, RCPT_UNKNOWN, RCPT_RELAY, RCPT_TEMP, RCPT_FULL, RCPT_REFUSED };

enum { TX_F_UTF8 = 1, TX_F_8BIT = 2, TX_F_LOCAL = 4, TX_F_RET_FULL = 8,
	TX_F_RET_HDRS = 16, TX_F_DEVICE = 32, TX_F_HAS_NOTIFY = 64 };
enum { DSN_NEVER = 1, DSN_SUCCESS = 2, DSN_FAILURE = 4, DSN_DELAY = 8 };

enum { DNS_OK, DNS_NXDOMAIN, DNS_NODATA, DNS_TEMP, DNS_BOGUS, DNS_NULLMX,
	DNS_LOOP /* an MX that is ourselves or loopback */ };

/* A final recipient: { u8 kind, str address, str target, str argument }.
 * target: the account (mailbox, command, file, include run as it). */
enum { FINAL_MAILBOX = 1, FINAL_REMOTE, FINAL_COMMAND, FINAL_FILE,
	FINAL_INCLUDE };
enum { EXPAND_F_OWNED = 1 /* from a .forward: own name = own mailbox */ };
enum { EXPAND_OK, EXPAND_FAIL, EXPAND_TEMP };

enum { JOB_F_UTF8 = 1, JOB_F_8BIT = 2, JOB_F_CHECK = 4 /* earlier attempt may
	have been cut off */, JOB_F_NO_FORWARD = 8, JOB_F_BIG = 16,
	JOB_F_RET_FULL = 32, JOB_F_RET_HDRS = 64 /* RET, RFC 3461 section 4.3 */ };
enum { OUTCOME_DELIVERED = 1, OUTCOME_RELAYED, OUTCOME_DEFERRED,
	OUTCOME_FAILED, OUTCOME_FORWARDED,
	OUTCOME_PASSED /* relayed to a host that reports itself (RFC 3461) */ };

enum { CHILD_F_COMMANDS = 1 /* an account of an "as USER" table */,
	CHILD_F_DOTLOCK = 2 /* its INBOX is locked through deliver */ };
enum { ACCOUNT_OK, ACCOUNT_UNKNOWN, ACCOUNT_TEMP };
enum { AUTH_OK, AUTH_FAIL, AUTH_TEMP, AUTH_IN_USE };
enum { AUTH_F_TLS = 1 /* nobody could listen */ };
enum { OFFER_SCRAM = 1, OFFER_EXTERNAL = 2 };
enum { SENDER_OK, SENDER_FOREIGN, SENDER_TEMP, SENDER_GRANTED /* not its own */ };
enum { PW_OK, PW_NONE, PW_WRONG, PW_TEMP };
enum { USER_F_NOLOGIN = 1, USER_F_NOMAIL = 2 };
enum { ROUTE_F_MX = 1, ROUTE_F_HOST = 2, ROUTE_F_NO_IPV6 = 4,
	ROUTE_F_DANE = 8 /* TLSA records are wanted */ };
/* What the DNS says of a host's TLS (RFC 7672 section 2.2): nothing; usable
 * records; records that nobody can use, so that it is encrypted and nothing
 * proved; forged or not to be had, so that nothing may be sent there now. */
enum { DANE_NONE, DANE_USABLE, DANE_UNUSABLE, DANE_WAIT };
enum { CTL_TEXT, CTL_NUMBER, CTL_QID, CTL_TIME };

struct ipc_rule {
	uint32_t from, to;     /* ROLE_BITs */
	uint32_t min, max;     /* octets of the body */
	bool fd;               /* carries exactly one descriptor, or may */
	bool reply;            /* answers a request: goes to its callback */
	bool more;             /* a reply piece: the request stays open */
};

/* ipc_rule - the contract of a type, or NULL for a number without one. */
const struct ipc_rule *ipc_rule(unsigned type);
const char *ipc_type_name(unsigned type);

/* ipc_admit - may this frame pass from one role to the other? */
bool ipc_admit(unsigned type, enum role from, enum role to, size_t body,
    bool fd);

#endif
