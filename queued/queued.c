/*
 * queued/queued.c - the queue manager's front door: options, the spool, who may
 * talk to it, the orderly end. What is accepted lives in the spool alone.
 */
#include "queued/queued.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "config.h"
#include "lib/clock.h"
#include "lib/log.h"

#define CLOSE_POLL_MS 20
#define CLOSE_MAX_MS  3000

static void
tell_open(const struct queued *q)
{
	struct spool_stats st;
	struct event_out e;

	spool_stats(q->spool, &st);
	event_begin(&e, EV_SPOOL, 0, 0);
	event_str(&e, KEY_FILE, q->d.id.root);
	event_str(&e, KEY_TEXT, "opened; count is of letters that wait");
	event_num(&e, KEY_COUNT, st.letters);
	event_num(&e, KEY_SIZE, st.log_octets);
	event_send(&e);
}

static void
start(void *arg)
{
	struct queued *q = arg;
	struct spool_options o = { .loop = &q->d.loop, .arg = q };
	char why[512];

	if ((q->rootfd = daemon_root_open(&q->d)) == -1)
		fatal("opening the spool");
	o.rootfd = q->rootfd;
	o.segment_octets = (uint32_t)q->d.conf->queue.segment;
	o.reserve_percent = q->d.conf->queue.reserve_percent;
	o.moved = active_moved;
#ifdef HAVE_DB
	o.engine = SPOOL_INDEX_BDB;
#else
	o.engine = SPOOL_INDEX_MEM;
#endif
	if (spool_open(&q->spool, &o, why, sizeof(why)) == -1)
		fatalx("the spool %s: %s", q->d.id.root, why);
	tell_open(q);
	q->ring_last = &q->ring;
	q->next_job = 1;
	defer_init(&q->dispatch, dest_dispatch, q);
	timer_init(&q->scan, &q->d.loop, active_scan, q);
	timer_set_ms(&q->scan, 0);
}

/* Those who carry mail have ended or are about to: their last outcomes may lie
 * unread in the channels, and count. */
static bool
workers_talk(const struct queued *q)
{
	const struct worker *w;

	for (w = q->workers; w != NULL; w = w->next)
		if (channel_is_open(w->ch))
			return true;
	return false;
}

static void
on_closing(void *arg)
{
	struct queued *q = arg;

	/* reports that are being written take their letters with them */
	if (q->closing > 0 || (workers_talk(q) &&
	    clock_boot_ms() < q->close_until_ms)) {
		timer_set_ms(&q->scan, CLOSE_POLL_MS);
		return;
	}
	spool_close(q->spool);
	daemon_exit(&q->d);
}

/* Those who take mail in and out ended before us: only the disk is left. */
static void
stop(void *arg)
{
	struct queued *q = arg;

	q->stopping = true;
	q->close_until_ms = clock_boot_ms() + CLOSE_MAX_MS;
	intake_close(q);
	timer_stop(&q->scan);
	timer_init(&q->scan, &q->d.loop, on_closing, q);
	on_closing(q);
}

static size_t
status(void *arg, struct daemon_status *out, size_t max)
{
	struct queued *q = arg;
	struct spool_stats st;
	size_t n = 0;

	(void)max; /* STATUS_MAX of the caller is far above */
	spool_stats(q->spool, &st);
	out[n++] = (struct daemon_status){ "letters", st.letters };
	out[n++] = (struct daemon_status){ "active", q->actives.n };
	out[n++] = (struct daemon_status){ "accepted", q->accepted };
	out[n++] = (struct daemon_status){ "held", q->held };
	out[n++] = (struct daemon_status){ "refused", q->refused };
	out[n++] = (struct daemon_status){ "delivered", q->delivered };
	out[n++] = (struct daemon_status){ "relayed", q->relayed };
	out[n++] = (struct daemon_status){ "deferred", q->deferred };
	out[n++] = (struct daemon_status){ "failed", q->failed };
	out[n++] = (struct daemon_status){ "expired", q->expired };
	out[n++] = (struct daemon_status){ "notifications", q->dsns };
	out[n++] = (struct daemon_status){ "log_octets", st.log_octets };
	out[n++] = (struct daemon_status){ "live_octets", st.live_octets };
	out[n++] = (struct daemon_status){ "segments", st.segments };
	out[n++] = (struct daemon_status){ "free_octets", st.free_octets };
	out[n++] = (struct daemon_status){ "batches", st.batches };
	out[n++] = (struct daemon_status){ "syncs", st.syncs };
	out[n++] = (struct daemon_status){ "failed_syncs", st.failed_syncs };
	out[n++] = (struct daemon_status){ "index_ready", st.index_ready };
	return n;
}

/* A repaired configuration helps what is waiting. */
static int
reload(void *arg, const struct conf *old)
{
	(void)old;
	dest_reroute(arg);
	return 0;
}

static const struct daemon_peer peers[] = {
	{ ROLE_SMTPD,   intake_handlers,  intake_up, intake_down },
	{ ROLE_AUTHD,   authd_handlers,   NULL,      NULL },
	{ ROLE_DELIVER, deliver_handlers, worker_up, worker_down },
	{ ROLE_RELAY,   relay_handlers,   worker_up, worker_down },
	{ ROLE_LOGD,    NULL,             NULL,      NULL },
	{ ROLE_CTL,     ctl_handlers,     NULL,      command_down },
	{ ROLE_NONE,    NULL,             NULL,      NULL },
};

/* `barid spool adopt`: without master, as whoever owns the folder. */
static int
adopt(const char *path)
{
	char why[512];
	struct stat st;
	int fd;

	if ((fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1 ||
	    fstat(fd, &st) == -1)
		fatal("%s", path);
	if (geteuid() == 0 && (setresgid(st.st_gid, st.st_gid, st.st_gid) == -1
	    || setresuid(st.st_uid, st.st_uid, st.st_uid) == -1))
		fatal("becoming the owner of %s", path);
	if (spool_adopt(fd, why, sizeof(why)) == -1) {
		fprintf(stderr, "%s: %s\n", path, why);
		return 1;
	}
	return 0;
}

int
main(int argc, char *argv[])
{
	static const struct daemon_spec spec = {
		.role = ROLE_QUEUED,
		.peers = peers,
		.start = start,
		.reload = reload,
		.stop = stop,
		.status = status,
	};
	static struct queued q;

	if (argc == 3 && strcmp(argv[1], "--adopt") == 0)
		return adopt(argv[2]);
	if (argc != 1) {
		fprintf(stderr, "usage: queued [--adopt folder]\n");
		return EX_USAGE;
	}
	return daemon_main(&spec, &q.d, &q);
}
