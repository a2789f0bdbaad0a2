/*
 * queued/commit.c - the committer thread: the only writer of segments.
 *
 * What is durable when: records by the one fdatasync behind the pwritev of
 * their batch (the file was written whole before, so data is all that changes);
 * a segment's name, size and header before the first batch goes into it
 * (segments_begin). A segment with a failed write or sync is never written
 * again: the kernel may have dropped the pages and called them clean. The next
 * segment's header says where it ended, so that what lies behind is not read,
 * and only then is anybody told of the failure.
 */
#include "queued/commit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/crc32c.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "queued/io.h"

#define IOV_BATCH (3 * BATCH_RECORDS_MAX + 8)
/* Recycled pages are fetched before a batch touches half of one. */
#define AHEAD_OCTETS (4u << 20)
#define RETRY_S 1

struct rec_list {
	struct rec *first, **last;
};

struct committer {
	struct committer_start s;
	pthread_t thread;
	struct rec_list mine;   /* the loop's, until the loop sleeps */
	struct defer kick;
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct rec_list queue;  /* under the lock, as are these */
	bool stop;
	struct commit_counts counts;
	atomic_bool broken;
	/* The thread's alone. */
	struct rec_list ready;
	int fd;
	uint32_t off, octets, ahead, salt;
	uint64_t prev_commit, next_batch, end;
	struct iovec iov[IOV_BATCH];
	struct notice notices[BATCH_RECORDS_MAX];
};

struct batch {
	struct rec_list recs;
	unsigned n;      /* records, barriers aside */
	uint64_t octets; /* without the COMMIT */
};

struct done_note {
	struct note note;
	struct rec *first;
};

static void
list_init(struct rec_list *l)
{
	l->first = NULL;
	l->last = &l->first;
}

static void
list_add(struct rec_list *l, struct rec *r)
{
	r->next = NULL;
	*l->last = r;
	l->last = &r->next;
}

static void
list_move(struct rec_list *to, struct rec_list *from)
{
	if (from->first == NULL)
		return;
	*to->last = from->first;
	to->last = from->last;
	list_init(from);
}

static struct rec *
list_take(struct rec_list *l)
{
	struct rec *r = l->first;

	if (r != NULL && (l->first = r->next) == NULL)
		l->last = &l->first;
	return r;
}

struct rec *
rec_new(uint16_t type, uint64_t qid)
{
	struct rec *r = xcalloc(1, sizeof(*r));

	r->type = type;
	r->qid = qid;
	buf_init(&r->head, RECORD_HEAD + RECORD_PAYLOAD_MAX);
	buf_init(&r->body, RECORD_PAYLOAD_MAX);
	if (type != 0 && buf_reserve(&r->head, RECORD_HEAD) != NULL)
		buf_grow(&r->head, RECORD_HEAD);
	return r;
}

void
rec_free(struct rec *r)
{
	buf_clear(&r->head);
	buf_clear(&r->body);
	free(r);
}

static uint32_t
rec_payload(const struct rec *r)
{
	return (uint32_t)(r->head.len - RECORD_HEAD + r->body.len);
}

/* -- back to the loop -------------------------------------------------------- */

static void
on_done(struct note *n)
{
	struct done_note *d = (struct done_note *)n;
	struct rec *r, *next;

	for (r = d->first; r != NULL; r = next) {
		next = r->next;
		if (r->done != NULL)
			r->done(r);
		rec_free(r);
	}
	free(d);
}

static void
tell_loop(struct committer *c, struct rec_list *l, bool durable)
{
	struct done_note *d;
	struct rec *r;

	if (l->first == NULL)
		return;
	for (r = l->first; r != NULL; r = r->next)
		r->durable = durable;
	d = xcalloc(1, sizeof(*d));
	d->note.fn = on_done;
	d->first = l->first;
	list_init(l);
	postbox_post(c->s.box, &d->note);
}

/* -- segments ---------------------------------------------------------------- */

static int
next_segment(struct committer *c)
{
	struct segment_head h = { .number = c->s.number };

	if (c->fd != -1)
		close(c->fd);
	memcpy(h.uuid, c->s.uuid, sizeof(h.uuid));
	h.epoch = c->s.epoch;
	h.prev_end = c->end;
	h.prev_commit = c->prev_commit;
	h.next_batch = c->next_batch;
	c->s.number++; /* a number is not used twice, not even after an error */
	if ((c->fd = segments_begin(c->s.segments, &h)) == -1)
		return -1;
	c->off = SEGMENT_HEAD;
	c->octets = h.octets;
	c->salt = h.salt;
	c->ahead = 0;
	c->end = LSN(h.number, c->off);
	return 0;
}

static void
fetch_ahead(struct committer *c)
{
	if (c->off + AHEAD_OCTETS / 2 < c->ahead)
		return;
	(void)posix_fadvise(c->fd, c->ahead, AHEAD_OCTETS, POSIX_FADV_WILLNEED);
	c->ahead += AHEAD_OCTETS;
}

/* -- one batch --------------------------------------------------------------- */

static void
batch_cut(struct committer *c, struct batch *b)
{
	struct rec *r;
	bool glued = false;

	memset(b, 0, sizeof(*b));
	list_init(&b->recs);
	while ((r = c->ready.first) != NULL) {
		uint64_t octets = r->type == 0 ? 0 :
		    RECORD_OCTETS(rec_payload(r));

		/* The last places are for the rest of a glued run. */
		if (!glued && b->n > 0 &&
		    (b->octets + octets > BATCH_OCTETS_MAX ||
		    b->n > BATCH_RECORDS_MAX - BATCH_GLUED_MAX))
			break;
		list_take(&c->ready);
		list_add(&b->recs, r);
		b->octets += octets;
		b->n += r->type != 0;
		glued = r->glued;
	}
}

static int
iov_add(struct iovec *iov, int n, void *p, size_t len)
{
	if (len == 0)
		return n;
	iov[n].iov_base = p;
	iov[n].iov_len = len;
	return n + 1;
}

/* Gives the record its place and puts its pieces into the iov. */
static int
rec_place(struct committer *c, struct rec *r, uint32_t off, int n,
    uint32_t *crc)
{
	static char zeros[8];
	struct span head = span_from(buf_span(&r->head), RECORD_HEAD);
	struct record_head h = { .type = r->type, .qid = r->qid };
	unsigned char *raw = (unsigned char *)(r->head.p + r->head.off);

	h.lsn = LSN(c->s.number - 1, off);
	h.payload_octets = rec_payload(r);
	h.payload_crc = crc32c(0, head.p, head.len);
	h.payload_crc = crc32c(h.payload_crc, r->body.p == NULL ? "" :
	    r->body.p + r->body.off, r->body.len);
	record_head_encode(&h, c->salt, raw);
	*crc = crc32c(*crc, raw, RECORD_HEAD);
	r->place.lsn = h.lsn;
	r->place.octets = (uint32_t)RECORD_OCTETS(h.payload_octets);
	n = iov_add(c->iov, n, raw, r->head.len);
	n = iov_add(c->iov, n, r->body.p == NULL ? NULL :
	    r->body.p + r->body.off, r->body.len);
	return iov_add(c->iov, n, zeros,
	    r->place.octets - RECORD_HEAD - h.payload_octets);
}

static struct rec *
commit_record(struct committer *c, unsigned records, uint32_t crc)
{
	struct commit k = { c->next_batch, c->prev_commit, records, crc };
	struct rec *r = rec_new(REC_COMMIT, 0);

	if (record_encode_commit(&r->head, &k) == -1)
		fatalx("a COMMIT does not fit");
	return r;
}

/* All octets, then one fdatasync: the batch is durable when it returns 0. */
static int
batch_write(struct committer *c, struct batch *b)
{
	uint32_t off = c->off, crc = 0, ignored = 0;
	struct rec *r, *last;
	int n = 0, rv;

	fetch_ahead(c);
	for (r = b->recs.first; r != NULL; r = r->next)
		if (r->type != 0) {
			n = rec_place(c, r, off, n, &crc);
			off += r->place.octets;
		}
	last = commit_record(c, b->n, crc);
	n = rec_place(c, last, off, n, &ignored);
	rv = io_write_at(c->fd, c->iov, n, c->off);
	if (rv == 0)
		rv = io.fdatasync(c->fd);
	if (rv == 0) {
		c->prev_commit = last->place.lsn;
		c->next_batch++;
		c->off = off + last->place.octets;
		c->end = LSN(c->s.number - 1, c->off);
		segments_set_end(c->s.segments, c->s.number - 1, c->off);
	}
	rec_free(last);
	return rv;
}

static void
batch_count(struct committer *c, unsigned records, bool good)
{
	pthread_mutex_lock(&c->lock);
	c->counts.syncs++;
	if (good) {
		c->counts.batches++;
		c->counts.records += records;
	} else
		c->counts.failed_syncs++;
	pthread_mutex_unlock(&c->lock);
}

static void
batch_done(struct committer *c, struct batch *b)
{
	struct rec *r;
	size_t n = 0;

	for (r = b->recs.first; r != NULL; r = r->next)
		if (r->type != 0) {
			c->notices[n].type = r->type;
			c->notices[n].qid = r->qid;
			c->notices[n].through = r->through;
			c->notices[n++].place = r->place;
		}
	if (n > 0) {
		batch_count(c, b->n, true);
		c->s.notice(c->s.arg, c->notices, n, c->end);
	}
	tell_loop(c, &b->recs, true);
}

/* Refuses the intake in l; everything else stays, in order. */
static void
refuse_intake(struct committer *c, struct rec_list *l)
{
	struct rec_list keep, refused;
	struct rec *r;

	list_init(&keep);
	list_init(&refused);
	while ((r = list_take(l)) != NULL)
		list_add(r->intake ? &refused : &keep, r);
	list_move(l, &keep);
	tell_loop(c, &refused, false);
}

/* A new segment, which fences off the one that failed; -1: none to be had. */
static int
repair(struct committer *c)
{
	bool was = atomic_load(&c->broken);

	if (next_segment(c) == -1) {
		if (!was)
			log_warn("no new segment: mail is refused until there "
			    "is one");
		atomic_store(&c->broken, true);
		return -1;
	}
	if (was)
		log_info("a new segment could be opened: mail is taken again");
	atomic_store(&c->broken, false);
	return 0;
}

static void
batch_failed(struct committer *c, struct batch *b)
{
	log_warn("segment %u: a batch could not be made durable; it is closed",
	    c->s.number - 1);
	batch_count(c, b->n, false);
	segments_set_failed(c->s.segments, c->s.number - 1);
	close(c->fd);
	c->fd = -1;
	(void)repair(c);
	refuse_intake(c, &b->recs);
	list_move(&b->recs, &c->ready);
	list_move(&c->ready, &b->recs);
}

/* -- the thread -------------------------------------------------------------- */

/* Waits for work; false: stop, and nothing is left. */
static bool
wait_ready(struct committer *c)
{
	struct timespec t;
	bool go = true;

	pthread_mutex_lock(&c->lock);
	while (c->queue.first == NULL && c->ready.first == NULL && !c->stop)
		pthread_cond_wait(&c->more, &c->lock);
	if (c->fd == -1 && !c->stop) { /* broken: a moment between two tries */
		clock_gettime(CLOCK_REALTIME, &t);
		t.tv_sec += RETRY_S;
		pthread_cond_timedwait(&c->more, &c->lock, &t);
	}
	list_move(&c->ready, &c->queue);
	if (c->ready.first == NULL && c->stop)
		go = false;
	pthread_mutex_unlock(&c->lock);
	return go;
}

static bool
stopping(struct committer *c)
{
	bool stop;

	pthread_mutex_lock(&c->lock);
	stop = c->stop;
	pthread_mutex_unlock(&c->lock);
	return stop;
}

/* With a segment to write to; else what must wait has waited. */
static bool
segment_ready(struct committer *c)
{
	if (c->fd != -1 || repair(c) == 0)
		return true;
	refuse_intake(c, &c->ready);
	if (stopping(c)) {
		log_warnx("outcomes could not be written before the end");
		tell_loop(c, &c->ready, false);
	}
	return false;
}

static void
commit_one(struct committer *c)
{
	struct batch b;

	batch_cut(c, &b);
	if (b.n == 0) {
		batch_done(c, &b);
		return;
	}
	if (c->off + b.octets + COMMIT_OCTETS > c->octets &&
	    repair(c) == -1) {
		refuse_intake(c, &b.recs);
		list_move(&b.recs, &c->ready);
		list_move(&c->ready, &b.recs);
		return;
	}
	if (batch_write(c, &b) == 0)
		batch_done(c, &b);
	else
		batch_failed(c, &b);
}

static void *
commit_main(void *arg)
{
	struct committer *c = arg;

	while (wait_ready(c))
		if (segment_ready(c))
			commit_one(c);
	return NULL;
}

/* -- the loop's side --------------------------------------------------------- */

static void
on_kick(void *arg)
{
	struct committer *c = arg;

	pthread_mutex_lock(&c->lock);
	list_move(&c->queue, &c->mine);
	pthread_cond_signal(&c->more);
	pthread_mutex_unlock(&c->lock);
}

struct committer *
commit_start(const struct committer_start *s)
{
	struct committer *c = xcalloc(1, sizeof(*c));
	int error;

	c->s = *s;
	c->fd = -1;
	c->end = s->prev_end;
	c->prev_commit = s->prev_commit;
	c->next_batch = s->next_batch;
	list_init(&c->mine);
	list_init(&c->queue);
	list_init(&c->ready);
	defer_init(&c->kick, on_kick, c);
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->more, NULL);
	if (next_segment(c) == -1) {
		free(c);
		return NULL;
	}
	if ((error = pthread_create(&c->thread, NULL, commit_main, c)) != 0) {
		close(c->fd);
		free(c);
		errno = error;
		return NULL;
	}
	return c;
}

void
commit_append(struct committer *c, struct rec *r)
{
	list_add(&c->mine, r);
	loop_defer(c->s.loop, &c->kick);
}

void
commit_stop(struct committer *c)
{
	loop_undefer(c->s.loop, &c->kick);
	pthread_mutex_lock(&c->lock);
	list_move(&c->queue, &c->mine);
	c->stop = true;
	pthread_cond_signal(&c->more);
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->thread, NULL);
	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
}

void
commit_free(struct committer *c)
{
	pthread_cond_destroy(&c->more);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

bool
commit_broken(struct committer *c)
{
	return atomic_load(&c->broken);
}

void
commit_counts(struct committer *c, struct commit_counts *out)
{
	pthread_mutex_lock(&c->lock);
	*out = c->counts;
	pthread_mutex_unlock(&c->lock);
}
