/*
 * lib/ipc/ctl.c - questions of the admin's command and the records that answer
 * them, put together and taken apart.
 */
#include "lib/ipc/ctl.h"

#include <stdarg.h>
#include <stdio.h>

#define KEY_MAX_OCTETS 64
#define TEXT_FIELD_MAX (IPC_BODY_MAX / 2)

int
ctl_words(struct ipc_msg *m, struct span words[CTL_WORDS_MAX])
{
	struct ipc_reader rd = ipc_reader(m);
	unsigned n = ipc_get_u16(&rd), i;

	if (n == 0 || n > CTL_WORDS_MAX)
		return -1;
	for (i = 0; i < n; i++)
		words[i] = ipc_get_span(&rd, CTL_WORD_MAX);
	return ipc_at_end(&rd) ? (int)n : -1;
}

bool
ctl_word_is(struct span word, const char *key, struct span *value)
{
	size_t len = strlen(key);

	if (!span_prefix(word, key) || word.len == len || word.p[len] != '=')
		return false;
	*value = span_from(word, len + 1);
	return true;
}

void
ctl_record_init(struct ctl_record *r)
{
	buf_init(&r->body, IPC_BODY_MAX - 2);
	r->n = 0;
}

void
ctl_record_clear(struct ctl_record *r)
{
	buf_clear(&r->body);
	r->n = 0;
}

/* Key and kind, if value_octets more fit as well. */
static bool
add_key(struct ctl_record *r, const char *key, unsigned kind,
    size_t value_octets)
{
	size_t len = strlen(key);

	if (len > KEY_MAX_OCTETS ||
	    buf_span(&r->body).len + 5 + len + value_octets > r->body.max)
		return false;
	buf_add_u32(&r->body, (uint32_t)len);
	buf_add(&r->body, key, len);
	buf_add_u8(&r->body, (uint8_t)kind);
	r->n++;
	return true;
}

static void
add_number(struct ctl_record *r, const char *key, unsigned kind, uint64_t v)
{
	if (add_key(r, key, kind, 8))
		buf_add_u64(&r->body, v);
}

void
ctl_text(struct ctl_record *r, const char *key, struct span value)
{
	if (value.len > TEXT_FIELD_MAX)
		value.len = TEXT_FIELD_MAX;
	if (!add_key(r, key, CTL_TEXT, 4 + value.len))
		return;
	buf_add_u32(&r->body, (uint32_t)value.len);
	buf_add_span(&r->body, value);
}

void
ctl_str(struct ctl_record *r, const char *key, const char *value)
{
	ctl_text(r, key, span_str(value));
}

void
ctl_number(struct ctl_record *r, const char *key, uint64_t value)
{
	add_number(r, key, CTL_NUMBER, value);
}

void
ctl_qid(struct ctl_record *r, const char *key, uint64_t qid)
{
	add_number(r, key, CTL_QID, qid);
}

void
ctl_time(struct ctl_record *r, const char *key, int64_t time_s)
{
	add_number(r, key, CTL_TIME, (uint64_t)time_s);
}

void
ctl_send(struct ctl_record *r, struct channel *ch, uint32_t request)
{
	struct ipc_writer w = ipc_begin(ch, IPC_CTL_RECORD, request, 0);

	ipc_put_u16(&w, (uint16_t)r->n);
	ipc_put_octets(&w, buf_span(&r->body));
	ipc_end(&w);
	buf_reset(&r->body);
	r->n = 0;
}

void
ctl_end(struct channel *ch, uint32_t request, int status, const char *fmt, ...)
{
	struct ipc_writer w = ipc_begin(ch, IPC_CTL_END, request, 0);
	char text[IPC_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ipc_put_u8(&w, (uint8_t)status);
	ipc_put_str(&w, text);
	ipc_end(&w);
}

int
ctl_fields(struct ipc_msg *m, struct ctl_field *out, size_t max)
{
	struct ipc_reader rd = ipc_reader(m);
	unsigned n = ipc_get_u16(&rd), i, kept = 0;
	struct ctl_field f;

	for (i = 0; i < n && ipc_ok(&rd); i++) {
		f = (struct ctl_field){ 0 };
		f.key = ipc_get_span(&rd, KEY_MAX_OCTETS);
		f.kind = ipc_get_u8(&rd);
		if (f.kind == CTL_TEXT)
			f.text = ipc_get_span(&rd, IPC_BODY_MAX);
		else
			f.number = ipc_get_u64(&rd);
		if (ipc_ok(&rd) && f.kind <= CTL_TIME && kept < max)
			out[kept++] = f;
	}
	return ipc_at_end(&rd) ? (int)kept : -1;
}
