/*
 * relay/pool.c - which connection takes which letter. How many letters go to
 * one destination at once is queued's business; the limits here only keep a
 * mistake there from filling the world with connections.
 */
#include <string.h>

#include "relay/relay.h"

static struct session *
idle_session(struct relay *r, const struct nexthop *h)
{
	struct session *s;

	for (s = r->sessions; s != NULL; s = s->next)
		if (s->state == S_IDLE && strcmp(s->hop.key, h->key) == 0)
			return s;
	return NULL;
}

/* A connection more, to anywhere and to this destination? */
static bool
may_connect(struct relay *r, const struct nexthop *h)
{
	const struct conf_relay *c = &r->daemon.conf->relay;
	uint32_t workers = c->workers > 0 ? c->workers : 1, here = 0;
	struct session *s;

	if (r->nsessions >= (c->limit + workers - 1) / workers)
		return false;
	for (s = r->sessions; s != NULL; s = s->next)
		if (strcmp(s->hop.key, h->key) == 0)
			here++;
	return here < h->connections;
}

/* The connection that has been idle longest makes room for another host's. */
static bool
make_room(struct relay *r)
{
	struct session *s, *oldest = NULL;

	for (s = r->sessions; s != NULL; s = s->next)
		if (s->state == S_IDLE)
			oldest = s; /* new ones stand in front */
	if (oldest == NULL)
		return false;
	session_quit(oldest);
	return true;
}

static bool
try_now(struct job *j)
{
	struct relay *r = j->relay;
	struct session *s;

	if (!j->fresh_only && (s = idle_session(r, &j->hop)) != NULL) {
		session_use(s, j);
		return true;
	}
	if (!may_connect(r, &j->hop))
		return false;
	session_new(r, j);
	return true;
}

static void
wait_for_room(struct job *j)
{
	struct relay *r = j->relay;

	j->next_waiting = NULL;
	j->link_waiting = r->waiting_last;
	*r->waiting_last = j;
	r->waiting_last = &j->next_waiting;
}

void
pool_take(struct job *j)
{
	if (try_now(j))
		return;
	wait_for_room(j);
	if (j->relay->nsessions >= j->relay->daemon.conf->relay.limit)
		make_room(j->relay);
}

/* Those that wait, in their order: each gets a connection or waits on. */
void
pool_run(void *arg)
{
	struct relay *r = arg;
	struct job *j = r->waiting, *next;

	r->waiting = NULL;
	r->waiting_last = &r->waiting;
	for (; j != NULL; j = next) {
		next = j->next_waiting;
		j->link_waiting = NULL;
		if (!try_now(j))
			wait_for_room(j);
	}
}

void
pool_next(struct relay *r)
{
	if (r->waiting != NULL)
		loop_defer(&r->daemon.loop, &r->next);
}
