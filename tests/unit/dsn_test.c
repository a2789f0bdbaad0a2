/* Tests lib/mail/dsn.c: reports are read again as strangers would read them. */
#include "lib/mail/dsn.h"
#include "lib/mail/dot.h"
#include "lib/mail/header.h"
#include "tests/unit/check.h"

static const char letter[] = "From: Alice <a@b.example>\r\nSubject: x\r\n y\r\n"
    "\r\nsecret body\r\n";

static struct dsn
report(enum dsn_kind kind, const struct dsn_rcpt *rcpts, size_t n)
{
	return (struct dsn){ .kind = kind, .host = span_str("mx.example"),
		.to = span_str("a@b.example"), .qid = 7, .letter = 6,
		.contact = span_str("postmaster@mx.example"),
		.envid = span_str("QQ314159"), .now = 880127706,
		.arrival = 880127000, .until = 880559706, .rcpts = rcpts,
		.n = n, .header = span_str(letter) };
}

static bool
holds(const struct buf *b, const char *s)
{
	return memmem(b->p + b->off, b->len, s, strlen(s)) != NULL;
}

static void
ignore(void *arg, struct span text)
{
	(void)arg;
	(void)text;
}

/* Whole lines, none too long, three parts; the boundary in its four places. */
static void
check_form(struct buf *b)
{
	struct span text = buf_span(b), rest = text, line, boundary, tail;
	struct header_field f;
	struct dot_scan d;
	char value[200];
	size_t n = 0;

	dot_scan_init(&d, true);
	dot_scan(&d, text, ignore, NULL);
	check_true(dot_scan_end(&d));
	check_int(d.faults, 0);
	check_true(header_find(text, "Auto-Submitted", &f));
	if (!check_true(header_find(text, "Content-Type", &f)))
		return;
	header_unfold(f.value, value, sizeof(value));
	span_split(span_str(value), '"', &line, &tail);
	span_split(tail, '"', &boundary, &tail);
	while (rest.len > 0) {
		span_split(rest, '\n', &line, &rest);
		check_true(line.len <= 999);
		if (span_prefix(line, "--") && line.len > 2 + boundary.len &&
		    span_eq(span_make(line.p + 2, boundary.len), boundary))
			n++;
	}
	check_int(n, 4);
}

static void
test_failed(void)
{
	const struct dsn_rcpt rcpts[] = {
		{ .address = span_str("u@c.example"),
		  .original = span_str("rfc822;x@c.example"),
		  .status = span_str("5.1.1"),
		  .remote = span_str("mx.c.example"),
		  .reply = span_str("550 5.1.1 No such user\r\nX-Evil: yes"),
		  .last = 880127706 },
		{ .address = span_str("v@c.example"),
		  .reply = span_str("the disk\x01 is \xc3\xbc" "ber full") },
	};
	struct buf b = BUF_INIT(DSN_MAX);
	struct dsn d = report(DSN_FAILED, rcpts, 2);

	check_begin("failed");
	check_int(dsn_build(&b, &d), 0);
	check_form(&b);
	check_true(!dsn_needs_utf8(&d));
	check_true(holds(&b, "To: a@b.example\r\n"));
	check_true(holds(&b, "<u@c.example>:\r\n    The host mx.c.example "
	    "answered:\r\n    550 5.1.1 No such user X-Evil: yes\r\n"));
	check_true(holds(&b, "Original-Recipient: rfc822;x@c.example\r\n"
	    "Final-Recipient: rfc822; u@c.example\r\nAction: failed\r\n"
	    "Status: 5.1.1\r\nRemote-MTA: dns; mx.c.example\r\n"
	    "Diagnostic-Code: smtp; 550 5.1.1 No such user X-Evil: yes\r\n"
	    "Last-Attempt-Date: "));
	check_true(holds(&b, "Status: 5.0.0\r\nDiagnostic-Code: x-barid; "
	    "the disk? is ??ber full\r\n"));
	check_true(holds(&b, "    the disk? is \xc3\xbc" "ber full\r\n"));
	check_true(holds(&b, "Original-Envelope-Id: QQ314159\r\n"));
	check_true(holds(&b, "\r\n\r\nFrom: Alice <a@b.example>\r\n"
	    "Subject: x\r\n y\r\n\r\n--"));
	check_true(!holds(&b, "secret"));
	buf_clear(&b);
}

static void
test_kinds(void)
{
	static const char *const actions[] = { "failed", "delayed",
		"delivered", "relayed", "expanded" };
	const struct dsn_rcpt rcpt = { .address = span_str("\xc3\xbc@c"),
		.original = span_str("utf-8;\\x{FC}@c") };
	struct buf b = BUF_INIT(DSN_MAX);
	struct dsn d;
	char want[40];
	int kind;

	for (kind = DSN_FAILED; kind <= DSN_EXPANDED; kind++) {
		check_begin(actions[kind]);
		buf_reset(&b);
		d = report((enum dsn_kind)kind, &rcpt, 1);
		check_int(dsn_build(&b, &d), 0);
		check_form(&b);
		snprintf(want, sizeof(want), "\r\nAction: %s\r\n",
		    actions[kind]);
		check_true(holds(&b, want));
		check_int(holds(&b, "Will-Retry-Until: "),
		    kind == DSN_DELAYED);
		check_true(!dsn_needs_utf8(&d));
		check_true(holds(&b, "message/global-delivery-status"));
		check_true(holds(&b, "Final-Recipient: utf-8; \xc3\xbc@c\r\n"));
	}
	check_begin("UTF-8 around");
	buf_reset(&b);
	d.to = span_str("\xc3\xbc@b.example");
	d.header = span_str("Subject: \xc3\xbc\r\n\r\n");
	check_int(dsn_build(&b, &d), 0);
	check_true(dsn_needs_utf8(&d));
	check_true(holds(&b, "message/global-headers"));
	buf_reset(&b);
	d.header = span_str("Subject: \xfc\r\n\r\n");
	check_int(dsn_build(&b, &d), 0);
	check_true(holds(&b, "text/rfc822-headers"));
	buf_clear(&b);
}

static void
test_limits(void)
{
	static struct dsn_rcpt rcpts[DSN_RCPT_MAX + 1];
	static char reply[DSN_REPLY_MAX * 2];
	struct buf b = BUF_INIT(DSN_MAX), h = BUF_INIT(1 << 20);
	struct dsn d;
	size_t i, len;

	memset(reply, '\x80', sizeof(reply));
	for (i = 0; i < DSN_RCPT_MAX + 1; i++)
		rcpts[i] = (struct dsn_rcpt){
			.address = span_make(reply, sizeof(reply)),
			.original = span_make(reply, sizeof(reply)),
			.status = span_make(reply, sizeof(reply)),
			.remote = span_make(reply, sizeof(reply)),
			.reply = span_make(reply, sizeof(reply)), .last = 1 };
	while (h.len < DSN_HEADER_MAX * 2)
		buf_add_str(&h, "A: 0123456789\r\n");
	d = report(DSN_FAILED, rcpts, DSN_RCPT_MAX + 1);
	d.header = buf_span(&h);
	check_begin("the most");
	check_int(dsn_build(&b, &d), 0);
	check_form(&b);
	check_true(holds(&b, "and 1 more.\r\n"));
	len = b.len;
	check_begin("no room");
	b.max = len + 100;
	check_int(dsn_build(&b, &d), -1);
	check_int(b.len, len);
	buf_clear(&b);
	buf_clear(&h);
}

int
main(void)
{
	test_failed();
	test_kinds();
	test_limits();
	return check_end();
}
