/*
 * queued_limits_test.c - how much an account may send: the windows, and letters
 * beyond a limit, which are accepted, held over a restart, listed with the reason,
 * released or deleted by account.
 */
#include "tests/unit/queued_play.h"

#define T0 1000000000 /* where an hour and a day begin somewhere */

static const struct conf_accounts none;

static void
windows(void)
{
	struct conf_accounts conf = { 3, 5, 0, 0 };
	struct limits all = { 0 };
	struct span joe = span_str("joe@a.test");
	int i;

	check_begin("an hour");
	for (i = 0; i < 3; i++)
		check_int(limits_take(&all, &conf, joe, 1, T0 + i), HELD_NO);
	check_int(limits_take(&all, &conf, joe, 1, T0 + 3), HELD_LETTERS_HOUR);
	check_int(limits_take(&all, &conf, joe, 1, T0 + 3599),
	    HELD_LETTERS_HOUR);
	check_begin("case says nothing, another account is another");
	check_int(limits_take(&all, &conf, span_str("Joe@A.test"), 1, T0 + 9),
	    HELD_LETTERS_HOUR);
	check_int(limits_take(&all, &conf, span_str("jo@a.test"), 1, T0 + 9),
	    HELD_NO);
	check_begin("what was held is not counted; an hour later");
	check_int(limits_take(&all, &conf, joe, 1, T0 + 3602 + 300), HELD_NO);
	check_begin("the clock steps back");
	check_int(limits_take(&all, &conf, joe, 1, T0), HELD_NO);
	check_begin("a day");
	check_int(limits_take(&all, &conf, joe, 1, T0 + 20000),
	    HELD_LETTERS_DAY);
	check_int(limits_take(&all, &conf, joe, 1, T0 + 86400 + 3602),
	    HELD_NO);
	check_begin("a year later");
	check_int(limits_take(&all, &conf, joe, 1, T0 + 31536000), HELD_NO);
	check_begin("0 is no limit");
	for (i = 0; i < 100; i++)
		check_int(limits_take(&all, &none, joe, 1000, T0), HELD_NO);
	limits_clear(&all);
}

static void
recipients(void)
{
	struct conf_accounts conf = { 0, 0, 10, 15 };
	struct limits all = { 0 };
	struct span joe = span_str("joe@a.test");

	check_begin("recipients");
	check_int(limits_take(&all, &conf, joe, 11, T0), HELD_RCPTS_HOUR);
	check_int(limits_take(&all, &conf, joe, 7, T0), HELD_NO);
	check_int(limits_take(&all, &conf, joe, 4, T0), HELD_RCPTS_HOUR);
	check_int(limits_take(&all, &conf, joe, 3, T0), HELD_NO);
	check_int(limits_take(&all, &conf, joe, 6, T0 + 7200),
	    HELD_RCPTS_DAY);
	check_int(limits_take(&all, &conf, joe, 5, T0 + 7200), HELD_NO);
	check_int(limits_take(&all, &conf, joe, UINT32_MAX, T0 + 7200),
	    HELD_RCPTS_HOUR);
	limits_clear(&all);
}

static void
crowd(void)
{
	struct conf_accounts conf = { 1, 0, 0, 0 };
	struct limits all = { 0 };
	char name[40];
	int i;

	check_begin("more accounts than are remembered");
	for (i = 0; i < LIMITS_ACCOUNTS_MAX; i++) {
		snprintf(name, sizeof(name), "u%d@a.test", i);
		(void)limits_take(&all, &conf, span_str(name), 1, T0);
	}
	check_int(limits_take(&all, &conf, span_str("u0@a.test"), 1, T0),
	    HELD_LETTERS_HOUR);
	check_int(limits_take(&all, &conf, span_str("new@a.test"), 1, T0),
	    HELD_NO);
	check_int((int)all.accounts.n, LIMITS_ACCOUNTS_MAX);
	check_int(limits_take(&all, &conf, span_str("u0@a.test"), 1, T0),
	    HELD_LETTERS_HOUR);
	check_int(limits_take(&all, &conf, span_str("u1@a.test"), 1, T0),
	    HELD_NO);
	limits_clear(&all);
}

/* -- with the spool ---------------------------------------------------------- */

static uint64_t
letter_as(const char *account, const char *to)
{
	uint64_t qid = play.granted++;

	play_tx_begin_as(qid, "joe@example.test", account);
	play_tx_rcpt(to, 0, "");
	play_tx_body(PLAY_TEXT);
	play_tx_commit(strlen(PLAY_TEXT));
	play_run_ms(50);
	check_int((int)play.done_code, 250);
	return qid;
}

static uint8_t
held_on_disk(uint64_t qid)
{
	struct help_wait w = { 0 };
	uint8_t held = HELD_MAX;

	spool_get(play.q.spool, qid, help_letter, &w);
	while (!w.done)
		loop_run_once(&play.q.d.loop, 10);
	if (w.letter != NULL) {
		held = w.letter->held;
		letter_free(w.letter);
	}
	return held;
}

static void
restart(void)
{
	play_turn();
	spool_close(play.q.spool);
	close(play.q.rootfd);
	limits_clear(&play.q.limits);
	play_spool_open();
	active_scan_soon(&play.q);
	play_run_ms(300);
}

static void
held(void)
{
	uint64_t qid;
	size_t i;

	check_begin("up to the limit");
	for (i = 0; i < 2; i++) {
		letter_as("joe", "user1@example.test");
		check_true(strstr(play.done_text, "held") == NULL);
	}
	check_int((int)play_open_jobs(), 2);
	check_begin("beyond it: accepted, held, said so");
	qid = letter_as("joe", "user2@example.test");
	check_true(strstr(play.done_text, "queued as ") != NULL);
	check_true(strstr(play.done_text, ", held: over the account's limit")
	    != NULL);
	play_run_ms(300);
	check_true(play_job_to("user2") == NULL);
	check_int(held_on_disk(qid), HELD_LETTERS_HOUR);
	check_int((int)play.q.held, 1);
	check_begin("nobody's letters have no limit, others' one of their own");
	letter_as("", "user3@example.test");
	letter_as("", "user4@example.test");
	letter_as("", "user5@example.test");
	letter_as("ann", "user6@example.test");
	check_true(play_job_to("user5") != NULL);
	check_true(play_job_to("user6") != NULL);
	check_begin("a limit that was raised holds at once");
	play.q.d.conf->accounts.letters_hour = 3;
	letter_as("joe", "user7@example.test");
	check_true(play_job_to("user7") != NULL);
	check_begin("a restart lets nothing go");
	restart();
	check_true(play_job_to("user2") == NULL);
	check_int(held_on_disk(qid), HELD_LETTERS_HOUR);
}

int
main(void)
{
	windows();
	recipients();
	crowd();
	play_start("accounts { letters 2/hour }\n", true);
	held();
	play_stop();
	return check_end();
}
