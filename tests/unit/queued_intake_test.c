/*
 * queued_intake_test.c - what smtpd may say to queued, and what it may not: ids,
 * windows, wrong counts, floods, a worker lost before and after its commit.
 */
#include "tests/unit/queued_play.h"

static bool
closed(void)
{
	play_turn();
	return !channel_is_open(&play.smtpd_end);
}

/* A new worker in the place of one that is gone. */
static void
again(void)
{
	if (channel_is_open(&play.smtpd_end))
		channel_close(&play.smtpd_end);
	play_turn();
	channel_close(play.smtpd);
	intake_down(&play.q, play.smtpd);
	play_open(play.smtpd, &play.smtpd_end);
	play_turn();
	check_int((int)play.q.txs.n, 0);
	play.done_code = play.dones = 0;
}

static void
one_letter(void)
{
	unsigned dones = play.dones;

	play_letter("a@far.test", "user1@example.test");
	play_turn();
	play_run_ms(50);
	check_int((int)(play.dones - dones), 1);
	check_int((int)play.done_code, 250);
}

static void
letters(void)
{
	struct play_job *j;
	uint64_t qid;

	check_begin("a letter: 250, an attempt, gone");
	check_int((int)play.grants, 1);
	one_letter();
	check_true(strncmp(play.done_text, "queued as ", 10) == 0);
	if (check_true((j = play_job_to("user1")) != NULL)) {
		check_mem(play.text.p + play.text.off, play.text.len,
		    PLAY_TEXT, strlen(PLAY_TEXT));
		qid = j->qid;
		play_says(j, OUTCOME_DELIVERED, "2.1.5", "done");
		play_turn();
		check_int((int)play.q.actives.n, 0);
		check_true(play_is_gone(qid));
	}

	check_begin("the same recipient twice is one");
	play_tx_begin_as(play.granted++, "", "");
	play_tx_rcpt("user2@example.test", 0, "");
	play_tx_rcpt("user2@example.test", 0, "");
	play_tx_body(PLAY_TEXT);
	play_tx_commit(strlen(PLAY_TEXT));
	play_run_ms(100);
	check_int((int)play.done_code, 250);
	check_int((int)play_open_jobs(), 1);
	play_says(play_job_to("user2"), OUTCOME_DELIVERED, "2.1.5", "");

	check_begin("abort: nothing is left");
	play_tx_begin_as(play.granted++, "a@far.test", "");
	play_tx_rcpt("user1@example.test", 0, "");
	play_turn();
	check_int((int)play.q.txs.n, 1);
	check_true(channel_is_open(&play.smtpd_end));
}

static void
abort_tx(void)
{
	struct ipc_writer w = ipc_begin(&play.smtpd_end, IPC_TX_ABORT, 0,
	    play.tx);

	ipc_end(&w);
	play_turn();
}

static void
ids(void)
{
	struct ipc_writer w;
	uint64_t first = play.granted;

	check_begin("ids rise: one is not used twice");
	one_letter();
	play_tx_begin_as(first, "a@far.test", "");
	check_true(closed());
	again();
	check_begin("ids of nobody");
	play_tx_begin_as(1, "a@far.test", "");
	check_true(closed());
	again();
	check_begin("a new worker has a new block");
	check_true(play.granted > first);
	one_letter();
	check_begin("a second block while the first is in use");
	first = play.granted;
	w = ipc_begin(&play.smtpd_end, IPC_QID_ASK, 0, 0);
	ipc_end(&w);
	play_turn();
	check_true(play.granted > first);
	play.granted = first; /* the old one may still be used */
	one_letter();
	play.granted = first + 4096;
	one_letter();
	play_tx_begin_as(first + 100, "a@far.test", ""); /* and now not */
	check_true(closed());
	again();
}

static void
begin(void)
{
	play_tx_begin_as(play.granted++, "a@far.test", "");
}

static void
hostile(void)
{
	static char flood[32768];
	int i;

	check_begin("octets that were not sent");
	begin();
	play_tx_rcpt("user1@example.test", 0, "");
	play_tx_body(PLAY_TEXT);
	play_tx_commit(strlen(PLAY_TEXT) + 1);
	check_true(closed());
	again();
	check_begin("no recipient");
	begin();
	play_tx_body(PLAY_TEXT);
	play_tx_commit(strlen(PLAY_TEXT));
	check_true(closed());
	again();
	check_begin("not an address");
	begin();
	play_tx_rcpt("a\nb@example.test", 0, "");
	check_true(closed());
	again();
	check_begin("to nobody");
	begin();
	play_tx_rcpt("", 0, "");
	check_true(closed());
	again();
	check_begin("the same number twice");
	begin();
	play.tx--;
	begin();
	check_true(closed());
	again();
	check_begin("after the commit nothing more");
	play_letter("a@far.test", "user1@example.test");
	play_tx_body(PLAY_TEXT);
	check_true(closed());
	again();
	check_begin("a transaction that is not there is passed over");
	play.tx = 9999;
	play_tx_rcpt("user1@example.test", 0, "");
	play_tx_body("text");
	play_tx_commit(4);
	abort_tx();
	check_true(!closed());
	check_begin("past the window, without waiting");
	begin();
	play_tx_rcpt("user1@example.test", 0, "");
	memset(flood, 'x', sizeof(flood) - 1);
	play.window = 0;
	for (i = 0; i < 8; i++)
		play_tx_body(flood);
	play_turn();
	check_true(play.window > IPC_WINDOW / 2);
	check_true(channel_is_open(&play.smtpd_end));
	abort_tx();
	again();
}

static void
flood(void)
{
	unsigned i;

	check_begin("as many transactions as there may be, and one");
	for (i = 0; i < 4096 + 4096; i++) {
		if (i == 4096) {
			struct ipc_writer w = ipc_begin(&play.smtpd_end,
			    IPC_QID_ASK, 0, 0);

			ipc_end(&w);
			play_turn();
		}
		begin();
	}
	check_true(!closed());
	check_int((int)play.q.txs.n, 8192);
	again(); /* all of them go with their worker */
}

static void
lost(void)
{
	uint64_t qid;
	struct play_job *j;

	check_begin("lost before the commit: no letter");
	begin();
	play_tx_rcpt("user3@example.test", 0, "");
	play_tx_body(PLAY_TEXT);
	again();
	play_run_ms(100);
	check_true(play_job_to("user3") == NULL);

	check_begin("lost after it: a letter, and its number is free");
	play.tx = 100;
	qid = play_letter("a@far.test", "user3@example.test");
	channel_flush(&play.smtpd_end);
	loop_run_once(&play.q.d.loop, 1);
	channel_close(&play.smtpd_end);
	channel_close(play.smtpd);
	intake_down(&play.q, play.smtpd);
	play_open(play.smtpd, &play.smtpd_end);
	loop_run_once(&play.q.d.loop, 0);
	play.tx = 100; /* its successor counts from the start again */
	while (play.granted < qid + 2)
		loop_run_once(&play.q.d.loop, 1);
	play.dones = 0;
	one_letter();
	check_true(channel_is_open(&play.smtpd_end));
	check_int((int)play.dones, 1);
	j = play_job_to("user3");
	check_true(j != NULL && j->qid == qid);
}

static void
refused(void)
{
	check_begin("at the end: 421");
	play.q.stopping = true;
	begin();
	play_turn();
	check_int((int)play.done_code, 421);
	play.q.stopping = false;
}

int
main(void)
{
	play_start("", true);
	letters();
	abort_tx();
	check_int((int)play.q.txs.n, 0);
	ids();
	hostile();
	flood();
	lost();
	refused();
	play_stop();
	return check_end();
}
