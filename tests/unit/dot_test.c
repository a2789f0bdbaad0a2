/* Tests lib/mail/dot.c: each case whole, octet by octet, and in two pieces. */
#include "lib/mail/dot.h"
#include "tests/unit/check.h"

#define TEXT_MAX 4096

static void
emit(void *arg, struct span text)
{
	check_true(text.len > 0);
	buf_add_span(arg, text);
}

/* Strings carry NULs: the length is the array's. */
#define S(s) s, sizeof(s) - 1

static const struct {
	const char *name, *in;
	size_t in_len;
	size_t taken; /* 0: all, and the text goes on */
	const char *out;
	size_t out_len;
	unsigned faults;
	uint64_t at;
} scans[] = {
	{ "empty text", S(".\r\n"), 3, S(""), 0, 0 },
	{ "one line", S("a\r\n.\r\n"), 6, S("a\r\n"), 0, 0 },
	{ "next command", S("a\r\n.\r\nQUIT\r\n"), 6, S("a\r\n"), 0, 0 },
	{ "dots", S("..\r\n.a\r\n...\r\nb.\r\n.\r\n"), 20,
	  S(".\r\na\r\n..\r\nb.\r\n"), 0, 0 },
	{ "no end yet", S("a\r\n."), 0, S("a\r\n"), 0, 0 },
	{ "no LF yet", S("a\r\n.\r"), 0, S("a\r\n"), 0, 0 },
	{ "LF.CRLF", S("a\n.\r\nb\r\n.\r\n"), 11, S("a\n.\r\nb\r\n"),
	  DOT_BARE_LF, 1 },
	{ "CRLF.LF", S("a\r\n.\nb\r\n.\r\n"), 11, S("a\r\n\nb\r\n"),
	  DOT_BARE_LF, 4 },
	{ "CR.CR", S("a\r.\rb\r\n.\r\n"), 10, S("a\r.\rb\r\n"),
	  DOT_BARE_CR, 1 },
	{ "CRLF.CR", S("a\r\n.\rb\r\n.\r\n"), 11, S("a\r\n\rb\r\n"),
	  DOT_BARE_CR, 4 },
	{ "CRLF.CRCRLF", S("a\r\n.\r\r\n.\r\n"), 10, S("a\r\n\r\r\n"),
	  DOT_BARE_CR, 4 },
	{ "CRCRLF.CRLF", S("a\r\r\n.\r\n"), 7, S("a\r\r\n"), DOT_BARE_CR, 1 },
	{ "NUL", S("a\0b\r\n.\r\n"), 8, S("a\0b\r\n"), DOT_NUL, 1 },
	{ "dot and NUL", S(".\0\r\n.\r\n"), 7, S("\0\r\n"), DOT_NUL, 1 },
	{ "NUL after the end", S("a\r\n.\r\n\0"), 6, S("a\r\n"), 0, 0 },
	{ "all faults", S("\na\rb\0\r\n.\r\n"), 10, S("\na\rb\0\r\n"),
	  DOT_BARE_CR | DOT_BARE_LF | DOT_NUL, 0 },
};

static void
run_scan(size_t c, size_t cut, size_t step)
{
	struct buf out = BUF_INIT(TEXT_MAX);
	struct dot_scan d;
	size_t at = 0, n, len = scans[c].in_len;

	dot_scan_init(&d, false);
	while (at < len && !d.done) {
		n = step > 0 ? step : at < cut ? cut - at : len - at;
		at += dot_scan(&d, span_make(scans[c].in + at, n), emit, &out);
	}
	check_int(d.done, scans[c].taken > 0);
	check_int(at, scans[c].taken > 0 ? scans[c].taken : len);
	check_int(d.offset, at);
	check_mem(buf_span(&out).p, out.len, scans[c].out, scans[c].out_len);
	check_int(d.faults, scans[c].faults);
	if (d.faults != 0)
		check_int(d.fault_at, scans[c].at);
	buf_clear(&out);
}

static void
test_scan(void)
{
	size_t c, cut;

	for (c = 0; c < nitems(scans); c++) {
		check_begin(scans[c].name);
		run_scan(c, 0, 1);
		for (cut = 0; cut <= scans[c].in_len; cut++)
			run_scan(c, cut, 0);
	}
}

static const struct {
	const char *name, *in;
	unsigned faults;
	uint64_t at;
	bool whole;
} chunks[] = {
	{ "chunk", "a\r\n.\r\n.b\r\n", 0, 0, true },
	{ "no line end", "a\r\nb", 0, 0, false },
	{ "nothing", "", 0, 0, true },
	{ "CR at the end", "a\r", DOT_BARE_CR, 1, false },
	{ "bare CR", "a\rb\r\n", DOT_BARE_CR, 1, true },
	{ "bare LF", "a\n", DOT_BARE_LF, 1, false },
};

static void
test_chunked(void)
{
	struct buf out = BUF_INIT(TEXT_MAX);
	struct dot_scan d;
	size_t c, i;

	for (c = 0; c < nitems(chunks); c++) {
		check_begin(chunks[c].name);
		buf_reset(&out);
		dot_scan_init(&d, true);
		for (i = 0; i < strlen(chunks[c].in); i++)
			check_int(dot_scan(&d, span_make(chunks[c].in + i, 1),
				emit, &out), 1);
		check_int(dot_scan_end(&d), chunks[c].whole);
		check_span(buf_span(&out), chunks[c].in);
		check_int(d.faults, chunks[c].faults);
		check_int(d.fault_at, chunks[c].at);
	}
	buf_clear(&out);
}

static const struct {
	const char *name, *in, *out;
} stuffs[] = {
	{ "nothing", "", ".\r\n" },
	{ "line", "a\r\n", "a\r\n.\r\n" },
	{ "no line end", "a", "a\r\n.\r\n" },
	{ "dots", ".\r\n..a\r\nb.\r\n", "..\r\n...a\r\nb.\r\n.\r\n" },
	{ "LF", "a\n.\n\n", "a\r\n..\r\n\r\n.\r\n" },
	{ "CR", "a\r.\rb", "a\r\n..\r\nb\r\n.\r\n" },
	{ "CRCRLF", "a\r\r\n.", "a\r\n\r\n..\r\n.\r\n" },
	{ "CR at the end", "a\r", "a\r\n.\r\n" },
	{ "LFCR", "a\n\r.b", "a\r\n\r\n..b\r\n.\r\n" },
	{ "smuggled end", "a\n.\nMAIL FROM:<>",
	  "a\r\n..\r\nMAIL FROM:<>\r\n.\r\n" },
};

static void
run_stuff(size_t c, size_t cut, size_t step)
{
	struct buf out = BUF_INIT(TEXT_MAX);
	struct dot_stuff s = { 0 };
	size_t at, n, len = strlen(stuffs[c].in);

	for (at = 0; at < len; at += n) {
		n = step > 0 ? step : at < cut ? cut - at : len - at;
		check_int(dot_stuff(&s, span_make(stuffs[c].in + at, n), &out),
		    0);
	}
	check_int(dot_stuff_end(&s, &out), 0);
	check_span(buf_span(&out), stuffs[c].out);
	buf_clear(&out);
}

static void
test_stuff(void)
{
	struct buf small = BUF_INIT(5);
	struct dot_stuff s = { 0 };
	size_t c, cut;

	for (c = 0; c < nitems(stuffs); c++) {
		check_begin(stuffs[c].name);
		run_stuff(c, 0, 1);
		for (cut = 0; cut <= strlen(stuffs[c].in); cut++)
			run_stuff(c, cut, 0);
	}
	check_begin("no room");
	check_int(dot_stuff(&s, span_str("abc"), &small), -1);
	check_int(small.len, 0);
	buf_clear(&small);
}

int
main(void)
{
	test_scan();
	test_chunked();
	test_stuff();
	return check_end();
}
