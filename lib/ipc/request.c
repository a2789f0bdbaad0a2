/*
 * lib/ipc/request.c - each request is answered exactly once: by the peer, by its
 * deadline, or by the end of the channel.
 */
#include "lib/ipc/request.h"

#include <stdlib.h>

#include "lib/clock.h"
#include "lib/ipc/credit.h"
#include "lib/mem.h"

#define TICK_MS 250 /* how exact the deadlines are */

struct ipc_pending {
	struct hash_node node; /* by number */
	struct ipc_pending *next; /* of those that fail together */
	int64_t deadline;      /* clock_boot_ms */
	ipc_reply_fn *cb;
	void *arg;
};

static struct ipc_pending *
pending_find(const struct channel *ch, uint32_t request)
{
	struct hash_node *n = hash_find(&ch->pending, request);

	return n == NULL ? NULL : hash_entry(n, struct ipc_pending, node);
}

uint32_t
channel_request(struct channel *ch, int64_t timeout_ms, ipc_reply_fn *cb,
    void *arg)
{
	struct ipc_pending *p = xcalloc(1, sizeof(*p));
	uint32_t request = ch->next_request++;

	if (ch->next_request == 0)
		ch->next_request = 1; /* 0 means: no request */
	/* nobody will answer on a closed channel: the next tick does */
	p->deadline = channel_is_open(ch) ? clock_boot_ms() + timeout_ms : 0;
	p->cb = cb;
	p->arg = arg;
	hash_add(&ch->pending, &p->node, request);
	if (ch->pending.n == 1 || p->deadline == 0)
		timer_set_ms(&ch->deadline, p->deadline == 0 ? 0 : TICK_MS);
	return request;
}

bool
request_is_open(const struct channel *ch, uint32_t request)
{
	return pending_find(ch, request) != NULL;
}

void
channel_forget(struct channel *ch, uint32_t request)
{
	struct ipc_pending *p = pending_find(ch, request), **at;

	if (p != NULL) {
		hash_remove(&ch->pending, &p->node);
		free(p);
		credit_release(ch);
		return;
	}
	/* a callback of one that failed may end the asker of the next */
	for (at = &ch->due; (p = *at) != NULL; at = &p->next)
		if (p->node.key == request) {
			*at = p->next;
			free(p);
			return;
		}
}

struct failing {
	struct channel *ch;
	int64_t before;
};

static void
fail_one(void *arg, struct hash_node *node)
{
	struct failing *f = arg;
	struct ipc_pending *p = hash_entry(node, struct ipc_pending, node);

	if (p->deadline > f->before)
		return;
	hash_remove(&f->ch->pending, node);
	p->next = f->ch->due;
	f->ch->due = p;
}

/* Those that are due get their NULL; callbacks may ask anew, or forget. */
static void
fail_before(struct channel *ch, int64_t before)
{
	struct failing f = { ch, before };
	struct ipc_pending *p;

	hash_each(&ch->pending, fail_one, &f);
	while ((p = ch->due) != NULL) {
		ch->due = p->next;
		p->cb(p->arg, NULL);
		free(p);
	}
}

static void
on_tick(void *arg)
{
	struct channel *ch = arg;

	fail_before(ch, clock_boot_ms());
	credit_release(ch);
	if (ch->pending.n > 0)
		timer_set_ms(&ch->deadline, TICK_MS);
}

void
request_init(struct channel *ch)
{
	ch->next_request = 1;
	timer_init(&ch->deadline, ch->loop, on_tick, ch);
}

int
request_answer(struct channel *ch, struct ipc_msg *m)
{
	struct ipc_pending *p = pending_find(ch, m->request);
	ipc_reply_fn *cb;
	void *arg;

	if (m->request == 0 || p == NULL)
		return 0; /* its asker has gone, or its time was up */
	cb = p->cb;
	arg = p->arg;
	if (!ipc_rule(m->type)->more) {
		hash_remove(&ch->pending, &p->node);
		free(p);
		credit_release(ch);
	}
	return cb(arg, m);
}

void
request_close(struct channel *ch)
{
	fail_before(ch, INT64_MAX);
	if (ch->pending.n > 0)
		return; /* asked anew by a callback: the tick answers */
	timer_stop(&ch->deadline);
	hash_clear(&ch->pending);
}

static void
forget_one(void *arg, struct hash_node *node)
{
	hash_remove(arg, node);
	free(hash_entry(node, struct ipc_pending, node));
}

void
request_abandon(struct channel *ch)
{
	hash_each(&ch->pending, forget_one, &ch->pending);
}
