/* lib/ipc/event.h - the fields of an event as they travel: { u8 key, u8 kind
 * (0 text, 1 number), u16 length and octets, or u64 }. */
#ifndef LIB_IPC_EVENT_H
#define LIB_IPC_EVENT_H

#include "lib/ipc/channel.h"
#include "lib/log.h"

struct event_field {
	unsigned key;
	bool is_number;
	uint64_t number;
	struct span text;
};

/* event_next - the next field of *rest; false at the end or on damage. */
bool event_next(struct span *rest, struct event_field *f);

/* event_attach - events go to this channel to logd from now on. */
void event_attach(struct channel *logd);

#endif
