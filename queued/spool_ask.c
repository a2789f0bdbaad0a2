/*
 * queued/spool_ask.c - what is read: texts straight from the log by their
 * place, everything else by asking the index thread. The loop's thread, but
 * for the functions that end in _work.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "queued/spool_int.h"

int
spool_read(struct spool *sp, const struct letter *l, struct buf *out,
    struct span *text, int *fd)
{
	struct record_head h;
	struct span payload;
	bool big;

	*fd = -1;
	*text = span_make("", 0);
	if (l->big)
		return (*fd = big_open(&sp->bodies, l->qid)) == -1 ? -1 : 0;
	if (logread_record_to(&sp->reader, l->place, out, &h, &payload) == -1)
		return -1;
	if (h.qid != l->qid || record_decode_text(payload, text, &big) == -1 ||
	    big) {
		errno = EIO;
		return -1;
	}
	return 0;
}

void
spool_ask(struct spool *sp, struct ask *a,
    void (*work)(struct ask *a, struct catalog *c), void (*fn)(struct note *n))
{
	a->work = work;
	a->note.fn = fn;
	index_thread_ask(sp->index, a);
}

/* -- behind what is being written -------------------------------------------- */

/* A question that waits for all records asked for before it. */
struct late_ask {
	struct ask ask;
	struct spool *sp;
};

/*
 * All records so far are durable and noticed: now the index can tell what there
 * is. Before that it would name letters that have just been delivered.
 */
static void
on_written(struct rec *r)
{
	struct late_ask *a = r->arg;

	if (a->sp->closing)
		a->ask.note.fn(&a->ask.note);
	else
		index_thread_ask(a->sp->index, &a->ask);
}

static void
ask_behind_records(struct spool *sp, struct late_ask *a,
    void (*work)(struct ask *a, struct catalog *c), void (*fn)(struct note *n))
{
	struct rec *r = rec_new(0, 0);

	a->sp = sp;
	a->ask.work = work;
	a->ask.note.fn = fn;
	r->done = on_written;
	r->arg = a;
	commit_append(sp->committer, r);
}

/* -- one letter -------------------------------------------------------------- */

struct get_ask {
	struct late_ask late;
	uint64_t qid;
	struct letter *letter;
	enum spool_status status;
	void (*cb)(void *arg, enum spool_status status, struct letter *l);
	void *arg;
};

static void
get_work(struct ask *a, struct catalog *c)
{
	struct get_ask *g = (struct get_ask *)a;
	int rv = catalog_load(c, g->qid, &g->letter);

	g->status = rv == 1 ? SPOOL_OK : rv == 0 ? SPOOL_ABSENT :
	    c->ix == NULL ? SPOOL_BUSY : SPOOL_FAILED;
}

static void
on_got(struct note *n)
{
	struct get_ask *g = (struct get_ask *)n;

	if (g->late.sp->closing)
		letter_free(g->letter);
	else
		g->cb(g->arg, g->status, g->letter);
	free(g);
}

void
spool_get(struct spool *sp, uint64_t qid,
    void (*cb)(void *arg, enum spool_status status, struct letter *l),
    void *arg)
{
	struct get_ask *g = xcalloc(1, sizeof(*g));

	g->qid = qid;
	g->cb = cb;
	g->arg = arg;
	ask_behind_records(sp, &g->late, get_work, on_got);
}

/* -- slices ------------------------------------------------------------------ */

enum slice_kind { SLICE_DUE, SLICE_DEST, SLICE_LIST };

struct slice_ask {
	struct late_ask late;
	enum slice_kind kind;
	int64_t from_s, until_s;
	uint64_t from_qid;
	uint32_t limit, from_hash;
	struct buf texts; /* what the spans below borrow from */
	struct spool_filter filter;
	struct span domain;
	struct spool_slice slice;
	spool_slice_fn *cb;
	void *arg;
};

static void
slice_work(struct ask *a, struct catalog *c)
{
	struct slice_ask *q = (struct slice_ask *)a;
	int rv = -1;

	if (q->kind == SLICE_DUE)
		rv = catalog_due(c, q->from_s, q->from_qid, q->until_s,
		    q->limit, &q->slice);
	else if (q->kind == SLICE_DEST)
		rv = catalog_dest(c, q->domain, q->from_hash, q->limit,
		    &q->slice);
	else
		rv = catalog_list(c, q->from_qid, &q->filter, &q->slice);
	q->slice.status = rv == 0 ? SPOOL_OK : SPOOL_BUSY;
}

static void
on_slice(struct note *n)
{
	struct slice_ask *q = (struct slice_ask *)n;
	bool unwanted = q->late.sp->closing || q->slice.status != SPOOL_OK;
	size_t i;

	for (i = 0; unwanted && i < q->slice.n; i++)
		letter_free(q->slice.letters[i]);
	if (unwanted)
		q->slice.n = 0;
	if (!q->late.sp->closing)
		q->cb(q->arg, &q->slice);
	free(q->slice.letters);
	buf_clear(&q->texts);
	free(q);
}

static struct slice_ask *
slice_new(enum slice_kind kind, spool_slice_fn *cb, void *arg)
{
	struct slice_ask *q = xcalloc(1, sizeof(*q));

	q->kind = kind;
	q->cb = cb;
	q->arg = arg;
	q->slice.next_s = LETTER_NEVER;
	buf_init(&q->texts, SIZE_MAX / 2);
	return q;
}

void
spool_scan_due(struct spool *sp, int64_t from_s, uint64_t from_qid,
    int64_t until_s, uint32_t limit, spool_slice_fn *cb, void *arg)
{
	struct slice_ask *q = slice_new(SLICE_DUE, cb, arg);

	q->from_s = from_s;
	q->from_qid = from_qid;
	q->until_s = until_s;
	q->limit = limit;
	ask_behind_records(sp, &q->late, slice_work, on_slice);
}

void
spool_scan_dest(struct spool *sp, struct span domain, uint32_t from_hash,
    uint32_t limit, spool_slice_fn *cb, void *arg)
{
	struct slice_ask *q = slice_new(SLICE_DEST, cb, arg);

	q->from_hash = from_hash;
	q->limit = limit;
	buf_add_span(&q->texts, domain);
	q->domain = buf_span(&q->texts);
	ask_behind_records(sp, &q->late, slice_work, on_slice);
}

void
spool_list(struct spool *sp, uint64_t from_qid, const struct spool_filter *f,
    spool_slice_fn *cb, void *arg)
{
	struct slice_ask *q = slice_new(SLICE_LIST, cb, arg);
	struct span *texts[4];
	size_t i, off = 0;

	q->from_qid = from_qid;
	q->filter = *f;
	texts[0] = &q->filter.reverse_path;
	texts[1] = &q->filter.rcpt;
	texts[2] = &q->filter.domain;
	texts[3] = &q->filter.account;
	for (i = 0; i < nitems(texts); i++)
		buf_add_span(&q->texts, *texts[i]);
	for (i = 0; i < nitems(texts); i++) {
		texts[i]->p = q->texts.p + q->texts.off + off;
		off += texts[i]->len;
	}
	ask_behind_records(sp, &q->late, slice_work, on_slice);
}

/* -- verify, rebuild --------------------------------------------------------- */

struct verify_ask {
	struct ask ask;
	struct spool *sp;
	struct spool_report report;
	void (*cb)(void *arg, const struct spool_report *r);
	void *arg;
};

static void
verify_work(struct ask *a, struct catalog *c)
{
	struct verify_ask *v = (struct verify_ask *)a;

	v->report.status = catalog_verify(c, &v->report) == 0 ? SPOOL_OK :
	    SPOOL_BUSY;
}

static void
on_verified(struct note *n)
{
	struct verify_ask *v = (struct verify_ask *)n;

	if (!v->sp->closing)
		v->cb(v->arg, &v->report);
	free(v);
}

void
spool_verify(struct spool *sp,
    void (*cb)(void *arg, const struct spool_report *r), void *arg)
{
	struct verify_ask *v = xcalloc(1, sizeof(*v));

	v->sp = sp;
	v->cb = cb;
	v->arg = arg;
	spool_ask(sp, &v->ask, verify_work, on_verified);
}

struct rebuild_ask {
	struct ask ask;
	struct spool *sp;
	enum spool_status status;
	spool_fn *cb;
	void *arg;
};

static void
rebuild_work(struct ask *a, struct catalog *c)
{
	struct rebuild_ask *r = (struct rebuild_ask *)a;

	r->status = catalog_open(c, true) == 0 ? SPOOL_OK : SPOOL_BUSY;
}

static void
on_rebuilt(struct note *n)
{
	struct rebuild_ask *r = (struct rebuild_ask *)n;

	if (!r->sp->closing)
		r->cb(r->arg, r->status);
	free(r);
}

void
spool_rebuild(struct spool *sp, spool_fn *cb, void *arg)
{
	struct rebuild_ask *r = xcalloc(1, sizeof(*r));

	r->sp = sp;
	r->cb = cb;
	r->arg = arg;
	spool_ask(sp, &r->ask, rebuild_work, on_rebuilt);
}
