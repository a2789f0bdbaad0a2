/*
 * lib/store/mbox_append.c - letters put at the end of the mailbox: one lock,
 * big writes, one fsync for all of them, and nothing left of what failed.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/mem.h"
#include "lib/store/file.h"
#include "lib/store/mbox_in.h"
#include "lib/store/scan.h"

/* What is gathered before a write; one piece of text may come on top. */
#define WRITE_BLOCK ((size_t)1 << 20)
#define WRITE_MAX   (WRITE_BLOCK + 4 * MBOX_BLOCK)

struct append {
	struct store *s;
	struct store_letter *letters;
	size_t n;
	struct buf out;
	struct scan scan;
	struct ix_rec *recs; /* owns: one a letter */
	struct ix_rec rec;   /* of the letter at hand, from the scan */
	uint64_t begin;      /* length of the file before */
	uint64_t flushed;    /* what is in the file */
	uint64_t made;       /* what is in the file and in out */
	uint64_t used;       /* of the quota */
};

static int
on_found(void *arg, struct ix_rec *rec)
{
	struct append *a = arg;

	a->rec = *rec;
	return 0;
}

static void
fail_all(struct store_letter *l, size_t n, int error)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!l[i].was_there)
			l[i].error = error;
}

static int
flush(struct append *a)
{
	struct span b = buf_span(&a->out);

	if (file_write(a->s->fd, b.p, b.len, a->flushed) == -1)
		return -1;
	a->flushed += b.len;
	buf_reset(&a->out);
	return 0;
}

/*
 * One letter into the buffer, on the way through the same scanner that would
 * read it from the file. On -1 the file ends where the letters before it do.
 */
static int
letter_write(struct append *a, size_t i)
{
	struct letter_text t;
	size_t old;
	int more;

	letter_begin(&t, &a->letters[i]);
	scan_start(&a->scan, a->made);
	while (old = a->out.len, (more = letter_next(&t, &a->out)) == 1) {
		if (scan_feed(&a->scan, span_from(buf_span(&a->out), old)) ==
		    -1)
			break;
		a->made += a->out.len - old;
		if (a->out.len >= WRITE_BLOCK && flush(a) == -1)
			break;
	}
	letter_clear(&t);
	if (more != 0 || scan_end(&a->scan) == -1)
		return -1;
	a->recs[i] = a->rec;
	memcpy(a->recs[i].token, a->letters[i].token, STORE_TOKEN_OCTETS);
	return 0;
}

/* The file back to the end of letter `last`, those behind it have failed. */
static int
cut_back(struct append *a, size_t failed, int error)
{
	uint64_t end = a->begin;
	size_t i;

	for (i = 0; i < failed; i++) {
		if (a->letters[i].was_there || a->letters[i].error != 0)
			continue;
		if (a->recs[i].place + a->recs[i].octets <= a->flushed)
			end = a->recs[i].place + a->recs[i].octets;
		else
			a->letters[i].error = error;
	}
	for (; i < a->n; i++)
		if (!a->letters[i].was_there)
			a->letters[i].error = error;
	buf_reset(&a->out);
	a->flushed = a->made = end;
	return ftruncate(a->s->fd, (off_t)end);
}

static bool
over_quota(struct append *a, const struct store_letter *l)
{
	uint64_t quota = a->s->conf.quota_octets, more = letter_octets(l);

	return quota != 0 && (a->used > quota || more > quota - a->used);
}

/* A mailbox that does not end in an empty line gets one first. */
static int
separate(struct append *a)
{
	char end[2] = { '\n', '\n' };
	size_t want = a->begin < 2 ? (size_t)a->begin : 2;
	struct span add;

	if (want > 0 && file_read(a->s->fd, end + 2 - want, want,
	    a->begin - want) != (ssize_t)want)
		return -1;
	add = end[1] != '\n' ? span_str("\n\n")
	    : end[0] != '\n' ? span_str("\n") : span_str("");
	a->made += add.len;
	return buf_add_span(&a->out, add);
}

static int
write_all(struct append *a)
{
	size_t i;
	int error;

	if (separate(a) == -1)
		return -1;
	for (i = 0; i < a->n; i++) {
		struct store_letter *l = &a->letters[i];

		if (l->was_there)
			continue;
		if (over_quota(a, l)) {
			l->error = EDQUOT;
			continue;
		}
		l->error = 0;
		if (letter_write(a, i) == -1) {
			error = errno != 0 ? errno : EIO;
			l->error = error;
			return cut_back(a, i, error);
		}
		a->used += letter_octets(l);
	}
	if (flush(a) == -1)
		return cut_back(a, a->n, errno);
	return 0;
}

/*
 * No sync here: the letters are durable, and what a crash takes from the index
 * is read from the mailbox again. The UIDs were promised before.
 */
static void
index_letters(struct append *a)
{
	struct index *ix = &a->s->ix;
	struct ix_seen seen;
	uint32_t k = 0;
	size_t i;

	for (i = 0; i < a->n; i++)
		if (a->letters[i].error == 0 && !a->letters[i].was_there)
			a->recs[k++] = a->recs[i];
	if (mbox_seen(a->s, &seen) == -1 ||
	    (k == 0 && mbox_seen_same(&seen, &ix->seen)))
		return;
	if (index_lock(ix, a->s->conf.lock_wait_ms) == 0) {
		/* Made anew meanwhile, it lacks what was there before. */
		if (ix->seen.size == a->begin && index_reserve(ix, k) == 0) {
			index_add(ix, a->recs, k);
			index_put_seen(ix, &seen);
			if (index_commit(ix) == 0)
				goto done;
		}
		index_unlock(ix);
	}
	log_warn("index of %s: letters will be found by reading the mailbox",
	    a->s->name);
	return;
done:
	index_unlock(ix);
	for (i = 0, k = 0; i < a->n; i++)
		if (a->letters[i].error == 0 && !a->letters[i].was_there)
			a->letters[i].uid = a->recs[k++].uid;
}

static int
append_locked(struct append *a, bool created)
{
	struct store *s = a->s;
	struct ix_seen seen;
	int error;

	if (mbox_crash_check(s, a->letters, a->n) == -1 ||
	    mbox_seen(s, &seen) == -1)
		return -1;
	a->begin = a->flushed = a->made = a->used = seen.size;
	if (write_all(a) == -1 || fsync(s->fd) == -1 ||
	    (created && fsync(s->conf.mail_dir) == -1)) {
		/* The length goes back; whether a failed sync left something
		 * nobody knows, so the next attempt must look. */
		error = errno;
		fail_all(a->letters, a->n, error);
		if (ftruncate(s->fd, (off_t)a->begin) == -1)
			log_warn("mailbox %s: restore its length", s->name);
		errno = error;
		return -1;
	}
	index_letters(a);
	return 0;
}

static int
first_error(const struct store_letter *l, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (l[i].error != 0) {
			errno = l[i].error;
			return -1;
		}
	return 0;
}

int
store_append(struct store *s, struct store_letter *letters, size_t n)
{
	struct append a = { .s = s, .letters = letters, .n = n,
		.out = BUF_INIT(WRITE_MAX) };
	bool created;
	size_t i;

	for (i = 0; i < n; i++) {
		letters[i].error = EAGAIN;
		letters[i].was_there = false;
		letters[i].uid = 0;
	}
	if (n == 0 || n > STORE_BATCH_MAX) {
		errno = EINVAL;
		fail_all(letters, n, errno);
		return n == 0 ? 0 : -1;
	}
	if (mbox_lock(s, true, &created) == -1) {
		fail_all(letters, n, errno);
		return -1;
	}
	a.recs = xcalloc(n, sizeof(*a.recs));
	scan_init(&a.scan, on_found, &a);
	if (append_locked(&a, created) == -1)
		fail_all(letters, n, errno);
	mbox_unlock(s);
	scan_clear(&a.scan);
	buf_clear(&a.out);
	x_free(&a.recs);
	return first_error(letters, n);
}
