/* lib/mail/header.c - walks over the fields of a header that is at hand. */
#include "lib/mail/header.h"

bool
header_is_name_octet(char c)
{
	return c > ' ' && c <= '~' && c != ':';
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Octets of the line that s begins with, its LF included. */
static size_t
line_len(struct span s)
{
	ssize_t lf = span_find(s, '\n');

	return lf == -1 ? s.len : (size_t)lf + 1;
}

static struct span
without_line_end(struct span s)
{
	if (s.len > 0 && s.p[s.len - 1] == '\n')
		s.len--;
	if (s.len > 0 && s.p[s.len - 1] == '\r')
		s.len--;
	return s;
}

/* Octets of the field's name that line begins with; colon: where that is. */
static size_t
name_len(struct span line, size_t *colon)
{
	size_t i = 0, n;

	while (i < line.len && i < HEADER_NAME_MAX &&
	    header_is_name_octet(line.p[i]))
		i++;
	n = i;
	while (i < line.len && i <= HEADER_NAME_MAX && is_blank(line.p[i]))
		i++;
	if (n == 0 || i == line.len || line.p[i] != ':')
		return 0;
	*colon = i;
	return n;
}

/* The field that text begins with, however long it is; false: there is none. */
static bool
field_parse(struct span text, struct header_field *f)
{
	size_t n = line_len(text), colon;

	f->name = span_make(text.p, name_len(span_make(text.p, n), &colon));
	if (f->name.len == 0)
		return false;
	while (n < text.len && is_blank(text.p[n]))
		n += line_len(span_from(text, n));
	f->whole = span_make(text.p, n);
	f->value = span_from(without_line_end(f->whole), colon + 1);
	return true;
}

void
header_begin(struct header_iter *it, struct span message)
{
	it->text = message;
	it->at = 0;
}

bool
header_next(struct header_iter *it, struct header_field *f)
{
	if (it->at >= HEADER_MAX ||
	    !field_parse(span_from(it->text, it->at), f))
		return false;
	it->at += f->whole.len;
	if (f->value.len > HEADER_FIELD_MAX)
		f->value.len = HEADER_FIELD_MAX;
	return true;
}

bool
header_find(struct span message, const char *name, struct header_field *f)
{
	struct header_iter it;

	header_begin(&it, message);
	while (header_next(&it, f))
		if (span_caseeq(f->name, name))
			return true;
	return false;
}

size_t
header_count(struct span message, const char *name)
{
	struct header_iter it;
	struct header_field f;
	size_t n = 0;

	header_begin(&it, message);
	while (header_next(&it, &f))
		n += span_caseeq(f.name, name);
	return n;
}

size_t
header_length(struct span message, size_t *body)
{
	struct header_field f;
	size_t at = 0;

	while (field_parse(span_from(message, at), &f))
		at += f.whole.len;
	if (body != NULL) {
		struct span rest = span_from(message, at);

		*body = at + (span_prefix(rest, "\r\n") ? 2 :
		    span_prefix(rest, "\n") ? 1 : 0);
	}
	return at;
}

struct span
header_unfold(struct span value, char *out, size_t size)
{
	size_t i, n = 0;

	value = span_trim(value);
	for (i = 0; i < value.len && n + 1 < size; i++) {
		if (value.p[i] == '\n' || value.p[i] == '\r')
			continue;
		if (n == 0 && is_blank(value.p[i]))
			continue; /* the value began on the next line */
		out[n++] = value.p[i];
	}
	while (n > 0 && is_blank(out[n - 1]))
		n--;
	if (size > 0)
		out[n] = '\0';
	return span_make(out, n);
}
