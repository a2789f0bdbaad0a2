/*
 * smtpd/peers.c - every message to and from another program: authd about
 * recipients, senders, logins and local users, queued with ids, envelopes and
 * text, keyd.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/mem.h"
#include "smtpd/smtpd.h"

#define QIDS_LOW 64 /* ask for the next block while these last */

static struct tx **
tx_at(struct smtpd *d, uint32_t number)
{
	struct tx **at = &d->txs[number % SMTPD_TX_BUCKETS];

	while (*at != NULL && (*at)->number != number)
		at = &(*at)->hash_next;
	return at;
}

/* queued has spoken its last word, or will never: forget the number. */
static void
tx_unlist(struct tx *tx)
{
	struct tx **at;

	if (tx->number == 0)
		return;
	at = tx_at(tx->smtpd, tx->number);
	*at = tx->hash_next;
	tx->number = 0;
	tx->smtpd->ntxs--;
}

/* -- authd ----------------------------------------------------------------- */

static int
on_rcpt_answer(void *arg, struct ipc_msg *m)
{
	static const struct { unsigned code; const char *enhanced, *text; }
	verdicts[] = {
		[RCPT_OK] = { 250, "2.1.5", "Ok" },
		[RCPT_UNKNOWN] = { 550, "5.1.1", "No such user here" },
		[RCPT_RELAY] = { 550, "5.7.1", "Relaying denied" },
		[RCPT_TEMP] = { 451, "4.3.0", "Try again later" },
		[RCPT_FULL] = { 452, "4.2.2", "That mailbox is full" },
		[RCPT_REFUSED] = { 550, "5.7.1", "Refused" },
	};
	struct rcpt *r = arg;
	struct ipc_reader rd;
	struct span enhanced, text;
	unsigned verdict;

	if (m == NULL) {
		verdict_set(&r->verdict, 451, "4.3.0",
		    span_str("Cannot look that up now, try again later"));
		rcpt_answer(r);
		return 0;
	}
	rd = ipc_reader(m);
	verdict = ipc_get_u8(&rd);
	enhanced = ipc_get_span(&rd, sizeof(r->verdict.enhanced) - 1);
	text = ipc_get_span(&rd, IPC_TEXT_MAX);
	if (!ipc_at_end(&rd) || verdict >= nitems(verdicts)) {
		r->request = 0;
		verdict_set(&r->verdict, 451, "4.3.0", span_str("Try later"));
		rcpt_answer(r);
		return -1;
	}
	verdict_set(&r->verdict, verdicts[verdict].code,
	    verdicts[verdict].enhanced, text.len > 0 ? text :
	    span_str(verdicts[verdict].text));
	if (enhanced.len > 0)
		span_copy(enhanced, r->verdict.enhanced,
		    sizeof(r->verdict.enhanced));
	rcpt_answer(r);
	return 0;
}

void
peer_ask_rcpt(struct session *s, struct rcpt *r, const struct addr *a)
{
	struct channel *ch = s->smtpd->authd;
	struct ipc_writer w;
	unsigned flags = 0;

	if (s->account != NULL)
		flags = RCPT_F_LOCAL;
	else if (s->listen->kind == LISTEN_DEVICE)
		flags = RCPT_F_DEVICE;
	r->request = channel_request(ch, SMTP_ASK_MS, on_rcpt_answer, r);
	w = ipc_begin(ch, IPC_RCPT_ASK, r->request, 0);
	ipc_put_u8(&w, (uint8_t)flags);
	ipc_put_span(&w, a->local);
	ipc_put_span(&w, a->domain);
	ipc_put_str(&w, s->tx->from);
	ipc_end(&w);
}

static int
on_uid_answer(void *arg, struct ipc_msg *m)
{
	struct session *s = arg;
	struct ipc_reader rd;
	struct span name, address;
	bool found;

	s->uid_request = 0;
	if (s->state != S_START)
		return 0; /* on its way out: this worker drains */
	if (m == NULL) {
		session_end(s, 421, "4.3.0", "Not ready yet, try again");
		return 0;
	}
	rd = ipc_reader(m);
	found = ipc_get_u8(&rd) != 0;
	name = ipc_get_span(&rd, IPC_PATH_MAX);
	address = ipc_get_span(&rd, IPC_PATH_MAX);
	ipc_get_span(&rd, IPC_PATH_MAX); /* the person's name: sendmail's */
	if (!ipc_at_end(&rd)) {
		session_end(s, 421, "4.3.0", "Not ready yet, try again");
		return -1;
	}
	s->account = found && span_printable(name) ? span_dup(name) :
	    xasprintf("uid%u", s->uid);
	s->address = address.len > 0 && span_printable(address) ?
	    span_dup(address) :
	    xasprintf("uid%u@%s", s->uid, s->smtpd->conf->host);
	session_greet(s);
	session_settled(s);
	return 0;
}

void
peer_ask_uid(struct session *s)
{
	struct channel *ch = s->smtpd->authd;
	struct ipc_writer w;

	s->uid_request = channel_request(ch, SMTP_ASK_MS, on_uid_answer, s);
	w = ipc_begin(ch, IPC_UID_ASK, s->uid_request, 0);
	ipc_put_u32(&w, s->uid);
	ipc_end(&w);
}

/* -- authd: logins --------------------------------------------------------- */

static int
on_auth_reply(void *arg, struct ipc_msg *m)
{
	struct session *s = arg;
	struct ipc_reader rd;
	struct span text, account;
	uint8_t status;

	s->auth.request = 0;
	if (m == NULL) {
		auth_cancel(s);
		auth_answer(s, AUTH_TEMP, span_str(""));
		return 0;
	}
	rd = ipc_reader(m);
	if (m->type == IPC_AUTH_CHALLENGE) {
		text = ipc_get_span(&rd, IPC_TEXT_MAX);
		if (ipc_at_end(&rd)) {
			auth_challenge(s, text);
			return 0;
		}
	} else if (m->type == IPC_AUTH_ANSWER) {
		status = ipc_get_u8(&rd);
		ipc_get_span(&rd, IPC_PATH_MAX); /* a ticket: not for us */
		account = ipc_get_span(&rd, IPC_PATH_MAX);
		ipc_get_span(&rd, IPC_TEXT_MAX); /* the words are ours */
		if (ipc_at_end(&rd)) {
			auth_answer(s, status, account);
			return 0;
		}
	}
	auth_answer(s, AUTH_TEMP, span_str(""));
	return -1;
}

/* What binds this login to this connection and no other. */
static void
put_bindings(struct ipc_writer *w, const struct session *s)
{
	char binding[TLS_BINDING_MAX];
	struct tls_info info = { .peer = "" };
	size_t n;

	n = conn_tls_exporter(&s->conn, binding);
	ipc_put_span(w, span_make(binding, n));
	n = conn_tls_end_point(&s->conn, binding);
	ipc_put_span(w, span_make(binding, n));
	(void)conn_tls_info(&s->conn, &info);
	ipc_put_str(w, info.peer);
}

/* A response that is longer than any: no such name or password exists. */
static int
auth_sent(struct session *s, struct ipc_writer *w)
{
	struct channel *ch = s->smtpd->authd;

	if (ipc_end(w) == -1 && errno == EMSGSIZE) {
		channel_forget(ch, s->auth.request);
		s->auth.request = 0;
		return -1;
	}
	channel_flush_secret(ch);
	return 0;
}

int
peer_auth(struct session *s, const char *mechanism, struct span response)
{
	struct smtpd *d = s->smtpd;
	struct ipc_writer w;
	char client[64];

	if ((s->auth.exchange = ++d->next_exchange) == 0)
		s->auth.exchange = ++d->next_exchange;
	s->auth.request = channel_request(d->authd, SMTP_AUTH_MS,
	    on_auth_reply, s);
	w = ipc_begin(d->authd, IPC_AUTH, s->auth.request, s->auth.exchange);
	ipc_put_u8(&w, LISTEN_SUBMISSION);
	ipc_put_str(&w, mechanism);
	ipc_put_u8(&w, response.p != NULL);
	ipc_put_span(&w, response);
	ipc_put_str(&w, session_client_text(s, client, sizeof(client)));
	ipc_put_u8(&w, s->tls ? AUTH_F_TLS : 0);
	put_bindings(&w, s);
	return auth_sent(s, &w);
}

int
peer_auth_step(struct session *s, struct span response)
{
	struct channel *ch = s->smtpd->authd;
	struct ipc_writer w;

	s->auth.request = channel_request(ch, SMTP_AUTH_MS, on_auth_reply, s);
	w = ipc_begin(ch, IPC_AUTH_STEP, s->auth.request, s->auth.exchange);
	ipc_put_span(&w, response);
	return auth_sent(s, &w);
}

void
peer_auth_abort(struct session *s)
{
	struct ipc_writer w;

	w = ipc_begin(s->smtpd->authd, IPC_AUTH_ABORT, 0, s->auth.exchange);
	ipc_end(&w);
}

static int
on_auth_offer(void *arg, struct ipc_msg *m)
{
	struct smtpd *d = arg;
	struct ipc_reader rd = ipc_reader(m);
	uint8_t offer = ipc_get_u8(&rd);

	if (!ipc_at_end(&rd))
		return -1;
	d->offer = offer;
	return 0;
}

/* -- authd: who may write as whom ------------------------------------------ */

/* SENDER_TEMP for all that is no answer; rv as a handler's. */
static uint8_t
sender_status(struct ipc_msg *m, int *rv)
{
	struct ipc_reader rd;
	uint8_t status;

	*rv = 0;
	if (m == NULL)
		return SENDER_TEMP;
	rd = ipc_reader(m);
	status = ipc_get_u8(&rd);
	if (m->type == IPC_SENDER_ANSWER && ipc_at_end(&rd))
		return status;
	*rv = -1;
	return SENDER_TEMP;
}

static uint32_t
sender_ask(struct tx *tx, const char *address, ipc_reply_fn *fn, void *arg)
{
	struct channel *ch = tx->smtpd->authd;
	uint32_t request = channel_request(ch, SMTP_ASK_MS, fn, arg);
	struct ipc_writer w;

	w = ipc_begin(ch, IPC_SENDER_ASK, request, 0);
	ipc_put_str(&w, tx->session->account);
	ipc_put_str(&w, address);
	ipc_end(&w);
	return request;
}

static int
on_sender(void *arg, struct ipc_msg *m)
{
	struct tx *tx = arg;
	int rv;
	uint8_t status = sender_status(m, &rv);

	tx->sender_request = 0;
	sender_answer(tx, status);
	return rv;
}

void
peer_ask_sender(struct tx *tx)
{
	tx->sender_request = sender_ask(tx, tx->from, on_sender, tx);
}

static int
on_author(void *arg, struct ipc_msg *m)
{
	struct author_ask *ask = arg;
	int rv;
	uint8_t status = sender_status(m, &rv);

	ask->request = 0;
	author_answer(ask, status);
	return rv;
}

void
peer_ask_author(struct author_ask *ask, const char *address)
{
	ask->request = sender_ask(ask->tx, address, on_author, ask);
}

/* -- queued: ids ----------------------------------------------------------- */

static void
qids_want(struct smtpd *d)
{
	struct ipc_writer w;

	if (d->qids_asked || d->qids[1].left > 0 || d->qids[0].left > QIDS_LOW)
		return;
	w = ipc_begin(d->queued, IPC_QID_ASK, 0, 0);
	d->qids_asked = ipc_end(&w) == 0;
}

static int
on_qid_grant(void *arg, struct ipc_msg *m)
{
	struct smtpd *d = arg;
	struct ipc_reader rd = ipc_reader(m);
	struct qids q = { ipc_get_u64(&rd), ipc_get_u32(&rd) };

	if (!ipc_at_end(&rd) || q.left == 0)
		return -1;
	d->qids_asked = false;
	if (d->qids[0].left == 0)
		d->qids[0] = q;
	else
		d->qids[1] = q;
	listeners_start(d); /* if they have waited for this */
	return 0;
}

static bool
qid_take(struct smtpd *d, uint64_t *qid)
{
	if (d->qids[0].left == 0) {
		d->qids[0] = d->qids[1];
		d->qids[1] = (struct qids){ 0, 0 };
	}
	qids_want(d);
	if (d->qids[0].left == 0)
		return false;
	*qid = d->qids[0].next++;
	d->qids[0].left--;
	return true;
}

/* -- queued: letters ------------------------------------------------------- */

/* The same recipient twice gets one copy; queued compares final ones again. */
static bool
rcpt_repeats(const struct tx *tx, const struct rcpt *r)
{
	const struct rcpt *o;

	for (o = tx->taken.first; o != r; o = o->next)
		if (o->hash == r->hash)
			return true;
	return false;
}

static void
tx_send_rcpts(struct tx *tx)
{
	const struct rcpt *r;
	struct ipc_writer w;

	for (r = tx->taken.first; r != NULL; r = r->next) {
		if (rcpt_repeats(tx, r))
			continue;
		w = ipc_begin(tx->smtpd->queued, IPC_TX_RCPT, 0, tx->number);
		ipc_put_str(&w, r->path);
		ipc_put_u8(&w, r->notify);
		ipc_put_str(&w, r->orcpt);
		ipc_end(&w);
		if (r->notify != 0)
			tx->flags |= TX_F_HAS_NOTIFY;
	}
}

int
peer_tx_begin(struct tx *tx)
{
	struct smtpd *d = tx->smtpd;
	struct session *s = tx->session;
	struct ipc_writer w;
	const struct rcpt *r;
	char client[64];

	if (!channel_is_open(d->queued) || !qid_take(d, &tx->qid))
		return -1;
	for (r = tx->taken.first; r != NULL; r = r->next)
		if (r->notify != 0)
			tx->flags |= TX_F_HAS_NOTIFY;
	do /* a long-lived letter may still have the number */
		tx->number = ++d->next_tx;
	while (tx->number == 0 || *tx_at(d, tx->number) != NULL);
	tx->hash_next = d->txs[tx->number % SMTPD_TX_BUCKETS];
	d->txs[tx->number % SMTPD_TX_BUCKETS] = tx;
	d->ntxs++;
	tx->window = IPC_WINDOW;
	w = ipc_begin(d->queued, IPC_TX_BEGIN, 0, tx->number);
	ipc_put_u64(&w, tx->qid);
	ipc_put_u64(&w, s->sid);
	ipc_put_u32(&w, tx->flags);
	ipc_put_u64(&w, tx->declared);
	ipc_put_str(&w, tx->from);
	ipc_put_str(&w, s->account);
	ipc_put_str(&w, session_client_text(s, client, sizeof(client)));
	ipc_put_str(&w, tx->envid);
	ipc_end(&w);
	tx_send_rcpts(tx);
	return 0;
}

void
peer_tx_body(struct tx *tx, struct span octets)
{
	struct smtpd *d = tx->smtpd;

	if (tx->number == 0)
		return;
	tx->sent += octets.len;
	tx->window -= (int64_t)octets.len;
	while (octets.len > 0) {
		size_t n = IPC_CHUNK - d->body_octets;

		if (n > octets.len)
			n = octets.len;
		if (d->body_octets == 0)
			d->body = ipc_begin(d->queued, IPC_TX_BODY, 0,
			    tx->number);
		ipc_put_octets(&d->body, span_make(octets.p, n));
		if ((d->body_octets += n) == IPC_CHUNK)
			peer_tx_body_end(tx);
		octets = span_from(octets, n);
	}
}

void
peer_tx_body_end(struct tx *tx)
{
	struct smtpd *d = tx->smtpd;

	if (d->body_octets == 0)
		return;
	d->body_octets = 0;
	ipc_end(&d->body);
}

void
peer_tx_commit(struct tx *tx)
{
	struct ipc_writer w;

	w = ipc_begin(tx->smtpd->queued, IPC_TX_COMMIT, 0, tx->number);
	ipc_put_u64(&w, tx->sent);
	ipc_put_span(&w, span_str(tx->header.message_id));
	ipc_end(&w);
	tx->committed = true;
}

void
peer_tx_abort(struct tx *tx)
{
	struct ipc_writer w;

	if (tx->number == 0)
		return;
	/* Past COMMIT the letter may be durable already: it is queued's to
	 * keep, whether or not anybody still listens. */
	peer_tx_body_end(tx);
	if (!tx->committed) {
		w = ipc_begin(tx->smtpd->queued, IPC_TX_ABORT, 0, tx->number);
		ipc_end(&w);
	}
	tx_unlist(tx);
}

static int
on_tx_window(void *arg, struct ipc_msg *m)
{
	struct smtpd *d = arg;
	struct ipc_reader rd = ipc_reader(m);
	uint32_t n = ipc_get_u32(&rd);
	struct tx *tx = *tx_at(d, m->session);

	if (!ipc_at_end(&rd))
		return -1;
	if (tx == NULL)
		return 0; /* lawful: it was given up meanwhile */
	tx->window += n;
	if (tx->window > IPC_WINDOW)
		return -1;
	data_window(tx);
	return 0;
}

static int
on_tx_done(void *arg, struct ipc_msg *m)
{
	struct smtpd *d = arg;
	struct ipc_reader rd = ipc_reader(m);
	struct verdict v;
	struct tx *tx = *tx_at(d, m->session);
	unsigned code = ipc_get_u16(&rd);
	struct span enhanced = ipc_get_span(&rd, sizeof(v.enhanced) - 1);
	struct span text = ipc_get_span(&rd, IPC_TEXT_MAX);
	char status[sizeof(v.enhanced)];

	if (!ipc_at_end(&rd) || (code != 250 && code < 400) || code > 599 ||
	    span_copy(enhanced, status, sizeof(status)) == -1)
		return -1;
	if (tx == NULL)
		return 0;
	if (code == 250 && !tx->committed)
		return -1;
	verdict_set(&v, code, status, text);
	tx->logged = true; /* queued said so itself */
	tx_unlist(tx);
	data_done(tx, &v);
	return 0;
}

static const struct ipc_handler queued_handlers[] = {
	{ IPC_QID_GRANT, on_qid_grant },
	{ IPC_TX_WINDOW, on_tx_window },
	{ IPC_TX_DONE,   on_tx_done },
	IPC_HANDLERS_END
};

/* -- keyd ------------------------------------------------------------------ */

static int
on_tickets(void *arg, struct ipc_msg *m)
{
	struct smtpd *d = arg;

	return tls_on_tickets(d->tls, m);
}

static int
on_sign_ready(void *arg, struct ipc_msg *m)
{
	struct smtpd *d = arg;

	return tls_on_sign_ready(d->tls, m);
}

static void
on_keyd_up(void *arg, struct channel *ch)
{
	struct smtpd *d = arg;

	(void)ch;
	tls_keyd_up(d->tls);
}

static void
on_keyd_down(void *arg, struct channel *ch)
{
	struct smtpd *d = arg;

	(void)ch;
	tls_keyd_down(d->tls);
}

/* -- the table ------------------------------------------------------------- */

static const struct ipc_handler authd_handlers[] = {
	{ IPC_AUTH_OFFER, on_auth_offer },
	IPC_HANDLERS_END
};

static const struct ipc_handler keyd_handlers[] = {
	{ IPC_TICKETS,    on_tickets },
	{ IPC_SIGN_READY, on_sign_ready },
	IPC_HANDLERS_END
};

static const struct ipc_handler no_handlers[] = { IPC_HANDLERS_END };

/* Another authd says anew what it offers. */
static void
on_authd_down(void *arg, struct channel *ch)
{
	struct smtpd *d = arg;

	(void)ch;
	d->offer = 0;
}

/* Ids of its last life are not used again; letters under way have failed. */
static void
on_queued_down(void *arg, struct channel *ch)
{
	const struct verdict gone = { 451, "4.3.0",
		"The queue is away for a moment, try again" };
	struct smtpd *d = arg;
	struct tx *tx;
	size_t i;

	(void)ch;
	memset(d->qids, 0, sizeof(d->qids));
	d->qids_asked = false;
	for (i = 0; i < SMTPD_TX_BUCKETS; i++)
		while ((tx = d->txs[i]) != NULL) {
			tx_unlist(tx);
			data_done(tx, &gone);
		}
}

const struct daemon_peer smtpd_peers[] = {
	{ ROLE_AUTHD, authd_handlers, NULL, on_authd_down },
	{ ROLE_QUEUED, queued_handlers, NULL, on_queued_down },
	{ ROLE_RESOLVER, no_handlers, NULL, NULL },
	{ ROLE_KEYD, keyd_handlers, on_keyd_up, on_keyd_down },
	{ ROLE_LOGD, no_handlers, NULL, NULL },
	{ ROLE_NONE, NULL, NULL, NULL }
};
