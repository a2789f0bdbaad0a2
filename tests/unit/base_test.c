/* base_test.c - spans, buffers, hash tables, ids: what everything stands on. */
#include "tests/unit/check.h"

#include <errno.h>

#include "lib/buf.h"
#include "lib/hash.h"
#include "lib/log.h"
#include "lib/loop.h"

static void
test_numbers(void)
{
	static const struct {
		const char *in;
		uint64_t max;
		int rv;
		uint64_t out;
	} cases[] = {
		{ "0",                    10,         0,  0 },
		{ "007",                  10,         0,  7 },
		{ "10",                   10,         0,  10 },
		{ "11",                   10,         -1, 0 },
		{ "",                     10,         -1, 0 },
		{ "-1",                   10,         -1, 0 },
		{ "+1",                   10,         -1, 0 },
		{ " 1",                   10,         -1, 0 },
		{ "1x",                   10,         -1, 0 },
		{ "18446744073709551615", UINT64_MAX, 0,  UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, -1, 0 },
		{ "99999999999999999999", UINT64_MAX, -1, 0 },
		{ "000000000000000000001", UINT64_MAX, -1, 0 },
	};
	uint64_t v;
	size_t i;

	for (i = 0; i < nitems(cases); i++) {
		check_begin(cases[i].in);
		v = 0;
		check_int(span_u64(span_str(cases[i].in), cases[i].max, &v),
		    cases[i].rv);
		check_true(v == cases[i].out);
	}
}

static void
test_spans(void)
{
	struct span rest = span_str("  one two  three "), word, head, tail;
	char small[4];

	check_begin("words");
	check_true(span_next(&rest, ' ', &word));
	check_span(word, "one");
	check_true(span_next(&rest, ' ', &word));
	check_span(word, "two");
	check_true(span_next(&rest, ' ', &word));
	check_span(word, "three");
	check_true(!span_next(&rest, ' ', &word));

	check_begin("split without the separator");
	span_split(span_str("abc"), '@', &head, &tail);
	check_span(head, "abc");
	check_span(tail, "");

	check_begin("copy");
	check_int(span_copy(span_str("abc"), small, sizeof(small)), 0);
	check_str(small, "abc");
	check_int(span_copy(span_str("abcd"), small, sizeof(small)), -1);
	check_str(small, "");
	check_int(span_copy(span_make("a\0b", 3), small, sizeof(small)), -1);

	check_begin("case and hashes");
	check_true(span_caseeq(span_str("MaIl"), "mAiL"));
	check_true(!span_caseeq(span_str("mail"), "mails"));
	check_true(span_hash_lower(span_str("ABC")) ==
	    span_hash_lower(span_str("abc")));
	check_true(span_hash(span_str("ABC")) != span_hash(span_str("abc")));
}

static void
test_buf(void)
{
	struct buf b = BUF_INIT(100);
	char big[101] = { 0 };

	check_begin("limit");
	check_int(buf_add(&b, big, 100), 0);
	check_int(buf_add_char(&b, 'x'), -1);
	check_int(errno, ENOBUFS);
	check_int((int)b.len, 100);
	buf_drop(&b, 60);
	check_int((int)b.len, 40);
	check_int(buf_add(&b, big, 60), 0);
	check_int(buf_add(&b, big, 1), -1);
	buf_clear(&b);

	check_begin("front is taken, octets stay in order");
	check_int(buf_addf(&b, "%s-%d", "hello", 42), 0);
	buf_drop(&b, 6);
	check_span(buf_span(&b), "42");
	check_int(buf_add_str(&b, " more of it, long enough to move"), 0);
	check_str(buf_str(&b), "42 more of it, long enough to move");
	buf_clear(&b);

	check_begin("numbers are little-endian");
	buf_add_u32(&b, 0x01020304);
	check_mem(buf_span(&b).p, b.len, "\4\3\2\1", 4);
	check_true(get_u32(buf_span(&b).p) == 0x01020304);
	buf_reset(&b);
	buf_add_u64(&b, UINT64_C(0x1122334455667788));
	check_true(get_u64(buf_span(&b).p) == UINT64_C(0x1122334455667788));
	buf_clear(&b);
}

struct thing {
	struct hash_node node;
	int value;
};

static void
count_one(void *arg, struct hash_node *node)
{
	(void)node;
	(*(int *)arg)++;
}

static void
test_hash(void)
{
	static struct thing things[1000];
	struct hash h = { 0 };
	struct hash_node *n;
	int i, found = 0, count = 0;

	check_begin("a thousand, each found, equal keys side by side");
	for (i = 0; i < 1000; i++) {
		things[i].value = i;
		hash_add(&h, &things[i].node, (uint64_t)(i / 2));
	}
	for (i = 0; i < 500; i++)
		for (n = hash_find(&h, (uint64_t)i); n != NULL;
		    n = hash_next(n))
			if (hash_entry(n, struct thing, node)->value / 2 == i)
				found++;
	check_int(found, 1000);
	check_true(hash_find(&h, 500) == NULL);
	for (i = 0; i < 1000; i += 2)
		hash_remove(&h, &things[i].node);
	hash_each(&h, count_one, &count);
	check_int(count, 500);
	check_int((int)h.n, 500);
	hash_clear(&h);
	check_true(hash_find(&h, 1) == NULL);
}

static void
test_text(void)
{
	char out[64], qid[QID_TEXT];
	uint64_t v = 0;

	check_begin("log text is printable");
	log_escape(span_make("a\r\n\"\\\xff z", 8), out, sizeof(out));
	check_str(out, "a\\x0d\\x0a\\x22\\x5c\\xff z");
	log_escape(span_str("0123456789\n"), out, 13);
	check_str(out, "0123456789");

	check_begin("ids read back");
	check_int(qid_parse(span_str(qid_format(0, qid)), &v), 0);
	check_true(v == 0);
	check_int(qid_parse(span_str(qid_format(UINT64_MAX, qid)), &v), 0);
	check_true(v == UINT64_MAX);
	check_int(qid_parse(span_str("ZZZZZZZZZZZZZ"), &v), -1);
	check_int(qid_parse(span_str("00000000000U0"), &v), -1);
	check_int(qid_parse(span_str("0000"), &v), -1);
}

struct order {
	struct loop loop;
	struct defer first, second;
	struct timer timer;
	char said[16];
};

static void
on_first(void *arg)
{
	struct order *o = arg;

	strncat(o->said, "1", 2);
	loop_defer(&o->loop, &o->second);
}

static void
on_second(void *arg)
{
	strncat(((struct order *)arg)->said, "2", 2);
}

static void
on_time(void *arg)
{
	struct order *o = arg;

	strncat(o->said, "t", 2);
	loop_defer(&o->loop, &o->first);
	loop_defer(&o->loop, &o->first);
}

static void
test_loop(void)
{
	static struct order o;

	check_begin("what is deferred runs once, before the loop sleeps");
	loop_init(&o.loop);
	defer_init(&o.first, on_first, &o);
	defer_init(&o.second, on_second, &o);
	timer_init(&o.timer, &o.loop, on_time, &o);
	timer_set_ms(&o.timer, 1);
	check_true(timer_is_set(&o.timer));
	loop_run_once(&o.loop, 1000);
	check_str(o.said, "t12");
	loop_defer(&o.loop, &o.first);
	loop_undefer(&o.loop, &o.first);
	loop_run_once(&o.loop, 1);
	check_str(o.said, "t12");
	check_begin("a round that began with a deferred call does not sleep");
	loop_defer(&o.loop, &o.second);
	timer_set_ms(&o.timer, 1000);
	loop_run_once(&o.loop, 2000);
	check_str(o.said, "t122");
	loop_clear(&o.loop);
}

int
main(void)
{
	test_numbers();
	test_spans();
	test_buf();
	test_hash();
	test_text();
	test_loop();
	return check_end();
}
