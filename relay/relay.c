/*
 * relay/relay.c - SMTP and LMTP to other hosts: start, drop, loop, stop. Takes
 * jobs from queued, asks the resolver where to go, touches no file.
 */
#include "relay/relay.h"

#include "lib/log.h"

/* An orderly stop waits so long for receipts of what is past its dot. */
#define STOP_MS      10000
#define STOP_STEP_MS 100

static bool
past_the_dot(const struct relay *r)
{
	const struct session *s;

	for (s = r->sessions; s != NULL; s = s->next)
		if (s->state == S_DOT)
			return true;
	return false;
}

static void
on_patience(void *arg)
{
	struct relay *r = arg;

	r->waited_ms += STOP_STEP_MS;
	if (past_the_dot(r) && r->waited_ms < STOP_MS)
		timer_set_ms(&r->patience, STOP_STEP_MS);
	else
		daemon_exit(&r->daemon);
}

static void
relay_start(void *arg)
{
	struct relay *r = arg;

	timer_init(&r->patience, &r->daemon.loop, on_patience, r);
	secure_init(r);
}

static void
relay_stop(void *arg)
{
	struct relay *r = arg;
	struct session *s;

	for (s = r->sessions; s != NULL; s = s->next)
		if (s->state == S_IDLE)
			session_quit(s); /* its answer is not waited for */
	if (past_the_dot(r))
		timer_set_ms(&r->patience, STOP_STEP_MS);
	else
		daemon_exit(&r->daemon);
}

static size_t
relay_status(void *arg, struct daemon_status *out, size_t max)
{
	struct relay *r = arg;
	const struct daemon_status all[] = {
		{ "jobs", r->njobs },
		{ "open", r->nsessions },
		{ "connections", r->connections },
		{ "letters", r->letters },
		{ "deferred", r->deferred },
		{ "failed", r->failed },
	};
	size_t i;

	for (i = 0; i < nitems(all) && i < max; i++)
		out[i] = all[i];
	return i + tls_status(r->tls, out + i, max - i);
}

static const struct ipc_handler no_handlers[] = { IPC_HANDLERS_END };

static const struct daemon_peer peers[] = {
	{ ROLE_QUEUED, relay_job_handlers, job_up, job_down },
	{ ROLE_RESOLVER, no_handlers, NULL, NULL },
	{ ROLE_KEYD, tls_keyd_handlers, tls_keyd_up, tls_keyd_down },
	{ ROLE_LOGD, no_handlers, NULL, NULL },
	{ ROLE_NONE, NULL, NULL, NULL }
};

int
main(void)
{
	static const struct daemon_spec spec = {
		.role = ROLE_RELAY,
		.master_handlers = no_handlers,
		.peers = peers,
		.start = relay_start,
		.reload = secure_reload,
		.file = secure_file,
		.stop = relay_stop,
		.status = relay_status,
	};
	static struct relay r;

	relay_init(&r);
	return daemon_main(&spec, &r.daemon, &r);
}
