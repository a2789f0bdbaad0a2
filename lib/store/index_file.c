/*
 * lib/store/index_file.c - the file of an index: opened, mapped, locked, and
 * folded into a new one. A reader that still has the old file goes on with it
 * until its next refresh.
 */
#include "lib/store/index.h"
#include "lib/store/index_in.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/store/file.h"

/* A log is folded when it is longer than this and than half of the base. */
#define IX_LOG_MAX (256 * 1024)

/* A UIDVALIDITY is the time of its making; so far may clocks be wrong. */
#define CLOCK_SLACK_S 86400

/* A log beyond this is no log of ours: 1,000,000 deltas. */
#define IX_LOG_OCTETS_MAX (128 * 1024 * 1024)

static void
forget(struct index *ix)
{
	if (ix->map != NULL)
		munmap((void *)(uintptr_t)ix->map, ix->map_len);
	ix->map = NULL;
	ix->map_len = 0;
	ix->mapped = ix->n_heap = 0;
	ix->n_gone = 0;
	ix->wire = 0;
	x_free(&ix->filter);
	ix->log_begin = ix->log_end = ix->file_size = 0;
	ix->seen = (struct ix_seen){ 0, 0, 0 };
}

static void
drop_file(struct index *ix)
{
	forget(ix);
	if (ix->fd != -1)
		close(ix->fd);
	ix->fd = -1;
}

/* What was appended to the log since we last looked. */
static int
read_log(struct index *ix, uint64_t size)
{
	size_t len = (size_t)(size - ix->log_end);
	uint8_t *p;
	ssize_t n;

	ix->file_size = size;
	if (len == 0)
		return 0;
	if (size - ix->log_end > IX_LOG_OCTETS_MAX) {
		errno = EFBIG;
		return -1;
	}
	p = xmalloc(len);
	n = pread(ix->fd, p, len, (off_t)ix->log_end);
	if (n > 0)
		ix->log_end += ix_replay(ix, p, (size_t)n);
	mem_free(p);
	return n == -1 ? -1 : 0;
}

/* Reads the file ix->fd anew. -1: it is no index (or cannot be read). */
static int
load(struct index *ix)
{
	uint8_t head[IX_HEADER_OCTETS];
	struct stat st;
	uint32_t base_n;
	void *p;

	forget(ix);
	if (fstat(ix->fd, &st) == -1 ||
	    pread(ix->fd, head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
	    ix_header_decode(ix, head, (uint64_t)st.st_size, &base_n) == -1)
		return -1;
	ix->map_len = (size_t)ix->log_begin;
	p = mmap(NULL, ix->map_len, PROT_READ, MAP_SHARED, ix->fd, 0);
	if (p == MAP_FAILED)
		return -1;
	ix->map = p;
	ix->mapped = base_n;
	return read_log(ix, (uint64_t)st.st_size);
}

/* Opens what the name stands for now. 0: ix->fd is good, or -1: none. */
static int
open_file(struct index *ix)
{
	uint32_t old_uidvalidity = ix->uidvalidity;

	drop_file(ix);
	ix->fd = file_open(ix->dir, ix->name, O_RDWR, ix->owner);
	if (ix->fd == -1)
		return errno == ENOENT ? 0 : -1;
	if (load(ix) == 0)
		return 0;
	log_warnx("index %s is damaged and will be made anew", ix->name);
	drop_file(ix);
	if (ix->uidvalidity < old_uidvalidity)
		ix->uidvalidity = old_uidvalidity;
	return 0;
}

int
index_open(struct index *ix, int dir, const char *name, uid_t owner)
{
	memset(ix, 0, sizeof(*ix));
	ix->dir = dir;
	ix->owner = owner;
	ix->fd = -1;
	ix->uidnext = 1;
	ix->boot_now = ix_boot();
	if (snprintf(ix->name, sizeof(ix->name), "%s.ix", name) >=
	    (int)sizeof(ix->name)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return open_file(ix);
}

void
index_close(struct index *ix)
{
	drop_file(ix);
	x_free(&ix->heap);
	x_free(&ix->gone);
	buf_clear(&ix->batch);
	ix->cap_heap = 0;
	ix->locked = false;
}

/* The log of the file that is open, further. */
static int
refresh_log(struct index *ix)
{
	struct stat st;

	if (fstat(ix->fd, &st) == -1)
		return -1;
	if ((uint64_t)st.st_size >= ix->log_end)
		return read_log(ix, (uint64_t)st.st_size);
	errno = EIO; /* nobody of ours shortens it below what was sound */
	return -1;
}

int
index_refresh(struct index *ix)
{
	if (ix->fd == -1 || !file_same(ix->dir, ix->name, ix->fd))
		return open_file(ix);
	if (refresh_log(ix) == 0)
		return 0;
	return open_file(ix);
}

/* -- writing a new file ---------------------------------------------------- */

static int
write_records(struct index *ix, struct buf *b, int fd,
    const struct ix_rec *recs, uint32_t n)
{
	uint8_t out[IX_RECORD_OCTETS];
	struct ix_rec r;
	uint32_t i;

	for (i = 0; i < n; i++) {
		if (recs != NULL)
			r = recs[i];
		else
			index_get(ix, i, &r);
		ix_rec_encode(&r, out);
		if (buf_add(b, out, sizeof(out)) == -1)
			return -1;
		if (b->len < 256 * 1024)
			continue;
		if (buf_write_all(b, fd) == -1)
			return -1;
		buf_reset(b);
	}
	return buf_write_all(b, fd);
}

/* Header, records, and as first deltas the tokens of letters that are gone. */
static int
write_file(struct index *ix, int fd, const struct ix_rec *recs, uint32_t n)
{
	struct buf b = BUF_INIT(512 * 1024);
	uint8_t head[IX_HEADER_OCTETS];
	uint32_t i, from = 0, to = ix->n_gone;
	int rv = -1;

	ix_header_encode(ix, n, head);
	if (buf_add(&b, head, sizeof(head)) == -1 ||
	    write_records(ix, &b, fd, recs, n) == -1)
		goto done;
	if (to > IX_GONE_MAX)
		from = to - IX_GONE_MAX;
	buf_reset(&ix->batch);
	for (i = from; i < to; i++)
		ix_put_gone(ix, ix->gone[i % IX_GONE_MAX]);
	rv = buf_write_all(&ix->batch, fd);
	buf_reset(&ix->batch);
done:
	buf_clear(&b);
	return rv;
}

/* The lock goes over to the new file before its name does. */
static int
put_in_place(struct index *ix, const struct ix_rec *recs, uint32_t n)
{
	char tmp[IX_NAME_MAX + 8];
	int fd;

	snprintf(tmp, sizeof(tmp), "%s.new", ix->name);
	if (unlinkat(ix->dir, tmp, 0) == -1 && errno != ENOENT)
		return -1;
	fd = openat(ix->dir, tmp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0600);
	if (fd == -1)
		return -1;
	/* UIDs were promised in the old file: the new name must be durable
	 * before the next promise is. */
	if (file_lock(fd, F_WRLCK, 0) == -1 ||
	    write_file(ix, fd, recs, n) == -1 || fdatasync(fd) == -1 ||
	    renameat(ix->dir, tmp, ix->dir, ix->name) == -1) {
		close(fd);
		unlinkat(ix->dir, tmp, 0);
		return -1;
	}
	drop_file(ix);
	ix->fd = fd;
	if (fsync(ix->dir) == 0 && load(ix) == 0)
		return 0;
	drop_file(ix); /* it is read anew, not taken for an empty one */
	return -1;
}

static void
fresh_numbers(struct index *ix)
{
	int64_t now = clock_now_s();

	/* One from the far future was damage, or a wrong clock. */
	ix->uidvalidity = now > ix->uidvalidity ||
	    now + CLOCK_SLACK_S < ix->uidvalidity ? (uint32_t)now
	    : ix->uidvalidity + 1;
	ix->generation = 0;
	ix->uidnext = 1;
	ix->modseq = 1;
	ix->uid_reserved = ix->uidnext + IX_RESERVE_STEP;
	ix->modseq_reserved = ix->modseq + 2 * IX_RESERVE_STEP;
	ix->boot = ix->boot_now;
	for (size_t i = 0; i < sizeof(ix->uuid); i += 4) {
		uint32_t v = arc4random();

		memcpy(ix->uuid + i, &v, 4);
	}
}

static int
replace(struct index *ix, const struct ix_rec *recs, uint32_t n)
{
	if (n > IX_LETTERS_MAX) {
		errno = EFBIG;
		return -1;
	}
	ix->generation++;
	if (ix->uid_reserved < ix->uidnext + IX_RESERVE_STEP / 2)
		ix->uid_reserved = ix->uidnext + IX_RESERVE_STEP;
	if (ix->modseq_reserved < ix->modseq + IX_RESERVE_STEP)
		ix->modseq_reserved = ix->modseq + 2 * IX_RESERVE_STEP;
	return put_in_place(ix, recs, n);
}

int
index_replace(struct index *ix, const struct ix_rec *recs, uint32_t n,
    const struct ix_seen *seen)
{
	struct ix_seen old_seen = ix->seen;
	uint64_t old_wire = ix->wire;
	struct ix_rec r;
	uint32_t i, j;

	for (i = 0, j = 0; i < index_count(ix); i++) {
		index_get(ix, i, &r);
		while (j < n && recs[j].uid < r.uid)
			j++;
		if (j == n || recs[j].uid != r.uid)
			ix_remember(ix, r.token);
	}
	ix->modseq++;
	ix->seen = *seen;
	for (i = 0, ix->wire = 0; i < n; i++)
		ix->wire += recs[i].wire;
	if (replace(ix, recs, n) == 0)
		return 0;
	ix->seen = old_seen;
	ix->wire = old_wire;
	return -1;
}

int
index_fold(struct index *ix)
{
	return replace(ix, NULL, index_count(ix));
}

/* -- the writers' lock ----------------------------------------------------- */

int
index_lock(struct index *ix, int wait_ms)
{
	int tries;

	for (tries = 0; tries < 10; tries++) {
		if (ix->fd == -1) {
			fresh_numbers(ix);
			if (put_in_place(ix, NULL, 0) == -1)
				return -1;
		} else if (file_lock(ix->fd, F_WRLCK, wait_ms) == -1)
			return -1;
		if (file_same(ix->dir, ix->name, ix->fd)) {
			ix->locked = true;
			if (refresh_log(ix) == -1) {
				ix->locked = false; /* it is read anew */
			} else if (ix_boot_check(ix) == -1) {
				index_unlock(ix);
				return -1;
			} else
				return 0;
		}
		if (open_file(ix) == -1)
			return -1;
	}
	errno = EAGAIN;
	return -1;
}

void
index_unlock(struct index *ix)
{
	uint64_t len = ix->log_end - ix->log_begin;

	if (!ix->locked)
		return;
	if (ix->fd != -1 && len > IX_LOG_MAX && len > ix->log_begin / 2)
		index_fold(ix); /* failing: the log goes on growing */
	ix->locked = false;
	if (ix->fd != -1)
		file_unlock(ix->fd);
}
