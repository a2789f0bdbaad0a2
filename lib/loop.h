/*
 * lib/loop.h - the event loop: descriptors, timers, deferred calls, signals.
 * The only header through which libevent is known.
 */
#ifndef LIB_LOOP_H
#define LIB_LOOP_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>

/* Called once before the loop next sleeps; link 0 when not waiting. */
struct defer {
	struct defer *next;
	bool queued;
	void (*fn)(void *arg);
	void *arg;
};

struct loop {
	struct event_base *base;
	struct defer *first, **last;
	struct loop_signal *signals;
	bool stop;
};

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

/* A descriptor being watched; embedded by its owner, who closes the fd. */
struct watch {
	struct event ev;
	struct loop *loop;
	int fd;
	unsigned what; /* what is asked for now */
	void (*fn)(void *arg, unsigned what);
	void *arg;
};

/* One deadline; embedded by its owner. */
struct timer {
	struct event ev;
	struct loop *loop;
	void (*fn)(void *arg);
	void *arg;
};

void loop_init(struct loop *l);
void loop_clear(struct loop *l);

/* loop_run - until loop_stop(); deferred calls run before each sleep. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

/* loop_run_once - one round: waits for events at most timeout_ms, not at all when
 * deferred calls were waiting; runs them and what they deferred. */
void loop_run_once(struct loop *l, int timeout_ms);

/* watch_init - sets up without watching; watch_set asks for LOOP_READ and/or
 * LOOP_WRITE (0: nothing); watch_clear forgets, and may be called twice. */
void watch_init(struct watch *w, struct loop *l, int fd,
    void (*fn)(void *arg, unsigned what), void *arg);
void watch_set(struct watch *w, unsigned what);
void watch_clear(struct watch *w);

/* timer_set_ms - one call after ms, replacing an earlier deadline. */
void timer_init(struct timer *t, struct loop *l, void (*fn)(void *), void *arg);
void timer_set_ms(struct timer *t, int64_t ms);
void timer_stop(struct timer *t);
bool timer_is_set(const struct timer *t);

/* loop_defer - d->fn once before the loop sleeps; asked twice, called once.
 * loop_undefer takes it back (before d is freed). */
void defer_init(struct defer *d, void (*fn)(void *), void *arg);
void loop_defer(struct loop *l, struct defer *d);
void loop_undefer(struct loop *l, struct defer *d);

/* loop_signal - fn on each arrival of signo, in the loop, not in a handler. */
void loop_signal(struct loop *l, int signo, void (*fn)(void *arg), void *arg);

#endif
