/*
 * queued/index_thread.c - queue, clock and back-off around the catalog.
 * Notices alone do not wake it: it looks each TICK_MS, so that a busy queue
 * costs few context switches. A request wakes it at once.
 */
#include "queued/index_thread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/mem.h"

#define TICK_MS 200
/* Without an index (a full disk): the next try after this, then doubled. */
#define RETRY_FIRST_MS 1000
#define RETRY_MAX_MS   60000
/* Notices that make it worth waking before the tick. */
#define NOTICES_WAKE 4096

struct index_thread {
	struct index_start s;
	struct catalog c;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t more;
	/* Under the lock. */
	struct notice *notices;
	size_t n, cap;
	uint64_t end;
	struct ask *first, **last;
	struct index_view view;
	bool stop;
	/* The thread's alone. */
	int64_t retry_at_ms, retry_ms;
	bool ready;
};

static void
view_set(struct index_thread *t)
{
	struct segment oldest = { 0 };
	struct index_view v;

	(void)segments_oldest(t->c.segments, &oldest);
	v.oldest = oldest.number;
	v.oldest_live = catalog_live(&t->c, oldest.number);
	v.applied = t->c.applied;
	v.synced = t->c.synced;
	v.letters = t->c.rows[INDEX_Q];
	v.waiting = t->c.pending.n;
	v.indexed = t->c.indexed;
	v.live_octets = catalog_live_total(&t->c);
	v.ready = t->ready;
	v.long_tails = t->c.long_tails.n > 0;
	pthread_mutex_lock(&t->lock);
	t->view = v;
	pthread_mutex_unlock(&t->lock);
}

static void
index_try(struct index_thread *t, bool wipe)
{
	if (catalog_open(&t->c, wipe) == 0) {
		if (!t->ready)
			catalog_big_clean(&t->c, t->s.bigdir, t->s.epoch);
		t->ready = true;
		t->retry_ms = 0;
		return;
	}
	t->retry_ms = t->retry_ms == 0 ? RETRY_FIRST_MS : t->retry_ms * 2;
	if (t->retry_ms > RETRY_MAX_MS)
		t->retry_ms = RETRY_MAX_MS;
	t->retry_at_ms = clock_boot_ms() + t->retry_ms;
	log_warnx("running without an index; next try in %lld s",
	    (long long)t->retry_ms / 1000);
}

/* Takes what came: both lists at once, notices being the older ones. */
static struct ask *
take(struct index_thread *t, struct notice **notices, size_t *n,
    uint64_t *end, bool *stop)
{
	struct timespec until;
	struct ask *asks;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += TICK_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	pthread_mutex_lock(&t->lock);
	while (t->first == NULL && !t->stop && t->n < NOTICES_WAKE) {
		/* Nothing waits anywhere: sleep until something does. */
		if (t->n == 0 && t->c.pending.n == 0 && t->c.ix != NULL &&
		    t->c.applied == t->c.seen)
			pthread_cond_wait(&t->more, &t->lock);
		else if (pthread_cond_timedwait(&t->more, &t->lock, &until) ==
		    ETIMEDOUT)
			break;
	}
	asks = t->first;
	t->first = NULL;
	t->last = &t->first;
	*notices = t->notices;
	*n = t->n;
	*end = t->end;
	*stop = t->stop;
	t->notices = NULL;
	t->n = t->cap = 0;
	pthread_mutex_unlock(&t->lock);
	return asks;
}

static void
answer(struct index_thread *t, struct ask *asks)
{
	struct ask *next;

	for (; asks != NULL; asks = next) {
		next = asks->next;
		asks->work(asks, &t->c);
		view_set(t);
		postbox_post(t->s.box, &asks->note);
	}
}

static void
keep_up(struct index_thread *t, bool stop)
{
	int64_t now = clock_boot_ms();

	if (t->c.ix == NULL && (now >= t->retry_at_ms) && !stop)
		index_try(t, true);
	if (t->c.ix == NULL)
		return;
	if (catalog_flush(&t->c, stop ? INT64_MAX :
	    now - (int64_t)t->s.settle_ms) == -1 ||
	    catalog_sync(&t->c, stop) == -1) {
		t->retry_ms = 0;
		t->retry_at_ms = now + RETRY_FIRST_MS;
	}
}

static void *
index_main(void *arg)
{
	struct index_thread *t = arg;
	struct notice *notices;
	struct ask *asks;
	uint64_t end;
	bool stop = false;
	size_t n;

	index_try(t, t->s.wipe);
	view_set(t);
	while (!stop) {
		asks = take(t, &notices, &n, &end, &stop);
		catalog_note(&t->c, notices, n, end, clock_boot_ms());
		free(notices);
		keep_up(t, stop);
		view_set(t);
		answer(t, asks);
	}
	catalog_clear(&t->c);
	return NULL;
}

struct index_thread *
index_thread_start(const struct index_start *s)
{
	struct index_thread *t = xcalloc(1, sizeof(*t));
	int error;

	t->s = *s;
	t->last = &t->first;
	catalog_init(&t->c, &s->catalog);
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->more, NULL);
	if ((error = pthread_create(&t->thread, NULL, index_main, t)) != 0) {
		catalog_clear(&t->c);
		free(t);
		errno = error;
		return NULL;
	}
	return t;
}

void
index_thread_notice(void *arg, const struct notice *n, size_t count,
    uint64_t end)
{
	struct index_thread *t = arg;
	bool wake;

	pthread_mutex_lock(&t->lock);
	/* It sleeps without a clock only while nothing waits. */
	wake = t->n == 0 || t->n + count >= NOTICES_WAKE;
	if (t->n + count > t->cap) {
		t->cap = (t->n + count) * 2;
		t->notices = xreallocarray(t->notices, t->cap,
		    sizeof(*t->notices));
	}
	memcpy(t->notices + t->n, n, count * sizeof(*n));
	t->n += count;
	t->end = end;
	if (wake)
		pthread_cond_signal(&t->more);
	pthread_mutex_unlock(&t->lock);
}

void
index_thread_ask(struct index_thread *t, struct ask *a)
{
	a->next = NULL;
	pthread_mutex_lock(&t->lock);
	*t->last = a;
	t->last = &a->next;
	pthread_cond_signal(&t->more);
	pthread_mutex_unlock(&t->lock);
}

void
index_thread_view(struct index_thread *t, struct index_view *out)
{
	pthread_mutex_lock(&t->lock);
	*out = t->view;
	out->waiting += t->n;
	pthread_mutex_unlock(&t->lock);
}

void
index_thread_stop(struct index_thread *t)
{
	pthread_mutex_lock(&t->lock);
	t->stop = true;
	pthread_cond_signal(&t->more);
	pthread_mutex_unlock(&t->lock);
	pthread_join(t->thread, NULL);
	pthread_cond_destroy(&t->more);
	pthread_mutex_destroy(&t->lock);
	free(t->notices);
	free(t);
}
