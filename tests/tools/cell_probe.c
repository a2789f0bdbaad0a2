/*
 * tests/tools/cell_probe.c - enters the cell of a role as that program does,
 * and tries what it must not be able to: each attempt in a process of its own.
 *
 *	cell_probe ROLE UID GID FOLDER [none] [abi N]
 *
 * FOLDER holds a file "w" that anybody may write. A line for each attempt;
 * exits with 1 when one that is forbidden worked, or one that is needed did
 * not.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/mem.h"
#include "lib/privsep/privsep.h"

/* What is there before the cell is entered: rights that it must not use. */
static struct {
	enum role role;
	const struct role_row *row;
	struct identity id;
	const char *folder;
	unsigned abi; /* of Landlock, as far as it is used */
	int host, program, tcp, udp, listener;
	struct sockaddr_in there;
	pid_t sibling;
} p;

#define PARENT_UID   60991
#define EXIT_REFUSED 100
static int said[2]; /* errno of what was refused */

static int
refused(long rv)
{
	int error = errno;

	if (rv != -1)
		return 0;
	if (write(said[1], &error, sizeof(error)) != sizeof(error))
		_exit(70);
	return EXIT_REFUSED;
}

/* -- attempts: 0 when it worked -------------------------------------------- */

static int try_open_name(void) { return refused(open("/w", O_RDWR)); }
static int
try_open_folder(void)
{
	char path[1100];

	snprintf(path, sizeof(path), "%s/w", p.folder);
	return refused(open(path, O_RDWR));
}
static int
try_open_host(void)
{
	return refused(openat(p.host, "etc/passwd", O_RDONLY));
}
static int
try_write_host(void)
{
	char path[1100];

	snprintf(path, sizeof(path), "%.*s/w",
	    (int)(strrchr(p.folder, '/') - p.folder) - 1, p.folder + 1);
	return refused(openat(p.host, path, O_RDWR));
}
static int try_tcp(void) { return refused(socket(AF_INET, SOCK_STREAM, 0)); }
static int try_udp(void) { return refused(socket(AF_INET6, SOCK_DGRAM, 0)); }
static int try_unix(void) { return refused(socket(AF_UNIX, SOCK_STREAM, 0)); }
static int try_raw(void) { return refused(socket(AF_INET, SOCK_RAW, 1)); }
static int
try_packet(void)
{
	return refused(socket(AF_PACKET, SOCK_DGRAM, 0));
}
static int
try_sctp(void)
{
	return refused(socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP));
}
static int
try_connect(void)
{
	return refused(connect(p.tcp, (struct sockaddr *)&p.there,
	    sizeof(p.there)));
}
static int
try_bind(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(61999) };

	return refused(bind(p.tcp, (struct sockaddr *)&a, sizeof(a)));
}
static int try_listen(void) { return refused(listen(p.tcp, 1)); }
static int
try_accept(void)
{
	int rv = accept(p.listener, NULL, NULL);

	return rv == -1 && errno == EAGAIN ? 0 : refused(rv);
}
static int
try_exec(void)
{
	static char *const argv[] = { NULL }, *const envp[] = { NULL };

	return refused(syscall(SYS_execveat, p.program, "", argv, envp,
	    AT_EMPTY_PATH));
}
static int
try_exec_name(void)
{
	return refused(execl("/bin/true", "true", (char *)NULL));
}
static int
try_ptrace(void)
{
	return refused(ptrace(PTRACE_ATTACH, p.sibling, NULL, NULL));
}
static int
try_memory(void)
{
	char c;
	struct iovec to = { &c, 1 }, from = { &said, 1 };

	return refused(syscall(SYS_process_vm_readv, p.sibling, &to, 1, &from,
	    1, 0));
}
static int try_kill(void) { return refused(kill(p.sibling, SIGCONT)); }
static int
try_tgkill(void)
{
	return refused(syscall(SYS_tgkill, p.sibling, p.sibling, SIGCONT));
}
static int try_setuid(void) { return refused(setuid(0)); }
static int try_setresuid(void) { return refused(setresuid(0, 0, 0)); }
static int try_setresgid(void) { return refused(setresgid(0, 0, 0)); }
static int
try_hidden_uid(void) /* a 0 that a filter of 64 bits does not see as one */
{
	return refused(syscall(SYS_setresuid, 1UL << 32, 1UL << 32,
	    1UL << 32));
}
static int try_uid_999(void) { return refused(setresuid(999, 999, 999)); }
static int
try_uid_user(void)
{
	return refused(setresuid(20001, 20001, 20001));
}
static int
try_groups(void)
{
	gid_t root = 0;

	return refused(syscall(SYS_setgroups, 1, &root));
}
static int try_chroot(void) { return refused(chroot(".")); }
static int try_unshare(void) { return refused(unshare(CLONE_NEWUSER)); }
static int
try_mount(void)
{
	return refused(syscall(SYS_mount, 0, 0, 0, 0, 0));
}
static int
try_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return refused(pid);
}
static void *nothing(void *arg) { return arg; }
static int
try_thread(void)
{
	pthread_t t;

	errno = pthread_create(&t, NULL, nothing, NULL);
	if (errno != 0)
		return refused(-1);
	return pthread_join(t, NULL) == 0 ? 0 : refused(-1);
}
static int
try_exec_memory(void)
{
	void *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return refused(m == MAP_FAILED ? -1 : 0);
}
static int
try_dumpable(void)
{
	return refused(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}
static int
try_bpf(void)
{
	return refused(syscall(SYS_bpf, 0, NULL, 0));
}
static int
try_io_uring(void)
{
	return refused(syscall(SYS_io_uring_setup, 1, NULL));
}
static int
try_perf(void)
{
	return refused(syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0));
}
static int
try_keyring(void)
{
	return refused(syscall(SYS_keyctl, 0, 0, 0, 0, 0));
}
static int
try_terminal(void) /* TIOCSTI: types for others */
{
	return refused(syscall(SYS_ioctl, 0, 0x5412, "x"));
}
static int
try_open_files(void)
{
	struct rlimit most = { 1 << 20, 1 << 20 };

	return refused(setrlimit(RLIMIT_NOFILE, &most));
}
static int
try_core(void)
{
	struct rlimit r;

	errno = EPERM;
	return refused(getrlimit(RLIMIT_CORE, &r) == 0 && r.rlim_max == 0
	    ? -1 : 0);
}
static int
try_abort(void) /* ends by the signal that it asks for */
{
	abort();
}
static int
try_work(void)
{
	char *m = malloc(1 << 20);
	int sv[2];

	if (m == NULL || socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == -1 ||
	    write(sv[0], "x", 1) != 1 || read(sv[1], m, 1) != 1)
		return refused(-1);
	free(m);
	return 0;
}

/* -- who may what ---------------------------------------------------------- */

static bool never(const struct role_row *r) { (void)r; return false; }
static bool always(const struct role_row *r) { (void)r; return true; }
static bool
names_there(const struct role_row *r)
{
	/* a folder's own file, by the name that it has in the new root */
	return !p.id.none && (r->files == FILES_ROOT ||
	    r->files == FILES_LOCKS);
}
/* Without Landlock a descriptor of a folder opens all that lies there. */
static bool
unbound(const struct role_row *r)
{
	return p.abi == 0 && (r->calls == 0 ||
	    (r->calls & (CALLS_NAMES | CALLS_MODULES)));
}
static bool
in_folder(const struct role_row *r)
{
	if (unbound(r) && (p.id.none || r->root == ROOT_HOST))
		return true;
	if (p.id.none && (r->files == FILES_ROOT || r->files == FILES_LOCKS))
		return true;
	return r->files == FILES_OWN || r->files == FILES_BOX;
}
static bool
looks(const struct role_row *r)
{
	return r->files == FILES_LOOK || r->files == FILES_OWN || unbound(r);
}
static bool
own(const struct role_row *r)
{
	return r->files == FILES_OWN || unbound(r);
}
static bool
inet(const struct role_row *r)
{
	return r->calls & (CALLS_INET | CALLS_MODULES);
}
static bool
modules(const struct role_row *r)
{
	return r->calls & CALLS_MODULES;
}
static bool
connects(const struct role_row *r)
{
	return r->ports == TCP_OUT || r->ports == TCP_FREE ||
	    (inet(r) && p.abi < 4);
}
static bool
binds(const struct role_row *r)
{
	return r->ports == TCP_FREE ||
	    (inet(r) && p.abi < 4);
}
static bool
accepts(const struct role_row *r)
{
	return r->calls & CALLS_ACCEPT;
}
static bool forks(const struct role_row *r) { return r->calls & CALLS_FORK; }
static bool
becomes(const struct role_row *r)
{
	return forks(r) && !p.id.none;
}
static bool
signals(const struct role_row *r)
{
	return forks(r) && p.abi < 6;
}
static bool
threads(const struct role_row *r)
{
	return r->calls & (CALLS_THREADS | CALLS_MODULES);
}

static const struct attempt {
	const char *name;
	int (*run)(void);
	bool (*may)(const struct role_row *);
} attempts[] = {
	{ "open", try_open_name, names_there },
	{ "open-folder", try_open_folder, in_folder },
	{ "open-host", try_open_host, looks },
	{ "write-host", try_write_host, own },
	{ "socket-tcp", try_tcp, inet },
	{ "socket-udp", try_udp, inet },
	{ "socket-unix", try_unix, modules },
	{ "socket-raw", try_raw, never },
	{ "socket-packet", try_packet, never },
	{ "socket-sctp", try_sctp, never },
	{ "connect", try_connect, connects },
	{ "bind", try_bind, binds },
	{ "listen", try_listen, never },
	{ "accept", try_accept, accepts },
	{ "execve", try_exec, never },
	{ "execve-name", try_exec_name, never },
	{ "ptrace", try_ptrace, never },
	{ "memory-of-sibling", try_memory, never },
	{ "kill-sibling", try_kill, never },
	{ "tgkill-sibling", try_tgkill, signals },
	{ "setuid-0", try_setuid, never },
	{ "setresuid-0", try_setresuid, never },
	{ "setresgid-0", try_setresgid, never },
	{ "setresuid-hidden", try_hidden_uid, never },
	{ "setresuid-999", try_uid_999, never },
	{ "setresuid-user", try_uid_user, becomes },
	{ "setgroups-0", try_groups, never },
	{ "chroot", try_chroot, never },
	{ "unshare", try_unshare, never },
	{ "mount", try_mount, never },
	{ "fork", try_fork, forks },
	{ "thread", try_thread, threads },
	{ "executable-memory", try_exec_memory, modules },
	{ "dumpable", try_dumpable, modules },
	{ "bpf", try_bpf, never },
	{ "io_uring", try_io_uring, never },
	{ "perf", try_perf, never },
	{ "keyring", try_keyring, never },
	{ "terminal", try_terminal, never },
	{ "more-files", try_open_files, never },
	{ "core-file", try_core, never },
	{ "work", try_work, always },
	{ "abort", try_abort, always },
};

/* -- the cell -------------------------------------------------------------- */

/* What a user's process is forked by. */
static void
enter_parent(void)
{
	const struct sandbox_where where = { .root = "/" };
	struct identity id = p.id;
	struct sandbox cell;

	id.uid = id.gid = p.id.none ? p.id.uid : PARENT_UID;
	sandbox_prepare(&cell, p.row->parent, &id.sandbox);
	privsep_drop(p.row->parent, &id);
	sandbox_enter(&cell, &where);
}

/* As lib/ipc/daemon.c and, for users' processes, lib/ipc/waiting.c do it. */
static void
enter(void)
{
	char box[1100];
	const struct sandbox_where where = {
		.root = p.id.none ? p.id.root : "/", .mailbox = box,
		.index = p.folder };
	struct sandbox cell;

	snprintf(box, sizeof(box), "%s/box", p.folder);
	sandbox_prepare(&cell, p.role, &p.id.sandbox);
	if (!p.row->no_new_privs) {
		sandbox_enter(&cell, &where); /* while it is root */
		privsep_drop(p.role, &p.id);
		return;
	}
	if (p.row->parent == ROLE_NONE) {
		privsep_drop(p.role, &p.id);
	} else {
		enter_parent();
		privsep_limits(p.role, p.id.none);
		if (!p.id.none && privsep_become(p.id.uid, p.id.gid,
		    (gid_t)-1) == -1)
			fatal("becoming %u", (unsigned)p.id.uid);
	}
	sandbox_enter(&cell, &where);
}

/* A process of the same uid that nothing but the cell protects. */
static pid_t
sibling_start(void)
{
	int ready[2], over[2];
	char c;
	pid_t pid;

	if (pipe(ready) == -1 || pipe(over) == -1 || (pid = fork()) == -1)
		fatal("a sibling");
	if (pid == 0) {
		if (!p.id.none && (setresgid(p.id.gid, p.id.gid, p.id.gid) ==
		    -1 || setresuid(p.id.uid, p.id.uid, p.id.uid) == -1))
			_exit(70);
		prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
		close(over[1]);
		if (write(ready[1], "x", 1) != 1 || read(over[0], &c, 1) != 0)
			_exit(70);
		_exit(0); /* the one that tries has ended */
	}
	close(ready[1]);
	close(over[0]);
	if (read(ready[0], &c, 1) != 1)
		fatalx("the sibling did not start");
	close(ready[0]);
	return pid;
}

static void
things_make(void)
{
	socklen_t len = sizeof(p.there);

	p.host = open("/", O_PATH | O_DIRECTORY);
	p.program = open("/bin/true", O_PATH);
	p.tcp = socket(AF_INET, SOCK_STREAM, 0);
	p.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	p.there = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (bind(p.listener, (struct sockaddr *)&p.there, len) == -1 ||
	    listen(p.listener, 64) == -1 ||
	    getsockname(p.listener, (struct sockaddr *)&p.there, &len) == -1 ||
	    p.host == -1 || p.program == -1 || p.tcp == -1)
		fatal("preparing");
	p.sibling = sibling_start();
}

static int
attempt_run(const struct attempt *a)
{
	int status, error = 0;
	char how[64];
	bool worked, may = a->may(p.row);
	pid_t pid;

	if (pipe2(said, O_NONBLOCK) == -1 || (pid = fork()) == -1)
		fatal("fork");
	if (pid == 0) {
		things_make();
		enter();
		status = a->run();
		_exit(status);
	}
	if (waitpid(pid, &status, 0) != pid)
		fatal("waitpid");
	while (waitpid(-1, NULL, 0) > 0)
		; /* the sibling, which has become our child */
	worked = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	if (a->run == try_abort)
		worked = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
	if (WIFSIGNALED(status))
		snprintf(how, sizeof(how), "ended by signal %d",
		    WTERMSIG(status));
	else if (read(said[0], &error, sizeof(error)) == sizeof(error))
		snprintf(how, sizeof(how), "%s", strerror(error));
	else
		snprintf(how, sizeof(how), "status %d", WEXITSTATUS(status));
	close(said[0]);
	close(said[1]);
	printf("%-10s %-18s %-8s %s%s\n", p.row->name, a->name,
	    may ? "may" : "must not", how, worked == may ? "" : "  WRONG");
	return worked != may;
}

int
main(int argc, char *argv[])
{
	int i, wrong = 0;
	size_t k;

	log_init("cell_probe");
	setvbuf(stdout, NULL, _IONBF, 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	if (argc < 5 || (p.role = role_find(argv[1])) == ROLE_NONE)
		fatalx("usage: cell_probe ROLE UID GID FOLDER [none] [abi N]");
	p.row = role_row(p.role);
	p.folder = argv[4];
	p.id = (struct identity){ .uid = (uid_t)strtoul(argv[2], NULL, 10),
		.gid = (gid_t)strtoul(argv[3], NULL, 10),
		.sandbox.landlock_max = UINT8_MAX };
	snprintf(p.id.root, sizeof(p.id.root), "%s", p.folder);
	for (i = 5; i < argc; i++)
		if (strcmp(argv[i], "none") == 0)
			p.id.none = true;
		else if (strcmp(argv[i], "abi") == 0 && i + 1 < argc)
			p.id.sandbox.landlock_max = (uint8_t)strtoul(
			    argv[++i], NULL, 10);
	p.abi = landlock_abi();
	if (p.abi > p.id.sandbox.landlock_max)
		p.abi = p.id.sandbox.landlock_max;
	for (k = 0; k < nitems(attempts); k++)
		/* without a filter of calls only files are bounded */
		if (p.row->calls != 0 || attempts[k].may == own ||
		    attempts[k].may == looks || attempts[k].may == in_folder)
			wrong += attempt_run(&attempts[k]);
	return wrong != 0;
}
