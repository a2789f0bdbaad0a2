/*
 * ctl/queue.c - barid queue: what waits, letter by letter or counted by route
 * or reason; and the commands that change it.
 */
#include <stdlib.h>

#include "ctl/ctl.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/mem.h"

/* Different reasons in a queue are few; beyond, they are counted as others. */
#define GROUPS_MAX 4096

struct group {
	char *name;
	uint64_t rcpts, letters;
	uint64_t last_qid;  /* a letter's records come together: once */
	int64_t oldest_s;
};

struct listing {
	const struct ctl *ctl;
	const char *by;
	uint64_t qid;        /* of the last record */
	uint64_t letters, rcpts, octets;
	uint64_t shown;      /* recipients of this letter */
	uint64_t open;       /* of them in the queue */
	int64_t now_s;
	bool show;           /* all about one letter */
	bool header;         /* its header has begun */
	struct group *groups;
	size_t ngroups;
};

/* -- counted --------------------------------------------------------------- */

static struct group *
group_find(struct listing *l, struct span name)
{
	struct group *g;
	size_t i;

	if (name.len == 0)
		name = span_str(strcmp(l->by, "route") == 0 ? "not yet known" :
		    "not tried yet");
	for (i = 0; i < l->ngroups; i++)
		if (span_eqstr(name, l->groups[i].name))
			return &l->groups[i];
	if (l->ngroups == GROUPS_MAX)
		return &l->groups[GROUPS_MAX - 1];
	l->groups = xreallocarray(l->groups, l->ngroups + 1, sizeof(*g));
	g = &l->groups[l->ngroups++];
	*g = (struct group){ .oldest_s = INT64_MAX };
	g->name = l->ngroups == GROUPS_MAX ? xstrdup("others") :
	    span_dup(name);
	return g;
}

static void
group_count(struct listing *l, const struct fields *f)
{
	struct group *g = group_find(l, field_text(f,
	    strcmp(l->by, "route") == 0 ? "route" : "reply"));
	int64_t arrival = (int64_t)field_number(f, "arrival");
	uint64_t qid = field_number(f, "qid");

	g->rcpts++;
	if (g->last_qid != qid)
		g->letters++;
	g->last_qid = qid;
	if (arrival < g->oldest_s)
		g->oldest_s = arrival;
}

static int
compare_groups(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	return x->rcpts > y->rcpts ? -1 : x->rcpts < y->rcpts;
}

static void
put_groups(struct listing *l)
{
	char age[HUMAN_MAX];
	const struct group *g;
	size_t i;

	if (l->ngroups > 1)
		qsort(l->groups, l->ngroups, sizeof(*g), compare_groups);
	if (l->ngroups > 0 && !l->ctl->json)
		printf("%8s %10s  %-7s  %s\n", "letters", "recipients",
		    "oldest", l->by);
	for (i = 0; i < l->ngroups; i++) {
		g = &l->groups[i];
		if (l->ctl->json) {
			printf("{\"%s\":", l->by);
			put_json(stdout, span_str(g->name));
			printf(",\"letters\":%llu,\"rcpts\":%llu,"
			    "\"oldest_s\":%lld}\n",
			    (unsigned long long)g->letters,
			    (unsigned long long)g->rcpts,
			    (long long)(l->now_s - g->oldest_s));
			continue;
		}
		printf("%8llu %10llu  %-7s  ", (unsigned long long)g->letters,
		    (unsigned long long)g->rcpts,
		    human_time(l->now_s - g->oldest_s, age));
		put_safe(stdout, span_str(g->name));
		putchar('\n');
	}
}

static void
groups_clear(struct listing *l)
{
	while (l->ngroups > 0)
		mem_free(l->groups[--l->ngroups].name);
	x_free(&l->groups);
}

/* -- letter by letter ------------------------------------------------------ */

static void
put_held(struct span why)
{
	printf("  HELD");
	if (why.len == 0 || span_eqstr(why, "operator"))
		return;
	printf(": over ");
	put_safe(stdout, why);
}

static void
put_letter(const struct listing *l, const struct fields *f)
{
	char id[QID_TEXT], age[HUMAN_MAX], size[HUMAN_MAX];
	struct span from = field_text(f, "from");
	struct span state = field_text(f, "state");

	printf("%s  %8s  %6s  from <",
	    qid_format(field_number(f, "qid"), id),
	    human_time(l->now_s - (int64_t)field_number(f, "arrival"), age),
	    human_octets(field_number(f, "size"), size));
	put_safe(stdout, from);
	putchar('>');
	if (field_text(f, "account").len > 0) {
		printf(" (");
		put_safe(stdout, field_text(f, "account"));
		putchar(')');
	}
	if (span_eqstr(state, "held"))
		put_held(field_text(f, "held"));
	putchar('\n');
}

static void
put_rcpt(const struct listing *l, const struct fields *f)
{
	struct buf line = BUF_INIT(8192);

	story_waiting(f, l->now_s, &line);
	printf("    ");
	put_safe(stdout, buf_span(&line));
	putchar('\n');
	buf_clear(&line);
}

/* A letter of thousands of recipients shows the first of them. */
static void
put_rest(const struct listing *l)
{
	if (!l->show && l->open > l->shown)
		printf("    and %llu more recipients\n",
		    (unsigned long long)(l->open - l->shown));
}

static void
on_letter(void *arg, const struct fields *f)
{
	struct listing *l = arg;
	uint64_t qid = field_number(f, "qid");
	bool first = qid != l->qid;

	if (field(f, "qid") == NULL) { /* a piece of the header */
		if (l->ctl->json) {
			put_record(stdout, f);
			return;
		}
		if (!l->header)
			putchar('\n');
		l->header = true;
		put_lines(stdout, field_text(f, "header"));
		return;
	}
	if (first) {
		if (!l->ctl->json && l->by == NULL && l->qid != 0)
			put_rest(l);
		l->letters++;
		l->octets += field_number(f, "size");
		l->rcpts += field_number(f, "rcpts");
		l->open = field_number(f, "rcpts");
		l->shown = 0;
		l->qid = qid;
	}
	l->shown++;
	if (l->by != NULL) {
		group_count(l, f);
		if (first && l->letters % 1000 == 0)
			progress(l->ctl, "letters", l->letters, 0);
	} else if (l->ctl->json) {
		put_record(stdout, f);
	} else {
		if (first)
			put_letter(l, f);
		put_rcpt(l, f);
	}
}

static void
put_sum(const struct listing *l)
{
	char octets[HUMAN_MAX];

	if (l->letters == 0)
		printf("The queue is empty.\n");
	else
		printf("%llu letter%s for %llu recipient%s, %s octets\n",
		    (unsigned long long)l->letters, l->letters == 1 ? "" :
		    "s", (unsigned long long)l->rcpts, l->rcpts == 1 ? "" :
		    "s", human_octets(l->octets, octets));
}

/* -- asking ---------------------------------------------------------------- */

static int
ask(const struct ctl *c, const char *verb, const struct selectors *s,
    record_fn *fn, void *arg)
{
	struct span words[CTL_WORDS_MAX];
	struct talk t;
	size_t n = 0, i;
	int status = talk_open(&t, c, false);

	if (status != 0)
		return status;
	words[n++] = span_str("queue");
	words[n++] = span_str(verb);
	for (i = 0; i < s->n; i++)
		words[n++] = span_str(s->words[i]);
	status = talk_ask(&t, ROLE_QUEUED, words, n, fn, arg);
	talk_close(&t);
	return status;
}

static int
queue_list(const struct ctl *c, const struct selectors *s, bool show)
{
	struct listing l = { .ctl = c, .by = s->by, .show = show,
		.now_s = clock_now_s() };
	int status = ask(c, show ? "show" : "list", s, on_letter, &l);

	progress(c, NULL, 0, 0);
	if (l.by != NULL)
		put_groups(&l);
	if (!c->json && l.by == NULL && l.qid != 0)
		put_rest(&l);
	if (!c->json && !show && (status == 0 || l.letters > 0))
		put_sum(&l);
	groups_clear(&l);
	return status;
}

struct acting {
	const struct ctl *ctl;
	const char *verb;
	uint64_t done;
};

static void
on_done(void *arg, const struct fields *f)
{
	struct acting *a = arg;

	a->done = field_number(f, "done");
	progress(a->ctl, a->verb, a->done, field_number(f, "total"));
}

static int
queue_act(const struct ctl *c, const char *verb, const char *past,
    const struct selectors *s)
{
	struct acting a = { c, verb, 0 };
	int status;

	if (!s->any) {
		complain("queue %s: which letters? an id, an address, "
		    "--from ADDRESS ... or --all", verb);
		return EX_USAGE;
	}
	status = ask(c, verb, s, on_done, &a);
	progress(c, NULL, 0, 0);
	if (c->json)
		printf("{\"verb\":\"%s\",\"letters\":%llu}\n", verb,
		    (unsigned long long)a.done);
	else if (status == 0 || a.done > 0)
		printf("%llu letter%s %s\n", (unsigned long long)a.done,
		    a.done == 1 ? "" : "s", past);
	return status;
}

int
verb_queue(struct ctl *c)
{
	static const struct { const char *verb, *past; } acts[] = {
		{ "flush", "to be tried now" }, { "hold", "held" },
		{ "release", "released" }, { "delete", "deleted" },
	};
	/* "list" may be left out, with and without words behind it. */
	bool named = c->argc > 0 && c->argv[0][0] != '-';
	const char *verb = named ? c->argv[0] : "list";
	struct selectors s;
	int status = EX_USAGE;
	size_t i;

	if (selectors_parse(&s, c->argc - named, c->argv + named) != 0) {
		selectors_clear(&s);
		return EX_USAGE;
	}
	if (strcmp(verb, "list") == 0)
		status = queue_list(c, &s, false);
	else if (strcmp(verb, "show") == 0 && s.n == 1 &&
	    strncmp(s.words[0], "qid=", 4) == 0)
		status = queue_list(c, &s, true);
	else if (strcmp(verb, "show") == 0)
		complain("queue show: which letter? its id is wanted");
	else {
		for (i = 0; i < nitems(acts); i++)
			if (strcmp(verb, acts[i].verb) == 0)
				break;
		if (i < nitems(acts))
			status = queue_act(c, verb, acts[i].past, &s);
		else
			complain("queue %s is not known: list, show, flush, "
			    "hold, release, delete", verb);
	}
	selectors_clear(&s);
	return status;
}
