/*
 * smtpd/listen.c - the listeners of a worker, from the descriptors that master
 * hands over to the day when it takes no more clients.
 */
#include <unistd.h>

#include "lib/clock.h"
#include "smtpd/smtpd.h"

/* A spool is open in far less; a client's own patience is minutes. */
#define QUEUED_WAIT_MS 5000

/*
 * submit.sock stands in no configuration. Its users are people of this host:
 * the limits keep one of them from taking everything, and no more.
 */
static const struct conf_listen submit_listen = {
	.kind = LISTEN_SUBMIT,
	.size = 50u << 20,
	.connections = 1000,
	.recipients = 1000,
	.errors = 1000,
	.junk = 100,
	.hops = 50,
};

void
listeners_add(void *arg, unsigned index, enum conf_kind kind, int fd)
{
	struct smtpd *d = arg;
	struct smtpd_listener *l;

	if (d->nlisteners == SMTPD_LISTENERS_MAX) {
		log_warnx("more than %d listeners", SMTPD_LISTENERS_MAX);
		close(fd);
		return;
	}
	l = &d->listeners[d->nlisteners++];
	l->smtpd = d;
	l->fd = fd;
	l->index = index;
	l->kind = kind;
}

static void
on_client(void *arg, int fd, const struct sockaddr_storage *peer)
{
	struct smtpd_listener *l = arg;

	session_open(l, fd, peer);
}

/* People may send from here what anybody may send to us. */
static void
submit_conf(struct smtpd *d)
{
	size_t i;

	d->submit = submit_listen;
	for (i = 0; i < d->conf->nlistens; i++)
		if (d->conf->listens[i].size > d->submit.size)
			d->submit.size = d->conf->listens[i].size;
}

static void
listener_start(struct smtpd *d, struct smtpd_listener *l)
{
	if (l->kind == LISTEN_SUBMIT)
		l->conf = &d->submit;
	else if (l->index < d->conf->nlistens)
		l->conf = &d->conf->listens[l->index];
	if (l->conf != NULL && l->conf->kind == l->kind)
		listener_open(&l->listener, d->loop, l->fd, on_client, l);
	else
		close(l->fd);
	l->fd = -1;
}

void
smtpd_init(struct smtpd *d, struct loop *loop, const struct conf *conf,
    struct channel *authd, struct channel *queued)
{
	d->loop = loop;
	d->conf = conf;
	d->authd = authd;
	d->queued = queued;
	/* no two sessions of any worker's life share a number */
	d->next_sid = (uint64_t)clock_now_s() << 32 |
	    (uint64_t)(d->daemon.instance & 0x3f) << 26;
	clients_init(&d->clients);
	submit_conf(d);
}

void
listeners_start(struct smtpd *d)
{
	size_t i;

	if (d->listening || d->draining)
		return;
	d->listening = true;
	for (i = 0; i < d->nlisteners; i++)
		listener_start(d, &d->listeners[i]);
}

static void
on_patience(void *arg)
{
	listeners_start(arg);
}

void
listeners_wait(struct smtpd *d)
{
	timer_init(&d->patience, d->loop, on_patience, d);
	timer_set_ms(&d->patience, QUEUED_WAIT_MS);
}

static void
listeners_close(struct smtpd *d)
{
	size_t i;

	for (i = 0; i < d->nlisteners; i++)
		if (d->listeners[i].listener.loop != NULL)
			listener_close(&d->listeners[i].listener);
}

void
smtpd_drained(struct smtpd *d)
{
	daemon_exit(&d->daemon);
}

void
listeners_drain(struct smtpd *d)
{
	d->draining = true;
	listeners_close(d);
	session_drain_all(d);
	if (d->nsessions == 0)
		smtpd_drained(d);
}
