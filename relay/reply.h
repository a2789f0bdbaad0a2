/* relay/reply.h - what another host answers: RFC 5321 section 4.2. Pure. */
#ifndef RELAY_REPLY_H
#define RELAY_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/span.h"

/* RFC 5321 4.5.3.1.5 has 512 octets; hosts in the wild write longer lines. */
#define REPLY_LINE_MAX  2048
#define REPLY_LINES_MAX 100  /* of one reply: no honest EHLO has so many */
#define REPLY_TEXT_MAX  1000 /* kept for the DSN and the log */
#define ENHANCED_TEXT   12   /* "5.123.123" and NUL */

/* One reply, put together out of its lines; embedded, no heap. */
struct reply {
	unsigned code;                 /* 200-599, 0 before the first line */
	unsigned lines;
	char enhanced[ENHANCED_TEXT];  /* RFC 2034, of the reply's own class */
	char text[REPLY_TEXT_MAX + 1]; /* lines as they came, printable only */
	size_t len;
};

enum reply_state {
	REPLY_MORE, /* another line must follow */
	REPLY_DONE,
	REPLY_BAD   /* no SMTP reply, or without end: give the host up */
};

void reply_init(struct reply *r);

/*
 * reply_line - takes the next line, without its line end. text: if not NULL,
 * what stands behind the code (for EHLO), borrowed from line.
 * All lines must have one code. What is kept is cut at REPLY_TEXT_MAX octets;
 * lines are joined by a blank, other than printable ASCII becomes "?".
 */
enum reply_state reply_line(struct reply *r, struct span line,
    struct span *text);

/* reply_enhanced - its enhanced code, or the general one of its class. */
const char *reply_enhanced(struct reply *r);

/* What a host said about itself: the lines of its reply to EHLO or LHLO. */
struct caps {
	char name[256];    /* how it calls itself; "" if it is no name */
	bool greeted;      /* the first line was seen */
	bool pipelining, eightbit, utf8, dsn, size, starttls;
	uint64_t size_max; /* 0: no fixed limit (RFC 1870 section 4) */
};

/* caps_line - takes one line's text; others' keywords are passed over. */
void caps_line(struct caps *c, struct span text);

#endif
