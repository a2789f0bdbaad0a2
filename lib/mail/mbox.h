/*
 * lib/mail/mbox.h - the text form of mailbox files, mboxrd: a From_ line before
 * each letter, an empty line behind it, LF alone between lines, and each line
 * of a letter that would look like a From_ line quoted with one ">" more, so
 * that it can be taken off again. No files here: that is lib/store.
 */
#ifndef LIB_MAIL_MBOX_H
#define LIB_MAIL_MBOX_H

#include <stdint.h>
#include <time.h>

#include "lib/buf.h"
#include "lib/mail/addr.h"
#include "lib/mail/header.h"
#include "lib/span.h"

/* mbox_is_from - does text begin with a From_ line? */
bool mbox_is_from(struct span text);

/* mbox_from_add - "From SENDER Sat Nov 21 11:03:34 2026" and LF; the null path
 * becomes MAILER-DAEMON, blanks and controls become "-". 0, or -1 (ENOBUFS). */
int mbox_from_add(struct buf *out, const struct addr *sender, time_t t);

/*
 * mbox_is_state - fields by which a mail program keeps state in the text:
 * Status, X-Status, X-UID, X-IMAP, X-IMAPbase, X-Keywords, Content-Length. A
 * stranger's are not believed.
 */
bool mbox_is_state(struct span name);

/* A letter on its way into a mailbox; zeroed before its first octet. */
struct mbox_put {
	struct header_scan header;
	struct buf *out; /* borrowed during a call */
	bool failed;
	bool cr;         /* a CR is held back */
	bool in_line;    /* past what could be a From_ line's beginning */
	bool begun;      /* something of the line was written */
	uint8_t match;   /* octets of "From " held back */
};

/*
 * mbox_put - adds the next piece of a letter (CRLF, as queued) to out in the
 * form of the file: LF, quoted, without Return-Path and state fields; a letter
 * without a header gets the empty line that ends one.
 * mbox_put_end - completes its last line, and adds the empty line behind it.
 * Both return 0, or -1 (ENOBUFS), and then out holds a part of the piece.
 * Room for 2 * in.len + HEADER_NAME_MAX + 20 octets is always enough.
 */
int mbox_put(struct mbox_put *m, struct span in, struct buf *out);
int mbox_put_end(struct mbox_put *m, struct buf *out);

/* -- mailbox files of anybody, a line at a time ---------------------------- */

/*
 * mbox_is_separator - is this line (its LF apart) one behind which a letter
 * begins: a From_ line with a date that can be read? Others are text that
 * somebody did not quote. date is written then: seconds since 1970.
 */
bool mbox_is_separator(struct span line, int64_t *date);

/* mbox_is_quoted - one or more ">" and then "From ". */
bool mbox_is_quoted(struct span line);

/* mbox_is_state_line - does a field begin here that mbox_is_state knows? */
bool mbox_is_state_line(struct span line);

/*
 * A letter on its way to a reader: CRLF line ends, no other CR, the quoting
 * taken off, no state fields. A piece begins where the last one ended; it ends
 * behind a LF or else holds at least MBOX_PIECE_MIN octets of the line that it
 * cuts. mbox_decode_end gives a last line its end.
 * Both return 0, or -1 (ENOBUFS); 2 * piece.len + 2 octets are enough.
 */
struct mbox_decoder {
	bool in_header, in_line, skipping;
};

#define MBOX_DECODER_INIT { true, false, false }
#define MBOX_PIECE_MIN    64

int mbox_decode(struct mbox_decoder *d, struct span piece, struct buf *out);
int mbox_decode_end(struct mbox_decoder *d, struct buf *out);

#endif
