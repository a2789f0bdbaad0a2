/*
 * lib/ipc/channel.h - a channel to one other program: frames in, frames out,
 * requests with deadlines. design.md section 3.
 *
 * Frames that are written during one round of the loop go out in one write.
 * Reading never stops: what limits a sender is the windows of its
 * transactions and the answers that it waits for.
 */
#ifndef LIB_IPC_CHANNEL_H
#define LIB_IPC_CHANNEL_H

#include "lib/hash.h"
#include "lib/ipc/wire.h"
#include "lib/loop.h"

/* What may wait unsent before the peer counts as hung and the channel as lost. */
#define CHANNEL_OUT_MAX (256u * 1024 * 1024)

/* A handler reads to the last octet, then judges: 0, or -1 to have the channel
 * closed (the peer broke the contract). */
struct ipc_handler {
	uint16_t type;
	int (*fn)(void *arg, struct ipc_msg *m);
};
#define IPC_HANDLERS_END { IPC_NONE, NULL }

/* The answer to a request: m is NULL when the deadline passed or the channel was
 * lost. Returns as a handler does. For rules marked "more" it is called again
 * until a reply type without that mark has come. */
typedef int ipc_reply_fn(void *arg, struct ipc_msg *m);

struct channel {
	struct loop *loop;
	enum role self, peer;
	uint16_t instance;     /* which of the peer's processes */
	const struct ipc_handler *handlers;
	void *arg;
	/* the peer is gone or broke the contract: the channel is already closed
	 * (requests answered with NULL); may be NULL */
	void (*on_lost)(void *arg, struct channel *ch);
	void *user;            /* the program's: anything about this peer */
	void *owner;           /* daemon.c's */
	/* private */
	int fd;
	struct watch watch;
	struct defer flush;
	struct buf in, out;
	struct ipc_fds { int *fds; size_t n, first; } fds_in;
	struct ipc_out_fds { struct ipc_out_fd { uint64_t at; int fd; } *list;
		size_t n; } fds_out;
	uint64_t sent;         /* octets ever written out of out */
	struct hash pending;   /* requests: request.h */
	struct ipc_pending *due; /* taken out of it, to be told now */
	uint32_t next_request;
	uint32_t credits, owed, nheld; /* credit.h */
	struct buf held;
	struct timer deadline;
	bool writing;          /* waits for the socket to take more */
	bool in_handler, lost;
};

/*
 * channel_init - ready to be opened. Handlers are checked against the contract:
 * each type that this peer may send and that is no reply has exactly one; else fatalx,
 * in the first test run.
 */
void channel_init(struct channel *ch, struct loop *loop, enum role self,
    enum role peer, const struct ipc_handler *handlers, void *arg);

/* channel_open - starts on fd (ours from now on), after closing an older one. */
void channel_open(struct channel *ch, int fd);
bool channel_is_open(const struct channel *ch);

/* channel_close - answers what is open with NULL; does not call on_lost. */
void channel_close(struct channel *ch);

/* channel_abandon - closes for a program that ends: no callback is called. */
void channel_abandon(struct channel *ch);

/* channel_flush - tries to write now; else it happens before the loop sleeps. */
void channel_flush(struct channel *ch);

/* channel_flush_secret - writes now, and overwrites what has been written: a
 * password does not stay in our memory. */
void channel_flush_secret(struct channel *ch);

/* channel_queued - octets written but not yet taken by the socket. */
size_t channel_queued(const struct channel *ch);

/*
 * ipc_begin ... ipc_put_* ... ipc_end: one message. On a closed channel all of
 * it goes nowhere. ipc_end returns 0, or -1: nothing was sent, because it breaks
 * the contract in length (EMSGSIZE) or the channel is closed (EPIPE).
 */
struct ipc_writer ipc_begin(struct channel *ch, enum ipc_type type,
    uint32_t request, uint32_t session);
int ipc_end(struct ipc_writer *w);

/* ipc_begin_secret - the same for a message that holds a password: it does not
 * grow, which would leave a copy where it stood. channel_flush_secret follows. */
struct ipc_writer ipc_begin_secret(struct channel *ch, enum ipc_type type,
    uint32_t request, uint32_t session);

/* ipc_reply_begin - an answer to m, with its request and session numbers. */
struct ipc_writer ipc_reply_begin(struct channel *ch, const struct ipc_msg *m,
    enum ipc_type type);

/*
 * channel_request - a number for ipc_begin(); cb is called exactly once with
 * the final answer, or with NULL after timeout_ms or when the channel is lost
 * (never from within this call; on a closed channel soon afterwards).
 */
uint32_t channel_request(struct channel *ch, int64_t timeout_ms,
    ipc_reply_fn *cb, void *arg);

/* channel_forget - the asker has gone: its callback will not be called. */
void channel_forget(struct channel *ch, uint32_t request);

#endif
