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
	ROLE_DRUN,    /* deliver -r: starts users' commands */
	ROLE_DCMD,    /* its child: one user's commands, outside any cell */
	ROLE_CTL,     /* the admin's command: no child of master */
	ROLE_MAX
};

#define ROLE_BIT(r) (1u << (r))

/* Where a program's root directory is. */
enum role_root { ROOT_HOST, ROOT_EMPTY, ROOT_SPOOL, ROOT_MAIL, ROOT_LOG };

enum role_caps { CAPS_NONE, CAPS_SETID, CAPS_ALL };

/* Files by name: what Landlock leaves of them. */
enum role_files {
	FILES_NONE,
	FILES_ROOT,   /* all below its root folder */
	FILES_LOCKS,  /* its root folder: makes and removes files there */
	FILES_LOOK,   /* reads what its user may read, writes nothing */
	FILES_BOX,    /* one mailbox's folder and index */
	FILES_OWN,    /* what its user may; runs and makes no special file */
	FILES_FREE    /* no Landlock */
};

enum role_ports {
	TCP_NONE,
	TCP_DNS,      /* connects to the ports of name servers */
	TCP_OUT,      /* connects anywhere, binds no port of its own choice */
	TCP_FREE
};

/* Sets of system calls; lib/privsep/sandbox_calls.c says what is in each. */
enum {
	CALLS_BASE    = 1u << 0, /* memory, time, descriptors it has, its end */
	CALLS_ACCEPT  = 1u << 1, /* takes connections from listeners */
	CALLS_INET    = 1u << 2, /* opens connections */
	CALLS_THREADS = 1u << 3,
	CALLS_NAMES   = 1u << 4, /* opens files and looks at them */
	CALLS_DISK    = 1u << 5, /* changes files and folders */
	CALLS_LOCKS   = 1u << 6, /* asks whether the holder of a lock lives */
	CALLS_GROUP   = 1u << 7, /* leaves the mail group behind */
	CALLS_MEMFD   = 1u << 8, /* files without a name */
	CALLS_MODULES = 1u << 9, /* what modules of NSS may do */
	CALLS_FORK    = 1u << 10 /* forks children that take users' ids */
};

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
	unsigned nproc;        /* RLIMIT_NPROC; 0: it never forks */
	unsigned calls;        /* CALLS_; 0: no filter of system calls */
	enum role_files files;
	enum role_ports ports;
	enum role parent;      /* forks it, hands its cell on; or NONE */
	bool scoped;           /* signals, abstract sockets: in its cell */
	const char *gets;      /* what an attacker who owns it has */
	const char *stops;     /* and what keeps him from more */
};

/* role_row - the row of a role; never NULL for 1..ROLE_MAX-1. */
const struct role_row *role_row(enum role r);
const char *role_name(unsigned r);
enum role role_find(const char *name); /* ROLE_NONE if unknown */

#endif
