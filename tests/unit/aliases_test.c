/* aliases_test - the classic alias format, row by row. */
#include "lib/mail/aliases.h"
#include "lib/buf.h"
#include "tests/unit/check.h"

static struct buf complaints = BUF_INIT(65536);

static void
bad(void *arg, unsigned line, const char *complaint)
{
	(void)arg;
	(void)complaint;
	(void)buf_addf(&complaints, "%u ", line);
}

/* What a name stands for, as "A:text C:text": a letter for each kind. */
static const char *
show(const struct aliases *a, const char *name)
{
	static struct buf out = BUF_INIT(65536);
	uint32_t list;
	size_t i;

	buf_reset(&out);
	if (!aliases_find(a, span_str(name), &list))
		return NULL;
	for (i = 0; i < alias_count(a, list); i++) {
		struct alias_target t = alias_target(a, list, i);

		(void)buf_addf(&out, "%s%c:%.*s", i > 0 ? " " : "",
		    "ADCFI"[t.kind], SPAN_ARG(t.text));
	}
	return buf_str(&out);
}

static const struct {
	const char *name, *text, *key, *value, *bad;
} cases[] = {
	{ "one",            "a: b\n",                 "a", "A:b", "" },
	{ "no line end",    "a: b",                   "a", "A:b", "" },
	{ "a list",         "a: b, c@d.example,e\n",  "a",
	    "A:b A:c@d.example A:e", "" },
	{ "continued",      "a: b,\n\tc,\n  d\n",     "a", "A:b A:c A:d", "" },
	{ "comment inside", "a: b,\n# c\n\n d\n",     "a", "A:b A:d", "" },
	{ "CRLF",           "a: b,\r\n c\r\n",        "a", "A:b A:c", "" },
	{ "colon close by", "a:b\n",                  "a", "A:b", "" },
	{ "blank before it", "a : b\n",               "a", "A:b", "" },
	{ "quoted name",    "\"a b\": c\n",           "a b", "A:c", "" },
	{ "quoted colon",   "\"a:b\": c\n",           "a:b", "A:c", "" },
	{ "capitals",       "Postmaster: root\n",     "postmaster", "A:root",
	    "" },
	{ "asked in capitals", "bob: c\n",            "BOB", "A:c", "" },
	{ "both cases",     "Bob: c\nbob: d\n",       "bob", "A:d", "" },
	{ "exactly first",  "Bob: c\nbob: d\n",       "Bob", "A:c", "" },
	{ "with a domain",  "a@B.Example: c\n",       "a@b.example", "A:c",
	    "" },
	{ "command",        "a: |/bin/cat -n\n",      "a", "C:/bin/cat -n",
	    "" },
	{ "quoted command", "a: \"|/bin/x a, b\"\n",  "a", "C:/bin/x a, b",
	    "" },
	{ "quotes behind the bar", "a: |\"/bin/x a, b\", c\n", "a",
	    "C:/bin/x a, b A:c", "" },
	{ "escaped quotes", "a: \"|x \\\"y\\\" \\\\z\"\n", "a",
	    "C:x \"y\" \\z", "" },
	{ "file",           "a: /var/log/a\n",        "a", "F:/var/log/a",
	    "" },
	{ "include",        "a: :include:/etc/l\n",   "a", "I:/etc/l", "" },
	{ "include in capitals", "a: :INCLUDE:/etc/l\n", "a", "I:/etc/l", "" },
	{ "direct",         "a: \\a, b\n",            "a", "D:a A:b", "" },
	{ "quoted local part", "a: \"x y\"@d.example\n", "a",
	    "A:\"x y\"@d.example", "" },
	{ "a phrase",       "a: Ann Lee <a.lee@d.example>\n", "a",
	    "A:a.lee@d.example", "" },
	{ "quoted whole",   "a: \"b@d.example\"\n",   "a", "A:b@d.example",
	    "" },
	{ "empty values",   "a: b,, ,c,\n",           "a", "A:b A:c", "" },
	{ "not there",      "a: b\n",                 "c", NULL, "" },
	{ "comments alone", "# a: b\n  # c\n\n",      "a", NULL, "" },
	{ "no value",       "a:\nb: c\n",             "a", NULL, "1 " },
	{ "no colon",       "x\ny\nb: c\n",           "b", "A:c", "1 2 " },
	{ "twice",          "a: b\nx: y\na: c\n",     "a", "A:b", "3 " },
	{ "line of a long definition", "a: b\nc: <\n d\ne: f\n", "e", "A:f",
	    "2 " },
	{ "a bad value takes the line", "a: b, x y\n", "a", NULL, "1 " },
	{ "open quotes",    "a: \"|x\nb: c\n",        "b", "A:c", "1 " },
	{ "open quotes in a name", "\"a: b\nb: c\n",  "b", "A:c", "1 " },
	{ "continuation of nothing", "  a: b\nc: d\n", "c", "A:d", "1 " },
	{ "catch-all is no name", "@d.example: a\n",  "@d.example", NULL,
	    "1 " },
	{ "include of nothing", "a: :include:x\n",    "a", NULL, "1 " },
	{ "empty command",  "a: \"|\"\n",             "a", NULL, "1 " },
	{ "control character", "a: b\001c\n",         "a", NULL, "1 " },
};

static void
test_cases(void)
{
	struct aliases a = { 0 };
	size_t i;

	for (i = 0; i < nitems(cases); i++) {
		check_begin(cases[i].name);
		buf_reset(&complaints);
		aliases_parse(&a, span_str(cases[i].text), true, bad, NULL);
		check_str(show(&a, cases[i].key), cases[i].value);
		check_str(complaints.len == 0 ? "" : buf_str(&complaints),
		    cases[i].bad);
		aliases_clear(&a);
	}
}

static void
test_without_programs(void)
{
	struct aliases a = { 0 };

	check_begin("commands need as USER");
	buf_reset(&complaints);
	aliases_parse(&a, span_str("a: b\nc: |x\nd: e, /f\ng: :include:/h\n"),
	    false, bad, NULL);
	check_str(show(&a, "a"), "A:b");
	check_str(show(&a, "c"), NULL);
	check_str(show(&a, "d"), NULL);
	check_str(show(&a, "g"), NULL);
	check_str(buf_str(&complaints), "2 3 4 ");
	check_int(a.ndefined, 1);
	check_true(!a.has_programs);
	aliases_clear(&a);
}

static void
test_limits(void)
{
	struct aliases a = { 0 };
	struct buf text = BUF_INIT(1 << 20);
	unsigned i;
	uint32_t list;

	check_begin("values at the limit, and one more");
	buf_reset(&complaints);
	(void)buf_add_str(&text, "a: v0");
	for (i = 1; i < ALIASES_TARGETS_MAX; i++)
		(void)buf_addf(&text, ",v%u", i);
	(void)buf_addf(&text, "\nb: v0");
	for (i = 1; i <= ALIASES_TARGETS_MAX; i++)
		(void)buf_addf(&text, ",v%u", i);
	aliases_parse(&a, buf_span(&text), true, bad, NULL);
	check_true(aliases_find(&a, span_str("a"), &list));
	check_int(alias_count(&a, list), ALIASES_TARGETS_MAX);
	check_true(!aliases_find(&a, span_str("b"), &list));
	check_str(buf_str(&complaints), "2 ");
	aliases_clear(&a);

	check_begin("a value that is too long");
	buf_reset(&complaints);
	buf_reset(&text);
	(void)buf_add_str(&text, "a: |");
	for (i = 0; i < ALIAS_TARGET_MAX; i++)
		(void)buf_add_char(&text, 'x');
	aliases_parse(&a, buf_span(&text), true, bad, NULL);
	check_true(!aliases_find(&a, span_str("a"), &list));
	check_str(buf_str(&complaints), "1 ");
	aliases_clear(&a);
	buf_clear(&text);
}

int
main(void)
{
	test_cases();
	test_without_programs();
	test_limits();
	buf_clear(&complaints);
	return check_end();
}
