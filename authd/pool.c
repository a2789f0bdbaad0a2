/*
 * authd/pool.c - hands blocking questions to the workers. A worker that hangs
 * costs the question that it had: its asker is told 'later'. One that ends, as
 * they do from time to time, costs nothing: another gets the question, once.
 */
#include <stdlib.h>

#include "authd/pool.h"
#include "lib/clock.h"
#include "lib/mem.h"

static void
task_free(struct pool_task *t)
{
	buf_wipe(&t->body);
	x_free(&t);
}

static struct pool_task *
task_pop(struct pool *p)
{
	struct pool_task *t = p->first;

	if ((p->first = t->next) == NULL)
		p->last = &p->first;
	p->queued--;
	return t;
}

/* An idle worker; of several the one whose last failure is longest ago. */
static struct channel *
idle_worker(struct pool *p, unsigned *which)
{
	unsigned i, n = daemon_peer_count(p->daemon, p->role);
	struct channel *best = NULL;

	for (i = 0; i < n && i < POOL_WORKERS_MAX; i++) {
		struct channel *ch;

		if (p->workers[i].busy >= (p->role == ROLE_AUTHP ?
		    POOL_BUSY_PAM : POOL_BUSY))
			continue;
		ch = daemon_peer(p->daemon, p->role, i);
		if (ch == NULL || !channel_is_open(ch))
			continue;
		if (best != NULL &&
		    p->workers[i].failed_ms >= p->workers[*which].failed_ms)
			continue;
		best = ch;
		*which = i;
	}
	return best;
}

/* To the front: it has waited already. */
static void
put_back(struct pool *p, struct pool_task *t)
{
	t->again = true;
	t->until_ms = clock_boot_ms() + POOL_TIMEOUT_MS;
	if ((t->next = p->first) == NULL)
		p->last = &t->next;
	p->first = t;
	p->queued++;
}

static int
on_answer(void *arg, struct ipc_msg *m)
{
	struct pool_task *t = arg;
	struct pool *p = t->pool;
	int rv;

	t->worker->busy--;
	if (m == NULL && !t->again && !channel_is_open(t->ch)) {
		put_back(p, t);
		pool_kick(p);
		return 0;
	}
	if (m == NULL)
		t->worker->failed_ms = clock_boot_ms();
	rv = t->done(t->arg, m);
	task_free(t);
	pool_kick(p);
	return rv;
}

static void
hand_over(struct pool_task *t, struct channel *ch, unsigned which)
{
	struct ipc_writer w;
	uint32_t request;

	t->worker = &t->pool->workers[which];
	t->worker->busy++;
	t->ch = ch;
	request = channel_request(ch, POOL_TIMEOUT_MS, on_answer, t);
	w = ipc_begin(ch, (enum ipc_type)t->type, request, 0);
	ipc_put_octets(&w, buf_span(&t->body));
	/* Refused only when the channel is lost: then on_answer comes. */
	(void)ipc_end(&w);
	if (t->type == IPC_PW_CHECK)
		channel_flush_secret(ch);
}

static void
set_deadline(struct pool *p)
{
	int64_t left;

	if (p->first == NULL) {
		timer_stop(&p->deadline);
		return;
	}
	left = p->first->until_ms - clock_boot_ms();
	timer_set_ms(&p->deadline, left < 0 ? 0 : left);
}

void
pool_kick(struct pool *p)
{
	struct channel *ch;
	unsigned which = 0;

	while (p->first != NULL && (ch = idle_worker(p, &which)) != NULL)
		hand_over(task_pop(p), ch, which);
	set_deadline(p);
}

/* All that has waited too long; the queue is in order of deadlines. */
static void
on_deadline(void *arg)
{
	struct pool *p = arg;

	while (p->first != NULL && p->first->until_ms <= clock_boot_ms()) {
		struct pool_task *t = task_pop(p);

		(void)t->done(t->arg, NULL);
		task_free(t);
	}
	set_deadline(p);
}

void
pool_init(struct pool *p, struct daemon *d, enum role workers)
{
	memset(p, 0, sizeof(*p));
	p->daemon = d;
	p->role = workers;
	p->last = &p->first;
	timer_init(&p->deadline, &d->loop, on_deadline, p);
}

struct buf
pool_body(void)
{
	return (struct buf)BUF_INIT(IPC_BODY_MAX);
}

void
pool_str(struct buf *body, struct span s)
{
	(void)buf_add_u32(body, (uint32_t)s.len);
	(void)buf_add_span(body, s);
}

int
pool_ask(struct pool *p, enum ipc_type type, struct buf *body,
    int (*done)(void *, struct ipc_msg *), void *arg)
{
	struct pool_task *t;

	if (p->queued >= POOL_QUEUE_MAX) {
		buf_wipe(body);
		return -1;
	}
	t = xcalloc(1, sizeof(*t));
	t->type = (uint16_t)type;
	t->body = *body;
	*body = pool_body();
	t->until_ms = clock_boot_ms() + POOL_TIMEOUT_MS;
	t->done = done;
	t->arg = arg;
	t->pool = p;
	*p->last = t;
	p->last = &t->next;
	p->queued++;
	pool_kick(p);
	return 0;
}
