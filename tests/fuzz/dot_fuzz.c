/*
 * Fuzzes the end-of-data machine: the first octet says where reads are cut. A
 * plain model, an octet at a time, must agree; what is stuffed must scan back
 * to the same lines and must not end before its end.
 */

#include "lib/mail/dot.h"
#include "tests/fuzz/fuzz.h"

#define TEXT_MAX (16 << 20)

static void
emit(void *arg, struct span text)
{
	hold(text.len > 0 && buf_add_span(arg, text) == 0);
}

static size_t
scan(struct dot_scan *d, struct span in, size_t step, struct buf *out)
{
	size_t at = 0, n, taken;

	while (at < in.len && !d->done) {
		n = in.len - at < step ? in.len - at : step;
		taken = dot_scan(d, span_make(in.p + at, n), emit, out);
		hold(taken == n || d->done);
		at += taken;
	}
	return at;
}

/* Where CRLF.CRLF first ends, the text beginning behind a CRLF. */
static size_t
model_end(struct span in)
{
	const char *p;

	if (span_prefix(in, ".\r\n"))
		return 3;
	p = in.len == 0 ? NULL : memmem(in.p, in.len, "\r\n.\r\n", 5);
	return p == NULL ? 0 : (size_t)(p - in.p) + 5;
}

static void
check_stuff(struct span in, size_t step)
{
	struct buf out = BUF_INIT(TEXT_MAX), back = BUF_INIT(TEXT_MAX);
	struct dot_stuff s = { 0 };
	struct dot_scan d;
	size_t at, n;

	for (at = 0; at < in.len; at += n) {
		n = in.len - at < step ? in.len - at : step;
		hold(dot_stuff(&s, span_make(in.p + at, n), &out) == 0);
	}
	hold(dot_stuff_end(&s, &out) == 0);
	dot_scan_init(&d, false);
	hold(scan(&d, buf_span(&out), step, &back) == out.len && d.done);
	hold((d.faults & ~DOT_NUL) == 0);
	buf_clear(&out);
	buf_clear(&back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf a = BUF_INIT(TEXT_MAX), b = BUF_INIT(TEXT_MAX);
	struct dot_scan whole, cut, chunk;
	struct span in;
	size_t step;

	if (size < 1)
		return 0;
	step = data[0] == 0 ? 1 : data[0];
	in = span_make(data + 1, size - 1);
	dot_scan_init(&whole, false);
	dot_scan_init(&cut, false);
	hold(scan(&whole, in, in.len, &a) == scan(&cut, in, step, &b));
	hold(span_eq(buf_span(&a), buf_span(&b)));
	hold(whole.done == cut.done && whole.faults == cut.faults);
	hold(whole.faults == 0 || whole.fault_at == cut.fault_at);
	hold(whole.done == (model_end(in) > 0));
	hold(!whole.done || whole.offset == model_end(in));
	dot_scan_init(&chunk, true);
	buf_reset(&a);
	hold(scan(&chunk, in, step, &a) == in.len);
	hold(span_eq(buf_span(&a), in));
	check_stuff(in, step);
	buf_clear(&a);
	buf_clear(&b);
	return 0;
}
