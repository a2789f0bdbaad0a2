/*
 * resolver/asker.c - who waits for an answer: remembered until it is written or
 * until the peer has gone.
 */
#include "resolver/resolver.h"

bool
asker_begin(struct asker *a, struct resolver *r, const struct ipc_msg *m,
    void (*drop)(struct asker *))
{
	if (r->open >= RESOLVER_OPEN_MAX)
		return false;
	a->r = r;
	a->ch = m->ch;
	a->request = m->request;
	a->session = m->session;
	a->drop = drop;
	a->link = &r->askers;
	a->next = r->askers;
	if (a->next != NULL)
		a->next->link = &a->next;
	r->askers = a;
	r->open++;
	return true;
}

struct ipc_writer
asker_reply(struct asker *a, enum ipc_type type)
{
	struct ipc_msg m = { .request = a->request, .session = a->session,
		.fd = -1 };

	a->r->answered++;
	return ipc_reply_begin(a->ch, &m, type);
}

void
asker_end(struct asker *a)
{
	*a->link = a->next;
	if (a->next != NULL)
		a->next->link = a->link;
	a->r->open--;
}

void
asker_drop_all(struct resolver *r, struct channel *ch)
{
	struct asker *a, *next;

	for (a = r->askers; a != NULL; a = next) {
		next = a->next;
		if (a->ch == ch)
			a->drop(a);
	}
}
