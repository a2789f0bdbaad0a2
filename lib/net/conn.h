/*
 * lib/net/conn.h - one connection: lines or octets in, one write an answer out.
 *
 * Reads go into one scratch buffer shared by all connections of the loop and
 * are handed on from there; only an unfinished line is kept. An idle connection
 * therefore owns no buffer at all. TLS slips in below conn_read/conn_write_raw
 * without the protocols noticing; conn_input_empty() is what STARTTLS asks.
 */
#ifndef LIB_NET_CONN_H
#define LIB_NET_CONN_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "lib/buf.h"
#include "lib/loop.h"

enum conn_eol { EOL_CRLF, EOL_LF };

enum conn_end {
	CONN_EOF,       /* the peer closed (its sending side at least) */
	CONN_ERROR,     /* errno tells */
	CONN_TIMEOUT,   /* the deadline passed */
	CONN_TLS,       /* no secure connection came about: conn_tls_error().
	                 * Like an error: nothing can be said any more */
};

struct conn;
struct layer;

/*
 * Called by the connection; each may close it (conn_close), after which nothing
 * more is called.
 */
struct conn_ops {
	/* one line without its line end. NUL and 8-bit octets are the caller's
	 * business; a CR that no LF follows is part of the line */
	void (*line)(void *arg, struct span line, enum conn_eol eol);
	/* the line limit was passed; the rest of that line is skipped by the
	 * connection itself. Called once a line, at its end. */
	void (*line_long)(void *arg);
	/* octet mode: returns how many of them were used; what is not used comes
	 * again with more, unless the mode was changed or reading paused */
	size_t (*octets)(void *arg, struct span data);
	/* the end, once; reading is over. Unless it was an error, a last word
	 * may still be written, and what waits be flushed: conn_finish() */
	void (*ended)(void *arg, enum conn_end how);
	/* everything written has left to the kernel; may be NULL */
	void (*drained)(void *arg);
	/* an outgoing connection is there (conn_connect); may be NULL */
	void (*connected)(void *arg);
	/* the handshake of conn_tls_accept or conn_tls_connect is done: whatever
	 * was said before is void (RFC 3207 section 4.2); may be NULL */
	void (*secured)(void *arg);
};

struct conn {
	struct loop *loop;
	int fd;
	const struct conn_ops *ops;
	void *arg;
	struct watch watch;
	struct timer timer;
	struct defer pump;
	struct buf in, out;
	struct layer *layer;   /* TLS (lib/net/tls.h), or NULL */
	size_t line_max;
	size_t ahead;          /* read, and behind what is being handed on */
	size_t out_max;        /* reading pauses while more than this waits */
	bool octets, paused, skipping, closing, connecting, eof, dead;
	bool in_pump, closed;
	bool told;             /* of the end of what is read */
	bool held;             /* conn_hold */
	bool heard;            /* the peer has said something */
	bool lingering;        /* all is said, the peer is to close */
	bool blocked;          /* the kernel took less than there was */
};

/* What may wait unread by the peer before we stop reading its commands. */
#define CONN_OUT_PAUSE (64 * 1024)

/* How long, and for how many octets, a peer that was told all may go on. */
#define CONN_LINGER_MS     2000
#define CONN_LINGER_OCTETS (1024 * 1024)

/*
 * conn_open - takes fd (non-blocking, ours from now on). line_max: octets of a
 * line with its CRLF. Starts in line mode, reading.
 */
void conn_open(struct conn *c, struct loop *loop, int fd,
    const struct conn_ops *ops, void *arg, size_t line_max);

/* conn_connect - a new socket to addr (from source unless NULL); ops->connected
 * or ops->ended follows. Returns 0, or -1 with errno. */
int conn_connect(struct conn *c, struct loop *loop, const struct sockaddr *addr,
    socklen_t len, const struct sockaddr *source, socklen_t source_len,
    const struct conn_ops *ops, void *arg, size_t line_max);

/* conn_lines, conn_octets - what the next input is handed on as. */
void conn_lines(struct conn *c, size_t line_max);
void conn_octets(struct conn *c);

/* conn_pause - no more is handed on until conn_resume (for an answer to wait
 * for); what was read stays. */
void conn_pause(struct conn *c);
void conn_resume(struct conn *c);

/* conn_input_empty - nothing read and not yet handed on (RFC 3207 section 4). */
bool conn_input_empty(const struct conn *c);

/* conn_write - queued, and written once before the loop sleeps. -1 when the
 * connection is over. conn_out - the buffer to add to, then conn_flush_soon. */
int conn_write(struct conn *c, struct span s);
int conn_writef(struct conn *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
struct buf *conn_out(struct conn *c);
void conn_flush_soon(struct conn *c);
size_t conn_unsent(const struct conn *c);

/* conn_hold - what is written waits until the hold ends: answers that a peer
 * needs together leave in one write. conn_finish() ends it too. */
void conn_hold(struct conn *c, bool hold);

/* conn_deadline_s - one deadline for the whole request, not per octet; 0 none */
void conn_deadline_s(struct conn *c, int64_t seconds);

/* conn_finish - no more input; flush (at most seconds), say that this was all, and
 * wait a moment for a peer that spoke to close: what it still sends would else
 * make the kernel take our last words back. Then ops->ended(CONN_EOF). conn_close - at
 * once, no call. */
void conn_finish(struct conn *c, int64_t seconds);
void conn_close(struct conn *c);
bool conn_is_open(const struct conn *c);

/* Addresses as people write them: "192.0.2.1", "2001:db8::1" (size >= 46). */
void addr_text(const struct sockaddr_storage *ss, char *out, size_t size);
/* as an IPv6 address, IPv4 mapped (::ffff:a.b.c.d) */
struct in6_addr addr_in6(const struct sockaddr_storage *ss);
uint16_t addr_port(const struct sockaddr_storage *ss);

#endif
