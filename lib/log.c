/*
 * lib/log.c - events put together and sent to logd, or to stderr while there
 * is no channel to it: at start, in tools and in tests.
 */
#include "lib/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/buf.h"

static const struct { const char *name; enum log_level level; } events[] = {
#define EVENT(code, name, level, text) [code] = { name, LOG_L_##level },
#define KEY(code, name, text)
#include "lib/events.def"
#undef EVENT
#undef KEY
};

static const char *const keys[] = {
#define EVENT(code, name, level, text)
#define KEY(code, name, text) [code] = name,
#include "lib/events.def"
#undef EVENT
#undef KEY
};

/* Set at start and at attach, before any letter: the one state of this room. */
static const char *log_name = "barid";
static enum log_level log_level = LOG_L_INFO;
static bool (*log_send)(void *arg, const struct event_out *e);
static void *log_arg;

void
log_init(const char *name)
{
	log_name = name;
	span_hash(span_str(name)); /* draws the key while we are one thread */
}

void
log_stderr_level(enum log_level level)
{
	log_level = level;
}

void
log_attach(bool (*send)(void *arg, const struct event_out *e), void *arg)
{
	log_send = send;
	log_arg = arg;
}

const char *
event_name(unsigned code)
{
	return code < EV_MAX ? events[code].name : "?";
}

enum log_level
event_level(unsigned code)
{
	return code < EV_MAX ? events[code].level : LOG_L_WARN;
}

const char *
event_key_name(unsigned key)
{
	return key < KEY_MAX ? keys[key] : "?";
}

void
event_begin(struct event_out *e, enum event_code code, uint64_t qid,
    uint64_t sid)
{
	e->len = 0;
	e->code = (uint16_t)code;
	e->qid = qid;
	e->sid = sid;
}

void
event_text(struct event_out *e, enum event_key key, struct span value)
{
	if (value.len > EVENT_TEXT_MAX)
		value.len = EVENT_TEXT_MAX;
	if (e->len + 4 + value.len > sizeof(e->data))
		return;
	e->data[e->len] = (char)key;
	e->data[e->len + 1] = 0;
	put_u16(e->data + e->len + 2, (uint16_t)value.len);
	if (value.len > 0)
		memcpy(e->data + e->len + 4, value.p, value.len);
	e->len += 4 + value.len;
}

void
event_str(struct event_out *e, enum event_key key, const char *value)
{
	event_text(e, key, span_str(value));
}

void
event_num(struct event_out *e, enum event_key key, uint64_t value)
{
	if (e->len + 10 > sizeof(e->data))
		return;
	e->data[e->len] = (char)key;
	e->data[e->len + 1] = 1;
	put_u64(e->data + e->len + 2, value);
	e->len += 10;
}

static void
add_field(struct buf *line, const char *p, size_t *at)
{
	char text[EVENT_TEXT_MAX * 4 + 1];
	struct span value;

	buf_addf(line, " %s=", event_key_name((unsigned char)p[*at]));
	if (p[*at + 1] == 1) {
		buf_addf(line, "%llu",
		    (unsigned long long)get_u64(p + *at + 2));
		*at += 10;
		return;
	}
	value = span_make(p + *at + 4, get_u16(p + *at + 2));
	log_escape(value, text, sizeof(text));
	buf_addf(line, "\"%s\"", text);
	*at += 4 + value.len;
}

/* One write, so that lines of several programs do not mix. */
static void
event_to_stderr(const struct event_out *e)
{
	struct buf line = BUF_INIT(EVENT_MAX * 5);
	char qid[QID_TEXT];
	size_t at = 0;

	if (event_level(e->code) < log_level)
		return;
	buf_addf(&line, "%s[%d]: %s", log_name, (int)getpid(),
	    event_name(e->code));
	if (e->qid != 0)
		buf_addf(&line, " qid=%s", qid_format(e->qid, qid));
	if (e->sid != 0)
		buf_addf(&line, " sid=%s", qid_format(e->sid, qid));
	while (at < e->len)
		add_field(&line, e->data, &at);
	buf_add_char(&line, '\n');
	if (buf_write_all(&line, STDERR_FILENO) == -1)
		errno = 0; /* nowhere left to say so */
	buf_clear(&line);
}

void
event_send(struct event_out *e)
{
	if (log_send == NULL || !log_send(log_arg, e))
		event_to_stderr(e);
}

static void
log_text(enum event_code code, const char *fmt, va_list ap, int error)
{
	char text[EVENT_TEXT_MAX + 1];
	struct event_out e;
	size_t n;

	vsnprintf(text, sizeof(text), fmt, ap);
	n = strlen(text);
	if (error != 0)
		snprintf(text + n, sizeof(text) - n, ": %s", strerror(error));
	event_begin(&e, code, 0, 0);
	event_str(&e, KEY_TEXT, text);
	event_send(&e);
}

void
log_info(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_text(EV_NOTE, fmt, ap, 0);
	va_end(ap);
}

void
log_warn(const char *fmt, ...)
{
	int error = errno;
	va_list ap;

	va_start(ap, fmt);
	log_text(EV_WARNING, fmt, ap, error);
	va_end(ap);
	errno = error;
}

void
log_warnx(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_text(EV_WARNING, fmt, ap, 0);
	va_end(ap);
}

/* A dying program has no loop to flush its channel: stderr is always told. */
static void
log_last_words(const char *fmt, va_list ap, int error)
{
	log_attach(NULL, NULL);
	log_text(EV_FATAL, fmt, ap, error);
}

void
fatal(const char *fmt, ...)
{
	int error = errno;
	va_list ap;

	va_start(ap, fmt);
	log_last_words(fmt, ap, error);
	va_end(ap);
	exit(1);
}

void
fatalx(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_last_words(fmt, ap, 0);
	va_end(ap);
	exit(1);
}

void
log_escape(struct span in, char *out, size_t size)
{
	static const char hex[] = "0123456789abcdef";
	size_t i, o = 0;

	for (i = 0; i < in.len; i++) {
		unsigned char c = (unsigned char)in.p[i];
		bool plain = c >= 0x20 && c <= 0x7e && c != '"' && c != '\\';

		if (o + (plain ? 1 : 4) >= size)
			break;
		if (plain) {
			out[o++] = (char)c;
			continue;
		}
		out[o++] = '\\';
		out[o++] = 'x';
		out[o++] = hex[c >> 4];
		out[o++] = hex[c & 15];
	}
	if (size > 0)
		out[o] = '\0';
}

/* Base 32 of Crockford: no I, L, O, U, so that it can be read aloud. */
static const char qid_digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

const char *
qid_format(uint64_t qid, char out[QID_TEXT])
{
	size_t i;

	for (i = QID_TEXT - 1; i-- > 0; qid >>= 5)
		out[i] = qid_digits[qid & 31];
	out[QID_TEXT - 1] = '\0';
	return out;
}

int
qid_parse(struct span in, uint64_t *out)
{
	uint64_t v = 0;
	size_t i;

	if (in.len != QID_TEXT - 1)
		return -1;
	for (i = 0; i < in.len; i++) {
		char c = in.p[i];
		const char *at;

		if (c >= 'a' && c <= 'z')
			c = (char)(c - 32);
		if (c == '\0' || (at = strchr(qid_digits, c)) == NULL)
			return -1;
		if (i == 0 && at - qid_digits > 15)
			return -1; /* 13 digits hold 65 bits */
		v = v << 5 | (uint64_t)(at - qid_digits);
	}
	*out = v;
	return 0;
}
