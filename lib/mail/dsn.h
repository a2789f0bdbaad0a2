/*
 * lib/mail/dsn.h - builds the report on what became of a letter: a plain
 * sentence for people, fields for programs, the letter's header (RFC 3464, RFC
 * 6522; RFC 6533 where an address needs UTF-8). Its envelope is the caller's:
 * from the null path, to the reverse-path of the letter, never to the null one.
 */
#ifndef LIB_MAIL_DSN_H
#define LIB_MAIL_DSN_H

#include <stdint.h>
#include <time.h>

#include "lib/buf.h"
#include "lib/span.h"

#define DSN_RCPT_MAX   100         /* that are told of; of more, the number */
#define DSN_REPLY_MAX  1000        /* octets of a reply that are shown */
#define DSN_HEADER_MAX (64 * 1024) /* octets of the letter's header */
#define DSN_MAX        (1024 * 1024) /* octets that a report can have */

enum dsn_kind {
	DSN_FAILED,    /* and will not be tried again */
	DSN_DELAYED,   /* and will be tried until .until */
	DSN_DELIVERED, /* into a mailbox */
	DSN_RELAYED,   /* to a host that does not report back */
	DSN_EXPANDED,  /* to several addresses */
};

/* One recipient; spans borrow, what is empty is left out. */
struct dsn_rcpt {
	struct span address;  /* the final address, local@domain */
	struct span original; /* ORCPT decoded, "rfc822;a@b.example" */
	struct span status;   /* "5.1.1"; empty: X.0.0 by the kind */
	struct span remote;   /* the host that answered */
	struct span reply;    /* word for word; ours if remote is empty */
	time_t last;          /* of the last attempt; 0: none */
};

struct dsn {
	enum dsn_kind kind;
	struct span host;    /* our name */
	struct span to;      /* the letter's reverse-path, local@domain */
	struct span contact; /* whom to ask; may be empty */
	uint64_t qid;        /* of the report */
	uint64_t letter;     /* of the letter it is about */
	struct span envid;   /* ENVID decoded */
	time_t now, arrival;
	time_t until;        /* DSN_DELAYED: when it will be given up */
	const struct dsn_rcpt *rcpts;
	size_t n;
	struct span header;  /* of the letter, as queued; the body may follow */
};

/*
 * dsn_build - adds the whole report, CRLF lines, to out.
 * Returns 0, or -1 (ENOBUFS; DSN_MAX always does): out holds what it held.
 * No value from outside begins a line: what is not printable becomes "?".
 */
int dsn_build(struct buf *out, const struct dsn *d);

/* dsn_needs_utf8 - must it travel under SMTPUTF8? Its To field decides; what
 * its parts hold is text (RFC 6533 section 4.4). */
bool dsn_needs_utf8(const struct dsn *d);

#endif
