/*
 * lib/mail/mbox.c - the mbox format: From_ lines read and written, letters
 * turned into mbox text and back. Lines are found with memchr and copied whole;
 * these loops see every octet that is delivered or fetched.
 */
#include "lib/mail/mbox.h"

#include <errno.h>
#include <time.h>

static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
	"Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri",
	"Sat" };

/* -- From_ lines ----------------------------------------------------------- */

static int
month_of(struct span w)
{
	int i;

	for (i = 0; i < 12; i++)
		if (span_eqstr(w, months[i]))
			return i;
	return -1;
}

static bool
is_weekday(struct span w)
{
	int i;

	for (i = 0; i < 7; i++)
		if (span_eqstr(w, days[i]))
			return true;
	return false;
}

/* hh:mm or hh:mm:ss */
static bool
time_parse(struct span w, struct tm *tm)
{
	struct span h, m, s;
	uint64_t v;

	span_split(w, ':', &h, &w);
	span_split(w, ':', &m, &s);
	if (h.len > 2 || span_u64(h, 23, &v) == -1)
		return false;
	tm->tm_hour = (int)v;
	if (m.len != 2 || span_u64(m, 59, &v) == -1)
		return false;
	tm->tm_min = (int)v;
	if (s.len == 0)
		return true;
	if (s.len != 2 || span_u64(s, 60, &v) == -1)
		return false;
	tm->tm_sec = (int)v;
	return true;
}

/* What follows the weekday: month, day, time, then a year among at most two
 * more words (some write a zone before or behind it). */
static bool
date_parse(struct span rest, int64_t *when_s)
{
	struct tm tm = { 0 };
	struct span w;
	uint64_t v;
	int i;

	if (!span_next(&rest, ' ', &w) || (tm.tm_mon = month_of(w)) == -1 ||
	    !span_next(&rest, ' ', &w) || w.len > 2 ||
	    span_u64(w, 31, &v) == -1 || v == 0)
		return false;
	tm.tm_mday = (int)v;
	if (!span_next(&rest, ' ', &w) || !time_parse(w, &tm))
		return false;
	for (i = 0; i < 3 && span_next(&rest, ' ', &w); i++) {
		if (w.len != 4 || span_u64(w, 9999, &v) == -1 || v < 1970)
			continue;
		tm.tm_year = (int)v - 1900;
		if (when_s != NULL)
			*when_s = (int64_t)timegm(&tm);
		return true;
	}
	return false;
}

bool
mbox_from_parse(struct span line, int64_t *when_s)
{
	struct span w;

	if (line.len > 0 && line.p[line.len - 1] == '\r')
		line.len--;
	if (line.len > MBOX_FROM_MAX || !span_prefix(line, "From "))
		return false;
	line = span_from(line, 5);
	/* A sender may hold blanks: its date is the first that is one. */
	while (span_next(&line, ' ', &w))
		if (is_weekday(w) && date_parse(line, when_s))
			return true;
	return false;
}

int
mbox_from_format(struct buf *out, struct span sender, int64_t when_s)
{
	char name[MBOX_FROM_MAX - 64];
	time_t t = (time_t)when_s;
	struct tm tm;
	size_t i;

	if (sender.len == 0)
		sender = span_str("MAILER-DAEMON");
	if (sender.len > sizeof(name))
		sender.len = sizeof(name);
	for (i = 0; i < sender.len; i++)
		name[i] = (unsigned char)sender.p[i] <= ' ' ||
		    sender.p[i] == 0x7f ? '-' : sender.p[i];
	if (gmtime_r(&t, &tm) == NULL || tm.tm_year < 70 || tm.tm_year > 8099) {
		t = 0;
		gmtime_r(&t, &tm);
	}
	return buf_addf(out, "From %.*s %s %s %2d %02d:%02d:%02d %d\n",
	    (int)sender.len, name, days[tm.tm_wday], months[tm.tm_mon],
	    tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, tm.tm_year + 1900);
}

/* -- lines ----------------------------------------------------------------- */

bool
mbox_is_quoted(struct span line, size_t min)
{
	size_t n = 0;

	while (n < line.len && line.p[n] == '>')
		n++;
	return n >= min && line.len - n >= 5 &&
	    memcmp(line.p + n, "From ", 5) == 0;
}

static bool
is_field(struct span line, const char *name)
{
	struct span rest;

	if (!span_caseprefix(line, name))
		return false;
	rest = span_trim(span_from(line, strlen(name)));
	return rest.len > 0 && rest.p[0] == ':'; /* RFC 5322 4.5.8: obs */
}

bool
mbox_is_state(struct span line)
{
	static const char *const names[] = { "Status", "X-Status", "X-UID",
		"X-UIDL", "X-IMAP", "X-IMAPbase", "X-Keywords",
		"Content-Length" };
	size_t i;

	if (line.len == 0)
		return false;
	switch (line.p[0]) { /* most lines end here */
	case 'S': case 's': case 'X': case 'x': case 'C': case 'c':
		break;
	default:
		return false;
	}
	for (i = 0; i < nitems(names); i++)
		if (is_field(line, names[i]))
			return true;
	return false;
}

bool
mbox_is_volatile(struct span line)
{
	return mbox_is_state(line) || is_field(line, "Lines");
}

static bool
is_blank(struct span line)
{
	return line.len == 0 || (line.len == 1 && line.p[0] == '\r');
}

/*
 * Is this line of a header to be left out? skipping carries over to the lines
 * that continue it. An empty line ends the header.
 */
static bool
header_skips(struct span line, bool *in_header, bool *skipping)
{
	if (is_blank(line)) {
		*in_header = *skipping = false;
		return false;
	}
	if (line.p[0] != ' ' && line.p[0] != '\t')
		*skipping = mbox_is_state(line);
	return *skipping;
}

/* -- to mbox --------------------------------------------------------------- */

int
mbox_encode(struct mbox_encoder *e, struct span piece, struct buf *out)
{
	const char *p = piece.p, *end = p + piece.len, *nl;
	char *begin = buf_reserve(out, 2 * piece.len + 2), *o = begin;
	size_t len;

	if (begin == NULL)
		return -1;
	for (; p < end; p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(end - p));
		len = (size_t)((nl == NULL ? end : nl) - p);
		if (e->cr && (nl == NULL || len > 0))
			*o++ = '\r'; /* the piece was cut behind it */
		e->cr = false;
		if (!e->in_line) {
			if (e->in_header && header_skips(span_make(p, len),
			    &e->in_header, &e->skipping))
				goto next;
			if ((*p == '>' || *p == 'F') &&
			    mbox_is_quoted(span_make(p, len), 0))
				*o++ = '>';
		}
		if (e->in_header && e->skipping)
			goto next;
		if (len > 0 && p[len - 1] == '\r') {
			len--;
			e->cr = nl == NULL;
		}
		memcpy(o, p, len);
		o += len;
		if (nl != NULL)
			*o++ = '\n';
next:
		e->in_line = nl == NULL;
		if (nl == NULL)
			break;
	}
	buf_grow(out, (size_t)(o - begin));
	return 0;
}

int
mbox_encode_end(struct mbox_encoder *e, struct buf *out)
{
	bool text = e->in_line && !(e->in_header && e->skipping);

	if (buf_add_str(out, e->cr ? "\r" : "") == -1 ||
	    buf_add_str(out, text ? "\n" : "") == -1)
		return -1;
	/* A header alone: the line that ends it is not the one that separates. */
	if (e->in_header && buf_add_char(out, '\n') == -1)
		return -1;
	return buf_add_char(out, '\n');
}

/* -- and back -------------------------------------------------------------- */

/* A copy without CRs, which are rare enough to be looked for one by one. */
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

int
mbox_decode(struct mbox_decoder *d, struct span piece, struct buf *out)
{
	const char *p = piece.p, *end = p + piece.len, *nl;
	char *begin = buf_reserve(out, 2 * piece.len + 2), *o = begin;
	bool has_cr = memchr(p, '\r', piece.len) != NULL;
	size_t len;

	if (begin == NULL)
		return -1;
	for (; p < end; p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(end - p));
		len = (size_t)((nl == NULL ? end : nl) - p);
		if (!d->in_line) {
			if (d->in_header && header_skips(span_make(p, len),
			    &d->in_header, &d->skipping))
				goto next;
			if (*p == '>' && mbox_is_quoted(span_make(p, len), 1)) {
				p++;
				len--;
			}
		}
		if (d->in_header && d->skipping)
			goto next;
		if (has_cr)
			o = copy_line(o, p, len);
		else {
			memcpy(o, p, len);
			o += len;
		}
		if (nl != NULL) {
			*o++ = '\r';
			*o++ = '\n';
		}
next:
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
