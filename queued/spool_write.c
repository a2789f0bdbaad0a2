/*
 * queued/spool_write.c - what is written about a letter: from the calls of
 * spool.h to records for the committer. The loop's thread.
 *
 * Durable when the callback says so: an inline letter by the fdatasync of its
 * batch; a big one by fdatasync of big/QID and fsync of big/, and only then its
 * MSG by that of the batch. EXPAND, STATE, CTRL and DONE by their batch.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "lib/mem.h"
#include "queued/spool_int.h"

/* A record of many parts is split when it has grown to this; the pieces stay
 * in one batch up to PIECES_GLUED, which a segment can always hold. */
#define PIECE_OCTETS (512u << 10)
#define PIECES_GLUED 4

struct op {
	spool_fn *cb;
	void *arg;
};

struct rec_chain {
	struct rec *first, **last;
	size_t n;
};

struct accept {
	struct spool *sp;
	struct letter *letter;
	struct body *body; /* big, else NULL */
	struct rec_chain before; /* of a bounce: its STATE */
	uint64_t octets;   /* of memory, until durable */
	bool intake;
	spool_fn *cb;
	void *arg;
};

struct later {
	struct note note;
	spool_fn *cb;
	void *arg;
	enum spool_status status;
};

static void
on_later(struct note *n)
{
	struct later *l = (struct later *)n;

	l->cb(l->arg, l->status);
	free(l);
}

void
spool_later(struct spool *sp, spool_fn *cb, void *arg,
    enum spool_status status)
{
	struct later *l;

	if (cb == NULL)
		return;
	l = xcalloc(1, sizeof(*l));
	l->note.fn = on_later;
	l->cb = cb;
	l->arg = arg;
	l->status = status;
	postbox_post(&sp->box, &l->note);
}

/* -- chains of records ------------------------------------------------------- */

static void
chain_init(struct rec_chain *c)
{
	c->first = NULL;
	c->last = &c->first;
	c->n = 0;
}

static struct rec *
chain_add(struct rec_chain *c, uint16_t type, uint64_t qid)
{
	struct rec *r = rec_new(type, qid);

	*c->last = r;
	c->last = &r->next;
	c->n++;
	return r;
}

static void
chain_free(struct rec_chain *c)
{
	struct rec *r;

	while ((r = c->first) != NULL) {
		c->first = r->next;
		rec_free(r);
	}
	chain_init(c);
}

static void
on_op(struct rec *r)
{
	struct op *op = r->arg;

	op->cb(op->arg, r->durable ? SPOOL_OK : SPOOL_FAILED);
	free(op);
}

/* Hands the chain to the committer; glued: the record that follows it comes
 * into the same batch. The chain is empty then. */
static void
chain_append(struct spool *sp, struct rec_chain *c, bool glued)
{
	bool together = c->n <= PIECES_GLUED;
	struct rec *r, *next;

	for (r = c->first; r != NULL; r = next) {
		next = r->next;
		r->glued = next != NULL ? together : glued;
		commit_append(sp->committer, r);
	}
	chain_init(c);
}

static void
chain_send(struct spool *sp, struct rec_chain *c, spool_fn *cb, void *arg)
{
	struct rec *r = c->first;
	struct op *op;

	while (r->next != NULL)
		r = r->next;
	if (cb != NULL) {
		op = xcalloc(1, sizeof(*op));
		op->cb = cb;
		op->arg = arg;
		r->done = on_op;
		r->arg = op;
	}
	chain_append(sp, c, false);
}

static void
chain_state(struct rec_chain *c, uint64_t qid, const struct outcome *o,
    size_t n)
{
	struct rec *r = chain_add(c, REC_STATE, qid);
	size_t i;

	for (i = 0; i < n; i++) {
		if (r->head.len > PIECE_OCTETS)
			r = chain_add(c, REC_STATE, qid);
		if (record_encode_state(&r->head, &o[i], 1) == -1)
			fatalx("an outcome does not fit"); /* texts are cut */
	}
}

/* -- the small records ------------------------------------------------------- */

void
spool_state(struct spool *sp, uint64_t qid, const struct outcome *o, size_t n,
    spool_fn *cb, void *arg)
{
	struct rec_chain c;

	chain_init(&c);
	chain_state(&c, qid, o, n);
	chain_send(sp, &c, cb, arg);
}

/* The parents come last: as long as they stand, the finals may be made again. */
void
spool_expand(struct spool *sp, uint64_t qid, const uint32_t *parents, size_t n,
    const struct final *finals, size_t nfinals, spool_fn *cb, void *arg)
{
	struct rec_chain c;
	struct rec *r;
	size_t i;
	int rv = 0;

	chain_init(&c);
	r = chain_add(&c, REC_EXPAND, qid);
	for (i = 0; i < nfinals && rv == 0; i++) {
		if (r->head.len > PIECE_OCTETS)
			r = chain_add(&c, REC_EXPAND, qid);
		rv = record_encode_expand(&r->head, NULL, 0, &finals[i], 1);
	}
	if (rv == 0)
		rv = record_encode_expand(&r->head, parents, n, NULL, 0);
	if (rv == 0)
		chain_send(sp, &c, cb, arg);
	else {
		chain_free(&c);
		spool_later(sp, cb, arg, SPOOL_TOO_BIG);
	}
}

void
spool_ctrl(struct spool *sp, uint64_t qid, const struct control *k,
    spool_fn *cb, void *arg)
{
	struct rec_chain c;

	chain_init(&c);
	if (record_encode_ctrl(&chain_add(&c, REC_CTRL, qid)->head, k) == 0)
		chain_send(sp, &c, cb, arg);
	else {
		chain_free(&c);
		spool_later(sp, cb, arg, SPOOL_TOO_BIG);
	}
}

static void
on_settled(struct rec *r)
{
	struct spool *sp = r->arg;

	if (r->durable)
		big_unlink(&sp->bodies, r->qid);
}

void
spool_done(struct spool *sp, uint64_t qid)
{
	struct rec *r = rec_new(REC_DONE, qid);

	r->done = on_settled;
	r->arg = sp;
	compact_done(sp, qid);
	commit_append(sp->committer, r);
}

/* -- letters ----------------------------------------------------------------- */

static void
accept_end(struct accept *a, enum spool_status status)
{
	a->sp->bodies.octets -= a->octets;
	if (a->body != NULL) {
		if (status == SPOOL_OK)
			body_keep(a->body);
		else
			body_free(a->body);
	}
	chain_free(&a->before);
	a->cb(a->arg, status);
	free(a);
}

static void
on_accepted(struct rec *r)
{
	struct accept *a = r->arg;

	if (r->durable)
		a->letter->place = r->place;
	accept_end(a, r->durable ? SPOOL_OK : SPOOL_FAILED);
}

/* The MSG itself; the text, if it is inline, is in text. */
static int
accept_write(struct accept *a, struct buf *text)
{
	struct rec *r = rec_new(REC_MSG, a->letter->qid);

	if (record_encode_letter(&r->head, a->letter, 0,
	    (uint32_t)text->len) == -1 ||
	    r->head.len + text->len > RECORD_PAYLOAD_MAX) {
		rec_free(r);
		return -1;
	}
	buf_clear(&r->body);
	r->body = *text;
	buf_init(text, text->max);
	r->intake = a->intake;
	r->done = on_accepted;
	r->arg = a;
	chain_append(a->sp, &a->before, true);
	commit_append(a->sp->committer, r);
	return 0;
}

struct accept_fail {
	struct note note;
	struct accept *a;
	enum spool_status status;
};

static void
on_accept_fail(struct note *n)
{
	struct accept_fail *f = (struct accept_fail *)n;

	accept_end(f->a, f->status);
	free(f);
}

static void
accept_fail(struct accept *a, enum spool_status status)
{
	struct accept_fail *f = xcalloc(1, sizeof(*f));

	f->note.fn = on_accept_fail;
	f->a = a;
	f->status = status;
	postbox_post(&a->sp->box, &f->note);
}

static void
on_big_durable(void *arg, int error)
{
	struct buf none = BUF_INIT(0);
	struct accept *a = arg;

	if (error != 0) {
		errno = error;
		log_warn("a body could not be written to big/");
		accept_end(a, error == ENOSPC || error == EDQUOT ?
		    SPOOL_FULL : SPOOL_FAILED);
	} else if (accept_write(a, &none) == -1)
		accept_end(a, SPOOL_TOO_BIG);
}

static void
accept_start(struct accept *a, struct body *body)
{
	struct buf text = BUF_INIT(0);

	a->letter->size = body_octets(body);
	a->letter->big = body_is_big(body);
	if (a->letter->big) {
		a->body = body;
		body_finish(body, on_big_durable, a);
		return;
	}
	a->octets = a->letter->size;
	body_take(body, &text);
	if (accept_write(a, &text) == -1) {
		buf_clear(&text);
		accept_fail(a, SPOOL_TOO_BIG);
	}
}

static struct accept *
accept_new(struct spool *sp, struct letter *l, spool_fn *cb, void *arg)
{
	struct accept *a = xcalloc(1, sizeof(*a));

	a->sp = sp;
	a->letter = l;
	a->cb = cb;
	a->arg = arg;
	chain_init(&a->before);
	return a;
}

void
spool_accept(struct spool *sp, struct letter *l, struct body *body,
    spool_fn *cb, void *arg)
{
	enum spool_status status = spool_intake(sp);

	if (status != SPOOL_OK) {
		body_free(body);
		spool_later(sp, cb, arg, status);
		return;
	}
	struct accept *a = accept_new(sp, l, cb, arg);

	a->intake = true;
	accept_start(a, body);
}

static void
bounce_ignored(void *arg, enum spool_status status)
{
	(void)arg;
	(void)status;
}

void
spool_bounce(struct spool *sp, uint64_t qid, const struct outcome *o, size_t n,
    struct letter *dsn, struct body *body, spool_fn *cb, void *arg)
{
	struct accept *a = accept_new(sp, dsn, cb == NULL ? bounce_ignored :
	    cb, arg);

	chain_state(&a->before, qid, o, n);
	accept_start(a, body);
}

/* -- bodies, seen from outside ----------------------------------------------- */

struct body *
spool_body_begin(struct spool *sp, uint64_t qid, void (*drain)(void *arg),
    void *arg)
{
	return body_begin(&sp->bodies, qid, drain, arg);
}

size_t
spool_body_append(struct body *b, struct span octets)
{
	return body_append(b, octets);
}

uint64_t
spool_body_octets(const struct body *b)
{
	return body_octets(b);
}

void
spool_body_free(struct body *b)
{
	body_free(b);
}
