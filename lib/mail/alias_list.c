/*
 * lib/mail/alias_list.c - the one parser of lists of alias targets: authd reads
 * alias files with it, deliver -u a user's .forward. Nothing here opens a file.
 */
#include "lib/mail/alias_list.h"

#include "lib/mail/addr.h"

/* Not strchr(), for which a NUL is part of every set. */
static bool
one_of(char c, const char *set)
{
	return memchr(set, c, strlen(set)) != NULL;
}

static void
value_add(struct alias_value *v, char c)
{
	if (v->len < ALIAS_TARGET_MAX)
		v->text[v->len++] = c;
	else
		v->too_long = true;
}

/* Do the quotes that open at in[at] enclose all that is left of the value? */
static bool
quotes_all(struct span in, size_t at)
{
	for (at++; at < in.len && in.p[at] != '"'; at++)
		if (in.p[at] == '\\')
			at++;
	for (at++; at < in.len && in.p[at] != ','; at++)
		if (!one_of(in.p[at], " \t\r\n"))
			return false;
	return true;
}

/*
 * The next value of *rest, up to a comma outside quotes. Quotes around all of
 * it, or around all behind a bar, are taken off with their backslashes; those
 * within an address belong to it. Returns false at the end.
 */
static bool
value_next(struct span *rest, struct alias_value *v)
{
	bool in_quotes = false, strip = false;
	size_t i = 0;

	memset(v, 0, sizeof(*v));
	while (i < rest->len && one_of(rest->p[i], " \t\r\n,"))
		i++;
	if (i == rest->len)
		return false;
	for (; i < rest->len && (in_quotes || rest->p[i] != ','); i++) {
		char c = rest->p[i];

		if (c == '"' && !in_quotes && (v->len == 0 ||
		    (v->len == 1 && *v->text == '|')))
			strip = quotes_all(*rest, i);
		if (c == '"') {
			in_quotes = !in_quotes;
			if (!strip)
				value_add(v, c);
		} else if (c == '\\' && in_quotes && i + 1 < rest->len) {
			if (!strip)
				value_add(v, c);
			value_add(v, rest->p[++i]);
		} else {
			value_add(v, c == '\n' || c == '\r' ? ' ' : c);
		}
	}
	*rest = span_from(*rest, i);
	while (v->len > 0 && one_of(v->text[v->len - 1], " \t"))
		v->len--;
	if (in_quotes)
		v->too_long = true; /* told as one that does not end */
	return true;
}

/* "A Name <local@domain>" is what stands in the brackets. */
static struct span
without_phrase(struct span in)
{
	ssize_t open = span_rfind(in, '<');

	if (open == -1 || in.len == 0 || in.p[in.len - 1] != '>')
		return in;
	return span_make(in.p + open + 1, in.len - (size_t)open - 2);
}

static bool
clean(struct span s)
{
	size_t i;

	for (i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return false;
	return s.len > 0;
}

/* A local part without a domain: no blanks, nothing that is a path's. */
static bool
bare_ok(struct span s)
{
	return clean(s) && s.len <= ADDR_LOCAL_MAX &&
	    span_find(s, ' ') == -1 && span_find(s, '@') == -1 &&
	    span_find(s, '"') == -1 && span_find(s, '<') == -1;
}

static const char *
classify(const struct alias_value *v, struct alias_target *out)
{
	struct span s = span_make(v->text, v->len);
	struct addr addr;

	if (!clean(s))
		return "an empty value, or control characters in it";
	if (*s.p == '|') {
		out->kind = ALIAS_COMMAND;
		out->text = span_trim(span_from(s, 1));
		return out->text.len == 0 ? "a command that is empty" : NULL;
	}
	if (*s.p == '/') {
		out->kind = ALIAS_FILE;
		out->text = s;
		return NULL;
	}
	if (span_caseprefix(s, ":include:")) {
		out->kind = ALIAS_INCLUDE;
		out->text = span_trim(span_from(s, 9));
		return span_prefix(out->text, "/") ? NULL :
		    ":include: needs a path from /";
	}
	out->kind = *s.p == '\\' ? ALIAS_DIRECT : ALIAS_ADDRESS;
	out->text = *s.p == '\\' ? span_from(s, 1) : without_phrase(s);
	if (bare_ok(out->text))
		return NULL;
	if (out->kind == ALIAS_ADDRESS &&
	    addr_parse_mailbox(out->text, &addr) == 0)
		return NULL;
	return "a value that is no address";
}

int
alias_list_next(struct span *rest, struct alias_value *v,
    struct alias_target *out, const char **complaint)
{
	if (!value_next(rest, v))
		return 0;
	*complaint = v->too_long ? "a value that is too long, or quotes that "
	    "do not end" : classify(v, out);
	return *complaint == NULL ? 1 : -1;
}
