/*
 * Fuzzes the mailbox text: the first octet says how a letter is cut. What is
 * put behind a From_ line never shows a second one, does not depend on the
 * cuts, and comes back as it was, its line ends and state fields aside.
 */

#include "lib/mail/mbox.h"
#include "tests/fuzz/fuzz.h"

#define TEXT_MAX (16 << 20)

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

/* A line at a time, as its reader gets it; CRs are left out. */
static void
get_all(struct span in, struct buf *out)
{
	struct mbox_decoder d = MBOX_DECODER_INIT;
	struct span rest = in;
	ssize_t lf;
	size_t n;

	while (rest.len > 0) {
		lf = span_find(rest, '\n');
		n = lf == -1 ? rest.len : (size_t)lf + 1;
		hold(mbox_decode(&d, span_make(rest.p, n), out) == 0);
		rest = span_from(rest, n);
	}
	hold(mbox_decode_end(&d, out) == 0);
}

/* The text behind the header must survive the way, with CRLF line ends. */
static void
check_body(struct span in, struct span back)
{
	struct buf want = BUF_INIT(TEXT_MAX);
	size_t body, i;

	header_length(in, &body);
	for (i = body; i < in.len; i++) {
		if (in.p[i] == '\n')
			buf_add_char(&want, '\r');
		buf_add_char(&want, in.p[i]);
	}
	if (want.len > 0 && want.p[want.off + want.len - 1] != '\n')
		buf_add_str(&want, "\r\n");
	hold(back.len >= want.len && span_eq(buf_span(&want),
		span_from(back, back.len - want.len)));
	buf_clear(&want);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf a = BUF_INIT(TEXT_MAX), b = BUF_INIT(TEXT_MAX);
	struct span in;
	size_t step;

	if (size < 1)
		return 0;
	step = data[0] == 0 ? 1 : data[0];
	in = span_make(data + 1, size - 1);
	put_all(in, in.len + 1, &a);
	put_all(in, step, &b);
	hold(span_eq(buf_span(&a), buf_span(&b)));
	hold(!mbox_is_from(buf_span(&a)) &&
	    memmem(a.p + a.off, a.len, "\nFrom ", 6) == NULL);
	buf_reset(&b);
	get_all(span_make(a.p + a.off, a.len - 1), &b);
	if (memchr(data, '\r', size) == NULL)
		check_body(in, buf_span(&b));
	buf_reset(&b);
	get_all(in, &b);
	hold(b.len <= 2 * in.len + 2);
	buf_clear(&a);
	buf_clear(&b);
	return 0;
}
