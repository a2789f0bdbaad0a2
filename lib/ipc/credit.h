/*
 * lib/ipc/credit.h - how many requests may be open on a channel: each end grants
 * the other a number as its first message. What is asked beyond it waits at
 * the asker's, in order; answers and outcomes are never held back, so that no
 * two programs can wait for each other (design.md section 3). Channels of
 * master are exempt: descriptors travel there, and it asks little.
 */
#ifndef LIB_IPC_CREDIT_H
#define LIB_IPC_CREDIT_H

#include "lib/ipc/channel.h"

/* What one peer may have open here: each costs us a few hundred octets. */
#define CREDIT_GRANTED 4096
/* Until the peer has spoken. */
#define CREDIT_FIRST   64
/* Far above the grant nobody is who keeps to it: the channel ends. Between the
 * two lie questions whose asker gave up while we still work on them. */
#define CREDIT_ABUSE   (4 * CREDIT_GRANTED)

/* credit_open - tells the peer what it may. */
void credit_open(struct channel *ch);
void credit_close(struct channel *ch);

/* credit_hold - takes the frame at the end of out, which asks something, out of
 * it when the credit is used up. Returns true if it was taken. */
bool credit_hold(struct channel *ch, size_t start, size_t len);

/* credit_release - sends what waited, as far as there is credit now. */
void credit_release(struct channel *ch);

/* credit_granted - the peer's word; 0, or -1 when malformed. */
int credit_granted(struct channel *ch, struct ipc_msg *m);

/* credit_asked, credit_answered - what the peer has open here; asked returns
 * -1 when it is abuse. */
int credit_asked(struct channel *ch, const struct ipc_msg *m);
void credit_answered(struct channel *ch, unsigned type, uint32_t request);

#endif
