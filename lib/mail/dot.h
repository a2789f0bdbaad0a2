/*
 * lib/mail/dot.h - the text of a message on an SMTP or POP3 connection: where
 * it ends, what is wrong with its lines, and dot-stuffing both ways. One
 * machine over octets, so that it does not matter how reads split them.
 */
#ifndef LIB_MAIL_DOT_H
#define LIB_MAIL_DOT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/span.h"

/* What no line may hold: bits of dot_scan.faults. */
#define DOT_BARE_CR 1u
#define DOT_BARE_LF 2u
#define DOT_NUL     4u

/* Callers read faults, fault_at, offset and done; the rest is the machine's. */
struct dot_scan {
	uint64_t offset;   /* octets taken so far, as they came */
	uint64_t fault_at; /* offset of the first faulty octet */
	unsigned faults;
	bool done;         /* CRLF.CRLF was seen */
	bool chunked;      /* BDAT: no dots, the end comes from outside */
	uint8_t state;
};

/* dot_scan_init - before the first octet; chunked for BDAT (RFC 3030). */
void dot_scan_init(struct dot_scan *d, bool chunked);

/*
 * dot_scan - takes octets as they came from the connection.
 * emit  gets the text, dots taken off, as spans of in (or of a constant): in
 *       order, none empty, valid during the call
 * Returns how many octets of in belong to the text and its end; fewer than
 * in.len only when done. A fault does not stop it: what a client sends up to
 * its end of data is eaten before it gets its answer.
 * Source: RFC 5321 sections 2.3.8, 4.1.1.4 and 4.5.2.
 */
size_t dot_scan(struct dot_scan *d, struct span in,
    void (*emit)(void *arg, struct span text), void *arg);

/*
 * dot_scan_end - the last octet of a chunked text has come: a CR at its end is
 * bare. Returns true if the text ends with CRLF or is empty.
 */
bool dot_scan_end(struct dot_scan *d);

/* The way out: zeroed before the first octet. */
struct dot_stuff {
	uint8_t state;
};

/*
 * dot_stuff - adds text to out in the form that travels: each CRLF, bare LF and
 * bare CR becomes CRLF, a dot at a line's start is doubled.
 * Returns 0, or -1 (ENOBUFS): out must have room for 2 * in.len + 2 octets;
 * then nothing was added and the state is as before.
 */
int dot_stuff(struct dot_stuff *s, struct span in, struct buf *out);

/* dot_stuff_end - CRLF if the last line lacks it, then ".CRLF"; 0 or -1. */
int dot_stuff_end(struct dot_stuff *s, struct buf *out);

#endif
