/* lib/ipc/credit.c - requests that wait their turn at the asker's. */
#include "lib/ipc/credit.h"

#include "lib/ipc/request.h"

static bool
is_exempt(const struct channel *ch)
{
	return ch->self == ROLE_MASTER || ch->peer == ROLE_MASTER;
}

void
credit_open(struct channel *ch)
{
	struct ipc_writer w;

	ch->credits = CREDIT_FIRST;
	ch->owed = 0;
	ch->nheld = 0;
	if (is_exempt(ch))
		return;
	w = ipc_begin(ch, IPC_CREDITS, 0, 0);
	ipc_put_u32(&w, CREDIT_GRANTED);
	ipc_end(&w);
}

void
credit_close(struct channel *ch)
{
	buf_wipe(&ch->held); /* there may be a password in it */
	ch->nheld = 0;
}

/* Requests that are really on their way: those that wait here are not. */
static bool
has_credit(const struct channel *ch)
{
	return ch->pending.n <= ch->credits + ch->nheld;
}

bool
credit_hold(struct channel *ch, size_t start, size_t len)
{
	struct span out = buf_span(&ch->out);
	const char *head = out.p + start;

	if (is_exempt(ch) || get_u32(head + 8) == 0 ||
	    ipc_rule(get_u16(head + 4))->reply ||
	    (ch->nheld == 0 && has_credit(ch)))
		return false;
	if (buf_add(&ch->held, head, len) == -1)
		return false; /* far beyond sense: let the peer be judge */
	ch->nheld++;
	ch->out.len = start;
	return true;
}

void
credit_release(struct channel *ch)
{
	struct span held = buf_span(&ch->held);
	bool any = false;

	while (ch->nheld > 0 && ch->pending.n < ch->credits + ch->nheld) {
		uint32_t len = get_u32(held.p), request = get_u32(held.p + 8);

		/* its asker may have given up meanwhile */
		if (request_is_open(ch, request) &&
		    buf_add(&ch->out, held.p, len) == 0)
			any = true;
		ch->nheld--;
		buf_drop(&ch->held, len);
		held = buf_span(&ch->held);
	}
	if (ch->nheld == 0)
		buf_wipe(&ch->held);
	if (any)
		loop_defer(ch->loop, &ch->flush);
}

int
credit_granted(struct channel *ch, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);
	uint32_t n = ipc_get_u32(&rd);

	if (!ipc_at_end(&rd) || n == 0)
		return -1;
	ch->credits = n;
	credit_release(ch);
	return 0;
}

int
credit_asked(struct channel *ch, const struct ipc_msg *m)
{
	if (is_exempt(ch) || m->request == 0 || ipc_rule(m->type)->reply)
		return 0;
	return ++ch->owed > CREDIT_ABUSE ? -1 : 0;
}

void
credit_answered(struct channel *ch, unsigned type, uint32_t request)
{
	const struct ipc_rule *r = ipc_rule(type);

	if (request != 0 && r->reply && !r->more && ch->owed > 0)
		ch->owed--;
}
