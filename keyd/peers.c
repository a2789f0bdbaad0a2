/*
 * keyd/peers.c - every message between keyd and the programs that speak TLS:
 * their sign sockets, what certificates they use, keys for their tickets.
 */
#include "keyd/keyd.h"

#include <stdlib.h>

#include "lib/mem.h"

/* Certificates follow their keys within a moment, or the admin has forgotten
 * one of the two. */
#define COMPLAIN_MS 15000

static unsigned
tickets_of(enum role role)
{
	return role == ROLE_SMTPD ? TICKETS_SMTPD : role == ROLE_POP3D
	    ? TICKETS_POP3D : TICKETS_RELAY;
}

static void
tickets_send(struct keyd *k, struct channel *ch)
{
	struct ipc_writer w;

	if (!channel_is_open(ch))
		return;
	w = ipc_begin(ch, IPC_TICKETS, 0, 0);
	tickets_put(&k->tickets[tickets_of(ch->peer)], &w);
	ipc_end(&w);
	channel_flush_secret(ch);
}

void
on_asker_up(void *arg, struct channel *ch)
{
	struct keyd *k = arg;
	struct asker *a = xcalloc(1, sizeof(*a));

	a->user.role = ch->peer;
	sign_init(&a->sign, &k->keys, &k->counts, ch->peer);
	keys_user_add(&k->keys, &a->user);
	ch->user = a;
	tickets_send(k, ch);
}

void
on_asker_down(void *arg, struct channel *ch)
{
	struct keyd *k = arg;
	struct asker *a = ch->user;

	if (a == NULL)
		return;
	ch->user = NULL;
	sign_close(&a->sign);
	keys_user_remove(&k->keys, &a->user);
	free(a);
}

int
on_sign_socket(void *arg, struct ipc_msg *m)
{
	struct keyd *k = arg;
	struct asker *a = m->ch->user;
	struct ipc_writer w;

	if (m->fd == -1 ||
	    sign_open(&a->sign, &k->daemon.loop, ipc_take_fd(m)) == -1)
		return -1;
	w = ipc_begin(m->ch, IPC_SIGN_READY, 0, 0);
	ipc_end(&w);
	return 0;
}

int
on_key_used(void *arg, struct ipc_msg *m)
{
	struct keyd *k = arg;
	struct asker *a = m->ch->user;
	struct ipc_reader rd = ipc_reader(m);
	struct span block = ipc_get_span(&rd, CONF_LABEL_MAX);
	struct span name = ipc_get_span(&rd, SIGN_KEY);

	if (!ipc_at_end(&rd) || name.len != SIGN_KEY || block.len == 0)
		return -1;
	timer_set_ms(&k->complaint, COMPLAIN_MS);
	return keys_used(&k->keys, &a->user, block, (const uint8_t *)name.p);
}

static void
on_rotation(void *arg)
{
	struct keyd *k = arg;
	size_t i;

	for (i = 0; i < TICKETS_ROLES; i++)
		tickets_rotate(&k->tickets[i]);
	for (i = 0; i < k->daemon.npeers; i++)
		if (k->daemon.peers[i]->user != NULL)
			tickets_send(k, k->daemon.peers[i]);
	timer_set_ms(&k->rotation, TICKETS_PERIOD_MS);
}

static void
on_complaint(void *arg)
{
	struct keyd *k = arg;

	keys_complain(&k->keys);
}

void
peers_start(struct keyd *k)
{
	size_t i;

	for (i = 0; i < TICKETS_ROLES; i++)
		tickets_init(&k->tickets[i]);
	timer_init(&k->complaint, &k->daemon.loop, on_complaint, k);
	timer_init(&k->rotation, &k->daemon.loop, on_rotation, k);
	timer_set_ms(&k->rotation, TICKETS_PERIOD_MS);
}

void
peers_clear(struct keyd *k)
{
	size_t i;

	for (i = 0; i < TICKETS_ROLES; i++)
		tickets_wipe(&k->tickets[i]);
}
