/*
 * lib/privsep/sandbox_landlock.c - files, TCP ports, signals and abstract
 * sockets by Landlock, at the newest ABI that both the kernel and we know. What
 * an older kernel cannot forbid is left to the rest: uid, root folder, seccomp.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat/landlock.h"
#include "lib/privsep/sandbox.h"

#define ABI_KNOWN 6

#define READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FILL (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE)
#define MAKE (LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE)
#define TREE (LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REMOVE_DIR | \
	LANDLOCK_ACCESS_FS_REFER)
/* What no program of ours does: run something, make what is no plain file. */
#define ODD  (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR | \
	LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SOCK | \
	LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM | \
	LANDLOCK_ACCESS_FS_IOCTL_DEV)

/* A ruleset being made. */
struct rules {
	int fd;
	uint64_t files, ports; /* what it forbids where no rule allows it */
};

unsigned
landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);

	return abi < 0 ? 0 : (unsigned)abi;
}

/* Only what this ABI knows may be asked of the kernel. */
static uint64_t
files_known(uint64_t access, unsigned abi)
{
	if (abi < 2)
		access &= ~(uint64_t)LANDLOCK_ACCESS_FS_REFER;
	if (abi < 3)
		access &= ~(uint64_t)LANDLOCK_ACCESS_FS_TRUNCATE;
	if (abi < 5)
		access &= ~(uint64_t)LANDLOCK_ACCESS_FS_IOCTL_DEV;
	return access;
}

static uint64_t
files_handled(const struct role_row *row)
{
	if (row->files == FILES_FREE)
		return 0;
	/* a module of PAM runs helpers */
	return READ | FILL | MAKE | TREE | (row->no_new_privs ? ODD
	    : ODD & ~(uint64_t)LANDLOCK_ACCESS_FS_EXECUTE);
}

/* path "" or one that is not there: nothing to allow */
static int
path_allow(const struct rules *r, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr a = { access & r->files, -1 };
	struct stat st;
	int rv, saved;

	if (path == NULL || path[0] == '\0')
		return 0;
	if ((a.parent_fd = open(path, O_PATH | O_CLOEXEC)) == -1)
		return errno == ENOENT || errno == EACCES ? 0 : -1;
	/* the kernel refuses rights to a file that only folders can have */
	if (fstat(a.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
		a.allowed_access &= FILL | LANDLOCK_ACCESS_FS_READ_FILE;
	rv = (int)syscall(SYS_landlock_add_rule, r->fd,
	    LANDLOCK_RULE_PATH_BENEATH, &a, 0);
	saved = errno;
	close(a.parent_fd);
	errno = saved;
	return rv;
}

static int
folder_allow(const struct rules *r, const char *path, uint64_t access)
{
	const char *slash = path == NULL ? NULL : strrchr(path, '/');
	char folder[1024];

	if (slash == NULL || (size_t)(slash - path) >= sizeof(folder))
		return 0;
	snprintf(folder, sizeof(folder), "%.*s", slash == path ? 1
	    : (int)(slash - path), path);
	return path_allow(r, folder, access);
}

static int
files_allow(const struct rules *r, enum role_files files,
    const struct sandbox_where *w)
{
	switch (files) {
	case FILES_ROOT:
		return path_allow(r, w->root, READ | FILL | MAKE | TREE);
	case FILES_LOCKS:
		return path_allow(r, w->root, READ | FILL | MAKE);
	case FILES_LOOK:
		return path_allow(r, "/", READ) == -1 ? -1
		    : path_allow(r, "/dev/null", FILL);
	case FILES_BOX:
		if (folder_allow(r, w->mailbox, READ | FILL |
		    (w->dotlock ? MAKE : 0)) == -1)
			return -1;
		return path_allow(r, w->index, READ | FILL | MAKE);
	case FILES_OWN:
		return path_allow(r, "/", READ | FILL | MAKE | TREE);
	case FILES_NONE:
	case FILES_FREE:
		break;
	}
	return 0;
}

static int
port_allow(const struct rules *r, uint16_t port, uint64_t access)
{
	struct compat_landlock_port a = { access, port };

	return (int)syscall(SYS_landlock_add_rule, r->fd, COMPAT_RULE_NET_PORT,
	    &a, 0);
}

static uint64_t
ports_handled(enum role_ports ports)
{
	switch (ports) {
	case TCP_NONE:
	case TCP_DNS:
		return LANDLOCK_ACCESS_NET_BIND_TCP |
		    LANDLOCK_ACCESS_NET_CONNECT_TCP;
	case TCP_OUT:
		return LANDLOCK_ACCESS_NET_BIND_TCP;
	case TCP_FREE:
		break;
	}
	return 0;
}

static int
ports_allow(const struct rules *r, enum role_ports ports,
    const struct sandbox_where *w)
{
	size_t i;

	if (r->ports == 0)
		return 0;
	/* a source address is bound with port 0: the system's choice */
	if (ports == TCP_OUT)
		return port_allow(r, 0, LANDLOCK_ACCESS_NET_BIND_TCP);
	for (i = 0; ports == TCP_DNS && i < w->nports; i++)
		if (port_allow(r, w->ports[i],
		    LANDLOCK_ACCESS_NET_CONNECT_TCP) == -1)
			return -1;
	return 0;
}

static int
ruleset_make(const struct role_row *row, unsigned abi, struct rules *r)
{
	struct compat_landlock_ruleset set = { 0 };
	size_t size = sizeof(set.handled_access_fs);

	set.handled_access_fs = r->files = files_known(files_handled(row),
	    abi);
	if (abi >= 4) {
		set.handled_access_net = r->ports = ports_handled(row->ports);
		size = 2 * sizeof(uint64_t);
	}
	if (abi >= 6) {
		size = sizeof(set);
		if (row->scoped)
			set.scoped = LANDLOCK_SCOPE_SIGNAL |
			    LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET;
	}
	r->fd = (int)syscall(SYS_landlock_create_ruleset, &set, size, 0);
	return r->fd == -1 ? -1 : 0;
}

int
landlock_enter(const struct sandbox *s, const struct sandbox_where *w)
{
	const struct role_row *row = role_row(s->role);
	unsigned abi = landlock_abi();
	struct rules r = { -1, 0, 0 };
	int rv = -1, saved;

	if (abi > ABI_KNOWN)
		abi = ABI_KNOWN;
	if (abi > s->options.landlock_max)
		abi = s->options.landlock_max;
	if (abi == 0 || row->files == FILES_FREE)
		return 0;
	if (ruleset_make(row, abi, &r) == -1)
		return -1;
	if (files_allow(&r, row->files, w) == 0 &&
	    ports_allow(&r, row->ports, w) == 0)
		rv = (int)syscall(SYS_landlock_restrict_self, r.fd, 0);
	saved = errno;
	close(r.fd);
	/* Without no_new_privs it takes a root with all of root's rights, which
	 * a container's has not: then it is as on a kernel without. */
	if (rv == -1 && saved == EPERM && !row->no_new_privs)
		return 0;
	errno = saved;
	return rv;
}
