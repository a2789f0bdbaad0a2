/*
 * lib/mail/dsn.c - writes reports in the three parts of multipart/report. All
 * that peers said passes through one cleaner, which also folds.
 */
#include "lib/mail/dsn.h"

#include <stdlib.h>

#include "lib/log.h"
#include "lib/mail/addr_parts.h"
#include "lib/mail/date.h"
#include "lib/mail/header.h"
#include "lib/mail/received.h"
#include "lib/mail/utf8.h"

#define FOLD_COLUMN 76  /* where a blank comes, a line ends */
#define LINE_LIMIT  900 /* where none comes (RFC 5322: 998) */
#define BOUNDARY_TEXT 40

/* What each kind says: to people, and in Action and Status. */
static const struct {
	const char *subject, *sentence, *action, *status;
} kinds[] = {
	[DSN_FAILED] = { "Undelivered mail returned to sender",
		"Your letter could not be delivered to these recipients.\r\n"
		"It will not be tried again.\r\n", "failed", "5.0.0" },
	[DSN_DELAYED] = { "Delayed mail, still being tried",
		"Your letter has not reached the recipients below yet.\r\n"
		"You need not send it again: it is still being tried.\r\n",
		"delayed", "4.0.0" },
	[DSN_DELIVERED] = { "Mail was delivered",
		"Your letter was delivered to the mailboxes below.\r\n",
		"delivered", "2.0.0" },
	[DSN_RELAYED] = { "Mail was relayed",
		"Your letter was handed on to hosts that send no reports.\r\n",
		"relayed", "2.0.0" },
	[DSN_EXPANDED] = { "Mail was expanded",
		"Your letter was sent on to the members of these lists.\r\n",
		"expanded", "2.0.0" },
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* A field, or a paragraph, that grows word by word. */
struct writer {
	struct buf *out;
	bool utf8;          /* may octets beyond ASCII stand in it? */
	size_t column;
	const char *indent; /* of lines after the first */
	bool failed;
};

static void
put(struct writer *w, const char *p, size_t len)
{
	w->failed |= buf_add(w->out, p, len) == -1;
	w->column += len;
}

static void
put_fold(struct writer *w)
{
	put(w, "\r\n", 2);
	w->column = 0;
	put(w, w->indent, strlen(w->indent));
}

static void
put_word(struct writer *w, struct span word)
{
	size_t n;

	for (; word.len > 0; word = span_from(word, n)) {
		if (w->column >= LINE_LIMIT)
			put_fold(w);
		n = w->utf8 ? addr_utf8_len(word) : 0;
		if (n > 0)
			put(w, word.p, n);
		else
			put(w, word.p[0] > ' ' && word.p[0] <= '~' ?
			    word.p : "?", 1);
		if (n == 0)
			n = 1;
	}
}

/* Text that is not ours: blanks and line ends of it become one blank, or a
 * fold where the line is long; what cannot be printed becomes "?". */
static void
put_text(struct writer *w, struct span in)
{
	bool first = true;
	size_t n;

	if (in.len > DSN_REPLY_MAX)
		in.len = DSN_REPLY_MAX;
	for (; in.len > 0; in = span_from(in, n)) {
		for (n = 0; n < in.len && !is_blank(in.p[n]);)
			n++;
		if (n == 0) {
			n = 1;
			continue;
		}
		if (!first && w->column + 1 + n > FOLD_COLUMN)
			put_fold(w);
		else if (!first)
			put(w, " ", 1);
		put_word(w, span_make(in.p, n));
		first = false;
	}
}

/* NAME, with its colon and a type perhaps, and the value if there is one. */
static int
add_field(struct buf *out, bool utf8, const char *name, struct span value)
{
	struct writer w = { out, utf8, 0, "\t", false };

	if (value.len == 0)
		return 0;
	put(&w, name, strlen(name));
	put_text(&w, value);
	put(&w, "\r\n", 2);
	return w.failed ? -1 : 0;
}

static int
add_date(struct buf *out, const char *name, time_t t)
{
	char date[DATE_TEXT];

	return t == 0 ? 0 : buf_addf(out, "%s%s\r\n", name,
	    date_format(t, date));
}

/* -- for people ------------------------------------------------------------ */

static int
add_story(struct buf *out, const struct dsn_rcpt *r)
{
	struct writer w = { out, true, 0, "    ", false };

	put(&w, "<", 1);
	put_text(&w, r->address);
	put(&w, ">:\r\n    ", 8);
	w.column = 4;
	if (r->remote.len > 0) {
		put(&w, "The host ", 9);
		put_text(&w, r->remote);
		put(&w, " answered:", 10);
		put_fold(&w);
	}
	put_text(&w, r->reply.len > 0 ? r->reply :
	    span_str("no more is known"));
	put(&w, "\r\n\r\n", 4);
	return w.failed ? -1 : 0;
}

static int
add_sentences(struct buf *out, const struct dsn *d)
{
	struct writer w = { out, true, 0, "", false };
	size_t i, n = d->n < DSN_RCPT_MAX ? d->n : DSN_RCPT_MAX;
	char qid[QID_TEXT];
	int rv;

	rv = buf_addf(out, "%s", kinds[d->kind].sentence);
	if (d->kind == DSN_DELAYED && d->until != 0)
		rv |= add_date(out, "It will be given up at ", d->until);
	rv |= buf_add_str(out, "\r\n");
	for (i = 0; i < n; i++)
		rv |= add_story(out, &d->rcpts[i]);
	if (n < d->n)
		rv |= buf_addf(out, "and %zu more.\r\n\r\n", d->n - n);
	rv |= buf_addf(out, "The letter's id was %s.\r\n",
	    qid_format(d->letter, qid));
	rv |= add_date(out, "It arrived here ", d->arrival);
	put_text(&w, span_str("This report was made by the mail system of"));
	put(&w, " ", 1);
	put_text(&w, d->host);
	if (d->contact.len > 0) {
		put(&w, "; for help write to ", 20);
		put_text(&w, d->contact);
	}
	put(&w, ".\r\n", 3);
	return rv | (w.failed ? -1 : 0);
}

/* -- for programs ---------------------------------------------------------- */

static int
add_rcpt_fields(struct buf *out, const struct dsn *d, const struct dsn_rcpt *r)
{
	bool utf8 = !utf8_is_ascii(r->address);
	int rv = buf_add_str(out, "\r\n");

	rv |= add_field(out, utf8, "Original-Recipient: ", r->original);
	rv |= add_field(out, utf8, utf8 ? "Final-Recipient: utf-8; " :
	    "Final-Recipient: rfc822; ", r->address);
	rv |= buf_addf(out, "Action: %s\r\n", kinds[d->kind].action);
	rv |= add_field(out, false, "Status: ", r->status.len > 0 ? r->status :
	    span_str(kinds[d->kind].status));
	rv |= add_field(out, false, "Remote-MTA: dns; ", r->remote);
	rv |= add_field(out, false, r->remote.len > 0 ?
	    "Diagnostic-Code: smtp; " : "Diagnostic-Code: x-barid; ", r->reply);
	rv |= add_date(out, "Last-Attempt-Date: ", r->last);
	if (d->kind == DSN_DELAYED)
		rv |= add_date(out, "Will-Retry-Until: ", d->until);
	return rv;
}

static int
add_fields(struct buf *out, const struct dsn *d)
{
	size_t i, n = d->n < DSN_RCPT_MAX ? d->n : DSN_RCPT_MAX;
	int rv;

	rv = add_field(out, false, "Reporting-MTA: dns; ", d->host);
	rv |= add_field(out, false, "Original-Envelope-Id: ", d->envid);
	rv |= add_date(out, "Arrival-Date: ", d->arrival);
	for (i = 0; i < n; i++)
		rv |= add_rcpt_fields(out, d, &d->rcpts[i]);
	return rv;
}

/* -- the whole ------------------------------------------------------------- */

/* The letter's header, cut behind a whole line; the body stays out. */
static struct span
letter_header(const struct dsn *d)
{
	struct span h = span_make(d->header.p, header_length(d->header, NULL));
	ssize_t lf;

	if (h.len > DSN_HEADER_MAX) {
		h.len = DSN_HEADER_MAX;
		lf = span_rfind(h, '\n');
		h.len = lf == -1 ? 0 : (size_t)lf + 1;
	}
	return h;
}

/* What parts hold needs 8BITMIME alone; the address in our own header more. */
bool
dsn_needs_utf8(const struct dsn *d)
{
	return !utf8_is_ascii(d->to);
}

static const char *
fields_type(const struct dsn *d)
{
	size_t i;

	for (i = 0; i < d->n && i < DSN_RCPT_MAX; i++)
		if (!utf8_is_ascii(d->rcpts[i].address))
			return "message/global-delivery-status";
	return "message/delivery-status";
}

/* Headers in other encodings are common, and are no global ones. */
static const char *
header_type(struct span header)
{
	uint32_t cp;
	size_t n;

	if (utf8_is_ascii(header))
		return "text/rfc822-headers";
	for (; header.len > 0; header = span_from(header, n))
		if ((n = utf8_next(header, &cp)) == 0)
			return "text/rfc822-headers";
	return "message/global-headers";
}

/* Random, and not within the only part that others wrote line by line. */
static void
boundary_make(struct span header, char out[BOUNDARY_TEXT])
{
	unsigned char r[16];
	size_t i;

	do {
		arc4random_buf(r, sizeof(r));
		memcpy(out, "barid=_", 7);
		for (i = 0; i < sizeof(r); i++) {
			out[7 + 2 * i] = "0123456789abcdef"[r[i] >> 4];
			out[8 + 2 * i] = "0123456789abcdef"[r[i] & 15];
		}
		out[7 + 2 * sizeof(r)] = '\0';
	} while (header.len > 0 &&
	    memmem(header.p, header.len, out, strlen(out)) != NULL);
}

static int
add_header(struct buf *out, const struct dsn *d, const char *boundary)
{
	struct writer w = { out, false, 0, "\t", false };
	int rv;

	rv = add_date(out, "Date: ", d->now);
	put(&w, "From: Mail Delivery System <MAILER-DAEMON@", 42);
	put_word(&w, d->host);
	put(&w, ">\r\n", 3);
	rv |= add_field(out, true, "To: ", d->to);
	rv |= buf_addf(out, "Subject: %s\r\n", kinds[d->kind].subject);
	rv |= message_id_add(out, d->qid, d->now, d->host);
	rv |= buf_addf(out, "Auto-Submitted: auto-replied\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; report-type=delivery-status;\r\n"
	    "\tboundary=\"%s\"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
	    boundary);
	return rv | (w.failed ? -1 : 0);
}

static int
add_part(struct buf *out, const char *boundary, const char *description,
    const char *type)
{
	return buf_addf(out, "--%s\r\nContent-Description: %s\r\n"
	    "Content-Type: %s\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
	    boundary, description, type);
}

int
dsn_build(struct buf *out, const struct dsn *d)
{
	const struct span header = letter_header(d);
	char boundary[BOUNDARY_TEXT];
	size_t before = out->len;
	int rv;

	boundary_make(header, boundary);
	rv = add_header(out, d, boundary);
	rv |= add_part(out, boundary, "Notification",
	    "text/plain; charset=utf-8");
	rv |= add_sentences(out, d);
	rv |= buf_add_str(out, "\r\n");
	rv |= add_part(out, boundary, "Delivery report", fields_type(d));
	rv |= add_fields(out, d);
	rv |= buf_add_str(out, "\r\n");
	rv |= add_part(out, boundary, "Header of the letter",
	    header_type(header));
	rv |= buf_add_span(out, header);
	rv |= buf_addf(out, "\r\n--%s--\r\n", boundary);
	if (rv == 0)
		return 0;
	out->len = before; /* all of it or nothing */
	return -1;
}
