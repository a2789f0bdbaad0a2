/*
 * tests/fuzz/queued_record_fuzz.c - the readers of everything that lies in the
 * spool, short of the walk over a segment: headers, payloads, index entries.
 * The first octet chooses the reader. What decodes is encoded and decoded anew.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/crc32c.h"
#include "queued/entry.h"
#include "queued/record.h"
#include "queued/tlv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool held)
{
	if (!held)
		abort();
}

static void
fuzz_letter(struct span in)
{
	struct buf b = BUF_INIT(RECORD_PAYLOAD_MAX);
	struct letter *l, *again;
	struct span text;
	uint64_t through;
	bool big;

	(void)record_envelope_octets(in);
	(void)record_decode_text(in, &text, &big);
	if (record_decode_envelope(in, 1, &l, &through) == -1)
		return;
	if (record_encode_letter(&b, l, through, 0) == 0) {
		must(record_decode_envelope(buf_span(&b), 1, &again, NULL) ==
		    0);
		must(again->nrcpts == l->nrcpts);
		letter_free(again);
	}
	(void)letter_due_s(l);
	letter_free(l);
	buf_clear(&b);
}

/* The crc inside an envelope would hide what lies behind it. */
static void
fuzz_envelope(struct span in)
{
	struct buf b = BUF_INIT(RECORD_PAYLOAD_MAX);

	tlv_head(&b, TLV_ENVELOPE, (uint32_t)in.len + 4);
	buf_add_u32(&b, crc32c(0, in.p, in.len));
	buf_add_span(&b, in);
	fuzz_letter(buf_span(&b));
	buf_clear(&b);
}

static void
fuzz_apply(struct span in, uint16_t type)
{
	struct letter *l = letter_new(1);

	letter_add_rcpt(l, span_str("a@example.org"));
	letter_add_rcpt(l, span_str("b@example.org"));
	l->reverse_path = l->account = span_str("");
	(void)record_apply(l, type, in);
	(void)letter_open_rcpts(l);
	(void)letter_account_hash(l);
	letter_free(l);
}

static void
fuzz_entry(struct span in)
{
	struct buf b = BUF_INIT(ENTRY_OCTETS_MAX);
	struct entry e = { 0 };

	if (entry_decode(in, &e) == 0) {
		must(entry_encode(&e, &b) == 0);
		must(span_eq(buf_span(&b), in));
	}
	entry_clear(&e);
	buf_clear(&b);
}

static void
fuzz_heads(struct span in)
{
	unsigned char raw[SEGMENT_HEAD] = { 0 };
	struct segment_head s;
	struct record_head h;
	struct commit c;

	memcpy(raw, in.p, in.len < sizeof(raw) ? in.len : sizeof(raw));
	(void)segment_head_decode(raw, &s);
	(void)record_head_decode(raw, 0, get_u64(raw + 16), &h);
	(void)record_decode_commit(in, &c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_make(data, size);
	uint8_t what;

	if (size == 0)
		return 0;
	what = data[0];
	in = span_from(in, 1);
	switch (what % 7) {
	case 0:
		fuzz_letter(in);
		break;
	case 1:
		fuzz_envelope(in);
		break;
	case 2:
		fuzz_apply(in, REC_EXPAND);
		break;
	case 3:
		fuzz_apply(in, REC_STATE);
		break;
	case 4:
		fuzz_apply(in, REC_CTRL);
		break;
	case 5:
		fuzz_entry(in);
		break;
	default:
		fuzz_heads(in);
		break;
	}
	return 0;
}
