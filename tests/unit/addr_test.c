/* Tests lib/mail/addr.c, domain.c, addr_command.c, params.c and utf8.c. */
#include <arpa/inet.h>

#include <errno.h>

#include "lib/mail/addr.h"
#include "lib/mail/params.h"
#include "lib/mail/utf8.h"
#include "tests/unit/check.h"
#include "tests/unit/rec.h"

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define D63 "ddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
#define D189 D63 "." D63 "." D63 /* 191 octets with its dots */

static const struct {
	const char *name, *in;
	int rv;
	const char *local, *domain;
	bool routed;
} paths[] = {
	{ "plain", "<a@b.example>", 0, "a", "b.example", false },
	{ "null path", "<>", 0, "", "", false },
	{ "postmaster", "<PostMaster>", 0, "PostMaster", "", false },
	{ "no domain", "<root>", -1, NULL, NULL, false },
	{ "quotes are kept", "<\"a b\"@b.example>", 0, "\"a b\"", "b.example",
	  false },
	{ "> in quotes", "<\"a>b\"@b.example>", 0, "\"a>b\"", "b.example",
	  false },
	{ "empty quotes", "<\"\"@b.example>", 0, "\"\"", "b.example", false },
	{ "backslash", "<\"a\\\"b\"@b.example>", 0, "\"a\\\"b\"", "b.example",
	  false },
	{ "open quotes", "<\"a@b.example>", -1, NULL, NULL, false },
	{ "backslash at end", "<\"a\\\"@b.example>", -1, NULL, NULL, false },
	{ "backslash and control", "<\"a\\\n\"@b.example>", -1, NULL, NULL,
	  false },
	{ "text behind quotes", "<\"a\"b@b.example>", -1, NULL, NULL, false },
	{ "bare LF", "<a\n@b.example>", -1, NULL, NULL, false },
	{ "bare CR in quotes", "<\"a\rb\"@b.example>", -1, NULL, NULL, false },
	{ "route", "<@x.example,@y.example:a@b.example>", 0, "a", "b.example",
	  true },
	{ "route alone", "<@x.example:>", -1, NULL, NULL, false },
	{ "route without colon", "<@x.example>", -1, NULL, NULL, false },
	{ "route to postmaster", "<@x.example:postmaster>", -1, NULL, NULL,
	  false },
	{ "route twice", "<@x:@y:a@b>", -1, NULL, NULL, false },
	{ "one label", "<a@localhost>", 0, "a", "localhost", false },
	{ "dot at the end", "<a@b.example.>", -1, NULL, NULL, false },
	{ "two dots", "<a@b..example>", -1, NULL, NULL, false },
	{ "dot first", "<a@.example>", -1, NULL, NULL, false },
	{ "underscore", "<a@b_c.example>", -1, NULL, NULL, false },
	{ "hyphen first", "<a@-b.example>", -1, NULL, NULL, false },
	{ "hyphen last", "<a@b-.example>", -1, NULL, NULL, false },
	{ "local dot first", "<.a@b.example>", -1, NULL, NULL, false },
	{ "local dot last", "<a.@b.example>", -1, NULL, NULL, false },
	{ "local dots", "<a..b@b.example>", -1, NULL, NULL, false },
	{ "two at signs", "<a@b@c>", -1, NULL, NULL, false },
	{ "nested", "<<a@b>>", -1, NULL, NULL, false },
	{ "no brackets", "a@b", -1, NULL, NULL, false },
	{ "one bracket", "<", -1, NULL, NULL, false },
	{ "nothing", "", -1, NULL, NULL, false },
	{ "comment", "<a(c)@b>", -1, NULL, NULL, false },
	{ "blank", "<a b@c>", -1, NULL, NULL, false },
	{ "blank inside", "< a@c>", -1, NULL, NULL, false },
	{ "DEL", "<a\x7f@c>", -1, NULL, NULL, false },
	{ "shell text", "<;touch x;>", -1, NULL, NULL, false },
	{ "percent is text", "<a%c@b>", 0, "a%c", "b", false },
	{ "v4 literal", "<a@[192.0.2.1]>", 0, "a", "[192.0.2.1]", false },
	{ "v4 past 255", "<a@[300.0.2.1]>", -1, NULL, NULL, false },
	{ "v6 literal", "<a@[IPv6:::1]>", 0, "a", "[IPv6:::1]", false },
	{ "v6 without tag", "<a@[fe80::1]>", -1, NULL, NULL, false },
	{ "other literal", "<a@[x-tag:data]>", 0, "a", "[x-tag:data]", false },
	{ "open literal", "<a@[192.0.2.1>", -1, NULL, NULL, false },
	{ "UTF-8", "<\xc3\xbc@b\xc3\xbc" "cher.example>", 0, "\xc3\xbc",
	  "b\xc3\xbc" "cher.example", false },
	{ "broken UTF-8", "<\xc3\x28@b>", -1, NULL, NULL, false },
	{ "overlong UTF-8", "<\xc0\xaf@b>", -1, NULL, NULL, false },
	{ "surrogate", "<\xed\xa0\x80@b>", -1, NULL, NULL, false },
	{ "C1 control", "<\xc2\x85@b>", -1, NULL, NULL, false },
	{ "foreign dot", "<a@b\xe3\x80\x82" "example>", -1, NULL, NULL, false },
	{ "local 64", "<" A64 "@b>", 0, A64, "b", false },
	{ "local 65", "<a" A64 "@b>", -1, NULL, NULL, false },
	{ "label 63", "<a@" D63 ">", 0, "a", D63, false },
	{ "label 64", "<a@d" D63 ">", -1, NULL, NULL, false },
	{ "path of 258", "<" A64 "@" D189 ">", -1, NULL, NULL, false },
	{ "path of 259", "<" "a@" D189 "." D63 ">", -1, NULL, NULL, false },
};

static void
test_paths(void)
{
	struct addr a;
	size_t i;
	int rv;

	for (i = 0; i < nitems(paths); i++) {
		check_begin(paths[i].name);
		rv = addr_parse_path(span_str(paths[i].in), &a);
		if (!check_int(rv, paths[i].rv) || rv == -1)
			continue;
		check_span(a.local, paths[i].local);
		check_span(a.domain, paths[i].domain);
		check_int(a.routed, paths[i].routed);
	}
}

/* Every length around the limits, with a NUL in each place of the shortest. */
static void
test_lengths(void)
{
	char path[600];
	struct addr a;
	size_t i, n;

	check_begin("lengths");
	for (n = 200; n < 300; n++) {
		memset(path, 'd', sizeof(path));
		memcpy(path, "<a@", 3);
		for (i = 10; i < n - 2; i += 50)
			path[i] = '.';
		path[n - 2] = 'd';
		path[n - 1] = '>';
		errno = 0;
		check_int(addr_parse_path(span_make(path, n), &a),
		    n <= ADDR_PATH_MAX ? 0 : -1);
		if (n > ADDR_PATH_MAX)
			check_int(errno, EMSGSIZE);
	}
	check_begin("NUL");
	for (i = 0; i < 9; i++) {
		memcpy(path, "<abc@def>", 9);
		path[i] = '\0';
		check_int(addr_parse_path(span_make(path, 9), &a), -1);
	}
}

static const struct {
	const char *name, *in, *canon;
} canons[] = {
	{ "plain", "User1@B.Example", "User1@b.example" },
	{ "needless quotes", "\"user1\"@b", "user1@b" },
	{ "needless backslash", "\"us\\er1\"@b", "user1@b" },
	{ "needed quotes", "\"a b\"@b", "\"a b\"@b" },
	{ "quote", "\"a\\\"b\\\\c\"@b", "\"a\\\"b\\\\c\"@b" },
	{ "empty", "\"\"@b", "\"\"@b" },
	{ "dots", "\"a.b\"@b", "a.b@b" },
	{ "odd dots", "\"a..b\"@b", "\"a..b\"@b" },
	{ "literal", "a@[IPv6:2001:DB8::1]", "a@[ipv6:2001:db8::1]" },
};

static void
test_canon(void)
{
	char text[ADDR_TEXT], local[ADDR_LOCAL_TEXT];
	struct addr a, b;
	size_t i;

	for (i = 0; i < nitems(canons); i++) {
		check_begin(canons[i].name);
		if (!check_int(addr_parse_mailbox(span_str(canons[i].in), &a),
			0))
			continue;
		check_span(addr_canon(&a, text), canons[i].canon);
		check_int(addr_parse_mailbox(span_str(text), &b), 0);
		check_true(addr_equal(&a, &b));
		check_span(addr_format(&a, text), canons[i].in);
	}
	check_begin("unquote");
	addr_parse_mailbox(span_str("\"a\\\\ \\b\"@x"), &a);
	check_span(addr_unquote_local(&a, local), "a\\ b");
	check_begin("make");
	check_int(addr_make(span_str("a b"), span_str("X.example"), text), 0);
	check_str(text, "\"a b\"@x.example");
	check_int(addr_make(span_str("a\nb"), span_str("x.example"), text), -1);
	check_int(addr_make(span_str(A64), span_str("x"), text), 0);
	check_int(addr_make(span_str("a" A64), span_str("x"), text), -1);
	check_int(addr_make(span_str("a"), span_str(""), text), -1);
	check_begin("text");
	check_int(addr_parse_text(span_str(""), &a), 0);
	check_true(addr_is_null(&a));
	check_int(addr_parse_text(span_str("postmaster"), &a), 0);
	check_true(addr_is_postmaster(&a));
	check_int(addr_parse_text(span_str("@x:a@b"), &a), -1);
	check_begin("equal");
	addr_parse_path(span_str("<a@b>"), &a);
	addr_parse_path(span_str("<A@b>"), &b);
	check_true(!addr_equal(&a, &b));
	addr_parse_path(span_str("<>"), &b);
	check_true(!addr_equal(&a, &b));
	check_true(!addr_is_utf8(&a));
	addr_parse_path(span_str("<a@\xc3\xbc>"), &a);
	check_true(addr_is_utf8(&a));
}

static const struct {
	const char *name;
	enum addr_use use;
	const char *in;
	int rv;
	const char *text, *params;
} commands[] = {
	{ "plain", ADDR_REVERSE, "FROM:<a@b>", 0, "a@b", "" },
	{ "case", ADDR_REVERSE, "from:<a@b>", 0, "a@b", "" },
	{ "null", ADDR_REVERSE, "FROM:<> BODY=7BIT", 0, "", "BODY=7BIT" },
	{ "null forward", ADDR_FORWARD, "TO:<>", -1, NULL, NULL },
	{ "postmaster", ADDR_FORWARD, "TO:<Postmaster>", 0, "Postmaster", "" },
	{ "postmaster sends", ADDR_REVERSE, "FROM:<postmaster>", -1, NULL,
	  NULL },
	{ "blanks", ADDR_REVERSE, "FROM: \t <a@b> \t", 0, "a@b", "" },
	{ "bare", ADDR_REVERSE, "FROM: a@b.example SIZE=7 X", 0, "a@b.example",
	  "SIZE=7 X" },
	{ "bare and AUTH=<>", ADDR_REVERSE, "FROM: a@b AUTH=<>", 0, "a@b",
	  "AUTH=<>" },
	{ "bare with quotes", ADDR_REVERSE, "FROM:\"a\"@b", -1, NULL, NULL },
	{ "bare in quotes", ADDR_REVERSE, "FROM:\"a <b@c>\"@d", -1, NULL,
	  NULL },
	{ "bare postmaster", ADDR_FORWARD, "TO:postmaster", -1, NULL, NULL },
	{ "bare null", ADDR_REVERSE, "FROM:", -1, NULL, NULL },
	{ "blanks alone", ADDR_REVERSE, "FROM:   ", -1, NULL, NULL },
	{ "no colon", ADDR_REVERSE, "FROM <a@b>", -1, NULL, NULL },
	{ "other word", ADDR_REVERSE, "TO:<a@b>", -1, NULL, NULL },
	{ "phrase", ADDR_REVERSE, "FROM:Finn the Human <finn@treehouse>", 0,
	  "finn@treehouse", "" },
	{ "phrase in quotes", ADDR_FORWARD, "TO:\"Jake, the Dog\" <a@b> X", 0,
	  "a@b", "X" },
	{ "phrase without blank", ADDR_FORWARD, "TO:BMO<a@b>", 0, "a@b", "" },
	{ "phrase with at", ADDR_FORWARD, "TO:x@y <a@b>", 0, "x@y", "<a@b>" },
	{ "quotes with at", ADDR_FORWARD, "TO:\"x@y\" <a@b>", -1, NULL, NULL },
	{ "quotes with bracket", ADDR_FORWARD, "TO:\"x<y\" <a@b>", -1, NULL,
	  NULL },
	{ "phrase with mark", ADDR_FORWARD, "TO:x;y <a@b>", -1, NULL, NULL },
	{ "phrase too long", ADDR_FORWARD, "TO:a" A64 " <a@b>", -1, NULL,
	  NULL },
	{ "phrase 64", ADDR_FORWARD, "TO:" A64 " <a@b>", 0, "a@b", "" },
	{ "nested", ADDR_FORWARD, "TO:<<a@b>>", -1, NULL, NULL },
	{ "open", ADDR_FORWARD, "TO:<a@b", -1, NULL, NULL },
	{ "closed alone", ADDR_FORWARD, "TO:a@b>", -1, NULL, NULL },
	{ "no blank behind", ADDR_FORWARD, "TO:<a@b>X", -1, NULL, NULL },
	{ "> in quotes", ADDR_FORWARD, "TO:<\"a> b\"@c> X", 0, "\"a> b\"@c",
	  "X" },
};

static void
test_commands(void)
{
	char text[ADDR_TEXT];
	struct span params;
	struct addr a;
	size_t i;
	int rv;

	for (i = 0; i < nitems(commands); i++) {
		check_begin(commands[i].name);
		rv = addr_parse_command(span_str(commands[i].in),
		    commands[i].use, &a, &params);
		if (!check_int(rv, commands[i].rv) || rv == -1)
			continue;
		check_span(addr_format(&a, text), commands[i].text);
		check_span(params, commands[i].params);
	}
}

static const struct {
	const char *name, *in;
	int rv[3];
	const char *keyword, *value;
} params[] = {
	{ "none", "", { 0 }, NULL, NULL },
	{ "one", "SIZE=7", { 1, 0 }, "SIZE", "7" },
	{ "no value", "SMTPUTF8", { 1, 0 }, "SMTPUTF8", NULL },
	{ "blanks", "  a   B-1=<> ", { 1, 1, 0 }, "B-1", "<>" },
	{ "empty value", "SIZE=", { -1 }, NULL, NULL },
	{ "equals twice", "A=b=c", { -1 }, NULL, NULL },
	{ "no keyword", "=b", { -1 }, NULL, NULL },
	{ "hyphen first", "-a", { -1 }, NULL, NULL },
	{ "bracket", "<a@b>", { -1 }, NULL, NULL },
	{ "tab", "A=b\tc", { -1 }, NULL, NULL },
	{ "UTF-8", "A=\xc3\xbc", { 1, 0 }, "A", "\xc3\xbc" },
	{ "no UTF-8", "A=\xfc", { -1 }, NULL, NULL },
};

static void
test_params(void)
{
	struct span rest, keyword, value;
	size_t i, k;
	int rv;

	for (i = 0; i < nitems(params); i++) {
		check_begin(params[i].name);
		rest = span_str(params[i].in);
		keyword = value = span_str(NULL);
		for (k = 0; k < nitems(params[i].rv); k++) {
			struct span kw, v;

			rv = smtp_params_next(&rest, &kw, &v);
			check_int(rv, params[i].rv[k]);
			if (rv != 1)
				break;
			keyword = kw;
			value = v;
		}
		if (params[i].keyword == NULL)
			continue;
		check_span(keyword, params[i].keyword);
		if (params[i].value == NULL)
			check_true(value.p == NULL);
		else
			check_span(value, params[i].value);
	}
}

static const struct {
	const char *in, *out;
} xtexts[] = {
	{ "", "" }, { "b+40example", "b@example" }, { "a+2Bb", "a+b" },
	{ "a+", NULL }, { "a+4", NULL }, { "a+4g", NULL }, { "a+4a", NULL },
	{ "a=b", NULL }, { "a b", NULL }, { "a+20b", "a b" }, { "+0A", NULL },
	{ "+00", NULL }, { "+7F", NULL }, { "\xc3\xbc", NULL },
	{ "12345678", NULL },
};

static void
test_xtext(void)
{
	struct buf b = BUF_INIT(100);
	char out[10], back[100];
	ssize_t n;
	size_t i;

	for (i = 0; i < nitems(xtexts); i++) {
		check_begin(xtexts[i].in);
		n = xtext_decode(span_str(xtexts[i].in), out,
		    i == nitems(xtexts) - 1 ? 8 : sizeof(out));
		if (xtexts[i].out == NULL) {
			check_int(n, -1);
			continue;
		}
		check_str(out, xtexts[i].out);
		check_int(n, (ssize_t)strlen(xtexts[i].out));
	}
	check_begin("encode");
	check_int(xtext_encode(&b, span_str("a b+c=d@e")), 0);
	check_span(buf_span(&b), "a+20b+2Bc+3Dd@e");
	check_true(xtext_decode(buf_span(&b), back, sizeof(back)) != -1);
	check_str(back, "a b+c=d@e");
	buf_clear(&b);
}

static void
test_literals(void)
{
	struct in6_addr ip;
	char text[INET6_ADDRSTRLEN], domain[ADDR_DOMAIN_TEXT];
	uint32_t cp;

	check_begin("literal");
	check_int(literal_parse(span_str("[192.0.2.1]"), &ip), 0);
	check_str(inet_ntop(AF_INET6, &ip, text, sizeof(text)),
	    "::ffff:192.0.2.1");
	check_int(literal_parse(span_str("[ipv6:2001:db8::1]"), &ip), 0);
	check_str(inet_ntop(AF_INET6, &ip, text, sizeof(text)), "2001:db8::1");
	check_int(literal_parse(span_str("[x:y]"), &ip), -1);
	check_int(literal_parse(span_str("192.0.2.1"), &ip), -1);
	check_begin("domain");
	check_int(domain_canon(span_str("B.Example"), domain), 0);
	check_str(domain, "b.example");
	check_int(domain_canon(span_str("b.example."), domain), -1);
	check_int(domain_canon(span_str(""), domain), -1);
	check_int(utf8_next(span_str("\xf0\x9f\x93\xa7"), &cp), 4);
	check_int(cp, 0x1f4e7);
	check_int(utf8_next(span_str("\xf4\x90\x80\x80"), &cp), 0);
	check_int(utf8_next(span_make("\xe2\x82", 2), &cp), 0);
}

/* Words of our own that the vectors' other fields do not know. */
static bool
command_params_ok(struct span rest, const struct addr *a)
{
	struct span keyword, value;
	bool utf8 = false, size = false;
	uint64_t n;
	int rv;

	while ((rv = smtp_params_next(&rest, &keyword, &value)) == 1) {
		if (span_caseeq(keyword, "SMTPUTF8"))
			utf8 = true;
		if (span_caseeq(keyword, "SIZE")) {
			if (size || span_u64(value, UINT64_MAX, &n) == -1)
				return false;
			size = true;
		}
	}
	return rv == 0 && (utf8 || !addr_is_utf8(a));
}

/* What only smtpd can refuse: parameters it does not know or cannot obey. */
static bool
is_for_smtpd(const char *argument)
{
	static const char *const words[] = { " FOO=", " RET=SOME",
		"NEVER,SUCCESS", " ORCPT=rfc822;bad+4" };
	size_t i;

	for (i = 0; i < nitems(words); i++)
		if (strstr(argument, words[i]) != NULL)
			return true;
	return false;
}

static void
test_vectors(void)
{
	static struct rec r;
	struct addr a;
	struct in6_addr ip;
	struct span rest;
	const char *want;
	char text[ADDR_TEXT];
	bool ok;

	for (rec_open(&r, "address/isemail.rec"); rec_next(&r);) {
		check_begin(rec_str(&r, "address"));
		ok = addr_parse_mailbox(rec_get(&r, "address"), &a) == 0;
		check_int(ok, span_eqstr(rec_get(&r, "smtp"), "yes"));
	}
	for (rec_open(&r, "address/literals.rec"); rec_next(&r);) {
		check_begin(rec_str(&r, "literal"));
		want = rec_str(&r, "valid");
		ok = literal_parse(rec_get(&r, "literal"), &ip) == 0;
		if (strcmp(want, "lenient") != 0)
			check_int(ok, strcmp(want, "yes") == 0);
	}
	for (rec_open(&r, "address/smtp-commands.rec"); rec_next(&r);) {
		check_begin(rec_str(&r, "argument"));
		want = rec_str(&r, "valid");
		if (strcmp(want, "lenient") == 0 || is_for_smtpd(
		    rec_str(&r, "argument")))
			continue;
		ok = addr_parse_command(rec_get(&r, "argument"),
		    strcmp(rec_str(&r, "verb"), "MAIL") == 0 ? ADDR_REVERSE
		    : ADDR_FORWARD, &a, &rest) == 0 &&
		    command_params_ok(rest, &a);
		if (check_int(ok, strcmp(want, "yes") == 0) && ok)
			check_span(addr_format(&a, text),
			    rec_str(&r, "address"));
	}
}

int
main(void)
{
	test_paths();
	test_lengths();
	test_canon();
	test_commands();
	test_params();
	test_xtext();
	test_literals();
	test_vectors();
	return check_end();
}
