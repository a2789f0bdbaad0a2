/*
 * relay/reply.c - reads replies of strangers, bounded in every direction. The
 * text is kept for people to read; nothing parses it again.
 */
#include "relay/reply.h"

void
reply_init(struct reply *r)
{
	r->code = r->lines = 0;
	r->enhanced[0] = r->text[0] = '\0';
	r->len = 0;
}

static void
keep_octet(struct reply *r, char c)
{
	if (r->len == REPLY_TEXT_MAX)
		return;
	r->text[r->len++] = c >= ' ' && c <= '~' ? c : '?';
	r->text[r->len] = '\0';
}

static size_t
digits(struct span s, size_t max)
{
	size_t n;

	for (n = 0; n < s.len && n < max; n++)
		if (s.p[n] < '0' || s.p[n] > '9')
			break;
	return n;
}

/* "5.1.1 text": class of the code, subject and detail of up to three digits
 * (RFC 3463 section 2). */
static void
find_enhanced(struct reply *r, struct span text)
{
	size_t subject, detail, len;

	if (text.len < 5 || (unsigned)(text.p[0] - '0') != r->code / 100 ||
	    text.p[1] != '.')
		return;
	subject = digits(span_from(text, 2), 3);
	if (subject == 0 || subject + 2 >= text.len ||
	    text.p[subject + 2] != '.')
		return;
	detail = digits(span_from(text, subject + 3), 3);
	len = subject + 3 + detail;
	if (detail > 0 && (len == text.len || text.p[len] == ' '))
		span_copy(span_make(text.p, len), r->enhanced,
		    sizeof(r->enhanced));
}

enum reply_state
reply_line(struct reply *r, struct span line, struct span *text)
{
	struct span rest = span_from(line, 4);
	uint64_t code;
	size_t i;

	if (r->lines++ == REPLY_LINES_MAX || line.len < 3 ||
	    span_u64(span_make(line.p, 3), 599, &code) == -1 || code < 200 ||
	    (line.len > 3 && line.p[3] != ' ' && line.p[3] != '-') ||
	    (r->code != 0 && r->code != code))
		return REPLY_BAD;
	r->code = (unsigned)code;
	if (r->enhanced[0] == '\0')
		find_enhanced(r, rest);
	if (r->len > 0)
		keep_octet(r, ' ');
	for (i = 0; i < line.len; i++)
		keep_octet(r, line.p[i]);
	if (text != NULL)
		*text = rest;
	return line.len > 3 && line.p[3] == '-' ? REPLY_MORE : REPLY_DONE;
}

const char *
reply_enhanced(struct reply *r)
{
	if (r->enhanced[0] == '\0') {
		span_copy(span_str("0.0.0"), r->enhanced, sizeof(r->enhanced));
		r->enhanced[0] = (char)('0' + r->code / 100);
	}
	return r->enhanced;
}

void
caps_line(struct caps *c, struct span text)
{
	struct span rest = text, word, arg;

	if (!span_next(&rest, ' ', &word))
		word = span_make("", 0);
	if (!c->greeted) { /* RFC 5321 section 4.1.1.1: ehlo-greet */
		c->greeted = true;
		if (span_printable(word))
			span_copy(word, c->name, sizeof(c->name));
		return;
	}
	if (span_caseeq(word, "PIPELINING")) {
		c->pipelining = true;
	} else if (span_caseeq(word, "8BITMIME")) {
		c->eightbit = true;
	} else if (span_caseeq(word, "SMTPUTF8")) {
		c->utf8 = true;
	} else if (span_caseeq(word, "DSN")) {
		c->dsn = true;
	} else if (span_caseeq(word, "STARTTLS")) {
		c->starttls = true;
	} else if (span_caseeq(word, "SIZE")) {
		c->size = true;
		if (!span_next(&rest, ' ', &arg) ||
		    span_u64(arg, UINT64_MAX, &c->size_max) == -1)
			c->size_max = 0;
	}
}
