/*
 * queued/intake.c - letters on their way in: smtpd streams envelope and text, the
 * spool makes them durable, and only then the 250 is said. smtpd may have been
 * taken over: every address is parsed again.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lib/log.h"
#include "lib/mail/addr.h"
#include "lib/mem.h"
#include "queued/queued.h"

#define QID_BLOCK  4096            /* granted at once to a smtpd worker */
#define TX_MAX     20000           /* transactions of one worker */
#define WINDOW_ACK (IPC_WINDOW / 4) /* octets told as taken in one message */
/* A worker that sends on past its window wants our memory. */
#define TX_UNACKED_MAX (2u * IPC_WINDOW)

/* Ids granted and not yet used: [next, end). */
struct block { uint64_t next, end; };

/* One smtpd worker: which ids it may use. Hangs from channel.user. It asks for
 * the next block while it uses the last ids of the one before. */
struct source {
	struct block now, then;
	unsigned txs;
};

struct tx {
	struct hash_node node;  /* by channel and transaction number */
	struct queued *q;
	struct channel *ch;     /* NULL: the worker has gone */
	uint32_t id;
	struct letter *l;
	struct body *body;
	uint64_t octets;        /* taken */
	uint32_t unacked;       /* of those, not yet told to smtpd */
	uint64_t declared;
	char *message_id;       /* for the log, from the commit on */
	char tls[IPC_TLS_MAX + 1]; /* for the log: how it came in */
	bool committed;
};

static uint64_t
tx_key(const struct channel *ch, uint32_t id)
{
	return (uint64_t)ch->instance << 32 | id;
}

static struct tx *
tx_find(struct queued *q, const struct channel *ch, uint32_t id)
{
	struct hash_node *n = hash_find(&q->txs, tx_key(ch, id));

	/* one that a dead worker committed may bear the same number */
	while (n != NULL && hash_entry(n, struct tx, node)->ch != ch)
		n = hash_next(n);
	return n == NULL ? NULL : hash_entry(n, struct tx, node);
}

static void
tx_free(struct tx *tx)
{
	struct source *s = tx->ch == NULL ? NULL : tx->ch->user;

	if (s != NULL && s->txs > 0)
		s->txs--;
	hash_remove(&tx->q->txs, &tx->node);
	spool_body_free(tx->body);
	if (tx->l != NULL)
		letter_free(tx->l);
	free(tx->message_id);
	free(tx);
}

static void
tell_done(struct channel *ch, uint32_t id, unsigned code, const char *status,
    const char *text)
{
	struct ipc_writer w = ipc_begin(ch, IPC_TX_DONE, 0, id);

	ipc_put_u16(&w, (uint16_t)code);
	ipc_put_str(&w, status);
	ipc_put_str(&w, text);
	ipc_end(&w);
}

/* The transaction ends with this answer; what still comes for it is ignored. */
static void
tx_refuse(struct tx *tx, unsigned code, const char *status, const char *text)
{
	struct event_out e;

	tx->q->refused++;
	event_begin(&e, EV_MSG_REFUSED, tx->l->qid, tx->l->sid);
	event_num(&e, KEY_STATUS, code);
	event_str(&e, KEY_REPLY, text);
	event_send(&e);
	tell_done(tx->ch, tx->id, code, status, text);
	tx_free(tx);
}

static void
grant(struct queued *q, struct channel *ch)
{
	struct source *s = ch->user;
	struct ipc_writer w;
	uint64_t first = spool_qids(q->spool, QID_BLOCK);

	if (s->now.next == s->now.end)
		s->now = s->then;
	s->then = (struct block){ first, first + QID_BLOCK };
	w = ipc_begin(ch, IPC_QID_GRANT, 0, 0);
	ipc_put_u64(&w, first);
	ipc_put_u32(&w, QID_BLOCK);
	ipc_end(&w);
}

/* Ids are used in rising order: the next block ends the one before. */
static bool
qid_use(struct source *s, uint64_t qid)
{
	if (qid >= s->then.next && qid < s->then.end) {
		s->now = s->then;
		s->then = (struct block){ 0, 0 };
	}
	if (qid < s->now.next || qid >= s->now.end)
		return false;
	s->now.next = qid + 1;
	return true;
}

void
intake_up(void *arg, struct channel *ch)
{
	if (ch->user == NULL)
		ch->user = xmalloc(sizeof(struct source));
	*(struct source *)ch->user = (struct source){ { 0, 0 }, { 0, 0 }, 0 };
	grant(arg, ch);
}

static void
tx_lost(void *arg, struct hash_node *node)
{
	struct tx *tx = hash_entry(node, struct tx, node);

	if (tx->ch != arg)
		return;
	tx->ch = NULL;
	if (!tx->committed)
		tx_free(tx);
}

/* A letter past its commit stays ours: its sender will ask again, or not. */
void
intake_down(void *arg, struct channel *ch)
{
	struct queued *q = arg;

	hash_each(&q->txs, tx_lost, ch);
}

static void
tx_close(void *arg, struct hash_node *node)
{
	struct tx *tx = hash_entry(node, struct tx, node);

	(void)arg;
	tx->ch = NULL;
	if (!tx->committed)
		tx_free(tx);
}

void
intake_close(struct queued *q)
{
	hash_each(&q->txs, tx_close, NULL);
}

static int
on_qid_ask(void *arg, struct ipc_msg *m)
{
	grant(arg, m->ch);
	return 0;
}

/* All that waited on disk has been written: smtpd may send on. */
static void
on_drain(void *arg)
{
	struct tx *tx = arg;
	struct ipc_writer w;

	if (tx->ch == NULL || tx->unacked == 0)
		return;
	w = ipc_begin(tx->ch, IPC_TX_WINDOW, 0, tx->id);
	ipc_put_u32(&w, tx->unacked);
	ipc_end(&w);
	tx->unacked = 0;
}

static unsigned
letter_flags(uint32_t tx_flags)
{
	unsigned f = 0;

	if (tx_flags & TX_F_UTF8)
		f |= LETTER_SMTPUTF8;
	if (tx_flags & TX_F_8BIT)
		f |= LETTER_8BITMIME;
	if (tx_flags & TX_F_RET_FULL)
		f |= LETTER_RET_FULL;
	if (tx_flags & TX_F_RET_HDRS)
		f |= LETTER_RET_HDRS;
	if (tx_flags & TX_F_LOCAL)
		f |= LETTER_LOCAL;
	return f;
}

static void
tx_admit(struct tx *tx)
{
	enum spool_status st = spool_intake(tx->q->spool);

	if (tx->q->stopping)
		tx_refuse(tx, 421, "4.3.2", "Shutting down");
	else if (st == SPOOL_FULL)
		tx_refuse(tx, 452, "4.3.1", "Insufficient system storage");
	else if (st != SPOOL_OK)
		tx_refuse(tx, 451, "4.3.0", "The queue cannot be written");
	else
		tx->body = spool_body_begin(tx->q->spool, tx->l->qid, on_drain,
		    tx);
}

static int
on_tx_begin(void *arg, struct ipc_msg *m)
{
	struct queued *q = arg;
	struct source *s = m->ch->user;
	struct ipc_reader rd = ipc_reader(m);
	uint64_t qid = ipc_get_u64(&rd), sid = ipc_get_u64(&rd);
	uint32_t flags = ipc_get_u32(&rd);
	uint64_t declared = ipc_get_u64(&rd);
	struct span path = ipc_get_span(&rd, IPC_PATH_MAX);
	struct span account = ipc_get_span(&rd, IPC_PATH_MAX);
	struct span client = ipc_get_span(&rd, IPC_PATH_MAX);
	struct span tls = ipc_get_span(&rd, IPC_TLS_MAX);
	struct span envid = ipc_get_span(&rd, IPC_PATH_MAX);
	struct addr from;
	struct tx *tx;

	if (!ipc_at_end(&rd) || addr_parse_text(path, &from) == -1 ||
	    s->txs >= TX_MAX || tx_find(q, m->ch, m->session) != NULL ||
	    !qid_use(s, qid))
		return -1;
	s->txs++;
	tx = xcalloc(1, sizeof(*tx));
	tx->q = q;
	tx->ch = m->ch;
	tx->id = m->session;
	tx->declared = declared;
	tx->l = letter_new(qid);
	tx->l->sid = sid;
	tx->l->flags = letter_flags(flags);
	tx->l->arrival_s = queue_now(q);
	tx->l->reverse_path = letter_dup(tx->l, path);
	tx->l->account = letter_dup(tx->l, account);
	tx->l->client = letter_dup(tx->l, client);
	tx->l->envid = letter_dup(tx->l, envid);
	(void)span_copy(tls, tx->tls, sizeof(tx->tls));
	hash_add(&q->txs, &tx->node, tx_key(m->ch, m->session));
	tx_admit(tx);
	return 0;
}

/* The same recipient twice is one: the first one's options hold. */
static bool
rcpt_is_there(const struct letter *l, struct span path)
{
	uint32_t i;

	for (i = 0; i < l->nrcpts; i++)
		if (span_eq(l->rcpts[i].addr, path))
			return true;
	return false;
}

static int
on_tx_rcpt(void *arg, struct ipc_msg *m)
{
	struct queued *q = arg;
	struct ipc_reader rd = ipc_reader(m);
	struct span path = ipc_get_span(&rd, IPC_PATH_MAX);
	uint8_t notify = ipc_get_u8(&rd);
	struct span orcpt = ipc_get_span(&rd, IPC_PATH_MAX);
	struct addr to;
	struct rcpt *r;
	struct tx *tx;

	if (!ipc_at_end(&rd) || addr_parse_text(path, &to) == -1 ||
	    addr_is_null(&to))
		return -1;
	if ((tx = tx_find(q, m->ch, m->session)) == NULL)
		return 0; /* refused meanwhile */
	if (tx->committed)
		return -1;
	if (rcpt_is_there(tx->l, path))
		return 0;
	if ((r = letter_add_rcpt(tx->l, path)) == NULL) {
		tx_refuse(tx, 452, "4.5.3", "Too many recipients");
		return 0;
	}
	r->notify = notify;
	r->next_s = tx->l->arrival_s;
	r->orcpt = letter_dup(tx->l, orcpt);
	return 0;
}

static int
on_tx_body(void *arg, struct ipc_msg *m)
{
	struct tx *tx = tx_find(arg, m->ch, m->session);
	size_t waits;

	if (tx == NULL)
		return 0;
	if (tx->committed || tx->unacked > TX_UNACKED_MAX)
		return -1;
	waits = spool_body_append(tx->body, m->body);
	tx->octets += m->body.len;
	tx->unacked += (uint32_t)m->body.len;
	/* what lies in memory is taken; what a disk must take is waited for */
	if (tx->unacked >= WINDOW_ACK && waits < IPC_WINDOW)
		on_drain(tx);
	return 0;
}

static void
tell_accepted(const struct letter *l, const struct tx *tx)
{
	struct event_out e;

	event_begin(&e, EV_ACCEPTED, l->qid, l->sid);
	event_text(&e, KEY_FROM, l->reverse_path);
	if (l->nrcpts == 1)
		event_text(&e, KEY_TO, l->rcpts[0].addr);
	event_num(&e, KEY_RCPTS, l->nrcpts);
	event_num(&e, KEY_SIZE, l->size);
	event_str(&e, KEY_MSGID, tx->message_id);
	event_text(&e, KEY_CLIENT, l->client);
	if (l->account.len > 0)
		event_text(&e, KEY_USER, l->account);
	if (tx->tls[0] != '\0')
		event_str(&e, KEY_TLS, tx->tls);
	event_send(&e);
}

/* Beyond a limit of its account: ours as any other, but nothing is tried. */
static void
tell_held(const struct letter *l)
{
	struct event_out e;

	event_begin(&e, EV_HELD, l->qid, l->sid);
	event_text(&e, KEY_USER, l->account);
	event_num(&e, KEY_RCPTS, l->nrcpts);
	event_str(&e, KEY_REASON, letter_held_text(l));
	event_send(&e);
}

/* It is durable: the window takes it, or the disk keeps what is held. */
static void
letter_go(struct queued *q, struct letter *l)
{
	q->accepted++;
	if (l->held == HELD_NO) {
		active_add(q, l);
		return;
	}
	q->held++;
	tell_held(l);
	letter_free(l);
}

/* The promise: said only now that record and text are on the disk. */
static void
on_durable(void *arg, enum spool_status status)
{
	struct tx *tx = arg;
	struct queued *q = tx->q;
	struct letter *l = tx->l;
	char text[80], qid[QID_TEXT];

	if (status == SPOOL_OK) {
		tell_accepted(l, tx);
		snprintf(text, sizeof(text), "queued as %s%s",
		    qid_format(l->qid, qid), l->held == HELD_NO ? "" :
		    ", held: over the account's limit");
		if (tx->ch != NULL)
			tell_done(tx->ch, tx->id, 250, "2.0.0", text);
		tx->l = NULL;
		tx_free(tx);
		letter_go(q, l);
	} else if (tx->ch == NULL)
		tx_free(tx);
	else if (status == SPOOL_FULL)
		tx_refuse(tx, 452, "4.3.1", "Insufficient system storage");
	else if (status == SPOOL_TOO_BIG)
		tx_refuse(tx, 552, "5.3.4", "Too many recipients for a letter");
	else
		tx_refuse(tx, 451, "4.3.0", "The letter could not be stored");
}

static int
on_tx_commit(void *arg, struct ipc_msg *m)
{
	struct queued *q = arg;
	struct ipc_reader rd = ipc_reader(m);
	uint64_t octets = ipc_get_u64(&rd);
	struct span message_id = ipc_get_span(&rd, IPC_PATH_MAX);
	struct tx *tx = tx_find(q, m->ch, m->session);
	struct body *body;

	if (!ipc_at_end(&rd))
		return -1;
	if (tx == NULL)
		return 0;
	if (tx->committed || tx->octets != octets || tx->l->nrcpts == 0)
		return -1;
	tx->committed = true;
	tx->l->size = octets;
	tx->message_id = span_dup(message_id);
	/* in the letter's own record, so that no crash lets it go */
	if (tx->l->account.len > 0)
		tx->l->held = limits_take(&q->limits, &q->d.conf->accounts,
		    tx->l->account, tx->l->nrcpts, queue_now(q));
	body = tx->body;
	tx->body = NULL;
	spool_accept(q->spool, tx->l, body, on_durable, tx);
	return 0;
}

static int
on_tx_abort(void *arg, struct ipc_msg *m)
{
	struct tx *tx = tx_find(arg, m->ch, m->session);

	if (tx != NULL && tx->committed)
		return -1;
	if (tx != NULL)
		tx_free(tx);
	return 0;
}

const struct ipc_handler intake_handlers[] = {
	{ IPC_QID_ASK,   on_qid_ask },
	{ IPC_TX_BEGIN,  on_tx_begin },
	{ IPC_TX_RCPT,   on_tx_rcpt },
	{ IPC_TX_BODY,   on_tx_body },
	{ IPC_TX_COMMIT, on_tx_commit },
	{ IPC_TX_ABORT,  on_tx_abort },
	IPC_HANDLERS_END
};
