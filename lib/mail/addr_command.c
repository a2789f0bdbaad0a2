/*
 * lib/mail/addr_command.c - the arguments of MAIL and RCPT, with the leniency
 * that old printers and people at a terminal need. It finds where the path
 * begins and ends and never what it means: that is addr_parse_path()'s.
 */
#include <errno.h>

#include "lib/mail/addr.h"
#include "lib/mail/addr_parts.h"

/* A name before the path: longer ones are no name. */
#define PHRASE_MAX 64

static int
fail(void)
{
	errno = EINVAL;
	return -1;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
phrase_is_valid(struct span s)
{
	size_t i;

	s = span_trim(s);
	if (s.len == 0)
		return true;
	if (s.p[0] == '"') {
		if (s.len < 2 || s.p[s.len - 1] != '"')
			return false;
		for (i = 1; i < s.len - 1; i++)
			if (s.p[i] < ' ' || s.p[i] > '~' ||
			    strchr("\"\\@<>", s.p[i]) != NULL)
				return false;
		return true;
	}
	if (s.len > PHRASE_MAX)
		return false;
	for (i = 0; i < s.len; i++) {
		char c = ascii_lower(s.p[i]);

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    (c == '\0' || strchr(" .'-_", c) == NULL))
			return false;
	}
	return true;
}

/* Octets of the path that in begins with, up to ">" outside of quotes. */
static size_t
path_len(struct span in)
{
	bool quoted = false;
	size_t i;

	for (i = 0; i < in.len; i++) {
		if (in.p[i] == '\\' && quoted)
			i++;
		else if (in.p[i] == '"')
			quoted = !quoted;
		else if (in.p[i] == '>' && !quoted)
			return i + 1;
	}
	return 0;
}

static int
parse_bracketed(struct span in, size_t start, struct addr *out,
    struct span *params)
{
	struct span path = span_from(in, start);
	size_t n = path_len(path);

	if (n == 0 || !phrase_is_valid(span_make(in.p, start)))
		return fail();
	*params = span_from(path, n);
	if (params->len > 0 && !is_blank(params->p[0]))
		return fail();
	return addr_parse_path(span_make(path.p, n), out);
}

static int
parse_bare(struct span in, struct addr *out, struct span *params)
{
	size_t n = 0;

	while (n < in.len && !is_blank(in.p[n]))
		n++;
	*params = span_from(in, n);
	/* a quoted local part hides blanks and brackets: only within "<>" */
	if (in.p[0] == '"')
		return fail();
	return addr_parse_mailbox(span_make(in.p, n), out);
}

/* Where the path's "<" is: not within the quotes of a phrase. -1: nowhere. */
static ssize_t
bracket_find(struct span in)
{
	ssize_t end;

	if (in.p[0] != '"')
		return span_find(in, '<');
	if ((end = span_find(span_from(in, 1), '"')) == -1)
		return -1;
	end += 2;
	while ((size_t)end < in.len && is_blank(in.p[end]))
		end++;
	return (size_t)end < in.len && in.p[end] == '<' ? end : -1;
}

/* A parameter may hold a "<" (AUTH=<>): then what is before it is no phrase. */
static bool
begins_bare(struct span in)
{
	size_t n = addr_dot_string(in);

	return n > 0 && n < in.len && in.p[n] == '@';
}

int
addr_parse_command(struct span in, enum addr_use use, struct addr *out,
    struct span *params)
{
	const char *word = use == ADDR_REVERSE ? "FROM:" : "TO:";
	struct addr a;
	ssize_t start;
	int rv;

	if (!span_caseprefix(in, word))
		return fail();
	in = span_trim(span_from(in, strlen(word)));
	if (in.len == 0)
		return fail();
	start = begins_bare(in) ? -1 : bracket_find(in);
	rv = start == -1 ? parse_bare(in, &a, params)
			 : parse_bracketed(in, (size_t)start, &a, params);
	if (rv == -1)
		return -1;
	if (use == ADDR_REVERSE ? addr_is_postmaster(&a) : addr_is_null(&a))
		return fail();
	*params = span_trim(*params);
	*out = a;
	return 0;
}
