/* logd_line_test.c - events as lines: escaped, cut, as text and as JSON. */
#include <time.h>

#include "lib/ipc/event.h"
#include "lib/privsep/roles.h"
#include "logd/line.h"
#include "tests/unit/check.h"

static const char *
line(struct event_out *e, enum line_style style, struct buf *b)
{
	struct record r = { .time_us = 1700000000123456, .qid = e->qid,
		.sid = e->sid, .code = e->code, .role = ROLE_SMTPD,
		.instance = 2, .fields = span_make(e->data, e->len) };

	buf_reset(b);
	line_format(&r, style, b);
	return buf_str(b);
}

static void
test_lines(struct buf *b)
{
	struct event_out e;

	event_begin(&e, EV_ACCEPTED, 1, 0);
	event_str(&e, KEY_FROM, "a@b.example");
	event_num(&e, KEY_SIZE, 42);
	event_text(&e, KEY_HELO, span_make("x\n\"\\\0\xff y", 8));
	event_str(&e, KEY_TEXT, "");
	check_begin("syslog");
	check_str(line(&e, LINE_SYSLOG, b), "accepted qid=0000000000001 "
	    "from=a@b.example size=42 "
	    "helo=\"x\\x0a\\x22\\x5c\\x00\\xff y\" text=\"\"\n");
	check_begin("text");
	check_str(line(&e, LINE_TEXT, b), "2023-11-14T22:13:20.123456+00:00 "
	    "smtpd-2 accepted qid=0000000000001 from=a@b.example size=42 "
	    "helo=\"x\\x0a\\x22\\x5c\\x00\\xff y\" text=\"\"\n");
	check_begin("JSON");
	check_str(line(&e, LINE_JSON, b), "{\"time\":"
	    "\"2023-11-14T22:13:20.123456+00:00\",\"program\":\"smtpd-2\","
	    "\"event\":\"accepted\",\"qid\":\"0000000000001\","
	    "\"from\":\"a@b.example\",\"size\":42,"
	    "\"helo\":\"x\\u000a\\\"\\\\\\u0000\\u00ff y\",\"text\":\"\"}\n");
	check_begin("an event of a later version");
	e.code = 999;
	check_true(strncmp(line(&e, LINE_SYSLOG, b), "? qid=", 6) == 0);
}

/* Quotes are closed and the line ends, wherever the cut falls. */
static void
test_long(struct buf *b)
{
	static char octets[EVENT_TEXT_MAX];
	struct event_out e;
	const char *s;
	size_t n, len;
	unsigned i;

	for (n = 0; n <= sizeof(octets); n += 7)
		for (i = 0; i < 2; i++) {
			memset(octets, i == 0 ? 'a' : '\n', sizeof(octets));
			event_begin(&e, EV_NOTE, 0, 0);
			event_text(&e, KEY_TEXT, span_make(octets, n));
			event_text(&e, KEY_REPLY, span_make(octets, n));
			event_num(&e, KEY_SIZE, UINT64_MAX);
			check_begin("JSON of any length");
			s = line(&e, LINE_JSON, b);
			len = strlen(s);
			check_true(len <= LINE_MAX_OCTETS);
			check_str(s + len - 2, "}\n");
			check_true(s[len - 3] == '"' ||
			    (s[len - 3] >= '0' && s[len - 3] <= '9'));
			check_begin("text of any length");
			s = line(&e, LINE_SYSLOG, b);
			len = strlen(s);
			check_true(len <= LINE_MAX_OCTETS);
			check_true(strchr(s, '\n') == s + len - 1);
		}
}

/* Octets that are no fields end the line; nothing is read beyond them. */
static void
test_damaged(struct buf *b)
{
	struct event_out e;
	size_t len;

	event_begin(&e, EV_NOTE, 0, 0);
	event_str(&e, KEY_TEXT, "whole");
	event_str(&e, KEY_REPLY, "cut");
	check_begin("fields that are cut");
	for (len = e.len; e.len > 0; e.len--)
		check_true(strncmp(line(&e, LINE_SYSLOG, b), "note", 4) == 0);
	e.len = len;
	e.data[0] = (char)0xff;
	check_str(line(&e, LINE_SYSLOG, b), "note\n");
}

int
main(void)
{
	struct buf b = BUF_INIT(65536);

	setenv("TZ", "UTC0", 1);
	tzset();
	test_lines(&b);
	test_long(&b);
	test_damaged(&b);
	buf_clear(&b);
	return check_end();
}
