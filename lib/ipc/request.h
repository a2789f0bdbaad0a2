/*
 * lib/ipc/request.h - the requests of a channel that wait for their answers: for
 * channel.c and credit.c; programs use channel_request() and channel_forget().
 */
#ifndef LIB_IPC_REQUEST_H
#define LIB_IPC_REQUEST_H

#include "lib/ipc/channel.h"

void request_init(struct channel *ch);

/* request_answer - m is a reply: its asker's callback, if he is still there. */
int request_answer(struct channel *ch, struct ipc_msg *m);

/* request_close - all that are open get their NULL. */
void request_close(struct channel *ch);

/* request_abandon - nobody waits any more: no callback is called. */
void request_abandon(struct channel *ch);

/* request_is_open - does somebody still wait for this answer? */
bool request_is_open(const struct channel *ch, uint32_t request);

#endif
