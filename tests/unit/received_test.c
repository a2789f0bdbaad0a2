/* Tests lib/mail/received.c. */
#include "lib/mail/received.h"
#include "lib/log.h"
#include "lib/mail/date.h"
#include "lib/mail/header.h"
#include "tests/unit/check.h"

/* The field as it must be: one field, no line past 78 columns unless a word
 * alone is longer. */
static void
check_field(struct buf *b, bool narrow)
{
	struct header_field f;
	struct span rest = buf_span(b), line;
	struct header_iter it;

	header_begin(&it, rest);
	check_true(header_next(&it, &f));
	check_int(it.at, rest.len);
	while (rest.len > 0) {
		span_split(rest, '\n', &line, &rest);
		check_true(line.len > 0 && line.p[line.len - 1] == '\r');
		if (narrow)
			check_true(line.len - 1 <= 78);
	}
}

static void
test_received(void)
{
	struct buf b = BUF_INIT(RECEIVED_MAX), small = BUF_INIT(60);
	struct received r = { .helo = span_str("mail.example"),
		.ip = span_str("192.0.2.1"), .host = span_str("mx.isp.example"),
		.protocol = "ESMTP", .qid = 1, .date = 880127706,
		.rcpt = span_str("user1@isp.example") };
	char want[RECEIVED_MAX], date[DATE_TEXT], qid[QID_TEXT], long_text[600];

	check_begin("client");
	check_int(received_add(&b, &r), 0);
	check_field(&b, true);
	qid_format(1, qid);
	date_format(880127706, date);
	check_true(memmem(b.p, b.len, "from mail.example ([192.0.2.1]) by "
	    "mx.isp.example (barid)", 57) != NULL);
	check_true(memmem(b.p, b.len, qid, strlen(qid)) != NULL);
	check_true(memmem(b.p, b.len, date, strlen(date)) != NULL);
	check_true(memmem(b.p, b.len, "for <user1@isp.example>;", 24) != NULL);

	check_begin("strangers' words");
	buf_reset(&b);
	r.helo = span_make("a)\r\nX: y\0(\xff", 12);
	r.name = span_str("host;name");
	r.ip = span_str("2001:db8::1");
	r.rcpt = span_str("a\nb@c");
	check_int(received_add(&b, &r), 0);
	check_field(&b, true);
	check_true(memmem(b.p, b.len, "from a???X:?y???", 16) != NULL);
	check_true(memmem(b.p, b.len, "(host?name [IPv6:2001:db8::1])", 30) !=
	    NULL);
	check_true(memmem(b.p, b.len, "for", 3) == NULL);

	check_begin("long");
	buf_reset(&b);
	memset(long_text, 'x', sizeof(long_text));
	r.helo = r.name = r.host = span_make(long_text, sizeof(long_text));
	check_int(received_add(&b, &r), 0);
	check_field(&b, false);

	check_begin("local");
	buf_reset(&b);
	r = (struct received){ .local = true, .uid = 1000,
		.user = span_str("user1"), .host = span_str("h"),
		.protocol = "local", .date = 1 };
	check_int(received_add(&b, &r), 0);
	check_true(span_prefix(buf_span(&b),
		"Received: from local uid 1000 (user1) by h (barid) with"));
	check_begin("encrypted");
	buf_reset(&b);
	r = (struct received){ .helo = span_str("c.example"),
		.ip = span_str("192.0.2.1"), .host = span_str("h"),
		.protocol = "ESMTPS", .date = 1,
		.tls = span_str("TLSv1.3 TLS_AES_256_GCM_SHA384") };
	check_int(received_add(&b, &r), 0);
	check_field(&b, true);
	check_true(span_prefix(buf_span(&b), "Received: from c.example "
	    "([192.0.2.1]) by h (barid) with ESMTPS (TLSv1.3\r\n\t"
	    "TLS_AES_256_GCM_SHA384) id "));
	check_begin("a person");
	buf_reset(&b);
	r.person = true;
	r.tls = span_str("a)(b c(d\r");
	r.protocol = "ESMTPSA";
	check_int(received_add(&b, &r), 0);
	check_true(span_prefix(buf_span(&b),
	    "Received: by h (barid) with ESMTPSA (a??b c?d?) id "));
	check_begin("no room");
	check_int(received_add(&small, &r), -1);
	check_int(small.len, 0);
	check_begin("message id");
	buf_reset(&b);
	check_int(message_id_add(&b, 1, 255, span_str("h>\r")), 0);
	snprintf(want, sizeof(want), "Message-Id: <%s.ff@h?\?>\r\n", qid);
	check_span(buf_span(&b), want);
	buf_clear(&b);
	buf_clear(&small);
}

int
main(void)
{
	test_received();
	check_begin("protocol");
	check_str(received_protocol(0), "SMTP");
	check_str(received_protocol(RECEIVED_ESMTP), "ESMTP");
	check_str(received_protocol(RECEIVED_ESMTP | RECEIVED_TLS |
		RECEIVED_AUTH), "ESMTPSA");
	check_str(received_protocol(RECEIVED_ESMTP | RECEIVED_UTF8),
	    "UTF8SMTP");
	check_str(received_protocol(RECEIVED_LMTP), "LMTP");
	return check_end();
}
