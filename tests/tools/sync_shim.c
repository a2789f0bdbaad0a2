/*
 * tests/tools/sync_shim.c - preloaded into a suite by its tests: tells each call
 * of queued that makes something durable, holds it up or lets it fail on demand,
 * and moves queued's clock. Orders and events go through the file SYNC_SHIM,
 * mapped before the program shuts itself in; in other programs it does nothing.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX 65536
#define HOLD_STEP_NS 1000000

enum call { WRITE = 1, DATASYNC, SYNC, RENAME, UNLINK, BEGIN };

/* All eight octets wide: tests/suite/lib/shim.py knows the same places. */
struct control {
	_Atomic uint64_t hold;       /* inode whose fdatasync waits; 0: none */
	_Atomic uint64_t held;       /* calls that wait now */
	_Atomic uint64_t fail_sync;  /* so many fdatasyncs of `inode` fail */
	_Atomic uint64_t fail_write; /* so many pwritevs of `inode` fail */
	_Atomic uint64_t inode;      /* 0: any file */
	_Atomic uint64_t error;      /* errno of what fails */
	_Atomic uint64_t partly;     /* a failing write takes so many octets */
	_Atomic int64_t shift_s;     /* added to CLOCK_REALTIME */
	_Atomic uint64_t events;
	uint64_t unused[7];
	struct event {
		_Atomic uint64_t call;
		uint64_t inode, off, octets, error, pid;
	} list[EVENTS_MAX];
};

static struct control *ctl;

static bool
is_queued(void)
{
	char exe[1024];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	if (n <= 0)
		return false;
	exe[n] = '\0';
	return n > 7 && strcmp(exe + n - 7, "/queued") == 0;
}

static void
tell(enum call call, uint64_t inode, uint64_t off, uint64_t octets, int error)
{
	uint64_t at = atomic_fetch_add(&ctl->events, 1);
	struct event *e = &ctl->list[at % EVENTS_MAX];

	e->inode = inode;
	e->off = off;
	e->octets = octets;
	e->error = (uint64_t)error;
	e->pid = (uint64_t)getpid();
	atomic_store(&e->call, call);
}

__attribute__((constructor)) static void
attach(void)
{
	const char *path = getenv("SYNC_SHIM");
	void *p;
	int fd;

	if (path == NULL || !is_queued() ||
	    (fd = open(path, O_RDWR | O_CLOEXEC)) == -1)
		return;
	p = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return;
	ctl = p;
	tell(BEGIN, 0, 0, 0, 0);
}

static uint64_t
inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == -1 ? 0 : (uint64_t)st.st_ino;
}

/* Is this one of those that shall fail? Uses one up. */
static bool
shall_fail(_Atomic uint64_t *left, uint64_t inode)
{
	uint64_t n = atomic_load(left), only = atomic_load(&ctl->inode);

	if (only != 0 && only != inode)
		return false;
	while (n > 0)
		if (atomic_compare_exchange_weak(left, &n, n - 1))
			return true;
	return false;
}

static void
wait_while_held(uint64_t inode)
{
	const struct timespec step = { 0, HOLD_STEP_NS };

	if (atomic_load(&ctl->hold) != inode || inode == 0)
		return;
	atomic_fetch_add(&ctl->held, 1);
	while (atomic_load(&ctl->hold) == inode)
		nanosleep(&step, NULL);
	atomic_fetch_sub(&ctl->held, 1);
}

static int
refuse(enum call call, uint64_t inode, uint64_t off, uint64_t octets)
{
	int error = (int)atomic_load(&ctl->error);

	tell(call, inode, off, octets, error);
	errno = error;
	return -1;
}

/* The C library's own, which ours stand in front of. */
static void *
real(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

#define REAL(name) \
	__typeof__(&name) next; \
	void *sym = real(#name); \
	memcpy(&next, &sym, sizeof(next))

int
fdatasync(int fd)
{
	REAL(fdatasync);
	uint64_t inode;
	int rv, error;

	if (ctl == NULL)
		return next(fd);
	inode = inode_of(fd);
	wait_while_held(inode);
	if (shall_fail(&ctl->fail_sync, inode))
		return refuse(DATASYNC, inode, 0, 0);
	rv = next(fd);
	error = errno;
	tell(DATASYNC, inode, 0, 0, rv == -1 ? error : 0);
	errno = error;
	return rv;
}

int
fsync(int fd)
{
	REAL(fsync);
	int rv = next(fd), error = errno;

	if (ctl != NULL)
		tell(SYNC, inode_of(fd), 0, 0, rv == -1 ? error : 0);
	errno = error;
	return rv;
}

ssize_t
pwritev(int fd, const struct iovec *iov, int n, off_t off)
{
	REAL(pwritev);
	uint64_t inode, partly;
	ssize_t rv;
	int error;

	if (ctl == NULL)
		return next(fd, iov, n, off);
	inode = inode_of(fd);
	if (shall_fail(&ctl->fail_write, inode)) {
		partly = atomic_load(&ctl->partly);
		if (partly == 0 || n == 0 || iov[0].iov_len < partly)
			return refuse(WRITE, inode, (uint64_t)off, 0);
		rv = pwrite(fd, iov[0].iov_base, partly, off);
	} else
		rv = next(fd, iov, n, off);
	error = errno;
	tell(WRITE, inode, (uint64_t)off, rv == -1 ? 0 : (uint64_t)rv,
	    rv == -1 ? error : 0);
	errno = error;
	return rv;
}

int
renameat(int from, const char *old, int to, const char *new)
{
	REAL(renameat);
	int rv = next(from, old, to, new), error = errno;
	struct stat st;

	if (ctl != NULL) {
		uint64_t inode = fstatat(to, new, &st, AT_SYMLINK_NOFOLLOW) ==
		    -1 ? 0 : (uint64_t)st.st_ino;

		tell(RENAME, inode, inode_of(to), 0, rv == -1 ? error : 0);
	}
	errno = error;
	return rv;
}

int
unlinkat(int dir, const char *name, int flags)
{
	REAL(unlinkat);
	struct stat st;
	uint64_t inode;
	int rv;

	if (ctl == NULL)
		return next(dir, name, flags);
	inode = fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1 ? 0 :
	    (uint64_t)st.st_ino;
	rv = next(dir, name, flags);
	if (rv == 0)
		tell(UNLINK, inode, inode_of(dir), 0, 0);
	return rv;
}

int
clock_gettime(clockid_t which, struct timespec *t)
{
	REAL(clock_gettime);
	int rv = next(which, t);

	if (ctl != NULL && rv == 0 && which == CLOCK_REALTIME)
		t->tv_sec += (time_t)atomic_load(&ctl->shift_s);
	return rv;
}
