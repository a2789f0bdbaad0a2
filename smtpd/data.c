/*
 * smtpd/data.c - the octets between DATA and the final dot, or of BDAT chunks:
 * one reader for both. It passes them on to queued as they come, with a
 * Received field in front; what is refused is eaten up to its end, so that no
 * octet of a text is ever taken for a command.
 */
#include <arpa/inet.h>
#include <stdio.h>

#include "lib/clock.h"
#include "lib/mail/date.h"
#include "lib/mail/received.h"
#include "lib/mem.h"
#include "smtpd/smtpd.h"

/* What we may add at the end of a header, a held line included: the window
 * must have room for it whenever octets are read. */
#define ADDITIONS_MAX 4096

static void
refused_event(struct session *s, const struct verdict *v)
{
	struct tx *tx = s->tx;
	struct event_out e;
	char said[sizeof(v->text) + 20];

	s->smtpd->n_msg_refused++;
	if (tx->logged)
		return;
	tx->logged = true;
	session_event(s, &e, EV_MSG_REFUSED);
	event_str(&e, KEY_FROM, tx->from);
	if (tx->taken.first != NULL)
		event_str(&e, KEY_TO, tx->taken.first->path);
	event_num(&e, KEY_RCPTS, tx->ntaken);
	event_num(&e, KEY_SIZE, tx->size);
	event_str(&e, KEY_MSGID, tx->header.message_id);
	snprintf(said, sizeof(said), "%u %s %s", v->code, v->enhanced, v->text);
	event_str(&e, KEY_REPLY, said);
	event_send(&e);
}

void
data_fail(struct tx *tx, unsigned code, const char *enhanced,
    const char *text)
{
	if (tx->failed.code != 0)
		return;
	verdict_set(&tx->failed, code, enhanced, span_str(text));
	peer_tx_abort(tx);
}

/* -- what is put in front and behind --------------------------------------- */

static void
text_received(struct tx *tx)
{
	struct session *s = tx->session;
	struct buf line = BUF_INIT(RECEIVED_MAX);
	char ip[INET6_ADDRSTRLEN], tls[SECURE_TEXT];
	bool person = s->listen->kind == LISTEN_SUBMISSION;
	struct received r = {
		.helo = span_str(s->helo),
		.ip = span_str(session_ip(s, ip, sizeof(ip))),
		.local = s->listen->kind == LISTEN_SUBMIT,
		.uid = s->uid,
		.user = span_str(s->account),
		.person = person,
		.host = span_str(s->smtpd->conf->host),
		.protocol = received_protocol(
		    (s->esmtp ? RECEIVED_ESMTP : 0) |
		    (s->tls ? RECEIVED_TLS : 0) |
		    (person ? RECEIVED_AUTH : 0) |
		    (tx->flags & TX_F_UTF8 ? RECEIVED_UTF8 : 0)),
		.tls = span_str(secure_text(s, tls)),
		.qid = tx->qid,
		.date = tx->arrival_s,
	};

	if (tx->ntaken == 1)
		r.rcpt = span_str(tx->taken.first->path);
	received_add(&line, &r);
	peer_tx_body(tx, buf_span(&line));
	buf_clear(&line);
}

static void
on_text(void *arg, struct span text)
{
	author_text(arg, text);
	peer_tx_body(arg, text);
}

static bool
on_field(void *arg, struct span name)
{
	return author_keep(arg, name);
}

/* Behind the last field: what RFC 5322 section 3.6 wants and is not there. */
static void
on_header_end(void *arg)
{
	struct tx *tx = arg;
	struct header_scan *h = &tx->header;
	struct buf lines = BUF_INIT(ADDITIONS_MAX);
	char date[DATE_TEXT];
	struct span id, rest;

	if (!h->has_message_id) {
		message_id_add(&lines, tx->qid, tx->arrival_s,
		    span_str(tx->smtpd->conf->host));
		span_split(buf_span(&lines), ' ', &rest, &id);
		header_unfold(id, h->message_id, sizeof(h->message_id));
	}
	if (!h->has_date)
		buf_addf(&lines, "Date: %s\r\n",
		    date_format(tx->arrival_s, date));
	author_end(tx, &lines);
	peer_tx_body(tx, buf_span(&lines));
	buf_clear(&lines);
}

static struct header_sink
text_sink(struct tx *tx)
{
	return (struct header_sink){ .emit = on_text, .end = on_header_end,
		.keep = on_field, .arg = tx };
}

static void
on_unstuffed(void *arg, struct span text)
{
	struct tx *tx = arg;
	const struct header_sink sink = text_sink(tx);

	tx->size += text.len;
	if (tx->failed.code == 0)
		header_scan(&tx->header, text, &sink);
}

/* -- the text -------------------------------------------------------------- */

/* A transaction becomes a text; 0, or -1 with the reply in tx->failed. */
static int
text_begin(struct tx *tx, bool chunked)
{
	struct session *s = tx->session;

	if (s->client != NULL && !client_may_send(s->client, s->listen->limit,
	    clock_boot_ms())) {
		data_fail(tx, 451, "4.7.1", "Too many letters, try later");
		return -1;
	}
	if (peer_tx_begin(tx) == -1) {
		data_fail(tx, 451, "4.3.0", "Cannot take mail at the moment");
		return -1;
	}
	tx->begun = true;
	tx->arrival_s = clock_now_s();
	dot_scan_init(&tx->dot, chunked);
	text_received(tx);
	peer_tx_body_end(tx);
	return 0;
}

/* Was every recipient of this letter given it before (RFC 5321 section 6.3)?
 * A loop of some recipients alone is deliver's to find. */
static bool
text_was_here(const struct tx *tx)
{
	const struct rcpt *r;

	if (tx->header.delivered_to == 0)
		return false;
	for (r = tx->taken.first; r != NULL; r = r->next)
		if (!header_scan_was_at(&tx->header, span_str(r->path)))
			return false;
	return true;
}

static void
text_judge(struct tx *tx)
{
	const struct conf_listen *l = tx->session->listen;

	if (tx->dot.faults & DOT_NUL)
		data_fail(tx, 554, "5.6.0", "A NUL in the text");
	else if (tx->dot.faults != 0)
		data_fail(tx, 554, "5.6.0", "A bare CR or LF in the text");
	else if (tx->size > l->size)
		data_fail(tx, 552, "5.3.4", "The message is too big");
	else if (tx->header.received > l->hops)
		data_fail(tx, 554, "5.4.6", "Too many hops: this is a loop");
	else if (tx->header.ended && text_was_here(tx))
		data_fail(tx, 554, "5.4.6",
		    "This was delivered here before: this is a loop");
}

/* The reply to a text or to its last chunk; the session goes on. */
static void
text_reply(struct session *s, const struct verdict *v)
{
	if (v->code != 250)
		refused_event(s, v);
	tx_end(s);
	session_enter(s, S_GREETED);
	reply(s, v->code, v->enhanced, "%s", v->text);
}

/* Everything is known: queued decides, or it is refused. */
static void
text_close(struct tx *tx)
{
	struct session *s = tx->session;
	struct verdict v = tx->failed;

	if (v.code != 0) {
		text_reply(s, &v);
		session_settled(s);
		return;
	}
	peer_tx_commit(tx);
	if (s->state != S_COMMIT)
		session_enter(s, S_COMMIT);
	conn_pause(&s->conn);
}

/* Nothing more of it comes; whether its author may be who it says may not be
 * known yet. */
static void
text_end(struct tx *tx)
{
	struct session *s = tx->session;
	const struct header_sink sink = text_sink(tx);
	bool bodiless;

	session_lines(s);
	if (tx->dot.chunked && !dot_scan_end(&tx->dot))
		on_unstuffed(tx, span_str("\r\n"));
	bodiless = !tx->header.ended && tx->header.held == 0;
	if (tx->failed.code == 0)
		header_scan_end(&tx->header, &sink);
	text_judge(tx);
	if (tx->failed.code == 0 && bodiless)
		peer_tx_body(tx, span_str("\r\n"));
	peer_tx_body_end(tx);
	tx->ended = true;
	if (tx->failed.code == 0 && tx->author.due > 0) {
		session_enter(s, S_COMMIT);
		conn_pause(&s->conn);
	} else
		text_close(tx);
}

void
data_resume(struct tx *tx)
{
	if (tx->ended && !tx->committed &&
	    (tx->author.due == 0 || tx->failed.code != 0))
		text_close(tx);
}

void
data_done(struct tx *tx, const struct verdict *v)
{
	struct session *s = tx->session;

	if (!tx->committed) {
		if (tx->failed.code == 0)
			tx->failed = *v;
		data_window(tx);
		data_resume(tx);
		return;
	}
	if (v->code == 250)
		s->smtpd->n_messages++;
	text_reply(s, v); /* in queued's words: it may hold the letter */
	session_settled(s);
}

void
data_window(struct tx *tx)
{
	if (!tx->window_wait)
		return;
	tx->window_wait = false;
	conn_resume(&tx->session->conn);
}

/* How many octets of a text may be read now; 0: the connection pauses. */
static size_t
text_room(struct tx *tx, size_t len)
{
	int64_t room = tx->window - ADDITIONS_MAX;

	if (tx->failed.code != 0)
		return len;
	if (room <= 0) {
		tx->window_wait = true;
		conn_pause(&tx->session->conn);
		return 0;
	}
	return (uint64_t)room < len ? (size_t)room : len;
}

/* Who goes on and on after being refused gets told without an end in sight. */
static void
eat_judge(struct session *s)
{
	struct tx *tx = s->tx;

	if (tx->size > s->listen->size)
		data_fail(tx, 552, "5.3.4", "The message is too big");
	if (tx->dot.faults != 0)
		text_judge(tx);
	if (tx->failed.code != 0 && tx->size > s->listen->size &&
	    tx->size - s->listen->size > SMTP_EAT_OCTETS) {
		refused_event(s, &tx->failed);
		session_end(s, tx->failed.code, tx->failed.enhanced,
		    tx->failed.text);
	}
}

static size_t
text_octets(struct session *s, struct span in)
{
	struct tx *tx = s->tx;
	size_t n = text_room(tx, in.len), used;

	if (n == 0)
		return 0;
	used = dot_scan(&tx->dot, span_make(in.p, n), on_unstuffed, tx);
	peer_tx_body_end(tx);
	eat_judge(s);
	return used;
}

/* -- DATA ------------------------------------------------------------------ */

/* The reply for a transaction without a recipient that could get it. */
static bool
recipients_absent(struct session *s)
{
	if (s->tx->ntaken > 0)
		return false;
	if (s->tx->refused)
		reply(s, 554, "5.5.1", "No valid recipients");
	else
		reply(s, 503, "5.5.1", "RCPT first");
	return true;
}

void
cmd_data(struct session *s, struct span arg)
{
	struct tx *tx = s->tx;
	struct verdict v;

	(void)arg;
	if (recipients_absent(s))
		return;
	if (text_begin(tx, false) == -1) {
		v = tx->failed;
		tx->failed.code = 0; /* DATA may be tried again */
		refused_event(s, &v);
		reply(s, v.code, v.enhanced, "%s", v.text);
		return;
	}
	session_enter(s, S_DATA);
	reply(s, 354, "", "Go on, end with a dot");
	conn_octets(&s->conn);
}

/* -- BDAT (RFC 3030) ------------------------------------------------------- */

/* The last octet of a chunk, refused or not, has come. */
static void
chunk_end(struct session *s)
{
	struct tx *tx = s->tx;
	struct verdict v;

	session_lines(s);
	if (tx == NULL || !(s->chunk_from & (S_RCPT | S_CHUNKED))) {
		session_enter(s, s->chunk_from);
		if (tx == NULL || !recipients_absent(s))
			reply(s, 503, "5.5.1", "BDAT is out of order");
		return;
	}
	if (s->chunk_last && tx->begun) {
		text_end(tx);
		return;
	}
	v = tx->failed;
	if (s->chunk_last) {
		text_reply(s, &v);
		return;
	}
	session_enter(s, S_CHUNKED);
	if (v.code != 0)
		reply(s, v.code, v.enhanced, "%s", v.text);
	else
		reply(s, 250, "2.0.0", "%llu octets so far",
		    (unsigned long long)tx->dot.offset);
}

static int
chunk_parse(struct session *s, struct span arg)
{
	struct span size, last;

	span_split(arg, ' ', &size, &last);
	last = span_trim(last);
	s->chunk_last = last.len > 0;
	if (last.len > 0 && !span_caseeq(last, "LAST"))
		return -1;
	return span_u64(size, UINT64_MAX, &s->chunk);
}

/* A transaction that can take this chunk, or one whose failure is told at the
 * chunk's end. */
static void
chunk_begin(struct session *s)
{
	struct tx *tx = s->tx;

	if (!tx->begun && tx->failed.code == 0)
		text_begin(tx, true);
	if (s->chunk > s->listen->size - tx->size)
		data_fail(tx, 552, "5.3.4", "The message is too big");
}

void
cmd_bdat(struct session *s, struct span arg)
{
	if (chunk_parse(s, arg) == -1) {
		/* how many octets are no commands? there is no telling */
		session_refuse(s, 501, "5.5.4", "BDAT needs a number");
		return;
	}
	if (s->chunk > s->listen->size + SMTP_EAT_OCTETS) {
		session_refuse(s, 552, "5.3.4", "The chunk is far too big");
		return;
	}
	s->chunk_from = s->state;
	if (s->state & (S_RCPT | S_CHUNKED))
		chunk_begin(s);
	session_enter(s, S_CHUNK);
	if (s->chunk == 0)
		chunk_end(s);
	else
		conn_octets(&s->conn);
}

static size_t
chunk_octets(struct session *s, struct span in)
{
	bool of_text = s->tx != NULL && s->tx->begun;
	size_t used;

	if (in.len > s->chunk)
		in.len = (size_t)s->chunk;
	used = of_text ? text_octets(s, in) : in.len;
	s->chunk -= used;
	if (s->chunk == 0 && s->state == S_CHUNK)
		chunk_end(s);
	return used;
}

size_t
data_octets(struct session *s, struct span in)
{
	size_t used;

	if (s->state == S_CHUNK)
		return chunk_octets(s, in);
	if (s->state != S_DATA)
		return in.len;
	used = text_octets(s, in);
	if (s->state == S_DATA && s->tx->dot.done)
		text_end(s->tx);
	return used;
}
