/*
 * resolver/resolver.c - asks the DNS for everybody else: start, drop, loop. It
 * alone reads what name servers say; the others get checked records and routes.
 */
#include "resolver/resolver.h"

#include <string.h>

#include "lib/log.h"

static int
on_dns_ask(void *arg, struct ipc_msg *m)
{
	return ask_start(arg, m);
}

static int
on_route_ask(void *arg, struct ipc_msg *m)
{
	return route_start(arg, m);
}

static void
on_down(void *arg, struct channel *ch)
{
	asker_drop_all(arg, ch);
}

static int
resolver_prepare(void *arg)
{
	struct resolver *r = arg;

	return dns_open(&r->dns, r->daemon.conf, r->daemon.test);
}

static void
resolver_start(void *arg)
{
	struct resolver *r = arg;

	dns_start(&r->dns, &r->daemon.loop);
}

static bool
same_list(const struct conf_list *a, const struct conf_list *b)
{
	size_t i;

	if (a->n != b->n)
		return false;
	for (i = 0; i < a->n; i++)
		if (strcmp(a->words[i], b->words[i]) != 0)
			return false;
	return true;
}

static bool
same_path(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* libunbound takes its settings, and the root's keys from a file, only once:
 * with others this process ends, and master starts a new one. */
static int
resolver_reload(void *arg, const struct conf *old)
{
	struct resolver *r = arg;
	const struct conf_dns *a = &old->dns, *b = &r->daemon.conf->dns;

	if (!same_list(&a->forward, &b->forward) ||
	    !same_path(a->records, b->records) ||
	    !same_path(a->anchor, b->anchor)) {
		log_info("other name servers: beginning anew");
		daemon_exit(&r->daemon);
	}
	return 0;
}

static size_t
resolver_status(void *arg, struct daemon_status *out, size_t max)
{
	struct resolver *r = arg;
	const struct daemon_status all[] = {
		{ "open", r->open },
		{ "answered", r->answered },
		{ "routes.failed", r->failed },
	};
	size_t i;

	for (i = 0; i < nitems(all) && i < max; i++)
		out[i] = all[i];
	return i;
}

static const struct ipc_handler smtpd_handlers[] = {
	{ IPC_DNS_ASK, on_dns_ask },
	IPC_HANDLERS_END
};

static const struct ipc_handler relay_handlers[] = {
	{ IPC_ROUTE_ASK, on_route_ask },
	IPC_HANDLERS_END
};

static const struct ipc_handler no_handlers[] = { IPC_HANDLERS_END };

static const struct daemon_peer peers[] = {
	{ ROLE_SMTPD, smtpd_handlers, NULL, on_down },
	{ ROLE_RELAY, relay_handlers, NULL, on_down },
	{ ROLE_LOGD, NULL, NULL, NULL },
	{ ROLE_NONE, NULL, NULL, NULL }
};

int
main(void)
{
	static const struct daemon_spec spec = {
		.role = ROLE_RESOLVER,
		.master_handlers = no_handlers,
		.peers = peers,
		.prepare = resolver_prepare,
		.start = resolver_start,
		.reload = resolver_reload,
		.status = resolver_status,
	};
	struct resolver r = { .askers = NULL };

	log_init("resolver");
	return daemon_main(&spec, &r.daemon, &r);
}
