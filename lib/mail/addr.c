/*
 * lib/mail/addr.c - paths and mailboxes of the envelope. Every program parses
 * again what another hands it, with this code. The grammar is RFC 5321's
 * without the obsolete forms; domains are in lib/mail/domain.c, what people
 * type by hand in lib/mail/addr_command.c.
 */
#include "lib/mail/addr.h"

#include <errno.h>
#include <string.h>

#include "lib/mail/addr_parts.h"
#include "lib/mail/utf8.h"

/* atext of RFC 5322 section 3.2.3, letters and digits aside. */
#define ATEXT_MARKS "!#$%&'*+-/=?^_`{|}~"

static bool
is_atext(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') ||
	    (c != '\0' && strchr(ATEXT_MARKS, c) != NULL);
}

/* Controls beyond ASCII are text to a validator and a command to a terminal. */
size_t
addr_utf8_len(struct span in)
{
	uint32_t cp;
	size_t n = utf8_next(in, &cp);

	if (n < 2 || cp < 0xa0 || cp == 0x2028 || cp == 0x2029 ||
	    (cp & 0xfffe) == 0xfffe)
		return 0;
	return n;
}

size_t
addr_dot_string(struct span in)
{
	bool in_atom = false;
	size_t i = 0, n;

	while (i < in.len) {
		if (in.p[i] == '.') {
			if (!in_atom)
				return 0;
			in_atom = false;
			i++;
		} else if (is_atext(in.p[i])) {
			in_atom = true;
			i++;
		} else if ((n = addr_utf8_len(span_from(in, i))) > 0) {
			in_atom = true;
			i += n;
		} else {
			break;
		}
	}
	return in_atom ? i : 0;
}

/* Quoted-string of RFC 5321; in begins with the quote. 0: it is none. */
static size_t
quoted_string(struct span in)
{
	size_t i = 1, n;

	while (i < in.len) {
		if (in.p[i] == '"')
			return i + 1;
		if (in.p[i] == '\\') {
			if (i + 1 >= in.len || in.p[i + 1] < ' ' ||
			    in.p[i + 1] > '~')
				return 0;
			i += 2;
		} else if (in.p[i] >= ' ' && in.p[i] <= '~') {
			i++;
		} else if ((n = addr_utf8_len(span_from(in, i))) > 0) {
			i += n;
		} else {
			return 0;
		}
	}
	return 0;
}

static int
fail(int error)
{
	errno = error;
	return -1;
}

int
addr_parse_mailbox(struct span in, struct addr *out)
{
	struct addr a = { 0 };
	size_t n;

	if (in.len == 0)
		return fail(EINVAL);
	a.quoted = in.p[0] == '"';
	n = a.quoted ? quoted_string(in) : addr_dot_string(in);
	if (n == 0 || n >= in.len || in.p[n] != '@')
		return fail(EINVAL);
	a.local = span_make(in.p, n);
	a.domain = span_from(in, n + 1);
	a.literal = a.domain.len > 0 && a.domain.p[0] == '[';
	if (n > ADDR_LOCAL_MAX || a.domain.len > ADDR_DOMAIN_MAX ||
	    in.len + strlen("<>") > ADDR_PATH_MAX)
		return fail(EMSGSIZE);
	if (a.literal ? !literal_is_valid(a.domain)
		      : !domain_is_valid(a.domain))
		return fail(EINVAL);
	*out = a;
	return 0;
}

/* A-d-l ":" of RFC 5321: "@a.example,@b.example:". 0: what comes is none. */
static size_t
source_route(struct span in)
{
	struct span domain;
	size_t i = 0, n;

	while (i < in.len && in.p[i] == '@') {
		for (n = ++i; n < in.len && in.p[n] != ',' && in.p[n] != ':';)
			n++;
		domain = span_make(in.p + i, n - i);
		if (n == in.len || !domain_is_valid(domain))
			return 0;
		if (in.p[n] == ':')
			return n + 1;
		i = n + 1;
	}
	return 0;
}

static int
parse_inside(struct span in, struct addr *out)
{
	static const struct addr null_path = { 0 };
	struct addr a = { 0 };
	size_t route = 0;

	if (in.len == 0) {
		*out = null_path;
		return 0;
	}
	if (span_caseeq(in, "postmaster")) {
		a.local = in;
		*out = a;
		return 0;
	}
	if (in.p[0] == '@') {
		if (in.len > ADDR_ROUTE_MAX)
			return fail(EMSGSIZE);
		if ((route = source_route(in)) == 0)
			return fail(EINVAL);
	}
	if (addr_parse_mailbox(span_from(in, route), out) == -1)
		return -1;
	out->routed = route > 0;
	return 0;
}

int
addr_parse_path(struct span in, struct addr *out)
{
	if (in.len < 2 || in.p[0] != '<' || in.p[in.len - 1] != '>')
		return fail(EINVAL);
	return parse_inside(span_make(in.p + 1, in.len - 2), out);
}

int
addr_parse_text(struct span in, struct addr *out)
{
	if (in.len > 0 && in.p[0] == '@')
		return fail(EINVAL);
	return parse_inside(in, out);
}

bool
addr_is_null(const struct addr *a)
{
	return a->local.len == 0;
}

bool
addr_is_postmaster(const struct addr *a)
{
	return a->local.len > 0 && a->domain.len == 0;
}

bool
addr_is_utf8(const struct addr *a)
{
	return !utf8_is_ascii(a->local) || !utf8_is_ascii(a->domain);
}

struct span
addr_unquote_local(const struct addr *a, char out[ADDR_LOCAL_TEXT])
{
	struct span in = a->local;
	size_t i, n = 0;

	if (a->quoted)
		in = span_make(in.p + 1, in.len - 2);
	for (i = 0; i < in.len && n < ADDR_LOCAL_MAX; i++) {
		if (a->quoted && in.p[i] == '\\')
			i++;
		out[n++] = in.p[i];
	}
	out[n] = '\0';
	return span_make(out, n);
}

/* Writes local in its shortest lawful form; it fits, for it came shorter. */
static size_t
put_local(struct span local, char *out)
{
	size_t i, n = 0;

	if (local.len > 0 && addr_dot_string(local) == local.len) {
		memcpy(out, local.p, local.len);
		return local.len;
	}
	out[n++] = '"';
	for (i = 0; i < local.len; i++) {
		if (local.p[i] == '"' || local.p[i] == '\\')
			out[n++] = '\\';
		out[n++] = local.p[i];
	}
	out[n++] = '"';
	return n;
}

static struct span
put_domain(struct span domain, bool lower, char *out, size_t n)
{
	size_t i;

	if (domain.len > 0)
		out[n++] = '@';
	for (i = 0; i < domain.len; i++)
		out[n++] = lower ? ascii_lower(domain.p[i]) : domain.p[i];
	out[n] = '\0';
	return span_make(out, n);
}

struct span
addr_format(const struct addr *a, char out[ADDR_TEXT])
{
	if (a->local.len > 0)
		memcpy(out, a->local.p, a->local.len);
	return put_domain(a->domain, false, out, a->local.len);
}

struct span
addr_canon(const struct addr *a, char out[ADDR_TEXT])
{
	char local[ADDR_LOCAL_TEXT];
	size_t n = 0;

	if (a->local.len > 0)
		n = put_local(addr_unquote_local(a, local), out);
	return put_domain(a->domain, true, out, n);
}

int
addr_make(struct span local, struct span domain, char out[ADDR_TEXT])
{
	/* every octet escaped, the quotes, the at sign */
	char text[2 * ADDR_LOCAL_MAX + 3 + ADDR_DOMAIN_TEXT];
	struct addr a;

	if (local.len > ADDR_LOCAL_MAX || domain.len > ADDR_DOMAIN_MAX)
		return fail(EMSGSIZE);
	if (domain.len == 0)
		return fail(EINVAL);
	if (addr_parse_mailbox(put_domain(domain, true, text,
		put_local(local, text)), &a) == -1)
		return -1;
	addr_format(&a, out);
	return 0;
}

bool
addr_equal(const struct addr *a, const struct addr *b)
{
	char x[ADDR_LOCAL_TEXT], y[ADDR_LOCAL_TEXT];

	return span_caseeq_span(a->domain, b->domain) &&
	    addr_is_null(a) == addr_is_null(b) &&
	    span_eq(addr_unquote_local(a, x), addr_unquote_local(b, y));
}
