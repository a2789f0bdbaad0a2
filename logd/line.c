/*
 * logd/line.c - events as lines that people and programs read. Whatever a
 * stranger could put into a value is escaped here, once more, whoever sent it.
 */
#include "logd/line.h"

#include <stdio.h>
#include <time.h>

#include "lib/ipc/event.h"
#include "lib/log.h"
#include "lib/privsep/roles.h"

/* Kept for the end of a line: quote, "...", brace, LF. */
#define LINE_TAIL 8

const char *
line_program(const struct record *r, char out[LINE_PROGRAM])
{
	if (r->instance == 0)
		snprintf(out, LINE_PROGRAM, "%s", role_name(r->role));
	else
		snprintf(out, LINE_PROGRAM, "%.16s-%u", role_name(r->role),
		    r->instance & 255);
	return out;
}

/* 2026-11-21T11:04:02.123456+01:00 */
static void
add_time(struct buf *line, uint64_t time_us)
{
	time_t t = (time_t)(time_us / 1000000);
	char date[32], zone[8];
	struct tm tm;

	if (localtime_r(&t, &tm) == NULL)
		return;
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	strftime(zone, sizeof(zone), "%z", &tm);
	buf_addf(line, "%s.%06u%.3s:%s", date, (unsigned)(time_us % 1000000),
	    zone, zone + 3);
}

/* Words that need no quotes: nothing that a reader of key=value trips over. */
static bool
is_plain(struct span s)
{
	size_t i;

	for (i = 0; i < s.len; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == '"' ||
		    s.p[i] == '\\' || s.p[i] == '=')
			return false;
	return s.len > 0;
}

/* One octet of a value; \xHH, or \u00HH for JSON. */
static size_t
escape(unsigned char c, bool json, char out[8])
{
	if (c >= ' ' && c <= '~' && c != '"' && c != '\\') {
		out[0] = (char)c;
		return 1;
	}
	if (json && (c == '"' || c == '\\')) {
		out[0] = '\\';
		out[1] = (char)c;
		return 2;
	}
	return (size_t)snprintf(out, 8, json ? "\\u%04x" : "\\x%02x", c);
}

static size_t
room(const struct buf *line)
{
	size_t len = buf_span(line).len;

	return len + LINE_TAIL > line->max ? 0 : line->max - LINE_TAIL - len;
}

/* false: it was cut, and nothing fits behind it. */
static bool
add_quoted(struct buf *line, struct span value, bool json)
{
	char piece[8];
	size_t i, n;

	buf_add_char(line, '"');
	for (i = 0; i < value.len; i++) {
		n = escape((unsigned char)value.p[i], json, piece);
		if (n > room(line)) {
			buf_add_str(line, "...\"");
			return false;
		}
		buf_add(line, piece, n);
	}
	buf_add_char(line, '"');
	return true;
}

/* One key and its value; false when the line is full. */
static bool
add_field(struct buf *line, const char *key, struct span text, bool json)
{
	if (room(line) < strlen(key) + 16)
		return false;
	buf_addf(line, json ? ",\"%s\":" : " %s=", key);
	if (!json && is_plain(text) && text.len <= room(line))
		return buf_add_span(line, text) == 0;
	return add_quoted(line, text, json);
}

static bool
add_number(struct buf *line, const char *key, uint64_t v, bool json)
{
	if (room(line) < strlen(key) + 26)
		return false;
	return buf_addf(line, json ? ",\"%s\":%llu" : " %s=%llu", key,
	    (unsigned long long)v) == 0;
}

static void
add_head(struct buf *line, const struct record *r, enum line_style style)
{
	char program[LINE_PROGRAM];

	line_program(r, program);
	if (style == LINE_JSON) {
		buf_add_str(line, "{\"time\":\"");
		add_time(line, r->time_us);
		buf_addf(line, "\",\"program\":\"%s\",\"event\":\"%s\"",
		    program, event_name(r->code));
		return;
	}
	if (style == LINE_TEXT) {
		add_time(line, r->time_us);
		buf_addf(line, " %s ", program);
	}
	buf_add_str(line, event_name(r->code));
}

void
line_format(const struct record *r, enum line_style style, struct buf *out)
{
	struct buf line = BUF_INIT(LINE_MAX_OCTETS);
	bool json = style == LINE_JSON, more = true;
	struct span rest = r->fields;
	struct event_field f;
	char id[QID_TEXT];

	add_head(&line, r, style);
	if (r->qid != 0)
		add_field(&line, "qid", span_str(qid_format(r->qid, id)),
		    json);
	if (r->sid != 0)
		add_field(&line, "sid", span_str(qid_format(r->sid, id)),
		    json);
	while (more && event_next(&rest, &f))
		more = f.is_number ?
		    add_number(&line, event_key_name(f.key), f.number, json) :
		    add_field(&line, event_key_name(f.key), f.text, json);
	buf_add_str(&line, json ? "}\n" : "\n");
	buf_add_span(out, buf_span(&line));
	buf_clear(&line);
}
