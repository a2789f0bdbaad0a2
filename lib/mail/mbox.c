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

size_t
mbox_next(struct span text, size_t at)
{
	const char *p;

	if (at == 0 && mbox_is_from(text))
		return 0;
	/* the two line ends before it may lie before at */
	at = at < 2 ? 0 : at - 2;
	if (at >= text.len)
		return text.len;
	p = memmem(text.p + at, text.len - at, "\n\nFrom ", FROM_LEN + 2);
	return p == NULL ? text.len : (size_t)(p - text.p) + 2;
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
mbox_from_parse(struct span text, size_t *length, struct span *sender,
    int64_t *date)
{
	struct span line, rest;

	if (!mbox_is_from(text))
		return -1;
	span_split(text, '\n', &line, &rest);
	*length = line.len + (line.len < text.len);
	line = span_from(line, FROM_LEN);
	*sender = span_make(line.p, sender_len(line));
	if (date_parse(span_from(line, sender->len), date) == -1)
		*date = 0;
	return 0;
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

/* -- out of the file ------------------------------------------------------- */

enum get_state {
	GET_START, /* zero: at the start of a line */
	GET_RUN,   /* within ">>", one of them held back */
	GET_FROM,  /* behind the run, "From " held back */
	GET_LINE,
};

static int
get_held(struct mbox_get *g, struct buf *out)
{
	struct span held = span_make(from_word, g->match);

	if ((g->state == GET_RUN || g->state == GET_FROM) &&
	    g->match < FROM_LEN && buf_add_char(out, '>') == -1)
		return -1;
	g->state = GET_LINE;
	g->match = 0;
	return buf_add_span(out, held);
}

/* Lines that are not quoted, up to and with the next "\n" before a ">". */
static size_t
get_plain(struct mbox_get *g, struct span in)
{
	const char *p = in.p, *end = in.p + in.len;

	while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		if (++p < end && *p != '>')
			continue;
		g->state = GET_START;
		return (size_t)(p - in.p);
	}
	return in.len;
}

int
mbox_get(struct mbox_get *g, struct span in, struct buf *out)
{
	size_t i = 0, n;

	while (i < in.len) {
		switch ((enum get_state)g->state) {
		case GET_START:
			g->state = in.p[i] == '>' ? GET_RUN : GET_LINE;
			i += in.p[i] == '>';
			break;
		case GET_RUN:
			if (in.p[i] != '>')
				g->state = GET_FROM;
			else if (buf_add_char(out, in.p[i++]) == -1)
				return -1;
			break;
		case GET_FROM:
			if (in.p[i] == from_word[g->match]) {
				i++;
				if (++g->match < FROM_LEN)
					break;
			}
			if (get_held(g, out) == -1)
				return -1;
			break;
		case GET_LINE:
			n = get_plain(g, span_from(in, i));
			if (buf_add(out, in.p + i, n) == -1)
				return -1;
			i += n;
			break;
		}
	}
	return 0;
}

int
mbox_get_end(struct mbox_get *g, struct buf *out)
{
	return g->state == GET_RUN || g->state == GET_FROM ?
	    get_held(g, out) : 0;
}
