/*
 * resolver/records.c - reads a test's records file. It knows no DNS data: what
 * is a record is libunbound's to understand, what is a special word is ours.
 */
#include "resolver/records.h"

#include "lib/mem.h"

#define RECORD_LINE_MAX 4096

static const struct {
	const char *word;
	enum special what;
} words[] = {
	{ "NXDOMAIN", SPECIAL_NXDOMAIN },
	{ "SERVFAIL", SPECIAL_SERVFAIL },
	{ "TIMEOUT", SPECIAL_TIMEOUT },
	{ "BOGUS", SPECIAL_BOGUS },
	{ "SECURE", SPECIAL_SECURE },
};

static const struct {
	const char *word;
	uint16_t type;
} types[] = {
	{ "A", RR_A }, { "AAAA", RR_AAAA }, { "CNAME", RR_CNAME },
	{ "MX", RR_MX }, { "PTR", RR_PTR }, { "TLSA", RR_TLSA },
	{ "TXT", RR_TXT },
};

static enum special
special_word(struct span word)
{
	size_t i;

	for (i = 0; i < nitems(words); i++)
		if (span_caseeq(word, words[i].word))
			return words[i].what;
	return SPECIAL_NONE;
}

static uint16_t
type_word(struct span word)
{
	size_t i;

	for (i = 0; i < nitems(types); i++)
		if (span_caseeq(word, types[i].word))
			return types[i].type;
	return 0;
}

static int
special_add(struct records *out, struct span name, uint16_t type,
    enum special what)
{
	struct record_special *s;

	if (name.p[name.len - 1] == '.')
		name.len--;
	out->list = xreallocarray(out->list, out->n + 1, sizeof(*out->list));
	s = &out->list[out->n];
	s->type = type;
	s->what = what;
	if (span_copy(name, s->name, sizeof(s->name)) == -1)
		return -1;
	out->n++;
	return 0;
}

static int
record_add(struct span name, struct span type, struct span data,
    int (*add)(void *, const char *), void *arg)
{
	struct buf b = BUF_INIT(RECORD_LINE_MAX);
	int rv = -1;

	if (data.len > 0 && buf_add_span(&b, name) == 0 &&
	    (name.p[name.len - 1] == '.' || buf_add_char(&b, '.') == 0) &&
	    buf_addf(&b, " 60 IN %.*s ", SPAN_ARG(type)) == 0 &&
	    buf_add_span(&b, data) == 0)
		rv = add(arg, buf_str(&b));
	buf_clear(&b);
	return rv;
}

/* The next word of what blanks and tabs separate. */
static struct span
next_word(struct span *rest)
{
	struct span word = span_trim(*rest);
	size_t n;

	for (n = 0; n < word.len && word.p[n] != ' ' && word.p[n] != '\t'; n++)
		;
	*rest = span_trim(span_from(word, n));
	word.len = n;
	return word;
}

static int
line_parse(struct span line, struct records *out,
    int (*add)(void *, const char *), void *arg)
{
	struct span name = next_word(&line), word, data;
	enum special what;

	if (name.len == 0 || name.p[0] == '#' || name.p[0] == ';')
		return 0;
	if (!dns_name_ok(name) || line.len == 0)
		return -1;
	word = next_word(&line);
	if ((what = special_word(word)) != SPECIAL_NONE)
		return line.len > 0 ? -1 : special_add(out, name, 0, what);
	data = line;
	if (type_word(word) != 0 && (what = special_word(data)) != SPECIAL_NONE)
		return special_add(out, name, type_word(word), what);
	if (!span_printable(word))
		return -1;
	return record_add(name, word, data, add, arg);
}

int
records_parse(struct span text, struct records *out,
    int (*add)(void *, const char *), void *arg, unsigned *line)
{
	struct span one;

	for (*line = 1; text.len > 0; (*line)++) {
		span_split(text, '\n', &one, &text);
		if (one.len > 0 && one.p[one.len - 1] == '\r')
			one.len--;
		if (memchr(one.p, '\0', one.len) != NULL ||
		    line_parse(span_trim(one), out, add, arg) == -1)
			return -1;
	}
	return 0;
}

void
records_clear(struct records *r)
{
	x_free(&r->list);
	r->n = 0;
}

enum special
records_find(const struct records *r, const char *name, uint16_t type,
    bool *secure)
{
	struct span want = span_str(name);
	enum special what = SPECIAL_NONE;
	size_t i;

	*secure = false;
	if (want.len > 0 && want.p[want.len - 1] == '.')
		want.len--;
	for (i = 0; i < r->n; i++) {
		if (!span_caseeq(want, r->list[i].name) ||
		    (r->list[i].type != 0 && r->list[i].type != type))
			continue;
		if (r->list[i].what == SPECIAL_SECURE)
			*secure = true;
		else
			what = r->list[i].what;
	}
	return what;
}
