/*
 * authd/outside.h - what the rooms of authd -p share: the process that has
 * passwords checked by others, PAM or Dovecot, and keeps none itself. Each check
 * by PAM is a process of its own, so that a module that hangs, leaks or crashes
 * harms one login; Dovecot's answers come over one connection. Nothing blocks.
 */
#ifndef AUTHD_OUTSIDE_H
#define AUTHD_OUTSIDE_H

#include "lib/ipc/daemon.h"

/* What a check may take, before the pool's own patience ends. */
#define OUTSIDE_TIMEOUT_MS 25000

/* A name that no account has, for logins that are to fail all the same. */
#define OUTSIDE_NOBODY "no.such.account"

#define OUTSIDE_PASSWORD_MAX 1000
#define OUTSIDE_HOST_MAX     46 /* INET6_ADDRSTRLEN */

struct outside {
	struct daemon daemon;
	struct question *questions; /* all that are open */
	struct dovecot *dovecots;   /* by the path of their socket */
	uint64_t checked, late;     /* for `barid status` */
};

/* One password that is being checked. */
struct question {
	struct question *next;
	struct outside *o;
	bool orphan;           /* authd has gone: nobody waits for it */
	uint32_t request, session;
	struct timer deadline;
	char host[OUTSIDE_HOST_MAX]; /* whose login it is, or "" */
	/* PAM */
	pid_t pid;             /* 0: none, or ended */
	int fd;                /* its end of a pipe, or -1 */
	struct watch watch;
	/* Dovecot */
	struct dovecot *dovecot;
	uint32_t id;
	char *line;            /* to be sent once it is connected; wiped */
};

/* question_answer - PW_OK, PW_WRONG or PW_TEMP, to authd; frees q. */
void question_answer(struct question *q, uint8_t status);

/* outside.c - the life of authd -p; returns the exit status. */
int outside_main(void);

/* pam.c: starts the check, or answers at once. pam_forget: q is going. */
void pam_ask(struct question *q, const char *service, const char *user,
    const char *password);
void pam_forget(struct question *q);
void pam_reap(void *arg);

/* dovecot.c: likewise. */
void dovecot_ask(struct question *q, const char *path, uint8_t service,
    const char *user, const char *password);
void dovecot_forget(struct question *q);
/* dovecot_late - it took too long: answers q, and all of a connection that never
 * became one. */
void dovecot_late(struct question *q);
/* dovecot_keep - closes connections to sockets that conf does not name. */
void dovecot_keep(struct outside *o, const struct conf *conf);

/* One line from Dovecot's auth socket, without its end. */
enum dovecot_kind { DOVECOT_OTHER, DOVECOT_VERSION, DOVECOT_DONE, DOVECOT_OK,
	DOVECOT_FAIL, DOVECOT_CONT };
struct dovecot_reply {
	enum dovecot_kind kind;
	uint32_t id;           /* OK, FAIL, CONT; VERSION: the major number */
	bool temp;             /* FAIL: not the password's fault */
};

/* dovecot_reply_parse - 0, or -1: not of the protocol. dovecot_reply.c */
int dovecot_reply_parse(struct span line, struct dovecot_reply *out);

#endif
