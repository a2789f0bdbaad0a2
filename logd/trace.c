/*
 * logd/trace.c - searching the daily files in two rounds: the first gathers the
 * letters that are meant (and the sessions they came by), the second tells
 * their events in order. Blocks whose filter has none of them are not read.
 */
#include "logd/trace.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/ipc/event.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "logd/line.h"

#define DAY_S 86400

struct ids {
	uint64_t list[TRACE_IDS_MAX];
	size_t n;
};

struct trace {
	struct loop *loop;
	struct timer step;
	struct channel *ch;
	uint32_t request;
	void (*done)(void *arg, struct trace *t);
	void *arg;
	int dirfd;
	int64_t *days;
	size_t ndays, day;       /* which one is being read */
	int fd, index;
	uint64_t block;
	size_t at;               /* in the block, when output had to wait */
	bool telling;            /* the second round */
	bool by_id, cut;
	struct span word;        /* ours; empty when by id */
	struct ids qids, sids;
	uint64_t told;
	struct ctl_record record;
};

static bool
ids_has(const struct ids *ids, uint64_t id)
{
	size_t low = 0, high = ids->n, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (ids->list[middle] == id)
			return true;
		if (ids->list[middle] < id)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/* Sorted; false when there are too many: the lowest, the oldest, goes. */
static bool
ids_add(struct ids *ids, uint64_t id)
{
	bool all = true;
	size_t i;

	if (id == 0 || ids_has(ids, id))
		return true;
	if (ids->n == TRACE_IDS_MAX) {
		all = false;
		if (id < ids->list[0])
			return all;
		memmove(ids->list, ids->list + 1,
		    --ids->n * sizeof(*ids->list));
	}
	i = ids->n;
	while (i > 0 && ids->list[i - 1] > id) {
		ids->list[i] = ids->list[i - 1];
		i--;
	}
	ids->list[i] = id;
	ids->n++;
	return all;
}

/* Brackets aside. */
static struct span
bare(struct span s)
{
	if (s.len >= 2 && s.p[0] == '<' && s.p[s.len - 1] == '>')
		return span_make(s.p + 1, s.len - 2);
	return s;
}

bool
trace_matches(const struct record *r, struct span word)
{
	struct span rest = r->fields;
	struct event_field f;

	word = bare(word);
	while (event_next(&rest, &f))
		if ((f.key == KEY_FROM || f.key == KEY_TO ||
		    f.key == KEY_ORCPT || f.key == KEY_USER ||
		    f.key == KEY_MSGID) && !f.is_number &&
		    span_caseeq_span(bare(f.text), word))
			return true;
	return false;
}

/* What of a session belongs to the story of each of its letters. */
static bool
is_of_session(const struct record *r)
{
	return r->qid == 0 &&
	    (r->code == EV_CONNECT || r->code == EV_RCPT_REFUSED);
}

static void
tell(struct trace *t, const struct record *r)
{
	struct span rest = r->fields;
	struct event_field f;
	char program[LINE_PROGRAM];

	ctl_number(&t->record, "time_us", r->time_us);
	ctl_str(&t->record, "program", line_program(r, program));
	ctl_str(&t->record, "event", event_name(r->code));
	if (r->qid != 0)
		ctl_qid(&t->record, "qid", r->qid);
	if (r->sid != 0)
		ctl_qid(&t->record, "sid", r->sid);
	while (event_next(&rest, &f)) {
		if (f.is_number)
			ctl_number(&t->record, event_key_name(f.key),
			    f.number);
		else
			ctl_text(&t->record, event_key_name(f.key), f.text);
	}
	ctl_send(&t->record, t->ch, t->request);
	t->told++;
}

static void
look(struct trace *t, const struct record *r)
{
	bool is_letter = r->qid != 0 && ids_has(&t->qids, r->qid);

	if (t->telling) {
		if (is_letter || (!t->by_id && r->qid == 0 &&
		    trace_matches(r, t->word)) ||
		    (is_of_session(r) && ids_has(&t->sids, r->sid)))
			tell(t, r);
	} else if (t->by_id) {
		if (is_letter && !ids_add(&t->sids, r->sid))
			t->cut = true;
	} else if (r->qid != 0 && !is_letter && trace_matches(r, t->word) &&
	    !ids_add(&t->qids, r->qid))
		t->cut = true;
}

/* Does the filter of this block say that none of them is in it? */
static bool
is_skipped(struct trace *t)
{
	unsigned char filter[FILTER_OCTETS];
	size_t i;

	if (!t->by_id || t->index == -1 ||
	    pread(t->index, filter, sizeof(filter), (off_t)(MAGIC_OCTETS +
	    t->block * FILTER_OCTETS)) != sizeof(filter))
		return false;
	for (i = 0; i < t->qids.n; i++)
		if (filter_has(filter, t->qids.list[i]))
			return false;
	for (i = 0; t->telling && i < t->sids.n; i++)
		if (filter_has(filter, t->sids.list[i]))
			return false;
	return true;
}

static void
day_close(struct trace *t)
{
	if (t->fd != -1)
		close(t->fd);
	if (t->index != -1)
		close(t->index);
	t->fd = t->index = -1;
}

static void
trace_free(struct trace *t)
{
	day_close(t);
	timer_stop(&t->step);
	ctl_record_clear(&t->record);
	mem_free(t->days);
	mem_free((void *)(uintptr_t)t->word.p);
	mem_free(t);
}

static void
trace_end(struct trace *t)
{
	void (*done)(void *, struct trace *) = t->done;
	void *arg = t->arg;

	if (t->told == 0)
		ctl_end(t->ch, t->request, EX_NOINPUT,
		    "the log of the days kept knows nothing of that");
	else
		ctl_end(t->ch, t->request, 0, "%s", t->cut ?
		    "more than 1000 letters; older ones are not shown" : "");
	done(arg, t);
	trace_free(t);
}

/* The next day that can be opened, the second round, or the end (false). */
static bool
day_next(struct trace *t)
{
	while (t->day == t->ndays || (t->fd = day_open(t->dirfd,
	    t->days[t->day], "events")) == -1) {
		if (t->day < t->ndays) {
			t->day++; /* it has expired meanwhile */
			continue;
		}
		if (t->telling)
			return false;
		t->telling = true;
		t->day = 0;
	}
	t->index = day_open(t->dirfd, t->days[t->day], "index");
	t->block = 0;
	t->at = 0;
	return true;
}

/* One block; false when its file is at its end. */
static bool
block_read(struct trace *t, char block[DAY_BLOCK])
{
	struct record r;
	struct span s;
	ssize_t n;

	if (is_skipped(t)) {
		t->block++;
		return true;
	}
	n = pread(t->fd, block, DAY_BLOCK, (off_t)(t->block * DAY_BLOCK));
	if (n <= 0)
		return false;
	s = span_make(block, (size_t)n);
	if (t->at == 0 && t->block == 0)
		t->at = span_prefix(s, DAY_MAGIC) ? MAGIC_OCTETS : s.len;
	while (channel_queued(t->ch) < CTL_QUEUED_MAX) {
		if (record_next(s, &t->at, &r) != 1) {
			t->at = 0;
			t->block++; /* damage costs the rest of one block */
			return n == DAY_BLOCK;
		}
		look(t, &r);
	}
	return true;
}

static void
on_step(void *arg)
{
	struct trace *t = arg;
	char block[DAY_BLOCK];
	int i;

	for (i = 0; i < TRACE_STEP; i++) {
		if (channel_queued(t->ch) >= CTL_QUEUED_MAX) {
			timer_set_ms(&t->step, TRACE_PAUSE_MS);
			return;
		}
		if (t->fd == -1 && !day_next(t)) {
			trace_end(t);
			return;
		}
		if (!block_read(t, block)) {
			day_close(t);
			t->day++;
		}
	}
	timer_set_ms(&t->step, 0);
}

struct trace *
trace_start(struct loop *loop, int dirfd, struct channel *ch, uint32_t request,
    struct span word, int64_t since_s, void (*done)(void *arg,
    struct trace *t), void *arg)
{
	struct trace *t = xcalloc(1, sizeof(*t));
	uint64_t qid;

	t->loop = loop;
	t->ch = ch;
	t->request = request;
	t->done = done;
	t->arg = arg;
	t->dirfd = dirfd;
	t->fd = t->index = -1;
	if (qid_parse(word, &qid) == 0) {
		t->by_id = true;
		ids_add(&t->qids, qid);
	} else
		t->word = span_make(span_dup(word), word.len);
	t->ndays = days_list(dirfd, &t->days);
	while (t->ndays > 0 && t->days[0] < since_s / DAY_S) {
		t->ndays--;
		memmove(t->days, t->days + 1, t->ndays * sizeof(*t->days));
	}
	ctl_record_init(&t->record);
	timer_init(&t->step, loop, on_step, t);
	timer_set_ms(&t->step, 0);
	return t;
}

void
trace_cancel(struct trace *t)
{
	trace_free(t);
}

const struct channel *
trace_channel(const struct trace *t)
{
	return t->ch;
}
