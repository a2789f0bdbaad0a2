/*
 * queued_schedule_test.c - from the recipients that were given to attempts: who
 * comes of them, what goes together, whose turn it is, and workers that die or
 * lie.
 */
#include "tests/unit/queued_play.h"

#define ROUTES "route { to any via mx }\nrelay { connections 8 }\n" \
	"queue { retry 1h; keep 5d }\n"

static void
over(const char *whom)
{
	struct play_job *j = play_job_to(whom);

	if (check_true(j != NULL)) {
		play_says(j, OUTCOME_DELIVERED, "2.1.5", "done");
		play_turn();
	}
}

static void
accept_one(const char *to)
{
	unsigned dones = play.dones;

	play_letter("a@far.test", to);
	while (play.dones == dones)
		loop_run_once(&play.q.d.loop, 10);
	play_run_ms(50);
}

static void
begin(void)
{
	play_tx_begin_as(play.granted++, "a@far.test", "");
}

static void
end(void)
{
	unsigned dones = play.dones;

	play_tx_body(PLAY_TEXT);
	play_tx_commit(strlen(PLAY_TEXT));
	while (play.dones == dones)
		loop_run_once(&play.q.d.loop, 10);
	play_run_ms(80);
}

static void
expansion(void)
{
	struct play_job *j;
	uint64_t qid;

	check_begin("a list: two mailboxes and a host");
	accept_one("list@example.test");
	check_int((int)play_open_jobs(), 3);
	qid = play_job_to("user1")->qid;
	over("user1");
	over("user2");
	j = play_job_to("far.test");
	check_int((int)j->n, 1);
	check_str(j->rcpts[0], "x@far.test");
	play_says(j, OUTCOME_RELAYED, "2.0.0", "Ok");
	play_turn();
	check_true(play_is_gone(qid));

	check_begin("twins: one copy for each, however many ways lead there");
	begin();
	play_tx_rcpt("twin@example.test", 0, "");
	play_tx_rcpt("user1@example.test", 0, "");
	play_tx_rcpt("list@example.test", 0, "");
	play_tx_rcpt("x@far.test", 0, "");
	end();
	check_int((int)play_open_jobs(), 3);
	over("user1");
	over("user2");
	over("far.test");
	check_int((int)play.q.actives.n, 0);

	check_begin("an owner: the list's letters go in his name");
	accept_one("owned@example.test");
	check_int((int)play_open_jobs(), 3);
	check_str(play_job_to("user1")->from, "owner@example.test");
	over("user1");
	over("user2");
	over("far.test");
	check_int((int)play.q.actives.n, 0);

	check_begin("a wide list");
	accept_one("wide@example.test");
	check_int((int)play_open_jobs(), 256); /* of one mailbox at a time */
	while ((j = play_job_to("user1")) != NULL) {
		play_says(j, OUTCOME_DELIVERED, "2.1.5", "");
		loop_run_once(&play.q.d.loop, 0);
	}
	play_run_ms(50);
	while ((j = play_job_to("user1")) != NULL) {
		play_says(j, OUTCOME_DELIVERED, "2.1.5", "");
		play_turn();
	}
	check_int((int)play.q.actives.n, 0);
	play.njobs = 0;
}

static void
expansion_fails(void)
{
	struct letter *l;
	uint64_t qid;

	check_begin("nobody: failed, and the sender hears of it");
	accept_one("none@example.test");
	over("far.test"); /* the report to a@far.test */
	check_int((int)play.q.dsns, 1);

	check_begin("not now: later, and on disk");
	qid = play.granted;
	accept_one("later@example.test");
	check_int((int)play.q.actives.n, 0);
	l = play_get(qid);
	if (check_true(l != NULL)) {
		check_int(l->rcpts[0].state, RCPT_DEFERRED);
		check_span(l->rcpts[0].status, "4.3.0");
		check_true(l->rcpts[0].next_s > queue_now(&play.q) + 3000);
	}
	letter_free(l);

	check_begin("authd dies: asked again within seconds, not an hour");
	qid = play.granted;
	accept_one("held@example.test");
	channel_close(&play.authd_end);
	play_turn();
	l = play_get(qid);
	if (!check_true(l != NULL))
		return;
	check_true(l->rcpts[0].next_s <= queue_now(&play.q) + 12);
	l->rcpts[0].next_s = 0;
	channel_close(play.authd);
	play_open(play.authd, &play.authd_end);
	play_turn();
	play.nheld = 0;
	active_add(&play.q, l);
	play_turn();
	if (check_int((int)play.nheld, 1))
		play_expand(play.held[0], span_str("user1@example.test"));
	play_run_ms(50);
	over("user1");
	play.nheld = 0;

	check_begin("deleted while authd is asked: it stays deleted");
	qid = play.granted;
	accept_one("held@example.test");
	letter_apply_control(active_find(&play.q, qid)->l,
	    &(struct control){ .verb = CTRL_DELETE });
	if (check_int((int)play.nheld, 1))
		play_expand(play.held[0], span_str("list@example.test"));
	play_turn();
	check_int((int)play_open_jobs(), 0);
	check_true(play_is_gone(qid));
	play.nheld = 0;
}

static void
together(void)
{
	struct play_job *j;
	size_t i;

	check_begin("recipients of one host go together, of two apart");
	begin();
	for (i = 0; i < 250; i++) {
		char to[64];

		snprintf(to, sizeof(to), "r%zu@%s.test", i,
		    i % 2 == 0 ? "Even" : "odd");
		play_tx_rcpt(to, 0, "");
	}
	end();
	check_int((int)play_open_jobs(), 4); /* 100 + 25 each */
	j = play_job_to("odd.test");
	check_int((int)j->n, 100);
	check_begin("each has its own fate");
	for (i = 0; i < j->n; i++)
		play_outcome(j, j->numbers[i], i < 10 ? OUTCOME_FAILED :
		    i < 20 ? OUTCOME_DEFERRED : OUTCOME_RELAYED,
		    i < 10 ? "5.1.1" : i < 20 ? "4.2.1" : "2.0.0", "so");
	play_job_done(j);
	play_run_ms(100);
	check_int((int)play.q.failed, 11);
	check_int((int)play.q.dsns, 2);
	check_true((j = play_job_to("far.test")) != NULL); /* one for all */
	play_says(j, OUTCOME_RELAYED, "2.0.0", "");
	while ((j = play_job_to("odd.test")) != NULL ||
	    (j = play_job_to("Even.test")) != NULL) {
		play_says(j, OUTCOME_RELAYED, "2.0.0", "");
		play_turn();
	}
	check_int((int)play.q.actives.n, 0);
	play.njobs = 0;
}

static const struct dest *
dest_of(const char *name)
{
	struct hash_node *n = hash_find(&play.q.dests,
	    span_hash_lower(span_str(name)));

	return n == NULL ? NULL : hash_entry(n, struct dest, node);
}

static void
windows(void)
{
	size_t i;

	check_begin("a window: five at first, one more for each success");
	play_letters(30, "b@bulk.test", "x@slow.test");
	check_int((int)play_open_jobs(), 5);
	play_says(play_job_to("slow.test"), OUTCOME_RELAYED, "2.0.0", "");
	play_turn();
	check_int((int)play_open_jobs(), 6);
	for (i = 0; i < 5; i++) {
		play_says(play_job_to("slow.test"), OUTCOME_RELAYED, "2.0.0",
		    "");
		play_turn();
	}
	check_int((int)play_open_jobs(), 8); /* connections 8 */
	check_begin("halved by a host that is not met");
	play_says(play_job_to("slow.test"), OUTCOME_DEFERRED, "4.4.1", "none");
	play_turn();
	check_int((int)dest_of("0 slow.test")->window, 4);
	check_int((int)play_open_jobs(), 7);
	check_begin("five in a row speak for all that wait");
	for (i = 0; i < 4; i++) {
		play_says(play_job_to("slow.test"), OUTCOME_DEFERRED, "4.4.1",
		    "none");
		play_turn();
	}
	play_run_ms(50);
	check_int((int)play_open_jobs(), 3);
	check_int((int)play.q.actives.n, 3);
	for (i = 0; i < 3; i++) {
		play_says(play_job_to("slow.test"), OUTCOME_RELAYED, "2.0.0",
		    "");
		play_turn();
	}
	check_int((int)play.q.actives.n, 0);
	check_true(dest_of("0 slow.test") == NULL);
	play.njobs = 0;
}

/* A bulk run of 2,000 of one account, and a person, to the same host. */
static void
fairness(void)
{
	struct play_job *j;
	unsigned turns;

	check_begin("a person beside a bulk run, to another host");
	play_letters(2000, "bulk@bulk.test", "x@slow.test");
	check_int((int)play_open_jobs(), 5);
	play_letters(1, "person@home.test", "y@quick.test");
	check_true(play_job_to("quick.test") != NULL);
	over("quick.test");
	play_letters(1, "person@home.test", "user1@example.test");
	check_true(play_job_to("user1") != NULL);
	over("user1");
	check_begin("and to the same host: a turn or two");
	play_letters(1, "person@home.test", "z@slow.test");
	for (turns = 0; turns < 3; turns++) {
		if (play_job_to("z@slow.test") != NULL)
			break;
		j = play_job_to("slow.test");
		play_says(j, OUTCOME_RELAYED, "2.0.0", "");
		play_turn();
	}
	check_true(play_job_to("z@slow.test") != NULL);
	check_begin("what is too much for one waits on disk");
	check_true(play.q.actives.n <= DEST_WAITING_MAX + 20);
	check_begin("and all of it leaves in the end");
	while (play.q.relayed < 2000 && (play_until(&play.q.actives.n, 1))) {
		while ((j = play_job_to("slow.test")) != NULL) {
			play_says(j, OUTCOME_RELAYED, "2.0.0", "");
			loop_run_once(&play.q.d.loop, 0);
		}
		loop_run_once(&play.q.d.loop, 5);
		if (play.njobs > PLAY_JOBS / 2 && play_open_jobs() == 0)
			play.njobs = 0;
	}
	check_true(play.q.relayed >= 2000);
	play_run_ms(300);
	while ((j = play_job_to("slow.test")) != NULL) {
		play_says(j, OUTCOME_RELAYED, "2.0.0", "");
		play_turn();
	}
	check_int((int)play.q.actives.n, 0);
	play.njobs = 0;
}

static void
worker_back(struct channel *ours, struct channel *theirs)
{
	channel_close(theirs);
	play_turn();
	channel_close(ours);
	worker_down(&play.q, ours);
	play_open(ours, theirs);
	play_turn();
}

/* Of the worker with this channel: its time is over. */
static struct worker *
out_of_patience(const struct channel *ours)
{
	struct worker *w = play.q.workers;

	while (w->ch != ours)
		w = w->next;
	timer_set_ms(&w->patience, 0);
	play_run_ms(50);
	return w;
}

static void
silent(void)
{
	struct worker *w;

	check_begin("nothing is tried before a worker has reported");
	worker_back(play.deliver, &play.deliver_end);
	accept_one("user1@example.test");
	check_true(play_job_to("user1") == NULL);
	check_begin("nor when master has been asked to end it");
	w = out_of_patience(play.deliver);
	check_true(w->hung && !w->ready);
	check_true(play_job_to("user1") == NULL);
	check_begin("but when it is dead and another is there");
	worker_back(play.deliver, &play.deliver_end);
	check_true(!w->hung);
	play_reported(&play.deliver_end);
	play_run_ms(100);
	if (check_true(play_job_to("user1") != NULL))
		play_says(play_job_to("user1"), OUTCOME_DELIVERED, "2.1.5", "");
	check_begin("or when it cannot be ended");
	worker_back(play.deliver, &play.deliver_end);
	accept_one("user2@example.test");
	(void)out_of_patience(play.deliver);
	check_true(play_job_to("user2") == NULL);
	(void)out_of_patience(play.deliver);
	play_run_ms(100);
	if (check_true(play_job_to("user2") != NULL))
		play_says(play_job_to("user2"), OUTCOME_DELIVERED, "2.1.5", "");
	play_reported(&play.deliver_end);
	check_int((int)play.q.actives.n, 0);
	play.njobs = 0;
}

static void
lost(void)
{
	struct letter *l;
	uint64_t qid;
	int64_t first;

	check_begin("a worker dies: soon again, and with care");
	qid = play.granted;
	accept_one("user1@example.test");
	check_true((play_job_to("user1")->flags & JOB_F_CHECK) == 0);
	worker_back(play.deliver, &play.deliver_end);
	play_reported(&play.deliver_end);
	play.njobs = 0;
	l = play_get(qid);
	if (check_true(l != NULL)) {
		first = l->rcpts[0].next_s - queue_now(&play.q);
		check_true(first > 20 && first <= 33);
		check_true((l->rcpts[0].flags & RCPT_CHECK) != 0);
		check_int(l->rcpts[0].attempt, 1);
	}
	check_begin("a second death: as late as any retry");
	if (l != NULL) {
		l->rcpts[0].next_s = 0;
		active_add(&play.q, l);
	}
	play_turn();
	check_true((play_job_to("user1")->flags & JOB_F_CHECK) != 0);
	worker_back(play.deliver, &play.deliver_end);
	play_reported(&play.deliver_end);
	play.njobs = 0;
	l = play_get(qid);
	if (check_true(l != NULL)) {
		check_true(l->rcpts[0].next_s > queue_now(&play.q) + 3000);
		l->rcpts[0].next_s = 0;
		active_add(&play.q, l);
	}
	play_turn();
	check_begin("a deferral does not end the care");
	play_says(play_job_to("user1"), OUTCOME_DEFERRED, "4.2.0", "locked");
	play.njobs = 0;
	l = play_get(qid);
	if (check_true(l != NULL)) {
		check_true((l->rcpts[0].flags & RCPT_CHECK) != 0);
		l->rcpts[0].next_s = 0;
		active_add(&play.q, l);
	}
	play_turn();
	over("user1");
	check_true(play_is_gone(qid));
	play.njobs = 0;
}

static void
report(struct channel *end, uint64_t qid, uint32_t number, uint8_t what)
{
	struct ipc_writer w = ipc_begin(end, IPC_JOB_REPORT, 0, 0);

	ipc_put_u64(&w, qid);
	ipc_put_u32(&w, number);
	ipc_put_u8(&w, what);
	ipc_put_str(&w, "2.0.0");
	ipc_put_str(&w, "as it was");
	ipc_put_str(&w, "mx.far.test");
	ipc_put_str(&w, "none");
	ipc_end(&w);
	play_turn();
}

static void
reports(void)
{
	uint64_t asleep = play.granted, awake, relayed = play.q.relayed;

	accept_one("later@far.test");
	check_int((int)play.q.actives.n, 0);
	check_begin("nothing is started before all have reported");
	play.relay[1] = play_join(ROLE_RELAY, 1, &play.relay_end[1],
	    play_relay_handlers);
	awake = play.granted;
	accept_one("r@far.test");
	check_int((int)play_open_jobs(), 0);
	check_begin("a report settles, in the window and on disk");
	report(&play.relay_end[1], awake, 1, OUTCOME_RELAYED);
	report(&play.relay_end[1], asleep, 1, OUTCOME_RELAYED);
	play_run_ms(100);
	check_int((int)(play.q.relayed - relayed), 2);
	check_true(play_is_gone(asleep));
	report(&play.relay_end[1], 4711, 1, OUTCOME_RELAYED); /* not there */
	report(&play.relay_end[1], asleep, 9, OUTCOME_RELAYED);
	play_reported(&play.relay_end[1]);
	check_int((int)play_open_jobs(), 0);
	check_true(play_is_gone(awake));
	check_begin("after that, letters of others are not its business");
	awake = play.granted;
	accept_one("user2@example.test");
	report(&play.relay_end[1], awake, 1, OUTCOME_RELAYED);
	check_true(!channel_is_open(&play.relay_end[1]));
	over("user2");
	worker_down(&play.q, play.relay[1]);
	check_begin("relay has no mailboxes");
	play_open(play.relay[1], &play.relay_end[1]);
	awake = play.granted;
	accept_one("user2@example.test");
	report(&play.relay_end[1], awake, 1, OUTCOME_RELAYED);
	check_true(channel_is_open(&play.relay_end[1]));
	check_true(!play_is_gone(awake));
	over("user2");
	play_reported(&play.relay_end[1]);
	play.njobs = 0;
}

static void
forward(struct play_job *j, uint8_t kind, const char *address,
    const char *user, const char *text)
{
	struct ipc_writer w = ipc_begin(j->ch, IPC_JOB_FORWARD, 0, j->session);

	ipc_put_u32(&w, j->numbers[0]);
	ipc_put_u16(&w, 1);
	play_final(&w, kind, address, user, text);
	ipc_end(&w);
}

static void
forwards(void)
{
	struct play_job *j;
	struct letter *l;
	uint64_t qid;

	check_begin("a .forward in pieces: elsewhere, a command, itself");
	accept_one("user1@example.test");
	j = play_job_to("user1");
	forward(j, FINAL_REMOTE, "y@far.test", "", "");
	forward(j, FINAL_COMMAND, "user1@example.test", "user1", "|run");
	forward(j, FINAL_MAILBOX, "user1@example.test", "user1", "");
	play_says(j, OUTCOME_FORWARDED, "2.1.5", "forwarded");
	play_run_ms(80);
	check_true(channel_is_open(&play.deliver_end));
	check_int((int)play_open_jobs(), 3);
	while ((j = play_job_to("user1")) != NULL) {
		check_true(j->kind == FINAL_COMMAND ||
		    (j->flags & JOB_F_NO_FORWARD) != 0);
		over("user1");
	}
	over("far.test");
	check_int((int)play.q.actives.n, 0);

	check_begin("forwarded to nobody: it is not lost");
	qid = play.granted;
	accept_one("user1@example.test");
	play_says(play_job_to("user1"), OUTCOME_FORWARDED, "2.1.5", "");
	play_turn();
	l = play_get(qid);
	if (check_true(l != NULL))
		check_int(l->rcpts[0].state, RCPT_DEFERRED);
	letter_free(l);
	play.njobs = 0;
}

/* Each costs the worker its channel, and its letter is tried again. */
static void
hostile_start(const char *what)
{
	check_begin(what);
	accept_one("user1@example.test");
	check_true(play_job_to("user1") != NULL);
}

static void
hostile_end(void)
{
	play_turn();
	check_true(!channel_is_open(&play.deliver_end));
	worker_back(play.deliver, &play.deliver_end);
	play_reported(&play.deliver_end);
	play_run_ms(50);
	check_int((int)play.q.actives.n, 0);
	check_int((int)play.q.jobs.n, 0);
	play.njobs = 0;
}

static void
hostile(void)
{
	hostile_start("an outcome of a recipient that was not asked");
	play_outcome(play_job_to("user1"), 99, OUTCOME_DELIVERED, "2.0.0", "");
	hostile_end();
	hostile_start("an outcome twice");
	play_outcome(play_job_to("user1"), 1, OUTCOME_DELIVERED, "2.0.0", "");
	play_outcome(play_job_to("user1"), 1, OUTCOME_FAILED, "5.0.0", "");
	hostile_end();
	hostile_start("an outcome that there is not");
	play_outcome(play_job_to("user1"), 1, 77, "2.0.0", "");
	hostile_end();
	hostile_start("a job of nobody");
	play_job_done(&(struct play_job){ .ch = &play.deliver_end,
	    .session = 4711 });
	hostile_end();
	hostile_start("another user's command");
	forward(play_job_to("user1"), FINAL_COMMAND, "user2@example.test",
	    "user2", "|rm");
	hostile_end();
	hostile_start("to what is no address");
	forward(play_job_to("user1"), FINAL_REMOTE, "x@y\r\nRCPT TO:<z>", "",
	    "");
	hostile_end();
	hostile_start("a reply with controls is made printable");
	play_says(play_job_to("user1"), OUTCOME_DEFERRED, "4.2\n.0",
	    "a\r\n\tb");
	play_turn();
	check_true(channel_is_open(&play.deliver_end));
	play.njobs = 0;
}

static void
lanes(void)
{
	struct play_job *j;
	struct letter *old[40];
	uint64_t qid = play.granted;
	unsigned i, retries = 0;

	check_begin("fresh mail goes before retries, which get every ninth turn");
	play_letters(nitems(old), "a@far.test", "later@slow.test");
	play_run_ms(150);
	for (i = 0; i < nitems(old); i++) {
		old[i] = play_get(qid + i);
		if (!check_true(old[i] != NULL))
			return;
		old[i]->rcpts[0].next_s = 0;
		old[i]->rcpts[0].kind = FINAL_REMOTE;
	}
	play_letters(5, "p@fresh.test", "x@slow.test"); /* fills the window */
	for (i = 0; i < nitems(old); i++)
		active_add(&play.q, old[i]);
	play_letters(40, "p@fresh.test", "x@slow.test");
	for (i = 0; i < 36; i++) {
		play_says(play_job_to("slow.test"), OUTCOME_DEFERRED, "4.2.0",
		    "");
		play_turn();
	}
	for (i = 0; i < play.njobs; i++)
		retries += strcmp(play.jobs[i].rcpts[0], "later@slow.test") ==
		    0;
	check_true(retries >= 3 && retries <= 6);
	while ((j = play_job_to("slow.test")) != NULL) {
		play_says(j, OUTCOME_RELAYED, "2.0.0", "");
		play_turn();
	}
	check_int((int)play.q.actives.n, 0);
}

/* Seven hosts that take minutes, each with more than it may hold. */
static void
slow_hosts(void)
{
	char to[32];
	int64_t end;
	int i;

	check_begin("many slow hosts leave room for others");
	for (i = 0; i < 7; i++) {
		struct ipc_writer w = ipc_begin(&play.smtpd_end, IPC_QID_ASK,
		    0, 0);

		ipc_end(&w);
		play_turn(); /* the next ids are of a new block */
		snprintf(to, sizeof(to), "x@mute%d.test", i);
		play_letters(1100, "b@bulk.test", to);
	}
	/* those that are too many are on their way back to the disk */
	end = clock_boot_ms() + 10000;
	while (play.q.actives.n >= ACTIVE_LOW && clock_boot_ms() < end)
		loop_run_once(&play.q.d.loop, 10);
	check_true(play.q.actives.n < ACTIVE_LOW);
	play_letters(1, "person@home.test", "y@quick.test");
	over("quick.test");
	check_begin("and for what falls due");
	accept_one("later@quick.test");
	play_run_ms(100);
	check_true(play_job_to("quick.test") == NULL);
	active_add(&play.q, play_get(play.granted - 1));
	check_true(active_room(&play.q) > 0);
}

int
main(void)
{
	play_start(ROUTES, true);
	expansion();
	expansion_fails();
	together();
	windows();
	silent();
	lost();
	reports();
	forwards();
	hostile();
	fairness();
	lanes();
	slow_hosts();
	play_stop();
	return check_end();
}
