/*
 * keyd/keyd.c - holds every private key, and nothing else does: start, drop,
 * loop. It opens no file: keys come as descriptors from master, and nobody gets
 * one.
 */
#include "keyd/keyd.h"

#include <unistd.h>

#include "keyd/wipe.h"
#include "lib/log.h"

static void
keyd_start(void *arg)
{
	struct keyd *k = arg;

	keys_apply(&k->keys, k->daemon.conf);
	peers_start(k);
}

static void
keyd_file(void *arg, const char *name, int fd)
{
	struct keyd *k = arg;

	keys_file(&k->keys, name, fd);
	close(fd);
	keys_apply(&k->keys, k->daemon.conf);
}

static int
keyd_reload(void *arg, const struct conf *old)
{
	struct keyd *k = arg;

	(void)old;
	keys_apply(&k->keys, k->daemon.conf);
	return 0;
}

static void
keyd_stop(void *arg)
{
	struct keyd *k = arg;
	size_t i;

	for (i = 0; i < k->daemon.npeers; i++)
		on_asker_down(k, k->daemon.peers[i]);
	keys_clear(&k->keys);
	peers_clear(k);
	daemon_exit(&k->daemon);
}

static size_t
keyd_status(void *arg, struct daemon_status *out, size_t max)
{
	struct keyd *k = arg;
	const struct daemon_status all[] = {
		{ "keys", keys_count(&k->keys) },
		{ "signatures", k->counts.signatures },
		{ "refused", k->counts.refused },
	};
	size_t i;

	for (i = 0; i < nitems(all) && i < max; i++)
		out[i] = all[i];
	return i;
}

static const struct ipc_handler handlers[] = {
	{ IPC_SIGN_SOCKET, on_sign_socket },
	{ IPC_KEY_USED,    on_key_used },
	IPC_HANDLERS_END
};

static const struct ipc_handler no_handlers[] = { IPC_HANDLERS_END };

static const struct daemon_peer peers[] = {
	{ ROLE_SMTPD, handlers, on_asker_up, on_asker_down },
	{ ROLE_POP3D, handlers, on_asker_up, on_asker_down },
	{ ROLE_RELAY, handlers, on_asker_up, on_asker_down },
	{ ROLE_LOGD, NULL, NULL, NULL },
	{ ROLE_NONE, NULL, NULL, NULL }
};

int
main(void)
{
	static const struct daemon_spec spec = {
		.role = ROLE_KEYD,
		.master_handlers = no_handlers,
		.peers = peers,
		.start = keyd_start,
		.reload = keyd_reload,
		.file = keyd_file,
		.stop = keyd_stop,
		.status = keyd_status,
	};
	struct keyd k = { .keys = { NULL, NULL, NULL } };

	log_init("keyd");
	wipe_install();
	return daemon_main(&spec, &k.daemon, &k);
}
