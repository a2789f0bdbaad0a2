/*
 * Fuzzes the two readers of headers: the first octet says how the text is cut.
 * They must see the same fields, and the filter must pass on every octet.
 */

#include "lib/mail/header.h"
#include "tests/fuzz/fuzz.h"

#define TEXT_MAX (16 << 20)

struct out {
	struct buf text;
	size_t end;
	unsigned ends;
};

static void
emit(void *arg, struct span text)
{
	struct out *o = arg;

	hold(text.len > 0 && buf_add_span(&o->text, text) == 0);
}

static void
end(void *arg)
{
	struct out *o = arg;

	o->end = o->text.len;
	o->ends++;
}

/* All that came is there, with at most one line end put in. */
static void
check_passed(struct span in, const struct out *o, const struct header_scan *h)
{
	struct span all = buf_span(&o->text);
	size_t put = h->put_empty_line || all.len > in.len ? 2 : 0;

	hold(o->ends == 1 && o->end <= all.len);
	hold(all.len == in.len + put);
	if (!h->put_empty_line)
		hold(span_eq(span_make(all.p, in.len), in));
	else
		hold(span_eq(span_make(all.p, o->end),
		    span_make(in.p, o->end)) &&
		    span_eq(span_from(all, o->end + 2),
			span_from(in, o->end)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct out o = { BUF_INIT(TEXT_MAX), 0, 0 };
	const struct header_sink sink = { emit, end, NULL, &o };
	struct header_scan h = { 0 };
	struct header_iter it;
	struct header_field f;
	struct span in;
	char text[300];
	size_t at, n, step, body;

	if (size < 1)
		return 0;
	step = data[0] == 0 ? 1 : data[0];
	in = span_make(data + 1, size - 1);
	for (at = 0; at < in.len; at += n) {
		n = in.len - at < step ? in.len - at : step;
		header_scan(&h, span_make(in.p + at, n), &sink);
	}
	header_scan_end(&h, &sink);
	check_passed(in, &o, &h);
	header_begin(&it, in);
	while (header_next(&it, &f)) {
		hold(f.name.len > 0 && f.name.len <= HEADER_NAME_MAX);
		hold(f.whole.len > f.name.len);
		header_unfold(f.value, text, sizeof(text));
		hold(strpbrk(text, "\r\n") == NULL);
	}
	hold(header_length(in, &body) == it.at && body <= in.len);
	hold(h.octets == it.at && h.received == header_count(in, "received"));
	hold(h.has_date == header_find(in, "date", &f));
	hold(h.delivered_to == header_count(in, "delivered-to"));
	buf_clear(&o.text);
	return 0;
}
