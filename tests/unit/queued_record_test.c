/* tests/unit/queued_record_test.c - records and payloads, there and back. */
#include <errno.h>

#include "lib/crc32c.h"
#include "lib/mem.h"
#include "queued/record.h"
#include "queued/tlv.h"
#include "tests/unit/check.h"

static void
test_heads(void)
{
	struct record_head h = { .type = REC_STATE, .flags = 3,
		.payload_octets = 77, .payload_crc = 0x12345678,
		.lsn = LSN(7, 8192), .qid = 0x1122334455667788 }, got;
	unsigned char raw[RECORD_HEAD];
	unsigned i;

	check_begin("record header");
	record_head_encode(&h, 99, raw);
	check_int(record_head_decode(raw, 99, h.lsn, &got), 0);
	check_int(got.type, REC_STATE);
	check_int(got.flags, 3);
	check_int(got.payload_octets, 77);
	check_int(got.payload_crc, 0x12345678);
	check_true(got.qid == h.qid);
	check_int(record_head_decode(raw, 98, h.lsn, &got), -1);
	check_int(record_head_decode(raw, 99, h.lsn + 8, &got), -1);
	for (i = 0; i < RECORD_HEAD; i++) {
		raw[i] ^= 1;
		check_int(record_head_decode(raw, 99, h.lsn, &got), -1);
		raw[i] ^= 1;
	}
	check_begin("a length over the limit by one");
	h.payload_octets = RECORD_PAYLOAD_MAX;
	record_head_encode(&h, 99, raw);
	check_int(record_head_decode(raw, 99, h.lsn, &got), 0);
	h.payload_octets++;
	record_head_encode(&h, 99, raw);
	check_int(record_head_decode(raw, 99, h.lsn, &got), -1);
}

static void
test_segment_head(void)
{
	struct segment_head h = { .number = 5, .octets = 4 << 20, .epoch = 9,
		.salt = 77, .prev_end = LSN(4, 4096), .prev_commit = 3,
		.next_batch = 12 }, got;
	unsigned char raw[SEGMENT_HEAD];

	check_begin("segment header");
	memset(h.uuid, 0xab, sizeof(h.uuid));
	segment_head_encode(&h, raw);
	check_int(segment_head_decode(raw, &got), 0);
	check_mem(&got, sizeof(got), &h, sizeof(h));
	raw[30] ^= 1; /* one copy */
	check_int(segment_head_decode(raw, &got), 0);
	raw[SEGMENT_HEAD_SECOND + 30] ^= 1;
	check_int(segment_head_decode(raw, &got), -1);
}

static struct letter *
letter_make(void)
{
	struct letter *l = letter_new(4242);
	struct rcpt *r;

	l->sid = 17;
	l->flags = LETTER_SMTPUTF8 | LETTER_RET_HDRS;
	l->arrival_s = 1700000000;
	l->size = 1234;
	l->held = HELD_RCPTS_DAY;
	l->reverse_path = span_str("s@example.org");
	l->envid = span_str("env");
	l->account = span_str("");
	l->client = span_str("192.0.2.7 helo");
	r = letter_add_rcpt(l, span_str("a@b.example"));
	r->notify = NOTIFY_FAILURE | NOTIFY_DELAY;
	r->orcpt = span_str("rfc822;a@b.example");
	r = letter_add_rcpt(l, span_str("c@d.example"));
	r->state = RCPT_DEFERRED;
	r->attempt = 3;
	r->next_s = 1700000300;
	r->status = span_str("4.4.1");
	r->host = span_str("mx.d.example");
	r->reply = span_str("451 later");
	return l;
}

static void
check_letter(const struct letter *got)
{
	check_true(got->qid == 4242 && got->sid == 17);
	check_int(got->held, HELD_RCPTS_DAY);
	check_str(letter_held_text(got), "recipients/day");
	check_int(got->flags, LETTER_SMTPUTF8 | LETTER_RET_HDRS);
	check_int(got->arrival_s, 1700000000);
	check_int(got->size, 1234);
	check_span(got->reverse_path, "s@example.org");
	check_span(got->envid, "env");
	check_span(got->account, "");
	check_span(got->client, "192.0.2.7 helo");
	if (!check_int(got->nrcpts, 2))
		return;
	check_span(got->rcpts[0].addr, "a@b.example");
	check_span(got->rcpts[0].orcpt, "rfc822;a@b.example");
	check_int(got->rcpts[0].notify, NOTIFY_FAILURE | NOTIFY_DELAY);
	check_int(got->rcpts[1].state, RCPT_DEFERRED);
	check_int(got->rcpts[1].attempt, 3);
	check_int(got->rcpts[1].next_s, 1700000300);
	check_span(got->rcpts[1].reply, "451 later");
}

static void
test_letter(void)
{
	struct buf b = BUF_INIT(RECORD_PAYLOAD_MAX);
	struct letter *l = letter_make(), *got;
	struct span text;
	uint64_t through, env;
	size_t n;
	bool big;

	check_begin("letter");
	check_int(record_encode_letter(&b, l, 88, 5), 0);
	env = record_envelope_octets(buf_span(&b));
	check_true(env > 0 && env < b.len);
	buf_add_str(&b, "hello");
	check_int(record_decode_envelope(buf_span(&b), 4242, &got, &through),
	    0);
	check_true(through == 88);
	check_letter(got);
	letter_free(got);
	check_int(record_decode_text(buf_span(&b), &text, &big), 0);
	check_true(!big);
	check_span(text, "hello");
	check_begin("the envelope alone suffices");
	check_int(record_decode_envelope(span_make(b.p + b.off, env), 4242,
	    &got, NULL), 0);
	letter_free(got);
	check_begin("cut anywhere, nothing is believed");
	for (n = 0; n < env; n++)
		check_int(record_decode_envelope(span_make(b.p + b.off, n),
		    4242, &got, NULL), -1);
	check_begin("big");
	buf_reset(&b);
	l->big = true;
	check_int(record_encode_letter(&b, l, 0, 5), 0);
	check_int(record_decode_text(buf_span(&b), &text, &big), 0);
	check_true(big && text.len == 0);
	letter_free(l);
	buf_clear(&b);
}

static void
test_state(void)
{
	struct outcome o = { .number = 2, .state = RCPT_RELAYED, .flags = 1,
		.attempt = 4, .status = span_str("2.0.0"),
		.host = span_str("mx"), .reply = span_str("250 ok") };
	struct buf b = BUF_INIT(RECORD_PAYLOAD_MAX);
	struct letter *l = letter_make();
	size_t n;

	check_begin("state");
	check_int(record_encode_state(&b, &o, 1), 0);
	check_int(record_apply(l, REC_STATE, buf_span(&b)), 0);
	check_int(l->rcpts[1].state, RCPT_RELAYED);
	check_span(l->rcpts[1].reply, "250 ok");
	check_int(letter_open_rcpts(l), 1);
	for (n = 1; n < b.len; n++)
		check_int(record_apply(l, REC_STATE,
		    span_make(b.p + b.off, n)), -1);
	check_begin("an unknown recipient is skipped");
	o.number = 77;
	buf_reset(&b);
	check_int(record_encode_state(&b, &o, 1), 0);
	check_int(record_apply(l, REC_STATE, buf_span(&b)), 0);
	check_begin("a long reply is cut");
	char *reply = xcalloc(1, LETTER_TEXT_MAX + 100);
	memset(reply, 'r', LETTER_TEXT_MAX + 99);
	o.number = 1;
	o.reply = span_str(reply);
	buf_reset(&b);
	check_int(record_encode_state(&b, &o, 1), 0);
	check_int(record_apply(l, REC_STATE, buf_span(&b)), 0);
	check_int(l->rcpts[0].reply.len, LETTER_TEXT_MAX);
	free(reply);
	letter_free(l);
	buf_clear(&b);
}

static void
test_expand_and_ctrl(void)
{
	const uint32_t parents[] = { 1 };
	struct final f[] = { { .number = 3, .parent = 1, .depth = 1, .kind = 4,
		.addr = span_str("x@y.example"), .user = span_str("joe"),
		.orcpt = span_str("") }, { .number = 3, .parent = 1,
		.addr = span_str("again"), .user = span_str(""),
		.orcpt = span_str("") } };
	struct control c = { .verb = CTRL_RELEASE, .time_s = 5,
		.operator = span_str("op"), .addr = span_str("") };
	struct buf b = BUF_INIT(RECORD_PAYLOAD_MAX);
	struct letter *l = letter_make();

	check_begin("expand");
	check_int(record_encode_expand(&b, parents, 1, f, 2), 0);
	check_int(record_apply(l, REC_EXPAND, buf_span(&b)), 0);
	check_int(l->nrcpts, 3); /* a number comes once */
	check_int(l->rcpts[0].state, RCPT_EXPANDED);
	check_span(l->rcpts[2].user, "joe");
	check_int(l->rcpts[2].kind, 4);
	check_begin("release, expedite, delete");
	buf_reset(&b);
	record_encode_ctrl(&b, &c);
	check_int(record_apply(l, REC_CTRL, buf_span(&b)), 0);
	check_true(!l->held);
	c.verb = CTRL_EXPEDITE;
	buf_reset(&b);
	record_encode_ctrl(&b, &c);
	check_int(record_apply(l, REC_CTRL, buf_span(&b)), 0);
	check_int(letter_due_s(l), 5);
	c.verb = CTRL_DELETE;
	c.number = 2;
	buf_reset(&b);
	record_encode_ctrl(&b, &c);
	check_int(record_apply(l, REC_CTRL, buf_span(&b)), 0);
	check_int(l->rcpts[1].state, RCPT_DELETED);
	c.verb = CTRL_VERB_MAX;
	buf_reset(&b);
	record_encode_ctrl(&b, &c);
	check_int(record_apply(l, REC_CTRL, buf_span(&b)), -1);
	letter_free(l);
	buf_clear(&b);
}

static void
test_commit(void)
{
	struct commit c = { 9, LSN(1, 2), 3, 4 }, got;
	struct buf b = BUF_INIT(100);

	check_begin("commit");
	check_int(record_encode_commit(&b, &c), 0);
	check_int(b.len, COMMIT_PAYLOAD);
	check_int(record_decode_commit(buf_span(&b), &got), 0);
	check_true(got.batch == 9 && got.prev == c.prev);
	check_true(got.records == 3 && got.crc == 4);
	b.len--;
	check_int(record_decode_commit(buf_span(&b), &got), -1);
	buf_clear(&b);
}

int
main(void)
{
	check_begin("crc32c");
	check_int(crc32c(0, "123456789", 9), 0xe3069283);
	check_int(crc32c_table(0, "123456789", 9), 0xe3069283);
	test_heads();
	test_segment_head();
	test_letter();
	test_state();
	test_expand_and_ctrl();
	test_commit();
	return check_end();
}
