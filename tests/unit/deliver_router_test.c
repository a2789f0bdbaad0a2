/*
 * deliver_router_test.c - deliver/router.c, the way of a job: to the right
 * child and its outcome back, whatever child, queued or master do.
 */
#include "tests/unit/deliver_play.h"

static void
big_job(uint32_t session, const char *user)
{
	job_begin(session, FINAL_MAILBOX, user, JOB_F_BIG);
	peer_job_big(&t.queued_end, session, open("/dev/null", O_RDONLY));
	peer_say(&t.queued_end, IPC_JOB_END, session);
}

static void
test_delivery(void)
{
	check_begin("nothing of an earlier queued");
	check_int(t.reported, 1);
	check_begin("a job reaches the user's child");
	job(1, FINAL_MAILBOX, "alice");
	check_int(t.nkids, 1);
	check_int(t.kids[0].ended, 1);
	check_int(t.kids[0].octets, 9);
	check_int(t.outcomes, 0);
	check_begin("its outcome comes back");
	kid_says(&t.kids[0], t.kids[0].sessions[0], 8, OUTCOME_DELIVERED,
	    "ok");
	check_int(t.outcomes, 1);
	check_int(t.dones, 1);
	check_int(t.session, 1);
	check_int(t.number, 8);
	check_int(t.what, OUTCOME_DELIVERED);
	check_str(t.reply, "ok");
	check_begin("the same child, another user's child");
	job(2, FINAL_MAILBOX, "alice");
	job(3, FINAL_MAILBOX, "bob");
	check_int(t.asked, 2);
	check_int(t.kids[0].ended, 2);
	check_int(t.kids[1].ended, 1);
	check_begin("a big body goes on as a descriptor");
	big_job(4, "bob");
	turn();
	check_true(t.kids[1].big);
	check_int(t.kids[1].ended, 2);
	check_begin("a child that dies: another gets its jobs");
	channel_close(&t.kids[1].ch);
	turn();
	check_int(t.outcomes, 1);
	check_int(t.asked, 3);
	check_int(t.kids[2].ended, 2);
	check_int(t.kids[2].checks, 2);
	check_true(t.kids[2].big);
	check_begin("and another is asked for, but no third");
	channel_close(&t.kids[2].ch);
	turn();
	check_int(t.outcomes, 3);
	check_int(t.dones, 3);
	check_int(t.what, OUTCOME_DEFERRED);
	check_str(t.status, "4.3.0");
	check_int(t.asked, 3);
	job(5, FINAL_MAILBOX, "bob");
	check_int(t.asked, 4);
	check_begin("master cannot");
	t.refuse = "out of processes";
	job(6, FINAL_MAILBOX, "carol");
	check_int(t.asked, 5);
	check_int(t.outcomes, 3);
	check_begin("asked again");
	children_tick(&t.r);
	turn();
	check_int(t.asked, 6);
	check_int(t.outcomes, 3);
	check_begin("not for ever");
	hash_entry(hash_find(&t.r.jobs_in, 6), struct job, in)->user
	    ->refused_ms -= CHILD_PATIENCE_MS;
	children_tick(&t.r);
	turn();
	check_int(t.what, OUTCOME_DEFERRED);
	check_str(t.reply, "No delivery process for carol: out of processes");
	check_begin("an account that is no more");
	t.refuse = IPC_NO_ACCOUNT;
	job(7, FINAL_MAILBOX, "dan");
	check_int(t.what, OUTCOME_FAILED);
	check_str(t.status, "5.1.1");
	check_int(t.r.places, 2);
}

static void
test_bigs(void)
{
	uint32_t i;

	check_begin("so many descriptors and no more");
	for (i = 0; i < CHILD_BIGS_MAX + 3; i++)
		big_job(i, "alice");
	for (i = 0; i < 10; i++)
		turn();
	check_int(t.kids[0].ended, CHILD_BIGS_MAX);
	check_begin("a small one goes on");
	job(1000, FINAL_MAILBOX, "alice");
	check_int(t.kids[0].ended, CHILD_BIGS_MAX + 1);
	check_begin("the next big one");
	for (i = 0; i < CHILD_BIGS_MAX; i++)
		kid_says(&t.kids[0], t.kids[0].sessions[i], i + 7,
		    OUTCOME_DELIVERED, "");
	check_int(t.outcomes, CHILD_BIGS_MAX);
	check_int(t.kids[0].ended, CHILD_BIGS_MAX + 4);
	check_int(t.r.njobs, 4);
}

static void
test_liars(void)
{
	struct ipc_writer w;
	struct final f;
	uint32_t alice;

	job(1, FINAL_COMMAND, "alice");
	job(2, FINAL_COMMAND, "bob");
	job(3, FINAL_COMMAND, "carol");
	alice = t.kids[0].sessions[0];
	check_begin("another's job");
	kid_says(&t.kids[1], alice, 8, OUTCOME_DELIVERED, "ok");
	check_true(t.kids[1].gone);
	check_int(t.outcomes, 1);
	check_int(t.session, 2);
	check_int(t.what, OUTCOME_DEFERRED);
	check_begin("another recipient");
	kid_says(&t.kids[2], t.kids[2].sessions[0], 8, OUTCOME_DELIVERED, "");
	check_true(t.kids[2].gone);
	check_int(t.session, 3);
	check_int(t.what, OUTCOME_DEFERRED);
	check_begin("a command for another user");
	w = ipc_begin(&t.kids[0].ch, IPC_JOB_FORWARD, 0, alice);
	ipc_put_u32(&w, 8);
	ipc_put_u16(&w, 1);
	f = (struct final){ FINAL_COMMAND, span_str("a@example.test"),
		span_str("bob"), span_str("rm -r .") };
	final_put(&w, &f);
	ipc_end(&w);
	turn();
	check_true(t.kids[0].gone);
	check_int(t.forwards, 0);
	check_int(t.what, OUTCOME_DEFERRED);
	check_begin("control characters");
	job(4, FINAL_COMMAND, "dan");
	kid_says(&t.kids[3], t.kids[3].sessions[0], 11, OUTCOME_FAILED,
	    "a\nb");
	check_true(t.kids[3].gone);
	check_int(t.what, OUTCOME_DEFERRED);
}

static void
test_list(void)
{
	struct ipc_writer w;
	struct final f;

	check_begin("a list of the user's");
	job(1, FINAL_MAILBOX, "alice");
	w = ipc_begin(&t.kids[0].ch, IPC_JOB_FORWARD, 0,
	    t.kids[0].sessions[0]);
	ipc_put_u32(&w, 8);
	ipc_put_u16(&w, 3);
	f = (struct final){ FINAL_COMMAND, span_str("a@example.test"),
		span_str("alice"), span_str("cat") };
	final_put(&w, &f);
	f = (struct final){ FINAL_REMOTE, span_str("x@y.example"),
		span_str(""), span_str("") };
	final_put(&w, &f);
	f = (struct final){ FINAL_MAILBOX, span_str("a@example.test"),
		span_str("alice"), span_str("") };
	final_put(&w, &f);
	ipc_end(&w);
	kid_says(&t.kids[0], t.kids[0].sessions[0], 8, OUTCOME_FORWARDED,
	    "");
	check_int(t.forwards, 1);
	check_int(t.finals, 3);
	check_int(t.what, OUTCOME_FORWARDED);
	check_begin("a command of an \"as USER\" account");
	job(2, FINAL_COMMAND, "alice");
	check_int(t.nkids, 2);
	check_int(t.kids[1].flags, CHILD_F_COMMANDS);
	check_int(t.kids[1].ended, 1);
	check_begin("a command of a .forward");
	t.program_known = false;
	job(3, FINAL_COMMAND, "bob");
	check_int(t.nkids, 3);
	check_int(t.kids[2].flags, 0);
	check_int(t.kids[2].ended, 1);
	check_begin("known now");
	job(4, FINAL_COMMAND, "bob");
	check_int(t.asked, 4);
	check_int(t.kids[2].ended, 2);
}

static void
test_queued_restarts(void)
{
	job(1, FINAL_MAILBOX, "a");
	job(2, FINAL_MAILBOX, "b");
	job(3, FINAL_MAILBOX, "c"); /* waits for a place: forgotten */
	job_begin(4, FINAL_MAILBOX, "d", 0); /* not whole: forgotten */
	turn();
	check_begin("what the children have goes on");
	channel_close(&t.queued_end);
	turn();
	check_int(t.r.njobs, 2);
	check_int(t.r.orphans, 2);
	kid_says(&t.kids[0], t.kids[0].sessions[0], 8, OUTCOME_DELIVERED,
	    "early");
	check_begin("and is reported first");
	t.reported = 0;
	queued_open();
	check_int(t.reports, 1);
	check_int(t.qid, 1001);
	check_int(t.number, 8);
	check_str(t.reply, "early");
	check_int(t.reported, 0);
	check_begin("all of it");
	kid_says(&t.kids[1], t.kids[1].sessions[0], 9, OUTCOME_DELIVERED,
	    "late");
	check_int(t.reports, 2);
	check_int(t.qid, 1002);
	check_int(t.reported, 1);
	check_int(t.outcomes, 0);
	check_begin("new jobs under old numbers");
	job(1, FINAL_MAILBOX, "a");
	check_int(t.kids[0].ended, 2);
	kid_says(&t.kids[0], t.kids[0].sessions[1], 8, OUTCOME_DELIVERED, "");
	check_int(t.outcomes, 1);

	check_begin("one that takes too long is broken off");
	job(5, FINAL_MAILBOX, "a");
	channel_close(&t.queued_end);
	turn();
	t.reported = 0;
	queued_open();
	check_int(t.reported, 0);
	children_end_orphans(&t.r);
	timer_set_ms(&t.r.report_wait, 0);
	turn();
	check_true(t.kids[0].gone);
	check_int(t.reported, 1);
	check_int(t.what, OUTCOME_DEFERRED);
	check_int(t.r.njobs, 0);
}

int
main(void)
{
	static const struct play_test tests[] = {
		{ 4, test_delivery },
		{ 4, test_bigs },
		{ 4, test_liars },
		{ 4, test_list },
		{ 2, test_queued_restarts },
	};

	return play(tests, nitems(tests));
}
