/*
 * ctl_test.c - questions and records of the admin's command on the wire: put
 * together, taken apart, and cut at every octet.
 */
#include "lib/ipc/ctl.h"
#include "tests/unit/check.h"

static struct ipc_msg
message(struct span body)
{
	return (struct ipc_msg){ .type = IPC_CTL, .request = 1, .body = body,
	    .fd = -1 };
}

static void
test_words(void)
{
	struct span words[CTL_WORDS_MAX], value;
	struct buf b = BUF_INIT(IPC_BODY_MAX);
	struct ipc_msg m;
	size_t cut, i;

	check_begin("a question");
	buf_add_u16(&b, 2);
	buf_add_u32(&b, 5);
	buf_add_str(&b, "queue");
	buf_add_u32(&b, 0);
	m = message(buf_span(&b));
	check_int(ctl_words(&m, words), 2);
	check_span(words[0], "queue");
	check_int(words[1].len, 0);
	check_begin("a question that is cut");
	for (cut = 0; cut < buf_span(&b).len; cut++) {
		m = message(span_make(buf_span(&b).p, cut));
		check_int(ctl_words(&m, words), -1);
	}
	check_begin("no words, too many");
	m = message(span_make("\0\0", 2));
	check_int(ctl_words(&m, words), -1);
	buf_reset(&b);
	buf_add_u16(&b, CTL_WORDS_MAX + 1);
	for (i = 0; i <= CTL_WORDS_MAX; i++)
		buf_add_u32(&b, 0);
	m = message(buf_span(&b));
	check_int(ctl_words(&m, words), -1);
	check_begin("key=value");
	check_true(ctl_word_is(span_str("from=a=b"), "from", &value));
	check_span(value, "a=b");
	check_true(ctl_word_is(span_str("from="), "from", &value));
	check_int(value.len, 0);
	check_true(!ctl_word_is(span_str("from"), "from", &value));
	check_true(!ctl_word_is(span_str("fromx=1"), "from", &value));
	buf_clear(&b);
}

static void
test_record(void)
{
	static char big[IPC_BODY_MAX];
	struct ctl_field f[4];
	struct ctl_record r;
	struct ipc_msg m;
	struct buf b = BUF_INIT(IPC_BODY_MAX);
	size_t cut;

	check_begin("a record");
	ctl_record_init(&r);
	ctl_str(&r, "to", "a@b");
	ctl_number(&r, "n", 7);
	ctl_qid(&r, "qid", UINT64_MAX);
	ctl_time(&r, "next", -1);
	ctl_str(&r, "more", "than kept");
	buf_add_u16(&b, (uint16_t)r.n);
	buf_add_span(&b, buf_span(&r.body));
	m = message(buf_span(&b));
	check_int(ctl_fields(&m, f, nitems(f)), 4);
	check_span(f[0].key, "to");
	check_int(f[0].kind, CTL_TEXT);
	check_span(f[0].text, "a@b");
	check_int(f[1].number, 7);
	check_int(f[2].kind, CTL_QID);
	check_true(f[2].number == UINT64_MAX);
	check_int(f[3].kind, CTL_TIME);
	check_begin("a record that is cut");
	for (cut = 0; cut < buf_span(&b).len; cut++) {
		m = message(span_make(buf_span(&b).p, cut));
		check_int(ctl_fields(&m, f, nitems(f)), -1);
	}
	check_begin("a field that does not fit is left out whole");
	ctl_record_clear(&r);
	memset(big, 'x', sizeof(big));
	ctl_text(&r, "one", span_make(big, sizeof(big)));
	ctl_text(&r, "two", span_make(big, sizeof(big)));
	ctl_number(&r, "n", 1);
	check_int(r.n, 2);
	check_true(buf_span(&r.body).len <= IPC_BODY_MAX - 2);
	ctl_record_clear(&r);
	buf_clear(&b);
}

int
main(void)
{
	test_words();
	test_record();
	return check_end();
}
