/*
 * ctl/trace.c - barid trace: the story of a letter out of logd's memory, and
 * out of queued's what it still waits for.
 */
#include <stdlib.h>

#include "ctl/ctl.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/mem.h"

/* Events of one search; a letter to 1,000 recipients has some 2,000. */
#define EVENTS_MAX  200000
#define LETTERS_MAX 1001   /* what logd finds at most, and what has no id */

struct line {
	uint64_t time_us;
	char *text;
};

struct letter {
	uint64_t qid;
	struct line *lines;
	size_t n;
	bool done; /* nothing waits any more */
};

struct tracing {
	const struct ctl *ctl;
	uint64_t wanted;  /* the id that was asked for, or 0 */
	struct letter *letters;
	size_t n, events;
	int64_t now_s;
};

static struct letter *
letter_find(struct tracing *t, uint64_t qid)
{
	size_t i;

	/* What has no letter tells of the one that was asked for. */
	if (qid == 0)
		qid = t->wanted;
	for (i = 0; i < t->n; i++)
		if (t->letters[i].qid == qid)
			return &t->letters[i];
	if (t->n == LETTERS_MAX)
		return NULL;
	t->letters = xreallocarray(t->letters, t->n + 1, sizeof(*t->letters));
	t->letters[t->n] = (struct letter){ .qid = qid };
	return &t->letters[t->n++];
}

static void
on_event(void *arg, const struct fields *f)
{
	struct tracing *t = arg;
	struct letter *l = letter_find(t, field_number(f, "qid"));
	struct buf text = BUF_INIT(IPC_BODY_MAX);

	if (t->ctl->json)
		put_record(stdout, f);
	if (l == NULL || t->events == EVENTS_MAX)
		return;
	t->events++;
	if (span_eqstr(field_text(f, "event"), "done"))
		l->done = true;
	story_sentence(f, &text);
	if ((l->n & (l->n - 1)) == 0)
		l->lines = xreallocarray(l->lines, l->n == 0 ? 1 : l->n * 2,
		    sizeof(*l->lines));
	l->lines[l->n].time_us = field_number(f, "time_us");
	l->lines[l->n++].text = span_dup(buf_span(&text));
	buf_clear(&text);
}

static int
compare_lines(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	return x->time_us < y->time_us ? -1 : x->time_us > y->time_us;
}

/* A recipient of a letter that queued still has. */
static void
on_waiting(void *arg, const struct fields *f)
{
	struct tracing *t = arg;
	struct buf text = BUF_INIT(IPC_BODY_MAX);
	struct span outcome = field_text(f, "outcome");

	if (field(f, "qid") == NULL ||
	    (outcome.len > 0 && !span_eqstr(outcome, "waiting")))
		return;
	t->events++;
	if (t->ctl->json) {
		put_record(stdout, f);
		return;
	}
	story_waiting(f, t->now_s, &text);
	printf("  %-19s  ", "now");
	put_safe(stdout, buf_span(&text));
	putchar('\n');
	buf_clear(&text);
}

static void
ask_waiting(struct tracing *t, struct talk *talk, const struct letter *l)
{
	char id[QID_TEXT], word[QID_TEXT + 8];
	struct span words[3] = { span_str("queue"), span_str("show") };

	if (l->qid == 0 || l->done)
		return;
	snprintf(word, sizeof(word), "qid=%s", qid_format(l->qid, id));
	words[2] = span_str(word);
	talk->quiet = true; /* not there any more: no complaint */
	(void)talk_ask(talk, ROLE_QUEUED, words, 3, on_waiting, t);
	talk->quiet = false;
}

static void
put_story(const struct tracing *t, struct letter *l, bool first)
{
	char id[QID_TEXT], date[HUMAN_MAX];
	size_t i;

	if (t->ctl->json)
		return;
	/* programs tell at the same time: their clocks decide, not the pipes */
	if (l->n > 1)
		mergesort(l->lines, l->n, sizeof(*l->lines), compare_lines);
	if (!first)
		putchar('\n');
	if (l->qid != 0)
		printf("Letter %s\n", qid_format(l->qid, id));
	else
		printf("Without a letter\n");
	for (i = 0; i < l->n; i++) {
		printf("  %-19s  ", human_date(
		    (int64_t)(l->lines[i].time_us / 1000000), date));
		put_safe(stdout, span_str(l->lines[i].text));
		putchar('\n');
	}
}

static void
tracing_clear(struct tracing *t)
{
	struct letter *l;

	while (t->n > 0) {
		l = &t->letters[--t->n];
		while (l->n > 0)
			mem_free(l->lines[--l->n].text);
		x_free(&l->lines);
	}
	x_free(&t->letters);
}

/* 7 or 7d: days back from now. */
static bool
since_parse(const char *word, int64_t now_s, char out[40])
{
	struct span s = span_str(word);
	uint64_t days;

	if (s.len > 1 && s.p[s.len - 1] == 'd')
		s.len--;
	if (span_u64(s, 36500, &days) == -1)
		return false;
	snprintf(out, 40, "since=%lld",
	    (long long)now_s - (long long)days * 86400);
	return true;
}

static int
trace_tell(struct tracing *t, struct talk *talk, int status)
{
	size_t i;

	/* Not in the log, but perhaps in the queue. */
	if (t->n == 0 && t->wanted != 0)
		letter_find(t, t->wanted);
	for (i = 0; i < t->n; i++) {
		if (t->letters[i].n > 0 || t->n > 1)
			put_story(t, &t->letters[i], i == 0);
		ask_waiting(t, talk, &t->letters[i]);
	}
	return t->events > 0 ? 0 : status;
}

int
verb_trace(struct ctl *c)
{
	struct span words[3] = { span_str("trace") };
	struct tracing t = { .ctl = c, .now_s = clock_now_s() };
	char since[40];
	struct talk talk;
	size_t n = 2;
	int status;

	if (c->argc == 0) {
		complain("trace: what? a letter's id, an address or a "
		    "Message-ID");
		return EX_USAGE;
	}
	words[1] = span_str(c->argv[0]);
	(void)qid_parse(words[1], &t.wanted);
	if (c->argc > 1) {
		if (!since_parse(c->argv[1], t.now_s, since)) {
			complain("\"%s\" is not a number of days", c->argv[1]);
			return EX_USAGE;
		}
		words[n++] = span_str(since);
	}
	if ((status = talk_open(&talk, c, false)) != 0)
		return status;
	talk.quiet = true;
	status = talk_ask(&talk, ROLE_LOGD, words, n, on_event, &t);
	talk.quiet = false;
	status = trace_tell(&t, &talk, status);
	if (status == EX_NOINPUT)
		complain("nothing is known of %s", c->argv[0]);
	tracing_clear(&t);
	talk_close(&talk);
	return status;
}
