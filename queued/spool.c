/*
 * queued/spool.c - opens and closes the spool: lock, meta, folders, the end of
 * the log, threads; and what goes on each second. Everything is opened below a
 * descriptor of the spool's folder, which may be the root by then.
 *
 * Durable: folders made here by fsync of the spool's folder; meta by meta_write;
 * what the last run wrote by fdatasync of its last segment; the end of the log by the header of the new segment, which says where the one
 * before it ends, synced before the first batch.
 */
#include "queued/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "config.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "queued/io.h"
#include "queued/scan.h"
#include "queued/spool_int.h"

#define TICK_MS 1000
#define SETTLE_MS 1000
/* Two starts without an orderly end within this: the index may be the cause. */
#define CRASHES_S 60
#define QID_COUNTER_BITS 40

static int
say(char *why, size_t size, const char *what)
{
	snprintf(why, size, "%s: %s", what, strerror(errno));
	return -1;
}

static int
folder_open(int rootfd, const char *name, bool *made)
{
	if (mkdirat(rootfd, name, 0700) == 0)
		*made = true;
	else if (errno != EEXIST)
		return -1;
	return openat(rootfd, name,
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

static int
folders_open(struct spool *sp, char *why, size_t size)
{
	bool made = false;
	int seg;

	if ((sp->bigdir = folder_open(sp->rootfd, "big", &made)) == -1)
		return say(why, size, "big");
	if ((sp->baddir = folder_open(sp->rootfd, "bad", &made)) == -1)
		return say(why, size, "bad");
	if ((seg = folder_open(sp->rootfd, "seg", &made)) == -1)
		return say(why, size, "seg");
	if (made && io.fsync(sp->rootfd) == -1) {
		close(seg);
		return say(why, size, "fsync of the spool's folder");
	}
	if (segments_open(&sp->segments, seg, sp->o.segment_octets) == -1)
		return say(why, size, "seg");
	return 0;
}

/* -- meta -------------------------------------------------------------------- */

static int
meta_begin(struct spool *sp, bool *wipe, char *why, size_t size)
{
	int64_t now = clock_now_s();
	struct meta *m = &sp->meta;
	int rv = meta_read(sp->rootfd, m, why, size);

	if (rv == -1)
		return -1;
	if (rv == 1) {
		if (sp->segments.n > 0) {
			snprintf(why, size, "meta is missing beside segments: "
			    "is this a restored backup? \"barid spool adopt\" "
			    "makes it ours");
			return -1;
		}
		memset(m, 0, sizeof(*m));
		m->clean = true;
		if (getrandom(m->uuid, sizeof(m->uuid), 0) != sizeof(m->uuid))
			return say(why, size, "getrandom");
	}
	if (m->epoch >= META_EPOCH_MAX) {
		snprintf(why, size, "the spool was started %u times: no ids "
		    "are left", m->epoch);
		return -1;
	}
	*wipe = !m->clean && m->start[1] != 0 && now - m->start[1] < CRASHES_S;
	m->epoch++;
	m->clean = false;
	m->start[1] = m->start[0];
	m->start[0] = now;
	return meta_write(sp->rootfd, m) == -1 ? say(why, size, "meta") : 0;
}

/* -- the end of the log ------------------------------------------------------ */

static void
ignore_record(void *arg, const struct record_head *h, struct span payload)
{
	(void)arg;
	(void)h;
	(void)payload;
}

static void
ignore_lost(void *arg, const struct record_head *h)
{
	(void)arg;
	(void)h; /* the index thread says so when it comes by */
}

/*
 * Each segment ends where its successor's header says. One that the successor
 * does not name was opened and never used.
 */
static int
ends_find(struct spool *sp, struct segment_head *last)
{
	struct segment_head next = { 0 }, head;
	size_t i;
	int fd;

	memset(last, 0, sizeof(*last));
	for (i = sp->segments.n; i-- > 0;) {
		struct segment *s = &sp->segments.list[i];

		fd = segment_open(&sp->segments, s->number, &head);
		if (fd == -1 && errno != EIO)
			return -1;
		if (fd == -1) {
			log_warnx("segment %u: its header is damaged",
			    s->number);
			memset(&head, 0, sizeof(head));
		} else
			close(fd);
		if (i == sp->segments.n - 1)
			*last = head;
		else if (LSN_SEGMENT(next.prev_end) == s->number)
			s->end = LSN_OFFSET(next.prev_end);
		else
			s->end = next.number == 0 ? head.octets : SEGMENT_HEAD;
		next = head;
	}
	return 0;
}

/* Reads the last segment to its end and says where the next one begins. */
static int
log_end(struct spool *sp, struct committer_start *cs, char *why, size_t size)
{
	const struct scan_visitor v = { ignore_record, ignore_lost, NULL };
	struct segment_head head;
	struct scan_result r;
	uint32_t number;
	int fd, rv;

	cs->number = 1;
	cs->next_batch = 1;
	if (sp->segments.n == 0)
		return 0;
	number = sp->segments.list[sp->segments.n - 1].number;
	if (ends_find(sp, &head) == -1)
		return say(why, size, "seg");
	if (number == UINT32_MAX) {
		snprintf(why, size, "no segment number is left");
		return -1;
	}
	cs->number = number + 1;
	if ((fd = segment_open(&sp->segments, number, &head)) == -1) {
		/* What it held cannot be told; the log goes on behind it. */
		cs->next_batch = (uint64_t)cs->number << 32;
		cs->prev_end = LSN(number, SEGMENT_HEAD);
		return 0;
	}
	rv = scan_segment(fd, &head, 0, &v, &r);
	/* A batch that was written and not synced when the last run was killed
	 * counts from now on: it must not vanish after we have acted on it. */
	if (rv == 0)
		rv = io.fdatasync(fd);
	close(fd);
	if (rv == -1)
		return say(why, size, "the last segment");
	sp->segments.list[sp->segments.n - 1].end = r.end;
	cs->prev_end = LSN(number, r.end);
	cs->prev_commit = r.last_commit;
	cs->next_batch = r.next_batch;
	return 0;
}

/* -- each second ------------------------------------------------------------- */

static void
space_check(struct spool *sp)
{
	struct statvfs st;

	if (fstatvfs(sp->rootfd, &st) == -1)
		return;
	sp->free_octets = (uint64_t)st.f_bavail * st.f_frsize;
	sp->reserve_octets = (uint64_t)st.f_blocks * st.f_frsize / 100 *
	    sp->o.reserve_percent;
	if (sp->full != (sp->free_octets < sp->reserve_octets)) {
		sp->full = !sp->full;
		log_warnx(sp->full ? "the disk is nearly full: no new mail is "
		    "taken" : "there is space again: mail is taken");
	}
}

struct spare_job {
	struct job job;
	struct spool *sp;
};

static void
spare_work(struct job *j)
{
	/* On a full disk it fails; the next tick asks again. */
	(void)segments_add_spare(&((struct spare_job *)j)->sp->segments);
}

static void
on_spare(struct note *n)
{
	struct spare_job *s = (struct spare_job *)n;

	s->sp->spare_wanted = false;
	free(s);
}

static void
spare_check(struct spool *sp)
{
	struct spare_job *s;

	if (sp->spare_wanted || segments_spares(&sp->segments) > 0)
		return;
	s = xcalloc(1, sizeof(*s));
	s->sp = sp;
	s->job.work = spare_work;
	s->job.note.fn = on_spare;
	sp->spare_wanted = true;
	workers_ask(&sp->workers, &s->job);
}

static void
on_tick(void *arg)
{
	struct spool *sp = arg;

	space_check(sp);
	spare_check(sp);
	compact_tick(sp);
	timer_set_ms(&sp->tick, TICK_MS);
}

/* -- lost letters ------------------------------------------------------------- */

struct lost_note {
	struct note note;
	struct spool *sp;
	uint64_t qid;
};

static void
on_lost(struct note *n)
{
	struct lost_note *l = (struct lost_note *)n;

	if (!l->sp->closing)
		l->sp->o.lost(l->sp->o.arg, l->qid);
	free(l);
}

/* In the index thread. */
static void
letter_lost(void *arg, uint64_t qid)
{
	struct spool *sp = arg;
	struct lost_note *l;

	if (sp->o.lost == NULL)
		return;
	l = xcalloc(1, sizeof(*l));
	l->note.fn = on_lost;
	l->sp = sp;
	l->qid = qid;
	postbox_post(&sp->box, &l->note);
}

/* -- open -------------------------------------------------------------------- */

static int
threads_start(struct spool *sp, struct committer_start *cs, bool wipe,
    char *why, size_t size)
{
	struct index_start is = { 0 };

	if (workers_start(&sp->workers, &sp->box) == -1)
		return say(why, size, "threads");
#ifdef HAVE_DB
	is.catalog.ops = sp->o.engine == SPOOL_INDEX_MEM ? &index_mem :
	    &index_bdb;
#else
	is.catalog.ops = &index_mem;
#endif
	is.catalog.rootfd = sp->rootfd;
	is.catalog.baddir = sp->baddir;
	is.catalog.segments = &sp->segments;
	is.catalog.uuid = sp->meta.uuid;
	is.catalog.lost = letter_lost;
	is.catalog.arg = sp;
	is.box = &sp->box;
	is.wipe = wipe;
	is.settle_ms = sp->o.settle_ms;
	is.bigdir = sp->bigdir;
	is.epoch = sp->meta.epoch;
	cs->segments = &sp->segments;
	cs->box = &sp->box;
	cs->loop = sp->o.loop;
	memcpy(cs->uuid, sp->meta.uuid, sizeof(cs->uuid));
	cs->epoch = sp->meta.epoch;
	if ((sp->index = index_thread_start(&is)) == NULL) {
		say(why, size, "threads");
		workers_stop(&sp->workers);
		return -1;
	}
	cs->notice = index_thread_notice;
	cs->arg = sp->index;
	if ((sp->committer = commit_start(cs)) == NULL) {
		say(why, size, "a new segment");
		index_thread_stop(sp->index);
		workers_stop(&sp->workers);
		return -1;
	}
	return 0;
}

static void
spool_free(struct spool *sp)
{
	int fds[] = { sp->lockfd, sp->bigdir, sp->baddir, sp->rootfd };
	size_t i;

	if (sp->segments.octets != 0)
		segments_close(&sp->segments);
	qidset_clear(&sp->bodies.files);
	for (i = 0; i < nitems(fds); i++)
		if (fds[i] != -1)
			close(fds[i]);
	free(sp);
}

static struct spool *
spool_new(const struct spool_options *o)
{
	struct spool *sp = xcalloc(1, sizeof(*sp));

	sp->o = *o;
	if (sp->o.segment_octets == 0)
		sp->o.segment_octets = SPOOL_SEGMENT_OCTETS;
	if (sp->o.segment_octets < SPOOL_SEGMENT_MIN)
		sp->o.segment_octets = SPOOL_SEGMENT_MIN;
	if (sp->o.settle_ms == 0)
		sp->o.settle_ms = SETTLE_MS;
	sp->rootfd = sp->lockfd = sp->bigdir = sp->baddir = -1;
	return sp;
}

static int
spool_begin(struct spool *sp, struct committer_start *cs, bool *wipe,
    char *why, size_t size)
{
	sp->rootfd = openat(sp->o.rootfd, ".",
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (sp->rootfd == -1)
		return say(why, size, "the spool's folder");
	if ((sp->lockfd = meta_lock(sp->rootfd, why, size)) == -1)
		return -1;
	if (folders_open(sp, why, size) == -1 ||
	    meta_begin(sp, wipe, why, size) == -1)
		return -1;
	sp->next_qid = (uint64_t)sp->meta.epoch << QID_COUNTER_BITS | 1;
	sp->bodies.bigdir = sp->bigdir;
	sp->bodies.workers = &sp->workers;
	bodies_load(&sp->bodies);
	return log_end(sp, cs, why, size);
}

int
spool_open(struct spool **out, const struct spool_options *o, char *why,
    size_t why_size)
{
	struct committer_start cs = { 0 };
	struct spool *sp = spool_new(o);
	sigset_t all, old;
	bool wipe = false;
	int rv;

	if (spool_begin(sp, &cs, &wipe, why, why_size) == -1) {
		spool_free(sp);
		return -1;
	}
	if (postbox_init(&sp->box, o->loop) == -1) {
		say(why, why_size, "eventfd");
		spool_free(sp);
		return -1;
	}
	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rv = threads_start(sp, &cs, wipe, why, why_size);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rv == -1) {
		postbox_clear(&sp->box);
		spool_free(sp);
		return -1;
	}
	logread_init(&sp->reader, &sp->segments);
	timer_init(&sp->tick, o->loop, on_tick, sp);
	on_tick(sp);
	*out = sp;
	return 0;
}

/* -- close ------------------------------------------------------------------- */

void
spool_close(struct spool *sp)
{
	sp->closing = true;
	timer_stop(&sp->tick);
	while (sp->bodies.finishing > 0) /* big bodies become records */
		postbox_wait(&sp->box);
	workers_stop(&sp->workers);
	postbox_run(&sp->box);
	commit_stop(sp->committer);
	postbox_run(&sp->box);
	index_thread_stop(sp->index);
	postbox_run(&sp->box);
	sp->meta.clean = true;
	if (meta_write(sp->rootfd, &sp->meta) == -1)
		log_warn("meta");
	commit_free(sp->committer);
	compact_clear(sp);
	logread_clear(&sp->reader);
	postbox_clear(&sp->box);
	spool_free(sp);
}

/* -- adopt ------------------------------------------------------------------- */

static int
adopt_meta(int rootfd, char *why, size_t size)
{
	struct meta m;
	int rv = meta_read(rootfd, &m, why, size);

	/* A damaged one is what adopt is for; a newer format is not. */
	if (rv == -1 && strstr(why, "newer") != NULL)
		return -1;
	if (rv != 0) {
		memset(&m, 0, sizeof(m));
		/* Its epoch is unknown: ids must not come twice. */
		m.epoch = (uint32_t)(clock_now_s() / 86400) & META_EPOCH_MAX;
	}
	if (getrandom(m.uuid, sizeof(m.uuid), 0) != sizeof(m.uuid))
		return say(why, size, "getrandom");
	m.clean = true;
	return meta_write(rootfd, &m) == -1 ? say(why, size, "meta") : 0;
}

int
spool_adopt(int rootfd, char *why, size_t why_size)
{
	int rv, lock = meta_lock(rootfd, why, why_size);

	if (lock == -1)
		return -1;
	rv = adopt_meta(rootfd, why, why_size);
	close(lock);
	return rv;
}

/* -- small questions --------------------------------------------------------- */

uint32_t
spool_epoch(const struct spool *sp)
{
	return sp->meta.epoch;
}

const unsigned char *
spool_uuid(const struct spool *sp)
{
	return sp->meta.uuid;
}

uint64_t
spool_qids(struct spool *sp, uint32_t n)
{
	uint64_t first = sp->next_qid;

	sp->next_qid += n;
	return first;
}

enum spool_status
spool_intake(const struct spool *sp)
{
	if (commit_broken(sp->committer))
		return SPOOL_FAILED;
	return sp->full ? SPOOL_FULL : SPOOL_OK;
}

void
spool_stats(struct spool *sp, struct spool_stats *out)
{
	struct commit_counts k;
	struct index_view v;
	size_t n;

	commit_counts(sp->committer, &k);
	index_thread_view(sp->index, &v);
	memset(out, 0, sizeof(*out));
	out->letters = v.letters + v.waiting;
	out->log_octets = segments_used(&sp->segments, &n);
	out->segments = (uint32_t)n;
	out->spares = segments_spares(&sp->segments);
	out->live_octets = v.live_octets;
	out->batches = k.batches;
	out->records = k.records;
	out->syncs = k.syncs;
	out->failed_syncs = k.failed_syncs;
	out->bodies_octets = sp->bodies.octets;
	out->free_octets = sp->free_octets;
	out->indexed = v.indexed;
	out->copied = sp->compactor.copied;
	out->index_ready = v.ready;
}
