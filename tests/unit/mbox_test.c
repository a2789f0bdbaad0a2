/* Tests lib/mail/mbox.c: each case whole, octet by octet, and in two pieces. */
#include "lib/mail/mbox.h"
#include "tests/unit/check.h"

#define TEXT_MAX 4096

static const struct {
	const char *name, *in, *out;
	const char *back; /* what a reader gets, NULL: in */
} letters[] = {
	{ "plain", "A: b\r\n\r\ntext\r\n", "A: b\n\ntext\n\n", NULL },
	{ "quoted", "A: b\r\n\r\nFrom a\r\n>From b\r\n>>From c\r\nFrom\r\n",
	  "A: b\n\n>From a\n>>From b\n>>>From c\nFrom\n\n", NULL },
	{ "not quoted",
	  "A: b\r\n\r\n> From\r\nfrom x\r\n>Fro\r\n>\r\nFFrom x\r\n",
	  "A: b\n\n> From\nfrom x\n>Fro\n>\nFFrom x\n\n", NULL },
	{ "From alone", "A: b\r\n\r\nFrom \r\n", "A: b\n\n>From \n\n", NULL },
	{ "no line end", "A: b\r\n\r\nFrom x", "A: b\n\n>From x\n\n",
	  "A: b\n\nFrom x\n" },
	{ "cut in From", "A: b\r\n\r\n>Fro", "A: b\n\n>Fro\n\n",
	  "A: b\n\n>Fro\n" },
	{ "cut in >", "A: b\r\n\r\n>", "A: b\n\n>\n\n", "A: b\n\n>\n" },
	{ "state fields", "Status: RO\r\nX-Status: A\r\nX-UID: 1\r\nA: b\r\n"
	  "X-IMAP:\r\n x\r\nX-IMAPbase: 1\r\nX-Keywords: z\r\n"
	  "Content-Length : 7\r\nReturn-Path: <x>\r\n\r\nStatus: RO\r\n",
	  "A: b\n\nStatus: RO\n\n", "A: b\n\nStatus: RO\n" },
	{ "From_ first", "From a b\r\nA: b\r\n", "\n>From a b\nA: b\n\n",
	  "\nFrom a b\nA: b\n" },
	{ "text at once", "hello\r\n", "\nhello\n\n", "\nhello\n" },
	{ "empty lines", "A: b\r\n\r\n\r\n\r\n", "A: b\n\n\n\n\n", NULL },
	{ "bare CR", "A: b\r\n\r\na\rb\r\r\n\r", "A: b\n\na\rb\r\n\n\n",
	  "A: b\n\na\rb\r\n\n" },
	{ "bare LF", "A: b\r\n\r\na\nFrom b\n", "A: b\n\na\n>From b\n\n",
	  NULL },
	{ "header alone", "A: b\r\n", "A: b\n\n", NULL },
	{ "nothing", "", "\n", "" },
};

/* The text of the file, a line at a time, as its reader gets it. */
static void
decode(struct span text, struct buf *back)
{
	struct mbox_decoder d = MBOX_DECODER_INIT;
	struct span line, rest = text;

	while (rest.len > 0) {
		span_split(rest, '\n', &line, &rest);
		line.len += line.len < text.len &&
		    line.p + line.len < text.p + text.len;
		check_int(mbox_decode(&d, line, back), 0);
	}
	check_int(mbox_decode_end(&d, back), 0);
}

static void
run_letter(size_t c, size_t cut, size_t step)
{
	struct buf out = BUF_INIT(TEXT_MAX), back = BUF_INIT(TEXT_MAX);
	struct buf want = BUF_INIT(TEXT_MAX);
	struct span in = span_str(letters[c].in);
	struct mbox_put m = { 0 };
	const char *p = letters[c].back != NULL ? letters[c].back :
	    letters[c].in;
	size_t at, n;

	for (at = 0; at < in.len; at += n) {
		n = step > 0 ? step : at < cut ? cut - at : in.len - at;
		check_int(mbox_put(&m, span_make(in.p + at, n), &out), 0);
	}
	check_int(mbox_put_end(&m, &out), 0);
	check_span(buf_span(&out), letters[c].out);
	decode(span_make(out.p + out.off, out.len - 1), &back);
	for (; *p != '\0'; p++) {
		if (*p == '\n')
			buf_add_str(&want, "\r\n");
		else if (*p != '\r')
			buf_add_char(&want, *p);
	}
	check_span(buf_span(&back), buf_str(&want));
	buf_clear(&out);
	buf_clear(&back);
	buf_clear(&want);
}

static void
test_letters(void)
{
	struct buf small = BUF_INIT(5);
	struct mbox_put m = { 0 };
	size_t c, cut;

	for (c = 0; c < nitems(letters); c++) {
		check_begin(letters[c].name);
		if (letters[c].in[0] != '\0')
			run_letter(c, 0, 1);
		for (cut = 0; cut <= strlen(letters[c].in); cut++)
			run_letter(c, cut, 0);
	}
	check_begin("no room");
	check_int(mbox_put(&m, span_str("A: b\r\n\r\nabc"), &small), -1);
	buf_clear(&small);
}

static void
test_from(void)
{
	struct buf b = BUF_INIT(TEXT_MAX);
	struct addr a;
	int64_t date = -1;

	check_begin("From_ line");
	addr_parse_path(span_str("<\"a b\"@c>"), &a);
	check_int(mbox_from_add(&b, &a, 880127706), 0);
	check_span(buf_span(&b), "From \"a-b\"@c Fri Nov 21 15:55:06 1997\n");
	check_true(mbox_is_separator(buf_span(&b), &date));
	check_int(date, 880127706);
	buf_reset(&b);
	addr_parse_path(span_str("<>"), &a);
	check_int(mbox_from_add(&b, &a, 0), 0);
	check_span(buf_span(&b),
	    "From MAILER-DAEMON Thu Jan  1 00:00:00 1970\n");
	check_true(mbox_is_separator(buf_span(&b), &date));
	check_int(date, 0);
	buf_clear(&b);
	check_true(mbox_is_separator(span_str(
		"From \"a b\"@c Fri Nov 21 15:55:06 1997"), &date));
	check_true(!mbox_is_separator(span_str("From the start"), &date));
	check_true(!mbox_is_separator(span_str("From "), &date));
	check_true(!mbox_is_separator(span_str("From"), &date));
	check_true(mbox_is_quoted(span_str(">>From x")));
	check_true(!mbox_is_quoted(span_str("From x")));
	check_true(!mbox_is_quoted(span_str("> From x")));
}

int
main(void)
{
	test_letters();
	test_from();
	return check_end();
}
