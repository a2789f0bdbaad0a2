/*
 * logd/logd.c - the front door of the log: every program's events come in here,
 * go to the log that people read and to the daily files that `barid trace`
 * reads. The only writer of either.
 */
#include <stdio.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/ipc/ctl.h"
#include "lib/ipc/daemon.h"
#include "lib/ipc/event.h"
#include "lib/log.h"
#include "logd/days.h"
#include "logd/sink.h"
#include "logd/trace.h"

#define FLUSH_MS   200     /* a letter's story is that old at most */
#define EXPIRE_MS  3600000 /* days that are too old go within the hour */
#define TRACES_MAX 8       /* searches at once */

struct logd {
	struct daemon daemon;
	int root;
	struct days days;
	struct sink sink;
	struct timer flush, expire;
	struct trace *traces[TRACES_MAX];
	uint64_t events, told_dropped;
	bool flush_set, busy;
};

static void
take(struct logd *l, const struct record *r)
{
	l->events++;
	sink_write(&l->sink, r);
	days_add(&l->days, r, clock_now_s());
	if (!l->flush_set) {
		l->flush_set = true;
		timer_set_ms(&l->flush, FLUSH_MS);
	}
}

/* An event of ours; one that says that writing events fails ends here. */
static bool
own_event(void *arg, const struct event_out *e)
{
	struct logd *l = arg;
	struct record r = { .time_us = (uint64_t)clock_now_us(),
		.qid = e->qid, .sid = e->sid, .code = e->code,
		.role = ROLE_LOGD, .fields = span_make(e->data, e->len) };

	if (l->busy)
		return false; /* to stderr */
	l->busy = true;
	take(l, &r);
	l->busy = false;
	return true;
}

static int
on_event(void *arg, struct ipc_msg *m)
{
	struct logd *l = arg;
	struct ipc_reader rd = ipc_reader(m);
	struct record r = { .role = m->ch->peer, .instance = m->ch->instance };

	r.time_us = ipc_get_u64(&rd);
	r.code = ipc_get_u16(&rd);
	r.qid = ipc_get_u64(&rd);
	r.sid = ipc_get_u64(&rd);
	r.fields = ipc_get_rest(&rd);
	if (!ipc_at_end(&rd))
		return -1;
	take(l, &r);
	return 0;
}

static int
on_master_event(void *arg, struct ipc_msg *m)
{
	struct daemon *d = arg; /* as daemon.c has it on master's channel */

	return on_event(d->arg, m);
}

/* What was lost is told once there is room again. */
static void
tell_dropped(struct logd *l)
{
	uint64_t n = l->days.dropped + l->sink.dropped;
	struct event_out e;

	if (n == l->told_dropped || l->days.full || l->sink.full)
		return;
	event_begin(&e, EV_EVENTS_DROPPED, 0, 0);
	event_num(&e, KEY_COUNT, n - l->told_dropped);
	event_str(&e, KEY_ROLE, "logd");
	event_send(&e);
	l->told_dropped = n;
}

static void
on_flush(void *arg)
{
	struct logd *l = arg;

	l->flush_set = false;
	sink_flush(&l->sink);
	days_flush(&l->days);
	tell_dropped(l);
	if (l->days.full || l->sink.full) { /* try again */
		l->flush_set = true;
		timer_set_ms(&l->flush, 1000);
	}
}

static void
on_expire(void *arg)
{
	struct logd *l = arg;
	const struct conf_log *conf = &l->daemon.conf->log;

	days_expire(&l->days, clock_now_s(), conf->keep_s, conf->keep_octets);
	timer_set_ms(&l->expire, EXPIRE_MS);
}

/* -- the admin's command --------------------------------------------------- */

static void
on_trace_done(void *arg, struct trace *t)
{
	struct logd *l = arg;
	size_t i;

	for (i = 0; i < TRACES_MAX; i++)
		if (l->traces[i] == t)
			l->traces[i] = NULL;
}

static void
on_ctl_down(void *arg, struct channel *ch)
{
	struct logd *l = arg;
	size_t i;

	for (i = 0; i < TRACES_MAX; i++)
		if (l->traces[i] != NULL &&
		    trace_channel(l->traces[i]) == ch) {
			trace_cancel(l->traces[i]);
			l->traces[i] = NULL;
		}
}

static int
on_ctl(void *arg, struct ipc_msg *m)
{
	struct logd *l = arg;
	struct span words[CTL_WORDS_MAX], value;
	int n = ctl_words(m, words);
	uint64_t since = 0;
	size_t i;

	if (n == -1)
		return -1;
	if (n < 2 || n > 3 || !span_eqstr(words[0], "trace") ||
	    (n == 3 && (!ctl_word_is(words[2], "since", &value) ||
	    span_u64(value, INT64_MAX, &since) == -1))) {
		ctl_end(m->ch, m->request, EX_USAGE, "not a question for logd");
		return 0;
	}
	for (i = 0; i < TRACES_MAX && l->traces[i] != NULL; i++)
		continue;
	if (i == TRACES_MAX) {
		ctl_end(m->ch, m->request, EX_TEMPFAIL,
		    "%d searches are under way", TRACES_MAX);
		return 0;
	}
	days_flush(&l->days); /* the latest is wanted most */
	l->traces[i] = trace_start(&l->daemon.loop, l->root, m->ch,
	    m->request, words[1], (int64_t)since, on_trace_done, l);
	return 0;
}

/* -- life ------------------------------------------------------------------ */

/* While /etc/localtime is there to be read. */
static int
logd_prepare(void *arg)
{
	(void)arg;
	tzset();
	return 0;
}

static void
logd_start(void *arg)
{
	struct logd *l = arg;
	struct daemon *d = &l->daemon;
	char why[IPC_TEXT_MAX];

	if ((l->root = daemon_root_open(d)) == -1)
		fatal("the log folder %s", d->id.root);
	days_init(&l->days, l->root);
	timer_init(&l->flush, &d->loop, on_flush, l);
	timer_init(&l->expire, &d->loop, on_expire, l);
	if (sink_init(&l->sink, &d->conf->log, l->root, d->id.root, &d->loop,
	    &d->master, why, sizeof(why)) == -1)
		fatalx("%s", why);
	log_attach(own_event, l);
	timer_set_ms(&l->expire, 1000);
}

static int
logd_reload(void *arg, const struct conf *old)
{
	struct logd *l = arg;
	struct daemon *d = &l->daemon;
	struct sink fresh;
	uint64_t lines = l->sink.lines, dropped = l->sink.dropped;

	(void)old;
	if (sink_init(&fresh, &d->conf->log, l->root, d->id.root, &d->loop,
	    &d->master, d->complaint, sizeof(d->complaint)) == -1)
		return -1;
	/* Timers and requests know a sink by its place: the old one goes,
	 * then the new one is made again where it stays. */
	sink_clear(&fresh);
	sink_clear(&l->sink);
	if (sink_init(&l->sink, &d->conf->log, l->root, d->id.root, &d->loop,
	    &d->master, d->complaint, sizeof(d->complaint)) == -1)
		return -1;
	l->sink.lines = lines;
	l->sink.dropped = dropped;
	on_expire(l);
	return 0;
}

static void
logd_stop(void *arg)
{
	struct logd *l = arg;

	log_attach(NULL, NULL);
	sink_clear(&l->sink);
	days_clear(&l->days);
	daemon_exit(&l->daemon);
}

static size_t
logd_status(void *arg, struct daemon_status *out, size_t max)
{
	const struct logd *l = arg;
	const struct daemon_status now[] = {
		{ "events", l->events },
		{ "dropped", l->days.dropped + l->sink.dropped },
		{ "today", l->days.size + l->days.out.len },
	};

	if (max > nitems(now))
		max = nitems(now);
	memcpy(out, now, max * sizeof(*now));
	return max;
}

int
main(void)
{
	static const struct ipc_handler from_all[] = {
		{ IPC_EVENT, on_event },
		IPC_HANDLERS_END
	};
	static const struct ipc_handler from_master[] = {
		{ IPC_EVENT, on_master_event },
		IPC_HANDLERS_END
	};
	static const struct ipc_handler from_ctl[] = {
		{ IPC_CTL, on_ctl },
		IPC_HANDLERS_END
	};
	static const struct daemon_peer peers[] = {
		{ ROLE_SMTPD, from_all, NULL, NULL },
		{ ROLE_QUEUED, from_all, NULL, NULL },
		{ ROLE_RESOLVER, from_all, NULL, NULL },
		{ ROLE_RELAY, from_all, NULL, NULL },
		{ ROLE_DELIVER, from_all, NULL, NULL },
		{ ROLE_AUTHD, from_all, NULL, NULL },
		{ ROLE_AUTHW, from_all, NULL, NULL },
		{ ROLE_AUTHP, from_all, NULL, NULL },
		{ ROLE_KEYD, from_all, NULL, NULL },
		{ ROLE_POP3D, from_all, NULL, NULL },
		{ ROLE_CTL, from_ctl, NULL, on_ctl_down },
		{ ROLE_NONE, NULL, NULL, NULL }
	};
	static const struct daemon_spec spec = {
		.role = ROLE_LOGD,
		.master_handlers = from_master,
		.peers = peers,
		.prepare = logd_prepare,
		.start = logd_start,
		.reload = logd_reload,
		.stop = logd_stop,
		.status = logd_status,
	};
	static struct logd l;

	l.root = -1;
	return daemon_main(&spec, &l.daemon, &l);
}
