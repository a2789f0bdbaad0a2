/*
 * lib/privsep/privsep.c - dropping rights for ever, in the one right order, and
 * proving that nothing can be had back. Linux: capabilities and bounding set.
 */
#include "lib/privsep/privsep.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/log.h"

#define CAP_BIT(c) (1u << (c))

/* capset by hand: libcap for one call would be one library more in each cell. */
static int
caps_set(uint32_t caps)
{
	struct __user_cap_header_struct head = {
		_LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = caps, .permitted = caps, .inheritable = 0 } };

	return (int)syscall(SYS_capset, &head, data);
}

static int
bounding_set_empty(void)
{
	int cap;

	for (cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == -1)
			return -1;
	return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

void
privsep_limits(enum role r, bool shared)
{
	const struct role_row *row = role_row(r);
	struct rlimit none = { 0, 0 }, files, forks = { row->nproc,
		row->nproc };

	if (setrlimit(RLIMIT_CORE, &none) == -1)
		fatal("RLIMIT_CORE");
	if (getrlimit(RLIMIT_NOFILE, &files) == -1)
		fatal("RLIMIT_NOFILE");
	/* as many as the row wants, or as the host lets us have */
	if (files.rlim_max > row->nofile)
		files.rlim_max = row->nofile;
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) == -1)
		fatal("RLIMIT_NOFILE");
	/* It counts all that a uid has: of one that people have only "none"
	 * can be said. */
	if (row->nproc != UINT32_MAX && (row->nproc == 0 || !shared) &&
	    setrlimit(RLIMIT_NPROC, &forks) == -1)
		fatal("RLIMIT_NPROC");
}

static void
root_change(const struct identity *id)
{
	if (id->root[0] == '\0')
		return;
	/* With the eyes of its owner: root may lack the right to enter it
	 * (CAP_DAC_READ_SEARCH; units of systemd take that away). */
	setfsgid(id->gid);
	setfsuid(id->uid);
	if (chdir(id->root) == -1)
		fatal("chdir %s", id->root);
	if (chroot(".") == -1)
		fatal("chroot %s", id->root);
	if (chdir("/") == -1)
		fatal("chdir / in %s", id->root);
	setfsuid(0);
	setfsgid(0);
}

/* Nothing that was given up can be taken again (setuid bugs of the 1990s). */
static void
drop_check(uid_t uid, gid_t gid)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;

	if (getresuid(&r, &e, &s) == -1 || r != uid || e != uid || s != uid ||
	    getresgid(&rg, &eg, &sg) == -1 || rg != gid || eg != gid ||
	    sg != gid)
		fatalx("the uid or gid is not what was asked for");
	if (getgroups(0, NULL) > 1)
		fatalx("groups are left over");
}

void
privsep_drop(enum role r, const struct identity *id)
{
	const struct role_row *row = role_row(r);
	uint32_t keep = row->caps == CAPS_SETID
	    ? CAP_BIT(CAP_SETUID) | CAP_BIT(CAP_SETGID) : 0;

	privsep_limits(r, id->none);
	if (!id->none) {
		if (row->root != ROOT_HOST)
			root_change(id);
		if (bounding_set_empty() == -1)
			fatal("bounding set");
		if (keep != 0 && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == -1)
			fatal("PR_SET_KEEPCAPS");
		if (setgroups(1, &id->gid) == -1)
			fatal("setgroups");
		if (setresgid(id->gid, id->gid, id->gid) == -1)
			fatal("setresgid %u", (unsigned)id->gid);
		if (setresuid(id->uid, id->uid, id->uid) == -1)
			fatal("setresuid %u", (unsigned)id->uid);
		if (caps_set(keep) == -1)
			fatal("capset");
		drop_check(id->uid, id->gid);
		if (keep == 0 && (setresuid(0, 0, 0) != -1 ||
		    setresgid(0, 0, 0) != -1))
			fatalx("root can be had back");
	}
	if (row->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		fatal("PR_SET_NO_NEW_PRIVS");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		fatal("PR_SET_DUMPABLE");
}

int
privsep_become(uid_t uid, gid_t gid, gid_t mail_gid)
{
	bool mail = mail_gid != (gid_t)-1;

	if (uid < UID_USER_MIN || gid == 0) {
		errno = EPERM;
		return -1;
	}
	if (setgroups(0, NULL) == -1)
		return -1;
	/* the mail group stays reachable only until privsep_leave_group() */
	if (setresgid(gid, mail ? mail_gid : gid, mail ? mail_gid : gid) == -1)
		return -1;
	if (setresuid(uid, uid, uid) == -1 || caps_set(0) == -1)
		return -1;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		return -1;
	if (setresuid(0, 0, 0) != -1 || getuid() != uid || geteuid() != uid) {
		errno = EPERM;
		return -1;
	}
	return 0;
}

int
privsep_leave_group(gid_t gid)
{
	if (setresgid(gid, gid, gid) == -1)
		return -1;
	return getegid() == gid ? 0 : -1;
}
