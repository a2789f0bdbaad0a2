/*
 * relay/envelope.c - the envelope as commands: what the host offers is used,
 * what a letter needs and the host lacks is an honest failure, told to its sender.
 * Nothing is converted, since re-coding breaks signatures: 8-bit text cannot
 * go without 8BITMIME (RFC 6152 section 3), addresses and headers in UTF-8
 * not without SMTPUTF8 (RFC 6531 section 3.5).
 */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/mail/header.h"
#include "lib/mail/params.h"
#include "relay/relay.h"

#define BLOCK 65536

static bool
is_ascii(struct span s)
{
	size_t i;

	for (i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	return true;
}

/* Of a body that is a file: its first octets, as many as a header may have. */
static bool
big_header_is_ascii(const struct job *j)
{
	struct buf b = BUF_INIT(HEADER_MAX);
	char *to = buf_reserve(&b, HEADER_MAX);
	ssize_t n = pread(j->big, to, HEADER_MAX, 0);
	bool ascii;

	ascii = n <= 0 || is_ascii(span_make(to,
	    header_length(span_make(to, (size_t)n), NULL)));
	buf_clear(&b);
	return ascii;
}

static bool
header_is_ascii(const struct job *j)
{
	struct span text = buf_span(&j->body);

	if (j->big != -1)
		return big_header_is_ascii(j);
	text.len = header_length(text, NULL);
	return is_ascii(text);
}

static bool
text_is_ascii(const struct job *j)
{
	char block[BLOCK];
	off_t at = 0;
	ssize_t n;

	if (j->big == -1)
		return is_ascii(buf_span(&j->body));
	while ((n = pread(j->big, block, sizeof(block), at)) > 0) {
		if (!is_ascii(span_make(block, (size_t)n)))
			return false;
		at += n;
	}
	return true;
}

static void
check_utf8(struct session *s)
{
	struct job *j = s->job;
	char text[600];
	bool all;
	size_t i;

	snprintf(text, sizeof(text), "%s does not take internationalized mail "
	    "(SMTPUTF8)", s->host);
	all = !is_ascii(span_str(j->from)) ||
	    ((j->flags & JOB_F_UTF8) && !header_is_ascii(j));
	for (i = 0; i < j->nrcpts; i++)
		if (all || !is_ascii(span_str(j->rcpts[i].address)))
			job_settle(j, &j->rcpts[i], OUTCOME_FAILED, "5.6.7",
			    text, s->host);
}

void
envelope_check(struct session *s)
{
	struct job *j = s->job;
	char text[600];

	if (s->caps.size && s->caps.size_max > 0 &&
	    j->octets > s->caps.size_max) {
		snprintf(text, sizeof(text), "the message has %" PRIu64
		    " octets, %s takes at most %" PRIu64, j->octets, s->host,
		    s->caps.size_max);
		job_settle_all(j, OUTCOME_FAILED, "5.3.4", text, s->host);
		return;
	}
	if (!s->caps.utf8)
		check_utf8(s);
	if (!s->caps.eightbit && !text_is_ascii(j)) {
		snprintf(text, sizeof(text), "%s does not take 8-bit text "
		    "(8BITMIME)", s->host);
		job_settle_all(j, OUTCOME_FAILED, "5.6.3", text, s->host);
	}
}

static bool
wants_utf8(const struct job *j)
{
	size_t i;

	if ((j->flags & JOB_F_UTF8) || !is_ascii(span_str(j->from)))
		return true;
	for (i = 0; i < j->nrcpts; i++)
		if (!is_ascii(span_str(j->rcpts[i].address)))
			return true;
	return false;
}

void
envelope_mail(struct session *s)
{
	struct job *j = s->job;
	struct buf *out = conn_out(&s->conn);
	bool utf8 = s->caps.utf8 && wants_utf8(j);

	buf_addf(out, "MAIL FROM:<%s>", j->from);
	if (s->caps.size)
		buf_addf(out, " SIZE=%" PRIu64, j->octets);
	if (s->caps.eightbit && (utf8 || (j->flags & JOB_F_8BIT)))
		buf_add_str(out, " BODY=8BITMIME");
	if (utf8)
		buf_add_str(out, " SMTPUTF8");
	if (s->caps.dsn && (j->flags & (JOB_F_RET_FULL | JOB_F_RET_HDRS)))
		buf_addf(out, " RET=%s", j->flags & JOB_F_RET_FULL ? "FULL" :
		    "HDRS");
	if (s->caps.dsn && j->envid[0] != '\0') {
		buf_add_str(out, " ENVID=");
		xtext_encode(out, span_str(j->envid));
	}
	buf_add_str(out, "\r\n");
}

static void
add_notify(struct buf *out, unsigned notify)
{
	static const struct { unsigned bit; const char *word; } words[] = {
		{ DSN_SUCCESS, "SUCCESS" }, { DSN_FAILURE, "FAILURE" },
		{ DSN_DELAY, "DELAY" },
	};
	const char *sep = " NOTIFY=";
	size_t i;

	if (notify & DSN_NEVER) { /* RFC 3461 section 4.1: alone */
		buf_add_str(out, " NOTIFY=NEVER");
		return;
	}
	for (i = 0; i < nitems(words); i++)
		if (notify & words[i].bit) {
			buf_addf(out, "%s%s", sep, words[i].word);
			sep = ",";
		}
}

void
envelope_rcpt(struct session *s, const struct rcpt *r)
{
	struct buf *out = conn_out(&s->conn);
	struct span type, orcpt;

	buf_addf(out, "RCPT TO:<%s>", r->address);
	if (s->caps.dsn) {
		add_notify(out, r->notify);
		span_split(span_str(r->orcpt), ';', &type, &orcpt);
		if (orcpt.len > 0 && is_ascii(orcpt) && span_printable(type)) {
			buf_addf(out, " ORCPT=%.*s;", SPAN_ARG(type));
			xtext_encode(out, orcpt);
		}
	}
	buf_add_str(out, "\r\n");
}
