/*
 * queued/command.c - the admin's verbs: look at the queue and change what waits in
 * it. A long queue is gone through in slices, no faster than its reader reads.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/ipc/ctl.h"
#include "lib/log.h"
#include "lib/mail/header.h"
#include "lib/mem.h"
#include "queued/queued.h"

#define WAIT_MS      20   /* until a slow reader is looked at again */
#define HEADER_PIECE 16384
#define HEADER_SHOWN (256u * 1024)

enum verb { VERB_LIST, VERB_FLUSH, VERB_HOLD, VERB_RELEASE, VERB_DELETE,
	VERB_NONE };

static const char *const verbs[] = { "list", "flush", "hold", "release",
	"delete" };

/* One question under way. Hangs from channel.user. */
struct command {
	struct queued *q;
	struct channel *ch;     /* NULL: nobody listens any more */
	uint32_t request;
	enum verb verb;
	struct spool_filter filter;
	char *from, *to, *domain, *account;
	uint64_t qid;           /* 0: any */
	bool only_active;
	uint64_t next_qid, done;
	struct timer wait;
	unsigned open;          /* callbacks that will still come */
	bool over;              /* told once these have come: */
	int status;
	const char *text;
};

static void
command_free(struct command *c)
{
	timer_stop(&c->wait);
	free(c->from);
	free(c->to);
	free(c->domain);
	free(c->account);
	free(c);
}

/* Tells the end when all that was asked for is durable. */
static void
command_over(struct command *c)
{
	if (c->open > 0 || (c->ch != NULL && !c->over))
		return;
	if (c->ch != NULL) {
		c->ch->user = NULL;
		ctl_end(c->ch, c->request, c->status, "%s", c->text);
	}
	command_free(c);
}

static void
command_end(struct command *c, int status, const char *text)
{
	c->over = true;
	c->status = status;
	c->text = text;
	command_over(c);
}

/* The reader is gone; what is already being written goes on. */
void
command_down(void *arg, struct channel *ch)
{
	struct command *c = ch->user;

	(void)arg;
	if (c == NULL)
		return;
	c->ch = NULL;
	ch->user = NULL;
	timer_stop(&c->wait);
	command_over(c);
}

static const char *
outcome_text(uint8_t state)
{
	static const char *const names[RCPT_STATE_MAX] = {
		[RCPT_NEW] = "waiting", [RCPT_DEFERRED] = "waiting",
		[RCPT_EXPANDED] = "expanded", [RCPT_DELIVERED] = "delivered",
		[RCPT_RELAYED] = "relayed", [RCPT_FAILED] = "failed",
		[RCPT_EXPIRED] = "expired", [RCPT_DELETED] = "deleted"
	};

	return state < RCPT_STATE_MAX ? names[state] : "?";
}

static const char *
state_text(struct queued *q, const struct letter *l)
{
	const struct active *a = active_find(q, l->qid);
	uint32_t i;

	if (l->held)
		return "held";
	if (a != NULL && (a->tasks > 0 || a->expanding > 0 || a->writes > 0))
		return "active";
	for (i = 0; i < l->nrcpts; i++)
		if (l->rcpts[i].state == RCPT_DEFERRED)
			return "deferred";
	return "active";
}

static void
route_put(struct queued *q, const struct letter *l, const struct rcpt *r,
    struct ctl_record *rec)
{
	const struct conf_route *route;

	/* what stands for itself has no kind until authd is asked again */
	if (r->kind != FINAL_REMOTE && (r->kind != 0 ||
	    (r->flags & RCPT_REMOTE) == 0)) {
		ctl_str(rec, "route", "local");
		return;
	}
	route = conf_route_find(q->d.conf, l->reverse_path, r->addr);
	if (route == NULL || route->via == VIA_MX || route->via == VIA_REFUSE)
		ctl_text(rec, "route", letter_domain(r->addr));
	else
		ctl_str(rec, "route", route->path != NULL ? route->path
		    : route->host);
}

static void
record_send(struct command *c, const struct letter *l, const struct rcpt *r,
    bool show)
{
	char reply[LETTER_TEXT_MAX * 2];
	struct ctl_record rec;

	ctl_record_init(&rec);
	ctl_qid(&rec, "qid", l->qid);
	ctl_time(&rec, "arrival", l->arrival_s);
	ctl_number(&rec, "size", l->size);
	ctl_text(&rec, "from", l->reverse_path);
	if (l->account.len > 0)
		ctl_text(&rec, "account", l->account);
	ctl_str(&rec, "state", state_text(c->q, l));
	if (l->held != HELD_NO)
		ctl_str(&rec, "held", letter_held_text(l));
	ctl_number(&rec, "rcpts", letter_open_rcpts(l));
	ctl_text(&rec, "to", r->addr);
	ctl_number(&rec, "attempt", r->attempt);
	if (!l->held && !rcpt_is_settled(r))
		ctl_time(&rec, "next", r->next_s);
	if (r->host.len > 0)
		ctl_text(&rec, "host", r->host);
	if (r->reply.len > 0) {
		snprintf(reply, sizeof(reply), "%.*s %.*s",
		    SPAN_ARG(r->status), SPAN_ARG(r->reply));
		ctl_str(&rec, "reply", reply);
	}
	route_put(c->q, l, r, &rec);
	if (show)
		ctl_str(&rec, "outcome", outcome_text(r->state));
	ctl_send(&rec, c->ch, c->request);
	ctl_record_clear(&rec);
}

/* A letter in the window knows more than its records on disk. */
static const struct letter *
newest(struct queued *q, const struct letter *l)
{
	const struct active *a = active_find(q, l->qid);

	return a == NULL ? l : a->l;
}

static void
letter_list(struct command *c, const struct letter *l)
{
	unsigned told = 0;
	uint32_t i;

	for (i = 0; i < l->nrcpts && told < CTL_RCPTS_MAX; i++)
		if (!rcpt_is_settled(&l->rcpts[i])) {
			record_send(c, l, &l->rcpts[i], false);
			told++;
		}
	c->done++;
}

struct change {
	struct command *c;
	struct queued *q;
	uint64_t qid;
	enum verb verb;
};

/* The wish is durable: now it is acted upon. */
static void
on_changed(void *arg, enum spool_status status)
{
	struct change *ch = arg;
	struct active *a = active_find(ch->q, ch->qid);

	(void)status;
	if (a != NULL)
		active_schedule(a);
	else if (ch->verb == VERB_DELETE)
		spool_done(ch->q->spool, ch->qid);
	else if (ch->verb != VERB_HOLD)
		active_scan_soon(ch->q);
	ch->c->open--;
	command_over(ch->c);
	free(ch);
}

static void
letter_change(struct command *c, uint64_t qid)
{
	static const uint8_t what[] = {
		[VERB_FLUSH] = CTRL_EXPEDITE, [VERB_HOLD] = CTRL_HOLD,
		[VERB_RELEASE] = CTRL_RELEASE, [VERB_DELETE] = CTRL_DELETE
	};
	struct control control = { .verb = what[c->verb],
		.time_s = queue_now(c->q), .operator = span_str("admin") };
	struct active *a = active_find(c->q, qid);
	struct change *ch = xmalloc(sizeof(*ch));
	struct event_out e;

	*ch = (struct change){ c, c->q, qid, c->verb };
	if (a != NULL)
		letter_apply_control(a->l, &control);
	else if (c->q->scanning)
		qidset_add(&c->q->left, qid); /* its scan may be older */
	c->open++;
	c->done++;
	spool_ctrl(c->q->spool, qid, &control, on_changed, ch);
	event_begin(&e, EV_OPERATOR, qid, 0);
	event_str(&e, KEY_VERB, verbs[c->verb]);
	event_send(&e);
}

static bool
letter_fits(struct command *c, const struct letter *l)
{
	if (letter_open_rcpts(l) == 0)
		return false; /* settled: all but gone */
	return !c->only_active ||
	    strcmp(state_text(c->q, l), "active") == 0;
}

static void
progress(struct command *c)
{
	struct ctl_record rec;

	ctl_record_init(&rec);
	ctl_number(&rec, "done", c->done);
	ctl_send(&rec, c->ch, c->request);
	ctl_record_clear(&rec);
}

static void slice_ask(void *arg);

static void
on_slice(void *arg, struct spool_slice *s)
{
	struct command *c = arg;
	size_t i;

	c->open--;
	for (i = 0; i < s->n; i++) {
		const struct letter *l = newest(c->q, s->letters[i]);

		if (c->ch != NULL && letter_fits(c, l)) {
			if (c->verb == VERB_LIST)
				letter_list(c, l);
			else
				letter_change(c, l->qid);
		}
		letter_free(s->letters[i]);
	}
	if (c->ch == NULL) {
		command_over(c);
		return;
	}
	if (s->status == SPOOL_BUSY) {
		timer_set_ms(&c->wait, WAIT_MS * 10);
		return;
	}
	if (c->verb != VERB_LIST)
		progress(c);
	if (!s->more) {
		command_end(c, 0, "");
		return;
	}
	c->next_qid = s->next_qid;
	timer_set_ms(&c->wait, 0);
}

static void
slice_ask(void *arg)
{
	struct command *c = arg;

	if (channel_queued(c->ch) > CTL_QUEUED_MAX) {
		timer_set_ms(&c->wait, WAIT_MS);
		return;
	}
	c->open++;
	spool_list(c->q->spool, c->next_qid, &c->filter, on_slice, c);
}

static void
not_found(struct command *c, enum spool_status status)
{
	if (status == SPOOL_BUSY)
		command_end(c, EX_TEMPFAIL,
		    "the index is being made; try again");
	else
		command_end(c, EX_NOINPUT, "no such letter in the queue");
}

/* One letter by its id needs no walk through all of them. */
static void
on_one(void *arg, enum spool_status status, struct letter *l)
{
	struct command *c = arg;
	const struct letter *n = l == NULL ? NULL : newest(c->q, l);

	c->open--;
	if (n == NULL || !letter_fits(c, n)) {
		letter_free(l);
		not_found(c, status);
		return;
	}
	if (c->ch != NULL && c->verb == VERB_LIST)
		letter_list(c, n);
	else if (c->ch != NULL) {
		letter_change(c, l->qid);
		progress(c);
	}
	letter_free(l);
	command_end(c, 0, "");
}

static void
header_show(struct command *c, const struct letter *l)
{
	struct buf out = BUF_INIT(2 * SPOOL_INLINE_MAX + (8u << 20));
	struct span text = span_make("", 0);
	char *to;
	ssize_t n;
	int fd = -1;

	if (spool_read(c->q->spool, l, &out, &text, &fd) == -1)
		return;
	if (fd != -1 && (to = buf_reserve(&out, HEADER_SHOWN)) != NULL &&
	    (n = pread(fd, to, HEADER_SHOWN, 0)) > 0)
		text = span_make(to, (size_t)n);
	if (fd != -1)
		close(fd);
	text.len = header_length(text, NULL);
	while (text.len > 0) {
		struct span piece = text;
		struct ctl_record rec;

		if (piece.len > HEADER_PIECE)
			piece.len = HEADER_PIECE;
		text = span_from(text, piece.len);
		ctl_record_init(&rec);
		ctl_text(&rec, "header", piece);
		ctl_send(&rec, c->ch, c->request);
		ctl_record_clear(&rec);
	}
	buf_clear(&out);
}

static void
on_show(void *arg, enum spool_status status, struct letter *l)
{
	struct command *c = arg;
	uint32_t i;

	c->open--;
	if (l == NULL) {
		not_found(c, status);
		return;
	}
	if (c->ch != NULL) {
		const struct letter *n = newest(c->q, l);

		for (i = 0; i < n->nrcpts; i++)
			record_send(c, n, &n->rcpts[i], true);
		header_show(c, n);
	}
	letter_free(l);
	command_end(c, 0, "");
}

static void
on_verified(void *arg, const struct spool_report *r)
{
	struct command *c = arg;
	struct ctl_record rec;
	bool bad = r->bad_segments > 0 || r->bad_records > 0;

	c->open--;
	if (c->ch != NULL && r->status == SPOOL_OK) {
		ctl_record_init(&rec);
		ctl_number(&rec, "letters", r->letters);
		ctl_number(&rec, "segments", r->segments);
		ctl_number(&rec, "records", r->records);
		ctl_number(&rec, "damaged", r->bad_segments);
		ctl_number(&rec, "lost", r->bad_records);
		ctl_number(&rec, "index_missing", r->index_missing);
		ctl_number(&rec, "index_extra", r->index_extra);
		ctl_send(&rec, c->ch, c->request);
		ctl_record_clear(&rec);
	}
	if (r->status != SPOOL_OK)
		command_end(c, EX_TEMPFAIL, "the spool is busy; try again");
	else
		command_end(c, bad ? EX_DATAERR : 0, bad
		    ? "the spool is damaged: see the log" : "");
}

static void
on_rebuilt(void *arg, enum spool_status status)
{
	struct command *c = arg;

	c->open--;
	command_end(c, status == SPOOL_OK ? 0 : EX_TEMPFAIL,
	    status == SPOOL_OK ? "" : "the index could not be rebuilt now");
}

static bool
state_select(struct command *c, struct span v)
{
	if (span_eqstr(v, "held"))
		c->filter.held = true;
	else if (span_eqstr(v, "deferred"))
		c->filter.deferred = true;
	else if (span_eqstr(v, "active"))
		c->only_active = true;
	else
		return false;
	return true;
}

static struct span
remember(char **place, struct span v)
{
	free(*place);
	*place = span_dup(v);
	return span_make(*place, v.len);
}

static bool
selector(struct command *c, struct span word)
{
	struct span v;

	if (span_eqstr(word, "all"))
		return true;
	if (ctl_word_is(word, "qid", &v))
		return qid_parse(v, &c->qid) == 0 && c->qid != 0; /* 0: any */
	if (ctl_word_is(word, "state", &v))
		return state_select(c, v);
	if (ctl_word_is(word, "from", &v))
		c->filter.reverse_path = remember(&c->from,
		    v.len == 0 ? span_str("<>") : v);
	else if (ctl_word_is(word, "to", &v))
		c->filter.rcpt = remember(&c->to, v);
	else if (ctl_word_is(word, "domain", &v))
		c->filter.domain = remember(&c->domain, v);
	else if (ctl_word_is(word, "account", &v))
		c->filter.account = remember(&c->account, v);
	else
		return false;
	return true;
}

static void
queue_verb(struct command *c, const struct span *words, int n)
{
	int i;

	for (i = 2; i < n; i++)
		if (!selector(c, words[i])) {
			command_end(c, EX_USAGE, "not a selector");
			return;
		}
	if (span_eqstr(words[1], "show") && c->qid != 0) {
		c->open++;
		spool_get(c->q->spool, c->qid, on_show, c);
		return;
	}
	for (i = 0; i < VERB_NONE; i++)
		if (span_eqstr(words[1], verbs[i]))
			break;
	c->verb = (enum verb)i;
	if (c->verb == VERB_NONE || (c->verb != VERB_LIST && n < 3)) {
		command_end(c, EX_USAGE, "which letters? (or: all)");
		return;
	}
	if (c->qid != 0) {
		c->open++;
		spool_get(c->q->spool, c->qid, on_one, c);
	} else
		slice_ask(c);
}

static int
on_ctl(void *arg, struct ipc_msg *m)
{
	struct queued *q = arg;
	struct span words[CTL_WORDS_MAX];
	int n = ctl_words(m, words);
	struct command *c;

	if (n < 1 || m->ch->user != NULL)
		return -1;
	c = xcalloc(1, sizeof(*c));
	c->q = q;
	c->ch = m->ch;
	c->request = m->request;
	timer_init(&c->wait, &q->d.loop, slice_ask, c);
	m->ch->user = c;
	if (n >= 2 && span_eqstr(words[0], "queue"))
		queue_verb(c, words, n);
	else if (n == 2 && span_eqstr(words[0], "spool") &&
	    span_eqstr(words[1], "verify")) {
		c->open++;
		spool_verify(q->spool, on_verified, c);
	} else if (n == 2 && span_eqstr(words[0], "spool") &&
	    span_eqstr(words[1], "rebuild")) {
		c->open++;
		spool_rebuild(q->spool, on_rebuilt, c);
	} else
		command_end(c, EX_USAGE, "unknown verb");
	return 0;
}

const struct ipc_handler ctl_handlers[] = {
	{ IPC_CTL, on_ctl },
	IPC_HANDLERS_END
};
