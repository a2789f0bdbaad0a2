/* Tests lib/mail/header.c and header_scan.c: the text at hand and in pieces. */
#include "lib/mail/header.h"
#include "tests/unit/check.h"

#define TEXT_MAX 8192

static const struct {
	const char *name, *in;
	const char *names; /* of all fields, a blank behind each */
	size_t body;
	const char *out; /* of the filter, "+" where the header ends */
} messages[] = {
	{ "plain", "A: b\r\nC: d\r\n\r\nE: f\r\n", "A C ", 14,
	  "A: b\r\nC: d\r\n+\r\nE: f\r\n" },
	{ "LF", "A: b\nC: d\n\nE: f\n", "A C ", 11, "A: b\nC: d\n+\nE: f\n" },
	{ "folded", "A: b\r\n c\r\n\t: d\r\nE:\r\n\r\n", "A E ", 22,
	  "A: b\r\n c\r\n\t: d\r\nE:\r\n+\r\n" },
	{ "blanks before colon", "A \t: b\r\n\r\n", "A ", 10,
	  "A \t: b\r\n+\r\n" },
	{ "no header", "\r\nA: b\r\n", "", 2, "+\r\nA: b\r\n" },
	{ "text at once", "Do you\r\nA: b\r\n", "", 0,
	  "+\r\nDo you\r\nA: b\r\n" },
	{ "one word", "Jake,\r\n", "", 0, "+\r\nJake,\r\n" },
	{ "text ends it", "A: b\r\nDo you: like\r\n", "A ", 6,
	  "A: b\r\n+\r\nDo you: like\r\n" },
	{ "From_ line", "From a@b Sat Nov 21 11:03:34 2026\r\nA: b\r\n", "", 0,
	  "+\r\nFrom a@b Sat Nov 21 11:03:34 2026\r\nA: b\r\n" },
	{ "blank first", " A: b\r\n\r\n", "", 0, "+\r\n A: b\r\n\r\n" },
	{ "colon first", ": b\r\n", "", 0, "+\r\n: b\r\n" },
	{ "header alone", "A: b\r\n", "A ", 6, "A: b\r\n+" },
	{ "cut in a value", "A: b", "A ", 4, "A: b\r\n+" },
	{ "cut in a name", "A: b\r\nC", "A ", 6, "A: b\r\n+\r\nC" },
	{ "cut behind CR", "A: b\r\n\r", "A ", 6, "A: b\r\n+\r\n\r" },
	{ "nothing", "", "", 0, "+" },
	{ "8 bit name", "\xc3\xbc: b\r\n", "", 0, "+\r\n\xc3\xbc: b\r\n" },
	{ "blanks alone", "A: b\r\n \r\nC: d\r\n\r\n", "A C ", 17,
	  "A: b\r\n \r\nC: d\r\n+\r\n" },
};

static void
emit(void *arg, struct span text)
{
	check_true(text.len > 0);
	buf_add_span(arg, text);
}

static void
end(void *arg)
{
	buf_add_char(arg, '+');
}

/* Fields that begin with "Drop" are left out. */
static bool
keep(void *arg, struct span name)
{
	(void)arg;
	return !span_caseprefix(name, "drop");
}

static void
run_scan(struct header_scan *h, struct span in, size_t cut, size_t step,
    struct buf *out)
{
	const struct header_sink sink = { emit, end, keep, out };
	size_t at, n;

	memset(h, 0, sizeof(*h));
	for (at = 0; at < in.len; at += n) {
		n = step > 0 ? step : at < cut ? cut - at : in.len - at;
		n = n > in.len - at ? in.len - at : n;
		header_scan(h, span_make(in.p + at, n), &sink);
	}
	header_scan_end(h, &sink);
	check_true(h->ended);
}

static void
test_messages(void)
{
	struct buf names = BUF_INIT(TEXT_MAX), out = BUF_INIT(TEXT_MAX);
	struct header_iter it;
	struct header_field f;
	struct header_scan h;
	struct span in;
	size_t i, cut, body;

	for (i = 0; i < nitems(messages); i++) {
		check_begin(messages[i].name);
		in = span_str(messages[i].in);
		buf_reset(&names);
		header_begin(&it, in);
		while (header_next(&it, &f))
			buf_addf(&names, "%.*s ", SPAN_ARG(f.name));
		check_span(buf_span(&names), messages[i].names);
		check_int(header_length(in, &body), it.at);
		check_int(body, messages[i].body);
		for (cut = 0; cut <= in.len; cut++) {
			buf_reset(&out);
			run_scan(&h, in, cut, cut == 0 ? 1 : 0, &out);
			check_span(buf_span(&out), messages[i].out);
			check_int(h.octets, it.at);
		}
	}
	buf_clear(&names);
	buf_clear(&out);
}

static void
test_values(void)
{
	const struct span in = span_str("Received: a\r\nreceived: b\r\n"
	    "Delivered-To: \"u\"@B.example\r\nDelivered-To:\r\n <c@d>\r\n"
	    "Message-ID:\r\n <1@x>\r\nMessage-Id: <2@x>\r\nFrom: z\r\n"
	    "CC: y\r\n\r\nDate: no\r\nReceived: no\r\n");
	struct buf out = BUF_INIT(TEXT_MAX);
	struct header_field f;
	struct header_scan h;
	char text[20];

	check_begin("values");
	check_int(header_count(in, "Received"), 2);
	check_true(header_find(in, "message-id", &f));
	check_span(header_unfold(f.value, text, sizeof(text)), "<1@x>");
	check_span(f.whole, "Message-ID:\r\n <1@x>\r\n");
	check_span(header_unfold(span_str(" a\r\n\tb \r\n"), text,
		sizeof(text)), "a\tb");
	check_span(header_unfold(span_str("abc"), text, 3), "ab");
	check_true(!header_find(in, "Date", &f));
	run_scan(&h, in, 0, 1, &out);
	check_int(h.received, 2);
	check_int(h.delivered_to, 2);
	check_str(h.message_id, "<1@x>");
	check_true(h.has_from && h.has_message_id);
	check_true(!h.has_date && !h.put_empty_line);
	check_true(header_scan_was_at(&h, span_str("U@b.example")));
	check_true(header_scan_was_at(&h, span_str("c@D")));
	check_true(!header_scan_was_at(&h, span_str("d@d")));
	buf_clear(&out);
}

/* Names, values and counts at and past what is kept of them. */
static void
test_limits(void)
{
	struct buf in = BUF_INIT(8 << 20), out = BUF_INIT(8 << 20);
	struct header_field f;
	struct header_iter it;
	struct header_scan h;
	size_t n;

	for (n = HEADER_NAME_MAX - 1; n <= HEADER_NAME_MAX + 1; n++) {
		check_begin("long name");
		buf_reset(&in);
		buf_reset(&out);
		memset(buf_reserve(&in, n), 'x', n);
		buf_grow(&in, n);
		buf_add_str(&in, " : a\r\n\r\n");
		check_int(header_find(buf_span(&in), "none", &f), false);
		check_int(header_length(buf_span(&in), NULL) > 0,
		    n <= HEADER_NAME_MAX);
		run_scan(&h, buf_span(&in), 0, 7, &out);
		check_int(h.octets > 0, n <= HEADER_NAME_MAX);
	}
	check_begin("many fields");
	buf_reset(&in);
	buf_reset(&out);
	for (n = 0; n < HEADER_DELIVERED_MAX + 2; n++)
		buf_addf(&in, "Delivered-To: u%zu@b\r\n", n);
	run_scan(&h, buf_span(&in), 0, 100, &out);
	check_int(h.delivered_to, HEADER_DELIVERED_MAX + 2);
	check_true(header_scan_was_at(&h, span_str("u99@b")));
	check_true(!header_scan_was_at(&h, span_str("u100@b")));
	check_begin("long value");
	buf_reset(&in);
	buf_reset(&out);
	buf_add_str(&in, "Message-Id: ");
	n = HEADER_FIELD_MAX + 10;
	memset(buf_reserve(&in, n), 'x', n);
	buf_grow(&in, n);
	buf_add_str(&in, "\r\nA: b\r\n");
	header_begin(&it, buf_span(&in));
	check_true(header_next(&it, &f));
	check_int(f.value.len, HEADER_FIELD_MAX);
	check_true(header_next(&it, &f));
	check_span(f.name, "A");
	run_scan(&h, buf_span(&in), 0, 1000, &out);
	check_int(strlen(h.message_id), HEADER_VALUE_MAX - 1);
	out.len -= strlen("+");
	check_true(span_eq(buf_span(&out), buf_span(&in)));
	buf_clear(&in);
	buf_clear(&out);
}

static void
test_dropped(void)
{
	const struct span in = span_str("A: b\r\nDrop:\r\n c\r\nDrop: d\r\n"
	    "E: f\r\n g\r\ndropped : h\r\n\r\nDrop: i\r\n");
	struct buf out = BUF_INIT(TEXT_MAX);
	struct header_scan h;
	size_t cut;

	check_begin("dropped");
	for (cut = 0; cut < in.len; cut++) {
		buf_reset(&out);
		run_scan(&h, in, cut, 0, &out);
		check_span(buf_span(&out),
		    "A: b\r\nE: f\r\n g\r\n+\r\nDrop: i\r\n");
		check_int(h.octets, 16);
	}
	buf_reset(&out);
	run_scan(&h, span_str("Drop: a"), 0, 1, &out);
	check_span(buf_span(&out), "+");
	buf_clear(&out);
}

int
main(void)
{
	test_messages();
	test_dropped();
	test_values();
	test_limits();
	return check_end();
}
