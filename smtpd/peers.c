/*
 * smtpd/peers.c - messages to and from other programs: queued with ids,
 * envelopes and text. What authd is asked is in ask.c, keyd in lib/net/tls.c.
 */
#include <stdio.h>

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
	char client[64], tls[SECURE_TEXT];

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
	ipc_put_str(&w, secure_text(s, tls));
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

/* -- the table ------------------------------------------------------------- */

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
	{ ROLE_AUTHD, ask_handlers, NULL, on_authd_down },
	{ ROLE_QUEUED, queued_handlers, NULL, on_queued_down },
	{ ROLE_RESOLVER, no_handlers, NULL, NULL },
	{ ROLE_KEYD, tls_keyd_handlers, tls_keyd_up, tls_keyd_down },
	{ ROLE_LOGD, no_handlers, NULL, NULL },
	{ ROLE_NONE, NULL, NULL, NULL }
};
