/* lib/mail/params.c - takes ESMTP parameters apart, one at a time. */
#include "lib/mail/params.h"

#include "lib/mail/addr_parts.h"

static bool
is_keyword(struct span s)
{
	size_t i;

	if (s.len == 0 || s.p[0] == '-')
		return false;
	for (i = 0; i < s.len; i++) {
		char c = ascii_lower(s.p[i]);

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    c != '-')
			return false;
	}
	return true;
}

static bool
is_value(struct span s)
{
	size_t n;

	if (s.len == 0)
		return false;
	while (s.len > 0) {
		n = s.p[0] > ' ' && s.p[0] <= '~' && s.p[0] != '=' ?
		    1 : addr_utf8_len(s);
		if (n == 0)
			return false;
		s = span_from(s, n);
	}
	return true;
}

int
smtp_params_next(struct span *rest, struct span *keyword, struct span *value)
{
	struct span word;

	if (!span_next(rest, ' ', &word))
		return 0;
	value->p = NULL;
	value->len = 0;
	if (span_find(word, '=') == -1) {
		*keyword = word;
	} else {
		span_split(word, '=', keyword, value);
		if (!is_value(*value))
			return -1;
	}
	return is_keyword(*keyword) ? 1 : -1;
}

/* Upper case alone, says RFC 3461. */
static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

ssize_t
xtext_decode(struct span in, char *out, size_t size)
{
	size_t i, n = 0;
	int c;

	for (i = 0; i < in.len; i++) {
		if (in.p[i] <= ' ' || in.p[i] > '~' || in.p[i] == '=')
			return -1;
		c = in.p[i];
		if (c == '+') {
			if (in.len - i < 3 || hex_value(in.p[i + 1]) == -1 ||
			    hex_value(in.p[i + 2]) == -1)
				return -1;
			c = hex_value(in.p[i + 1]) * 16 +
			    hex_value(in.p[i + 2]);
			i += 2;
		}
		if (c < ' ' || c > '~' || n + 1 >= size)
			return -1;
		out[n++] = (char)c;
	}
	if (size == 0)
		return -1;
	out[n] = '\0';
	return (ssize_t)n;
}

int
xtext_encode(struct buf *b, struct span in)
{
	static const char hex[] = "0123456789ABCDEF";
	char *out;
	size_t i, n = 0;

	if ((out = buf_reserve(b, 3 * in.len)) == NULL)
		return -1;
	for (i = 0; i < in.len; i++) {
		unsigned char c = (unsigned char)in.p[i];

		if (c > ' ' && c <= '~' && c != '+' && c != '=') {
			out[n++] = (char)c;
			continue;
		}
		out[n++] = '+';
		out[n++] = hex[c >> 4];
		out[n++] = hex[c & 15];
	}
	buf_grow(b, n);
	return 0;
}
