/*
 * master/folders.c - who each role is on this host, and the folders that they
 * work in: made where missing, refused where they belong to somebody else. And
 * what its kernel has for their cells.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "lib/log.h"
#include "master/master.h"

static const char *
root_of(const struct master *m, enum role_root root)
{
	switch (root) {
	case ROOT_EMPTY:
		return m->path.empty;
	case ROOT_SPOOL:
		return m->path.spool;
	case ROOT_MAIL:
		return m->path.mail;
	case ROOT_LOG:
		return m->path.log;
	case ROOT_HOST:
		break;
	}
	return "";
}

static const struct conf_identity *
identity_find(const struct conf *c, const char *role)
{
	size_t i;

	for (i = 0; i < c->nidentities; i++)
		if (strcmp(c->identities[i].role, role) == 0)
			return &c->identities[i];
	return NULL;
}

static void
identity_of_host(const struct role_row *row, struct identity *id)
{
	char name[128];
	struct passwd *pw;
	struct group *gr;

	snprintf(name, sizeof(name), "%s%s", USER_PREFIX, row->user);
	if ((pw = getpwnam(name)) == NULL)
		fatalx("the user %s for %s does not exist: see INSTALL", name,
		    row->name);
	if (pw->pw_uid == 0)
		fatalx("the user %s must not have uid 0", name);
	id->uid = pw->pw_uid;
	id->gid = pw->pw_gid;
	if (row->group == NULL)
		return;
	if ((gr = getgrnam(row->group)) == NULL)
		fatalx("the group %s for %s does not exist", row->group,
		    row->name);
	id->gid = gr->gr_gid;
}

void
identities_resolve(struct master *m)
{
	const struct conf_identity *ci;
	unsigned r;

	for (r = ROLE_NONE + 1; r < ROLE_MAX; r++) {
		const struct role_row *row = role_row((enum role)r);
		struct identity *id = &m->ids[r];

		*id = (struct identity){ .uid = geteuid(), .gid = getegid() };
		snprintf(id->root, sizeof(id->root), "%s",
		    root_of(m, row->root));
		if (r == ROLE_AUTHP && m->test_dir != NULL) /* no root: pam.c */
			snprintf(id->root, sizeof(id->root), "%s/pam.d",
			    m->test_dir);
		id->none = m->conf->privileges_none;
		if (id->none || row->user == NULL)
			continue;
		if ((ci = identity_find(m->conf, row->name)) != NULL) {
			id->uid = ci->uid;
			id->gid = ci->gid;
		} else
			identity_of_host(row, id);
	}
}

/* Makes or checks one folder below names that only root can change. */
static void
folder(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	struct stat st;

	if (mkdir(path, 0700) == 0) {
		/* the mode first: afterwards it is somebody else's */
		if (chmod(path, mode) == -1 || chown(path, uid, gid) == -1)
			fatal("making %s", path);
	} else if (errno != EEXIST)
		fatal("the folder %s is missing and cannot be made", path);
	if (lstat(path, &st) == -1 || !S_ISDIR(st.st_mode))
		fatalx("%s is not a folder", path);
	if (st.st_uid != uid)
		fatalx("%s belongs to uid %u and must belong to uid %u: "
		    "chown %u %s", path, (unsigned)st.st_uid, (unsigned)uid,
		    (unsigned)uid, path);
	if (st.st_mode & S_IWOTH)
		fatalx("anybody may write %s: chmod o-w %s", path, path);
}

static void
mail_folder(const struct master *m)
{
	struct stat st;

	if (stat(m->path.mail, &st) == -1 || !S_ISDIR(st.st_mode))
		fatalx("the mail folder %s is missing", m->path.mail);
	if (m->conf->privileges_none)
		return;
	/* lock files are made there by deliver, as group mail */
	if (st.st_gid != m->ids[ROLE_DELIVER].gid ||
	    (st.st_mode & S_IWGRP) == 0)
		fatalx("%s must belong to group %u and be writable by it: "
		    "chgrp %u %s; chmod g+w %s", m->path.mail,
		    (unsigned)m->ids[ROLE_DELIVER].gid,
		    (unsigned)m->ids[ROLE_DELIVER].gid, m->path.mail,
		    m->path.mail);
}

/* Parents of the defaults: /var/lib/barid above /var/lib/barid/mail. */
static void
folder_parent(const char *path)
{
	char up[512];
	char *slash;

	snprintf(up, sizeof(up), "%s", path);
	if ((slash = strrchr(up, '/')) == NULL || slash == up)
		return;
	*slash = '\0';
	if (mkdir(up, 0755) == -1 && errno != EEXIST)
		fatal("the folder %s is missing and cannot be made", up);
}

void
folders_prepare(struct master *m)
{
	const struct identity *ids = m->ids;
	uid_t me = geteuid();

	folder(m->path.run, 0755, me, getegid());
	folder(m->path.empty, 0555, me, getegid());
	folder_parent(m->path.index);
	folder(m->path.index, 0711, me, getegid());
	folder(m->path.log, 0750, ids[ROLE_LOGD].uid, ids[ROLE_LOGD].gid);
	folder(m->path.spool, 0700, ids[ROLE_QUEUED].uid, ids[ROLE_QUEUED].gid);
	mail_folder(m);
}

void
cells_probe(struct master *m)
{
	sandbox_probe(&m->kernel);
	if (m->kernel.landlock > m->sandbox.landlock_max)
		m->kernel.landlock = m->sandbox.landlock_max;
}

void
cells_tell(const struct master *m)
{
	if (!m->kernel.seccomp)
		log_warnx("this kernel has no seccomp: programs run without "
		    "a filter of system calls");
	if (m->kernel.landlock == 0)
		log_warnx("this kernel has no Landlock, or it is not switched "
		    "on (lsm=): programs run without it");
	if (m->sandbox.log && m->kernel.seccomp)
		log_warnx("--sandbox=log: system calls that are not allowed "
		    "are told in the kernel's log and done");
}

/* A user's name as one file name. Names come from authd: hostile all the same. */
static bool
user_is_name(const char *user)
{
	return user[0] != '\0' && user[0] != '.' &&
	    strchr(user, '/') == NULL && strlen(user) < 256;
}

int
folder_index(struct master *m, const char *user, uid_t uid, gid_t gid,
    char *path, size_t size, char *complaint, size_t csize)
{
	struct stat st;

	snprintf(path, size, "%s/%s", m->path.index, user);
	if (!user_is_name(user)) {
		snprintf(complaint, csize, "not a user name");
		return -1;
	}
	/* only root can write the parent: no name in it is anybody's trick */
	if (mkdir(path, 0700) == 0) {
		if (lchown(path, uid, gid) == -1) {
			snprintf(complaint, csize, "chown %s: %s", path,
			    strerror(errno));
			rmdir(path);
			return -1;
		}
		return 0;
	}
	if (errno != EEXIST || lstat(path, &st) == -1) {
		snprintf(complaint, csize, "mkdir %s: %s", path,
		    strerror(errno));
		return -1;
	}
	if (S_ISDIR(st.st_mode) && st.st_uid == uid)
		return 0;
	snprintf(complaint, csize, "%s belongs to uid %u and not to %s (%u)",
	    path, (unsigned)st.st_uid, user, (unsigned)uid);
	return -1;
}
