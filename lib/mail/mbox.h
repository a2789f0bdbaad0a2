/*
 * lib/mail/mbox.h - the mbox format, a line at a time: From_ lines, mboxrd
 * quoting, and header lines that hold a mail reader's state. RFC 4155; the
 * quoting is that of "mboxrd", which can be undone.
 */
#ifndef LIB_MAIL_MBOX_H
#define LIB_MAIL_MBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/span.h"

/* A From_ line is never longer, nor one that we take for one. */
#define MBOX_FROM_MAX 1024

/*
 * mbox_from_parse - is this line (without line end) a From_ line? It begins
 * with "From " and holds a date as asctime(3) writes it, zone names aside;
 * any other such line is text of a letter that somebody did not quote.
 * when_s: its time since 1970, taken as UTC; may be NULL.
 */
bool mbox_from_parse(struct span line, int64_t *when_s);

/*
 * mbox_from_format - adds a From_ line with its LF. sender: a reverse-path
 * without brackets; empty gives MAILER-DAEMON, octets that would break the line
 * (blanks, controls) become '-'. Returns 0, or -1: ENOBUFS.
 */
int mbox_from_format(struct buf *out, struct span sender, int64_t when_s);

/* mbox_is_quoted - any number of '>', at least min, and then "From ". With 0:
 * is to be quoted with one more; with 1: one '>' is to be taken off. */
bool mbox_is_quoted(struct span line, size_t min);

/*
 * mbox_is_state - a header line that claims what a mailbox knows about a letter:
 * Status, X-Status, X-UID, X-UIDL, X-IMAP, X-IMAPbase, X-Keywords,
 * Content-Length. Never believed, taken out at delivery (design.md section 6).
 * mbox_is_volatile - those, and what mail readers write beside them (Lines).
 */
bool mbox_is_state(struct span line);
bool mbox_is_volatile(struct span line);

/*
 * Turning a letter with CRLF (or LF) lines into mbox text: mbox_encode takes a
 * piece and adds to out. A piece begins where the last one ended; it ends
 * behind a line end, or else holds at least 64 octets of the line it cuts.
 * What is added is at most twice as long as the piece, plus 2.
 * mbox_encode_end adds the missing last line end and the empty line.
 * Both return 0, or -1: ENOBUFS. Bare CRs stay.
 */
struct mbox_encoder {
	bool in_header, in_line, skipping, cr;
};

#define MBOX_ENCODER_INIT { true, false, false, false }
#define MBOX_PIECE_MIN    64

int mbox_encode(struct mbox_encoder *e, struct span piece, struct buf *out);
int mbox_encode_end(struct mbox_encoder *e, struct buf *out);

/*
 * The way back: CRLF line ends, no other CR, one '>' less, no state lines.
 * Pieces are cut as above and end before the empty line that closes a letter.
 * mbox_decode_end adds a line end if the last line had none.
 */
struct mbox_decoder {
	bool in_header, in_line, skipping;
};

#define MBOX_DECODER_INIT { true, false, false }

int mbox_decode(struct mbox_decoder *d, struct span piece, struct buf *out);
int mbox_decode_end(struct mbox_decoder *d, struct buf *out);

#endif
