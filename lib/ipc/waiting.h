/*
 * lib/ipc/waiting.h - a waiting process: `deliver -s`, `deliver -r`, `pop3d -s`. It
 * forks one child per user on master's word; the child becomes the user before
 * it reads a byte. Two capabilities, no network, spoken to by master alone.
 */
#ifndef LIB_IPC_WAITING_H
#define LIB_IPC_WAITING_H

#include "lib/privsep/roles.h"
#include <stdbool.h>
#include <stdint.h>

/* Whose rights a child has and what it opens; strings owned by the child. */
struct account {
	char user[256];
	uid_t uid;
	gid_t gid, mail_gid;
	char home[1024];       /* "" if none */
	char mailbox[1024];    /* path of the INBOX */
	char index[1024];      /* folder of its index */
	uint64_t quota;        /* octets, 0 none */
	unsigned flags;        /* CHILD_F_ */
};

/*
 * What a child does, already as the user (effective gid still the mail group when
 * account.mail_gid is given; call privsep_leave_group() once the INBOX is
 * made). peer: the channel or octet stream of this child; lock: its
 * channel to deliver; for deliver -u, which has that in peer, the one to its
 * deliver -c (-1: none). Returns the exit status.
 */
struct waiting_spec {
	enum role role, child;
	int (*child_main)(const struct account *a, int peer, int lock,
	    const char *host, bool test);
	bool on_demand; /* fork when the peer says its first word, not before */
};

/* waiting_main - the process's whole life; returns its exit status. */
int waiting_main(const struct waiting_spec *spec);

#endif
