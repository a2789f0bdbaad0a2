/*
 * logd_sink_test.c - where lines go: a datagram to syslog, a file that changes
 * with the day, and what happens when neither takes anything.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/privsep/roles.h"
#include "logd/sink.h"
#include "tests/unit/check.h"
#include "tests/unit/tree.h"

static char folder[] = "/tmp/logd_sink_test.XXXXXX";
static struct loop loop;
static struct channel master; /* closed: /dev/log cannot be asked for */

static struct record
make(struct event_out *e, enum event_code code)
{
	event_begin(e, code, 1, 0);
	event_str(e, KEY_TEXT, "hello there");
	return (struct record){ .time_us = 1700000000123456, .qid = 1,
	    .code = code, .role = ROLE_SMTPD,
	    .fields = span_make(e->data, e->len) };
}

static bool
begin(struct sink *s, const struct conf_log *conf, int root)
{
	char why[200];

	return sink_init(s, conf, root, folder, &loop, &master, why,
	    sizeof(why)) == 0;
}

static void
test_syslog(int root)
{
	struct conf_log conf = { .to = LOG_TO_SYSLOG,
		.facility = (char *)(uintptr_t)"mail" };
	struct event_out e;
	struct record r = make(&e, EV_WARNING);
	struct sink s;
	char got[2000];
	uint64_t dropped;
	ssize_t n;
	int sv[2], i;

	check_begin("a datagram of RFC 3164");
	check_true(begin(&s, &conf, root));
	check_int(socketpair(AF_UNIX, SOCK_DGRAM, 0, sv), 0);
	s.fd = sv[0];
	sink_write(&s, &r);
	n = recv(sv[1], got, sizeof(got) - 1, MSG_DONTWAIT);
	if (check_true(n > 0)) {
		got[n] = '\0';
		check_str(got, "<20>Nov 14 22:13:20 barid/smtpd: warning "
		    "qid=0000000000001 text=\"hello there\"");
	}
	check_begin("a syslog daemon that does not read");
	for (i = 0; i < 5000 && s.dropped == 0; i++)
		sink_write(&s, &r);
	check_true(s.dropped > 0);
	check_true(s.fd == sv[0]);
	dropped = s.dropped;
	while (recv(sv[1], got, sizeof(got), MSG_DONTWAIT) > 0)
		continue;
	sink_write(&s, &r);
	check_int(s.dropped, dropped);
	check_begin("a syslog daemon that has gone");
	close(sv[1]);
	sink_write(&s, &r); /* to stderr instead */
	check_int(s.fd, -1);
	check_true(timer_is_set(&s.again));
	sink_clear(&s);
}

/* The lines of a file of the folder, or -1. */
static int
lines(int root, const char *name)
{
	int fd = openat(root, name, O_RDONLY), n = 0;
	char c;

	if (fd == -1)
		return -1;
	while (read(fd, &c, 1) == 1)
		n += c == '\n';
	close(fd);
	return n;
}

static void
set_age(int root, int64_t days, char name[64])
{
	struct timespec ts[2] = { { .tv_sec = (time_t)(clock_now_s() -
	    days * 86400) } };
	struct tm tm;

	ts[1] = ts[0];
	utimensat(root, SINK_FILE, ts, 0);
	gmtime_r(&ts[0].tv_sec, &tm);
	strftime(name, 64, SINK_FILE ".%Y-%m-%d", &tm);
}

static void
test_file(int root)
{
	struct conf_log conf = { .to = LOG_TO_FILE, .dir = folder,
		.keep_s = 2 * 86400 };
	struct event_out e;
	struct record r = make(&e, EV_NOTE);
	char old[64], why[200], odd[100];
	struct sink s;

	check_begin("a file");
	check_true(begin(&s, &conf, root));
	sink_write(&s, &r);
	sink_write(&s, &r);
	sink_clear(&s);
	check_int(lines(root, SINK_FILE), 2);

	check_begin("on the next day it gets the name of its own");
	set_age(root, 1, old);
	check_true(begin(&s, &conf, root));
	sink_write(&s, &r);
	sink_clear(&s);
	check_int(lines(root, SINK_FILE), 1);
	check_int(lines(root, old), 2);

	check_begin("and goes when its time is over");
	conf.keep_s = 3600;
	check_true(begin(&s, &conf, root));
	sink_clear(&s);
	check_int(lines(root, old), -1);

	check_begin("a folder that is not below ours");
	conf.dir = (char *)(uintptr_t)"/var";
	check_int(sink_init(&s, &conf, root, folder, &loop, &master, why,
	    sizeof(why)), -1);
	check_true(strstr(why, folder) != NULL);
	snprintf(odd, sizeof(odd), "%sx", folder);
	conf.dir = odd;
	check_int(sink_init(&s, &conf, root, folder, &loop, &master, why,
	    sizeof(why)), -1);

	check_begin("a full disk");
	conf.dir = folder;
	check_true(begin(&s, &conf, root));
	close(s.fd);
	unlinkat(root, SINK_FILE, 0);
	check_int(symlinkat("/dev/full", root, SINK_FILE), 0);
	s.fd = open("/dev/full", O_WRONLY);
	sink_write(&s, &r);
	sink_flush(&s);
	check_true(s.full);
	check_true(buf_span(&s.out).len > 0);
	unlinkat(root, SINK_FILE, 0);
	sink_flush(&s); /* there is room again: opened anew */
	check_true(!s.full);
	check_int(lines(root, SINK_FILE), 1);
	sink_clear(&s);
	unlinkat(root, SINK_FILE, 0);
}

int
main(void)
{
	int root;

	setenv("TZ", "UTC0", 1);
	tzset();
	if (freopen("/dev/null", "w", stderr) == NULL)
		return 1;
	loop_init(&loop);
	master.fd = -1;
	if (!check_true(mkdtemp(folder) != NULL) ||
	    (root = open(folder, O_RDONLY | O_DIRECTORY)) == -1)
		return check_end();
	test_syslog(root);
	test_file(root);
	close(root);
	tree_remove(folder);
	loop_clear(&loop);
	return check_end();
}
