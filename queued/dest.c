/*
 * queued/dest.c - destinations and who is next: each has a window that grows with
 * successes, its senders take turns, and fresh mail goes before retries.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lib/mem.h"
#include "queued/queued.h"

#define ROOM_PART  4 /* of the window's free places, one destination's */
#define RETRY_TURN 8 /* so many fresh letters, then one retry or bounce */

static struct dest *
dest_get(struct queued *q, bool local, const char *name)
{
	uint64_t key = span_hash_lower(span_str(name)) ^ (local ? 1 : 0);
	struct hash_node *n;
	struct dest *d;

	for (n = hash_find(&q->dests, key); n != NULL; n = hash_next(n)) {
		d = hash_entry(n, struct dest, node);
		if (d->local == local &&
		    span_caseeq(span_str(d->name), name))
			return d;
	}
	d = xcalloc(1, sizeof(*d));
	d->local = local;
	d->name = xstrdup(name);
	d->lanes[0].last = &d->lanes[0].first;
	d->lanes[1].last = &d->lanes[1].first;
	d->window = local ? LOCAL_WINDOW : WINDOW_START;
	d->window_max = d->window;
	hash_add(&q->dests, &d->node, key);
	return d;
}

static void
dest_free(struct queued *q, struct dest *d)
{
	hash_remove(&q->dests, &d->node);
	hash_clear(&d->lanes[0].accounts);
	hash_clear(&d->lanes[1].accounts);
	free(d->name);
	free(d->nexthop);
	free(d);
}

/* However many hosts are slow, each takes but a part of the room that is left. */
static unsigned
waiting_max(const struct queued *q)
{
	size_t part = active_room(q) / ROOM_PART;

	return part < DEST_WAITING_MAX ? (unsigned)part : DEST_WAITING_MAX;
}

/* What a destination knows is not worth keeping once nothing goes there. */
static void
dest_idle(struct queued *q, struct dest *d)
{
	if (d->crowded && d->waiting <= waiting_max(q) / 2) {
		d->crowded = false;
		active_scan_soon(q);
	}
	if (d->waiting == 0 && d->running == 0 && !d->ready && !d->starting)
		dest_free(q, d);
}

static void
lane_put(struct lane *lane, uint32_t account, struct task *t)
{
	struct hash_node *n = hash_find(&lane->accounts, account);
	struct lane_account *la;

	if (n != NULL)
		la = hash_entry(n, struct lane_account, node);
	else {
		la = xcalloc(1, sizeof(*la));
		la->last = &la->first;
		hash_add(&lane->accounts, &la->node, account);
		*lane->last = la;
		lane->last = &la->next;
	}
	t->next = NULL;
	*la->last = t;
	la->last = &t->next;
	la->waiting++;
}

/* No place for one more letter of this account. */
static bool
is_full(const struct queued *q, const struct dest *d,
    const struct lane *lane, uint32_t account)
{
	const struct hash_node *n = hash_find(&lane->accounts, account);

	if (d->waiting < waiting_max(q))
		return false;
	return d->waiting >= 2 * DEST_WAITING_MAX || (n != NULL &&
	    hash_entry(n, const struct lane_account, node)->waiting >=
	    ACCOUNT_FEW);
}

/* The first account's oldest task; the account goes to the end of the line. */
static struct task *
lane_take(struct lane *lane)
{
	struct lane_account *la = lane->first;
	struct task *t;

	if (la == NULL)
		return NULL;
	if ((lane->first = la->next) == NULL)
		lane->last = &lane->first;
	t = la->first;
	la->waiting--;
	la->first = t->next;
	t->next = NULL;
	if (la->first == NULL) {
		hash_remove(&lane->accounts, &la->node);
		free(la);
		return t;
	}
	la->next = NULL;
	*lane->last = la;
	lane->last = &la->next;
	return t;
}

/* In the ring while something waits and the window has room. */
static void
ring_update(struct queued *q, struct dest *d)
{
	if (d->ready || d->waiting == 0 || d->running >= d->window)
		return;
	d->ready = true;
	d->next = NULL;
	*q->ring_last = d;
	q->ring_last = &d->next;
	loop_defer(&q->d.loop, &q->dispatch);
}

static struct dest *
ring_take(struct queued *q)
{
	struct dest *d = q->ring;

	if (d == NULL)
		return NULL;
	if ((q->ring = d->next) == NULL)
		q->ring_last = &q->ring;
	d->ready = false;
	return d;
}

static void
dest_put(struct active *a, struct dest *d, struct rcpt **list, size_t n)
{
	bool fresh = (a->l->flags & LETTER_DSN) == 0 && list[0]->attempt == 0;
	struct lane *lane = &d->lanes[fresh ? 0 : 1];
	uint32_t account = letter_account_hash(a->l);
	struct task *t;
	size_t i;

	if (is_full(a->q, d, lane, account)) {
		d->crowded = a->q->crowded = true;
		return;
	}
	t = xcalloc(1, sizeof(*t));
	t->a = a;
	t->dest = d;
	t->n = n;
	t->numbers = xcalloc(n, sizeof(*t->numbers));
	t->told = xcalloc(n, sizeof(*t->told));
	for (i = 0; i < n; i++) {
		t->numbers[i] = list[i]->number;
		active_busy(a, list[i]->number, true);
	}
	a->tasks++;
	d->waiting++;
	lane_put(lane, account, t);
	ring_update(a->q, d);
}

void
dest_add_local(struct active *a, struct rcpt *r)
{
	char user[LETTER_TEXT_MAX + 1];

	if (span_copy(r->user, user, sizeof(user)) == -1)
		settle_fail(a, r, "5.1.1", "Not the name of an account");
	else
		dest_put(a, dest_get(a->q, true, user), &r, 1);
}

void
dest_add_remote(struct active *a, struct rcpt **list, size_t n,
    uint32_t route, const char *nexthop, unsigned connections)
{
	const struct conf *conf = a->q->d.conf;
	char *name = xasprintf("%u %s", (unsigned)route, nexthop);
	struct dest *d = dest_get(a->q, false, name);

	if (d->nexthop == NULL)
		d->nexthop = xstrdup(nexthop);
	d->route = route;
	d->window_max = connections != 0 ? connections
	    : conf->relay.connections;
	if (d->window > d->window_max)
		d->window = d->window_max;
	dest_put(a, d, list, n);
	free(name);
}

void
task_free(struct task *t)
{
	size_t i;

	for (i = 0; i < t->n; i++) {
		free(t->told[i].status);
		free(t->told[i].reply);
		free(t->told[i].host);
		free(t->told[i].tls);
		finals_free(t->told[i].finals, t->told[i].nfinals);
	}
	free(t->told);
	free(t->numbers);
	free(t);
}

static struct task *
dest_take(struct dest *d)
{
	struct task *t = NULL;

	if (d->turn >= RETRY_TURN || d->lanes[0].first == NULL) {
		t = lane_take(&d->lanes[1]);
		d->turn = 0;
	}
	if (t == NULL) {
		t = lane_take(&d->lanes[0]);
		d->turn++;
	}
	return t;
}

/* Held, deleted or reported as done while it waited for its turn? */
static bool
is_off(const struct task *t)
{
	size_t i;

	if (t->a->l->held)
		return true;
	for (i = 0; i < t->n; i++)
		if (!rcpt_is_settled(letter_rcpt(t->a->l, t->numbers[i])))
			return false;
	return true;
}

static void
task_drop(struct task *t)
{
	struct active *a = t->a;
	size_t i;

	for (i = 0; i < t->n; i++)
		active_busy(a, t->numbers[i], false);
	t->dest->running--;
	task_free(t);
	a->tasks--;
	active_schedule(a);
}

/* One attempt of this destination. False: nothing could be started. */
static bool
dest_start(struct queued *q, struct dest *d)
{
	struct worker *w = worker_for(q, d);
	struct task *t;

	if (w == NULL)
		return false;
	t = dest_take(d);
	d->waiting--;
	d->running++;
	if (is_off(t))
		task_drop(t);
	else if (job_send(q, w, t) == -1)
		settle_task(t); /* told nothing: deferred */
	return true;
}

/* Each destination gets one turn a round; who has no worker waits in the ring
 * until worker capacity calls us again. */
void
dest_dispatch(void *arg)
{
	struct queued *q = arg;
	struct dest *d, *stuck = NULL, **stuck_last = &stuck;

	if (q->stopping)
		return;
	while ((d = ring_take(q)) != NULL) {
		if (d->waiting == 0 || d->running >= d->window) {
			dest_idle(q, d);
			continue;
		}
		d->starting = true; /* not freed under our hands */
		if (dest_start(q, d)) {
			d->starting = false;
			ring_update(q, d);
			dest_idle(q, d);
			continue;
		}
		d->starting = false;
		d->ready = true;
		d->next = NULL;
		*stuck_last = d;
		stuck_last = &d->next;
	}
	q->ring = stuck;
	q->ring_last = stuck == NULL ? &q->ring : stuck_last;
	loop_undefer(&q->d.loop, &q->dispatch);
}

static char *
copy(const char *s)
{
	return s == NULL ? NULL : xstrdup(s);
}

void
dest_give_up(struct dest *d, struct queued *q, const struct outcome_told *why)
{
	struct outcome_told said = { .what = OUTCOME_DEFERRED,
		.status = copy(why->status), .reply = copy(why->reply),
		.host = copy(why->host) };
	struct task *t;
	size_t i;

	if (d->starting)
		return; /* we are in the middle of it, or of dest_start */
	d->starting = true;
	while (d->waiting > 0) {
		t = dest_take(d);
		d->waiting--;
		d->running++;
		if (is_off(t)) {
			task_drop(t);
			continue;
		}
		for (i = 0; i < t->n; i++) {
			t->told[i].what = said.what;
			t->told[i].status = copy(said.status);
			t->told[i].reply = copy(said.reply);
			t->told[i].host = copy(said.host);
		}
		settle_task(t);
	}
	d->starting = false;
	free(said.status);
	free(said.reply);
	free(said.host);
	ring_update(q, d);
	dest_idle(q, d);
}

struct reroute {
	struct queued *q;
	struct task *first, **last;
};

static void
reroute_collect(void *arg, struct hash_node *node)
{
	struct dest *d = hash_entry(node, struct dest, node);
	struct reroute *r = arg;

	if (d->local)
		return;
	while (d->waiting > 0) {
		*r->last = dest_take(d);
		r->last = &(*r->last)->next;
		d->waiting--;
		d->running++; /* until it is dropped */
	}
}

void
dest_reroute(struct queued *q)
{
	struct reroute r = { q, NULL, &r.first };
	struct dest *d;
	struct task *t;

	hash_each(&q->dests, reroute_collect, &r);
	while ((t = r.first) != NULL) {
		r.first = t->next;
		d = t->dest;
		d->starting = true;
		task_drop(t);
		d->starting = false;
		dest_idle(q, d);
	}
}

/* reached: the host was spoken to; a failure to connect halves the window. */
void
dest_task_over(struct task *t, bool reached)
{
	struct queued *q = t->a->q;
	struct dest *d = t->dest;

	d->running--;
	d->unreached = reached ? 0 : d->unreached + 1;
	if (!d->local && reached && d->window < d->window_max)
		d->window++;
	else if (!d->local && !reached && d->window > 1)
		d->window /= 2;
	ring_update(q, d);
	dest_idle(q, d);
	loop_defer(&q->d.loop, &q->dispatch);
}
