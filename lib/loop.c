/* lib/loop.c - the event loop, on libevent's core; nothing else includes it. */
#include "lib/loop.h"

#include <stdlib.h>

#include "lib/log.h"
#include "lib/mem.h"

void
loop_init(struct loop *l)
{
	struct event_config *cfg;

	if ((cfg = event_config_new()) == NULL)
		fatalx("event_config_new");
	event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK);
	*l = (struct loop){ 0 };
	l->last = &l->first;
	if ((l->base = event_base_new_with_config(cfg)) == NULL)
		fatal("event_base_new");
	event_config_free(cfg);
}

struct loop_signal {
	struct loop_signal *next;
	struct event ev;
	void (*fn)(void *arg);
	void *arg;
};

void
loop_clear(struct loop *l)
{
	struct loop_signal *s;

	while ((s = l->signals) != NULL) {
		l->signals = s->next;
		event_del(&s->ev);
		free(s);
	}
	if (l->base != NULL)
		event_base_free(l->base);
	l->base = NULL;
}

/* What a deferred call defers runs in the same round: nothing is left behind. */
static void
loop_run_deferred(struct loop *l)
{
	struct defer *d;

	while ((d = l->first) != NULL) {
		if ((l->first = d->next) == NULL)
			l->last = &l->first;
		d->next = NULL;
		d->queued = false;
		d->fn(d->arg);
	}
}

void
loop_run(struct loop *l)
{
	l->stop = false;
	loop_run_deferred(l);
	while (!l->stop) {
		if (event_base_loop(l->base, EVLOOP_ONCE) != 0)
			break; /* nothing left to wait for, or an error */
		loop_run_deferred(l);
	}
}

static void
on_round_over(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

void
loop_run_once(struct loop *l, int timeout_ms)
{
	struct timeval tv = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };
	struct event ev;

	/* What the caller waits for may come about by one of these. */
	if (l->first != NULL)
		tv = (struct timeval){ 0, 0 };
	loop_run_deferred(l);
	event_assign(&ev, l->base, -1, 0, on_round_over, NULL);
	event_add(&ev, &tv);
	event_base_loop(l->base, EVLOOP_ONCE);
	event_del(&ev);
	loop_run_deferred(l);
}

void
loop_stop(struct loop *l)
{
	l->stop = true;
	event_base_loopbreak(l->base);
}

static void
on_watch(evutil_socket_t fd, short what, void *arg)
{
	struct watch *w = arg;
	unsigned is = 0;

	(void)fd;
	if (what & EV_READ)
		is |= LOOP_READ;
	if (what & EV_WRITE)
		is |= LOOP_WRITE;
	w->fn(w->arg, is);
}

void
watch_init(struct watch *w, struct loop *l, int fd,
    void (*fn)(void *arg, unsigned what), void *arg)
{
	w->loop = l;
	w->fd = fd;
	w->fn = fn;
	w->arg = arg;
	w->what = 0;
}

void
watch_set(struct watch *w, unsigned what)
{
	short ev = EV_PERSIST;

	if (what == w->what)
		return;
	if (w->what != 0)
		event_del(&w->ev);
	w->what = what;
	if (what == 0)
		return;
	if (what & LOOP_READ)
		ev |= EV_READ;
	if (what & LOOP_WRITE)
		ev |= EV_WRITE;
	event_assign(&w->ev, w->loop->base, w->fd, ev, on_watch, w);
	if (event_add(&w->ev, NULL) == -1)
		log_warn("watching descriptor %d", w->fd);
}

void
watch_clear(struct watch *w)
{
	if (w->loop != NULL)
		watch_set(w, 0);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct timer *t = arg;

	(void)fd;
	(void)what;
	t->fn(t->arg);
}

void
timer_init(struct timer *t, struct loop *l, void (*fn)(void *), void *arg)
{
	t->loop = l;
	t->fn = fn;
	t->arg = arg;
	event_assign(&t->ev, l->base, -1, 0, on_timer, t);
}

void
timer_set_ms(struct timer *t, int64_t ms)
{
	struct timeval tv;

	if (ms < 0)
		ms = 0;
	tv.tv_sec = (time_t)(ms / 1000);
	tv.tv_usec = (suseconds_t)(ms % 1000 * 1000);
	event_add(&t->ev, &tv);
}

void
timer_stop(struct timer *t)
{
	if (t->loop != NULL)
		event_del(&t->ev);
}

bool
timer_is_set(const struct timer *t)
{
	return t->loop != NULL && event_pending(&t->ev, EV_TIMEOUT, NULL);
}

void
defer_init(struct defer *d, void (*fn)(void *), void *arg)
{
	*d = (struct defer){ NULL, false, fn, arg };
}

void
loop_defer(struct loop *l, struct defer *d)
{
	if (d->queued)
		return;
	d->queued = true;
	d->next = NULL;
	*l->last = d;
	l->last = &d->next;
}

void
loop_undefer(struct loop *l, struct defer *d)
{
	struct defer **at;

	if (!d->queued)
		return;
	for (at = &l->first; *at != NULL; at = &(*at)->next)
		if (*at == d)
			break;
	if (*at == d && (*at = d->next) == NULL)
		l->last = at;
	d->queued = false;
	d->next = NULL;
}

static void
on_signal(evutil_socket_t fd, short what, void *arg)
{
	struct loop_signal *s = arg;

	(void)fd;
	(void)what;
	s->fn(s->arg);
}


void
loop_signal(struct loop *l, int signo, void (*fn)(void *arg), void *arg)
{
	struct loop_signal *s = xcalloc(1, sizeof(*s));

	s->fn = fn;
	s->arg = arg;
	s->next = l->signals;
	l->signals = s;
	event_assign(&s->ev, l->base, signo, EV_SIGNAL | EV_PERSIST, on_signal,
	    s);
	if (event_add(&s->ev, NULL) == -1)
		fatal("signal %d", signo);
}
