/* lib/ipc/event.c - events on their way to logd: never blocking, bounded. */
#include "lib/ipc/event.h"

#include "lib/clock.h"

/* Unsent octets beyond which events are dropped and counted. */
#define EVENT_QUEUE_MAX (8u * 1024 * 1024)

static uint64_t dropped;

bool
event_next(struct span *rest, struct event_field *f)
{
	size_t n;

	*f = (struct event_field){ 0 };
	if (rest->len < 4)
		return false;
	f->key = (unsigned char)rest->p[0];
	f->is_number = rest->p[1] == 1;
	n = f->is_number ? 10 : 4 + (size_t)get_u16(rest->p + 2);
	if (f->key >= KEY_MAX || (unsigned char)rest->p[1] > 1 ||
	    rest->len < n)
		return false;
	if (f->is_number)
		f->number = get_u64(rest->p + 2);
	else
		f->text = span_make(rest->p + 4, n - 4);
	*rest = span_from(*rest, n);
	return true;
}

static bool
send_event(void *arg, const struct event_out *e)
{
	struct channel *ch = arg;
	struct ipc_writer w;

	if (!channel_is_open(ch))
		return false;
	if (channel_queued(ch) > EVENT_QUEUE_MAX) {
		dropped++;
		return true;
	}
	if (dropped > 0) {
		struct event_out told;

		event_begin(&told, EV_EVENTS_DROPPED, 0, 0);
		event_num(&told, KEY_COUNT, dropped);
		dropped = 0;
		send_event(arg, &told);
	}
	w = ipc_begin(ch, IPC_EVENT, 0, 0);
	ipc_put_u64(&w, (uint64_t)clock_now_us());
	ipc_put_u16(&w, e->code);
	ipc_put_u64(&w, e->qid);
	ipc_put_u64(&w, e->sid);
	ipc_put_octets(&w, span_make(e->data, e->len));
	return ipc_end(&w) == 0;
}

void
event_attach(struct channel *logd)
{
	if (logd == NULL)
		log_attach(NULL, NULL);
	else
		log_attach(send_event, logd);
}
