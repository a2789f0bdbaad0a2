/*
 * lib/store/dotlock.c - the lock file beside a mailbox. Its text names machine,
 * boot, pid namespace and process, so that what a crash left is seen as such at
 * once; nobody's running lock is ever broken for its age by us, because ours
 * are refreshed and others' get procmail's 1024 seconds.
 */
#include "lib/store/dotlock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/span.h"
#include "lib/store/file.h"

#define LOCK_TEXT_MAX 160

/* Nobody else's lock has this mode: one of ours that is empty was cut off
 * between its making and its text, which are microseconds apart. */
#define LOCK_MODE   0444
#define LOCK_TORN_S 2
#define LOCK_NAME_MAX (STORE_NAME_MAX + 8)

/* One word of a small file; "-" when there is none. */
static void
read_word(const char *path, char *out, size_t size)
{
	struct span word, rest;
	char text[64];
	ssize_t n = -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd != -1) {
		n = read(fd, text, sizeof(text));
		close(fd);
	}
	span_split(span_make(text, n > 0 ? (size_t)n : 0), '\n', &word, &rest);
	if (word.len == 0 || !span_printable(word) ||
	    span_find(word, ' ') != -1 || span_copy(word, out, size) == -1)
		memcpy(out, "-", 2);
}

void
dotlock_identify(struct dotlock_id *id)
{
	struct stat st;

	memset(id, 0, sizeof(*id));
	read_word("/etc/machine-id", id->machine, sizeof(id->machine));
	read_word("/proc/sys/kernel/random/boot_id", id->boot,
	    sizeof(id->boot));
	if (stat("/proc/self/ns/pid", &st) == 0)
		id->pid_ns = (uint64_t)st.st_ino;
	id->pid = getpid();
}

static int
lock_name(const char *mailbox, char out[LOCK_NAME_MAX])
{
	if (!file_name_ok(mailbox) || strlen(mailbox) > STORE_NAME_MAX) {
		errno = EINVAL;
		return -1;
	}
	snprintf(out, LOCK_NAME_MAX, "%s.lock", mailbox);
	return 0;
}

static int
lock_text(const struct dotlock_id *id, char out[LOCK_TEXT_MAX])
{
	return snprintf(out, LOCK_TEXT_MAX, "barid %s %s %" PRIu64 " %ld\n",
	    id->machine, id->boot, id->pid_ns, (long)id->pid);
}

static ssize_t
lock_read(int dir, const char *name, char out[LOCK_TEXT_MAX], struct stat *st)
{
	ssize_t n = -1;
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
	    O_CLOEXEC);

	/* mutt's locks may be unreadable for us: their age is all we need. */
	if (fd == -1)
		return fstatat(dir, name, st, AT_SYMLINK_NOFOLLOW) == -1 ? -1
		    : 0;
	if (fstat(fd, st) == 0)
		n = S_ISREG(st->st_mode) ? read(fd, out, LOCK_TEXT_MAX) : 0;
	close(fd);
	return n;
}

/* Does the text say that its writer is gone for certain? */
static bool
text_is_dead(struct span text, const struct dotlock_id *id)
{
	struct span line, rest, word[5], w;
	uint64_t ns, pid;
	size_t n = 0;

	span_split(text, '\n', &line, &rest);
	while (n < nitems(word) && span_next(&line, ' ', &w))
		word[n++] = w;
	if (n != nitems(word) || !span_eqstr(word[0], "barid") ||
	    strcmp(id->boot, "-") == 0)
		return false;
	/* A boot id is random: ours names this machine, even where it has no
	 * machine-id, as in many a container. */
	if (!span_eqstr(word[2], id->boot))
		return strcmp(id->machine, "-") != 0 &&
		    span_eqstr(word[1], id->machine) &&
		    !span_eqstr(word[2], "-");
	if (span_u64(word[3], UINT64_MAX, &ns) == -1 || ns != id->pid_ns ||
	    ns == 0 || span_u64(word[4], INT32_MAX, &pid) == -1 || pid == 0)
		return false;
	return kill((pid_t)pid, 0) == -1 && errno == ESRCH;
}

static bool
lock_is_stale(int dir, const char *name, const struct dotlock_id *id,
    struct stat *st)
{
	char text[LOCK_TEXT_MAX];
	ssize_t n = lock_read(dir, name, text, st);
	time_t age;

	if (n == -1)
		return false;
	if (n > 0 && text_is_dead(span_make(text, (size_t)n), id))
		return true;
	age = time(NULL) - st->st_mtime;
	if (n == 0 && st->st_size == 0 && S_ISREG(st->st_mode) &&
	    (st->st_mode & 0700) == (LOCK_MODE & 0700) && /* umask aside */
	    st->st_uid == geteuid() &&
	    age >= LOCK_TORN_S)
		return true;
	return age > DOTLOCK_AGE_S;
}

static int
lock_file(int dir, const char *name, const struct dotlock_id *id)
{
	char text[LOCK_TEXT_MAX];
	int fd, n = lock_text(id, text);

	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, LOCK_MODE);
	if (fd == -1) {
		if (errno == EEXIST)
			errno = EAGAIN;
		return -1;
	}
	/* Without its text it would outlive a crash of ours for long. */
	if (write(fd, text, (size_t)n) != (ssize_t)n) {
		unlinkat(dir, name, 0);
		close(fd);
		errno = ENOSPC;
		return -1;
	}
	close(fd);
	return 0;
}

/* What the name stands for, is it the file that our locks are links to? */
static bool
is_common(int dir, const char *name, const struct dotlock_id *id)
{
	struct stat st;

	return id->dev != 0 &&
	    fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (uint64_t)st.st_dev == id->dev && (uint64_t)st.st_ino == id->ino;
}

static int
lock_make(int dir, const char *name, const struct dotlock_id *id)
{
	if (id->dev != 0) {
		if (linkat(dir, DOTLOCK_COMMON, dir, name, 0) == 0)
			return 0;
		if (errno == EEXIST) {
			errno = EAGAIN;
			return -1;
		}
	}
	return lock_file(dir, name, id);
}

int
dotlock_common_open(int dir, struct dotlock_id *id)
{
	struct stat st;

	id->dev = 0;
	/* one of an earlier run; its locks keep what they are links to */
	if (unlinkat(dir, DOTLOCK_COMMON, 0) == -1 && errno != ENOENT)
		return -1;
	if (lock_file(dir, DOTLOCK_COMMON, id) == -1 ||
	    fstatat(dir, DOTLOCK_COMMON, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return -1;
	id->dev = (uint64_t)st.st_dev;
	id->ino = (uint64_t)st.st_ino;
	return 0;
}

void
dotlock_common_close(int dir, struct dotlock_id *id)
{
	if (is_common(dir, DOTLOCK_COMMON, id))
		unlinkat(dir, DOTLOCK_COMMON, 0);
	id->dev = 0;
}

int
dotlock_take(int dir, const char *mailbox, const struct dotlock_id *id)
{
	char name[LOCK_NAME_MAX];
	struct stat st, now;

	if (lock_name(mailbox, name) == -1)
		return -1;
	if (lock_make(dir, name, id) == 0)
		return 0;
	if (errno != EAGAIN)
		return -1;
	if (!lock_is_stale(dir, name, id, &st)) {
		errno = EAGAIN;
		return -1;
	}
	/* The one that we judged, not one that was made meanwhile. */
	if (fstatat(dir, name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
	    now.st_ino == st.st_ino && now.st_dev == st.st_dev &&
	    now.st_mtim.tv_sec == st.st_mtim.tv_sec &&
	    now.st_mtim.tv_nsec == st.st_mtim.tv_nsec &&
	    unlinkat(dir, name, 0) == -1 && errno != ENOENT)
		return -1;
	return lock_make(dir, name, id);
}

/* Is the lock that lies there the one that id made? */
static bool
lock_is_ours(int dir, const char *name, const struct dotlock_id *id)
{
	char text[LOCK_TEXT_MAX], want[LOCK_TEXT_MAX];
	struct stat st;
	ssize_t n;

	if (is_common(dir, name, id))
		return true;
	n = lock_read(dir, name, text, &st);
	return n > 0 && n == (ssize_t)lock_text(id, want) &&
	    memcmp(text, want, (size_t)n) == 0;
}

int
dotlock_refresh(int dir, const char *mailbox, const struct dotlock_id *id)
{
	char name[LOCK_NAME_MAX];

	if (lock_name(mailbox, name) == -1)
		return -1;
	if (!lock_is_ours(dir, name, id)) {
		errno = ESTALE;
		return -1;
	}
	return utimensat(dir, name, NULL, AT_SYMLINK_NOFOLLOW);
}

void
dotlock_drop(int dir, const char *mailbox, const struct dotlock_id *id)
{
	char name[LOCK_NAME_MAX];

	if (lock_name(mailbox, name) == 0 && lock_is_ours(dir, name, id))
		unlinkat(dir, name, 0);
}

static int
local_take(void *arg, const char *mailbox)
{
	struct dotlock_local *l = arg;

	if (dotlock_take(l->dir, mailbox, &l->id) == 0)
		return 0;
	/* A folder that is not ours to write to: nobody can want it there. */
	return errno == EACCES || errno == EPERM || errno == EROFS ? 0 : -1;
}

static void
local_drop(void *arg, const char *mailbox)
{
	struct dotlock_local *l = arg;

	dotlock_drop(l->dir, mailbox, &l->id);
}

void
dotlock_local_init(struct dotlock_local *l, int dir)
{
	dotlock_identify(&l->id);
	l->dir = dir;
	l->locks.dotlock = local_take;
	l->locks.dotunlock = local_drop;
	l->locks.arg = l;
}
