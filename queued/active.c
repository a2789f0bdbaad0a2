/*
 * queued/active.c - the active window: a few thousand letters in memory, those
 * that are being tried. All others wait on disk, found again by their due time.
 */
#include <stdlib.h>

#include "lib/log.h"
#include "lib/mem.h"
#include "queued/queued.h"

#define SCAN_IDLE_MS 1000 /* how late a due letter may be noticed */
#define SCAN_WORK_MS 20   /* more is known to be due */
/* Much that is due waits for its destination, which calls when it has room. */
#define SCAN_CROWD_MS 2000

struct active *
active_find(struct queued *q, uint64_t qid)
{
	struct hash_node *n = hash_find(&q->actives, qid);

	return n == NULL ? NULL : hash_entry(n, struct active, node);
}

size_t
active_room(const struct queued *q)
{
	return q->actives.n >= ACTIVE_MAX ? 0 : ACTIVE_MAX - q->actives.n;
}

void
active_busy(struct active *a, uint32_t number, bool busy)
{
	size_t need = (size_t)number + 1;

	if (need > a->nbusy) {
		need = need < 8 ? 8 : need * 2;
		a->busy = xreallocarray(a->busy, need, 1);
		memset(a->busy + a->nbusy, 0, need - a->nbusy);
		a->nbusy = need;
	}
	a->busy[number] = busy;
}

bool
active_is_busy(const struct active *a, uint32_t number)
{
	return number < a->nbusy && a->busy[number] != 0;
}

static void
active_free(struct active *a)
{
	struct queued *q = a->q;

	/* A scan under way may bring it as it was before. */
	if (q->scanning)
		qidset_add(&q->left, a->l->qid);
	hash_remove(&q->actives, &a->node);
	letter_free(a->l);
	free(a->busy);
	free(a);
	if (q->actives.n < ACTIVE_LOW && q->scan_again)
		active_scan_soon(q);
}

struct active *
active_hold(struct queued *q, struct letter *l)
{
	struct active *a = xcalloc(1, sizeof(*a));

	a->q = q;
	a->l = l;
	hash_add(&q->actives, &a->node, l->qid);
	return a;
}

void
active_add(struct queued *q, struct letter *l)
{
	if (q->stopping || l->held || active_room(q) == 0 ||
	    active_find(q, l->qid) != NULL) {
		q->scan_again = true;
		letter_free(l);
		return;
	}
	active_schedule(active_hold(q, l));
}

void
active_moved(void *arg, uint64_t qid, struct place place)
{
	struct active *a = active_find(arg, qid);

	if (a != NULL)
		a->l->place = place;
}

const struct rcpt *
rcpt_origin(const struct letter *l, const struct rcpt *r)
{
	const struct rcpt *up;

	while (r->parent != 0 && (up = letter_rcpt(l, r->parent)) != NULL &&
	    up->number < r->number)
		r = up;
	return r;
}

static bool
is_due(const struct active *a, const struct rcpt *r, int64_t now)
{
	return !rcpt_is_settled(r) && !active_is_busy(a, r->number) &&
	    r->next_s <= now;
}

/* All due recipients that go to the same place as r, r first. */
static size_t
same_way(struct active *a, struct rcpt *r, const struct conf_route *route,
    struct rcpt **list, int64_t now)
{
	struct letter *l = a->l;
	struct span domain = letter_domain(r->addr);
	size_t n = 0;
	uint32_t i;

	list[n++] = r;
	for (i = 0; i < l->nrcpts && n < RELAY_RCPTS; i++) {
		struct rcpt *o = &l->rcpts[i];

		/* what costs least first: a letter may have thousands */
		if (o != r && o->kind == FINAL_REMOTE && is_due(a, o, now) &&
		    (route->via != VIA_MX ||
		    span_caseeq_span(letter_domain(o->addr), domain)) &&
		    conf_route_find(a->q->d.conf, l->reverse_path, o->addr) ==
		    route)
			list[n++] = o;
	}
	return n;
}

static void
schedule_remote(struct active *a, struct rcpt *r, int64_t now)
{
	const struct conf_route *route = conf_route_find(a->q->d.conf,
	    a->l->reverse_path, r->addr);
	struct rcpt *list[RELAY_RCPTS];
	char *nexthop;
	size_t n;

	if (route == NULL || route->via == VIA_REFUSE) {
		settle_fail(a, r, route == NULL ? "5.4.4" : "5.7.1",
		    route != NULL && route->text != NULL ? route->text :
		    "No route leads to this address");
		return;
	}
	n = same_way(a, r, route, list, now);
	nexthop = route->via == VIA_MX ? span_dup(letter_domain(r->addr))
	    : xstrdup(route->path != NULL ? route->path : route->host);
	dest_add_remote(a, list, n, (uint32_t)route->index, nexthop,
	    route->connections);
	free(nexthop);
}

static void
schedule_one(struct active *a, struct rcpt *r, int64_t now)
{
	switch (r->kind) {
	case 0:
		expand_ask(a, r);
		break;
	case FINAL_REMOTE:
		/* those of one destination go together: all must be known,
		 * and the last answer comes by here again */
		if (a->expanding == 0)
			schedule_remote(a, r, now);
		break;
	default:
		dest_add_local(a, r);
	}
}

void
active_schedule(struct active *a)
{
	int64_t now = queue_now(a->q);
	uint32_t i;

	a->tasks++; /* not let go while we look through it */
	for (i = 0; i < a->l->nrcpts && !a->l->held && !a->q->stopping; i++)
		if (is_due(a, &a->l->rcpts[i], now))
			schedule_one(a, &a->l->rcpts[i], now);
	a->tasks--;
	if (a->tasks > 0 || a->expanding > 0 || a->writes > 0)
		return;
	if (letter_open_rcpts(a->l) == 0)
		settle_end(a);
	active_free(a);
}

static void
on_slice(void *arg, struct spool_slice *s)
{
	struct queued *q = arg;
	size_t i;
	bool fetched = false, crowded;

	q->scanning = false;
	for (i = 0; i < s->n; i++) {
		if (active_find(q, s->letters[i]->qid) == NULL &&
		    !qidset_has(&q->left, s->letters[i]->qid)) {
			fetched = true;
			active_add(q, s->letters[i]);
		} else
			letter_free(s->letters[i]);
	}
	qidset_clear(&q->left);
	if (s->status == SPOOL_OK && s->more && q->actives.n < ACTIVE_LOW) {
		q->scan_s = s->next_s;
		q->scan_qid = s->next_qid;
		timer_set_ms(&q->scan, SCAN_WORK_MS);
		return;
	}
	/* from the start: what is due earliest counts most */
	crowded = q->crowded;
	q->crowded = false;
	q->scan_again = s->more || s->status != SPOOL_OK;
	q->scan_s = 0;
	q->scan_qid = 0;
	timer_set_ms(&q->scan, q->scan_asked ? SCAN_WORK_MS
	    : crowded ? SCAN_CROWD_MS : fetched ? SCAN_WORK_MS * 10 : SCAN_IDLE_MS);
}

void
active_scan(void *arg)
{
	struct queued *q = arg;
	size_t room = active_room(q);

	if (q->scanning || q->stopping)
		return;
	if (room < ACTIVE_MAX - ACTIVE_LOW) {
		q->scan_again = true;
		timer_set_ms(&q->scan, SCAN_IDLE_MS);
		return;
	}
	q->scanning = true;
	if (q->scan_s == 0)
		q->scan_asked = false;
	spool_scan_due(q->spool, q->scan_s, q->scan_qid, queue_now(q),
	    SPOOL_SLICE, on_slice, q);
}

void
active_scan_soon(struct queued *q)
{
	q->scan_again = false;
	q->scan_asked = true; /* the pass under way may be past them */
	if (!q->scanning)
		timer_set_ms(&q->scan, 0);
}
