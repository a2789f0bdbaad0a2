/*
 * queued/bounce.c - what a sender is told: delivery status notifications (RFC
 * 3461, RFC 3464), each written in one batch with the outcomes that it tells of.
 * Never to the null path: those go to the contact, and after that nowhere.
 */
#include <stdlib.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/mail/dsn.h"
#include "lib/mail/header.h"
#include "lib/mem.h"
#include "queued/queued.h"

/* What an outcome asks to be told, if anything. */
enum told { TOLD_NOTHING, TOLD_FAILED, TOLD_DELAYED, TOLD_RELAYED,
	TOLD_DELIVERED, TOLD_MAX };

static enum told
told_kind(const struct letter *l, const struct rcpt *r,
    const struct outcome *o)
{
	bool silent = r->notify == 0;

	switch (o->state) {
	case RCPT_FAILED:
	case RCPT_EXPIRED:
		return silent || (r->notify & NOTIFY_FAILURE) ? TOLD_FAILED
		    : TOLD_NOTHING;
	case RCPT_DEFERRED:
		if ((o->flags & RCPT_WARNED) == 0 ||
		    (r->flags & RCPT_WARNED) != 0 || l->reverse_path.len == 0)
			return TOLD_NOTHING;
		return silent || (r->notify & NOTIFY_DELAY) ? TOLD_DELAYED
		    : TOLD_NOTHING;
	case RCPT_RELAYED:
	case RCPT_DELIVERED:
		if ((r->notify & NOTIFY_SUCCESS) == 0 ||
		    (o->flags & RCPT_PASSED) != 0 ||
		    l->reverse_path.len == 0)
			return TOLD_NOTHING;
		return o->state == RCPT_RELAYED ? TOLD_RELAYED
		    : TOLD_DELIVERED;
	default:
		return TOLD_NOTHING;
	}
}

/* The letter's header; of a letter that cannot be read, nothing. */
static void
header_read(struct queued *q, const struct letter *l, struct buf *out)
{
	struct buf all = BUF_INIT(2 * SPOOL_INLINE_MAX + (8u << 20));
	struct span text = span_make("", 0);
	char *to;
	ssize_t n;
	int fd = -1;

	if (spool_read(q->spool, l, &all, &text, &fd) == 0 && fd == -1) {
		if (text.len > DSN_HEADER_MAX)
			text.len = DSN_HEADER_MAX;
		buf_add_span(out, text);
	}
	if (fd != -1 && (to = buf_reserve(out, DSN_HEADER_MAX)) != NULL) {
		if ((n = pread(fd, to, DSN_HEADER_MAX, 0)) > 0)
			buf_grow(out, (size_t)n);
	}
	if (fd != -1)
		close(fd);
	buf_clear(&all);
}

/* "rfc822;user@example" with its xtext undone lies in orcpt already. */
static void
rcpt_tell(const struct letter *l, const struct outcome *o,
    struct dsn_rcpt *out, int64_t now)
{
	const struct rcpt *r = letter_rcpt(l, o->number);

	/* a command or file of a user is nobody's business but his */
	if (r->kind == FINAL_COMMAND || r->kind == FINAL_FILE ||
	    r->kind == FINAL_INCLUDE)
		r = rcpt_origin(l, r);
	*out = (struct dsn_rcpt){ .address = r->addr, .original = r->orcpt,
		.status = o->status, .remote = o->host, .reply = o->reply,
		.last = now };
}

/* Who is told: the sender; the contact of what came from nobody; or no one. */
static bool
address_of(const struct queued *q, const struct letter *l, enum told kind,
    struct span *to, unsigned *flags)
{
	*flags = LETTER_DSN;
	*to = l->reverse_path;
	if (l->reverse_path.len > 0)
		return true;
	if (kind != TOLD_FAILED || (l->flags & LETTER_DOUBLE) != 0 ||
	    q->d.conf->contact == NULL)
		return false;
	*to = span_str(q->d.conf->contact);
	*flags |= LETTER_DOUBLE;
	return true;
}

static int
text_build(struct active *a, enum told kind, struct span to, uint64_t qid,
    const struct outcome *o, size_t n, struct buf *out, bool *utf8)
{
	static const enum dsn_kind kinds[TOLD_MAX] = {
		[TOLD_FAILED] = DSN_FAILED, [TOLD_DELAYED] = DSN_DELAYED,
		[TOLD_RELAYED] = DSN_RELAYED, [TOLD_DELIVERED] = DSN_DELIVERED
	};
	struct queued *q = a->q;
	const struct letter *l = a->l;
	struct buf header = BUF_INIT(DSN_HEADER_MAX);
	struct dsn_rcpt *rcpts = xcalloc(n, sizeof(*rcpts));
	struct dsn d = { .kind = kinds[kind], .to = to, .qid = qid,
		.letter = l->qid, .envid = l->envid, .now = queue_now(q),
		.arrival = l->arrival_s, .rcpts = rcpts, .n = n };
	size_t i;
	int rv;

	for (i = 0; i < n; i++)
		rcpt_tell(l, &o[i], &rcpts[i], d.now);
	header_read(q, l, &header);
	d.host = span_str(q->d.conf->host);
	d.contact = span_str(q->d.conf->contact);
	d.until = l->arrival_s + q->d.conf->queue.keep_s;
	d.header = buf_span(&header);
	*utf8 = dsn_needs_utf8(&d);
	rv = dsn_build(out, &d);
	free(rcpts);
	buf_clear(&header);
	return rv;
}

struct report {
	struct queued *q;
	struct letter *dsn;
};

static void
on_durable(void *arg, enum spool_status status)
{
	struct report *rp = arg;

	rp->q->closing--;
	if (status == SPOOL_OK)
		active_add(rp->q, rp->dsn);
	else
		letter_free(rp->dsn);
	free(rp);
}

static void
tell_dsn(const struct letter *dsn, const struct letter *l)
{
	char qid[QID_TEXT];
	struct event_out e;

	event_begin(&e, EV_DSN, l->qid, 0);
	event_text(&e, KEY_TO, dsn->rcpts[0].addr);
	event_str(&e, KEY_TEXT, qid_format(dsn->qid, qid));
	event_send(&e);
}

/* One report about these outcomes, written with them. -1: there is none. */
static int
report_write(struct active *a, enum told kind, const struct outcome *o,
    size_t n)
{
	struct queued *q = a->q;
	struct buf text = BUF_INIT(DSN_MAX);
	struct report *rp;
	struct letter *dsn;
	struct body *body;
	struct span to;
	uint64_t qid;
	unsigned flags;
	bool utf8;

	if (!address_of(q, a->l, kind, &to, &flags))
		return -1;
	qid = spool_qids(q->spool, 1);
	if (text_build(a, kind, to, qid, o, n, &text, &utf8) == -1) {
		log_warn("building a delivery status notification");
		buf_clear(&text);
		return -1;
	}
	dsn = letter_new(qid);
	dsn->flags = flags | (utf8 ? LETTER_SMTPUTF8 : 0) | LETTER_8BITMIME;
	dsn->arrival_s = queue_now(q);
	dsn->size = text.len;
	letter_add_rcpt(dsn, to)->next_s = dsn->arrival_s;
	body = spool_body_begin(q->spool, qid, NULL, NULL);
	spool_body_append(body, buf_span(&text));
	buf_clear(&text);
	rp = xmalloc(sizeof(*rp));
	*rp = (struct report){ q, dsn };
	q->dsns++;
	q->closing++;
	tell_dsn(dsn, a->l);
	spool_bounce(q->spool, a->l->qid, o, n, dsn, body, on_durable, rp);
	return 0;
}

/* Does the letter end with these outcomes, so that DONE alone tells all? */
static bool
is_the_end(const struct active *a, const struct outcome *o, size_t n)
{
	uint32_t settled = 0;
	size_t i;

	for (i = 0; i < n; i++)
		if (o[i].state != RCPT_DEFERRED)
			settled++;
	return a->tasks == 1 && a->expanding == 0 && a->writes == 0 &&
	    letter_open_rcpts(a->l) == settled;
}

void
bounce_write(struct active *a, const struct outcome *o, size_t n)
{
	struct outcome *some = xcalloc(n == 0 ? 1 : n, sizeof(*some));
	bool end = is_the_end(a, o, n);
	unsigned kind;
	size_t i, k;

	for (kind = TOLD_NOTHING; kind < TOLD_MAX; kind++) {
		for (i = k = 0; i < n; i++)
			if (told_kind(a->l, letter_rcpt(a->l, o[i].number),
			    &o[i]) == kind)
				some[k++] = o[i];
		if (k == 0)
			continue;
		if (kind != TOLD_NOTHING &&
		    report_write(a, (enum told)kind, some, k) == 0)
			continue;
		if (!end)
			spool_state(a->q->spool, a->l->qid, some, k, NULL,
			    NULL);
	}
	free(some);
}
