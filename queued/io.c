/* queued/io.c - whole writes and reads at a place. */
#include "queued/io.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#ifndef IOV_MAX
#define IOV_MAX 1024
#endif

struct io io = { pwritev, fdatasync, fsync };

int
io_write_at(int fd, struct iovec *iov, int n, off_t off)
{
	while (n > 0) {
		ssize_t w = io.pwritev(fd, iov, n < IOV_MAX ? n : IOV_MAX, off);

		if (w == -1 && errno == EINTR)
			continue;
		if (w <= 0) {
			if (w == 0)
				errno = EIO;
			return -1;
		}
		off += w;
		while (n > 0 && (size_t)w >= iov->iov_len) {
			w -= (ssize_t)iov->iov_len;
			iov++;
			n--;
		}
		if (w > 0) {
			iov->iov_base = (char *)iov->iov_base + w;
			iov->iov_len -= (size_t)w;
		}
	}
	return 0;
}

int
io_read_at(int fd, void *p, size_t len, off_t off)
{
	char *s = p;

	while (len > 0) {
		ssize_t r = pread(fd, s, len, off);

		if (r == -1 && errno == EINTR)
			continue;
		if (r <= 0) {
			if (r == 0)
				errno = EIO;
			return -1;
		}
		s += r;
		off += r;
		len -= (size_t)r;
	}
	return 0;
}
