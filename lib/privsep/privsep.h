/* lib/privsep/privsep.h - becoming nobody in particular, for good. */
#ifndef LIB_PRIVSEP_PRIVSEP_H
#define LIB_PRIVSEP_PRIVSEP_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/privsep/roles.h"
#include "lib/privsep/sandbox.h"

/* The uids below this are never become by a waiting process. */
#define UID_USER_MIN 1000

/* Who a role is on this machine; master resolves it and passes it on. */
struct identity {
	uid_t uid;
	gid_t gid;
	char root[256];        /* chroot target; "" = none */
	bool none;             /* "privileges none": change nothing */
	struct sandbox_options sandbox;
};

/*
 * privsep_drop - for ever: chroot, groups, uid and gid, capabilities but those
 * of the row, empty bounding set, no_new_privs, not dumpable, no core, rlimits.
 * Then it checks that nothing can be had back. With id->none only
 * what needs no privilege is done. Calls fatal() when a step fails: a program
 * that cannot drop must not run.
 */
void privsep_drop(enum role r, const struct identity *id);

/* privsep_limits - core files, descriptors and processes as the row says. A
 * part of privsep_drop; a waiting process's child does it by itself. */
void privsep_limits(enum role r, bool none);

/*
 * privsep_become - a waiting process's child becomes the owner of a mailbox:
 * groups emptied, uid and gid set, all capabilities cleared (capset),
 * no way back checked. mail_gid: kept as effective gid until
 * privsep_leave_group(), or (gid_t)-1. Returns 0, or -1 with errno.
 */
int privsep_become(uid_t uid, gid_t gid, gid_t mail_gid);
int privsep_leave_group(gid_t gid);

#endif
