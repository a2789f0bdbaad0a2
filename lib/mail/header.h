/*
 * lib/mail/header.h - the header of a message: walking over its fields when
 * the text is at hand, or watching it pass in pieces. Lines end with CRLF or
 * LF. A field begins with its name, octets 33 to 126 without the colon, blanks
 * and a colon; lines that begin with a blank go on with it. The first line that
 * is no field ends the header, whether it is empty or not.
 * Source: RFC 5322 sections 2.2 and 4.5. All is linear in the octets.
 */
#ifndef LIB_MAIL_HEADER_H
#define LIB_MAIL_HEADER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/span.h"

#define HEADER_NAME_MAX  256       /* a longer one is text, not a field */
#define HEADER_FIELD_MAX (1 << 20) /* octets of a value that are looked at */
#define HEADER_MAX       (4 << 20) /* octets of a header that are looked at */

struct header_field {
	struct span name;  /* without blanks and colon */
	struct span value; /* behind the colon, folding kept, no line end */
	struct span whole; /* from the name to the line end included */
};

/* Where a walk stands; at is public: the offset of the next field or line. */
struct header_iter {
	struct span text;
	size_t at;
};

/* header_begin - message: a whole one, or just its header. Borrows it. */
void header_begin(struct header_iter *it, struct span message);

/*
 * header_next - the next field; false at the header's end, which is then at
 * it->at, or HEADER_MAX octets into it. A value past HEADER_FIELD_MAX is cut;
 * whole is not.
 */
bool header_next(struct header_iter *it, struct header_field *f);

/* header_find - the first field of that name (case aside); false: none. */
bool header_find(struct span message, const char *name,
    struct header_field *f);

/* header_count - fields of that name. */
size_t header_count(struct span message, const char *name);

/*
 * header_length - octets of all fields, line ends included; no limit.
 * body  if not NULL: where the body begins, behind the empty line if one is
 *       there, else the same
 */
size_t header_length(struct span message, size_t *body);

/*
 * header_unfold - a value without its line ends and outer blanks, in a char
 * array with a NUL, cut where it does not fit. Returns what was written.
 */
struct span header_unfold(struct span value, char *out, size_t size);

/* -- in pieces ------------------------------------------------------------- */

#define HEADER_VALUE_MAX     512 /* of the values that are kept */
#define HEADER_DELIVERED_MAX 100 /* fields; more of them are a loop anyway */

/*
 * What a header that passes by says. Public: the first block, complete once
 * ended is true. Zeroed before the first octet.
 */
struct header_scan {
	unsigned received;           /* fields of that name */
	unsigned delivered_to;
	bool has_from, has_date, has_message_id;
	bool ended;
	bool put_empty_line;         /* its end was a line of text */
	uint64_t octets;             /* of the fields that were passed on */
	char message_id[HEADER_VALUE_MAX]; /* of the first; "" if none */

	uint64_t delivered[HEADER_DELIVERED_MAX]; /* hashes of the addresses */
	uint8_t state;
	uint8_t keep;                /* the field whose value is gathered */
	bool dropped;                /* the field at hand is left out */
	bool any;                    /* a field was seen: lines may go on */
	uint16_t held;               /* octets of a line not yet understood */
	uint16_t value_len;
	char hold[HEADER_NAME_MAX + 2];
	char value[HEADER_VALUE_MAX];
};

/*
 * Who gets what passes, and may add fields of his own at the header's end. end
 * comes once, behind the last field. keep is asked about each field and says
 * whether it goes on: what is left out is not counted in octets either. Both
 * may be NULL.
 */
struct header_sink {
	void (*emit)(void *arg, struct span text);
	void (*end)(void *arg);
	bool (*keep)(void *arg, struct span name);
	void *arg;
};

/*
 * header_scan - passes text on as it came, save that an empty line is put
 * before a first line that is no field. A line's beginning is held back until
 * it is known what it is: at most HEADER_NAME_MAX + 2 octets. Behind the
 * header it costs nothing.
 */
void header_scan(struct header_scan *h, struct span in,
    const struct header_sink *to);

/* header_scan_end - the message is over: passes on what was held back; a header
 * without a body ends here, its last line with CRLF. */
void header_scan_end(struct header_scan *h, const struct header_sink *to);

/* header_scan_was_at - does a Delivered-To field name this address (canonical
 * text, case aside)? Then it was there before: RFC 5321 section 6.3. */
bool header_scan_was_at(const struct header_scan *h, struct span address);

/* header_is_name_octet - may c stand in a field's name? */
bool header_is_name_octet(char c);

#endif
