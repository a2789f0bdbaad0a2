/*
 * barid_story_test.c - the admin's command without the suite: sentences,
 * selectors, numbers and JSON.
 */
#include "ctl/ctl.h"
#include "tests/unit/check.h"

/* -- records from "key=value" words; digits alone are a number ------------- */

static const struct fields *
fields(struct fields *f, const char *const *words)
{
	const char *eq;
	uint64_t v;

	f->n = 0;
	for (; *words != NULL; words++) {
		struct ctl_field *x = &f->list[f->n++];

		eq = strchr(*words, '=');
		*x = (struct ctl_field){ .key = span_make(*words,
		    (size_t)(eq - *words)), .kind = CTL_TEXT,
		    .text = span_str(eq + 1) };
		if (span_u64(x->text, UINT64_MAX, &v) == 0) {
			x->kind = CTL_NUMBER;
			x->number = v;
		}
	}
	return f;
}

static void
test_sentences(void)
{
	static const struct {
		const char *words[12], *sentence;
	} cases[] = {
		{ { "event=accepted", "from=a@b", "to=c@d", "rcpts=1",
		    "size=2048", "client=192.0.2.1:25", "msgid=<m@b>" },
		    "accepted from <a@b> for c@d, 2.0K octets, by "
		    "192.0.2.1:25, Message-ID <m@b>" },
		{ { "event=accepted", "from=", "rcpts=3" },
		    "accepted from <> for 3 recipients" },
		{ { "event=expanded", "to=list@d", "count=2" },
		    "list@d stands for 2 recipients" },
		{ { "event=delivered", "to=c@d", "orcpt=x@d", "user=c",
		    "delay=3" },
		    "delivered to c@d (sent to x@d), account c, after 3 s" },
		{ { "event=relayed", "to=c@d", "host=mx.d [192.0.2.9]",
		    "status=2.0.0", "reply=250 2.0.0 ok" },
		    "another host took it for c@d; mx.d [192.0.2.9] said: "
		    "250 2.0.0 ok" },
		{ { "event=relayed", "to=c@d", "tls=TLSv1.3,dane",
		    "host=mx.d", "reply=250 2.0.0 ok" },
		    "another host took it for c@d, encrypted (TLSv1.3,dane); "
		    "mx.d said: 250 2.0.0 ok" },
		{ { "event=relayed", "to=c@d", "tls=none" },
		    "another host took it for c@d, in clear" },
		{ { "event=delivered", "to=c@d", "tls=TLSv1.2,required" },
		    "delivered to c@d, encrypted (TLSv1.2,required)" },
		{ { "event=tls.failed", "host=mx.d", "text=it closed" },
		    "no TLS with mx.d: it closed" },
		{ { "event=deferred", "to=c@d", "next=600", "status=4.4.1",
		    "reply=connection refused" },
		    "c@d has to wait, next attempt in 10 min: 4.4.1 "
		    "connection refused" },
		{ { "event=deferred", "to=c@d", "next=600", "host=mx.d:25",
		    "status=4.4.1", "reply=mx.d:25: cannot connect" },
		    "c@d has to wait, next attempt in 10 min: 4.4.1 "
		    "mx.d:25: cannot connect" },
		{ { "event=failed", "to=c@d", "host=mx.d",
		    "reply=550 5.1.1 no" },
		    "c@d failed for good; mx.d said: 550 5.1.1 no" },
		{ { "event=expired", "to=c@d", "delay=432000" },
		    "c@d was given up after 5 d" },
		{ { "event=dsn", "to=a@b", "text=0ABC" },
		    "a report goes to a@b as letter 0ABC" },
		{ { "event=done" }, "all recipients are settled" },
		{ { "event=operator", "verb=hold" },
		    "an admin's command: hold" },
		{ { "event=held", "user=joe@b", "rcpts=1",
		    "reason=letters/hour" },
		    "held: joe@b has sent as much as it may (letters/hour)" },
		{ { "event=spool.new", "time_us=1", "program=queued",
		    "count=7", "text=x y" }, "spool.new count=7 text=x y" },
		{ { "event=accepted" }, "accepted from <> for 0 recipients" },
	};
	struct buf b = BUF_INIT(4096);
	struct fields f;
	size_t i;

	for (i = 0; i < nitems(cases); i++) {
		check_begin(cases[i].sentence);
		buf_reset(&b);
		story_sentence(fields(&f, cases[i].words), &b);
		check_str(buf_str(&b), cases[i].sentence);
	}
	buf_clear(&b);
}

static void
test_waiting(void)
{
	static const struct {
		const char *words[10], *sentence;
	} cases[] = {
		{ { "to=c@d", "state=deferred", "next=1600", "attempt=2",
		    "reply=451 later" },
		    "c@d waits, next attempt in 10 min, 2 attempts made: "
		    "451 later" },
		{ { "to=c@d", "state=active" }, "c@d is under way" },
		{ { "to=c@d", "state=deferred", "next=999", "attempt=1" },
		    "c@d is due now, 1 attempt made" },
		{ { "to=c@d", "state=held" }, "c@d is held" },
		{ { "to=c@d", "state=active", "outcome=delivered" },
		    "c@d delivered" },
		{ { "to=c@d", "state=active", "outcome=waiting",
		    "next=1100" }, "c@d waits, next attempt in 100 s" },
	};
	struct buf b = BUF_INIT(4096);
	struct fields f;
	size_t i;

	for (i = 0; i < nitems(cases); i++) {
		check_begin(cases[i].sentence);
		buf_reset(&b);
		story_waiting(fields(&f, cases[i].words), 1000, &b);
		check_str(buf_str(&b), cases[i].sentence);
	}
	buf_clear(&b);
}

static void
test_selectors(void)
{
	static const struct {
		const char *argv[6], *words; /* NULL: refused */
	} cases[] = {
		{ { NULL }, "" },
		{ { "0000200000001" }, "qid=0000200000001 " },
		{ { "a@b.example" }, "to=a@b.example " },
		{ { "b.example" }, "domain=b.example " },
		{ { "@b.example" }, "domain=b.example " },
		{ { "--from", "<>", "--held" }, "from= state=held " },
		{ { "--from", "<a@b>", "--to", "c@d" }, "from=a@b to=c@d " },
		{ { "--account", "x", "--deferred" },
		    "account=x state=deferred " },
		{ { "--all" }, "all " },
		{ { "--by", "route" }, "" },
		{ { "--by", "color" }, NULL },
		{ { "--from" }, NULL },
		{ { "--bogus" }, NULL },
		{ { "word" }, NULL },
	};
	struct selectors s;
	char *argv[6], all[500];
	size_t i, k;
	int argc, rv;

	for (i = 0; i < nitems(cases); i++) {
		for (argc = 0; argc < 6 && cases[i].argv[argc] != NULL; argc++)
			argv[argc] = (char *)(uintptr_t)cases[i].argv[argc];
		check_begin(argc == 0 ? "no selector" : argv[0]);
		rv = selectors_parse(&s, argc, argv);
		check_int(rv, cases[i].words == NULL ? EX_USAGE : 0);
		all[0] = '\0';
		for (k = 0; k < s.n; k++) {
			strlcat(all, s.words[k], sizeof(all));
			strlcat(all, " ", sizeof(all));
		}
		if (cases[i].words != NULL)
			check_str(all, cases[i].words);
		selectors_clear(&s);
	}
}

static void
test_numbers(void)
{
	static const struct { int64_t s; const char *text; } times[] = {
		{ -5, "0 s" }, { 0, "0 s" }, { 119, "119 s" },
		{ 120, "2 min" }, { 7199, "119 min" }, { 7200, "2 h" },
		{ 172799, "47 h" }, { 172800, "2 d" },
	};
	static const struct { uint64_t n; const char *text; } sizes[] = {
		{ 0, "0" }, { 1023, "1023" }, { 1024, "1.0K" },
		{ 10239, "9.9K" }, { 10240, "10K" }, { 1048575, "1023K" },
		{ 1048576, "1.0M" }, { (uint64_t)5 << 30, "5.0G" },
		{ (uint64_t)5 << 50, "5120T" },
	};
	char out[HUMAN_MAX];
	size_t i;

	for (i = 0; i < nitems(times); i++) {
		check_begin(times[i].text);
		check_str(human_time(times[i].s, out), times[i].text);
	}
	for (i = 0; i < nitems(sizes); i++) {
		check_begin(sizes[i].text);
		check_str(human_octets(sizes[i].n, out), sizes[i].text);
	}
}

/* What fn prints. */
static const char *
printed(void (*fn)(FILE *f, struct span s), struct span s, char *out,
    size_t size)
{
	FILE *f = fmemopen(out, size, "w");

	if (f == NULL)
		return "fmemopen";
	fn(f, s);
	fclose(f);
	return out;
}

static void
test_safe(void)
{
	char out[200];

	check_begin("nothing for a terminal");
	check_str(printed(put_safe, span_make("a\033[2J\n\xc3\xa4\0b", 10),
	    out, sizeof(out)), "a\\x1b[2J\\x0a\\xc3\\xa4\\x00b");
	check_str(printed(put_lines, span_str("A: b\r\n\tc\033\nd"), out,
	    sizeof(out)), "A: b\n\tc\\x1b\nd");
	check_begin("JSON strings");
	check_str(printed(put_json, span_make("a\"\\\n\xff\0", 6), out,
	    sizeof(out)), "\"a\\\"\\\\\\u000a\\u00ff\\u0000\"");
}

int
main(void)
{
	if (freopen("/dev/null", "w", stderr) == NULL) /* complaints wanted */
		return 1;
	test_sentences();
	test_waiting();
	test_selectors();
	test_numbers();
	test_safe();
	return check_end();
}
