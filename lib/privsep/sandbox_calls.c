/*
 * lib/privsep/sandbox_calls.c - the sets of system calls. What is in no set of
 * a role ends the process. Names of files are the exception: the C library asks
 * for some on its own, at times that nobody foresees (its time zone, the number
 * of processors, character sets), and can do without: they are answered "no".
 */
#include "lib/privsep/sandbox_calls.h"

#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41 /* Linux 5.17: the C library names its memory */
#endif
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

#define BASE    CALLS_BASE
#define ACCEPT  CALLS_ACCEPT
#define INET    CALLS_INET
#define THREADS CALLS_THREADS
#define NAMES   CALLS_NAMES
#define DISK    CALLS_DISK
#define LOCKS   CALLS_LOCKS
#define GROUP   CALLS_GROUP
#define MEMFD   CALLS_MEMFD
#define MODULES CALLS_MODULES
#define FORK    CALLS_FORK

/* A fork has none of these: a namespace, its parent's memory, a tracer. */
#define CLONE_STRANGE ((uint64_t)(CLONE_NEWNS | CLONE_NEWCGROUP | \
	CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | \
	CLONE_NEWNET | CLONE_NEWTIME | CLONE_PTRACE | CLONE_VM | CLONE_FS | \
	CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_PARENT))

#define YES(sets, call) { sets, 0, SCMP_SYS(call), CALLS_ALLOW, 0, { { 0 } } }
#define NOT(but, call, error) \
	{ BASE, but, SCMP_SYS(call), CALLS_DENY(error), 0, { { 0 } } }
#define IF(sets, call, ...) \
	{ sets, 0, SCMP_SYS(call), CALLS_ALLOW, 1, { __VA_ARGS__ } }
#define IF2(sets, call, ...) \
	{ sets, 0, SCMP_SYS(call), CALLS_ALLOW, 2, { __VA_ARGS__ } }
#define NOT_IF(but, call, error, ...) \
	{ BASE, but, SCMP_SYS(call), CALLS_DENY(error), 1, { __VA_ARGS__ } }
#define IF_BUT(sets, but, call, ...) \
	{ sets, but, SCMP_SYS(call), CALLS_ALLOW, 1, { __VA_ARGS__ } }

#define ARG(n, v)       { n, SCMP_CMP_EQ, (v), 0 }
#define ARG_NOT(n, v)   { n, SCMP_CMP_NE, (v), 0 }
#define ARG_HAS(n, m)   { n, SCMP_CMP_MASKED_EQ, (m), (m) }
#define ARG_LACKS(n, m) { n, SCMP_CMP_MASKED_EQ, (m), 0 }
#define ARG_MASK(n, m, v) { n, SCMP_CMP_MASKED_EQ, (m), (v) }

/* The kind of a socket without its flags (SOCK_NONBLOCK, SOCK_CLOEXEC). */
#define SOCK_KIND 0xf
#define NET       (INET | MODULES)
#define SOCKET(family, kind, protocol) \
	{ NET, 0, SCMP_SYS(socket), CALLS_ALLOW, 3, { ARG(0, family), \
	    ARG_MASK(1, SOCK_KIND, kind), ARG(2, protocol) } }

const struct call_row sandbox_calls[] = {
	/* -- octets through descriptors that are there --------------------- */
	YES(BASE, read), YES(BASE, readv), YES(BASE, pread64),
	YES(BASE, preadv), YES(BASE, preadv2), YES(BASE, write),
	YES(BASE, writev), YES(BASE, recvfrom), YES(BASE, recvmsg),
	YES(BASE, recvmmsg), YES(BASE, sendto), YES(BASE, sendmsg),
	YES(BASE, sendmmsg), YES(BASE, recv), YES(BASE, send),
	YES(BASE, shutdown), YES(BASE, getsockopt), YES(BASE, setsockopt),
	YES(BASE, getsockname), YES(BASE, getpeername),
	YES(BASE, lseek), YES(BASE, _llseek), YES(BASE, sendfile),
	YES(BASE, close), YES(BASE, close_range), YES(BASE, dup),
	YES(BASE, dup2), YES(BASE, dup3), YES(BASE, pipe), YES(BASE, pipe2),
	YES(BASE, fstat), YES(BASE, fstat64), YES(BASE, fadvise64),
	IF(BASE, socketpair, ARG(0, AF_UNIX)),
	/* fcntl: but nothing that has signals sent */
	IF(BASE, fcntl, ARG(1, F_DUPFD)), IF(BASE, fcntl, ARG(1, F_GETFD)),
	IF(BASE, fcntl, ARG(1, F_DUPFD_CLOEXEC)),
	IF(BASE, fcntl, ARG(1, F_SETFD)), IF(BASE, fcntl, ARG(1, F_GETFL)),
	IF(BASE, fcntl, ARG(1, F_SETFL)), IF(BASE, fcntl, ARG(1, F_SETLK)),
	IF(BASE, fcntl, ARG(1, F_SETLKW)), IF(BASE, fcntl, ARG(1, F_GETLK)),
	IF(BASE, fcntl, ARG(1, F_OFD_SETLK)),
	IF(BASE, fcntl, ARG(1, F_OFD_SETLKW)),
	IF(BASE, fcntl, ARG(1, F_OFD_GETLK)), YES(BASE, fcntl64),
	/* isatty, at stdio's first use of a descriptor */
	IF(BASE, ioctl, ARG(1, TCGETS)), IF(BASE, ioctl, ARG(1, TCGETS2)),
	IF(BASE, ioctl, ARG(1, TIOCGWINSZ)), /* musl asks for that */
	IF(BASE, ioctl, ARG(1, FIONREAD)),
	IF(BASE, ioctl, ARG(1, FIONBIO)),

	/* -- waiting and time ---------------------------------------------- */
	YES(BASE, epoll_create1), YES(BASE, epoll_create),
	YES(BASE, epoll_ctl), YES(BASE, epoll_wait), YES(BASE, epoll_pwait),
	YES(BASE, epoll_pwait2), YES(BASE, eventfd2),
	YES(BASE, timerfd_create), YES(BASE, timerfd_settime),
	YES(BASE, poll), YES(BASE, ppoll), YES(BASE, select),
	YES(BASE, _newselect), YES(BASE, pselect6), YES(BASE, nanosleep),
	YES(BASE, clock_nanosleep), YES(BASE, clock_gettime),
	YES(BASE, clock_gettime64), YES(BASE, clock_getres),
	YES(BASE, gettimeofday), YES(BASE, time), YES(BASE, restart_syscall),

	/* -- memory: none that is made executable -------------------------- */
	YES(BASE, brk), YES(BASE, munmap), YES(BASE, mremap),
	YES(BASE, madvise), YES(BASE, mincore), YES(BASE, mlock),
	YES(BASE, mlock2), YES(BASE, munlock), YES(BASE, membarrier),
	IF_BUT(BASE, MODULES, mmap, ARG_LACKS(2, PROT_EXEC)),
	IF_BUT(BASE, MODULES, mmap2, ARG_LACKS(2, PROT_EXEC)),
	IF_BUT(BASE, MODULES, mprotect, ARG_LACKS(2, PROT_EXEC)),
	NOT_IF(MODULES, mmap, EACCES, ARG_HAS(2, PROT_EXEC)),
	NOT_IF(MODULES, mmap2, EACCES, ARG_HAS(2, PROT_EXEC)),
	NOT_IF(MODULES, mprotect, EACCES, ARG_HAS(2, PROT_EXEC)),

	/* -- itself, and its end ------------------------------------------- */
	YES(BASE, getpid), YES(BASE, getppid), YES(BASE, gettid),
	YES(BASE, getuid), YES(BASE, geteuid), YES(BASE, getgid),
	YES(BASE, getegid), YES(BASE, getresuid), YES(BASE, getresgid),
	YES(BASE, getgroups), YES(BASE, getrandom), YES(BASE, getrusage),
	YES(BASE, getrlimit), YES(BASE, ugetrlimit), YES(BASE, times),
	YES(BASE, uname), YES(BASE, sysinfo), YES(BASE, getcpu),
	YES(BASE, sched_yield), YES(BASE, sched_getaffinity),
	YES(BASE, futex), YES(BASE, futex_time64),
	YES(BASE, set_robust_list), YES(BASE, get_robust_list),
	YES(BASE, rseq), YES(BASE, set_tid_address), YES(BASE, umask),
	YES(BASE, rt_sigaction), YES(BASE, rt_sigprocmask),
	YES(BASE, rt_sigreturn), YES(BASE, sigreturn),
	YES(BASE, sigaltstack), YES(BASE, rt_sigtimedwait),
	YES(BASE, exit), YES(BASE, exit_group),
	IF_BUT(BASE, FORK, tgkill, ARG(0, CALLS_SELF)), /* abort(3) */
	IF_BUT(BASE, FORK, prlimit64, ARG(2, 0)), /* asks, sets nothing */
	NOT_IF(FORK, prlimit64, EPERM, ARG_NOT(2, 0)),
	IF(BASE, prctl, ARG(0, PR_SET_NAME)), IF(BASE, prctl,
	    ARG(0, PR_SET_VMA)), IF(BASE, prctl, ARG(0, PR_GET_DUMPABLE)),

	/* -- names of files ------------------------------------------------ */
	YES(NAMES | MODULES, open), YES(NAMES | MODULES, openat),
	YES(NAMES | MODULES, openat2), YES(NAMES | MODULES, stat),
	YES(NAMES | MODULES, stat64), YES(NAMES | MODULES, lstat),
	YES(NAMES | MODULES, lstat64), YES(NAMES | MODULES, newfstatat),
	YES(NAMES | MODULES, fstatat64), YES(NAMES | MODULES, statx),
	YES(NAMES | MODULES, access), YES(NAMES | MODULES, faccessat),
	YES(NAMES | MODULES, faccessat2), YES(NAMES | MODULES, readlink),
	YES(NAMES | MODULES, readlinkat), YES(NAMES | MODULES, getcwd),
	YES(NAMES | MODULES, getdents64), YES(NAMES | MODULES, getdents),
	YES(NAMES | MODULES, statfs), YES(NAMES | MODULES, fstatfs),
	YES(NAMES | MODULES, fchdir), YES(NAMES | MODULES, chdir),
	NOT(NAMES | MODULES, open, EACCES),
	NOT(NAMES | MODULES, openat, EACCES),
	NOT(NAMES | MODULES, openat2, EACCES),
	NOT(NAMES | MODULES, stat, EACCES),
	NOT(NAMES | MODULES, lstat, EACCES),
	NOT(NAMES | MODULES, access, EACCES),
	NOT(NAMES | MODULES, faccessat, EACCES),
	NOT(NAMES | MODULES, faccessat2, EACCES),
	NOT(NAMES | MODULES, readlink, EACCES),
	NOT(NAMES | MODULES, readlinkat, EACCES),
	NOT(NAMES | MODULES, getcwd, EACCES),
	/* fstat(2), as the C library does it */
	IF_BUT(BASE, NAMES | MODULES, newfstatat,
	    ARG_HAS(3, AT_EMPTY_PATH)),
	NOT_IF(NAMES | MODULES, newfstatat, EACCES,
	    ARG_LACKS(3, AT_EMPTY_PATH)),
	IF_BUT(BASE, NAMES | MODULES, fstatat64, ARG_HAS(3, AT_EMPTY_PATH)),
	NOT_IF(NAMES | MODULES, fstatat64, EACCES,
	    ARG_LACKS(3, AT_EMPTY_PATH)),
	IF_BUT(BASE, NAMES | MODULES, statx, ARG_HAS(2, AT_EMPTY_PATH)),
	NOT_IF(NAMES | MODULES, statx, EACCES, ARG_LACKS(2, AT_EMPTY_PATH)),

	/* -- files changed ------------------------------------------------- */
	YES(DISK, pwrite64), YES(DISK, pwritev), YES(DISK, pwritev2),
	YES(DISK, fsync), YES(DISK, fdatasync), YES(DISK, sync_file_range),
	YES(DISK, ftruncate), YES(DISK, ftruncate64), YES(DISK, fallocate),
	YES(DISK, unlink), YES(DISK, unlinkat), YES(DISK, rename),
	YES(DISK, renameat), YES(DISK, renameat2), YES(DISK, link),
	YES(DISK, linkat), YES(DISK, mkdir), YES(DISK, mkdirat),
	YES(DISK, rmdir), YES(DISK, fchmod), YES(DISK, fchown),
	YES(DISK, fchmodat), YES(DISK, chmod), YES(DISK, flock),
	YES(DISK, utimensat), YES(DISK, copy_file_range), YES(DISK, msync),
	YES(MEMFD, memfd_create), YES(MEMFD, pwrite64),
	IF(LOCKS, kill, ARG(1, 0)), YES(GROUP, setresgid),

	/* -- the network --------------------------------------------------- */
	YES(ACCEPT, accept), YES(ACCEPT, accept4),
	YES(NET, connect), YES(NET, bind),
	SOCKET(AF_INET, SOCK_STREAM, 0), SOCKET(AF_INET, SOCK_STREAM,
	    IPPROTO_TCP), SOCKET(AF_INET, SOCK_DGRAM, 0), SOCKET(AF_INET,
	    SOCK_DGRAM, IPPROTO_UDP), SOCKET(AF_INET6, SOCK_STREAM, 0),
	SOCKET(AF_INET6, SOCK_STREAM, IPPROTO_TCP), SOCKET(AF_INET6,
	    SOCK_DGRAM, 0), SOCKET(AF_INET6, SOCK_DGRAM, IPPROTO_UDP),
	/* nscd, sssd, userdb; which addresses this host has */
	IF(MODULES, socket, ARG(0, AF_UNIX)),
	IF(MODULES, socket, ARG(0, AF_NETLINK)),
	YES(MODULES, mmap), YES(MODULES, mmap2), YES(MODULES, mprotect),
	YES(MODULES, ioctl), YES(MODULES, inotify_init1),
	YES(MODULES, inotify_add_watch), YES(MODULES, prctl),

	/* -- threads: clone3 hides its flags from a filter ----------------- */
	IF(THREADS | MODULES, clone, ARG_HAS(0, CLONE_THREAD)),
	NOT(0, clone3, ENOSYS),

	/* -- a waiting process and what its children need to begin with ---- */
	IF(FORK, clone, ARG_LACKS(0, CLONE_STRANGE)),
	YES(FORK, fork), YES(FORK, tgkill), YES(FORK, wait4), YES(FORK, waitid),
	/* which ids they are is looked at by a filter of its own */
	YES(FORK, setresuid), YES(FORK, setresgid), YES(FORK, prlimit64),
	IF(FORK, setgroups, ARG(0, 0)), YES(FORK, capset),
	YES(FORK, seccomp), YES(FORK, landlock_create_ruleset),
	YES(FORK, landlock_add_rule), YES(FORK, landlock_restrict_self),
	IF(FORK, prctl, ARG(0, PR_SET_NO_NEW_PRIVS)),
	IF2(FORK, prctl, ARG(0, PR_SET_DUMPABLE), ARG(1, 0)),
};

const size_t sandbox_ncalls = sizeof(sandbox_calls) /
    sizeof(sandbox_calls[0]);
