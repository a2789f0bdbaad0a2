/* tests/unit/queued_spool_test.c - a letter's life through the spool's front. */
#include "tests/unit/check.h"
#include "tests/unit/spool_help.h"

static void
test_inline(struct help *h)
{
	enum spool_status st;
	struct help_wait w = { 0 };
	struct letter *l, *m;
	struct outcome o = { .number = 1, .state = RCPT_DEFERRED,
		.attempt = 1, .next_s = 5000, .status = span_str("4.4.1"),
		.host = span_str("mx.example"), .reply = span_str("busy") };
	uint64_t qid;

	check_begin("an inline letter");
	l = help_accept(h, 5000, 2, &st);
	qid = l->qid;
	check_int(st, SPOOL_OK);
	check_true(help_text_ok(h, l, 5000));
	spool_state(h->sp, qid, &o, 1, help_status, &w);
	help_run(h, &w.done);
	check_int(w.status, SPOOL_OK);
	m = help_get(h, qid, &st);
	check_int(st, SPOOL_OK);
	if (m != NULL) {
		check_int(m->nrcpts, 2);
		check_int(m->rcpts[0].state, RCPT_DEFERRED);
		check_int(m->rcpts[0].next_s, 5000);
		check_true(span_eqstr(m->rcpts[0].reply, "busy"));
		check_true(span_eqstr(m->rcpts[1].addr, "user1@d1.example"));
		check_true(help_text_ok(h, m, 5000));
		letter_free(m);
	}
	spool_done(h->sp, qid);
	help_run_ms(h, 100);
	m = help_get(h, qid, &st);
	check_int(st, SPOOL_ABSENT);
	letter_free(l);
}

static void
test_big(struct help *h)
{
	enum spool_status st;
	struct letter *l;
	char path[400], id[QID_TEXT];
	struct stat sb;

	check_begin("a big letter");
	l = help_accept(h, 3000000, 1, &st);
	check_int(st, SPOOL_OK);
	check_true(l->big);
	check_int(l->size, 3000000);
	check_true(help_text_ok(h, l, 3000000));
	snprintf(path, sizeof(path), "%s/big/%s", h->path,
	    qid_format(l->qid, id));
	check_int(stat(path, &sb), 0);
	spool_done(h->sp, l->qid);
	help_run_ms(h, 200);
	check_int(stat(path, &sb), -1);
	letter_free(l);
}

static void
test_expand(struct help *h)
{
	const uint32_t parents[] = { 1 };
	struct final f[2] = {
		{ .number = 3, .parent = 1, .depth = 1, .kind = 2,
		    .addr = span_str("x@y.example"), .user = span_str("u"),
		    .orcpt = span_str("") },
		{ .number = 4, .parent = 1, .depth = 1,
		    .addr = span_str("z@y.example"), .user = span_str(""),
		    .orcpt = span_str("") },
	};
	struct control k = { .verb = CTRL_HOLD, .time_s = 7,
		.operator = span_str("root"), .addr = span_str("") };
	struct help_wait w = { 0 }, w2 = { 0 };
	enum spool_status st;
	struct letter *l, *m;

	check_begin("expand and hold");
	l = help_accept(h, 10, 2, &st);
	spool_expand(h->sp, l->qid, parents, 1, f, 2, help_status, &w);
	spool_ctrl(h->sp, l->qid, &k, help_status, &w2);
	help_run(h, &w2.done);
	check_int(w.status, SPOOL_OK);
	help_run_ms(h, 400); /* into the index */
	m = help_get(h, l->qid, &st);
	if (check_true(m != NULL)) {
		check_int(m->nrcpts, 4);
		check_int(m->rcpts[0].state, RCPT_EXPANDED);
		check_int(m->rcpts[2].kind, 2);
		check_true(span_eqstr(m->rcpts[2].user, "u"));
		check_true(m->held);
		check_true(letter_due_s(m) == LETTER_NEVER);
		letter_free(m);
	}
	spool_done(h->sp, l->qid);
	letter_free(l);
}

static void
test_bounce(struct help *h)
{
	struct outcome o = { .number = 1, .state = RCPT_FAILED, .attempt = 1,
		.status = span_str("5.1.1"), .host = span_str(""),
		.reply = span_str("no such user") };
	struct help_wait w = { 0 };
	struct letter *l, *d, *m;
	enum spool_status st;
	uint64_t qid;

	check_begin("bounce: STATE and MSG in one");
	l = help_accept(h, 100, 1, &st);
	qid = spool_qids(h->sp, 1);
	d = help_new_letter(qid, 1);
	spool_bounce(h->sp, l->qid, &o, 1, d, help_body(h, qid, 500),
	    help_status, &w);
	help_run(h, &w.done);
	check_int(w.status, SPOOL_OK);
	m = help_get(h, l->qid, &st);
	if (check_true(m != NULL))
		check_int(m->rcpts[0].state, RCPT_FAILED);
	letter_free(m);
	check_true(help_text_ok(h, d, 500));
	spool_done(h->sp, l->qid);
	spool_done(h->sp, d->qid);
	letter_free(l);
	letter_free(d);
}

static void
test_too_big(struct help *h)
{
	enum spool_status st;
	struct help_wait w = { 0 };
	uint64_t qid = spool_qids(h->sp, 1);
	struct letter *l = help_new_letter(qid, 1);
	char *long_text = xcalloc(1, LETTER_TEXT_MAX + 2);

	check_begin("over a text's limit by one");
	memset(long_text, 'x', LETTER_TEXT_MAX + 1);
	l->envid = letter_dup(l, span_str(long_text));
	spool_accept(h->sp, l, help_body(h, qid, 10), help_status, &w);
	help_run(h, &w.done);
	check_int(w.status, SPOOL_TOO_BIG);
	letter_free(l);
	free(long_text);
	(void)help_get(h, qid, &st);
	check_int(st, SPOOL_ABSENT);
}

struct seen {
	bool done;
	size_t n;
	bool more;
	uint64_t next;
	int64_t next_s;
};

static void
on_slice(void *arg, struct spool_slice *s)
{
	struct seen *e = arg;
	size_t i;

	e->n += s->n;
	e->more = s->more;
	e->next = s->next_qid;
	e->next_s = s->next_s;
	for (i = 0; i < s->n; i++)
		letter_free(s->letters[i]);
	e->done = true;
}

static void
test_scans(struct help *h)
{
	struct spool_filter f = { .rcpt = span_str("USER0@d0.example") };
	struct seen due = { 0 }, list = { 0 }, dest = { 0 };
	struct letter *l[20];
	enum spool_status st;
	unsigned i;

	check_begin("scans");
	for (i = 0; i < 20; i++)
		l[i] = help_accept(h, 100, 1 + i % 3, &st);
	help_run_ms(h, 500);
	spool_scan_due(h->sp, 0, 0, 999, 0, on_slice, &due);
	help_run(h, &due.done);
	check_int(due.n, 0);
	check_int(due.next_s, 1000);
	due.done = false;
	spool_scan_due(h->sp, 0, 0, 1000, 7, on_slice, &due);
	help_run(h, &due.done);
	check_int(due.n, 7);
	check_true(due.more);
	due.done = false;
	spool_scan_due(h->sp, due.next_s, due.next, 1000, 0, on_slice, &due);
	help_run(h, &due.done);
	check_int(due.n, 20);
	spool_list(h->sp, 0, &f, on_slice, &list);
	help_run(h, &list.done);
	check_int(list.n, 20);
	spool_scan_dest(h->sp, span_str("D2.example"), 0, 0, on_slice, &dest);
	help_run(h, &dest.done);
	check_int(dest.n, 6);
	for (i = 0; i < 20; i++) {
		spool_done(h->sp, l[i]->qid);
		letter_free(l[i]);
	}
	help_run_ms(h, 500);
	list.done = false;
	list.n = 0;
	spool_list(h->sp, 0, &f, on_slice, &list);
	help_run(h, &list.done);
	check_int(list.n, 0);
}

static void
on_report(void *arg, const struct spool_report *r)
{
	struct seen *e = arg;

	check_int(r->status, SPOOL_OK);
	check_int(r->bad_records, 0);
	check_int(r->index_missing, 0);
	check_int(r->index_extra, 0);
	e->n = r->letters;
	e->done = true;
}

static void
test_restart(struct help *h)
{
	enum spool_status st;
	struct seen e = { 0 };
	struct letter *l = help_accept(h, 777, 3, &st), *m;
	struct help_wait w = { 0 };
	uint32_t epoch = spool_epoch(h->sp);

	check_begin("restart");
	help_close(h);
	if (!check_int(help_open(h), 0))
		return;
	check_int(spool_epoch(h->sp), epoch + 1);
	m = help_get(h, l->qid, &st);
	if (check_true(m != NULL)) {
		check_true(help_text_ok(h, m, 777));
		letter_free(m);
	}
	spool_verify(h->sp, on_report, &e);
	help_run(h, &e.done);
	check_int(e.n, 1);
	check_begin("rebuild");
	spool_rebuild(h->sp, help_status, &w);
	help_run(h, &w.done);
	check_int(w.status, SPOOL_OK);
	m = help_get(h, l->qid, &st);
	check_true(m != NULL);
	letter_free(m);
	spool_done(h->sp, l->qid);
	letter_free(l);
}

static void
test_refusals(struct help *h)
{
	struct spool *second = NULL;
	char why[200] = "", path[400];
	int fd;

	check_begin("a second owner");
	h->o.rootfd = open(h->path, O_RDONLY | O_DIRECTORY);
	check_int(spool_open(&second, &h->o, why, sizeof(why)), -1);
	check_true(strstr(why, "another queued") != NULL);
	close(h->o.rootfd);
	help_close(h);

	check_begin("a newer format");
	snprintf(path, sizeof(path), "%s/meta", h->path);
	fd = open(path, O_RDWR);
	check_int(pwrite(fd, "format 9", 8, 0), 8);
	close(fd);
	check_int(help_open(h), -1);
	check_true(strstr(h->why, "newer") != NULL);

	check_begin("meta missing beside segments");
	unlink(path);
	check_int(help_open(h), -1);
	check_true(strstr(h->why, "adopt") != NULL);
	check_begin("adopt");
	fd = open(h->path, O_RDONLY | O_DIRECTORY);
	check_int(spool_adopt(fd, why, sizeof(why)), 0);
	close(fd);
	check_int(help_open(h), 0);
}

int
main(void)
{
	const enum spool_engine engines[] = { SPOOL_INDEX_BDB,
		SPOOL_INDEX_MEM };
	struct help h;
	size_t i;

	log_init("test");
	log_stderr_level(LOG_L_ERROR);
	for (i = 0; i < nitems(engines); i++) {
		help_init(&h);
		h.o.engine = engines[i];
		if (help_open(&h) == -1) {
			printf("%s\n", h.why);
			return 1;
		}
		test_inline(&h);
		test_big(&h);
		test_expand(&h);
		test_bounce(&h);
		test_too_big(&h);
		test_scans(&h);
		test_restart(&h);
		test_refusals(&h);
		help_clear(&h);
	}
	return check_end();
}
