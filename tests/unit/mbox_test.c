/* Tests lib/mail/mbox.c: each case whole, octet by octet, and in two pieces. */
#include "lib/mail/mbox.h"
#include "tests/unit/check.h"

#define TEXT_MAX 4096

static const struct {
	const char *name, *in, *out;
	const char *back; /* what mbox_get makes of it, NULL: in with LF */
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

static void
run_letter(size_t c, size_t cut, size_t step)
{
	struct buf out = BUF_INIT(TEXT_MAX), back = BUF_INIT(TEXT_MAX);
	struct span in = span_str(letters[c].in), text;
	struct mbox_put m = { 0 };
	struct mbox_get g = { 0 };
	size_t at, n, i;

	for (at = 0; at < in.len; at += n) {
		n = step > 0 ? step : at < cut ? cut - at : in.len - at;
		check_int(mbox_put(&m, span_make(in.p + at, n), &out), 0);
	}
	check_int(mbox_put_end(&m, &out), 0);
	check_span(buf_span(&out), letters[c].out);
	text = span_make(out.p + out.off, out.len - 1);
	for (at = 0; at < text.len; at += n) {
		n = step > 0 ? step : at < cut ? cut - at : text.len - at;
		n = n > text.len - at ? text.len - at : n;
		check_int(mbox_get(&g, span_make(text.p + at, n), &back), 0);
	}
	check_int(mbox_get_end(&g, &back), 0);
	if (letters[c].back != NULL) {
		check_span(buf_span(&back), letters[c].back);
	} else {
		buf_reset(&out);
		for (i = 0; i < in.len; i++)
			if (in.p[i] != '\r')
				buf_add_char(&out, in.p[i]);
		check_mem(back.p, back.len, out.p, out.len);
	}
	buf_clear(&out);
	buf_clear(&back);
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
test_next(void)
{
	const struct span text = span_str("From a\n\nb\nFrom c\n\nFrom d\n");

	check_begin("next");
	check_int(mbox_next(text, 0), 0);
	check_int(mbox_next(text, 1), 18);
	check_int(mbox_next(text, 18), 18);
	check_int(mbox_next(text, 19), text.len);
	check_int(mbox_next(text, text.len), text.len);
	check_int(mbox_next(span_str(""), 0), 0);
	check_int(mbox_next(span_str("\nFrom a"), 0), 7);
}

static void
test_from(void)
{
	struct buf b = BUF_INIT(TEXT_MAX);
	struct span sender;
	struct addr a;
	int64_t date;
	size_t n;

	check_begin("From_ line");
	addr_parse_path(span_str("<\"a b\"@c>"), &a);
	check_int(mbox_from_add(&b, &a, 880127706), 0);
	check_span(buf_span(&b), "From \"a-b\"@c Fri Nov 21 15:55:06 1997\n");
	check_int(mbox_from_parse(buf_span(&b), &n, &sender, &date), 0);
	check_int(n, b.len);
	check_span(sender, "\"a-b\"@c");
	check_int(date, 880127706);
	buf_reset(&b);
	addr_parse_path(span_str("<>"), &a);
	check_int(mbox_from_add(&b, &a, 0), 0);
	check_span(buf_span(&b),
	    "From MAILER-DAEMON Thu Jan  1 00:00:00 1970\n");
	buf_clear(&b);
	check_int(mbox_from_parse(span_str("From \"a b\"@c x\ny"), &n, &sender,
		&date), 0);
	check_int(n, 15);
	check_span(sender, "\"a b\"@c");
	check_int(date, 0);
	check_int(mbox_from_parse(span_str("From "), &n, &sender, &date), 0);
	check_int(n, 5);
	check_int(mbox_from_parse(span_str("From"), &n, &sender, &date), -1);
}

int
main(void)
{
	test_letters();
	test_next();
	test_from();
	return check_end();
}
