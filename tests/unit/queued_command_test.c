/*
 * queued_command_test.c - the admin's verbs over a real spool: what they show,
 * what they change, readers that read slowly or go away.
 */
#include "tests/unit/queued_play.h"

static char last_held[40];

static int
on_answer(void *arg, struct ipc_msg *m)
{
	struct ctl_field f[32];
	struct ipc_reader rd;
	int n, i;

	(void)arg;
	if (m == NULL)
		return 0;
	if (m->type == IPC_CTL_END) {
		rd = ipc_reader(m);
		play.end_status = ipc_get_u8(&rd);
		play.ends++;
		return 0;
	}
	n = ctl_fields(m, f, nitems(f));
	if (!check_true(n > 0))
		return -1;
	play.records++;
	for (i = 0; i < n; i++) {
		if (span_eqstr(f[i].key, "done"))
			play.count = f[i].number;
		else if (span_eqstr(f[i].key, "state"))
			span_copy(f[i].text, play.last_state, 32);
		else if (span_eqstr(f[i].key, "route"))
			span_copy(f[i].text, play.last_route, 80);
		else if (span_eqstr(f[i].key, "to"))
			span_copy(f[i].text, play.last_to, 80);
		else if (span_eqstr(f[i].key, "reply"))
			span_copy(f[i].text, play.last_reply, 200);
		else if (span_eqstr(f[i].key, "held"))
			span_copy(f[i].text, last_held, sizeof(last_held));
		else if (span_eqstr(f[i].key, "header"))
			play.headers++;
	}
	return 0;
}

/* Words, split at blanks. */
static void
ask(const char *words)
{
	struct span rest = span_str(words), word, list[16];
	struct ipc_writer w;
	uint16_t n = 0, i;

	while (n < nitems(list) && span_next(&rest, ' ', &word))
		list[n++] = word;
	play.records = play.ends = play.headers = 0;
	play.count = 0;
	w = ipc_begin(&play.ctl_end, IPC_CTL, channel_request(&play.ctl_end,
	    30000, on_answer, NULL), 0);
	ipc_put_u16(&w, n);
	for (i = 0; i < n; i++)
		ipc_put_span(&w, list[i]);
	ipc_end(&w);
}

static unsigned
command(const char *words)
{
	int64_t end = clock_boot_ms() + 20000;

	ask(words);
	while (play.ends == 0 && clock_boot_ms() < end)
		loop_run_once(&play.q.d.loop, 10);
	check_int((int)play.ends, 1);
	return play.end_status;
}

static char *
with_qid(const char *verb, uint64_t qid)
{
	static char words[100];
	char text[QID_TEXT];

	snprintf(words, sizeof(words), "queue %s qid=%s", verb,
	    qid_format(qid, text));
	return words;
}

static void
one_letter(void)
{
	uint64_t qid = play.granted;
	struct play_job *j;

	check_begin("a letter that is being tried");
	play_letters(1, "a@far.test", "x@slow.test");
	check_int((int)command("queue list"), 0);
	check_int((int)play.records, 1);
	check_str(play.last_state, "active");
	check_str(play.last_route, "slow.test");
	check_begin("one that waits, with the reason");
	play_says(play_job_to("slow.test"), OUTCOME_DEFERRED, "4.2.1", "later");
	play_run_ms(100);
	check_int((int)play.q.actives.n, 0);
	check_int((int)command("queue list"), 0);
	check_str(play.last_state, "deferred");
	check_str(play.last_reply, "4.2.1 later");
	check_str(play.last_route, "slow.test");
	check_begin("show: recipients and the header");
	check_int((int)command(with_qid("show", qid)), 0);
	check_int((int)play.headers, 1);
	check_begin("hold, flush, release");
	check_int((int)command(with_qid("hold", qid)), 0);
	check_int((int)play.count, 1);
	check_int((int)command("queue flush all"), 0);
	play_run_ms(1300);
	check_true(play_job_to("slow.test") == NULL);
	check_int((int)command("queue list state=held"), 0);
	check_int((int)play.records, 1);
	check_int((int)command("queue release all"), 0);
	play_run_ms(1500);
	if (!check_true((j = play_job_to("slow.test")) != NULL))
		return;
	check_begin("hold while it is tried: the attempt ends as it ends");
	check_int((int)command(with_qid("hold", qid)), 0);
	play_says(j, OUTCOME_DEFERRED, "4.2.1", "later");
	play_run_ms(100);
	check_int((int)command(with_qid("release", qid)), 0);
	check_begin("flush");
	check_int((int)command(with_qid("flush", qid)), 0);
	play_run_ms(1500);
	check_true((j = play_job_to("slow.test")) != NULL);
	check_begin("delete while it is tried, and that fails: no report");
	check_int((int)command(with_qid("delete", qid)), 0);
	if (j != NULL)
		play_says(j, OUTCOME_FAILED, "5.1.1", "no");
	check_true(play_is_gone(qid));
	check_int((int)play.q.dsns, 0);
	check_int((int)play.q.actives.n, 0);
	check_begin("not there");
	check_int((int)command(with_qid("delete", qid)), 66);
	check_int((int)command(with_qid("show", qid)), 66);
}

static void
wrong(void)
{
	static const char *const cases[] = { "queue", "queue list nonsense",
		"queue list state=odd", "queue list qid=!", "queue delete",
		"queue show", "queue what all", "spool", "spool eat" };
	size_t i;

	for (i = 0; i < nitems(cases); i++) {
		check_begin(cases[i]);
		check_int((int)command(cases[i]), 64);
		check_true(channel_is_open(&play.ctl_end));
	}
}

static void
letter_as(const char *account, const char *to)
{
	play_tx_begin_as(play.granted++, "joe@example.test", account);
	play_tx_rcpt(to, 0, "");
	play_tx_body(PLAY_TEXT);
	play_tx_commit(strlen(PLAY_TEXT));
	play_run_ms(50);
}

/* Beyond the limit of one letter in an hour. */
static void
over_limit(void)
{
	struct play_job *j;

	check_begin("what an account sent past its limit, with the reason");
	letter_as("joe", "joe1@example.test");
	letter_as("joe", "joe2@example.test");
	letter_as("ann", "ann1@example.test");
	letter_as("ann", "ann2@example.test");
	command("queue list state=held");
	check_int((int)play.records, 2);
	check_str(last_held, "letters/hour");
	command("queue list state=held account=joe");
	check_int((int)play.records, 1);
	check_str(play.last_to, "joe2@example.test");
	check_str(play.last_state, "held");
	check_begin("released by account");
	check_int((int)command("queue release account=joe"), 0);
	check_int((int)play.count, 2); /* the one that was on its way too */
	play_run_ms(1300);
	if (check_true((j = play_job_to("joe2")) != NULL))
		play_says(j, OUTCOME_DELIVERED, "2.1.5", "");
	check_true(play_job_to("ann2") == NULL);
	check_begin("deleted by account");
	check_int((int)command("queue delete account=ann state=held"), 0);
	check_int((int)play.count, 1);
	play_run_ms(300);
	check_true(play_job_to("ann2") == NULL);
	play_says(play_job_to("joe1"), OUTCOME_DELIVERED, "2.1.5", "");
	play_says(play_job_to("ann1"), OUTCOME_DELIVERED, "2.1.5", "");
	play_run_ms(200);
	command("queue list");
	check_int((int)play.records, 0);
	check_int((int)play.q.dsns, 0);
}

static void
many(void)
{
	struct play_job *j;
	unsigned i;

	check_begin("selectors over many letters");
	play_letters(700, "a@far.test", "later@slow.test");
	play_letters(5, "b@far.test", "later@other.test");
	play_letters(1, "", "later@example.test");
	play_run_ms(200);
	check_int((int)play.q.actives.n, 0);
	check_int((int)command("queue list"), 0);
	check_int((int)play.records, 706);
	command("queue list domain=other.test");
	check_int((int)play.records, 5);
	command("queue list from=b@far.test");
	check_int((int)play.records, 5);
	command("queue list from=");
	check_int((int)play.records, 1);
	command("queue list to=later@slow.test state=deferred");
	check_int((int)play.records, 700);
	command("queue hold domain=other.test");
	check_int((int)play.count, 5);
	command("queue list state=held");
	check_int((int)play.records, 5);

	check_begin("a reader that goes away: what is under way is finished");
	ask("queue list");
	play_turn();
	channel_close(&play.ctl_end);
	play_run_ms(100);
	command_down(&play.q, play.ctl);
	channel_close(play.ctl);
	play_open(play.ctl, &play.ctl_end);
	check_int((int)command("queue list from="), 0);
	check_int((int)play.records, 1);

	check_begin("two questions at once cost the channel");
	ask("queue list");
	ask("queue list");
	play_run_ms(100);
	check_true(!channel_is_open(&play.ctl_end));
	command_down(&play.q, play.ctl);
	channel_close(play.ctl);
	play_open(play.ctl, &play.ctl_end);

	check_begin("delete all: none is tried again, nobody is told");
	command("queue release all");
	check_int((int)command("queue delete all"), 0);
	check_int((int)play.count, 706);
	play_run_ms(600);
	for (i = 0; i < 3 && (j = play_job_to("slow.test")) != NULL; i++)
		play_says(j, OUTCOME_DEFERRED, "4.2.0", "");
	command("queue list");
	check_int((int)play.records, 0);
	check_int((int)play.q.actives.n, 0);
	check_int((int)play.q.dsns, 0);
}

int
main(void)
{
	play_start("route { to any via mx }\nqueue { retry 1h }\n"
	    "accounts { letters 1/hour }\n", true);
	over_limit();
	one_letter();
	wrong();
	many();
	play_stop();
	return check_end();
}
