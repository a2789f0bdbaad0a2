/*
 * pop3d/pop3d.c - the front door: `pop3d` talks to clients and knows no
 * mailbox, `pop3d -s` waits to fork the process of a mailbox's owner. Several
 * of the first may accept from the same listeners; a reload starts new ones.
 */
#include <unistd.h>

#include "lib/clock.h"
#include "pop3d/pop3d.h"

/* A stopping worker gives sessions so long to end. */
#define STOP_MS 3000

static void
on_client(void *arg, int fd, const struct sockaddr_storage *peer)
{
	login_open(arg, fd, peer);
}

static void
listener_add(void *arg, unsigned index, enum conf_kind kind, int fd)
{
	struct pop3d *d = arg;
	struct pop3d_listener *l;

	if (kind != LISTEN_POP3 || d->nlisteners == POP3D_LISTENERS_MAX) {
		log_warnx("a listener that is not for pop3d, or one too many");
		close(fd);
		return;
	}
	l = &d->listeners[d->nlisteners++];
	l->d = d;
	l->fd = fd;
	l->index = index;
}

static void
listener_start(struct pop3d *d, struct pop3d_listener *l)
{
	if (l->index < d->conf->nlistens)
		l->conf = &d->conf->listens[l->index];
	if (l->conf != NULL && l->conf->kind == LISTEN_POP3)
		listener_open(&l->listener, d->loop, l->fd, on_client, l);
	else
		close(l->fd);
	l->fd = -1;
}

static void
start(void *arg)
{
	struct pop3d *d = arg;
	size_t i;

	d->loop = &d->daemon.loop;
	d->conf = d->daemon.conf;
	d->authd = daemon_peer(&d->daemon, ROLE_AUTHD, 0);
	d->master = &d->daemon.master;
	/* no two sessions of any worker's life share a number */
	d->next_sid = (uint64_t)clock_now_s() << 32 | 1u << 31 |
	    (uint64_t)(d->daemon.instance & 0x1f) << 26;
	clients_init(&d->clients);
	secure_init(d);
	for (i = 0; i < d->nlisteners; i++)
		listener_start(d, &d->listeners[i]);
}

static void
drain(void *arg)
{
	struct pop3d *d = arg;
	size_t i;

	d->draining = true;
	for (i = 0; i < d->nlisteners; i++)
		if (d->listeners[i].listener.loop != NULL)
			listener_close(&d->listeners[i].listener);
	login_drain_all(d);
	if (d->nlogins == 0)
		daemon_exit(&d->daemon);
}

static void
on_stop_late(void *arg)
{
	struct pop3d *d = arg;

	daemon_exit(&d->daemon);
}

/* As for a drain, but nobody waits long: a session that is cut off here has
 * deleted nothing. */
static void
stop(void *arg)
{
	struct pop3d *d = arg;

	timer_init(&d->stop_timer, d->loop, on_stop_late, d);
	timer_set_ms(&d->stop_timer, STOP_MS);
	drain(d);
}

/* A new configuration comes with new workers; this one keeps its own. */
static int
reload(void *arg, const struct conf *old)
{
	(void)arg;
	(void)old;
	return -1;
}

static size_t
status(void *arg, struct daemon_status *out, size_t max)
{
	const struct pop3d *d = arg;
	const struct daemon_status list[] = {
		{ "sessions", d->nlogins },
		{ "connections", d->n_connections },
		{ "refused", d->n_refused },
		{ "logins", d->n_logins },
		{ "logins-failed", d->n_failed },
	};
	size_t i;

	for (i = 0; i < nitems(list) && i < max; i++)
		out[i] = list[i];
	return i + tls_status(d->tls, out + i, max - i);
}

static const struct ipc_handler no_handlers[] = { IPC_HANDLERS_END };

static const struct daemon_peer peers[] = {
	{ ROLE_AUTHD, auth_handlers, NULL, NULL },
	{ ROLE_KEYD, tls_keyd_handlers, tls_keyd_up, tls_keyd_down },
	{ ROLE_LOGD, no_handlers, NULL, NULL },
	{ ROLE_NONE, NULL, NULL, NULL }
};

static const struct daemon_spec spec = {
	.role = ROLE_POP3D,
	.peers = peers,
	.start = start,
	.reload = reload,
	.listener = listener_add,
	.file = secure_file,
	.drain = drain,
	.stop = stop,
	.status = status,
};

int
main(int argc, char *argv[])
{
	static struct pop3d d;

	if (argc > 1 && strcmp(argv[1], "-s") == 0)
		return user_main();
	return daemon_main(&spec, &d.daemon, &d);
}
