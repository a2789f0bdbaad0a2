/*
 * lib/mail/dot.c - the end of data, and dots at the start of lines. smtpd and
 * the clients of relay are at the mercy of these two machines: only CRLF.CRLF
 * ends a text, whatever else servers have taken for it (lessons 1, 2 and 13).
 * Both walk from CR to CR with memchr and pass on runs, not lines.
 */
#include "lib/mail/dot.h"

enum scan_state {
	SCAN_LINE,   /* at the start of a line */
	SCAN_TEXT,
	SCAN_CR,     /* behind a CR that was passed on */
	SCAN_DOT,    /* behind a dot at a line's start, held back */
	SCAN_DOT_CR, /* behind the CR that followed it, held back too */
};

static void
fault(struct dot_scan *d, unsigned kind, uint64_t at)
{
	if (d->faults == 0 || at < d->fault_at)
		d->fault_at = at;
	d->faults |= kind;
}

void
dot_scan_init(struct dot_scan *d, bool chunked)
{
	memset(d, 0, sizeof(*d));
	d->chunked = chunked;
	d->state = SCAN_LINE;
}

/* From i within a line to behind its CR, or to the end of in. */
static size_t
scan_text(struct dot_scan *d, struct span in, size_t i)
{
	const char *p = in.p + i, *cr = memchr(p, '\r', in.len - i), *lf;
	size_t n = cr == NULL ? in.len - i : (size_t)(cr - p);

	if ((lf = memchr(p, '\n', n)) != NULL)
		fault(d, DOT_BARE_LF, d->offset + (size_t)(lf - in.p));
	if (cr == NULL) {
		d->state = SCAN_TEXT;
		return in.len;
	}
	d->state = SCAN_CR;
	return i + n + 1;
}

/* Behind a CR: LF makes the line's end of it, anything else leaves it bare. */
static size_t
scan_cr(struct dot_scan *d, struct span in, size_t i)
{
	if (in.p[i] == '\n') {
		d->state = SCAN_LINE;
		return i + 1;
	}
	fault(d, DOT_BARE_CR, d->offset + i - 1);
	return scan_text(d, in, i);
}

static void
emit_run(struct span in, size_t from, size_t to,
    void (*emit)(void *arg, struct span text), void *arg)
{
	if (to > from)
		emit(arg, span_make(in.p + from, to - from));
}

size_t
dot_scan(struct dot_scan *d, struct span in,
    void (*emit)(void *arg, struct span text), void *arg)
{
	size_t i = 0, run = 0; /* in[run, i) is text not passed on yet */
	const char *nul;

	while (i < in.len && !d->done) {
		switch ((enum scan_state)d->state) {
		case SCAN_LINE:
			if (in.p[i] != '.' || d->chunked) {
				i = scan_text(d, in, i);
				break;
			}
			emit_run(in, run, i, emit, arg);
			run = ++i;
			d->state = SCAN_DOT;
			break;
		case SCAN_TEXT:
			i = scan_text(d, in, i);
			break;
		case SCAN_CR:
			i = scan_cr(d, in, i);
			break;
		case SCAN_DOT:
			if (in.p[i] != '\r') {
				i = scan_text(d, in, i);
				break;
			}
			run = ++i;
			d->state = SCAN_DOT_CR;
			break;
		case SCAN_DOT_CR:
			if (in.p[i] == '\n') {
				run = ++i;
				d->done = true;
				break;
			}
			emit(arg, span_str("\r"));
			i = scan_cr(d, in, i);
			break;
		}
	}
	emit_run(in, run, i, emit, arg);
	if (i > 0 && (nul = memchr(in.p, '\0', i)) != NULL)
		fault(d, DOT_NUL, d->offset + (size_t)(nul - in.p));
	d->offset += i;
	return i;
}

bool
dot_scan_end(struct dot_scan *d)
{
	if (d->state == SCAN_CR || d->state == SCAN_DOT_CR)
		fault(d, DOT_BARE_CR, d->offset - 1);
	d->done = true;
	return d->state == SCAN_LINE;
}

enum stuff_state {
	STUFF_LINE, /* zero: a new text starts a line */
	STUFF_TEXT,
	STUFF_CR,   /* behind a CR that is held back */
};

/* The next CR or LF of in from i on, or its end. */
static size_t
line_end(struct span in, size_t i)
{
	const char *p = in.p + i, *cr = memchr(p, '\r', in.len - i), *lf;
	size_t n = cr == NULL ? in.len - i : (size_t)(cr - p);

	if ((lf = memchr(p, '\n', n)) != NULL)
		n = (size_t)(lf - p);
	return i + n;
}

static char *
put(char *out, struct span s)
{
	if (s.len > 0)
		memcpy(out, s.p, s.len);
	return out + s.len;
}

int
dot_stuff(struct dot_stuff *s, struct span in, struct buf *out)
{
	const struct span crlf = span_str("\r\n");
	size_t i = 0, run = 0;
	char *start, *p;

	if ((start = p = buf_reserve(out, 2 * in.len + 2)) == NULL)
		return -1;
	while (i < in.len) {
		if (s->state == STUFF_CR) {
			p = put(p, crlf);
			if (in.p[i] == '\n')
				i++;
			run = i;
			s->state = STUFF_LINE;
			continue;
		}
		if (s->state == STUFF_LINE && in.p[i] == '.') {
			p = put(p, span_make(in.p + run, i - run));
			*p++ = '.';
			run = i++;
		}
		i = line_end(in, i);
		s->state = STUFF_TEXT;
		if (i == in.len)
			break;
		if (i + 1 < in.len && in.p[i] == '\r' && in.p[i + 1] == '\n') {
			i += 2; /* the usual line: part of the run */
			s->state = STUFF_LINE;
			continue;
		}
		p = put(p, span_make(in.p + run, i - run));
		if (in.p[i] == '\n')
			p = put(p, crlf);
		s->state = in.p[i] == '\n' ? STUFF_LINE : STUFF_CR;
		run = ++i;
	}
	p = put(p, span_make(in.p + run, in.len - run));
	buf_grow(out, (size_t)(p - start));
	return 0;
}

int
dot_stuff_end(struct dot_stuff *s, struct buf *out)
{
	if (buf_add_str(out, s->state == STUFF_LINE ? ".\r\n"
		: "\r\n.\r\n") == -1)
		return -1;
	s->state = STUFF_LINE;
	return 0;
}
