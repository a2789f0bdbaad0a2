/*
 * lib/privsep/roles.h - who each program is: the one table about uids, roots,
 * capabilities and edges. design.md section 1.
 */
#ifndef LIB_PRIVSEP_ROLES_H
#define LIB_PRIVSEP_ROLES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum role {
	ROLE_NONE,
	ROLE_MASTER,
	ROLE_SMTPD,
	ROLE_QUEUED,
	ROLE_RESOLVER,
	ROLE_RELAY,
	ROLE_DELIVER,
	ROLE_DFORK,   /* deliver -s */
	ROLE_DUSER,   /* deliver -u: forked by ROLE_DFORK */
	ROLE_AUTHD,
	ROLE_AUTHW,   /* authd -w */
	ROLE_AUTHP,   /* authd -p: PAM, only where a users block wants it */
	ROLE_KEYD,
	ROLE_LOGD,
	ROLE_POP3D,
	ROLE_PFORK,   /* pop3d -s */
	ROLE_PUSER,   /* pop3d -u */
	ROLE_CTL,     /* the admin's command: no child of master */
	ROLE_MAX
};

#define ROLE_BIT(r) (1u << (r))

/* Where a program's root directory is. */
enum role_root { ROOT_HOST, ROOT_EMPTY, ROOT_SPOOL, ROOT_MAIL, ROOT_LOG };

enum role_caps { CAPS_NONE, CAPS_SETID, CAPS_ALL };

struct role_row {
	const char *name;      /* "smtpd", "deliver-s": in the log and status */
	const char *binary;    /* file in libexec, or NULL: not started by exec */
	const char *flag;      /* its argument, or NULL */
	const char *user;      /* behind the user prefix, or NULL: root/owner */
	const char *group;     /* a group of the host, or NULL: the user's own */
	enum role_root root;
	enum role_caps caps;
	bool no_new_privs;
	uint32_t peers;        /* ROLE_BITs it has a channel with, master aside */
	unsigned nofile;       /* RLIMIT_NOFILE */
	const char *network;   /* in words, for the printed table */
	const char *touches;
	const char *holds;
};

/* role_row - the row of a role; never NULL for 1..ROLE_MAX-1. */
const struct role_row *role_row(enum role r);
const char *role_name(unsigned r);
enum role role_find(const char *name); /* ROLE_NONE if unknown */

#endif
