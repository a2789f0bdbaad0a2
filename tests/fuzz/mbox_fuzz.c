/*
 * Fuzzes the mailbox text: the first octet says how a letter is cut. What is
 * put behind a From_ line never shows a second one, does not depend on the
 * cuts, and comes back as it was, its line ends and state fields aside.
 */
#include <stdlib.h>

#include "lib/mail/mbox.h"

#define TEXT_MAX (16 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
hold(bool v)
{
	if (!v)
		abort();
}

static void
put_all(struct span in, size_t step, struct buf *out)
{
	struct mbox_put m = { 0 };
	size_t at, n;

	for (at = 0; at < in.len; at += n) {
		n = in.len - at < step ? in.len - at : step;
		hold(mbox_put(&m, span_make(in.p + at, n), out) == 0);
	}
	hold(mbox_put_end(&m, out) == 0);
}

static void
get_all(struct span in, size_t step, struct buf *out)
{
	struct mbox_get g = { 0 };
	size_t at, n;

	for (at = 0; at < in.len; at += n) {
		n = in.len - at < step ? in.len - at : step;
		hold(mbox_get(&g, span_make(in.p + at, n), out) == 0);
	}
	hold(mbox_get_end(&g, out) == 0);
}

/* The text behind the header, bare CRs apart, must survive the way. */
static void
check_body(struct span in, struct span back)
{
	struct buf want = BUF_INIT(TEXT_MAX);
	size_t body, i;

	header_length(in, &body);
	for (i = body; i < in.len; i++)
		if (in.p[i] != '\r')
			buf_add_char(&want, in.p[i]);
	if (want.len > 0 && want.p[want.off + want.len - 1] != '\n')
		buf_add_char(&want, '\n');
	hold(back.len >= want.len && span_eq(buf_span(&want),
		span_from(back, back.len - want.len)));
	buf_clear(&want);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf a = BUF_INIT(TEXT_MAX), b = BUF_INIT(TEXT_MAX);
	struct span in, sender;
	int64_t date;
	size_t step, n;

	if (size < 1)
		return 0;
	step = data[0] == 0 ? 1 : data[0];
	in = span_make(data + 1, size - 1);
	put_all(in, in.len + 1, &a);
	put_all(in, step, &b);
	hold(span_eq(buf_span(&a), buf_span(&b)));
	hold(mbox_next(buf_span(&a), 0) == a.len);
	buf_reset(&b);
	get_all(span_make(a.p + a.off, a.len - 1), step, &b);
	if (memchr(data, '\r', size) == NULL)
		check_body(in, buf_span(&b));
	buf_reset(&b);
	get_all(in, step, &b);
	hold(b.len <= in.len);
	mbox_from_parse(in, &n, &sender, &date);
	buf_clear(&a);
	buf_clear(&b);
	return 0;
}
