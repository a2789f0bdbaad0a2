/*
 * tests/unit/queued_compact_test.c - space comes back: segments without living
 * letters go, those with some are emptied by COPY, and no letter is lost or
 * comes back from the dead while it happens.
 */
#include "queued/record.h"
#include "tests/unit/check.h"
#include "tests/unit/spool_help.h"

enum { KEEP = 40 };

static struct letter *kept[KEEP];
static struct help *the_help;

static void
on_moved(void *arg, uint64_t qid, struct place place)
{
	unsigned i;

	(void)arg;
	the_help->moved++;
	for (i = 0; i < KEEP; i++)
		if (kept[i] != NULL && kept[i]->qid == qid)
			kept[i]->place = place;
}

struct pass {
	struct help *h;
	struct letter *l;
	unsigned *open;
};

static void
on_pass(void *arg, enum spool_status st)
{
	struct pass *p = arg;

	check_int(st, SPOOL_OK);
	spool_done(p->h->sp, p->l->qid);
	letter_free(p->l);
	--*p->open;
	free(p);
}

/* n letters of 8 KiB that are settled as soon as they are ours. */
static void
traffic(struct help *h, unsigned n)
{
	unsigned i, busy = 0;

	for (i = 0; i < n; i++) {
		struct pass *p = xcalloc(1, sizeof(*p));
		uint64_t qid = spool_qids(h->sp, 1);

		p->h = h;
		p->open = &busy;
		p->l = help_new_letter(qid, 1);
		busy++;
		spool_accept(h->sp, p->l, help_body(h, qid, 8192), on_pass, p);
		while (busy > 100)
			loop_run_once(&h->loop, 20);
	}
	while (busy > 0)
		loop_run_once(&h->loop, 20);
}

static void
test_free(struct help *h)
{
	struct spool_stats s;

	check_begin("segments without living letters go");
	traffic(h, 3000); /* 24 MB through segments of 4 MiB */
	help_run_ms(h, 2500);
	spool_stats(h->sp, &s);
	check_true(s.segments <= 2);
	check_true(s.log_octets < 8u << 20);
	check_int(s.letters, 0);
}

static void
state_all(struct help *h, uint16_t attempt)
{
	unsigned i;

	for (i = 0; i < KEEP; i++) {
		struct outcome o = { .number = 1, .state = RCPT_DEFERRED,
			.attempt = attempt, .next_s = 100000 + attempt,
			.status = span_str("4.3.0"), .host = span_str("h"),
			.reply = span_str("wait") };

		if (kept[i] != NULL)
			spool_state(h->sp, kept[i]->qid, &o, 1, NULL, NULL);
	}
}

static void
test_copy(struct help *h)
{
	enum spool_status st;
	struct spool_stats s;
	struct letter *m;
	unsigned i, round;

	check_begin("living letters are copied");
	for (i = 0; i < KEEP; i++) {
		kept[i] = help_accept(h, 20000 + i, 2, &st);
		check_int(st, SPOOL_OK);
	}
	/* State is written, and some are settled, while COPYs are made. */
	for (round = 1; round <= 6; round++) {
		traffic(h, 1000);
		state_all(h, (uint16_t)round);
		if (round % 2 == 0) {
			spool_done(h->sp, kept[round]->qid);
			letter_free(kept[round]);
			kept[round] = NULL;
		}
		help_run_ms(h, 700);
	}
	help_run_ms(h, 2500);
	spool_stats(h->sp, &s);
	check_true(s.copied > 0);
	check_true(h->moved > 0);
	check_true(s.segments <= 4);
	check_int(s.letters, KEEP - 3);
	for (i = 0; i < KEEP; i++) {
		if (kept[i] == NULL)
			continue;
		check_true(help_text_ok(h, kept[i], 20000 + i));
		m = help_get(h, kept[i]->qid, &st);
		if (check_true(m != NULL)) {
			check_int(m->rcpts[0].attempt, 6);
			check_int(m->rcpts[0].next_s, 100006);
		}
		letter_free(m);
	}
}

/* The same from the log alone. */
static void
test_rebuild(struct help *h)
{
	enum spool_status st;
	struct spool_stats s;
	struct letter *m;
	struct help_wait w = { 0 };
	unsigned i;

	check_begin("what was copied is found by a rebuild");
	help_close(h);
	check_int(help_open(h), 0);
	spool_rebuild(h->sp, help_status, &w);
	help_run(h, &w.done);
	spool_stats(h->sp, &s);
	check_int(s.letters, KEEP - 3);
	for (i = 0; i < KEEP; i++) {
		if (kept[i] == NULL)
			continue;
		m = help_get(h, kept[i]->qid, &st);
		if (check_true(m != NULL)) {
			check_int(m->rcpts[0].attempt, 6);
			check_true(help_text_ok(h, m, 20000 + i));
		}
		letter_free(m);
	}
}

static void
test_long_tail(struct help *h)
{
	enum spool_status st;
	struct spool_stats s;
	struct letter *l, *m;
	uint64_t copied;
	unsigned i;

	check_begin("a letter with very many records is folded");
	spool_stats(h->sp, &s);
	copied = s.copied;
	l = help_accept(h, 1000, 1, &st);
	for (i = 1; i <= 100; i++) {
		struct outcome o = { .number = 1, .state = RCPT_DEFERRED,
			.attempt = (uint16_t)i, .next_s = 200000 + i,
			.status = span_str(""), .host = span_str(""),
			.reply = span_str("") };

		spool_state(h->sp, l->qid, &o, 1, NULL, NULL);
	}
	help_run_ms(h, 2500);
	spool_stats(h->sp, &s);
	check_int(s.copied, copied + 1);
	m = help_get(h, l->qid, &st);
	if (check_true(m != NULL)) {
		check_int(m->rcpts[0].attempt, 100);
		check_true(m->place.lsn != l->place.lsn);
		check_true(help_text_ok(h, m, 1000));
	}
	letter_free(m);
	spool_done(h->sp, l->qid);
	letter_free(l);
}

int
main(void)
{
	struct help h;
	unsigned k;

	log_init("test");
	log_stderr_level(LOG_L_ERROR);
	help_init(&h);
	the_help = &h;
	h.o.moved = on_moved;
	if (help_open(&h) == -1) {
		printf("%s\n", h.why);
		return 1;
	}
	test_free(&h);
	test_copy(&h);
	test_rebuild(&h);
	test_long_tail(&h);
	for (k = 0; k < KEEP; k++)
		letter_free(kept[k]);
	help_clear(&h);
	return check_end();
}
