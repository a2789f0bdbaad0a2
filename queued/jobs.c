/*
 * queued/jobs.c - attempts as they go to deliver and relay and come back. What
 * a worker tells is checked against what it was asked, and nothing more is
 * believed of it than the fate of those recipients.
 */
#include <openssl/sha.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/mem.h"
#include "queued/queued.h"

#define REPORT_MS 30000 /* design.md section 3: then the worker is ignored */
#define TOKEN     10    /* 80 bits */
#define QID_EPOCH_SHIFT 40

static struct worker *
worker_of(struct queued *q, const struct channel *ch)
{
	struct worker *w;

	for (w = q->workers; w != NULL && w->ch != ch; w = w->next)
		;
	return w;
}

static void
on_patience(void *arg)
{
	struct worker *w = arg;

	log_warnx("%s %u did not report in time; going on without",
	    role_name(w->ch->peer), w->ch->instance);
	w->ready = true;
	loop_defer(w->ch->loop, w->ch->owner_defer);
}

void
worker_up(void *arg, struct channel *ch)
{
	struct queued *q = arg;
	struct worker *w = worker_of(q, ch);

	if (w == NULL) {
		w = xcalloc(1, sizeof(*w));
		w->ch = ch;
		w->relay = ch->peer == ROLE_RELAY;
		w->next = q->workers;
		q->workers = w;
		timer_init(&w->patience, &q->d.loop, on_patience, w);
	}
	w->ready = false;
	timer_set_ms(&w->patience, REPORT_MS);
}
