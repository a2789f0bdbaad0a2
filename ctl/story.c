/*
 * ctl/story.c - events and waiting recipients as plain sentences. A field that
 * an event lacks leaves its part of the sentence out.
 */
#include "ctl/ctl.h"
#include "lib/log.h"

/* before TEXT after, if there is such a text. */
static void
part(struct buf *out, const char *before, const struct fields *f,
    const char *key, const char *after)
{
	struct span s = field_text(f, key);

	if (s.len == 0)
		return;
	buf_add_str(out, before);
	buf_add_span(out, s);
	buf_add_str(out, after);
}

static void
part_time(struct buf *out, const char *before, const struct fields *f,
    const char *key, const char *after)
{
	char text[HUMAN_MAX];

	if (field(f, key) != NULL)
		buf_addf(out, "%s%s%s", before,
		    human_time((int64_t)field_number(f, key), text), after);
}

/* What was said, and by whom. */
static void
part_reply(struct buf *out, const struct fields *f)
{
	struct span status = field_text(f, "status");
	struct span reply = field_text(f, "reply");

	struct span host = field_text(f, "host");

	/* Where no connection came about nobody said anything. */
	if (host.len > 0 && (reply.len < host.len ||
	    memcmp(reply.p, host.p, host.len) != 0))
		part(out, "; ", f, "host", reply.len > 0 ? " said" : "");
	if (status.len == 0 && reply.len == 0)
		return;
	buf_add_str(out, ":");
	if (status.len > 0 && !(reply.len >= status.len && memmem(reply.p,
	    reply.len, status.p, status.len) != NULL)) {
		buf_add_char(out, ' ');
		buf_add_span(out, status);
	}
	if (reply.len > 0) {
		buf_add_char(out, ' ');
		buf_add_span(out, reply);
	}
}

/* The recipient, and as whom the sender knows it. */
static void
part_rcpt(struct buf *out, const struct fields *f)
{
	buf_add_span(out, field_text(f, "to"));
	part(out, " (sent to ", f, "orcpt", ")");
}

/* How it went to another host: "none", or a version and what it proved. */
static void
part_tls(struct buf *out, const struct fields *f)
{
	if (span_eqstr(field_text(f, "tls"), "none"))
		buf_add_str(out, ", in clear");
	else
		part(out, ", encrypted (", f, "tls", ")");
}

static void
say_accepted(struct buf *out, const struct fields *f)
{
	char size[HUMAN_MAX];
	uint64_t rcpts = field_number(f, "rcpts");

	buf_add_str(out, "accepted from <");
	buf_add_span(out, field_text(f, "from"));
	buf_add_str(out, "> for ");
	if (field_text(f, "to").len > 0)
		buf_add_span(out, field_text(f, "to"));
	else
		buf_addf(out, "%llu recipients", (unsigned long long)rcpts);
	if (field(f, "size") != NULL)
		buf_addf(out, ", %s octets",
		    human_octets(field_number(f, "size"), size));
	part(out, ", by ", f, "client", "");
	part(out, ", Message-ID ", f, "msgid", "");
}

static void
say_expanded(struct buf *out, const struct fields *f)
{
	uint64_t n = field_number(f, "count");

	part_rcpt(out, f);
	if (n == 0) {
		buf_add_str(out, " leads to recipients that it has already");
		return;
	}
	buf_addf(out, " stands for %llu recipient%s", (unsigned long long)n,
	    n == 1 ? "" : "s");
}

static void
say_delivered(struct buf *out, const struct fields *f)
{
	buf_add_str(out, "delivered to ");
	part_rcpt(out, f);
	part(out, ", account ", f, "user", "");
	part_time(out, ", after ", f, "delay", "");
	part_tls(out, f);
}

static void
say_relayed(struct buf *out, const struct fields *f)
{
	buf_add_str(out, "another host took it for ");
	part_rcpt(out, f);
	part_time(out, ", after ", f, "delay", "");
	part_tls(out, f);
	part_reply(out, f);
}

static void
say_deferred(struct buf *out, const struct fields *f)
{
	part_rcpt(out, f);
	buf_add_str(out, " has to wait");
	part_time(out, ", next attempt in ", f, "next", "");
	part_reply(out, f);
}

static void
say_failed(struct buf *out, const struct fields *f)
{
	part_rcpt(out, f);
	buf_add_str(out, " failed for good");
	part_reply(out, f);
}

static void
say_expired(struct buf *out, const struct fields *f)
{
	part_rcpt(out, f);
	buf_add_str(out, " was given up");
	part_time(out, " after ", f, "delay", "");
	part_reply(out, f);
}

static void
say_dsn(struct buf *out, const struct fields *f)
{
	buf_add_str(out, "a report goes to ");
	buf_add_span(out, field_text(f, "to"));
	part(out, " as letter ", f, "text", "");
}

static void
say_done(struct buf *out, const struct fields *f)
{
	(void)f;
	buf_add_str(out, "all recipients are settled");
}

static void
say_connect(struct buf *out, const struct fields *f)
{
	part(out, "", f, "client", "");
	buf_add_str(out, " connected");
	part(out, ", as ", f, "helo", "");
}

static void
say_rcpt_refused(struct buf *out, const struct fields *f)
{
	buf_add_str(out, "recipient ");
	part_rcpt(out, f);
	buf_add_str(out, " refused");
	part(out, " to ", f, "client", "");
	part(out, ", from <", f, "from", ">");
	part_reply(out, f);
}

static void
say_message_refused(struct buf *out, const struct fields *f)
{
	buf_add_str(out, "refused");
	part(out, " to ", f, "client", "");
	part(out, ", from <", f, "from", ">");
	part_reply(out, f);
}

static void
say_held(struct buf *out, const struct fields *f)
{
	buf_add_str(out, "held");
	part(out, ": ", f, "user", " has sent as much as it may");
	part(out, " (", f, "reason", ")");
}

static void
say_tls_failed(struct buf *out, const struct fields *f)
{
	buf_add_str(out, "no TLS");
	part(out, " with ", f, "host", "");
	part(out, " with ", f, "client", "");
	part(out, ": ", f, "text", "");
}

static void
say_operator(struct buf *out, const struct fields *f)
{
	part(out, "an admin's command: ", f, "verb", "");
	part(out, " by ", f, "user", "");
	part(out, ": ", f, "text", "");
}

static const struct {
	const char *event;
	void (*say)(struct buf *out, const struct fields *f);
} sayings[] = {
	{ "accepted", say_accepted },
	{ "expanded", say_expanded },
	{ "delivered", say_delivered },
	{ "relayed", say_relayed },
	{ "deferred", say_deferred },
	{ "failed", say_failed },
	{ "expired", say_expired },
	{ "dsn", say_dsn },
	{ "done", say_done },
	{ "connect", say_connect },
	{ "rcpt.refused", say_rcpt_refused },
	{ "message.refused", say_message_refused },
	{ "refused", say_message_refused },
	{ "operator", say_operator },
	{ "held", say_held },
	{ "tls.failed", say_tls_failed },
};

/* An event without a sentence: its fields as they are. */
static void
say_plain(struct buf *out, const struct fields *f)
{
	static const char *const aside[] = { "time_us", "program", "event",
		"qid", "sid" };
	const struct ctl_field *x;
	size_t i, k;

	buf_add_span(out, field_text(f, "event"));
	for (i = 0; i < f->n; i++) {
		x = &f->list[i];
		for (k = 0; k < nitems(aside); k++)
			if (span_eqstr(x->key, aside[k]))
				break;
		if (k < nitems(aside))
			continue;
		buf_add_char(out, ' ');
		buf_add_span(out, x->key);
		buf_add_char(out, '=');
		if (x->kind == CTL_TEXT)
			buf_add_span(out, x->text);
		else
			buf_addf(out, "%llu", (unsigned long long)x->number);
	}
}

void
story_sentence(const struct fields *f, struct buf *out)
{
	struct span event = field_text(f, "event");
	size_t i;

	for (i = 0; i < nitems(sayings); i++)
		if (span_eqstr(event, sayings[i].event)) {
			sayings[i].say(out, f);
			return;
		}
	say_plain(out, f);
}

void
story_waiting(const struct fields *f, int64_t now_s, struct buf *out)
{
	const struct ctl_field *next = field(f, "next");
	struct span outcome = field_text(f, "outcome");
	uint64_t attempt = field_number(f, "attempt");
	char text[HUMAN_MAX];

	part_rcpt(out, f);
	if (outcome.len > 0 && !span_eqstr(outcome, "waiting")) {
		buf_add_char(out, ' ');
		buf_add_span(out, outcome);
		part_reply(out, f);
		return;
	}
	if (span_eqstr(field_text(f, "state"), "held"))
		buf_add_str(out, " is held");
	else if (next == NULL)
		buf_add_str(out, " is under way");
	else if ((int64_t)next->number <= now_s)
		buf_add_str(out, " is due now");
	else
		buf_addf(out, " waits, next attempt in %s",
		    human_time((int64_t)next->number - now_s, text));
	if (attempt > 0)
		buf_addf(out, ", %llu attempt%s made",
		    (unsigned long long)attempt, attempt == 1 ? "" : "s");
	part_reply(out, f);
}
