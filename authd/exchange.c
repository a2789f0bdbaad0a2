/*
 * authd/exchange.c - the table of SASL exchanges: who is at which message, how
 * long a client may think, and what happens when it goes.
 */
#include "authd/authd.h"
#include "lib/clock.h"
#include "lib/mem.h"

static uint64_t
key_of(const struct channel *ch, uint32_t session)
{
	struct { const struct channel *ch; uint64_t session; } key = {
	    ch, session };

	return span_hash(span_make(&key, sizeof(key)));
}

struct exchange *
exchange_find(const struct authd *a, const struct channel *ch,
    uint32_t session)
{
	struct hash_node *n = hash_find(&a->exchanges.table,
	    key_of(ch, session));
	struct exchange *x;

	for (; n != NULL; n = hash_next(n)) {
		x = hash_entry(n, struct exchange, node);
		if (x->ch == ch && x->session == session)
			return x;
	}
	return NULL;
}

/* How many this channel has. A channel is one program's for good. */
static size_t *
count_of(struct authd *a, const struct channel *ch)
{
	size_t i = 0;

	while (i < nitems(a->exchanges.of) - 1 &&
	    a->exchanges.of[i].ch != NULL && a->exchanges.of[i].ch != ch)
		i++;
	a->exchanges.of[i].ch = ch;
	return &a->exchanges.of[i].n;
}

/* -- whose turn it is -- */

static void
set_expiry(struct authd *a)
{
	const struct exchange *x = a->exchanges.first;
	int64_t left;

	if (x == NULL) {
		timer_stop(&a->exchanges.expiry);
		return;
	}
	left = x->until_ms - clock_boot_ms();
	timer_set_ms(&a->exchanges.expiry, left < 0 ? 0 : left);
}

void
exchange_sleep(struct authd *a, struct exchange *x)
{
	struct exchanges *all = &a->exchanges;

	x->asleep = true;
	x->until_ms = clock_boot_ms() + (int64_t)EXCHANGE_S * 1000;
	x->next = NULL;
	if ((x->prev = all->last) != NULL)
		x->prev->next = x;
	else
		all->first = x;
	all->last = x;
	if (all->first == x)
		set_expiry(a);
}

void
exchange_wake(struct authd *a, struct exchange *x)
{
	struct exchanges *all = &a->exchanges;

	if (!x->asleep)
		return;
	x->asleep = false;
	if (x->prev != NULL)
		x->prev->next = x->next;
	else
		all->first = x->next;
	if (x->next != NULL)
		x->next->prev = x->prev;
	else
		all->last = x->prev;
	if (x->prev == NULL)
		set_expiry(a);
}

/* -- the end -- */

static void
drop(struct authd *a, struct exchange *x)
{
	if (x->dropped)
		return;
	x->dropped = true;
	exchange_wake(a, x);
	hash_remove(&a->exchanges.table, &x->node);
	(*count_of(a, x->ch))--;
}

void
exchange_free(struct authd *a, struct exchange *x)
{
	drop(a, x);
	sasl_clear(&x->sasl);
	x_free(&x);
}

void
exchange_end(struct authd *a, struct exchange *x)
{
	drop(a, x);
	if (x->login != NULL)
		login_forget(x->login);
	else
		exchange_free(a, x);
}

static void
on_expiry(void *arg)
{
	struct authd *a = arg;
	struct exchange *x;

	while ((x = a->exchanges.first) != NULL &&
	    x->until_ms <= clock_boot_ms())
		exchange_end(a, x);
	set_expiry(a);
}

struct losing { struct authd *a; const struct channel *ch; };

static void
lose_one(void *arg, struct hash_node *node)
{
	struct losing *l = arg;
	struct exchange *x = hash_entry(node, struct exchange, node);

	if (x->ch == l->ch)
		exchange_end(l->a, x);
}

void
exchanges_lost(struct authd *a, const struct channel *ch)
{
	struct losing l = { a, ch };

	hash_each(&a->exchanges.table, lose_one, &l);
}

/* -- the beginning -- */

void
exchanges_init(struct authd *a)
{
	timer_init(&a->exchanges.expiry, &a->daemon.loop, on_expiry, a);
}

/* Room: of this channel's the one whose client has been silent longest. */
static bool
make_room(struct authd *a, const struct channel *ch)
{
	struct exchange *x = a->exchanges.first;

	while (x != NULL && x->ch != ch)
		x = x->next;
	if (x == NULL)
		return false;
	exchange_end(a, x);
	return true;
}

struct exchange *
exchange_new(struct authd *a, struct channel *ch, uint32_t session)
{
	struct exchange *x;

	if (*count_of(a, ch) >= EXCHANGES_MAX && !make_room(a, ch))
		return NULL;
	x = xcalloc(1, sizeof(*x));
	x->ch = ch;
	x->session = session;
	(*count_of(a, ch))++;
	hash_add(&a->exchanges.table, &x->node, key_of(ch, session));
	return x;
}
