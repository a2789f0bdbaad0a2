/*
 * relay/transaction.c - one letter over an open session: envelope, text, dot.
 * Each recipient's fate is his own; what one reply says of all is told to all.
 */
#include "relay/relay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/mem.h"

/* Stuffed, it stays below CONN_OUT_PAUSE: an early reply is still read. */
#define BLOCK (SESSION_BLOCK / 2 - 64)

static size_t
commands(const struct session *s)
{
	return s->nlist + 2;
}

/* What may go out now: all of it under PIPELINING, else one by one. */
static void
commands_send(struct session *s)
{
	while (s->sent < commands(s) &&
	    (s->caps.pipelining || s->sent == s->answered)) {
		if (s->sent == 0) {
			envelope_mail(s);
		} else if (s->sent <= s->nlist) {
			s->list[s->sent - 1]->sent = true;
			envelope_rcpt(s, s->list[s->sent - 1]);
		} else {
			conn_writef(&s->conn, "DATA\r\n");
		}
		s->sent++;
	}
	conn_write(&s->conn, span_make("", 0));
}

/* The next reply answers which command? Its time limit begins now. */
static void
await_reply(struct session *s)
{
	session_enter(s, S_ENVELOPE);
	if (s->answered == commands(s) - 1)
		conn_deadline_s(&s->conn, s->relay->times->data);
}

static void
transaction_over(struct session *s)
{
	struct job *j = s->job;

	if (!conn_input_empty(&s->conn)) {
		session_protocol_error(s, "data that nobody asked for");
		return;
	}
	if (job_is_settled(j) || j->orphan) {
		session_ready(s);
		job_end(j);
	} else if (s->dirty) {
		session_enter(s, S_RSET);
		conn_writef(&s->conn, "RSET\r\n");
	} else {
		transaction_begin(s);
	}
}

void
transaction_begin(struct session *s)
{
	struct job *j = s->job;
	size_t i;

	free(s->list);
	s->list = xcalloc(j->nrcpts, sizeof(*s->list));
	s->nlist = s->sent = s->answered = s->accepted = s->dots = 0;
	s->offset = 0;
	memset(&s->stuff, 0, sizeof(s->stuff));
	envelope_check(s);
	for (i = 0; i < j->nrcpts; i++) {
		if (j->rcpts[i].settled == SETTLED)
			continue;
		j->rcpts[i].settled = NOT_YET;
		j->rcpts[i].sent = j->rcpts[i].accepted = false;
		s->list[s->nlist++] = &j->rcpts[i];
	}
	if (s->nlist == 0) {
		transaction_over(s);
		return;
	}
	s->dirty = true;
	await_reply(s);
	commands_send(s);
}

/* -- replies to the envelope -----------------------------------------------*/

static void
settle_by_reply(struct session *s, struct rcpt *r)
{
	bool for_good = s->reply.code >= 500;

	job_settle(s->job, r, for_good ? OUTCOME_FAILED : OUTCOME_DEFERRED,
	    reply_enhanced(&s->reply), s->reply.text, s->host);
}

static void
settle_accepted(struct session *s)
{
	size_t i;

	for (i = 0; i < s->nlist; i++)
		if (s->list[i]->accepted)
			settle_by_reply(s, s->list[i]);
}

/* "Too many recipients" (RFC 5321 section 4.5.3.1.10): 452, or 552 of older
 * hosts, is no word about this one. */
static bool
too_many(const struct reply *r)
{
	return r->code == 452 || (r->code == 552 &&
	    (r->enhanced[0] == '\0' || strcmp(r->enhanced, "5.5.3") == 0));
}

static void
mail_reply(struct session *s)
{
	size_t i;

	if (s->reply.code / 100 == 2)
		return;
	for (i = 0; i < s->nlist; i++)
		settle_by_reply(s, s->list[i]);
}

static void
rcpt_reply(struct session *s, struct rcpt *r)
{
	if (r->settled == SETTLED)
		return; /* MAIL was refused before */
	if (s->reply.code / 100 == 2) {
		r->accepted = true;
		s->accepted++;
	} else if (too_many(&s->reply) && s->accepted > 0) {
		r->settled = AGAIN; /* behind those that were taken */
	} else if (too_many(&s->reply)) {
		job_settle(s->job, r, OUTCOME_DEFERRED, s->reply.code < 500 ?
		    reply_enhanced(&s->reply) : "4.5.3", s->reply.text,
		    s->host);
	} else {
		settle_by_reply(s, r);
	}
}

/* DATA was said in advance, and nobody is left to get it (RFC 2920 3.1). */
static void
empty_text(struct session *s)
{
	s->dots = 1;
	session_enter(s, S_DOT);
	conn_writef(&s->conn, ".\r\n");
}

static void
data_reply(struct session *s)
{
	if (s->reply.code != 354) {
		if (s->reply.code < 400) {
			session_protocol_error(s, s->reply.text);
			return;
		}
		settle_accepted(s);
		transaction_over(s);
	} else if (!conn_input_empty(&s->conn)) {
		session_protocol_error(s, "data that nobody asked for");
	} else if (s->accepted == 0) {
		empty_text(s);
	} else {
		session_enter(s, S_TEXT);
		transaction_more(s);
	}
}

static void
envelope_reply(struct session *s)
{
	size_t which = s->answered++;

	if (s->reply.code < 200 || (s->reply.code >= 300 &&
	    s->reply.code < 400 && which != commands(s) - 1)) {
		session_protocol_error(s, s->reply.text);
		return;
	}
	if (which == commands(s) - 1) {
		data_reply(s);
		return;
	}
	if (which == 0)
		mail_reply(s);
	else
		rcpt_reply(s, s->list[which - 1]);
	/* without PIPELINING nothing was said in advance */
	if (s->sent == s->answered &&
	    ((which == 0 && s->reply.code >= 400) ||
	    (which == s->nlist && s->accepted == 0))) {
		transaction_over(s);
		return;
	}
	await_reply(s);
	commands_send(s);
}

/* -- the text --------------------------------------------------------------*/

static ssize_t
text_block(const struct job *j, uint64_t at, char *out, size_t size)
{
	struct span rest;

	if (j->big != -1)
		return pread(j->big, out, size, (off_t)at);
	rest = span_from(buf_span(&j->body), (size_t)at);
	if (rest.len > size)
		rest.len = size;
	memcpy(out, rest.p, rest.len);
	return (ssize_t)rest.len;
}

void
transaction_more(void *arg)
{
	struct session *s = arg;
	struct job *j = s->job;
	struct buf *out = conn_out(&s->conn);
	char block[BLOCK];
	ssize_t n = 0;

	if (s->state != S_TEXT || conn_unsent(&s->conn) > 0)
		return;
	if (s->offset < j->octets &&
	    (n = text_block(j, s->offset, block, sizeof(block))) <= 0) {
		log_warn("text of a letter");
		session_give_up(s, OUTCOME_DEFERRED, "4.3.0",
		    "the letter could not be read");
		return;
	}
	s->offset += (uint64_t)n;
	conn_deadline_s(&s->conn, s->relay->times->block);
	if (dot_stuff(&s->stuff, span_make(block, (size_t)n), out) == -1) {
		session_protocol_error(s, "out of room for the text");
		return;
	}
	if (s->offset >= j->octets) {
		dot_stuff_end(&s->stuff, out);
		s->dots = s->hop.via == VIA_LMTP ? s->accepted : 1;
		s->answered = 0; /* of the dots */
		session_enter(s, S_DOT);
	}
	conn_write(&s->conn, span_make("", 0));
}

/* -- replies to the text ---------------------------------------------------*/

static uint8_t
good_outcome(const struct session *s, const struct rcpt *r)
{
	if (s->hop.via == VIA_LMTP)
		return OUTCOME_DELIVERED;
	return s->caps.dsn && r->notify != 0 ? OUTCOME_PASSED :
	    OUTCOME_RELAYED;
}

static void
receipt(struct session *s, struct rcpt *r)
{
	if (s->reply.code / 100 == 2)
		job_settle(s->job, r, good_outcome(s, r),
		    reply_enhanced(&s->reply), s->reply.text, s->host);
	else
		settle_by_reply(s, r);
}

/* LMTP: the n-th reply is for the n-th recipient taken (RFC 2033 4.2). */
static struct rcpt *
accepted_nth(struct session *s, size_t n)
{
	size_t i;

	for (i = 0; i < s->nlist; i++)
		if (s->list[i]->accepted && n-- == 0)
			return s->list[i];
	return NULL;
}

static void
dot_reply(struct session *s)
{
	size_t which = s->answered++, i;

	if (s->accepted == 0) {
		/* of an empty text */
	} else if (s->hop.via == VIA_LMTP) {
		receipt(s, accepted_nth(s, which));
	} else {
		for (i = 0; i < s->nlist; i++)
			if (s->list[i]->accepted)
				receipt(s, s->list[i]);
	}
	if (s->answered < s->dots)
		return;
	s->letters++;
	s->relay->letters++;
	s->dirty = s->accepted == 0;
	if (s->reply.code == 421) {
		session_give_up(s, OUTCOME_DEFERRED, reply_enhanced(&s->reply),
		    s->reply.text); /* of those that were to come again */
		return;
	}
	transaction_over(s);
}

/* A reply before the text was complete: there is no other way to stop it than
 * to close the connection. */
static void
early_reply(struct session *s)
{
	struct job *j = s->job;

	if (s->reply.code < 400) {
		session_protocol_error(s, "a receipt before the end of the "
		    "text");
		return;
	}
	if (s->reply.code != 421)
		settle_accepted(s);
	if (!job_is_settled(j))
		session_next(s, s->reply.code < 500 ?
		    reply_enhanced(&s->reply) : "4.3.0", s->reply.text);
	else
		session_give_up(s, OUTCOME_DEFERRED, "4.0.0", "");
}

static void
rset_reply(struct session *s)
{
	s->dirty = false;
	if (s->reply.code / 100 != 2 || !conn_input_empty(&s->conn)) {
		if (s->job != NULL)
			session_next(s, "4.5.0", s->reply.text);
		else
			session_close(s);
	} else if (s->job != NULL) {
		transaction_begin(s);
	} else {
		session_enter(s, S_IDLE);
		pool_next(s->relay);
	}
}

void
transaction_reply(struct session *s)
{
	if (s->state == S_RSET)
		rset_reply(s);
	else if (s->state == S_TEXT)
		early_reply(s);
	else if (s->state == S_DOT)
		dot_reply(s);
	else if (s->reply.code == 421)
		session_next(s, reply_enhanced(&s->reply), s->reply.text);
	else
		envelope_reply(s);
}

bool
transaction_lost(struct session *s, const char *enhanced, const char *text)
{
	struct job *j = s->job;
	struct event_out e;
	size_t i;

	if (s->state != S_DOT || s->accepted == 0) {
		for (i = 0; i < s->nlist; i++)
			s->list[i]->accepted = false;
		s->nlist = s->accepted = 0;
		return false;
	}
	event_begin(&e, EV_WARNING, j->qid, 0);
	event_str(&e, KEY_TEXT, "no receipt after the final dot: the letter "
	    "may arrive twice");
	event_str(&e, KEY_HOST, s->host);
	event_send(&e);
	session_give_up(s, OUTCOME_DEFERRED, enhanced, text);
	return true;
}
