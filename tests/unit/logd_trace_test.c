/*
 * logd_trace_test.c - searches over a channel: by id, by address, by
 * Message-ID, over days; more than is shown; asked for while it is not read.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/privsep/roles.h"
#include "logd/trace.h"
#include "tests/unit/check.h"
#include "tests/unit/tree.h"

#define DAY_S 86400

static char folder[] = "/tmp/logd_trace_test.XXXXXX";
static struct loop loop;

/* What the asker has heard. */
static struct {
	unsigned records;
	uint64_t first_qid, last_qid;
	int64_t last_us;
	bool in_order, ended;
	int status;
} heard;

static int
on_answer(void *arg, struct ipc_msg *m)
{
	struct ctl_field f[40];
	struct ipc_reader rd;
	int n, i;

	(void)arg;
	if (m == NULL || m->type == IPC_CTL_END) {
		rd = ipc_reader_span(m == NULL ? span_make("\1", 1) : m->body);
		heard.status = ipc_get_u8(&rd);
		heard.ended = true;
		return 0;
	}
	n = ctl_fields(m, f, nitems(f));
	for (i = 0; i < n; i++) {
		if (span_eqstr(f[i].key, "qid")) {
			if (heard.records == 0)
				heard.first_qid = f[i].number;
			heard.last_qid = f[i].number;
		}
		if (span_eqstr(f[i].key, "time_us")) {
			if ((int64_t)f[i].number < heard.last_us)
				heard.in_order = false;
			heard.last_us = (int64_t)f[i].number;
		}
	}
	heard.records++;
	return n == -1 ? -1 : 0;
}

static struct channel us, them;

static void
on_done(void *arg, struct trace *t)
{
	(void)t;
	(*(int *)arg)++;
}

static int
on_ctl(void *arg, struct ipc_msg *m)
{
	(void)arg;
	(void)m;
	return -1;
}

static void
search(int root, const char *word, int64_t since_s)
{
	uint32_t request = channel_request(&them, 60000, on_answer, NULL);
	int done = 0;

	memset(&heard, 0, sizeof(heard));
	heard.in_order = true;
	trace_start(&loop, root, &us, request, span_str(word), since_s,
	    on_done, &done);
	while (!heard.ended)
		loop_run_once(&loop, 100);
	check_int(done, 1);
	check_true(heard.in_order);
}

/* Letter i: accepted in a session, delivered, done; two refused recipients. */
static void
fill(int root)
{
	struct days d;
	struct event_out e;
	struct record r;
	uint64_t i;
	unsigned k;

	days_init(&d, root);
	for (i = 1; i <= 6000; i++)
		for (k = 0; k < 4; k++) {
			char text[64];

			event_begin(&e, k == 0 ? EV_CONNECT : k == 1 ?
			    EV_ACCEPTED : k == 2 ? EV_DELIVERED : EV_DONE,
			    k == 0 ? 0 : i, k < 2 ? i + 1000000 : 0);
			if (k == 1) {
				event_str(&e, KEY_FROM, "sender@a.example");
				snprintf(text, sizeof(text), "<m%llu@a>",
				    (unsigned long long)i);
				event_str(&e, KEY_MSGID, text);
			}
			snprintf(text, sizeof(text), "u%llu@b.example",
			    (unsigned long long)i % 2000);
			if (k == 2)
				event_str(&e, KEY_TO, text);
			r = (struct record){ .time_us = i * 10 + k,
			    .qid = e.qid, .sid = e.sid, .code = e.code,
			    .role = ROLE_QUEUED,
			    .fields = span_make(e.data, e.len) };
			days_add(&d, &r, (int64_t)(20000 + i / 2001) * DAY_S);
		}
	days_clear(&d);
}

static void
test_searches(int root)
{
	char id[QID_TEXT];

	check_begin("by id: the session and the letter");
	search(root, qid_format(3000, id), 0);
	check_int(heard.status, 0);
	check_int(heard.records, 4);
	check_int(heard.last_qid, 3000);
	check_begin("by address, over all days");
	search(root, "U7@B.example", 0);
	check_int(heard.records, 9);
	check_int(heard.first_qid, 7);
	check_int(heard.last_qid, 4007);
	check_begin("by address, of the last days");
	search(root, "<u7@b.example>", 20001 * (int64_t)DAY_S);
	check_int(heard.records, 6);
	check_begin("by Message-ID");
	search(root, "m123@a", 0);
	check_int(heard.records, 3);
	check_begin("nothing");
	search(root, "nobody@b.example", 0);
	check_int(heard.status, EX_NOINPUT);
	check_int(heard.records, 0);
	check_begin("more than is shown: the newest");
	search(root, "sender@a.example", 0);
	check_int(heard.status, 0);
	check_int(heard.records, 3 * TRACE_IDS_MAX);
	check_int(heard.first_qid, 6000 - TRACE_IDS_MAX + 1);
	check_int(heard.last_qid, 6000);
}

/* What lies in the folder may be damaged: only that is missing. */
static void
test_damage(int root)
{
	int fd = openat(root, "2024-10-04.events", O_WRONLY);
	char id[QID_TEXT];

	check_begin("a damaged block costs its own letters alone");
	check_int(pwrite(fd, "\xff\xff\xff\xff", 4, DAY_BLOCK), 4);
	close(fd);
	search(root, "u7@b.example", 0);
	check_int(heard.records, 9);
	search(root, "sender@a.example", 0);
	check_int(heard.status, 0);
	check_begin("a filter of garbage hides, but harms nothing");
	fd = openat(root, "2024-10-05.index", O_WRONLY | O_TRUNC);
	check_int(write(fd, "x", 1), 1);
	close(fd);
	search(root, qid_format(3000, id), 0);
	check_int(heard.records, 4);
}

int
main(void)
{
	static const struct ipc_handler handlers[] = {
		{ IPC_CTL, on_ctl }, IPC_HANDLERS_END
	};
	static const struct ipc_handler none[] = { IPC_HANDLERS_END };
	int root, sv[2];

	loop_init(&loop);
	if (!check_true(mkdtemp(folder) != NULL) ||
	    (root = open(folder, O_RDONLY | O_DIRECTORY)) == -1 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == -1)
		return check_end();
	channel_init(&us, &loop, ROLE_LOGD, ROLE_CTL, handlers, NULL);
	channel_init(&them, &loop, ROLE_CTL, ROLE_LOGD, none, NULL);
	channel_open(&us, sv[0]);
	channel_open(&them, sv[1]);
	fill(root);
	test_searches(root);
	test_damage(root);
	channel_close(&us);
	channel_close(&them);
	close(root);
	tree_remove(folder);
	loop_clear(&loop);
	return check_end();
}
