/*
 * queued/settle.c - what became of an attempt: records, the next attempt's time,
 * the story for the log. A letter ends when its last recipient is settled.
 */
#include <stdlib.h>

#include "lib/log.h"
#include "lib/mem.h"
#include "queued/queued.h"

#define CUT_OFF_S  30 /* an attempt that a dead worker took with it */
#define DEPTH_MAX  10 /* forwards behind forwards (lesson 30) */

/* Retries of many letters shall not all come in the same second. */
static int64_t
jitter(int64_t s)
{
	int64_t tenth = s / 10;

	return tenth == 0 ? s
	    : s - tenth + (int64_t)arc4random_uniform((uint32_t)tenth * 2 + 1);
}

static int64_t
retry_s(const struct conf_queue *c, unsigned attempt)
{
	size_t i = attempt == 0 ? 0 : attempt - 1;

	if (c->nretry == 0)
		return 3600;
	return jitter(c->retry_s[i < c->nretry ? i : c->nretry - 1]);
}

/* A failed attempt: once more later, or given up after its time. */
static void
defer(struct active *a, const struct rcpt *r, struct outcome *o)
{
	const struct conf_queue *c = &a->q->d.conf->queue;
	int64_t now = queue_now(a->q), age = now - a->l->arrival_s;

	o->attempt = (uint16_t)(r->attempt + 1);
	o->next_s = now + retry_s(c, o->attempt);
	o->state = age >= c->keep_s ? RCPT_EXPIRED : RCPT_DEFERRED;
	if (o->state == RCPT_DEFERRED && c->warn_s > 0 && age >= c->warn_s)
		o->flags |= RCPT_WARNED;
}

static enum event_code
event_of(const struct outcome *o)
{
	switch (o->state) {
	case RCPT_DELIVERED:
		return EV_DELIVERED;
	case RCPT_RELAYED:
		return EV_RELAYED;
	case RCPT_FAILED:
		return EV_FAILED;
	case RCPT_EXPIRED:
		return EV_EXPIRED;
	default:
		return EV_DEFERRED;
	}
}

static void
count(struct queued *q, const struct outcome *o)
{
	switch (o->state) {
	case RCPT_DELIVERED:
		q->delivered++;
		break;
	case RCPT_RELAYED:
		q->relayed++;
		break;
	case RCPT_FAILED:
		q->failed++;
		break;
	case RCPT_EXPIRED:
		q->expired++;
		break;
	default:
		q->deferred++;
	}
}

static void
tell(struct active *a, const struct rcpt *r, const struct outcome *o)
{
	const struct rcpt *origin = rcpt_origin(a->l, r);
	int64_t now = queue_now(a->q);
	struct event_out e;

	count(a->q, o);
	event_begin(&e, event_of(o), a->l->qid, 0);
	event_text(&e, KEY_TO, r->addr);
	if (origin != r)
		event_text(&e, KEY_ORCPT, origin->addr);
	if (r->user.len > 0)
		event_text(&e, KEY_USER, r->user);
	if (o->host.len > 0)
		event_text(&e, KEY_HOST, o->host);
	event_text(&e, KEY_STATUS, o->status);
	event_text(&e, KEY_REPLY, o->reply);
	event_num(&e, KEY_DELAY, now > a->l->arrival_s
	    ? (uint64_t)(now - a->l->arrival_s) : 0);
	if (o->state == RCPT_DEFERRED)
		event_num(&e, KEY_NEXT, o->next_s > now
		    ? (uint64_t)(o->next_s - now) : 0);
	event_send(&e);
}

/* From what a worker told to a record; false: there is none to write. */
static bool
outcome_make(struct active *a, const struct rcpt *r,
    const struct outcome_told *told, struct outcome *o)
{
	*o = (struct outcome){ .number = r->number,
		.attempt = (uint16_t)(r->attempt + 1),
		.flags = (uint16_t)(r->flags & ~RCPT_CHECK) };
	o->status = span_str(told->status);
	o->reply = span_str(told->reply);
	o->host = span_str(told->host);
	switch (told->what) {
	case OUTCOME_DELIVERED:
		o->state = RCPT_DELIVERED;
		break;
	case OUTCOME_RELAYED:
	case OUTCOME_PASSED:
		o->state = RCPT_RELAYED;
		break;
	case OUTCOME_FAILED:
		o->state = RCPT_FAILED;
		break;
	case OUTCOME_FORWARDED:
		if (r->depth < DEPTH_MAX)
			return false;
		o->state = RCPT_FAILED;
		o->status = span_str("5.4.6");
		o->reply = span_str("Forwarded too often");
		break;
	case OUTCOME_DEFERRED:
		defer(a, r, o);
		break;
	default: /* the worker is gone, and perhaps it was done */
		o->state = RCPT_DEFERRED;
		o->attempt = r->attempt;
		o->next_s = queue_now(a->q) + jitter(CUT_OFF_S);
		o->flags |= RCPT_CHECK;
		o->status = span_str("4.3.0");
		o->reply = span_str("The attempt was cut off");
	}
	return true;
}

/* Records first, then the same in memory: bounce_write compares the two. */
static void
settle(struct active *a, const struct outcome *o, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		tell(a, letter_rcpt(a->l, o[i].number), &o[i]);
	bounce_write(a, o, n);
	for (i = 0; i < n; i++)
		letter_apply_outcome(a->l, &o[i]);
}

static bool
was_reached(const struct task *t)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (t->told[i].what != 0 &&
		    (t->told[i].what != OUTCOME_DEFERRED ||
		    strncmp(t->told[i].status, "4.4.", 4) != 0))
			return true;
	return false;
}

void
settle_task(struct task *t)
{
	struct active *a = t->a;
	struct outcome *list = xcalloc(t->n, sizeof(*list));
	size_t i, n = 0;

	for (i = 0; i < t->n; i++) {
		struct outcome_told *told = &t->told[i];
		const struct rcpt *r = letter_rcpt(a->l, t->numbers[i]);

		active_busy(a, r->number, false);
		if (rcpt_is_settled(r))
			continue; /* deleted, or reported meanwhile */
		if (outcome_make(a, r, told, &list[n]))
			n++;
		else {
			expand_write(a, r->number, told->finals,
			    told->nfinals);
			told->finals = NULL;
			told->nfinals = 0;
		}
	}
	settle(a, list, n);
	free(list);
	dest_task_over(t, was_reached(t));
	task_free(t);
	a->tasks--;
	active_schedule(a);
}

void
settle_fail(struct active *a, struct rcpt *r, const char *status,
    const char *reply)
{
	struct outcome o = { .number = r->number, .state = RCPT_FAILED,
		.flags = r->flags, .attempt = r->attempt };

	o.status = span_str(status);
	o.reply = span_str(reply);
	settle(a, &o, 1);
}

void
settle_defer(struct active *a, struct rcpt *r, const char *status,
    const char *reply)
{
	struct outcome o = { .number = r->number, .flags = r->flags };

	defer(a, r, &o);
	o.status = span_str(status);
	o.reply = span_str(reply);
	settle(a, &o, 1);
}

static void
on_reported_letter(void *arg, enum spool_status status, struct letter *l)
{
	if (status == SPOOL_OK)
		active_add(arg, l); /* perhaps that was its last recipient */
}

void
settle_report(struct queued *q, uint64_t qid, const struct outcome *o)
{
	struct active *a = active_find(q, qid);
	const struct rcpt *r;

	if (a == NULL) {
		spool_state(q->spool, qid, o, 1, NULL, NULL);
		spool_get(q->spool, qid, on_reported_letter, q);
		return;
	}
	r = letter_rcpt(a->l, o->number);
	if (r == NULL || rcpt_is_settled(r))
		return;
	tell(a, r, o);
	spool_state(q->spool, qid, o, 1, NULL, NULL);
	letter_apply_outcome(a->l, o);
	active_schedule(a);
}

void
settle_end(struct active *a)
{
	struct event_out e;

	spool_done(a->q->spool, a->l->qid);
	event_begin(&e, EV_DONE, a->l->qid, 0);
	event_send(&e);
}
