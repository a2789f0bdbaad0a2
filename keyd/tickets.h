/*
 * keyd/tickets.h - the keys with which the programs of a role seal session
 * tickets: all of them the same ones, so that a session begun at one resumes at
 * another.
 */
#ifndef KEYD_TICKETS_H
#define KEYD_TICKETS_H

#include <stdint.h>

#include "lib/ipc/wire.h"

/* Tickets are lawful for up to 7 days (RFC 8446 section 4.6.1), but whoever has
 * the key can read all sessions that were resumed with it: half a day. A ticket
 * opens for one to two periods. */
#define TICKETS_PERIOD_MS (12 * 3600 * (int64_t)1000)

#define TICKET_NAME 16
#define TICKET_KEY  32

struct ticket_key {
	uint8_t name[TICKET_NAME], aes[TICKET_KEY], hmac[TICKET_KEY];
};

/* previous: still opens. next: nobody seals with it yet, but whoever hears of
 * the rotation later opens what another sealed. */
struct tickets {
	struct ticket_key current, next, previous;
	bool has_previous;
};

/* tickets_init - fresh ones. tickets_rotate - next becomes current. */
void tickets_init(struct tickets *t);
void tickets_rotate(struct tickets *t);
void tickets_wipe(struct tickets *t);

/* tickets_put - the body of IPC_TICKETS. */
void tickets_put(const struct tickets *t, struct ipc_writer *w);

#endif
