/*
 * Fuzzes the scanner of mailbox files: the first octet says how the text is
 * cut. The cuts make no difference, letters do not overlap, and each is as long
 * on the wire as the scanner said.
 */
#include <string.h>

#include "lib/mail/mbox.h"
#include "lib/mem.h"
#include "lib/store/scan.h"
#include "tests/fuzz/fuzz.h"

#define LETTERS_MAX 4096

struct found {
	struct ix_rec recs[LETTERS_MAX];
	size_t n;
};

static int
on_found(void *arg, struct ix_rec *rec)
{
	struct found *f = arg;

	if (f->n == LETTERS_MAX)
		return -1;
	f->recs[f->n++] = *rec;
	return 0;
}

/* In pieces of whole lines, at least step octets each. */
static void
scan_all(struct span in, size_t step, struct found *f)
{
	struct scan s;
	size_t n;
	const char *nl;

	f->n = 0;
	scan_init(&s, on_found, f);
	scan_start(&s, 0);
	while (in.len > 0) {
		n = step < in.len ? step : in.len;
		nl = memchr(in.p + n - 1, '\n', in.len - n + 1);
		n = nl != NULL ? (size_t)(nl + 1 - in.p) : in.len;
		if (scan_feed(&s, span_make(in.p, n)) == -1)
			break;
		in = span_from(in, n);
	}
	if (in.len == 0)
		scan_end(&s);
	scan_clear(&s);
}

static void
check_wire(struct span in, const struct ix_rec *r, size_t step)
{
	struct mbox_decoder d = MBOX_DECODER_INIT;
	struct buf out = BUF_INIT((size_t)1 << 24);
	struct span text;
	const char *nl;
	size_t n;

	hold(r->place <= in.len && r->octets <= in.len - r->place &&
	    r->from_octets <= r->octets);
	text = span_make(in.p + r->place + r->from_octets,
	    r->octets - r->from_octets);
	if (r->flags & IX_BLANK)
		text.len -= r->flags & IX_BLANK_CRLF ? 2 : 1;
	while (text.len > 0) {
		n = step < text.len ? step : text.len;
		nl = memchr(text.p + n - 1, '\n', text.len - n + 1);
		n = nl != NULL ? (size_t)(nl + 1 - text.p) : text.len;
		hold(mbox_decode(&d, span_make(text.p, n), &out) == 0);
		text = span_from(text, n);
	}
	hold(mbox_decode_end(&d, &out) == 0);
	hold(out.len == r->wire);
	buf_clear(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct found a, b;
	struct span in;
	size_t step, i;

	if (size < 1)
		return 0;
	step = data[0] == 0 ? 1 : data[0];
	in = span_make(data + 1, size - 1);
	scan_all(in, in.len + 1, &a);
	scan_all(in, step, &b);
	hold(a.n == b.n);
	hold(memcmp(a.recs, b.recs, a.n * sizeof(a.recs[0])) == 0);
	for (i = 0; i < a.n; i++) {
		check_wire(in, &a.recs[i], step);
		hold(i == 0 || a.recs[i].place ==
		    a.recs[i - 1].place + a.recs[i - 1].octets);
	}
	return 0;
}
