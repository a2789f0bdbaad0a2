/*
 * queued/meta.c - the two small files at the top of the spool. meta is text, so
 * that an admin can read it; its last line is a crc over what stands above.
 *
 * Durable: the contents by fsync of the temporary file before the rename, the
 * name by fsync of the spool's folder after it.
 */
#include "queued/meta.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/crc32c.h"
#include "queued/io.h"

#define META_OCTETS_MAX 512

int
meta_lock(int rootfd, char *why, size_t why_size)
{
	int fd, rv;

	fd = openat(rootfd, "owner.lock",
	    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd == -1) {
		snprintf(why, why_size, "owner.lock: %s", strerror(errno));
		return -1;
	}
#ifdef F_OFD_SETLK
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	rv = fcntl(fd, F_OFD_SETLK, &fl);
#else
	rv = flock(fd, LOCK_EX | LOCK_NB);
#endif
	if (rv == -1) {
		snprintf(why, why_size, errno == EAGAIN || errno == EACCES ?
		    "another queued is at work on this spool" :
		    "owner.lock: cannot be locked");
		close(fd);
		return -1;
	}
	return fd;
}

static int
hex_nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int
uuid_parse(struct span s, unsigned char out[16])
{
	size_t i;

	if (s.len != 32)
		return -1;
	for (i = 0; i < 16; i++) {
		int hi = hex_nibble(s.p[2 * i]), lo = hex_nibble(s.p[2 * i + 1]);

		if (hi == -1 || lo == -1)
			return -1;
		out[i] = (unsigned char)(hi << 4 | lo);
	}
	return 0;
}

/* One line "word value"; 0, or -1. */
static int
line_parse(struct span line, struct meta *m, uint64_t *format, uint64_t *crc)
{
	struct span word, value;
	uint64_t n = 0;
	int rv;

	span_split(line, ' ', &word, &value);
	if (span_eqstr(word, "uuid"))
		return uuid_parse(value, m->uuid);
	rv = span_u64(value, INT64_MAX, &n);
	if (span_eqstr(word, "format"))
		*format = n;
	else if (span_eqstr(word, "epoch"))
		m->epoch = (uint32_t)n;
	else if (span_eqstr(word, "clean"))
		m->clean = n != 0;
	else if (span_eqstr(word, "start"))
		m->start[0] = (int64_t)n;
	else if (span_eqstr(word, "before"))
		m->start[1] = (int64_t)n;
	else if (span_eqstr(word, "crc"))
		*crc = n;
	return rv;
}

static int
meta_parse(struct span all, struct meta *m, char *why, size_t why_size)
{
	struct span rest = all, line;
	uint64_t format = 0, crc = UINT64_MAX;
	size_t covered = 0;

	memset(m, 0, sizeof(*m));
	while (span_next(&rest, '\n', &line)) {
		if (span_prefix(line, "crc "))
			covered = (size_t)(line.p - all.p);
		if (line_parse(line, m, &format, &crc) == -1)
			break;
	}
	if (format > META_FORMAT) {
		snprintf(why, why_size,
		    "the spool has format %llu, written by a newer version; "
		    "this one knows format %d", (unsigned long long)format,
		    META_FORMAT);
		return -1;
	}
	if (format == 0 || crc != crc32c(0, all.p, covered)) {
		snprintf(why, why_size, "meta is damaged; after a look at it, "
		    "\"barid spool adopt\" writes a new one");
		return -1;
	}
	return 0;
}

int
meta_read(int rootfd, struct meta *m, char *why, size_t why_size)
{
	char text[META_OCTETS_MAX];
	ssize_t n;
	int fd;

	fd = openat(rootfd, "meta", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -1) {
		if (errno == ENOENT)
			return 1;
		snprintf(why, why_size, "meta: %s", strerror(errno));
		return -1;
	}
	n = pread(fd, text, sizeof(text), 0);
	close(fd);
	if (n == -1) {
		snprintf(why, why_size, "meta: %s", strerror(errno));
		return -1;
	}
	return meta_parse(span_make(text, (size_t)n), m, why, why_size);
}

static int
meta_format(const struct meta *m, struct buf *b)
{
	size_t i;

	if (buf_addf(b, "format %d\nuuid ", META_FORMAT) == -1)
		return -1;
	for (i = 0; i < sizeof(m->uuid); i++)
		if (buf_addf(b, "%02x", m->uuid[i]) == -1)
			return -1;
	if (buf_addf(b, "\nepoch %u\nclean %d\nstart %lld\nbefore %lld\n",
	    m->epoch, m->clean, (long long)m->start[0],
	    (long long)m->start[1]) == -1)
		return -1;
	return buf_addf(b, "crc %u\n", crc32c(0, b->p + b->off, b->len));
}

int
meta_write(int rootfd, const struct meta *m)
{
	struct buf b = BUF_INIT(META_OCTETS_MAX);
	int fd = -1, rv = -1;

	if (meta_format(m, &b) == -1)
		goto done;
	fd = openat(rootfd, "meta.new",
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd == -1 || buf_write_all(&b, fd) == -1 || io.fsync(fd) == -1 ||
	    renameat(rootfd, "meta.new", rootfd, "meta") == -1)
		goto done;
	rv = io.fsync(rootfd);
done:
	if (fd != -1)
		close(fd);
	buf_clear(&b);
	return rv;
}
