/*
 * logd/trace.h - searches for the story of a letter: by id, by address, by
 * Message-ID. A search goes on a little in each round of the loop, so that
 * events are taken meanwhile; what it finds goes to the admin's command.
 */
#ifndef LOGD_TRACE_H
#define LOGD_TRACE_H

#include "lib/ipc/ctl.h"
#include "logd/days.h"

#define TRACE_IDS_MAX  1000 /* letters of one search: the newest ones */
#define TRACE_STEP     64   /* blocks looked at in one round of the loop */
#define TRACE_PAUSE_MS 20   /* while the terminal does not read */

struct trace;

/*
 * trace_start - answers a question "trace WORD [since=S]" that came over ch.
 * Everything further happens in the loop. done is told when it is over.
 */
struct trace *trace_start(struct loop *loop, int dirfd, struct channel *ch,
    uint32_t request, struct span word, int64_t since_s,
    void (*done)(void *arg, struct trace *t), void *arg);

/* trace_cancel - the asker has gone; done is not told. */
void trace_cancel(struct trace *t);
const struct channel *trace_channel(const struct trace *t);

/* trace_matches - does this event name the address or Message-ID? */
bool trace_matches(const struct record *r, struct span word);

#endif
