/*
 * queued/body.c - see body.h. Each body has at most one job under way; what
 * comes meanwhile gathers for the next. The loop's thread but for body_work.
 */
#include "queued/body.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/mem.h"
#include "queued/io.h"

/* Behind this the caller has ignored every window: the body is refused. */
#define BACKLOG_MAX (8u << 20)

struct body {
	struct job job; /* first: notes and jobs are cast back */
	struct bodies *all;
	uint64_t qid, octets;
	struct buf mem; /* not yet handed to a writer */
	void (*drain)(void *arg);
	void *drain_arg;
	bool big, busy, dead;
	bool overrun; /* past BACKLOG_MAX: it will be refused */
	void (*finished)(void *arg, int error);
	void *finished_arg;
	/* The writer's while busy. */
	struct buf out;
	off_t off;
	int fd, bigdir, error;
	bool last;
};

static const char *
big_name(uint64_t qid, char out[BIG_NAME])
{
	return qid_format(qid, out);
}

struct body *
body_begin(struct bodies *all, uint64_t qid, void (*drain)(void *arg),
    void *arg)
{
	struct body *b = xcalloc(1, sizeof(*b));

	b->all = all;
	b->bigdir = all->bigdir;
	b->qid = qid;
	b->drain = drain;
	b->drain_arg = arg;
	b->fd = -1;
	buf_init(&b->mem, BACKLOG_MAX);
	buf_init(&b->out, BACKLOG_MAX);
	return b;
}

static int
body_open(struct body *b)
{
	char name[BIG_NAME];

	b->fd = openat(b->bigdir, big_name(b->qid, name),
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	return b->fd == -1 ? -1 : 0;
}

static void
body_work(struct job *j)
{
	struct body *b = (struct body *)j;
	struct iovec iov = { b->out.p == NULL ? NULL : b->out.p + b->out.off,
		b->out.len };

	if (b->error != 0)
		return;
	if ((b->fd == -1 && body_open(b) == -1) ||
	    (iov.iov_len > 0 && io_write_at(b->fd, &iov, 1, b->off) == -1) ||
	    (b->last && (io.fdatasync(b->fd) == -1 ||
	    io.fsync(b->bigdir) == -1)))
		b->error = errno;
	b->off += (off_t)b->out.len;
}

static void
body_destroy(struct body *b)
{
	if (b->fd != -1)
		close(b->fd);
	buf_clear(&b->mem);
	buf_clear(&b->out);
	free(b);
}

static void body_write(struct body *b);

static void
on_written(struct note *n)
{
	struct body *b = (struct body *)n;
	bool was_last = b->last;

	b->busy = false;
	b->all->octets -= b->out.len;
	buf_reset(&b->out);
	if (b->dead) {
		body_free(b);
		return;
	}
	if (b->error != 0) { /* nothing more is kept of it */
		b->all->octets -= b->mem.len;
		buf_clear(&b->mem);
	}
	if (was_last) {
		b->all->finishing--;
		b->finished(b->finished_arg, b->overrun ? ENOBUFS : b->error);
		return;
	}
	if (b->mem.len > 0 || b->finished != NULL)
		body_write(b);
	else if (b->drain != NULL)
		b->drain(b->drain_arg);
}

static void
body_write(struct body *b)
{
	struct buf t = b->out;

	b->out = b->mem;
	b->mem = t;
	b->busy = true;
	b->last = b->finished != NULL;
	b->job.work = body_work;
	b->job.note.fn = on_written;
	qidset_add(&b->all->files, b->qid);
	workers_ask(b->all->workers, &b->job);
}

size_t
body_append(struct body *b, struct span octets)
{
	b->octets += octets.len;
	if (b->overrun || (!b->busy && b->error != 0))
		return 0;
	if (buf_add_span(&b->mem, octets) == -1) {
		b->overrun = b->big = true;
		return 0;
	}
	b->all->octets += octets.len;
	if (b->octets > SPOOL_INLINE_MAX || b->all->octets > SPOOL_BODIES_MAX)
		b->big = true;
	if (!b->big)
		return 0;
	if (!b->busy)
		body_write(b);
	return b->mem.len + b->out.len;
}

uint64_t
body_octets(const struct body *b)
{
	return b->octets;
}

bool
body_is_big(const struct body *b)
{
	return b->big;
}

void
body_take(struct body *b, struct buf *out)
{
	buf_clear(out);
	*out = b->mem;
	buf_init(&b->mem, BACKLOG_MAX);
	body_destroy(b);
}

void
body_finish(struct body *b, void (*cb)(void *arg, int error), void *arg)
{
	b->finished = cb;
	b->finished_arg = arg;
	b->all->finishing++;
	if (!b->busy)
		body_write(b);
}

void
body_keep(struct body *b)
{
	body_destroy(b);
}

void
body_free(struct body *b)
{
	if (b == NULL)
		return;
	if (b->busy) {
		b->dead = true;
		return;
	}
	b->all->octets -= b->mem.len;
	if (b->big)
		big_unlink(b->all, b->qid);
	body_destroy(b);
}

void
big_unlink(struct bodies *all, uint64_t qid)
{
	char name[BIG_NAME];

	/* No sync: a name that comes back after a crash has no live letter,
	 * and the next start takes it away. */
	if (qidset_del(&all->files, qid) &&
	    unlinkat(all->bigdir, big_name(qid, name), 0) == -1 &&
	    errno != ENOENT)
		log_warn("big/%s", name);
}

int
big_open(const struct bodies *all, uint64_t qid)
{
	char name[BIG_NAME];

	return openat(all->bigdir, big_name(qid, name),
	    O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

void
bodies_load(struct bodies *all)
{
	struct dirent *e;
	uint64_t qid;
	DIR *d;
	int fd;

	fd = openat(all->bigdir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1 || (d = fdopendir(fd)) == NULL) {
		if (fd != -1)
			close(fd);
		return;
	}
	while ((e = readdir(d)) != NULL)
		if (qid_parse(span_str(e->d_name), &qid) == 0)
			qidset_add(&all->files, qid);
	closedir(d);
}
