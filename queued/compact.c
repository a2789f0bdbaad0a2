/*
 * queued/compact.c - gives space back. The log is one FIFO: only its oldest
 * segment is freed, after its living letters were copied to the head. One step
 * at a time, each started by the end of the one before:
 *
 *   barrier   all records appended so far are durable and noticed
 *   living    the index thread names the letters that live in the segment
 *   copy      it reads some of them; COPY records go to the committer
 *   finish    all are durable and in the index, whose checkpoint is synced, and
 *             nothing lives in the segment any more
 *   free      a worker takes the name away (fsync of seg/)
 *
 * A letter that is settled while it is being copied must not come back by its
 * COPY: done_since holds those settled since the barrier was asked for. State
 * that is written meanwhile needs no care: the COPY says how far it reaches,
 * and later records apply on top of it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "lib/mem.h"
#include "queued/spool_int.h"

/* The log may be so many times as long as what lives in it. */
#define LOG_PER_LIVE 3
/* Copies under way at a time: a batch or two. */
#define COPY_LETTERS 128
#define COPY_OCTETS  (2u << 20)

struct copy {
	struct letter *letter;
	uint64_t through;
	struct buf text;
};

struct compact_ask {
	struct ask ask;
	struct spool *sp;
	int rv;
	/* living, finish */
	uint64_t *qids;
	size_t n;
	bool tails;
	/* copy: qids[0..n) are asked for, made of them are here */
	struct copy *copies;
	size_t asked, made;
};

static void compact_copy(struct spool *sp);

static void
compact_end(struct spool *sp)
{
	struct compactor *k = &sp->compactor;

	k->busy = false;
	x_free(&k->qids);
	k->n = k->next = k->outstanding = 0;
	qidset_clear(&k->done_since);
}

void
compact_clear(struct spool *sp)
{
	compact_end(sp);
}

void
compact_done(struct spool *sp, uint64_t qid)
{
	if (sp->compactor.busy)
		qidset_add(&sp->compactor.done_since, qid);
}

static struct compact_ask *
ask_new(struct spool *sp)
{
	struct compact_ask *a = xcalloc(1, sizeof(*a));

	a->sp = sp;
	return a;
}

/* -- free -------------------------------------------------------------------- */

struct free_job {
	struct job job;
	struct spool *sp;
	int rv;
};

static void
free_work(struct job *j)
{
	struct free_job *f = (struct free_job *)j;

	f->rv = segments_free_oldest(&f->sp->segments);
}

/* The index thread's view names the next one from here on. */
static void
forget_work(struct ask *a, struct catalog *c)
{
	catalog_forget(c, ((struct compact_ask *)a)->sp->compactor.number);
}

static void
on_forgotten(struct note *n)
{
	struct spool *sp = ((struct compact_ask *)n)->sp;

	free(n);
	compact_end(sp);
	if (!sp->closing)
		compact_tick(sp); /* the next one may be free as well */
}

static void
on_freed(struct note *n)
{
	struct free_job *f = (struct free_job *)n;
	struct spool *sp = f->sp;
	int rv = f->rv;

	free(f);
	if (rv == -1)
		log_warn("segment %u could not be freed",
		    sp->compactor.number);
	if (rv == -1 || sp->closing)
		compact_end(sp);
	else
		spool_ask(sp, &ask_new(sp)->ask, forget_work, on_forgotten);
}

static void
compact_free(struct spool *sp)
{
	struct free_job *f = xcalloc(1, sizeof(*f));

	f->sp = sp;
	f->job.work = free_work;
	f->job.note.fn = on_freed;
	workers_ask(&sp->workers, &f->job);
}

/* -- finish ------------------------------------------------------------------ */

static void
finish_work(struct ask *a, struct catalog *c)
{
	struct compact_ask *q = (struct compact_ask *)a;
	struct segment seg;

	q->rv = -1;
	if (!segments_oldest(c->segments, &seg) ||
	    seg.number != q->sp->compactor.number ||
	    catalog_flush(c, INT64_MAX) == -1 ||
	    c->applied < LSN(seg.number, seg.end) ||
	    catalog_living(c, seg.number, false, &q->qids, &q->n) == -1)
		return;
	if (q->n == 0 && catalog_sync(c, true) == 0 &&
	    c->synced >= LSN(seg.number, seg.end))
		q->rv = 0;
}

static void
on_finish(struct note *n)
{
	struct compact_ask *q = (struct compact_ask *)n;
	struct spool *sp = q->sp;

	if (q->rv == 0 && !sp->closing)
		compact_free(sp);
	else
		compact_end(sp); /* the next tick tries again */
	free(q->qids);
	free(q);
}

static void
compact_finish(struct spool *sp)
{
	if (sp->compactor.number == 0)
		compact_end(sp);
	else
		spool_ask(sp, &ask_new(sp)->ask, finish_work, on_finish);
}

/* -- copy -------------------------------------------------------------------- */

/* 1 made, 0 no longer there, -1 */
static int
copy_make(struct catalog *c, uint64_t qid, struct copy *k)
{
	struct record_head h;
	struct span payload, text;
	struct entry e;
	bool big;
	int rv = catalog_find(c, qid, &e);

	if (rv == 1) {
		k->through = entry_through(&e);
		if (catalog_fold(c, qid, &e, &k->letter) == -1)
			rv = -1;
		else if (logread_record(&c->reader, e.base, &h, &payload) ==
		    -1 || record_decode_text(payload, &text, &big) == -1 ||
		    buf_add_span(&k->text, text) == -1) {
			letter_free(k->letter);
			k->letter = NULL;
			errno = EIO;
			rv = -1;
		}
	}
	if (rv == -1 && (errno == EIO || errno == ENOENT) && e.base.lsn != 0) {
		catalog_quarantine(c, LSN_SEGMENT(e.base.lsn));
		catalog_lost(c, qid, e.base.lsn);
		if (catalog_flush(c, INT64_MAX) == 0)
			(void)catalog_drop(c, qid);
		rv = 0;
	}
	if (rv == 0)
		qidset_del(&c->long_tails, qid);
	entry_clear(&e);
	return rv;
}

static void
copy_work(struct ask *a, struct catalog *c)
{
	struct compact_ask *q = (struct compact_ask *)a;
	uint64_t octets = 0;
	int rv;

	q->copies = xcalloc(q->n, sizeof(*q->copies));
	while (q->asked < q->n && octets < COPY_OCTETS) {
		struct copy *k = &q->copies[q->made];

		buf_init(&k->text, RECORD_PAYLOAD_MAX);
		rv = copy_make(c, q->qids[q->asked++], k);
		if (rv == -1) {
			q->rv = -1;
			return;
		}
		if (rv == 1) {
			octets += k->text.len;
			q->made++;
		}
	}
}

static void
on_copied(struct rec *r)
{
	struct spool *sp = r->arg;
	struct compactor *k = &sp->compactor;

	if (r->durable) {
		k->copied++;
		if (sp->o.moved != NULL)
			sp->o.moved(sp->o.arg, r->qid, r->place);
	}
	if (--k->outstanding == 0 && !sp->closing)
		compact_copy(sp);
}

/* What a letter of very many recipients need not carry any longer. */
static void
trim_settled(struct letter *l)
{
	struct span none = span_make("", 0);
	uint32_t i;

	for (i = 0; i < l->nrcpts; i++)
		if (rcpt_is_settled(&l->rcpts[i]))
			l->rcpts[i].reply = l->rcpts[i].host = none;
}

static void
copy_append(struct spool *sp, struct copy *k)
{
	struct rec *r = rec_new(REC_COPY, k->letter->qid);
	uint32_t len = (uint32_t)k->text.len;

	if (record_encode_letter(&r->head, k->letter, k->through, len) == -1 ||
	    r->head.len + len > RECORD_PAYLOAD_MAX) {
		rec_free(r);
		r = rec_new(REC_COPY, k->letter->qid);
		trim_settled(k->letter);
		if (record_encode_letter(&r->head, k->letter, k->through,
		    len) == -1) {
			/* Its segment stays, then, and so does the letter. */
			log_warnx("a letter is too large to be moved");
			rec_free(r);
			return;
		}
	}
	r->through = k->through;
	buf_clear(&r->body);
	r->body = k->text;
	buf_init(&k->text, RECORD_PAYLOAD_MAX);
	r->done = on_copied;
	r->arg = sp;
	sp->compactor.outstanding++;
	commit_append(sp->committer, r);
}

static void
on_copies(struct note *n)
{
	struct compact_ask *q = (struct compact_ask *)n;
	struct spool *sp = q->sp;
	struct compactor *k = &sp->compactor;
	bool stop = q->rv == -1 || sp->closing;
	size_t i;

	k->next += q->asked;
	for (i = 0; i < q->made; i++) {
		struct copy *c = &q->copies[i];

		if (!stop && !qidset_has(&k->done_since, c->letter->qid))
			copy_append(sp, c);
		letter_free(c->letter);
		buf_clear(&c->text);
	}
	free(q->copies);
	free(q);
	if (stop)
		compact_end(sp);
	else if (k->outstanding == 0)
		compact_copy(sp);
}

static void
compact_copy(struct spool *sp)
{
	struct compactor *k = &sp->compactor;
	struct compact_ask *q;

	if (k->next == k->n) {
		compact_finish(sp);
		return;
	}
	q = ask_new(sp);
	q->qids = k->qids + k->next; /* borrowed: the list stays until the end */
	q->n = k->n - k->next < COPY_LETTERS ? k->n - k->next : COPY_LETTERS;
	spool_ask(sp, &q->ask, copy_work, on_copies);
}

/* -- living ------------------------------------------------------------------ */

static void
living_work(struct ask *a, struct catalog *c)
{
	struct compact_ask *q = (struct compact_ask *)a;

	q->rv = catalog_living(c, q->sp->compactor.number, q->tails, &q->qids,
	    &q->n);
}

static void
on_living(struct note *n)
{
	struct compact_ask *q = (struct compact_ask *)n;
	struct spool *sp = q->sp;

	if (q->rv == -1 || sp->closing) {
		free(q->qids);
		compact_end(sp);
	} else {
		sp->compactor.qids = q->qids;
		sp->compactor.n = q->n;
		compact_copy(sp);
	}
	free(q);
}

static void
on_barrier(struct rec *r)
{
	struct spool *sp = r->arg;
	struct compact_ask *q;

	if (sp->closing) {
		compact_end(sp);
		return;
	}
	q = ask_new(sp);
	q->tails = sp->compactor.number == 0;
	spool_ask(sp, &q->ask, living_work, on_living);
}

/* -- when -------------------------------------------------------------------- */

static void
compact_start(struct spool *sp, uint32_t number)
{
	struct rec *r = rec_new(0, 0);

	sp->compactor.busy = true;
	sp->compactor.number = number;
	r->done = on_barrier;
	r->arg = sp;
	commit_append(sp->committer, r);
}

void
compact_tick(struct spool *sp)
{
	struct index_view v;
	struct segment oldest;
	uint64_t used;
	size_t n;

	if (sp->compactor.busy || sp->closing ||
	    commit_broken(sp->committer))
		return;
	index_thread_view(sp->index, &v);
	used = segments_used(&sp->segments, &n);
	if (!v.ready || n < 2 || !segments_oldest(&sp->segments, &oldest))
		return;
	if (v.long_tails) {
		compact_start(sp, 0);
		return;
	}
	/* What is only now on its way to the index cannot be told yet. */
	if (v.oldest != oldest.number ||
	    v.applied < LSN(oldest.number, oldest.end))
		return;
	if (v.oldest_live == 0 || used > LOG_PER_LIVE * v.live_octets +
	    2 * (uint64_t)sp->segments.octets)
		compact_start(sp, oldest.number);
}
