/*
 * relay/job.c - jobs: one letter each, for up to 100 recipients of one
 * destination. Taken from queued, settled recipient by recipient. When queued
 * goes, what can be undone is undone, and the rest is told to its successor.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/mem.h"
#include "relay/relay.h"

/* Outcomes of one worker's letters past their dot: far below, always. */
#define REPORTS_MAX (64u * 1024 * 1024)

void
relay_init(struct relay *r)
{
	r->times = &relay_times;
	r->waiting_last = &r->waiting;
	buf_init(&r->reports, REPORTS_MAX);
	defer_init(&r->next, pool_run, r);
}

static struct channel *
queued_channel(struct relay *r)
{
	return daemon_peer(&r->daemon, ROLE_QUEUED, 0);
}

static struct job *
job_find(struct relay *r, uint32_t number)
{
	struct job *j;

	for (j = r->jobs; j != NULL; j = j->next)
		if (j->number == number && !j->orphan)
			return j;
	return NULL;
}

/* -- the end of a job ------------------------------------------------------*/

static void
unwait(struct job *j)
{
	if (j->link_waiting == NULL)
		return;
	*j->link_waiting = j->next_waiting;
	if (j->next_waiting != NULL)
		j->next_waiting->link_waiting = j->link_waiting;
	else
		j->relay->waiting_last = j->link_waiting;
	j->link_waiting = NULL;
}

void
job_free(struct job *j)
{
	size_t i;

	unwait(j);
	*j->link = j->next;
	if (j->next != NULL)
		j->next->link = j->link;
	j->relay->njobs--;
	for (i = 0; i < j->nrcpts; i++) {
		free(j->rcpts[i].address);
		free(j->rcpts[i].orcpt);
	}
	free(j->rcpts);
	free(j->from);
	free(j->envid);
	buf_clear(&j->body);
	if (j->big != -1)
		close(j->big);
	free(j);
}

bool
job_is_settled(const struct job *j)
{
	size_t i;

	for (i = 0; i < j->nrcpts; i++)
		if (j->rcpts[i].settled != SETTLED)
			return false;
	return true;
}

static bool
orphans_left(const struct relay *r)
{
	const struct job *j;

	for (j = r->jobs; j != NULL; j = j->next)
		if (j->orphan)
			return true;
	return false;
}

/* What an earlier queued is to be told, then that this was all. */
static void
reports_send(struct relay *r)
{
	struct channel *ch = queued_channel(r);
	struct span all = buf_span(&r->reports);
	struct ipc_writer w;
	size_t len;

	if (!channel_is_open(ch))
		return;
	while (all.len > 4) {
		len = get_u32(all.p);
		w = ipc_begin(ch, IPC_JOB_REPORT, 0, 0);
		ipc_put_octets(&w, span_make(all.p + 4, len));
		ipc_end(&w);
		all = span_from(all, len + 4);
	}
	buf_clear(&r->reports);
	if (orphans_left(r))
		return;
	w = ipc_begin(ch, IPC_JOB_REPORTED, 0, 0);
	ipc_end(&w);
}

void
job_end(struct job *j)
{
	struct relay *r = j->relay;
	bool orphan = j->orphan;
	struct ipc_writer w;

	if (!orphan) {
		w = ipc_begin(queued_channel(r), IPC_JOB_DONE, 0, j->number);
		ipc_end(&w);
	}
	job_free(j);
	if (orphan)
		reports_send(r);
}

/* -- outcomes --------------------------------------------------------------*/

static void
report_add(struct job *j, const struct rcpt *r, uint8_t outcome,
    struct span enhanced, struct span text, struct span host,
    struct span tls)
{
	struct buf *b = &j->relay->reports;
	size_t len = 8 + 4 + 1 + 4 * 4 + enhanced.len + text.len + host.len +
	    tls.len;

	if (b->max - b->len < len + 4)
		return; /* a duplicate for that one; said in REPORTS_MAX */
	buf_add_u32(b, (uint32_t)len);
	buf_add_u64(b, j->qid);
	buf_add_u32(b, r->number);
	buf_add_u8(b, outcome);
	buf_add_u32(b, (uint32_t)enhanced.len);
	buf_add_span(b, enhanced);
	buf_add_u32(b, (uint32_t)text.len);
	buf_add_span(b, text);
	buf_add_u32(b, (uint32_t)host.len);
	buf_add_span(b, host);
	buf_add_u32(b, (uint32_t)tls.len);
	buf_add_span(b, tls);
}

void
job_settle(struct job *j, struct rcpt *r, uint8_t outcome,
    const char *enhanced, const char *text, const char *host)
{
	struct span words = span_str(text), name = span_str(host);
	struct span tls = span_str(j->session != NULL ? j->session->tls : "");
	struct ipc_writer w;

	if (r->settled == SETTLED)
		return;
	r->settled = SETTLED;
	if (words.len > RELAY_TEXT_MAX)
		words.len = RELAY_TEXT_MAX;
	if (outcome == OUTCOME_DEFERRED)
		j->relay->deferred++;
	else if (outcome == OUTCOME_FAILED)
		j->relay->failed++;
	if (j->orphan) {
		report_add(j, r, outcome, span_str(enhanced), words, name,
		    tls);
		return;
	}
	w = ipc_begin(queued_channel(j->relay), IPC_JOB_OUTCOME, 0, j->number);
	ipc_put_u32(&w, r->number);
	ipc_put_u8(&w, outcome);
	ipc_put_str(&w, enhanced);
	ipc_put_span(&w, words);
	ipc_put_span(&w, name);
	ipc_put_span(&w, tls);
	ipc_end(&w);
}

void
job_settle_all(struct job *j, uint8_t outcome, const char *enhanced,
    const char *text, const char *host)
{
	size_t i;

	for (i = 0; i < j->nrcpts; i++)
		job_settle(j, &j->rcpts[i], outcome, enhanced, text, host);
}

/* -- messages --------------------------------------------------------------*/

static int
on_job_begin(void *arg, struct ipc_msg *m)
{
	struct relay *r = arg;
	struct ipc_reader rd = ipc_reader(m);
	struct job *j = xcalloc(1, sizeof(*j));
	char target[256] = "";
	struct span text;

	j->relay = r;
	j->big = -1;
	j->number = m->session;
	buf_init(&j->body, RELAY_BODY_MAX);
	j->qid = ipc_get_u64(&rd);
	ipc_get_u8(&rd);
	j->flags = ipc_get_u32(&rd);
	j->size = ipc_get_u64(&rd);
	j->arrival_s = (int64_t)ipc_get_u64(&rd);
	j->attempt = ipc_get_u16(&rd);
	j->from = span_dup(ipc_get_span(&rd, IPC_PATH_MAX));
	ipc_get_span(&rd, IPC_PATH_MAX);
	ipc_get_span(&rd, IPC_PATH_MAX);
	text = ipc_get_span(&rd, IPC_PATH_MAX);
	span_copy(text, target, sizeof(target));
	ipc_get_span(&rd, IPC_PATH_MAX);
	ipc_get_span(&rd, IPC_PATH_MAX);
	j->envid = span_dup(ipc_get_span(&rd, IPC_PATH_MAX));
	nexthop_set(&j->hop, r->daemon.conf, ipc_get_u32(&rd), target);
	j->nexpected = ipc_get_u16(&rd);
	j->next = r->jobs;
	j->link = &r->jobs;
	if (j->next != NULL)
		j->next->link = &j->next;
	r->njobs++;
	if (ipc_at_end(&rd) && r->njobs <= RELAY_JOBS_MAX &&
	    j->nexpected > 0 && j->nexpected <= RELAY_RCPTS_MAX) {
		r->jobs = j;
		j->rcpts = xcalloc(j->nexpected, sizeof(*j->rcpts));
		return 0;
	}
	r->jobs = j;
	job_free(j);
	return -1;
}

static int
on_job_rcpt(void *arg, struct ipc_msg *m)
{
	struct job *j = job_find(arg, m->session);
	struct ipc_reader rd = ipc_reader(m);
	uint32_t number = ipc_get_u32(&rd);
	struct span address = ipc_get_span(&rd, IPC_PATH_MAX);
	uint8_t notify = ipc_get_u8(&rd);
	struct span orcpt = ipc_get_span(&rd, IPC_PATH_MAX);
	struct rcpt *r;

	if (!ipc_at_end(&rd) || j == NULL || j->complete ||
	    j->nrcpts == j->nexpected)
		return -1;
	r = &j->rcpts[j->nrcpts++];
	r->number = number;
	r->address = span_dup(address);
	r->notify = notify;
	r->orcpt = span_dup(orcpt);
	return 0;
}

static int
on_job_body(void *arg, struct ipc_msg *m)
{
	struct job *j = job_find(arg, m->session);
	struct ipc_writer w;

	if (j == NULL || j->complete || j->big != -1 ||
	    buf_add_span(&j->body, m->body) == -1)
		return -1;
	j->octets += m->body.len;
	w = ipc_begin(m->ch, IPC_JOB_WINDOW, 0, j->number);
	ipc_put_u32(&w, (uint32_t)m->body.len);
	ipc_end(&w);
	return 0;
}

static int
on_job_big(void *arg, struct ipc_msg *m)
{
	struct job *j = job_find(arg, m->session);
	struct stat st;

	if (j == NULL || j->complete || j->octets > 0 || j->big != -1 ||
	    m->fd == -1 || fstat(m->fd, &st) == -1 || !S_ISREG(st.st_mode))
		return -1;
	j->big = ipc_take_fd(m);
	j->octets = (uint64_t)st.st_size;
	return 0;
}

/* Addresses were judged where they came in; here they become commands of a
 * text protocol, and so are judged once more. */
static bool
addresses_ok(struct job *j)
{
	struct addr a;
	size_t i;

	if (addr_parse_text(span_str(j->from), &a) == -1) {
		job_settle_all(j, OUTCOME_FAILED, "5.1.7",
		    "the reverse-path is no address", "");
		return false;
	}
	for (i = 0; i < j->nrcpts; i++)
		if (addr_parse_mailbox(span_str(j->rcpts[i].address),
		    &a) == -1)
			job_settle(j, &j->rcpts[i], OUTCOME_FAILED, "5.1.3",
			    "the recipient is no address", "");
	return !job_is_settled(j);
}

static int
on_job_end(void *arg, struct ipc_msg *m)
{
	struct job *j = job_find(arg, m->session);

	if (j == NULL || j->complete || j->nrcpts != j->nexpected)
		return -1;
	j->complete = true;
	if (addresses_ok(j))
		pool_take(j);
	else
		job_end(j);
	return 0;
}

const struct ipc_handler relay_job_handlers[] = {
	{ IPC_JOB_BEGIN, on_job_begin },
	{ IPC_JOB_RCPT,  on_job_rcpt },
	{ IPC_JOB_BODY,  on_job_body },
	{ IPC_JOB_BIG,   on_job_big },
	{ IPC_JOB_END,   on_job_end },
	IPC_HANDLERS_END
};

/* -- queued comes and goes -------------------------------------------------*/

void
job_up(void *arg, struct channel *ch)
{
	(void)ch;
	reports_send(arg);
}

void
job_down(void *arg, struct channel *ch)
{
	struct relay *r = arg;
	struct job *j, *next;
	struct session *s;

	(void)ch;
	for (j = r->jobs; j != NULL; j = next) {
		next = j->next;
		s = j->session;
		if (s != NULL && s->state == S_DOT) {
			j->orphan = true; /* nobody can take it back now */
			continue;
		}
		if (s != NULL) {
			s->job = NULL;
			session_close(s);
		}
		job_free(j);
	}
}
