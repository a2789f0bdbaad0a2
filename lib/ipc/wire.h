/* lib/ipc/wire.h - reading and writing the bodies of messages. */
#ifndef LIB_IPC_WIRE_H
#define LIB_IPC_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/ipc/types.h"

struct channel;

/* One message as it came in; the body is borrowed until the handler returns. */
struct ipc_msg {
	struct channel *ch;    /* over which it came */
	uint16_t type;
	uint32_t request;      /* 0: none */
	uint32_t session;
	struct span body;
	int fd;                /* -1, or ours to take with ipc_take_fd() */
};

/* ipc_take_fd - the descriptor, now the caller's; untaken ones are closed. */
int ipc_take_fd(struct ipc_msg *m);

/* A sticky reader: after any short read everything reads as zero or empty. */
struct ipc_reader {
	struct span rest;
	bool bad;
};

struct ipc_reader ipc_reader(const struct ipc_msg *m);
struct ipc_reader ipc_reader_span(struct span body);
uint8_t ipc_get_u8(struct ipc_reader *r);
uint16_t ipc_get_u16(struct ipc_reader *r);
uint32_t ipc_get_u32(struct ipc_reader *r);
uint64_t ipc_get_u64(struct ipc_reader *r);
/* a str of at most max octets, borrowed from the message */
struct span ipc_get_span(struct ipc_reader *r, size_t max);
/* exactly n octets without a length in front */
struct span ipc_get_octets(struct ipc_reader *r, size_t n);
/* everything that is left */
struct span ipc_get_rest(struct ipc_reader *r);
/* ipc_at_end - read to the last octet, and never short? ipc_ok: not short. */
bool ipc_at_end(const struct ipc_reader *r);
bool ipc_ok(const struct ipc_reader *r);

/*
 * A body being written straight into a channel's output (ipc_begin, see
 * channel.h). Sticky likewise: a failure shows at ipc_end().
 */
struct ipc_writer {
	struct channel *ch;
	struct buf *b;
	size_t start;          /* offset of the frame within what b holds */
	int fd;
	bool bad;
};

void ipc_put_u8(struct ipc_writer *w, uint8_t v);
void ipc_put_u16(struct ipc_writer *w, uint16_t v);
void ipc_put_u32(struct ipc_writer *w, uint32_t v);
void ipc_put_u64(struct ipc_writer *w, uint64_t v);
void ipc_put_span(struct ipc_writer *w, struct span s);
void ipc_put_str(struct ipc_writer *w, const char *s);
void ipc_put_octets(struct ipc_writer *w, struct span s);
/* ipc_put_fd - ownership passes; closed after sending or on failure */
void ipc_put_fd(struct ipc_writer *w, int fd);

#endif
