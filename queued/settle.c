/*
 * queued/settle.c - what became of an attempt: records, the next attempt's time,
 * the story for the log. A letter ends when its last recipient is settled.
 */
#include <stdlib.h>

#include "lib/log.h"
#include "lib/mem.h"
#include "queued/queued.h"

#define CUT_OFF_S  30 /* an attempt that a dead worker took with it */
#define AWAY_S     10 /* a question whose answerer is being restarted */
/* Beside OUTCOME_: forwarded, to nobody. */
#define TOLD_NOWHERE 255
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

	if (r->kind != 0)
		o->flags = (uint16_t)((o->flags & ~RCPT_REMOTE) |
		    (r->kind == FINAL_REMOTE ? RCPT_REMOTE : 0));
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
	if (o->tls.len > 0)
		event_text(&e, KEY_TLS, o->tls);
	event_text(&e, KEY_STATUS, o->status);
	event_text(&e, KEY_REPLY, o->reply);
	event_num(&e, KEY_DELAY, now > a->l->arrival_s
	    ? (uint64_t)(now - a->l->arrival_s) : 0);
	if (o->state == RCPT_DEFERRED) {
		event_num(&e, KEY_ATTEMPT, o->attempt);
		event_num(&e, KEY_NEXT, o->next_s > now
		    ? (uint64_t)(o->next_s - now) : 0);
	}
	event_send(&e);
}

/* The worker is gone, and perhaps it was done. Once more soon; a letter that
 * ends its workers again and again waits and expires like any other. */
static void
cut_off(struct active *a, const struct rcpt *r, struct outcome *o)
{
	int64_t soon = queue_now(a->q) + jitter(CUT_OFF_S);

	defer(a, r, o);
	if ((r->flags & RCPT_CHECK) == 0 && o->next_s > soon)
		o->next_s = soon;
	o->flags |= RCPT_CHECK;
	o->status = span_str("4.3.0");
	o->reply = span_str("The attempt was cut off");
}

/* From what a worker told to a record; false: there is none to write. */
static bool
outcome_make(struct active *a, const struct rcpt *r,
    const struct outcome_told *told, struct outcome *o)
{
	*o = (struct outcome){ .number = r->number,
		.attempt = (uint16_t)(r->attempt + 1),
		.flags = r->flags };
	o->status = span_str(told->status);
	o->reply = span_str(told->reply);
	o->host = span_str(told->host);
	o->tls = span_str(told->tls);
	switch (told->what == OUTCOME_FORWARDED && told->nfinals == 0
	    ? TOLD_NOWHERE : told->what) {
	case OUTCOME_DELIVERED:
		o->state = RCPT_DELIVERED;
		break;
	case OUTCOME_PASSED:
		o->flags |= RCPT_PASSED;
		o->state = RCPT_RELAYED;
		break;
	case OUTCOME_RELAYED:
		o->state = RCPT_RELAYED;
		break;
	case OUTCOME_FAILED:
		o->state = RCPT_FAILED;
		break;
	case OUTCOME_FORWARDED:
		if (r->depth < DEPTH_MAX &&
		    told->nfinals <= LETTER_RCPTS_MAX - a->l->nrcpts)
			return false;
		o->state = RCPT_FAILED;
		o->status = span_str("5.4.6");
		o->reply = span_str("Forwarded too often");
		break;
	case TOLD_NOWHERE:
		defer(a, r, o);
		o->status = span_str("4.2.4");
		o->reply = span_str("The list of recipients is empty");
		break;
	case OUTCOME_DEFERRED:
		defer(a, r, o);
		break;
	default:
		cut_off(a, r, o);
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
	struct dest *d = t->dest;
	struct outcome *list = xcalloc(t->n, sizeof(*list));
	size_t i, n = 0;
	bool reached;

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
	reached = was_reached(t);
	if (!reached && !d->local && !d->starting && t->told[0].what != 0 &&
	    d->unreached + 1 >= DEST_UNREACHED_MAX && d->waiting > 0)
		dest_give_up(d, a->q, &t->told[0]);
	dest_task_over(t, reached);
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
    const char *reply, bool away)
{
	struct outcome o = { .number = r->number, .flags = r->flags };
	int64_t soon = queue_now(a->q) + jitter(AWAY_S);

	defer(a, r, &o);
	if (away && o.next_s > soon)
		o.next_s = soon;
	o.status = span_str(status);
	o.reply = span_str(reply);
	settle(a, &o, 1);
}

/* An outcome that an earlier start asked for, on its way to its letter. */
struct late {
	struct queued *q;
	uint64_t qid;
	bool remote, asking;
	struct outcome o;
	struct letter *texts; /* what o borrows from */
};

static void
late_free(struct late *t)
{
	if (t->asking)
		t->q->closing--;
	letter_free(t->texts);
	free(t);
}

/* Of those that it can have been asked for: relay has no mailboxes. */
static bool
late_fits(const struct rcpt *r, bool remote)
{
	return r != NULL && !rcpt_is_settled(r) &&
	    (r->kind == 0 || (r->kind == FINAL_REMOTE) == remote);
}

static void
late_settle(struct active *a, const struct late *t)
{
	const struct rcpt *r = letter_rcpt(a->l, t->o.number);
	struct outcome o = t->o;

	if (!late_fits(r, t->remote))
		return;
	o.attempt = (uint16_t)(r->attempt + 1);
	o.flags = r->flags;
	a->writes++; /* not the end yet, whatever else is under way */
	settle(a, &o, 1);
	a->writes--;
	active_schedule(a);
}

/* Not in the window: told to its letter before anything is tried again. */
static void
on_late_letter(void *arg, enum spool_status status, struct letter *l)
{
	struct late *t = arg;
	struct queued *q = t->q;
	struct active *a = active_find(q, t->qid);

	if (a == NULL && status == SPOOL_OK &&
	    late_fits(letter_rcpt(l, t->o.number), t->remote)) {
		a = active_hold(q, l);
		l = NULL;
	}
	letter_free(l);
	if (a != NULL)
		late_settle(a, t);
	late_free(t);
}

void
settle_report(struct queued *q, uint64_t qid, const struct outcome *o,
    bool remote)
{
	struct late *t = xcalloc(1, sizeof(*t));
	struct active *a = active_find(q, qid);

	t->q = q;
	t->qid = qid;
	t->remote = remote;
	t->o = *o;
	t->texts = letter_new(qid);
	t->o.status = letter_dup(t->texts, o->status);
	t->o.reply = letter_dup(t->texts, o->reply);
	t->o.host = letter_dup(t->texts, o->host);
	t->o.tls = letter_dup(t->texts, o->tls);
	if (a != NULL) {
		late_settle(a, t);
		late_free(t);
		return;
	}
	/* a scan under way may bring it without this */
	if (q->scanning)
		qidset_add(&q->left, qid);
	t->asking = true;
	q->closing++;
	spool_get(q->spool, qid, on_late_letter, t);
}

void
settle_end(struct active *a)
{
	struct event_out e;

	spool_done(a->q->spool, a->l->qid);
	event_begin(&e, EV_DONE, a->l->qid, 0);
	event_send(&e);
}
