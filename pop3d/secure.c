/*
 * pop3d/secure.c - the program's TLS: its certificates from master, its tickets
 * and signatures from keyd.
 */
#include "pop3d/pop3d.h"

static int
on_tickets(void *arg, struct ipc_msg *m)
{
	struct pop3d *d = arg;

	return tls_on_tickets(d->tls, m);
}

static int
on_sign_ready(void *arg, struct ipc_msg *m)
{
	struct pop3d *d = arg;

	return tls_on_sign_ready(d->tls, m);
}

const struct ipc_handler secure_keyd_handlers[] = {
	{ IPC_TICKETS,    on_tickets },
	{ IPC_SIGN_READY, on_sign_ready },
	IPC_HANDLERS_END
};

void
secure_keyd_up(void *arg, struct channel *ch)
{
	struct pop3d *d = arg;

	(void)ch;
	tls_keyd_up(d->tls);
}

void
secure_keyd_down(void *arg, struct channel *ch)
{
	struct pop3d *d = arg;

	(void)ch;
	tls_keyd_down(d->tls);
}

void
secure_file(void *arg, const char *name, int fd)
{
	struct pop3d *d = arg;

	if (d->tls == NULL)
		early_keep(&d->early, name, fd);
	else
		tls_file(d->tls, name, fd);
}

static void
take_early(void *arg, const char *name, int fd)
{
	struct pop3d *d = arg;

	tls_file(d->tls, name, fd);
}

void
secure_init(struct pop3d *d)
{
	d->tls = tls_new(d->loop, d->conf, ROLE_POP3D,
	    daemon_peer(&d->daemon, ROLE_KEYD, 0));
	early_take(&d->early, take_early, d);
}
