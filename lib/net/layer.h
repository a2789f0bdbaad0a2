/*
 * lib/net/layer.h - what may lie between a connection and its socket: TLS. For
 * conn.c and tls_conn.c alone; conn.c calls the layer through this table, so
 * that programs without TLS are not linked with it.
 */
#ifndef LIB_NET_LAYER_H
#define LIB_NET_LAYER_H

#include <stdbool.h>

#include "lib/net/conn.h"

/* As much as one read of a layer gives at most: a TLS record. */
#define LAYER_READ_MAX 16384

enum layer_step { LAYER_GOES_ON, LAYER_DONE, LAYER_FAILED };

struct layer {
	const struct layer_ops *ops;
	/* until the handshake is done nothing of the owner passes */
	bool busy;
	/* it has begun: what the owner said in clear, so many octets that were
	 * waiting then, has left before */
	bool begun;
	size_t clear;
	/* the handshake, or reading, needs the socket to take more first;
	 * writing needs something to come in first */
	bool read_wants_write, write_wants_read;
};

struct layer_ops {
	enum layer_step (*handshake)(struct layer *l);
	/* as recv(2) and send(2): -1 with EAGAIN, 0 when the peer closed */
	ssize_t (*read)(struct layer *l, char *to, size_t size);
	ssize_t (*write)(struct layer *l, struct span s);
	/* the goodbye, when all else has been written */
	void (*goodbye)(struct layer *l);
	void (*free)(struct layer *l);
};

/* layer_push - puts l, which is busy, into the connection; its first step
 * follows from the loop. layer_kick: so does the next one. */
void layer_push(struct conn *c, struct layer *l);
void layer_kick(struct conn *c);

#endif
