/* tests/unit/relay_reply_test.c - replies of other hosts, kind and hostile. */
#include "relay/reply.h"

#include "tests/unit/check.h"

static const struct {
	const char *name;
	const char *lines[4];
	enum reply_state last;
	unsigned code;
	const char *enhanced, *text;
} cases[] = {
	{ "plain", { "250 2.1.0 Ok" }, REPLY_DONE, 250, "2.1.0",
	    "250 2.1.0 Ok" },
	{ "code alone", { "354" }, REPLY_DONE, 354, "3.0.0", "354" },
	{ "code and blank", { "250 " }, REPLY_DONE, 250, "2.0.0", "250 " },
	{ "three lines", { "550-5.1.1 No", "550-5.1.1 such", "550 5.1.1 user" },
	    REPLY_DONE, 550, "5.1.1",
	    "550-5.1.1 No 550-5.1.1 such 550 5.1.1 user" },
	{ "enhanced in the last line only", { "450-wait", "450 4.7.1 a bit" },
	    REPLY_DONE, 450, "4.7.1", "450-wait 450 4.7.1 a bit" },
	{ "unfinished", { "250-one" }, REPLY_MORE, 250, "2.0.0", "250-one" },
	{ "another class", { "450 5.1.1 what" }, REPLY_DONE, 450, "4.0.0",
	    "450 5.1.1 what" },
	{ "not quite enhanced", { "550 5.1 what" }, REPLY_DONE, 550, "5.0.0",
	    "550 5.1 what" },
	{ "enhanced too long", { "550 5.1234.1 x" }, REPLY_DONE, 550, "5.0.0",
	    "550 5.1234.1 x" },
	{ "enhanced and no blank", { "550 5.1.1x" }, REPLY_DONE, 550, "5.0.0",
	    "550 5.1.1x" },
	{ "enhanced alone", { "550 5.123.123" }, REPLY_DONE, 550, "5.123.123",
	    "550 5.123.123" },
	{ "controls and 8 bits", { "550 a\tb\033[1m\303\274\r" }, REPLY_DONE,
	    550, "5.0.0", "550 a?b?[1m???" },
	{ "codes differ", { "250-a", "550 b" }, REPLY_BAD, 250, NULL, NULL },
	{ "no code", { "hello" }, REPLY_BAD, 0, NULL, NULL },
	{ "empty", { "" }, REPLY_BAD, 0, NULL, NULL },
	{ "two digits", { "25 a" }, REPLY_BAD, 0, NULL, NULL },
	{ "four digits", { "2500" }, REPLY_BAD, 0, NULL, NULL },
	{ "code 100", { "100 a" }, REPLY_BAD, 0, NULL, NULL },
	{ "code 600", { "600 a" }, REPLY_BAD, 0, NULL, NULL },
	{ "a sign", { "+25 a" }, REPLY_BAD, 0, NULL, NULL },
};

static void
test_bounds(void)
{
	struct reply r;
	char line[REPLY_LINE_MAX];
	unsigned i;

	check_begin("a hundred lines and one");
	reply_init(&r);
	for (i = 0; i < REPLY_LINES_MAX; i++)
		check_int(reply_line(&r, span_str("250-x"), NULL), REPLY_MORE);
	check_int(reply_line(&r, span_str("250 x"), NULL), REPLY_BAD);

	check_begin("the text is cut");
	memset(line, 'x', sizeof(line));
	memcpy(line, "550 ", 4);
	reply_init(&r);
	check_int(reply_line(&r, span_make(line, sizeof(line)), NULL),
	    REPLY_DONE);
	check_int(strlen(r.text), REPLY_TEXT_MAX);
}

static void
test_caps(void)
{
	struct caps c = { .greeted = false };

	check_begin("EHLO");
	caps_line(&c, span_str("mx.example.test at your service"));
	caps_line(&c, span_str("pipelining"));
	caps_line(&c, span_str("SIZE 1000"));
	caps_line(&c, span_str("8BITMIME"));
	caps_line(&c, span_str("X-UNHEARD of"));
	caps_line(&c, span_str(""));
	caps_line(&c, span_str("DSN"));
	check_str(c.name, "mx.example.test");
	check_true(c.pipelining && c.size && c.eightbit && c.dsn && !c.utf8);
	check_int(c.size_max, 1000);
	caps_line(&c, span_str("SMTPUTF8"));
	caps_line(&c, span_str("SIZE"));
	check_true(c.utf8);
	check_int(c.size_max, 0);
	caps_line(&c, span_str("SIZE 99999999999999999999999"));
	check_int(c.size_max, 0);
	c = (struct caps){ .greeted = false };
	caps_line(&c, span_str("PIPELINING"));
	check_true(!c.pipelining);
	c = (struct caps){ .greeted = false };
	caps_line(&c, span_str(""));
	caps_line(&c, span_str("PIPELINING"));
	check_true(c.pipelining);
}

int
main(void)
{
	enum reply_state last = REPLY_MORE;
	struct reply r;
	size_t i, k;

	for (i = 0; i < nitems(cases); i++) {
		check_begin(cases[i].name);
		reply_init(&r);
		for (k = 0; k < 4 && cases[i].lines[k] != NULL; k++)
			last = reply_line(&r, span_str(cases[i].lines[k]),
			    NULL);
		check_int(last, cases[i].last);
		check_int(r.code, cases[i].code);
		if (last == REPLY_BAD)
			continue;
		check_str(reply_enhanced(&r), cases[i].enhanced);
		check_str(r.text, cases[i].text);
	}
	test_bounds();
	test_caps();
	return check_end();
}
