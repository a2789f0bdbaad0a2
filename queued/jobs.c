/*
 * queued/jobs.c - attempts as they go to deliver and relay and come back. What
 * a worker tells is checked against what it was asked, and nothing more is
 * believed of it than the fate of those recipients.
 */
#include <openssl/sha.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/mem.h"
#include "queued/queued.h"

#define REPORT_MS 30000 /* then master is asked to end it */
/* Ended at once, unless the kernel itself is stuck with it: then nothing that
 * waits longer would help, and it goes on without. */
#define END_MS    10000
#define TOKEN     10    /* octets: 80 bits of the digest */
#define QID_EPOCH 40    /* bits below the start epoch in a qid */

static struct worker *
worker_of(struct queued *q, const struct channel *ch)
{
	struct worker *w;

	for (w = q->workers; w != NULL && w->ch != ch; w = w->next)
		;
	return w;
}

static void
worker_is_ready(struct worker *w)
{
	timer_stop(&w->patience);
	w->ready = true;
	loop_defer(&w->q->d.loop, &w->q->dispatch);
}

/* Does one of this kind still owe its report? What it did is not known yet, so
 * nothing may be tried again. */
static bool
reports_are_due(const struct queued *q, bool relay)
{
	const struct worker *w;

	for (w = q->workers; w != NULL; w = w->next)
		if (w->relay == relay && !w->ready && channel_is_open(w->ch))
			return true;
	return false;
}

/* What it did is known when it reports or is dead: master ends it. */
static void
on_patience(void *arg)
{
	struct worker *w = arg;
	struct ipc_writer out;

	if (w->hung) {
		log_warnx("%s %u cannot be ended; going on without its "
		    "report", role_name(w->ch->peer), w->ch->instance);
		worker_is_ready(w);
		return;
	}
	w->hung = true;
	log_warnx("%s %u did not report in time", role_name(w->ch->peer),
	    w->ch->instance);
	out = ipc_begin(&w->q->d.master, IPC_HUNG, 0, 0);
	ipc_put_u8(&out, (uint8_t)w->ch->peer);
	ipc_put_u16(&out, w->ch->instance);
	ipc_end(&out);
	timer_set_ms(&w->patience, END_MS);
}

void
worker_up(void *arg, struct channel *ch)
{
	struct queued *q = arg;
	struct worker *w = worker_of(q, ch);

	if (w == NULL) {
		w = xcalloc(1, sizeof(*w));
		w->q = q;
		w->ch = ch;
		w->relay = ch->peer == ROLE_RELAY;
		w->next = q->workers;
		q->workers = w;
		timer_init(&w->patience, &q->d.loop, on_patience, w);
	}
	w->ready = w->reported = w->hung = false;
	timer_set_ms(&w->patience, REPORT_MS);
}

static void
task_over(struct queued *q, struct task *t)
{
	struct worker *w = t->worker;

	hash_remove(&q->jobs, &t->node);
	w->jobs--;
	w->octets -= t->octets;
	t->worker = NULL;
	settle_task(t);
}

struct lost {
	struct worker *w;
	struct task *first;
};

static void
lost_collect(void *arg, struct hash_node *node)
{
	struct lost *lost = arg;
	struct task *t = hash_entry(node, struct task, node);

	if (t->worker != lost->w)
		return;
	t->next = lost->first;
	lost->first = t;
}

/* What was under way may or may not have been done: told nothing, it is
 * deferred, and looked at with care the next time. */
void
worker_down(void *arg, struct channel *ch)
{
	struct queued *q = arg;
	struct lost lost = { worker_of(q, ch), NULL };
	struct task *t;

	if (lost.w == NULL)
		return;
	lost.w->ready = false;
	timer_stop(&lost.w->patience);
	loop_defer(&q->d.loop, &q->dispatch); /* its report is not waited for */
	hash_each(&q->jobs, lost_collect, &lost);
	while ((t = lost.first) != NULL) {
		lost.first = t->next;
		task_over(q, t);
	}
}

struct worker *
worker_for(struct queued *q, const struct dest *d)
{
	struct worker *w, *best = NULL;
	uint64_t score = 0;

	if (reports_are_due(q, !d->local))
		return NULL;
	for (w = q->workers; w != NULL; w = w->next) {
		/* the same host to the same worker: it may still be connected */
		uint64_t s = (d->node.key ^ w->ch->instance) *
		    0x9e3779b97f4a7c15;

		if (w->relay == d->local || !w->ready ||
		    !channel_is_open(w->ch) || w->jobs >= WORKER_JOBS ||
		    w->octets >= WORKER_OCTETS)
			continue;
		if (best == NULL || s > score) {
			best = w;
			score = s;
		}
	}
	return best;
}

/* The same delivery, tried twice, has the same token; another never has. */
static void
token_make(struct queued *q, const struct letter *l, const struct rcpt *r,
    unsigned char out[SHA256_DIGEST_LENGTH])
{
	struct buf b = BUF_INIT(SPOOL_UUID_OCTETS + 16 + 2 * LETTER_TEXT_MAX);

	buf_add(&b, spool_uuid(q->spool), SPOOL_UUID_OCTETS);
	buf_add_u64(&b, l->qid);
	buf_add_span(&b, r->addr);
	buf_add_char(&b, '\0');
	buf_add_span(&b, r->user);
	SHA256((const unsigned char *)buf_span(&b).p, b.len, out);
	buf_clear(&b);
}

static uint32_t
job_flags(struct queued *q, const struct letter *l, const struct rcpt *r)
{
	uint32_t f = 0;

	if (l->flags & LETTER_SMTPUTF8)
		f |= JOB_F_UTF8;
	if (l->flags & LETTER_8BITMIME)
		f |= JOB_F_8BIT;
	if ((r->flags & RCPT_CHECK) != 0 ||
	    (uint32_t)(l->qid >> QID_EPOCH) != spool_epoch(q->spool))
		f |= JOB_F_CHECK;
	if (r->kind == FINAL_MAILBOX_OWN)
		f |= JOB_F_NO_FORWARD;
	if (l->big)
		f |= JOB_F_BIG;
	if (l->flags & LETTER_RET_FULL)
		f |= JOB_F_RET_FULL;
	if (l->flags & LETTER_RET_HDRS)
		f |= JOB_F_RET_HDRS;
	return f;
}

static bool
is_text(const struct rcpt *r)
{
	return r->kind == FINAL_COMMAND || r->kind == FINAL_FILE ||
	    r->kind == FINAL_INCLUDE;
}

static void
begin_send(struct queued *q, struct channel *ch, uint32_t job,
    const struct task *t, const struct rcpt *r)
{
	const struct letter *l = t->a->l;
	const struct rcpt *origin = rcpt_origin(l, r), *up;
	unsigned char token[SHA256_DIGEST_LENGTH];
	struct ipc_writer w = ipc_begin(ch, IPC_JOB_BEGIN, 0, job);
	bool local = t->dest->local;

	/* a command was reached through an address: that of its parent */
	up = is_text(r) && r->parent != 0 ? letter_rcpt(l, r->parent) : r;
	token_make(q, l, r, token);
	ipc_put_u64(&w, l->qid);
	ipc_put_u8(&w, r->kind == FINAL_MAILBOX_OWN ? FINAL_MAILBOX : r->kind);
	ipc_put_u32(&w, job_flags(q, l, r));
	ipc_put_u64(&w, l->size);
	ipc_put_u64(&w, (uint64_t)l->arrival_s);
	ipc_put_u16(&w, r->attempt);
	ipc_put_span(&w, l->reverse_path);
	ipc_put_span(&w, up->addr);
	ipc_put_span(&w, origin->addr);
	if (local)
		ipc_put_span(&w, r->user);
	else
		ipc_put_str(&w, t->dest->nexthop);
	ipc_put_span(&w, is_text(r) ? r->addr : span_make("", 0));
	ipc_put_span(&w, span_make(token, TOKEN));
	ipc_put_span(&w, l->envid);
	ipc_put_u32(&w, local ? r->number : t->dest->route);
	ipc_put_u16(&w, (uint16_t)t->n);
	ipc_end(&w);
}

static void
rcpts_send(struct channel *ch, uint32_t job, const struct task *t)
{
	struct ipc_writer w;
	size_t i;

	for (i = 0; i < t->n; i++) {
		const struct rcpt *r = letter_rcpt(t->a->l, t->numbers[i]);

		w = ipc_begin(ch, IPC_JOB_RCPT, 0, job);
		ipc_put_u32(&w, r->number);
		ipc_put_span(&w, r->addr);
		ipc_put_u8(&w, r->notify);
		ipc_put_span(&w, r->orcpt);
		ipc_end(&w);
	}
}

static void
text_send(struct channel *ch, uint32_t job, struct span text, int big)
{
	struct ipc_writer w;

	if (big != -1) {
		w = ipc_begin(ch, IPC_JOB_BIG, 0, job);
		ipc_put_fd(&w, big);
		ipc_end(&w);
	}
	while (text.len > 0) {
		struct span piece = text;

		if (piece.len > IPC_CHUNK)
			piece.len = IPC_CHUNK;
		text = span_from(text, piece.len);
		w = ipc_begin(ch, IPC_JOB_BODY, 0, job);
		ipc_put_octets(&w, piece);
		ipc_end(&w);
	}
	w = ipc_begin(ch, IPC_JOB_END, 0, job);
	ipc_end(&w);
}

int
job_send(struct queued *q, struct worker *w, struct task *t)
{
	struct buf out = BUF_INIT(2 * SPOOL_INLINE_MAX + (8u << 20));
	const struct rcpt *r = letter_rcpt(t->a->l, t->numbers[0]);
	struct span text = span_make("", 0);
	uint32_t job = q->next_job++;
	int big = -1;

	if (spool_read(q->spool, t->a->l, &out, &text, &big) == -1) {
		char qid[QID_TEXT];

		log_warn("reading letter %s", qid_format(t->a->l->qid, qid));
		buf_clear(&out);
		return -1;
	}
	begin_send(q, w->ch, job, t, r);
	if (w->relay)
		rcpts_send(w->ch, job, t);
	text_send(w->ch, job, text, big);
	t->octets = (uint32_t)text.len;
	t->worker = w;
	hash_add(&q->jobs, &t->node, job);
	w->jobs++;
	w->octets += t->octets;
	buf_clear(&out);
	return 0;
}

static struct task *
task_of(struct queued *q, const struct ipc_msg *m)
{
	struct hash_node *n = hash_find(&q->jobs, m->session);
	struct task *t = n == NULL ? NULL : hash_entry(n, struct task, node);

	return t != NULL && t->worker->ch == m->ch ? t : NULL;
}

static struct outcome_told *
told_of(struct task *t, uint32_t number)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (t->numbers[i] == number)
			return &t->told[i];
	return NULL;
}

/* Replies of strangers: bounded and printable before they are kept. */
static char *
printable(struct span s)
{
	char *out = span_dup(s);
	size_t i;

	for (i = 0; i < s.len; i++)
		if (out[i] < 0x20 || out[i] > 0x7e)
			out[i] = '?';
	return out;
}

static int
on_outcome(void *arg, struct ipc_msg *m)
{
	struct task *t = task_of(arg, m);
	struct ipc_reader rd = ipc_reader(m);
	uint32_t number = ipc_get_u32(&rd);
	uint8_t what = ipc_get_u8(&rd);
	struct span status = ipc_get_span(&rd, 15);
	struct span reply = ipc_get_span(&rd, LETTER_TEXT_MAX);
	struct span host = ipc_get_span(&rd, IPC_PATH_MAX);
	struct span tls = ipc_get_span(&rd, IPC_TLS_MAX);
	struct outcome_told *told;

	if (!ipc_at_end(&rd) || t == NULL || what < OUTCOME_DELIVERED ||
	    what > OUTCOME_PASSED || (told = told_of(t, number)) == NULL ||
	    told->what != 0)
		return -1;
	told->what = what;
	told->status = printable(status);
	told->reply = printable(reply);
	told->host = printable(host);
	told->tls = printable(tls);
	return 0;
}

static int
on_forward(void *arg, struct ipc_msg *m)
{
	struct task *t = task_of(arg, m);
	struct ipc_reader rd = ipc_reader(m);
	struct outcome_told *told;
	uint32_t number = ipc_get_u32(&rd);
	size_t i;

	if (t == NULL || (told = told_of(t, number)) == NULL ||
	    told->what != 0)
		return -1;
	i = told->nfinals; /* a long list comes in pieces */
	if (finals_get(&rd, &told->finals, &told->nfinals) == -1)
		return -1;
	for (; i < told->nfinals; i++) {
		struct final *f = &told->finals[i];
		const struct rcpt *r = letter_rcpt(t->a->l, number);

		/* its own mailbox and commands, no other user's */
		if (f->kind != FINAL_REMOTE && !span_eq(f->user, r->user))
			return -1;
		if (f->kind == FINAL_MAILBOX)
			f->kind = FINAL_MAILBOX_OWN;
		else if (f->kind == FINAL_REMOTE)
			f->kind = 0; /* an address like any: ask authd */
	}
	return 0;
}

static int
on_done(void *arg, struct ipc_msg *m)
{
	struct task *t = task_of(arg, m);

	if (t == NULL)
		return -1;
	task_over(arg, t);
	return 0;
}

/* An outcome that an earlier queued asked for; numbers are the letter's. */
static int
on_report(void *arg, struct ipc_msg *m)
{
	struct queued *q = arg;
	const struct worker *w = worker_of(q, m->ch);
	struct ipc_reader rd = ipc_reader(m);
	uint64_t qid = ipc_get_u64(&rd);
	uint32_t number = ipc_get_u32(&rd);
	uint8_t what = ipc_get_u8(&rd);
	struct outcome o = { .number = number };
	char *status, *reply, *host, *tls;

	o.status = ipc_get_span(&rd, 15);
	o.reply = ipc_get_span(&rd, LETTER_TEXT_MAX);
	o.host = ipc_get_span(&rd, IPC_PATH_MAX);
	o.tls = ipc_get_span(&rd, IPC_TLS_MAX);
	/* once it has reported, no letter but its own is its business */
	if (!ipc_at_end(&rd) || w == NULL || w->reported)
		return -1;
	if (what == OUTCOME_DELIVERED)
		o.state = RCPT_DELIVERED;
	else if (what == OUTCOME_RELAYED || what == OUTCOME_PASSED)
		o.state = RCPT_RELAYED;
	else
		return 0; /* it is tried again: that tells as much */
	if (what == OUTCOME_PASSED)
		o.flags = RCPT_PASSED;
	o.status = span_str(status = printable(o.status));
	o.reply = span_str(reply = printable(o.reply));
	o.host = span_str(host = printable(o.host));
	o.tls = span_str(tls = printable(o.tls));
	settle_report(q, qid, &o, w->relay);
	free(status);
	free(reply);
	free(host);
	free(tls);
	return 0;
}

static int
on_reported(void *arg, struct ipc_msg *m)
{
	struct worker *w = worker_of(arg, m->ch);

	if (w == NULL || w->reported)
		return -1;
	w->reported = true;
	worker_is_ready(w);
	return 0;
}

/* Windows are for bodies beyond one window; ours never are (see job_send). */
static int
on_window(void *arg, struct ipc_msg *m)
{
	(void)arg;
	(void)m;
	return 0;
}

const struct ipc_handler deliver_handlers[] = {
	{ IPC_JOB_WINDOW,   on_window },
	{ IPC_JOB_OUTCOME,  on_outcome },
	{ IPC_JOB_FORWARD,  on_forward },
	{ IPC_JOB_DONE,     on_done },
	{ IPC_JOB_REPORT,   on_report },
	{ IPC_JOB_REPORTED, on_reported },
	IPC_HANDLERS_END
};

const struct ipc_handler relay_handlers[] = {
	{ IPC_JOB_WINDOW,   on_window },
	{ IPC_JOB_OUTCOME,  on_outcome },
	{ IPC_JOB_DONE,     on_done },
	{ IPC_JOB_REPORT,   on_report },
	{ IPC_JOB_REPORTED, on_reported },
	IPC_HANDLERS_END
};
