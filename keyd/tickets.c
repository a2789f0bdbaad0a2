/* keyd/tickets.c - keys of session tickets: made, rotated, handed out,
 * wiped. */
#include "keyd/tickets.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "lib/log.h"

static void
key_make(struct ticket_key *k)
{
	if (RAND_priv_bytes(k->name, sizeof(k->name)) != 1 ||
	    RAND_priv_bytes(k->aes, sizeof(k->aes)) != 1 ||
	    RAND_priv_bytes(k->hmac, sizeof(k->hmac)) != 1)
		fatalx("no random numbers");
}

void
tickets_init(struct tickets *t)
{
	key_make(&t->current);
	key_make(&t->next);
	t->has_previous = false;
}

void
tickets_rotate(struct tickets *t)
{
	t->previous = t->current;
	t->has_previous = true;
	t->current = t->next;
	key_make(&t->next);
}

void
tickets_wipe(struct tickets *t)
{
	OPENSSL_cleanse(t, sizeof(*t));
}

static void
key_put(const struct ticket_key *k, struct ipc_writer *w)
{
	ipc_put_span(w, span_make(k->name, sizeof(k->name)));
	ipc_put_span(w, span_make(k->aes, sizeof(k->aes)));
	ipc_put_span(w, span_make(k->hmac, sizeof(k->hmac)));
}

void
tickets_put(const struct tickets *t, struct ipc_writer *w)
{
	ipc_put_u8(w, t->has_previous ? 3 : 2);
	key_put(&t->current, w);
	key_put(&t->next, w);
	if (t->has_previous)
		key_put(&t->previous, w);
}
