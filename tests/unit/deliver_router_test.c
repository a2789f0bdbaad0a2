/*
 * deliver_router_test.c - the router between a queued, a master and children
 * that are all played by the test, over socketpairs in one loop.
 */
#include "deliver/router.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"
#include "tests/unit/check.h"
#include "tests/unit/tree.h"

#define KIDS 8

/* One played child: what it was given. */
struct kid {
	struct channel ch;
	char user[64];
	uint8_t flags;
	bool up, gone;
	uint32_t sessions[256];
	size_t begun, ended, octets, checks;
	bool big;
	int locked;            /* -1: not yet answered */
	char why[64];
};

static struct {
	struct loop loop;
	struct router r;
	struct channel master, master_end; /* the router's, the test's */
	struct channel queued, queued_end;
	int dir;
	struct kid kids[KIDS];
	size_t nkids;
	const char *refuse;    /* complaint for the next IPC_CHILD_ASK */
	uint32_t asked;
	bool program_known;
	/* what queued heard */
	unsigned outcomes, dones, reports, reported, forwards, finals;
	uint8_t what;
	uint32_t session, number;
	uint64_t qid;
	char status[32], reply[256];
} t;

static char folder[] = "/tmp/barid-router-XXXXXX";

static void
turn(void)
{
	int i;

	for (i = 0; i < 12; i++)
		loop_run_once(&t.loop, 1);
}

/* -- children -------------------------------------------------------------- */

static int
kid_begin(void *arg, struct ipc_msg *m)
{
	struct kid *k = arg;
	struct job_head h;

	check_int(job_head_read(m->body, &h), 0);
	check_span(h.target, k->user);
	k->checks += (h.flags & JOB_F_CHECK) != 0;
	k->sessions[k->begun++ % 256] = m->session;
	return 0;
}

static int
kid_body(void *arg, struct ipc_msg *m)
{
	((struct kid *)arg)->octets += m->body.len;
	return 0;
}

static int
kid_big(void *arg, struct ipc_msg *m)
{
	((struct kid *)arg)->big = m->fd != -1;
	return 0;
}

static int
kid_end(void *arg, struct ipc_msg *m)
{
	(void)m;
	((struct kid *)arg)->ended++;
	return 0;
}

static const struct ipc_handler kid_handlers[] = {
	{ IPC_JOB_BEGIN, kid_begin },
	{ IPC_JOB_BODY,  kid_body },
	{ IPC_JOB_BIG,   kid_big },
	{ IPC_JOB_END,   kid_end },
	IPC_HANDLERS_END
};

static void
kid_lost(void *arg, struct channel *ch)
{
	(void)ch;
	((struct kid *)arg)->gone = true;
}

static void
kid_says(struct kid *k, uint32_t session, uint32_t number, uint8_t what,
    const char *reply)
{
	struct outcome o = { number, what, span_str("2.1.5"),
		span_str(reply), span_str("") };
	struct ipc_writer w = ipc_begin(&k->ch, IPC_JOB_OUTCOME, 0, session);

	outcome_put(&w, &o);
	ipc_end(&w);
	w = ipc_begin(&k->ch, IPC_JOB_DONE, 0, session);
	ipc_end(&w);
	turn();
}

static int
on_kid_locked(void *arg, struct ipc_msg *m)
{
	struct kid *k = arg;
	struct ipc_reader rd;

	if (m == NULL)
		return 0;
	rd = ipc_reader(m);
	k->locked = ipc_get_u8(&rd);
	(void)span_copy(ipc_get_span(&rd, 63), k->why, sizeof(k->why));
	return 0;
}

static void
kid_lock(struct kid *k)
{
	struct ipc_writer w = ipc_begin(&k->ch, IPC_LOCK,
	    channel_request(&k->ch, 5000, on_kid_locked, k), 0);

	k->locked = -1;
	ipc_end(&w);
	turn();
}

static void
kid_unlock(struct kid *k)
{
	struct ipc_writer w = ipc_begin(&k->ch, IPC_UNLOCK, 0, 0);

	ipc_end(&w);
	turn();
}

/* -- master ---------------------------------------------------------------- */

static int
on_child_ask(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);
	struct span user = ipc_get_span(&rd, 63);
	uint8_t flags = ipc_get_u8(&rd);
	struct ipc_writer w = ipc_reply_begin(&t.master_end, m, IPC_CHILD);
	const char *refuse = t.refuse;
	struct kid *k;
	int sv[2];

	(void)arg;
	t.asked++;
	if (flags != 0 && !t.program_known)
		refuse = IPC_NO_ACCOUNT;
	ipc_put_u8(&w, refuse == NULL);
	ipc_put_str(&w, refuse == NULL ? "" : refuse);
	ipc_put_span(&w, user);
	if (refuse == NULL) {
		k = &t.kids[t.nkids++];
		memset(k, 0, sizeof(*k));
		(void)span_copy(user, k->user, sizeof(k->user));
		k->flags = flags;
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == -1)
			exit(1);
		channel_init(&k->ch, &t.loop, ROLE_DUSER, ROLE_DELIVER,
		    kid_handlers, k);
		k->ch.on_lost = kid_lost;
		channel_open(&k->ch, sv[0]);
		k->up = true;
		ipc_put_fd(&w, sv[1]);
	}
	ipc_end(&w);
	return 0;
}

/* What a program may say to master, all but one of no interest here. */
static int
on_nothing(void *arg, struct ipc_msg *m)
{
	(void)arg;
	(void)m;
	return 0;
}

static const struct ipc_handler master_end_handlers[] = {
	{ IPC_HELLO,     on_nothing },
	{ IPC_CONF_DONE, on_nothing },
	{ IPC_CHILD_ASK, on_child_ask },
	IPC_HANDLERS_END
};

static const struct ipc_handler master_handlers[] = {
	{ IPC_WELCOME,    on_nothing },
	{ IPC_CONF,       on_nothing },
	{ IPC_IDENTITY,   on_nothing },
	{ IPC_PEER,       on_nothing },
	{ IPC_START,      on_nothing },
	{ IPC_DRAIN,      on_nothing },
	{ IPC_STOP,       on_nothing },
	{ IPC_STATUS_ASK, on_nothing },
	{ IPC_LOCK_PEER,  on_lock_peer },
	IPC_HANDLERS_END
};

/* -- queued ---------------------------------------------------------------- */

static void
heard(struct ipc_reader *rd)
{
	struct outcome o;

	check_int(outcome_read(rd, &o), 0);
	t.what = o.what;
	t.number = o.number;
	(void)span_copy(o.status, t.status, sizeof(t.status));
	(void)span_copy(o.reply, t.reply, sizeof(t.reply));
}

static int
on_outcome(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);

	(void)arg;
	t.outcomes++;
	t.session = m->session;
	heard(&rd);
	return 0;
}

static int
on_report(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);

	(void)arg;
	t.reports++;
	t.qid = ipc_get_u64(&rd);
	heard(&rd);
	return 0;
}

static int
on_reported(void *arg, struct ipc_msg *m)
{
	(void)arg;
	(void)m;
	t.reported++;
	return 0;
}

static int
on_forward(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);

	(void)arg;
	t.forwards++;
	ipc_get_u32(&rd);
	t.finals = ipc_get_u16(&rd);
	return 0;
}

static int
on_done(void *arg, struct ipc_msg *m)
{
	(void)arg;
	(void)m;
	t.dones++;
	return 0;
}

static const struct ipc_handler queued_end_handlers[] = {
	{ IPC_JOB_WINDOW,   on_nothing },
	{ IPC_JOB_OUTCOME,  on_outcome },
	{ IPC_JOB_FORWARD,  on_forward },
	{ IPC_JOB_DONE,     on_done },
	{ IPC_JOB_REPORT,   on_report },
	{ IPC_JOB_REPORTED, on_reported },
	IPC_HANDLERS_END
};

static void
job_begin(uint32_t session, uint8_t kind, const char *user, uint32_t flags)
{
	struct ipc_writer w = ipc_begin(&t.queued_end, IPC_JOB_BEGIN, 0,
	    session);

	ipc_put_u64(&w, 1000 + session);
	ipc_put_u8(&w, kind);
	ipc_put_u32(&w, flags);
	ipc_put_u64(&w, 9);
	ipc_put_u64(&w, 1);
	ipc_put_u16(&w, 1);
	ipc_put_str(&w, "s@b.example");
	ipc_put_str(&w, "a@example.test");
	ipc_put_str(&w, "");
	ipc_put_str(&w, user);
	ipc_put_str(&w, kind == FINAL_MAILBOX ? "" : "cat");
	ipc_put_str(&w, "0123456789");
	ipc_put_str(&w, "");
	ipc_put_u32(&w, session + 7);
	ipc_put_u16(&w, 1);
	ipc_end(&w);
}

static void
job(uint32_t session, uint8_t kind, const char *user)
{
	struct ipc_writer w;

	job_begin(session, kind, user, 0);
	w = ipc_begin(&t.queued_end, IPC_JOB_BODY, 0, session);
	ipc_put_octets(&w, span_str("A: b\r\n\r\nc"));
	ipc_end(&w);
	w = ipc_begin(&t.queued_end, IPC_JOB_END, 0, session);
	ipc_end(&w);
	turn();
}

static void
queued_open(void)
{
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == -1)
		exit(1);
	channel_open(&t.queued, sv[0]);
	channel_open(&t.queued_end, sv[1]);
	queued_up(&t.r, &t.queued);
	turn();
}

static void
on_queued_lost(void *arg, struct channel *ch)
{
	queued_down(arg, ch);
}

static void
fixture(unsigned places)
{
	int sv[2];

	memset(&t, 0, sizeof(t));
	t.program_known = true;
	loop_init(&t.loop);
	t.dir = open(folder, O_RDONLY | O_DIRECTORY);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == -1 || t.dir == -1)
		exit(1);
	t.r.d.arg = &t.r;
	channel_init(&t.master, &t.loop, ROLE_DELIVER, ROLE_MASTER,
	    master_handlers, &t.r.d);
	channel_open(&t.master, sv[0]);
	channel_init(&t.master_end, &t.loop, ROLE_MASTER, ROLE_DELIVER,
	    master_end_handlers, NULL);
	channel_open(&t.master_end, sv[1]);
	channel_init(&t.queued, &t.loop, ROLE_DELIVER, ROLE_QUEUED,
	    queued_handlers, &t.r);
	t.queued.on_lost = on_queued_lost;
	channel_init(&t.queued_end, &t.loop, ROLE_QUEUED, ROLE_DELIVER,
	    queued_end_handlers, NULL);
	t.r.master = &t.master;
	t.r.queued = &t.queued;
	t.r.places_max = places;
	dotlock_identify(&t.r.locks.id);
	router_init(&t.r, &t.loop, t.dir);
	queued_open();
}

static bool finished;

static void
on_finished(struct router *r)
{
	(void)r;
	finished = true;
}

static void
make_old(void *arg, struct hash_node *n)
{
	(void)arg;
	hash_entry(n, struct user, node)->since_ms -= ACCOUNT_KNOWN_MS + 1;
}

static void
fixture_end(void)
{
	size_t i;

	check_begin("nothing stays");
	t.r.finished = on_finished;
	router_stop(&t.r);
	for (i = 0; i < t.nkids; i++)
		channel_close(&t.kids[i].ch);
	turn();
	hash_each(&t.r.users, make_old, NULL);
	children_tick(&t.r);
	turn();
	check_int(t.r.njobs, 0);
	check_int(t.r.users.n, 0);
	check_int(t.r.places, 0);
	channel_close(&t.master);
	channel_close(&t.master_end);
	channel_close(&t.queued);
	channel_close(&t.queued_end);
	hash_clear(&t.r.users);
	hash_clear(&t.r.jobs_in);
	hash_clear(&t.r.jobs_out);
	close(t.dir);
	loop_clear(&t.loop);
}

/* -- what is tried --------------------------------------------------------- */

static void
test_delivery(void)
{
	struct ipc_writer w;

	fixture(4);
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
	job_begin(4, FINAL_MAILBOX, "bob", JOB_F_BIG);
	w = ipc_begin(&t.queued_end, IPC_JOB_BIG, 0, 4);
	ipc_put_fd(&w, open("/dev/null", O_RDONLY));
	ipc_end(&w);
	w = ipc_begin(&t.queued_end, IPC_JOB_END, 0, 4);
	ipc_end(&w);
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
big_job(uint32_t session)
{
	struct ipc_writer w;

	job_begin(session, FINAL_MAILBOX, "alice", JOB_F_BIG);
	w = ipc_begin(&t.queued_end, IPC_JOB_BIG, 0, session);
	ipc_put_fd(&w, open("/dev/null", O_RDONLY));
	ipc_end(&w);
	w = ipc_begin(&t.queued_end, IPC_JOB_END, 0, session);
	ipc_end(&w);
}

static void
test_bigs(void)
{
	uint32_t i;

	fixture(4);
	check_begin("so many descriptors and no more");
	for (i = 0; i < CHILD_BIGS_MAX + 3; i++)
		big_job(i);
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

	fixture(4);
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

	fixture(4);
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
test_places(void)
{
	fixture(2);
	check_begin("no more than there are places");
	job(1, FINAL_MAILBOX, "a");
	job(2, FINAL_MAILBOX, "b");
	job(3, FINAL_MAILBOX, "c");
	check_int(t.nkids, 2);
	check_int(t.r.places, 2);
	check_begin("an idle one goes");
	kid_says(&t.kids[1], t.kids[1].sessions[0], 9, OUTCOME_DELIVERED, "");
	check_true(t.kids[1].gone);
	check_int(t.nkids, 3);
	check_int(t.kids[2].ended, 1);
	check_int(t.r.places, 2);
	check_begin("the one that was used last stays");
	kid_says(&t.kids[2], t.kids[2].sessions[0], 10, OUTCOME_DELIVERED,
	    "");
	kid_says(&t.kids[0], t.kids[0].sessions[0], 8, OUTCOME_DELIVERED, "");
	check_true(!t.kids[0].gone && !t.kids[2].gone);
	job(4, FINAL_MAILBOX, "b");
	check_true(t.kids[2].gone && !t.kids[0].gone);
	check_begin("idle for a minute");
	t.r.idle_first->since_ms -= CHILD_IDLE_MS;
	children_tick(&t.r);
	turn();
	check_true(t.kids[0].gone);
	check_int(t.r.places, 1);
	check_begin("users without jobs are forgotten");
	children_tick(&t.r);
	check_int(t.r.users.n, 1);
}

static void
test_yield(void)
{
	fixture(1);
	check_begin("one that is never idle yields");
	job(1, FINAL_MAILBOX, "a");
	job(2, FINAL_MAILBOX, "b");
	t.r.wait_first->since_ms -= CHILD_TURN_MS;
	job(3, FINAL_MAILBOX, "a");
	check_int(t.kids[0].ended, 2);
	hash_entry(hash_find(&t.r.jobs_in, 1), struct job, in)->user
	    ->since_ms -= CHILD_TURN_MS;
	children_tick(&t.r);
	job(4, FINAL_MAILBOX, "a");
	check_int(t.kids[0].ended, 2);
	kid_says(&t.kids[0], t.kids[0].sessions[0], 8, OUTCOME_DELIVERED, "");
	kid_says(&t.kids[0], t.kids[0].sessions[1], 10, OUTCOME_DELIVERED,
	    "");
	check_true(t.kids[0].gone);
	check_str(t.kids[1].user, "b");
	check_int(t.kids[1].ended, 1);
	check_begin("and has its turn again");
	kid_says(&t.kids[1], t.kids[1].sessions[0], 9, OUTCOME_DELIVERED, "");
	check_str(t.kids[2].user, "a");
	check_int(t.kids[2].ended, 1);
}

static void
test_queued_restarts(void)
{
	fixture(2);
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

static bool
there(const char *name)
{
	return faccessat(t.dir, name, F_OK, 0) == 0;
}

static void
wait_answer(struct kid *k)
{
	int i;

	for (i = 0; i < 100 && k->locked == -1; i++)
		loop_run_once(&t.loop, 20);
}

static void
test_locks(void)
{
	struct kid *a, *b;
	struct ipc_writer w;
	struct kid pop = { .locked = -1 };
	int sv[2];
	int fd;

	fixture(4);
	job(1, FINAL_MAILBOX, "alice");
	job(2, FINAL_MAILBOX, "bob");
	a = &t.kids[0];
	b = &t.kids[1];
	check_begin("made and removed");
	kid_lock(a);
	check_int(a->locked, 1);
	check_true(there("alice.lock"));
	kid_lock(b);
	check_int(b->locked, 1);
	kid_unlock(a);
	check_true(!there("alice.lock"));
	check_true(there("bob.lock"));
	check_begin("removed when the child dies");
	channel_close(&b->ch);
	turn();
	check_true(!there("bob.lock"));
	check_begin("held by another");
	fd = openat(t.dir, "alice.lock", O_CREAT | O_WRONLY, 0600);
	close(fd);
	kid_lock(a);
	check_int(a->locked, -1);
	wait_answer(a);
	check_int(a->locked, 0);
	check_str(a->why, "");
	check_true(there("alice.lock"));
	check_begin("free before patience ends");
	kid_lock(a);
	check_int(a->locked, -1);
	unlinkat(t.dir, "alice.lock", 0);
	wait_answer(a);
	check_int(a->locked, 1);

	check_begin("a session of the same mailbox");
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == -1)
		exit(1);
	channel_init(&pop.ch, &t.loop, ROLE_PUSER, ROLE_DELIVER, NULL, &pop);
	channel_open(&pop.ch, sv[0]);
	w = ipc_begin(&t.master_end, IPC_LOCK_PEER, 0, 0);
	ipc_put_str(&w, "alice");
	ipc_put_fd(&w, sv[1]);
	ipc_end(&w);
	turn();
	kid_lock(&pop);
	wait_answer(&pop);
	check_int(pop.locked, 0);
	check_true(there("alice.lock"));
	kid_unlock(a);
	kid_lock(&pop);
	check_int(pop.locked, 1);
	check_begin("the session ends");
	channel_close(&pop.ch);
	turn();
	check_true(!there("alice.lock"));
	check_begin("twice");
	kid_lock(a);
	kid_lock(a);
	check_true(a->gone);
	check_true(!there("alice.lock"));
}

static void
test_stop(void)
{
	fixture(1);
	finished = false;
	t.r.finished = on_finished;
	job(1, FINAL_MAILBOX, "a");
	job(2, FINAL_MAILBOX, "b");
	kid_lock(&t.kids[0]);
	check_begin("what is under way is waited for");
	router_stop(&t.r);
	turn();
	check_true(!finished);
	check_int(t.r.njobs, 1);
	job(3, FINAL_MAILBOX, "c");
	kid_says(&t.kids[0], t.kids[0].sessions[0], 8, OUTCOME_DELIVERED, "");
	check_int(t.outcomes, 1);
	check_true(finished);
	check_begin("no lock file stays");
	check_true(!there("a.lock"));
}

int
main(void)
{
	log_init("test");
	log_stderr_level(LOG_L_ERROR);
	if (mkdtemp(folder) == NULL)
		return 1;
	test_delivery();
	fixture_end();
	test_bigs();
	fixture_end();
	test_liars();
	fixture_end();
	test_list();
	fixture_end();
	test_places();
	fixture_end();
	test_yield();
	fixture_end();
	test_queued_restarts();
	fixture_end();
	test_locks();
	fixture_end();
	test_stop();
	fixture_end();
	tree_remove(folder);
	return check_end();
}
