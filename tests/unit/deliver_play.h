/*
 * tests/unit/deliver_play.h - the router between a queued, a master and
 * children that are all played by the test, over socketpairs in one loop.
 */
#ifndef TESTS_UNIT_DELIVER_PLAY_H
#define TESTS_UNIT_DELIVER_PLAY_H

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "deliver/router.h"
#include "lib/log.h"
#include "tests/unit/check.h"
#include "tests/unit/fake_peer.h"
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

static inline void
turn(void)
{
	int i;

	for (i = 0; i < 12; i++)
		loop_run_once(&t.loop, 1);
}

/* -- children -------------------------------------------------------------- */

static inline int
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

static inline int
kid_body(void *arg, struct ipc_msg *m)
{
	((struct kid *)arg)->octets += m->body.len;
	return 0;
}

static inline int
kid_big(void *arg, struct ipc_msg *m)
{
	((struct kid *)arg)->big = m->fd != -1;
	return 0;
}

static inline int
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

static inline void
kid_lost(void *arg, struct channel *ch)
{
	(void)ch;
	((struct kid *)arg)->gone = true;
}

static inline void
kid_says(struct kid *k, uint32_t session, uint32_t number, uint8_t what,
    const char *reply)
{
	struct outcome o = { number, what, span_str("2.1.5"),
		span_str(reply), span_str("") };
	struct ipc_writer w = ipc_begin(&k->ch, IPC_JOB_OUTCOME, 0, session);

	outcome_put(&w, &o);
	ipc_end(&w);
	peer_say(&k->ch, IPC_JOB_DONE, session);
	turn();
}

/* -- master ---------------------------------------------------------------- */

static inline int
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
		peer_pair(sv);
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

static inline void
heard(struct ipc_reader *rd)
{
	struct outcome o;

	check_int(outcome_read(rd, &o), 0);
	t.what = o.what;
	t.number = o.number;
	(void)span_copy(o.status, t.status, sizeof(t.status));
	(void)span_copy(o.reply, t.reply, sizeof(t.reply));
}

static inline int
on_outcome(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);

	(void)arg;
	t.outcomes++;
	t.session = m->session;
	heard(&rd);
	return 0;
}

static inline int
on_report(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);

	(void)arg;
	t.reports++;
	t.qid = ipc_get_u64(&rd);
	heard(&rd);
	return 0;
}

static inline int
on_reported(void *arg, struct ipc_msg *m)
{
	(void)arg;
	(void)m;
	t.reported++;
	return 0;
}

static inline int
on_forward(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);

	(void)arg;
	t.forwards++;
	ipc_get_u32(&rd);
	t.finals = ipc_get_u16(&rd);
	return 0;
}

static inline int
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

static inline void
job_begin(uint32_t session, uint8_t kind, const char *user, uint32_t flags)
{
	peer_job_begin(&t.queued_end, session, &(struct peer_job){
		.qid = 1000 + session, .kind = kind, .flags = flags,
		.octets = 9, .received_s = 1, .to = "a@example.test",
		.orcpt = "", .target = user,
		.argument = kind == FINAL_MAILBOX ? "" : "cat",
		.token = "0123456789", .number = session + 7 });
}

static inline void
job(uint32_t session, uint8_t kind, const char *user)
{
	job_begin(session, kind, user, 0);
	peer_job_body(&t.queued_end, session, "A: b\r\n\r\nc");
	peer_say(&t.queued_end, IPC_JOB_END, session);
	turn();
}

static inline void
queued_open(void)
{
	int sv[2];

	peer_pair(sv);
	channel_open(&t.queued, sv[0]);
	channel_open(&t.queued_end, sv[1]);
	queued_up(&t.r, &t.queued);
	turn();
}

static inline void
on_queued_lost(void *arg, struct channel *ch)
{
	queued_down(arg, ch);
}

static inline void
fixture(unsigned places)
{
	int sv[2];

	memset(&t, 0, sizeof(t));
	t.program_known = true;
	loop_init(&t.loop);
	t.dir = open(folder, O_RDONLY | O_DIRECTORY);
	if (t.dir == -1)
		exit(1);
	peer_pair(sv);
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

static inline void
on_finished(struct router *r)
{
	(void)r;
	finished = true;
}

static inline void
make_old(void *arg, struct hash_node *n)
{
	(void)arg;
	hash_entry(n, struct user, node)->since_ms -= ACCOUNT_KNOWN_MS + 1;
}

static inline void
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

/* Each test has a fixture of its own. */
struct play_test {
	unsigned places;
	void (*run)(void);
};

static inline int
play(const struct play_test *tests, size_t n)
{
	size_t i;

	log_init("test");
	log_stderr_level(LOG_L_ERROR);
	if (mkdtemp(folder) == NULL)
		return 1;
	for (i = 0; i < n; i++) {
		fixture(tests[i].places);
		tests[i].run();
		fixture_end();
	}
	tree_remove(folder);
	return check_end();
}

#endif /* TESTS_UNIT_DELIVER_PLAY_H */
