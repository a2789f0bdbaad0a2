/*
 * authd/authd.c - who exists, and who may: start, reload, stop. With -w this
 * binary is one of the workers that ask NSS and hold hashes (worker.c).
 */
#include <string.h>
#include <unistd.h>

#include "authd/authd.h"
#include "authd/outside.h"
#include "authd/worker.h"
#include "lib/log.h"

static void
on_tables_late(void *arg)
{
	struct authd *a = arg;
	size_t i;

	for (i = 0; i < a->dir.nusers; i++)
		if (!a->dir.users[i].loaded)
			log_warnx("users %s: %s has not come: its addresses "
			    "get a temporary failure", a->dir.users[i].name,
			    a->dir.users[i].file);
	for (i = 0; i < a->dir.naliases; i++)
		if (!a->dir.aliases[i].loaded)
			log_warnx("%s has not come: its domains get a "
			    "temporary failure", a->dir.aliases[i].file);
	a->dir.tables_given_up = true;
	jobs_tables(&a->jobs);
}

/* An alias file. */
static void
authd_file(void *arg, const char *name, int fd)
{
	struct authd *a = arg;
	const struct alias_table *t = directory_aliases(&a->dir, name, fd);
	struct event_out e;

	close(fd);
	if (t == NULL)
		return;
	event_begin(&e, EV_TABLE, 0, 0);
	event_str(&e, KEY_FILE, name);
	event_num(&e, KEY_COUNT, t->now.ndefined);
	event_send(&e);
	jobs_tables(&a->jobs);
}

static void
adopt(struct authd *a)
{
	directory_set(&a->dir, a->daemon.conf);
	if (a->daemon.id.none)
		a->dir.uid_min = 1;
	timer_set_ms(&a->tables, TABLES_WAIT_MS);
	pwcache_wipe(&a->cache);
	auth_offer(a);
	jobs_tables(&a->jobs);
}

static void
authd_start(void *arg)
{
	struct authd *a = arg;

	authd_rooms(a);
	timer_init(&a->tables, &a->daemon.loop, on_tables_late, a);
	adopt(a);
}

static int
authd_reload(void *arg, const struct conf *old)
{
	(void)old;
	adopt(arg);
	return 0;
}

static size_t
authd_status(void *arg, struct daemon_status *out, size_t max)
{
	const struct authd *a = arg;
	struct daemon_status all[] = {
		{ "recipients-asked", a->asked },
		{ "logins", a->logins },
		{ "logins-refused", a->refused },
		{ "logins-under-way", a->exchanges.table.n },
		{ "parked", a->jobs.n },
		{ "lookups-queued", a->pool.queued + a->outside.queued },
		{ "scram-offered", (a->offered & OFFER_SCRAM) != 0 },
		{ "accounts-cached", a->nss.n },
	};
	size_t i;

	for (i = 0; i < nitems(all) && i < max; i++)
		out[i] = all[i];
	return i;
}

int
main(int argc, char *argv[])
{
	static const struct daemon_spec spec = {
		.role = ROLE_AUTHD,
		.master_handlers = authd_master_handlers,
		.peers = authd_peers,
		.start = authd_start,
		.reload = authd_reload,
		.file = authd_file,
		.status = authd_status,
	};
	static struct authd a; /* its password cache is too big for a stack */

	if (argc == 2 && strcmp(argv[1], "-w") == 0)
		return worker_main();
	if (argc == 2 && strcmp(argv[1], "-p") == 0)
		return outside_main();
	return daemon_main(&spec, &a.daemon, &a);
}
