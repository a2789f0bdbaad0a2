/*
 * smtpd/smtpd.c - the front door: start, listeners, drain, stop. Several of
 * these processes may accept from the same listeners. A reload starts new ones,
 * and these finish what they have.
 */
#include "smtpd/smtpd.h"

#include <time.h>

/* A stopping worker gives transactions so long to end. */
#define STOP_MS 3000

/* Before the root directory is gone: local time for Date and Received. */
static int
prepare(void *arg)
{
	(void)arg;
	tzset();
	return 0;
}

static void
start(void *arg)
{
	struct smtpd *d = arg;

	smtpd_init(d, &d->daemon.loop, d->daemon.conf,
	    daemon_peer(&d->daemon, ROLE_AUTHD, 0),
	    daemon_peer(&d->daemon, ROLE_QUEUED, 0));
	secure_init(d);
	listeners_wait(d);
}

static void
drain(void *arg)
{
	listeners_drain(arg);
}

/* A new configuration comes with new workers; this one keeps its own. */
static int
reload(void *arg, const struct conf *old)
{
	(void)arg;
	(void)old;
	return -1;
}

static void
on_stop_late(void *arg)
{
	struct smtpd *d = arg;

	daemon_exit(&d->daemon);
}

/* As for a drain, but nobody waits long. */
static void
stop(void *arg)
{
	struct smtpd *d = arg;

	timer_init(&d->stop_timer, d->loop, on_stop_late, d);
	timer_set_ms(&d->stop_timer, STOP_MS);
	listeners_drain(d);
}

static size_t
status(void *arg, struct daemon_status *out, size_t max)
{
	const struct smtpd *d = arg;
	const struct daemon_status list[] = {
		{ "sessions", d->nsessions },
		{ "transactions", d->ntxs },
		{ "connections", d->n_connections },
		{ "refused", d->n_refused },
		{ "messages", d->n_messages },
		{ "messages-refused", d->n_msg_refused },
		{ "recipients-refused", d->n_rcpt_refused },
		{ "logins", d->n_logins },
	};
	size_t i;

	for (i = 0; i < nitems(list) && i < max; i++)
		out[i] = list[i];
	return i + tls_status(d->tls, out + i, max - i);
}

static const struct daemon_spec spec = {
	.role = ROLE_SMTPD,
	.peers = smtpd_peers,
	.prepare = prepare,
	.start = start,
	.reload = reload,
	.listener = listeners_add,
	.file = secure_file,
	.drain = drain,
	.stop = stop,
	.status = status,
};

int
main(void)
{
	static struct smtpd d; /* large: the table of transactions */

	return daemon_main(&spec, &d.daemon, &d);
}
