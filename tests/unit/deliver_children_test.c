/*
 * deliver_children_test.c - deliver/children.c and deliver/locks.c: how many
 * children there are and whose turn it is; the locks that are made for them.
 */
#include "tests/unit/deliver_play.h"

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
	peer_say(&k->ch, IPC_UNLOCK, 0);
	turn();
}

static void
test_places(void)
{
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
	peer_pair(sv);
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
	static const struct play_test tests[] = {
		{ 2, test_places },
		{ 1, test_yield },
		{ 4, test_locks },
		{ 1, test_stop },
	};

	return play(tests, nitems(tests));
}
