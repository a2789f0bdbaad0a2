/*
 * deliver/router.c - jobs as queued gives them: gathered, handed to the user's
 * child, and their outcomes told; to the next queued if the one that asked has
 * gone. What is not whole when it goes is forgotten: it will be given again.
 */
#include "deliver/router.h"

#include <stdlib.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/mem.h"

#define TICK_MS 500

static void
job_free(struct job *j)
{
	struct router *r = j->r;

	if (j->user != NULL)
		user_drop_job(j);
	if (j->orphan)
		r->orphans--;
	else
		hash_remove(&r->jobs_in, &j->in);
	hash_remove(&r->jobs_out, &j->out);
	r->njobs--;
	if (j->fd != -1)
		close(j->fd);
	buf_clear(&j->begin);
	buf_clear(&j->body);
	free(j);
}

/* -- outcomes -------------------------------------------------------------- */

static void
report_send(struct router *r, uint64_t qid, const struct outcome *o)
{
	struct ipc_writer w = ipc_begin(r->queued, IPC_JOB_REPORT, 0, 0);

	ipc_put_u64(&w, qid);
	outcome_put(&w, o);
	ipc_end(&w);
}

/* Kept until a queued is there that can hear it. */
static void
report_keep(struct router *r, uint64_t qid, const struct outcome *o)
{
	struct report *p = xcalloc(1, sizeof(*p));
	size_t n = o->reply.len < REPLY_MAX ? o->reply.len : REPLY_MAX;

	p->qid = qid;
	p->o = *o;
	memcpy(p->text, o->status.p, o->status.len);
	memcpy(p->text + STATUS_MAX, o->reply.p, n);
	p->o.status = span_make(p->text, o->status.len);
	p->o.reply = span_make(p->text + STATUS_MAX, n);
	p->o.host = span_make("", 0);
	*r->reports_last = p;
	r->reports_last = &p->next;
}

/* "There are no more of them": from here on queued gives us jobs. */
static void
reported_when_done(struct router *r)
{
	struct ipc_writer w;

	if (r->orphans > 0 || r->reported || !channel_is_open(r->queued))
		return;
	timer_stop(&r->report_wait);
	w = ipc_begin(r->queued, IPC_JOB_REPORTED, 0, 0);
	ipc_end(&w);
	r->reported = true;
}

static void
count(struct router *r, uint8_t what)
{
	if (what == OUTCOME_DELIVERED)
		r->delivered++;
	else if (what == OUTCOME_DEFERRED)
		r->deferred++;
	else if (what == OUTCOME_FAILED)
		r->failed++;
	else
		r->forwarded++;
}

void
job_tell(struct job *j, const struct outcome *o)
{
	struct router *r = j->r;
	struct ipc_writer w;

	if (j->told)
		return;
	j->told = true;
	count(r, o->what);
	if (!j->orphan) {
		w = ipc_begin(r->queued, IPC_JOB_OUTCOME, 0, j->session);
		outcome_put(&w, o);
		ipc_end(&w);
	} else if (o->what == OUTCOME_FORWARDED) {
		/* without its list it says nothing: it will be asked again */
	} else if (channel_is_open(r->queued)) {
		report_send(r, j->qid, o);
	} else {
		report_keep(r, j->qid, o);
	}
}

void
job_done(struct job *j)
{
	struct router *r = j->r;
	struct ipc_writer w;

	if (!j->told) {
		job_settle(j, OUTCOME_DEFERRED, "4.3.0",
		    "The delivery process gave no outcome");
		return;
	}
	if (!j->orphan) {
		w = ipc_begin(r->queued, IPC_JOB_DONE, 0, j->session);
		ipc_end(&w);
	}
	job_free(j);
	reported_when_done(r);
	loop_defer(r->loop, &r->balance);
}

void
job_settle(struct job *j, uint8_t what, const char *status,
    const char *reply)
{
	struct outcome o = { .number = j->number, .what = what,
		.status = span_str(status), .reply = span_str(reply),
		.host = span_make("", 0) };

	job_tell(j, &o);
	job_done(j);
}

/* -- queued ---------------------------------------------------------------- */

static struct job *
job_find(struct router *r, uint32_t session)
{
	struct hash_node *n = hash_find(&r->jobs_in, session);

	return n == NULL ? NULL : hash_entry(n, struct job, in);
}

static int
on_job_begin(void *arg, struct ipc_msg *m)
{
	struct router *r = arg;
	struct job_head h;
	struct job *j;

	if (job_head_read(m->body, &h) == -1 || r->njobs >= JOBS_MAX ||
	    job_find(r, m->session) != NULL)
		return -1;
	if (r->stopping)
		return 0;
	j = xcalloc(1, sizeof(*j));
	j->r = r;
	j->session = m->session;
	j->id = r->next_id++;
	j->qid = h.qid;
	j->number = h.number;
	j->kind = h.kind;
	j->big = (h.flags & JOB_F_BIG) != 0;
	j->fd = -1;
	buf_init(&j->begin, IPC_BODY_MAX);
	buf_init(&j->body, JOB_BODY_MAX);
	buf_add_span(&j->begin, m->body);
	if (!j->big && h.size <= JOB_BODY_MAX)
		(void)buf_reserve(&j->body, (size_t)h.size);
	hash_add(&r->jobs_in, &j->in, j->session);
	hash_add(&r->jobs_out, &j->out, j->id);
	r->njobs++;
	return 0;
}

/* The job is not whole yet: NULL, and *rv what the handler returns. */
static struct job *
job_gathered(struct router *r, const struct ipc_msg *m, int *rv)
{
	struct job *j = job_find(r, m->session);

	*rv = 0;
	if (j == NULL)
		return NULL; /* lawful: swallowed while we stop */
	if (j->user == NULL)
		return j;
	*rv = -1;
	return NULL;
}

static int
on_job_body(void *arg, struct ipc_msg *m)
{
	int rv;
	struct job *j = job_gathered(arg, m, &rv);

	if (j == NULL)
		return rv;
	return j->big ? -1 : buf_add_span(&j->body, m->body);
}

static int
on_job_big(void *arg, struct ipc_msg *m)
{
	int rv;
	struct job *j = job_gathered(arg, m, &rv);

	if (j == NULL)
		return rv;
	if (m->fd == -1 || !j->big || j->fd != -1)
		return -1;
	j->fd = ipc_take_fd(m);
	return 0;
}

static int
on_job_end(void *arg, struct ipc_msg *m)
{
	struct router *r = arg;
	struct job_head h;
	int rv;
	struct job *j = job_gathered(r, m, &rv);

	if (j == NULL)
		return rv;
	if (j->big && j->fd == -1)
		return -1;
	(void)job_head_read(buf_span(&j->begin), &h);
	user_add_job(r, j, h.target);
	return 0;
}

const struct ipc_handler queued_handlers[] = {
	{ IPC_JOB_BEGIN, on_job_begin },
	{ IPC_JOB_BODY,  on_job_body },
	{ IPC_JOB_BIG,   on_job_big },
	{ IPC_JOB_END,   on_job_end },
	IPC_HANDLERS_END
};

void
queued_up(void *arg, struct channel *ch)
{
	struct router *r = arg;
	struct report *p;

	r->queued = ch;
	r->reported = false;
	while ((p = r->reports) != NULL) {
		if ((r->reports = p->next) == NULL)
			r->reports_last = &r->reports;
		report_send(r, p->qid, &p->o);
		free(p);
	}
	if (r->orphans > 0)
		timer_set_ms(&r->report_wait, REPORT_WAIT_MS);
	reported_when_done(r);
}

static void
job_orphan(void *arg, struct hash_node *n)
{
	struct job *j = hash_entry(n, struct job, in);
	struct router *r = arg;

	if (!j->sent) {
		job_free(j);
		return;
	}
	hash_remove(&r->jobs_in, &j->in);
	j->orphan = true;
	r->orphans++;
}

void
queued_down(void *arg, struct channel *ch)
{
	struct router *r = arg;

	(void)ch;
	hash_each(&r->jobs_in, job_orphan, r);
	loop_defer(r->loop, &r->balance);
}

static void
on_report_wait(void *arg)
{
	struct router *r = arg;

	log_warnx("%u deliveries for an earlier queued are broken off",
	    r->orphans);
	children_end_orphans(r);
	reported_when_done(r);
}

/* -- life ------------------------------------------------------------------ */

static void
on_tick(void *arg)
{
	struct router *r = arg;

	children_tick(r);
	timer_set_ms(&r->tick, TICK_MS);
}

void
router_init(struct router *r, struct loop *loop, int dir)
{
	r->loop = loop;
	r->idle_last = &r->idle_first;
	r->wait_last = &r->wait_first;
	r->reports_last = &r->reports;
	locks_init(&r->locks, loop, dir);
	defer_init(&r->balance, children_balance, r);
	timer_init(&r->report_wait, loop, on_report_wait, r);
	timer_init(&r->tick, loop, on_tick, r);
	timer_set_ms(&r->tick, TICK_MS);
}

static void
job_unless_sent(void *arg, struct hash_node *n)
{
	struct job *j = hash_entry(n, struct job, out);

	(void)arg;
	if (!j->sent)
		job_free(j);
}

static void
on_stop_wait(void *arg)
{
	struct router *r = arg;

	timer_stop(&r->tick);
	locks_clear(&r->locks);
	r->finished(r);
}

void
router_stop(struct router *r)
{
	r->stopping = true;
	hash_each(&r->jobs_out, job_unless_sent, r);
	timer_stop(&r->report_wait);
	timer_init(&r->report_wait, r->loop, on_stop_wait, r);
	timer_set_ms(&r->report_wait, r->njobs > 0 ? STOP_WAIT_MS : 0);
}
