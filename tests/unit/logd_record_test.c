/*
 * logd_record_test.c - events in daily files: written, read back, damaged,
 * found by their filters; days that end, fill up and expire.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/ipc/event.h"
#include "lib/mem.h"
#include "lib/privsep/roles.h"
#include "logd/days.h"
#include "logd/trace.h"
#include "tests/unit/check.h"
#include "tests/unit/tree.h"

#define DAY_S 86400
#define TODAY (20000 * (int64_t)DAY_S) /* 2024-10-04 */

static struct record
make(struct event_out *e, uint64_t qid, const char *to)
{
	event_begin(e, EV_DELIVERED, qid, qid + 1);
	event_str(e, KEY_TO, to);
	event_num(e, KEY_DELAY, qid);
	return (struct record){ .time_us = qid * 10, .qid = qid,
	    .sid = qid + 1, .code = EV_DELIVERED, .role = ROLE_QUEUED,
	    .fields = span_make(e->data, e->len) };
}

static void
test_record(void)
{
	struct buf b = BUF_INIT(DAY_BLOCK);
	struct record r, got;
	struct event_out e;
	size_t at = 0, cut, i;
	int rv;

	check_begin("a record, written and read");
	r = make(&e, 7, "a@b.example");
	r.instance = 3;
	check_int(record_encode(&r, &b), 0);
	check_int(record_next(buf_span(&b), &at, &got), 1);
	check_int(at, buf_span(&b).len);
	check_int(got.time_us, 70);
	check_int(got.qid, 7);
	check_int(got.sid, 8);
	check_int(got.code, EV_DELIVERED);
	check_int(got.role, ROLE_QUEUED);
	check_int(got.instance, 3);
	check_span(record_field(&got, KEY_TO), "a@b.example");
	check_int(record_field(&got, KEY_FROM).len, 0);
	check_int(record_next(buf_span(&b), &at, &got), 0);

	check_begin("a record that is cut anywhere");
	for (cut = 1; cut < buf_span(&b).len; cut++) {
		at = 0;
		check_int(record_next(span_make(b.p + b.off, cut), &at, &got),
		    -1);
	}
	check_begin("a record with any octet changed");
	for (i = 0; i < buf_span(&b).len; i++) {
		b.p[b.off + i] ^= 0x10;
		at = 0;
		rv = record_next(buf_span(&b), &at, &got);
		check_true(rv == -1);
		b.p[b.off + i] ^= 0x10;
	}
	buf_clear(&b);
}

static void
test_filter(void)
{
	unsigned char filter[FILTER_OCTETS] = { 0 };
	unsigned wrong = 0;
	uint64_t id;

	check_begin("filters have what was put in, and little else");
	for (id = 1; id <= 400; id++)
		filter_add(filter, id << 20);
	for (id = 1; id <= 400; id++)
		check_true(filter_has(filter, id << 20));
	for (id = 1; id <= 10000; id++)
		wrong += filter_has(filter, (id << 20) + 1);
	check_true(wrong < 50);
}

static void
test_matches(void)
{
	struct event_out e;
	struct record r = make(&e, 1, "<User@Example.test>");

	check_begin("addresses and Message-IDs of an event");
	check_true(trace_matches(&r, span_str("user@example.test")));
	check_true(trace_matches(&r, span_str("<user@EXAMPLE.test>")));
	check_true(!trace_matches(&r, span_str("ser@example.test")));
	event_str(&e, KEY_MSGID, "<m1@x>");
	r.fields = span_make(e.data, e.len);
	check_true(trace_matches(&r, span_str("m1@x")));
	event_str(&e, KEY_REPLY, "other@example.test");
	r.fields = span_make(e.data, e.len);
	check_true(!trace_matches(&r, span_str("other@example.test")));
}

/* -- days ------------------------------------------------------------------ */

static char folder[] = "/tmp/logd_test.XXXXXX";

static void
add_many(struct days *d, uint64_t first, uint64_t n, int64_t now_s)
{
	struct event_out e;
	struct record r;
	uint64_t i;

	for (i = first; i < first + n; i++) {
		r = make(&e, i, "somebody@example.test");
		days_add(d, &r, now_s);
	}
}

/* Reads a day whole: how many records, in rising order of qid. */
static uint64_t
count_records(int dirfd, int64_t day)
{
	int fd = day_open(dirfd, day, "events");
	char block[DAY_BLOCK];
	struct record r;
	uint64_t n = 0, last = 0;
	ssize_t got;
	size_t at;

	if (!check_true(fd != -1))
		return 0;
	while ((got = read(fd, block, sizeof(block))) > 0) {
		at = n == 0 ? MAGIC_OCTETS : 0;
		while (record_next(span_make(block, (size_t)got), &at, &r) ==
		    1) {
			if (r.qid <= last)
				check_true(r.qid > last);
			last = r.qid;
			n++;
		}
	}
	close(fd);
	return n;
}

static void
test_days(int dirfd)
{
	struct days d;
	struct stat st;
	int64_t *list;
	int fd;

	check_begin("a day of many blocks");
	days_init(&d, dirfd);
	add_many(&d, 1, 5000, TODAY);
	check_int(days_flush(&d), 0);
	check_int(d.written, 5000);
	check_int(count_records(dirfd, 20000), 5000);
	check_true(d.size > 5 * DAY_BLOCK);
	check_int(d.filtered, d.size / DAY_BLOCK);

	check_begin("opened again, it goes on");
	days_clear(&d);
	days_init(&d, dirfd);
	add_many(&d, 5001, 5000, TODAY);
	days_clear(&d);
	check_int(count_records(dirfd, 20000), 10000);

	check_begin("a torn end is cut off, a lost index made anew");
	fd = openat(dirfd, "2024-10-04.events", O_WRONLY | O_APPEND);
	check_int(write(fd, "\x40\0\0\0torn", 8), 8);
	close(fd);
	unlinkat(dirfd, "2024-10-04.index", 0);
	days_init(&d, dirfd);
	add_many(&d, 10001, 1, TODAY);
	days_clear(&d);
	check_int(count_records(dirfd, 20000), 10001);
	fstatat(dirfd, "2024-10-04.events", &st, 0);
	fd = openat(dirfd, "2024-10-04.index", O_RDONLY);
	check_int(lseek(fd, 0, SEEK_END), MAGIC_OCTETS +
	    st.st_size / DAY_BLOCK * FILTER_OCTETS);
	close(fd);

	check_begin("a new day, and days that expire");
	days_init(&d, dirfd);
	add_many(&d, 20001, 10, TODAY + DAY_S);
	add_many(&d, 20011, 10, TODAY + 2 * DAY_S);
	check_int(days_list(dirfd, &list), 3);
	check_int(list[0], 20000);
	mem_free(list);
	days_expire(&d, TODAY + 2 * DAY_S, 2 * DAY_S, 1u << 30);
	check_int(days_list(dirfd, &list), 3);
	mem_free(list);
	days_expire(&d, TODAY + 2 * DAY_S, DAY_S, 1u << 30);
	check_int(days_list(dirfd, &list), 2);
	mem_free(list);
	days_expire(&d, TODAY + 2 * DAY_S, DAY_S, 1);
	check_int(days_list(dirfd, &list), 1); /* today stays */
	check_int(list[0], 20002);
	mem_free(list);
	days_clear(&d);
	unlinkat(dirfd, "2024-10-06.events", 0);
	unlinkat(dirfd, "2024-10-06.index", 0);
}

/* A disk that takes nothing: /dev/full behind the name of the day. */
static void
test_full_disk(int dirfd)
{
	struct days d;
	int full;

	check_begin("a full disk");
	if ((full = open("/dev/full", O_RDWR | O_CLOEXEC)) == -1)
		return;
	days_init(&d, dirfd);
	add_many(&d, 1, 1, TODAY);
	check_int(days_flush(&d), 0);
	dup2(full, d.fd);
	close(full);
	add_many(&d, 2, 20000, TODAY);
	check_true(d.full);
	check_true(d.dropped > 0 && d.dropped < 20000);
	check_true(buf_span(&d.out).len <= DAYS_BUFFER);
	check_int(d.written + d.dropped, 20001);
	check_begin("and room again: nothing written is missing");
	full = openat(dirfd, "2024-10-04.events", O_RDWR | O_CLOEXEC);
	dup2(full, d.fd);
	close(full);
	check_int(days_flush(&d), 0);
	add_many(&d, 30001, 2000, TODAY);
	check_int(days_flush(&d), 0);
	check_true(!d.full);
	check_int(d.filtered, d.size / DAY_BLOCK);
	check_int(count_records(dirfd, 20000), d.written);
	days_clear(&d);
	unlinkat(dirfd, "2024-10-04.events", 0);
	unlinkat(dirfd, "2024-10-04.index", 0);
}

int
main(void)
{
	int dirfd;

	log_init("logd_record_test");
	test_record();
	test_filter();
	test_matches();
	if (!check_true(mkdtemp(folder) != NULL) ||
	    (dirfd = open(folder, O_RDONLY | O_DIRECTORY)) == -1)
		return check_end();
	test_days(dirfd);
	test_full_disk(dirfd);
	close(dirfd);
	tree_remove(folder);
	return check_end();
}
