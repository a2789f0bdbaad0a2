/*
 * lib/mail/mbox.c - between a letter and its form in a mailbox file. Which ">"
 * of a run is the one that quotes cannot be told, so the run passes as it comes
 * and only "From " itself is ever held back.
 */
#include "lib/mail/mbox.h"

#include "lib/mail/date.h"

static const char from_word[] = "From ";
#define FROM_LEN (sizeof(from_word) - 1)

bool
mbox_is_from(struct span text)
{
	return span_prefix(text, from_word);
}

/* Octets of the sender; quotes may hide blanks in foreign mailboxes. */
static size_t
sender_len(struct span in)
{
	bool quoted = false;
	size_t i;

	for (i = 0; i < in.len; i++) {
		if (in.p[i] == '"')
			quoted = !quoted;
		else if (in.p[i] == '\\' && quoted)
			i++;
		else if (in.p[i] == ' ' && !quoted)
			break;
	}
	return i < in.len ? i : in.len;
}

int
mbox_from_add(struct buf *out, const struct addr *sender, time_t t)
{
	char text[ADDR_TEXT], date[DATE_TEXT];
	struct span s = addr_format(sender, text);
	size_t i;

	for (i = 0; i < s.len; i++)
		if ((text[i] >= 0 && text[i] <= ' ') || text[i] == 0x7f)
			text[i] = '-';
	return buf_addf(out, "From %s %s\n", s.len > 0 ? text :
	    "MAILER-DAEMON", date_format_mbox(t, date));
}

bool
mbox_is_state(struct span name)
{
	static const char *const names[] = { "Status", "X-Status", "X-UID",
		"X-IMAP", "X-IMAPbase", "X-Keywords", "Content-Length" };
	size_t i;

	for (i = 0; i < nitems(names); i++)
		if (span_caseeq(name, names[i]))
			return true;
	return false;
}

/* -- into the file --------------------------------------------------------- */

static void
put(struct mbox_put *m, struct span s)
{
	if (s.len == 0)
		return;
	m->begun = true;
	if (buf_add_span(m->out, s) == -1)
		m->failed = true;
}

/* What was held turned out not to be a From_ line, or to be one. */
static void
put_held(struct mbox_put *m)
{
	if (m->match == FROM_LEN)
		put(m, span_str(">"));
	put(m, span_make(from_word, m->match));
	m->match = 0;
	m->in_line = true;
}

static void
put_line_end(struct mbox_put *m)
{
	if (!m->in_line)
		put_held(m);
	put(m, span_str("\n"));
	m->in_line = m->begun = m->cr = false;
}

/* At the start of a line; returns how many octets were taken: 0 or 1. */
static size_t
put_start(struct mbox_put *m, char c)
{
	if (c == '>' && m->match == 0) {
		put(m, span_str(">"));
		return 1;
	}
	if (c == from_word[m->match]) {
		if (++m->match == FROM_LEN)
			put_held(m);
		return 1;
	}
	put_held(m);
	return 0;
}

/* The rest of a line, up to its end or the end of in. */
static size_t
put_text(struct mbox_put *m, struct span in)
{
	ssize_t lf = span_find(in, '\n');
	size_t n = lf == -1 ? in.len : (size_t)lf;

	if (m->cr) {
		m->cr = false;
		if (n > 0)
			put(m, span_str("\r"));
	}
	if (n > 0 && in.p[n - 1] == '\r') {
		put(m, span_make(in.p, n - 1));
		m->cr = lf == -1;
	} else {
		put(m, span_make(in.p, n));
	}
	if (lf == -1)
		return n;
	put_line_end(m);
	return n + 1;
}

static void
put_piece(void *arg, struct span in)
{
	struct mbox_put *m = arg;
	size_t i = 0;

	while (i < in.len) {
		if (m->in_line)
			i += put_text(m, span_from(in, i));
		else
			i += put_start(m, in.p[i]);
	}
}

static bool
keep_field(void *arg, struct span name)
{
	(void)arg;
	return !mbox_is_state(name) && !span_caseeq(name, "Return-Path");
}

int
mbox_put(struct mbox_put *m, struct span in, struct buf *out)
{
	const struct header_sink sink = { .emit = put_piece,
		.keep = keep_field, .arg = m };

	m->out = out;
	m->failed = false;
	if (in.len > 0)
		header_scan(&m->header, in, &sink);
	return m->failed ? -1 : 0;
}

int
mbox_put_end(struct mbox_put *m, struct buf *out)
{
	const struct header_sink sink = { .emit = put_piece,
		.keep = keep_field, .arg = m };

	m->out = out;
	m->failed = false;
	header_scan_end(&m->header, &sink);
	if (m->begun || m->match > 0 || m->cr)
		put_line_end(m);
	put_line_end(m);
	return m->failed ? -1 : 0;
}

/* -- a line at a time ------------------------------------------------------ */

bool
mbox_is_separator(struct span line, int64_t *date)
{
	if (!mbox_is_from(line))
		return false;
	line = span_from(line, FROM_LEN);
	return date_parse(span_from(line, sender_len(line)), date) == 0;
}

bool
mbox_is_quoted(struct span line)
{
	size_t n = 0;

	while (n < line.len && line.p[n] == '>')
		n++;
	return n > 0 && mbox_is_from(span_from(line, n));
}

bool
mbox_is_state_line(struct span line)
{
	struct span name, rest;

	if (line.len == 0)
		return false;
	switch (line.p[0]) { /* most lines are asked no further */
	case 'S': case 's': case 'X': case 'x': case 'C': case 'c':
		break;
	default:
		return false;
	}
	if (span_find(line, ':') == -1)
		return false;
	span_split(line, ':', &name, &rest);
	return mbox_is_state(span_trim(name));
}

/* Is this line of a header left out? An empty one ends it. */
static bool
header_skips(struct mbox_decoder *d, struct span line)
{
	if (line.len == 0 || (line.len == 1 && line.p[0] == '\r')) {
		d->in_header = d->skipping = false;
		return false;
	}
	if (line.p[0] != ' ' && line.p[0] != '\t')
		d->skipping = mbox_is_state_line(line);
	return d->skipping;
}

/* A copy without CRs, which are looked for one by one: they are rare. */
static char *
copy_line(char *o, const char *p, size_t len)
{
	const char *cr;
	size_t n;

	while (len > 0 && (cr = memchr(p, '\r', len)) != NULL) {
		n = (size_t)(cr - p);
		memcpy(o, p, n);
		o += n;
		p += n + 1;
		len -= n + 1;
	}
	if (len > 0)
		memcpy(o, p, len);
	return o + len;
}

/* One line, its LF apart, unless it is left out. Returns the new end. */
static char *
decode_line(struct mbox_decoder *d, struct span line, bool whole, bool has_cr,
    char *o)
{
	if (!d->in_line) {
		if (d->in_header && header_skips(d, line))
			return o;
		if (line.len > 0 && line.p[0] == '>' && mbox_is_quoted(line))
			line = span_from(line, 1);
	} else if (d->in_header && d->skipping) {
		return o;
	}
	if (has_cr) {
		o = copy_line(o, line.p, line.len);
	} else {
		memcpy(o, line.p, line.len);
		o += line.len;
	}
	if (whole) {
		*o++ = '\r';
		*o++ = '\n';
	}
	return o;
}

int
mbox_decode(struct mbox_decoder *d, struct span piece, struct buf *out)
{
	const char *p = piece.p, *end = p + piece.len, *nl;
	char *begin, *o;
	bool has_cr;

	if (piece.len == 0)
		return 0;
	if ((begin = buf_reserve(out, 2 * piece.len + 2)) == NULL)
		return -1;
	has_cr = memchr(p, '\r', piece.len) != NULL;
	for (o = begin; p < end; p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(end - p));
		o = decode_line(d, span_make(p, (size_t)((nl == NULL ? end : nl)
		    - p)), nl != NULL, has_cr, o);
		d->in_line = nl == NULL;
		if (nl == NULL)
			break;
	}
	buf_grow(out, (size_t)(o - begin));
	return 0;
}

int
mbox_decode_end(struct mbox_decoder *d, struct buf *out)
{
	bool text = d->in_line && !(d->in_header && d->skipping);

	d->in_line = false;
	return text ? buf_add_str(out, "\r\n") : 0;
}
