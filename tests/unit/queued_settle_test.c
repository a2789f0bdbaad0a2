/*
 * queued_settle_test.c - what becomes of attempts: when the next one is, when a
 * letter is given up, who is told what of it, and that it leaves the spool.
 */
#include "tests/unit/queued_play.h"

#define CONF "route { to any via mx }\n" \
	"queue { keep 100s; warn after 50s; retry 10s 20s 40s }\n"

/* One letter, from acceptance to its first attempt. */
static struct play_job *
attempt(const char *from, const char *to, uint8_t notify, uint64_t *qid)
{
	size_t n = play.njobs;

	*qid = play_letter_notify(from, to, notify);
	play_until(&play.njobs, n + 1);
	play_turn();
	return play.njobs == n + 1 ? &play.jobs[n] : NULL;
}

/* It was accepted so many seconds ago. */
static void
age(uint64_t qid, int64_t s)
{
	struct active *a = active_find(&play.q, qid);

	if (check_true(a != NULL))
		a->l->arrival_s -= s;
}

/* The letter as the spool has it, due now. */
static struct play_job *
once_more(uint64_t qid, int64_t age_s)
{
	struct letter *l = play_get(qid);
	size_t n = play.njobs;

	if (!check_true(l != NULL))
		return NULL;
	l->rcpts[0].next_s = 0;
	l->arrival_s -= age_s;
	active_add(&play.q, l);
	play_until(&play.njobs, n + 1);
	play_turn();
	return play.njobs == n + 1 ? &play.jobs[n] : NULL;
}

/* The report that goes to whom, once it is at its worker; it is delivered. */
static bool
told(const char *whom, const char *text)
{
	struct play_job *j;
	struct span s;
	bool found;

	play_run_ms(60);
	if ((j = play_job_to(whom)) == NULL)
		return false;
	s = buf_span(&play.text);
	found = memmem(s.p, s.len, text, strlen(text)) != NULL;
	check_str(j->from, "");
	play_says(j, OUTCOME_DELIVERED, "2.1.5", "");
	play_turn();
	return found;
}

static void
retries(void)
{
	static const int bounds[][2] = { { 9, 11 }, { 18, 22 }, { 36, 44 },
		{ 36, 44 } };
	struct play_job *j;
	struct letter *l;
	uint64_t qid;
	size_t i;

	check_begin("retries: by the schedule, a tenth more or less");
	j = attempt("a@far.test", "user1@example.test", 0, &qid);
	for (i = 0; i < nitems(bounds) && check_true(j != NULL); i++) {
		int64_t now = queue_now(&play.q), next;

		play_says(j, OUTCOME_DEFERRED, "4.2.2", "full");
		play_turn();
		check_int((int)play.q.actives.n, 0);
		if (!check_true((l = play_get(qid)) != NULL))
			return;
		next = l->rcpts[0].next_s - now;
		check_true(next >= bounds[i][0] && next <= bounds[i][1] + 1);
		check_int(l->rcpts[0].attempt, i + 1);
		check_span(l->rcpts[0].reply, "full");
		letter_free(l);
		j = once_more(qid, 0);
	}
	play_says(j, OUTCOME_DELIVERED, "2.1.5", "");
	check_true(play_is_gone(qid));
	check_int((int)play.q.dsns, 0);
}

static void
warned_and_expired(void)
{
	struct play_job *j;
	struct letter *l;
	uint64_t qid;

	check_begin("a delay warning, once");
	j = attempt("user9@example.test", "user1@example.test", 0, &qid);
	age(qid, 60);
	play_says(j, OUTCOME_DEFERRED, "4.2.2", "full");
	check_true(told("user9", "Action: delayed"));
	if ((j = once_more(qid, 60)) == NULL)
		return;
	play_says(j, OUTCOME_DEFERRED, "4.2.2", "full");
	check_true(!told("user9", ""));
	l = play_get(qid);
	check_true(l != NULL && (l->rcpts[0].flags & RCPT_WARNED) != 0);
	letter_free(l);
	check_begin("given up after its time, with the last reply");
	if ((j = once_more(qid, 110)) == NULL)
		return;
	play_says(j, OUTCOME_DEFERRED, "4.2.2", "full of it");
	check_true(told("user9", "full of it"));
	check_int((int)play.q.expired, 1);
	check_true(play_is_gone(qid));
	check_begin("a worker that dies of it: given up too");
	j = attempt("user9@example.test", "user1@example.test", 0, &qid);
	age(qid, 110);
	play_job_done(j); /* told nothing */
	check_true(told("user9", "cut off"));
	check_true(play_is_gone(qid));
}

static void
notify(void)
{
	static const struct {
		const char *name;
		uint8_t notify, what;
		const char *status, *told; /* NULL: silence */
		int64_t age;
	} cases[] = {
		{ "NEVER, failed", DSN_NEVER, OUTCOME_FAILED, "5.1.1", NULL, 0 },
		{ "SUCCESS, failed", DSN_SUCCESS, OUTCOME_FAILED, "5.1.1",
		  NULL, 0 },
		{ "FAILURE, failed", DSN_FAILURE, OUTCOME_FAILED, "5.1.1",
		  "Action: failed", 0 },
		{ "nothing asked, failed", 0, OUTCOME_FAILED, "5.1.1",
		  "Action: failed", 0 },
		{ "SUCCESS, delivered", DSN_SUCCESS, OUTCOME_DELIVERED,
		  "2.1.5", "Action: delivered", 0 },
		{ "SUCCESS, relayed", DSN_SUCCESS, OUTCOME_RELAYED, "2.0.0",
		  "Action: relayed", 0 },
		{ "FAILURE, delivered", DSN_FAILURE, OUTCOME_DELIVERED,
		  "2.1.5", NULL, 0 },
		{ "nothing asked, delivered", 0, OUTCOME_DELIVERED, "2.1.5",
		  NULL, 0 },
		{ "FAILURE, delayed", DSN_FAILURE, OUTCOME_DEFERRED, "4.2.2",
		  NULL, 60 },
		{ "DELAY, delayed", DSN_DELAY, OUTCOME_DEFERRED, "4.2.2",
		  "Action: delayed", 60 },
		{ "DELAY, expired", DSN_DELAY, OUTCOME_DEFERRED, "4.2.2",
		  NULL, 110 },
		{ "NEVER, delayed", DSN_NEVER, OUTCOME_DEFERRED, "4.2.2",
		  NULL, 60 },
	};
	struct play_job *j;
	uint64_t qid;
	size_t i;

	for (i = 0; i < nitems(cases); i++) {
		check_begin(cases[i].name);
		j = attempt("user9@example.test", "user1@example.test",
		    cases[i].notify, &qid);
		if (!check_true(j != NULL))
			continue;
		age(qid, cases[i].age);
		play_says(j, cases[i].what, cases[i].status, "so it is");
		check_int(told("user9", cases[i].told == NULL ? ""
		    : cases[i].told), cases[i].told != NULL);
	}
}

static void
null_path(void)
{
	struct play_job *j;
	uint64_t qid, dsns;

	check_begin("from nobody, failed: the contact hears of it");
	j = attempt("", "user1@example.test", 0, &qid);
	play_says(j, OUTCOME_FAILED, "5.7.1", "no");
	check_true(told("postmaster", "Action: failed"));
	check_begin("delayed: nobody does");
	j = attempt("", "user1@example.test", 0, &qid);
	age(qid, 60);
	play_says(j, OUTCOME_DEFERRED, "4.2.2", "full");
	check_true(!told("postmaster", ""));
	check_begin("a report that fails goes to the contact, and then nowhere");
	j = attempt("user9@example.test", "user1@example.test", 0, &qid);
	play_says(j, OUTCOME_FAILED, "5.7.1", "no");
	play_run_ms(60);
	if (check_true((j = play_job_to("user9")) != NULL))
		play_says(j, OUTCOME_FAILED, "5.2.1", "gone");
	play_run_ms(60);
	dsns = play.q.dsns;
	if (check_true((j = play_job_to("postmaster")) != NULL)) {
		qid = j->qid;
		play_says(j, OUTCOME_FAILED, "5.2.1", "gone as well");
	}
	play_run_ms(60);
	check_int((int)(play.q.dsns - dsns), 0);
	check_true(play_is_gone(qid));
	check_int((int)play.q.actives.n, 0);
}

static void
several(void)
{
	struct play_job *j;
	struct span s;
	uint64_t dsns = play.q.dsns;
	size_t n = play.njobs;

	check_begin("several that fail in one attempt: one report of all");
	play_tx_begin_as(play.granted++, "user9@example.test", "");
	play_tx_rcpt("one@far.test", 0, "rfc822;uno@orig.test");
	play_tx_rcpt("two@far.test", DSN_NEVER, "");
	play_tx_rcpt("three@far.test", 0, "");
	play_tx_body(PLAY_TEXT);
	play_tx_commit(strlen(PLAY_TEXT));
	play_until(&play.njobs, n + 1);
	play_turn();
	j = &play.jobs[n];
	check_int((int)j->n, 3);
	play_says(j, OUTCOME_FAILED, "5.1.1", "<who> is not here");
	play_run_ms(60);
	check_int((int)(play.q.dsns - dsns), 1);
	s = buf_span(&play.text);
	check_true(memmem(s.p, s.len, "uno@orig.test", 13) != NULL);
	check_true(memmem(s.p, s.len, "three@far.test", 14) != NULL);
	check_true(memmem(s.p, s.len, "two@far.test", 12) == NULL);
	check_true(memmem(s.p, s.len, "<who> is not here", 17) != NULL);
	check_true(memmem(s.p, s.len, "Subject: a play", 15) != NULL);
	check_true(memmem(s.p, s.len, "A line.", 7) == NULL);
	check_true(told("user9", "Action: failed"));
}

int
main(void)
{
	play_start(CONF, true);
	retries();
	warned_and_expired();
	notify();
	null_path();
	several();
	play_stop();
	return check_end();
}
