/*
 * lib/store/file.c - files in places where others may write: opened relative to
 * a directory, checked after opening, locked with bounded patience.
 */
#include "lib/store/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"

bool
file_name_ok(const char *name)
{
	return name[0] != '\0' && strchr(name, '/') == NULL &&
	    strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

int
file_check(int fd, uid_t owner)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return -1;
	if (!S_ISREG(st.st_mode) || st.st_uid != owner || st.st_nlink != 1) {
		errno = EPERM;
		return -1;
	}
	return 0;
}

int
file_open(int dir, const char *name, int flags, uid_t owner)
{
	int fd, saved;

	if (!file_name_ok(name)) {
		errno = EINVAL;
		return -1;
	}
	/* O_NONBLOCK: a FIFO in the place of the file must not hold us. */
	fd = openat(dir, name, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK |
	    O_NOCTTY);
	if (fd == -1) {
		if (errno == ELOOP || errno == ENXIO)
			errno = EPERM;
		return -1;
	}
	if (file_check(fd, owner) == -1) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

bool
file_same(int dir, const char *name, int fd)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 &&
	    fstatat(dir, name, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
	    a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_nlink == 1;
}

int
file_stands(int dir, const char *name, int fd, uid_t owner)
{
	struct stat a, b;

	if (fstat(fd, &a) == -1)
		return -1;
	if (fstatat(dir, name, &b, AT_SYMLINK_NOFOLLOW) == -1 ||
	    a.st_dev != b.st_dev || a.st_ino != b.st_ino)
		return 0;
	if (S_ISREG(a.st_mode) && a.st_uid == owner && a.st_nlink == 1)
		return 1;
	errno = EPERM;
	return -1;
}

void
file_nap(int max_ms)
{
	struct timespec ts = { 0, 0 };
	uint32_t ms = 5 + arc4random_uniform((uint32_t)max_ms);

	ts.tv_nsec = (long)(ms % 1000) * 1000000;
	ts.tv_sec = (time_t)(ms / 1000);
	nanosleep(&ts, NULL);
}

int
file_lock(int fd, short type, int wait_ms)
{
	struct flock fl = { .l_type = type, .l_whence = SEEK_SET };
	int64_t until = clock_boot_ms() + wait_ms;

	for (;;) {
		if (fcntl(fd, F_OFD_SETLK, &fl) == 0)
			return 0;
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return -1;
		if (clock_boot_ms() >= until) {
			errno = EAGAIN;
			return -1;
		}
		file_nap(25);
	}
}

void
file_unlock(int fd)
{
	struct flock fl = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

	fcntl(fd, F_OFD_SETLK, &fl);
}

ssize_t
file_read(int fd, void *p, size_t len, uint64_t at)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = pread(fd, (char *)p + done, len - done,
		    (off_t)(at + done));
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int
file_write(int fd, const void *p, size_t len, uint64_t at)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = pwrite(fd, (const char *)p + done, len - done,
		    (off_t)(at + done));
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		if (n == 0) {
			errno = ENOSPC;
			return -1;
		}
		done += (size_t)n;
	}
	return 0;
}
