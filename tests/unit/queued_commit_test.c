/*
 * tests/unit/queued_commit_test.c - the committer when the disk misbehaves:
 * short writes, failed writes, failed syncs, no new segment.
 */
#include <errno.h>
#include <stdatomic.h>

#include "queued/io.h"
#include "queued/record.h"
#include "tests/unit/check.h"
#include "tests/unit/spool_help.h"

static struct io real;
static atomic_int fail_sync, fail_fsync, fail_write, short_writes, interrupts;
static atomic_int writes_to_failed;
static atomic_ulong failed_ino;

static unsigned long
inode(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? (unsigned long)st.st_ino : 0;
}

static ssize_t
shaky_pwritev(int fd, const struct iovec *iov, int n, off_t off)
{
	if (inode(fd) == atomic_load(&failed_ino))
		atomic_fetch_add(&writes_to_failed, 1);
	if (atomic_load(&interrupts) > 0) {
		atomic_fetch_sub(&interrupts, 1);
		errno = EINTR;
		return -1;
	}
	if (atomic_load(&fail_write) > 0) {
		atomic_fetch_sub(&fail_write, 1);
		errno = ENOSPC;
		return -1;
	}
	if (atomic_load(&short_writes)) {
		struct iovec one = iov[0];

		if (one.iov_len > 1)
			one.iov_len = one.iov_len / 2 + 1;
		return pwritev(fd, &one, 1, off);
	}
	return pwritev(fd, iov, n, off);
}

static int
shaky_fdatasync(int fd)
{
	if (atomic_load(&fail_sync) > 0) {
		atomic_fetch_sub(&fail_sync, 1);
		atomic_store(&failed_ino, inode(fd));
		errno = EIO;
		return -1;
	}
	return fdatasync(fd);
}

static int
shaky_fsync(int fd)
{
	if (atomic_load(&fail_fsync)) {
		errno = ENOSPC;
		return -1;
	}
	return fsync(fd);
}

static void
test_short(struct help *h)
{
	struct letter *l;
	enum spool_status st;

	check_begin("short writes and EINTR");
	atomic_store(&short_writes, 1);
	atomic_store(&interrupts, 3);
	l = help_accept(h, 20000, 3, &st);
	check_int(st, SPOOL_OK);
	check_true(help_text_ok(h, l, 20000));
	atomic_store(&short_writes, 0);
	spool_done(h->sp, l->qid);
	letter_free(l);
}

/* An intake, an outcome and a command in one batch whose sync fails. */
static void
failing_batch(struct help *h, atomic_int *what)
{
	struct outcome o = { .number = 1, .state = RCPT_DEFERRED,
		.attempt = 3, .next_s = 4711, .status = span_str("4.0.0"),
		.host = span_str(""), .reply = span_str("later") };
	struct control k = { .verb = CTRL_HOLD, .operator = span_str("op"),
		.addr = span_str("") };
	struct help_wait in = { 0 }, out = { 0 }, ctrl = { 0 };
	struct letter *old, *l, *m;
	struct spool_stats before, after;
	enum spool_status st;
	uint64_t qid;

	old = help_accept(h, 100, 1, &st);
	check_int(st, SPOOL_OK);
	spool_stats(h->sp, &before);
	qid = spool_qids(h->sp, 1);
	l = help_new_letter(qid, 1);
	atomic_store(what, 1);
	/* intake first: a batch that began at once would hold it alone */
	spool_accept(h->sp, l, help_body(h, qid, 300), help_status, &in);
	spool_state(h->sp, old->qid, &o, 1, help_status, &out);
	spool_ctrl(h->sp, old->qid, &k, help_status, &ctrl);
	help_run(h, &in.done);
	help_run(h, &ctrl.done);
	check_int(in.status, SPOOL_FAILED);
	check_int(out.status, SPOOL_OK);
	check_int(ctrl.status, SPOOL_OK);
	check_int(spool_intake(h->sp), SPOOL_OK);
	spool_stats(h->sp, &after);
	check_int(after.failed_syncs, before.failed_syncs + 1);
	check_int(after.segments, before.segments + 1);
	letter_free(l);

	l = help_accept(h, 200, 1, &st);
	check_int(st, SPOOL_OK);
	help_close(h);
	if (!check_int(help_open(h), 0))
		exit(1);
	check_true(help_get(h, qid, &st) == NULL);
	check_int(st, SPOOL_ABSENT);
	m = help_get(h, old->qid, &st);
	if (check_true(m != NULL)) {
		check_int(m->rcpts[0].attempt, 3);
		check_true(m->held);
		letter_free(m);
	}
	m = help_get(h, l->qid, &st);
	check_true(m != NULL);
	letter_free(m);
	spool_done(h->sp, l->qid);
	spool_done(h->sp, old->qid);
	letter_free(l);
	letter_free(old);
}

static void
test_broken(struct help *h)
{
	struct outcome o = { .number = 1, .state = RCPT_DEFERRED,
		.attempt = 9, .status = span_str(""), .host = span_str(""),
		.reply = span_str("") };
	struct help_wait in = { 0 }, out = { 0 };
	struct letter *old, *l, *m;
	enum spool_status st;
	uint64_t qid;

	check_begin("no new segment can be had");
	old = help_accept(h, 100, 1, &st);
	qid = spool_qids(h->sp, 1);
	l = help_new_letter(qid, 1);
	atomic_store(&fail_fsync, 1);
	atomic_store(&fail_sync, 1);
	spool_state(h->sp, old->qid, &o, 1, help_status, &out);
	spool_accept(h->sp, l, help_body(h, qid, 300), help_status, &in);
	help_run(h, &in.done);
	check_int(in.status, SPOOL_FAILED);
	check_int(spool_intake(h->sp), SPOOL_FAILED);
	in.done = false;
	spool_accept(h->sp, l, help_body(h, qid, 300), help_status, &in);
	check_true(!in.done); /* never from within the call */
	help_run(h, &in.done);
	check_int(in.status, SPOOL_FAILED);
	check_true(!out.done);
	atomic_store(&fail_fsync, 0);
	help_run(h, &out.done);
	check_int(out.status, SPOOL_OK);
	check_int(spool_intake(h->sp), SPOOL_OK);
	m = help_get(h, old->qid, &st);
	if (check_true(m != NULL))
		check_int(m->rcpts[0].attempt, 9);
	letter_free(m);
	spool_done(h->sp, old->qid);
	letter_free(l);
	letter_free(old);
}

struct count {
	struct help *h;
	unsigned left;
	bool done;
	enum spool_status worst;
};

static void
on_counted(void *arg, enum spool_status st)
{
	struct count *c = arg;

	if (st != SPOOL_OK)
		c->worst = st;
	c->done = --c->left == 0;
}

/* More than fits a batch, in one round of the loop. */
static void
test_limits(struct help *h)
{
	enum { N = 700 };
	struct count c = { h, N, false, SPOOL_OK };
	static struct letter *l[N];
	struct spool_stats before, after;
	unsigned i;

	check_begin("batch limits");
	spool_stats(h->sp, &before);
	for (i = 0; i < N; i++) {
		uint64_t qid = spool_qids(h->sp, 1);

		l[i] = help_new_letter(qid, 1);
		spool_accept(h->sp, l[i], help_body(h, qid, i % 7 == 0 ?
		    200000 : 1000), on_counted, &c);
	}
	help_run(h, &c.done);
	check_int(c.worst, SPOOL_OK);
	spool_stats(h->sp, &after);
	check_true(after.batches - before.batches >= 20); /* 20 MB */
	check_int(after.bodies_octets, 0);
	for (i = 0; i < N; i++) {
		check_true(help_text_ok(h, l[i], i % 7 == 0 ? 200000 : 1000));
		spool_done(h->sp, l[i]->qid);
		letter_free(l[i]);
	}
}

int
main(void)
{
	struct help h;

	log_init("test");
	log_stderr_level(LOG_L_ERROR + 1);
	real = io;
	io = (struct io){ shaky_pwritev, shaky_fdatasync, shaky_fsync };
	help_init(&h);
	if (help_open(&h) == -1) {
		printf("%s\n", h.why);
		return 1;
	}
	test_short(&h);
	check_begin("a failed fdatasync");
	failing_batch(&h, &fail_sync);
	check_int(atomic_load(&writes_to_failed), 0);
	check_begin("a failed write");
	failing_batch(&h, &fail_write);
	test_broken(&h);
	test_limits(&h);
	help_clear(&h);
	io = real;
	return check_end();
}
