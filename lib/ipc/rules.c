/*
 * lib/ipc/rules.c - the contract: who may say what to whom, how long, with a
 * descriptor or without. ipc_admit() holds each frame against it.
 */
#include "lib/ipc/types.h"

#define B(r)   ROLE_BIT(ROLE_##r)
#define MASTER B(MASTER)
#define LOGGER (B(SMTPD) | B(QUEUED) | B(RESOLVER) | B(RELAY) | B(DELIVER) | \
	B(AUTHD) | B(AUTHW) | B(AUTHP) | B(KEYD) | B(POP3D) | B(LOGD))
#define ANYONE (LOGGER | B(DUSER) | B(PUSER) | B(CTL))
#define CHILD  (LOGGER | FORKS)
#define JOBS   (B(DELIVER) | B(RELAY) | B(DUSER))
#define SENDER (B(QUEUED) | B(DELIVER))
#define FORKS  (B(DFORK) | B(DRUN) | B(PFORK))
#define NAMERS (B(RELAY) | B(LOGD) | B(AUTHP)) /* of sockets */
#define LOGINS (B(SMTPD) | B(POP3D)) /* take logins */
#define SECURE (B(SMTPD) | B(RELAY) | B(POP3D)) /* speak TLS */

#define PATH   (4 + IPC_PATH_MAX)
#define TEXT   (4 + IPC_TEXT_MAX)
#define MAXI   IPC_BODY_MAX
#define FD     true
#define NO     false
#define REPLY  true
#define MORE   true

static const struct { const char *name; struct ipc_rule r; } rules[] = {
#define R(type, ...) [IPC_##type] = { #type, { __VA_ARGS__ } }
	/*              from        to          min max      fd  reply more */
	R(HELLO,        CHILD | B(CTL), MASTER, 9, 256,      NO, NO, NO),
	R(WELCOME,      MASTER,     CHILD,      9, 256,      NO, NO, NO),
	R(CONF,         MASTER,     CHILD,      5, MAXI,     NO, NO, NO),
	R(CONF_DONE,    CHILD,      MASTER,     5, 1 + TEXT, NO, NO, NO),
	R(IDENTITY,     MASTER,     CHILD,      16, 512,     NO, NO, NO),
	R(PEER,         MASTER,     CHILD,      3, 3,        FD, NO, NO),
	R(LISTENER,     MASTER,     B(SMTPD) | B(POP3D), 3, 3, FD, NO, NO),
	R(FILE,         MASTER,     B(AUTHD) | B(AUTHW) | B(KEYD) | SECURE, 5, PATH, FD, NO, NO),
	R(START,        MASTER,     CHILD,      0, 0,        NO, NO, NO),
	R(DRAIN,        MASTER,     CHILD,      0, 0,        NO, NO, NO),
	R(STOP,         MASTER,     CHILD,      0, 0,        NO, NO, NO),
	R(STATUS_ASK,   MASTER,     CHILD,      0, 0,        NO, NO, NO),
	R(STATUS,       CHILD,      MASTER,     2, 4096,     NO, REPLY, NO),

	R(CREDITS,      ANYONE,     ANYONE,     4, 4,        NO, NO, NO),

	R(EVENT,        MASTER | LOGGER, B(LOGD), 26, 26 + 4000, NO, NO, NO),

	R(RCPT_ASK,     B(SMTPD),   B(AUTHD),   13, 1 + 3 * PATH, NO, NO, NO),
	R(RCPT_ANSWER,  B(AUTHD),   B(SMTPD),   9, 32 + TEXT, NO, REPLY, NO),
	R(UID_ASK,      B(SMTPD),   B(AUTHD),   4, 4,        NO, NO, NO),
	R(UID_ANSWER,   B(AUTHD),   B(SMTPD),   13, 1 + 3 * PATH, NO, REPLY, NO),

	R(QID_GRANT,    B(QUEUED),  B(SMTPD),   12, 12,      NO, NO, NO),
	R(QID_ASK,      B(SMTPD),   B(QUEUED),  0, 0,        NO, NO, NO),
	R(TX_BEGIN,     B(SMTPD),   B(QUEUED),  48, 32 + IPC_TLS_MAX + 4 * PATH, NO, NO, NO),
	R(TX_RCPT,      B(SMTPD),   B(QUEUED),  9, 1 + 2 * PATH, NO, NO, NO),
	R(TX_BODY,      B(SMTPD),   B(QUEUED),  1, MAXI,     NO, NO, NO),
	R(TX_WINDOW,    B(QUEUED),  B(SMTPD),   4, 4,        NO, NO, NO),
	R(TX_COMMIT,    B(SMTPD),   B(QUEUED),  12, 8 + PATH, NO, NO, NO),
	R(TX_DONE,      B(QUEUED),  B(SMTPD),   10, 32 + TEXT, NO, NO, NO),
	R(TX_ABORT,     B(SMTPD),   B(QUEUED),  0, 0,        NO, NO, NO),

	R(DNS_ASK,      B(SMTPD),   B(RESOLVER), 6, 2 + 4 + 256, NO, NO, NO),
	R(DNS_ANSWER,   B(RESOLVER), B(SMTPD),  4, MAXI,     NO, REPLY, NO),

	R(EXPAND_ASK,   B(QUEUED),  B(AUTHD),   10, 2 + 2 * PATH, NO, NO, NO),
	R(EXPAND_MORE,  B(AUTHD),   B(QUEUED),  2, MAXI,     NO, REPLY, MORE),
	R(EXPAND_END,   B(AUTHD),   B(QUEUED),  9, 32 + TEXT, NO, REPLY, NO),

	R(JOB_BEGIN,    SENDER,     JOBS,       63, 64 + 8 * PATH, NO, NO, NO),
	R(JOB_RCPT,     B(QUEUED),  B(RELAY),   13, 5 + 2 * PATH, NO, NO, NO),
	R(JOB_BODY,     SENDER,     JOBS,       1, MAXI,     NO, NO, NO),
	R(JOB_BIG,      SENDER,     JOBS,       0, 0,        FD, NO, NO),
	R(JOB_END,      SENDER,     JOBS,       0, 0,        NO, NO, NO),
	R(JOB_WINDOW,   JOBS,       SENDER,     4, 4,        NO, NO, NO),
	R(JOB_OUTCOME,  JOBS,       SENDER,     21, 128 + TEXT + PATH, NO, NO, NO),
	R(JOB_FORWARD,  B(DELIVER) | B(DUSER), SENDER, 6, MAXI, NO, NO, NO),
	R(JOB_DONE,     JOBS,       SENDER,     0, 0,        NO, NO, NO),
	R(JOB_REPORT,   B(DELIVER) | B(RELAY), B(QUEUED), 29, 136 + TEXT + PATH, NO, NO, NO),
	R(JOB_REPORTED, B(DELIVER) | B(RELAY), B(QUEUED), 0, 0, NO, NO, NO),

	R(CHILD_ASK,    B(DELIVER), MASTER,     5, 1 + PATH, NO, NO, NO),
	R(CHILD,        MASTER,     B(DELIVER), 9, 5 + TEXT + PATH, FD, REPLY, NO),
	R(LOCK_PEER,    MASTER,     B(DELIVER), 5, PATH,     FD, NO, NO),

	R(LOCK,         B(DUSER) | B(PUSER), B(DELIVER), 0, 0, NO, NO, NO),
	R(LOCKED,       B(DELIVER), B(DUSER) | B(PUSER), 5, 1 + TEXT, NO, REPLY, NO),
	R(UNLOCK,       B(DUSER) | B(PUSER), B(DELIVER), 0, 0, NO, NO, NO),

	R(ACCOUNT_ASK,  MASTER,     B(AUTHD),   5, 1 + PATH, NO, NO, NO),
	R(ACCOUNT,      B(AUTHD),   MASTER,     38, 64 + 4 * PATH, NO, REPLY, NO),
	R(GRANT,        B(AUTHD),   MASTER,     60, 96 + 4 * PATH, NO, NO, NO),
	R(GRANT_DONE,   MASTER,     B(AUTHD),   1, 1,        NO, REPLY, NO),

	R(FORK,         MASTER,     FORKS,      37, 64 + 4 * PATH, FD, NO, NO),
	R(FORK_LOCK,    MASTER,     FORKS,      0, 0,        FD, NO, NO),
	R(FORKED,       FORKS,      MASTER,     8, 4 + TEXT, NO, REPLY, NO),
	R(CHILD_EXIT,   FORKS,      MASTER,     8, 8,        NO, NO, NO),

	R(AUTH,         LOGINS,     B(AUTHD),   27, 27 + IPC_SASL_MAX + 768, NO, NO, NO),
	R(AUTH_ANSWER,  B(AUTHD),   LOGINS,     13, 32 + PATH + TEXT, NO, REPLY, NO),
	R(AUTH_STEP,    LOGINS,     B(AUTHD),   4, 4 + IPC_SASL_MAX, NO, NO, NO),
	R(AUTH_ABORT,   LOGINS,     B(AUTHD),   0, 0,        NO, NO, NO),
	R(AUTH_CHALLENGE, B(AUTHD), LOGINS,     4, TEXT,     NO, REPLY, NO),
	R(AUTH_OFFER,   B(AUTHD),   LOGINS,     1, 1,        NO, NO, NO),
	R(SENDER_ASK,   B(SMTPD),   B(AUTHD),   8, 2 * PATH, NO, NO, NO),
	R(SENDER_ANSWER, B(AUTHD),  B(SMTPD),   1, 1,        NO, REPLY, NO),

	R(SESSION,      B(POP3D),   MASTER,     20, 20,      FD, NO, NO),
	R(SESSION_DONE, MASTER,     B(POP3D),   5, 1 + TEXT, NO, REPLY, NO),

	R(HUNG,         B(QUEUED),  MASTER,     3, 3,        NO, NO, NO),
	R(RENEW,        B(AUTHW),   MASTER,     0, 0,        NO, NO, NO),

	R(PW_NAME,      B(AUTHD),   B(AUTHW),   4, PATH,     NO, NO, NO),
	R(PW_UID,       B(AUTHD),   B(AUTHW),   4, 4,        NO, NO, NO),
	R(PW,           B(AUTHW),   B(AUTHD),   21, 16 + 3 * PATH, NO, REPLY, NO),
	R(PW_CHECK,     B(AUTHD),   B(AUTHW) | B(AUTHP), 17, 1 + 4 * PATH, NO, NO, NO),
	R(PW_CHECKED,   B(AUTHW) | B(AUTHP), B(AUTHD),   1, 1,        NO, REPLY, NO),
	R(PW_SCRAM,     B(AUTHD),   B(AUTHW),   9, 1 + 2 * PATH, NO, NO, NO),
	R(PW_SALT,      B(AUTHW),   B(AUTHD),   9, 9 + 64,   NO, REPLY, NO),
	R(PW_PROOF,     B(AUTHD),   B(AUTHW),   21, 9 + 7 * PATH, NO, NO, NO),
	R(PW_PROVED,    B(AUTHW),   B(AUTHD),   5, 5 + 32,   NO, REPLY, NO),
	R(USERS_BEGIN,  B(AUTHW),   B(AUTHD),   4, 4 + 64,   NO, NO, NO),
	R(USERS_ROW,    B(AUTHW),   B(AUTHD),   2, MAXI,     NO, NO, NO),
	R(USERS_END,    B(AUTHW),   B(AUTHD),   5, 5,        NO, NO, NO),

	R(ROUTE_ASK,    B(RELAY),   B(RESOLVER), 7, 3 + 4 + 256, NO, NO, NO),
	R(ROUTE_ANSWER, B(RESOLVER), B(RELAY),  9, MAXI,     NO, REPLY, NO),

	R(UNIX_ASK,     NAMERS,     MASTER,     5, 4 + 256,  NO, NO, NO),
	R(UNIX,         MASTER,     NAMERS,     5, 1 + TEXT, FD, REPLY, NO),

	R(TICKETS,      B(KEYD),    SECURE,     1, 1 + 3 * 92, NO, NO, NO),
	R(SIGN_SOCKET,  SECURE,     B(KEYD),    0, 0,        FD, NO, NO),
	R(SIGN_READY,   B(KEYD),    SECURE,     0, 0,        NO, NO, NO),
	R(KEY_USED,     SECURE,     B(KEYD),    8, 8 + 64 + 32, NO, NO, NO),

	R(CTL_OPEN,     B(CTL),     MASTER,     1, 1,        NO, NO, NO),
	R(CTL_OPENED,   MASTER,     B(CTL),     5, 1 + TEXT, FD, REPLY, NO),
	R(CTL,          B(CTL),     MASTER | B(QUEUED) | B(LOGD), 2, MAXI, NO, NO, NO),
	R(CTL_RECORD,   MASTER | B(QUEUED) | B(LOGD), B(CTL), 2, MAXI, NO, REPLY, MORE),
	R(CTL_END,      MASTER | B(QUEUED) | B(LOGD), B(CTL), 5, 1 + TEXT, NO, REPLY, NO),
#undef R
};

_Static_assert(sizeof(rules) / sizeof(rules[0]) == IPC_TYPE_MAX,
    "each type has its row");

const struct ipc_rule *
ipc_rule(unsigned type)
{
	return type > IPC_NONE && type < IPC_TYPE_MAX ? &rules[type].r : NULL;
}

const char *
ipc_type_name(unsigned type)
{
	return ipc_rule(type) == NULL ? "?" : rules[type].name;
}

bool
ipc_admit(unsigned type, enum role from, enum role to, size_t body, bool fd)
{
	const struct ipc_rule *r = ipc_rule(type);

	/* Programs that master introduced to each other need no greeting. */
	if (type == IPC_HELLO && from != ROLE_MASTER && to != ROLE_MASTER &&
	    from != ROLE_CTL)
		return false;
	return r != NULL && (r->from & ROLE_BIT(from)) != 0 &&
	    (r->to & ROLE_BIT(to)) != 0 && body >= r->min && body <= r->max &&
	    (!fd || r->fd);
}
