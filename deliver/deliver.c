/*
 * deliver/deliver.c - the front door of five processes: deliver, which hands
 * letters to the users' own processes and holds lock files for them; deliver
 * -s, which waits to be forked; forked from it, deliver -u; likewise deliver -r
 * and deliver -c, for users' commands.
 */
#include "deliver/router.h"
#include "deliver/user.h"
#include "lib/log.h"

static int
deliver_prepare(void *arg)
{
	struct router *r = arg;

	dotlock_identify(&r->locks.id); /* names that the chroot has not */
	return 0;
}

static void
deliver_finished(struct router *r)
{
	daemon_exit(&r->d);
}

static void
deliver_start(void *arg)
{
	struct router *r = arg;
	int dir = daemon_root_open(&r->d);

	if (dir == -1)
		fatal("the mail folder");
	r->master = &r->d.master;
	r->queued = daemon_peer(&r->d, ROLE_QUEUED, 0);
	r->finished = deliver_finished;
	r->places_max = r->d.conf->queue.local;
	router_init(r, &r->d.loop, dir);
}

static int
deliver_reload(void *arg, const struct conf *old)
{
	struct router *r = arg;

	(void)old;
	r->places_max = r->d.conf->queue.local;
	return 0;
}

static void
deliver_stop(void *arg)
{
	router_stop(arg);
}

static size_t
deliver_status(void *arg, struct daemon_status *out, size_t max)
{
	struct router *r = arg;
	const struct daemon_status all[] = {
		{ "users", r->users.n },
		{ "children", r->places },
		{ "jobs", r->njobs },
		{ "delivered", r->delivered },
		{ "deferred", r->deferred },
		{ "failed", r->failed },
		{ "forwarded", r->forwarded },
		{ "forks", r->forks },
	};
	size_t i;

	for (i = 0; i < nitems(all) && i < max; i++)
		out[i] = all[i];
	return i;
}

static const struct ipc_handler master_handlers[] = {
	{ IPC_LOCK_PEER, on_lock_peer },
	IPC_HANDLERS_END
};

static const struct ipc_handler no_handlers[] = { IPC_HANDLERS_END };

static const struct daemon_peer peers[] = {
	{ ROLE_QUEUED, queued_handlers, queued_up, queued_down },
	{ ROLE_LOGD, no_handlers, NULL, NULL },
	{ ROLE_NONE, NULL, NULL, NULL }
};

static const struct daemon_spec spec = {
	.role = ROLE_DELIVER,
	.master_handlers = master_handlers,
	.peers = peers,
	.prepare = deliver_prepare,
	.start = deliver_start,
	.reload = deliver_reload,
	.stop = deliver_stop,
	.status = deliver_status,
};

static const struct waiting_spec waiting = {
	ROLE_DFORK, ROLE_DUSER, deliver_user_main, false
};

static const struct waiting_spec runners = {
	ROLE_DRUN, ROLE_DCMD, runner_main, true
};

int
main(int argc, char *argv[])
{
	static struct router r;

	if (argc == 2 && span_eqstr(span_str(argv[1]), "-s"))
		return waiting_main(&waiting);
	if (argc == 2 && span_eqstr(span_str(argv[1]), "-r"))
		return waiting_main(&runners);
	return daemon_main(&spec, &r.d, &r);
}
