/*
 * tests/unit/relay_session_test.c - jobs in, outcomes out, with hosts that
 * follow a script: what they greet with, how they answer, when they go.
 *
 * queued and the resolver are played here over socketpairs; the hosts are
 * 127.0.0.1, .2 and .3 on one port, in the same loop.
 */
#include "tests/unit/relay_play.h"

#define L .greeting = "220 lmtp"
#define NOBODY { .greeting = NULL }

#define ONE(a) .from = "me@here.test", .to = { a }, .text = "Hi: 1\r\n\r\nx\r\n"

static const struct letter plain = { ONE("a@dest.test"), .route = ~0u };
static const struct letter two = { .from = "me@here.test", .route = ~0u,
	.to = { "a@dest.test", "b@dest.test" }, .text = "x\r\n" };
static const struct letter three = { .from = "", .route = ~0u,
	.to = { "a@dest.test", "b@dest.test", "c@dest.test" },
	.text = "A: b\r\n\r\n.dot\r\nlone\nend" };
static const struct letter dsn = { ONE("a@dest.test"), .route = ~0u,
	.flags = JOB_F_RET_HDRS | JOB_F_8BIT, .notify = DSN_SUCCESS | DSN_DELAY,
	.envid = "id+1" };
static const struct letter utf8 = { .from = "me@here.test", .route = ~0u,
	.to = { "j\303\266rg@dest.test", "a@dest.test" },
	.text = "x: y\r\n\r\n\303\266\r\n", .flags = JOB_F_UTF8 };
static const struct letter utf8_header = { .from = "me@here.test",
	.route = ~0u, .to = { "a@dest.test" },
	.text = "x: \303\266\r\n\r\n\r\n", .flags = JOB_F_UTF8 };
static const struct letter eightbit = { .from = "me@here.test",
	.route = ~0u, .to = { "a@dest.test", "b@dest.test" },
	.text = "x: y\r\n\r\n\366\r\n", .flags = JOB_F_8BIT };
static const struct letter smart = { ONE("a@dest.test"), .route = 0 };
static const struct letter lmtp = { .from = "me@here.test", .route = 1,
	.to = { "a@dest.test", "b@dest.test", "c@dest.test" },
	.text = "x\r\n" };
static const struct letter refused = { ONE("a@dest.test"), .route = 2 };
static const struct letter no_address = { .from = "me@here.test",
	.route = ~0u, .to = { "a@dest.test\r\nRSET" }, .text = "x\r\n" };

#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X500 X50 X50 X50 X50 X50 X50 X50 X50 X50 X50
#define X2000 X500 X500 X500 X500
#define LINES10 "250-a\r\n250-a\r\n250-a\r\n250-a\r\n250-a\r\n" \
	"250-a\r\n250-a\r\n250-a\r\n250-a\r\n250-a\r\n"
#define LINES101 LINES10 LINES10 LINES10 LINES10 LINES10 LINES10 LINES10 \
	LINES10 LINES10 LINES10 "250 end"
#define GREET "220 host ESMTP"
#define G .greeting = GREET
#define PIPE "250-host\r\n250 PIPELINING"

static const struct {
	const char *name;
	const struct letter *letter;
	const char *route;
	struct script scripts[HOSTS];
	const char *told, *heard, *heard2, *got;
} cases[] = {
	{ "plain", &plain, "1", { { G } }, "1 2 2.0.0|",
	    "EHLO me.test|MAIL FROM:<me@here.test>|RCPT TO:<a@dest.test>|"
	    "DATA|", NULL, "Hi: 1||x|" },
	{ "pipelining, lines rebuilt", &three, "1", { { G, PIPE } },
	    "1 2 2.0.0|2 2 2.0.0|3 2 2.0.0|",
	    "EHLO me.test|MAIL FROM:<>|RCPT TO:<a@dest.test>|"
	    "RCPT TO:<b@dest.test>|RCPT TO:<c@dest.test>|DATA|", NULL,
	    "A: b||..dot|lone|end|" },
	{ "one refused, one deferred", &three, "1", { { G, PIPE, NULL, {
	    { "RCPT TO:<a", "550 5.1.1 unknown" },
	    { "RCPT TO:<b", "450 4.2.1 busy" } } } },
	    "1 4 5.1.1|2 3 4.2.1|3 2 2.0.0|", NULL, NULL, NULL },
	{ "all refused, DATA said in advance", &two, "1", { { G, PIPE,
	    "554 5.5.1 nobody", { { "RCPT", "550 5.1.1 unknown" } } } },
	    "1 4 5.1.1|2 4 5.1.1|", NULL, NULL, "" },
	{ "all refused, gone at the empty text", &two, "12", { { G, PIPE, "!",
	    { { "RCPT", "550 5.1.1 unknown" } } }, { G } },
	    "1 4 5.1.1|2 4 5.1.1|", NULL, "", "" },
	{ "all refused, data behind it", &two, "12", { { G, PIPE,
	    "554 nobody\r\n250 more", { { "RCPT", "550 5.1.1 unknown" } } },
	    { G } }, "1 4 5.1.1|2 4 5.1.1|", NULL, "", "" },
	{ "all refused, DATA refused", &two, "1", { { G, PIPE, NULL,
	    { { "RCPT", "550 5.1.1 unknown" }, { "DATA", "503 no" } } } },
	    "1 4 5.1.1|2 4 5.1.1|", NULL, NULL, "" },
	{ "all refused one by one", &two, "1", { { G, NULL, NULL,
	    { { "RCPT", "550 5.1.1 unknown" } } } },
	    "1 4 5.1.1|2 4 5.1.1|", "EHLO me.test|MAIL FROM:<me@here.test>|"
	    "RCPT TO:<a@dest.test>|RCPT TO:<b@dest.test>|RSET|", NULL, NULL },
	{ "MAIL refused", &two, "1", { { G, NULL, NULL,
	    { { "MAIL", "550 5.7.1 not you" } } } }, "1 4 5.7.1|2 4 5.7.1|",
	    NULL, NULL, NULL },
	{ "MAIL refused, pipelined", &two, "1", { { G, PIPE, NULL,
	    { { "MAIL", "451 4.7.1 later" }, { "RCPT", "503 5.5.1 no" },
	    { "DATA", "503 5.5.1 no" } } } }, "1 3 4.7.1|2 3 4.7.1|",
	    NULL, NULL, NULL },
	{ "too many recipients: again behind the others", &two, "1", { { G,
	    PIPE, NULL, { { "RCPT TO:<b", "452 4.5.3 too many" } } } },
	    NULL, NULL, NULL, NULL },
	{ "text refused", &two, "1", { { G, NULL, "554 5.6.0 bad" } },
	    "1 4 5.6.0|2 4 5.6.0|", NULL, NULL, NULL },
	{ "text deferred", &plain, "1", { { G, NULL, "451 mmh" } },
	    "1 3 4.0.0|", NULL, NULL, NULL },
	{ "DATA refused", &plain, "1", { { G, NULL, NULL,
	    { { "DATA", "554 5.7.0 no" } } } }, "1 4 5.7.0|", NULL, NULL,
	    NULL },
	{ "DATA answered by nonsense", &plain, "1", { { G, NULL, NULL,
	    { { "DATA", "250 what" } } } }, "1 3 4.5.0|", NULL, NULL, NULL },
	{ "421 greeting, second host", &plain, "12",
	    { { .greeting = "421 4.3.2 full" }, { G } }, "1 2 2.0.0|", "",
	    "EHLO me.test|MAIL FROM:<me@here.test>|RCPT TO:<a@dest.test>|"
	    "DATA|", NULL },
	{ "554 greeting, nobody else", &plain, "1",
	    { { .greeting = "554 go away" } },
	    "1 3 4.3.2|", "", NULL, NULL },
	{ "closed at once, second host", &plain, "12",
	    { { .greeting = "!" }, { G } }, "1 2 2.0.0|", NULL, NULL, NULL },
	{ "421 to MAIL, second host", &plain, "12", { { G, NULL, NULL,
	    { { "MAIL", "~421 4.3.2 bye" } } }, { G } }, "1 2 2.0.0|",
	    NULL, NULL, NULL },
	{ "gone before the dot, second host", &plain, "12", { { G, NULL,
	    NULL, { { "DATA", "!" } } }, { G } }, "1 2 2.0.0|", NULL, NULL,
	    NULL },
	{ "gone after the dot: no second host", &plain, "12", { { G, NULL,
	    "!" }, { G } }, "1 3 4.4.2|", NULL, "", NULL },
	{ "no receipt in time", &plain, "12", { { G, NULL, "" },
	    { G } }, "1 3 4.4.2|", NULL, "", NULL },
	{ "no answer to MAIL in time", &plain, "12", { { G, NULL, NULL,
	    { { "MAIL", "" } } }, { G } }, "1 2 2.0.0|", NULL, NULL,
	    NULL },
	{ "no EHLO there", &plain, "1", { { G, "502 what?" } },
	    "1 2 2.0.0|", "EHLO me.test|HELO me.test|"
	    "MAIL FROM:<me@here.test>|RCPT TO:<a@dest.test>|DATA|", NULL,
	    NULL },
	{ "EHLO deferred", &plain, "12", { { G, "451 4.7.0 later" },
	    { G } }, "1 2 2.0.0|", NULL, NULL, NULL },
	{ "letter too big", &three, "1", { { G, "250-h\r\n250 SIZE 5" } },
	    "1 4 5.3.4|2 4 5.3.4|3 4 5.3.4|", "EHLO me.test|", NULL, NULL },
	{ "SIZE, DSN and 8BITMIME are used", &dsn, "1", { { G,
	    "250-h\r\n250-SIZE 500\r\n250-DSN\r\n250 8BITMIME" } },
	    "1 6 2.0.0|", "EHLO me.test|MAIL FROM:<me@here.test> SIZE=12 "
	    "BODY=8BITMIME RET=HDRS ENVID=id+2B1|RCPT TO:<a@dest.test> "
	    "NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb@c.test|DATA|", NULL,
	    NULL },
	{ "nothing of it is there", &dsn, "1", { { G } }, "1 2 2.0.0|",
	    "EHLO me.test|MAIL FROM:<me@here.test>|RCPT TO:<a@dest.test>|"
	    "DATA|", NULL, NULL },
	{ "SMTPUTF8", &utf8, "1", { { G,
	    "250-h\r\n250-SMTPUTF8\r\n250 8BITMIME" } },
	    "1 2 2.0.0|2 2 2.0.0|", "EHLO me.test|MAIL FROM:<me@here.test> "
	    "BODY=8BITMIME SMTPUTF8|RCPT TO:<j\303\266rg@dest.test>|"
	    "RCPT TO:<a@dest.test>|DATA|", NULL, NULL },
	{ "no SMTPUTF8: only who needs it fails", &utf8, "1",
	    { { G, "250-h\r\n250 8BITMIME" } },
	    "1 4 5.6.7|2 2 2.0.0|", NULL, NULL, NULL },
	{ "neither SMTPUTF8 nor 8BITMIME: each hears what he lacks", &utf8,
	    "1", { { G } }, "1 4 5.6.7|2 4 5.6.3|", "EHLO me.test|", NULL,
	    NULL },
	{ "no SMTPUTF8 and a header that needs it", &utf8_header, "1",
	    { { G } }, "1 4 5.6.7|", "EHLO me.test|", NULL, NULL },
	{ "no 8BITMIME and a text that needs it", &eightbit, "1", { { G } },
	    "1 4 5.6.3|2 4 5.6.3|", "EHLO me.test|", NULL, NULL },
	{ "8BITMIME and a text that needs it", &eightbit, "1",
	    { { G, "250-h\r\n250 8BITMIME" } }, "1 2 2.0.0|2 2 2.0.0|",
	    NULL, NULL, "x: y||\366|" },
	{ "data behind the EHLO reply", &plain, "12", { { G,
	    "250 host\r\n250 more" }, { G } }, "1 2 2.0.0|",
	    "EHLO me.test|", NULL, NULL },
	{ "data behind 354", &plain, "12", { { G, NULL, NULL,
	    { { "DATA", "354 go\r\n250 taken" } } }, { G } },
	    "1 2 2.0.0|", NULL, NULL, NULL },
	{ "a line without end", &plain, "12", { { .greeting = "220 " X2000 X500
	    }, { G } }, "1 2 2.0.0|", "", NULL, NULL },
	{ "a reply without end", &plain, "12", { { G, LINES101 },
	    { G } }, "1 2 2.0.0|", "EHLO me.test|", NULL, NULL },
	{ "421 to the second RCPT, second host", &two, "12", { { G, NULL,
	    NULL, { { "RCPT TO:<b", "~421 4.3.2 bye" } } }, { G } },
	    "1 2 2.0.0|2 2 2.0.0|", NULL, NULL, NULL },
	{ "421 for a receipt", &two, "12", { { G, NULL,
	    "~421 4.3.2 bye" }, { G } }, "1 3 4.3.2|2 3 4.3.2|", NULL, "",
	    NULL },
	{ "LMTP: gone between two receipts", &lmtp, "1", { { L,
	    "250-h\r\n250 PIPELINING", "~250 2.1.5 a" } },
	    "1 1 2.1.5|2 3 4.4.2|3 3 4.4.2|", NULL, NULL, NULL },
	{ "LMTP: nobody taken", &lmtp, "1", { { L, NULL, NULL,
	    { { "RCPT", "550 5.1.1 no" } } } },
	    "1 4 5.1.1|2 4 5.1.1|3 4 5.1.1|",
	    NULL, NULL, NULL },
	{ "no SMTP", &plain, "1",
	    { { .greeting = "HTTP/1.1 400 Bad Request" } },
	    "1 3 4.5.0|", "", NULL, NULL },
	{ "smarthost by name", &smart, "2", { NOBODY, { G } },
	    "1 2 2.0.0|", NULL, NULL, NULL },
	{ "smarthost that does not exist: deferred", &smart, "!1",
	    { NOBODY }, "1 3 4.4.3|", NULL, NULL, NULL },
	{ "LMTP: a reply for each", &lmtp, "1", { { L,
	    "250-h\r\n250 PIPELINING", "250 2.1.5 a\r\n452 4.2.2 full",
	    { { "RCPT TO:<b", "550 5.1.1 no" } } } },
	    "2 4 5.1.1|1 1 2.1.5|3 3 4.2.2|", NULL, NULL, NULL },
	{ "refused by a route", &refused, "1", { NOBODY }, "1 4 5.7.1|",
	    NULL, NULL, NULL },
	{ "no domain", &plain, "!1", { NOBODY }, "1 4 5.1.2|", NULL, NULL,
	    NULL },
	{ "null MX", &plain, "!5", { NOBODY }, "1 4 5.1.10|", NULL, NULL,
	    NULL },
	{ "DNS away", &plain, "!3", { NOBODY }, "1 3 4.4.3|", NULL, NULL,
	    NULL },
	{ "no address", &no_address, "1", { NOBODY }, "1 4 5.1.3|", NULL,
	    NULL, NULL },
};

static void
test_cases(void)
{
	size_t i, k;

	for (i = 0; i < nitems(cases); i++) {
		check_begin(cases[i].name);
		forget();
		t.route = cases[i].route;
		for (k = 0; k < HOSTS; k++)
			if (cases[i].scripts[k].greeting != NULL)
				t.hosts[k].script = &cases[i].scripts[k];
		job_put(cases[i].letter);
		if (cases[i].told == NULL) {
			/* endless without progress: the first is settled, the
			 * second, alone, gets the same answer: deferred */
			run_until_done();
			check_span(buf_span(&t.told),
			    "1 2 2.0.0|2 3 4.5.3|");
			check_int(t.hosts[0].connections, 1);
			drop_idle();
			continue;
		}
		run_until_done();
		check_span(buf_span(&t.told), cases[i].told);
		for (k = 0; k < 10; k++)
			loop_run_once(t.loop, 1);
		if (cases[i].heard != NULL)
			check_span(buf_span(&t.hosts[0].heard),
			    cases[i].heard);
		if (cases[i].heard2 != NULL)
			check_span(buf_span(&t.hosts[1].heard),
			    cases[i].heard2);
		if (cases[i].got != NULL)
			check_span(buf_span(&t.hosts[0].got), cases[i].got);
		drop_idle();
	}
}

static void
test_reuse(void)
{
	static const struct script good = { GREET, PIPE, NULL, { { NULL,
		NULL } } };
	static const struct script narrow = { GREET, "250-h\r\n250 SIZE 5",
		NULL, { { NULL, NULL } } };
	static const struct script sour = { GREET, PIPE, "451 4.0.0 no",
		{ { "RCPT", "450 4.2.1 busy" }, { NULL, NULL } } };
	unsigned i;

	check_begin("one connection for letters in a row");
	forget();
	t.hosts[0].script = &good;
	for (i = 0; i < 5; i++) {
		job_put(&plain);
		run_until_done();
	}
	check_int(t.hosts[0].connections, 1);

	check_begin("no more than the limit at once, none forgotten");
	t.conf.relay.connections = 2;
	for (i = 0; i < 20; i++)
		job_put(&plain);
	run_until_done();
	check_true(t.hosts[0].connections <= 2);
	t.conf.relay.connections = 20;

	check_begin("a hundred letters, then another connection");
	drop_idle();
	t.hosts[0].connections = 0;
	for (i = 0; i < SESSION_LETTERS + 1; i++) {
		job_put(&plain);
		run_until_done();
	}
	check_int(t.hosts[0].connections, 2);

	check_begin("an idle connection that has gone costs nothing");
	t.hosts[0].connections = 0;
	buf_reset(&t.told);
	drop_idle();
	job_put(&plain);
	run_until_done();
	check_true(t.r.sessions != NULL && t.r.sessions->state == S_IDLE);
	shutdown(t.r.sessions->conn.fd, SHUT_RDWR);
	job_put(&plain);
	run_until_done();
	check_span(buf_span(&t.told), "1 2 2.0.0|1 2 2.0.0|");
	check_int(t.hosts[0].connections, 2);
	drop_idle();

	check_begin("RSET after a transaction that came to nothing");
	forget();
	t.hosts[0].script = &sour;
	job_put(&plain);
	run_until_done();
	loop_run_once(t.loop, 10);
	loop_run_once(t.loop, 10);
	check_true(t.r.sessions != NULL && t.r.sessions->state == S_IDLE);
	check_int(t.hosts[0].connections, 1);

	check_begin("too big for a host that was idle");
	forget();
	drop_idle();
	t.hosts[0].script = &narrow;
	job_put(&two);
	run_until_done();
	job_put(&plain);
	run_until_done();
	job_put(&two);
	run_until_done();
	check_span(buf_span(&t.told), "1 2 2.0.0|2 2 2.0.0|1 4 5.3.4|"
	    "1 2 2.0.0|2 2 2.0.0|");
	check_int(t.hosts[0].connections, 1);

	check_begin("QUIT after idling");
	for (i = 0; i < 300 && t.r.nsessions > 0; i++)
		loop_run_once(t.loop, 10);
	check_int(t.r.nsessions, 0);
	drop_idle();
}

static void
test_big(void)
{
	static const struct script good = { GREET, PIPE, NULL, { { NULL,
		NULL } } };
	static const struct script early = { GREET, PIPE, NULL, { {
		"0123456789012345678901234567", "554 5.3.4 too much" },
		{ NULL, NULL } } };
	char path[] = "/tmp/relay_session_test.XXXXXX";
	struct letter l = plain;
	int fd = mkstemp(path);
	unsigned i;

	check_begin("a big letter by descriptor");
	forget();
	t.hosts[0].script = &good;
	if (fd == -1)
		fatal("%s", path);
	unlink(path);
	for (i = 0; i < 100000; i++)
		if (write(fd, "0123456789012345678901234567\r\n", 30) != 30)
			fatal("%s", path);
	l.big = dup(fd);
	job_put(&l);
	run_until_done();
	check_span(buf_span(&t.told), "1 2 2.0.0|");
	check_int(t.hosts[0].got.len, 29 * 100000);
	drop_idle();

	check_begin("refused in the middle of the text");
	forget();
	t.hosts[0].script = &early;
	l.big = dup(fd);
	job_put(&l);
	run_until_done();
	check_span(buf_span(&t.told), "1 4 5.3.4|");
	drop_idle();

	check_begin("the text's file is shorter than it was");
	forget();
	t.hosts[0].script = &good;
	l.big = dup(fd);
	job_put(&l);
	for (i = 0; i < 100 && (t.r.sessions == NULL ||
	    t.r.sessions->state < S_ENVELOPE); i++)
		loop_run_once(t.loop, 1);
	if (ftruncate(fd, 30) == -1)
		fatal("ftruncate");
	run_until_done();
	check_span(buf_span(&t.told), "1 3 4.3.0|");
	drop_idle();
	close(fd);
}

static void
test_mad(void)
{
	static const struct script mad = { GREET, PIPE, NULL, { { NULL,
		NULL } } };
	static const struct letter *const letters[] = { &plain, &two, &three,
		&dsn, &utf8, &lmtp, &smart };
	static const char *const routes[] = { "123", "1" };
	unsigned i, k;

	check_begin("hosts that have lost their minds");
	forget();
	for (i = 0; i < HOSTS; i++)
		t.hosts[i].script = &mad;
	t.mad = true;
	t.conf.relay.connections = t.conf.relay.limit = 300;
	for (i = 0; i < nitems(routes); i++) {
		t.route = routes[i];
		buf_reset(&t.told);
		for (k = 0; k < 200; k++)
			job_put(letters[k % nitems(letters)]);
		run_until_done();
	}
	t.conf.relay.connections = 20;
	t.conf.relay.limit = 50;
	t.mad = false;
	drop_idle();
}

static void
test_loop(void)
{
	static const struct script ours = { GREET, "250 ME.TEST", NULL,
		{ { NULL, NULL } } };

	check_begin("a host of our own name is ourselves");
	forget();
	t.hosts[0].script = &ours;
	t.conf.allow_loopback = false;
	job_put(&plain);
	run_until_done();
	check_span(buf_span(&t.told), "1 4 5.4.6|");
	check_begin("but a better host may only be away");
	forget();
	t.hosts[0].script = &ours;
	t.route = "21";
	job_put(&plain);
	run_until_done();
	check_span(buf_span(&t.told), "1 3 4.4.6|");
	t.conf.allow_loopback = true;
	drop_idle();
}

static void
test_ours(void)
{
	struct conf_route r = { .via = VIA_MX, .port = 25, .ipv6 = true };

	check_begin("never to this host's own addresses");
	forget();
	t.conf.allow_loopback = false;
	t.routes[2] = r;
	job_put(&refused);
	run_until_done();
	check_span(buf_span(&t.told), "1 4 5.4.6|");
	t.routes[2] = (struct conf_route){ .via = VIA_REFUSE };
	t.conf.allow_loopback = true;
	drop_idle();
}

static void
test_queued_lost(void)
{
	static const struct script silent = { GREET, PIPE, "", { { NULL,
		NULL } } };
	static const struct script stuck = { GREET, NULL, NULL, { { "MAIL",
		"" }, { NULL, NULL } } };
	unsigned i;

	check_begin("queued goes while a receipt is awaited");
	forget();
	t.hosts[0].script = &silent;
	t.reported = 0;
	job_put(&plain);
	t.hosts[1].script = &stuck;
	for (i = 0; i < 100 && (t.r.sessions == NULL ||
	    t.r.sessions->state != S_DOT); i++)
		loop_run_once(t.loop, 5);
	t.route = "2";
	job_put(&smart);
	for (i = 0; i < 20; i++)
		loop_run_once(t.loop, 5);
	check_int(t.r.njobs, 2);
	channel_close(&t.queued);
	for (i = 0; i < 5; i++)
		loop_run_once(t.loop, 5);
	check_int(t.r.njobs, 1);
	wire(&t.queued, ROLE_QUEUED);
	for (i = 0; i < 5; i++)
		loop_run_once(t.loop, 5);
	check_int(t.reported, 0);
	for (i = 0; i < 500 && t.reported == 0; i++)
		loop_run_once(t.loop, 10);
	check_int(t.reported, 1);
	check_true(span_prefix(buf_span(&t.told), "qid "));
	check_int(t.r.njobs, 0);
	t.expect_done = t.done;
	drop_idle();
}

int
main(void)
{
	static const struct relay_times times = { .connect = 2, .greeting = 1,
		.command = 1, .data = 1, .block = 1, .dot = 1, .idle = 1,
		.quit = 1, .attempt = 3 };
	static char hub[] = "hub.test";

	play_start("relay_session_test", &times);
	t.routes[0] = (struct conf_route){ .via = VIA_SMARTHOST, .host = hub,
		.port = t.port, .ipv6 = true };
	t.routes[1] = (struct conf_route){ .via = VIA_LMTP, .host = hub,
		.port = t.port, .ipv6 = true };
	t.routes[2] = (struct conf_route){ .via = VIA_REFUSE };
	play_routes(3);
	test_cases();
	test_reuse();
	test_big();
	test_mad();
	test_loop();
	test_ours();
	test_queued_lost();
	return check_end();
}
