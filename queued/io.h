/*
 * queued/io.h - the system calls on which durability rests, replaceable so that
 * a test can make a write or a sync fail. Set before threads are made.
 */
#ifndef QUEUED_IO_H
#define QUEUED_IO_H

#include <sys/types.h>
#include <sys/uio.h>

struct io {
	ssize_t (*pwritev)(int fd, const struct iovec *iov, int n, off_t off);
	int (*fdatasync)(int fd);
	int (*fsync)(int fd);
};

extern struct io io;

/*
 * io_write_at - all octets of iov (which is changed) at off; short writes are
 * continued, EINTR repeated. 0, or -1 with errno: what lies there is unknown.
 */
int io_write_at(int fd, struct iovec *iov, int n, off_t off);

/* io_read_at - exactly len octets; -1 with errno (EIO at the end of file). */
int io_read_at(int fd, void *p, size_t len, off_t off);

#endif
