/*
 * smtpd/ask.c - what authd is asked: about recipients, local users, logins and
 * who may write as whom. Every answer finds its asker, and none at all is a
 * temporary failure.
 */
#include <errno.h>
#include <stdio.h>

#include "lib/mem.h"
#include "smtpd/smtpd.h"

/* -- recipients and local users -------------------------------------------- */

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
ask_rcpt(struct session *s, struct rcpt *r, const struct addr *a)
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
ask_uid(struct session *s)
{
	struct channel *ch = s->smtpd->authd;
	struct ipc_writer w;

	s->uid_request = channel_request(ch, SMTP_ASK_MS, on_uid_answer, s);
	w = ipc_begin(ch, IPC_UID_ASK, s->uid_request, 0);
	ipc_put_u32(&w, s->uid);
	ipc_end(&w);
}

/* -- logins ---------------------------------------------------------------- */

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
ask_auth(struct session *s, const char *mechanism, struct span response)
{
	struct smtpd *d = s->smtpd;
	struct ipc_writer w;
	char client[64];

	if ((s->auth.exchange = ++d->next_exchange) == 0)
		s->auth.exchange = ++d->next_exchange;
	s->auth.request = channel_request(d->authd, SMTP_AUTH_MS,
	    on_auth_reply, s);
	w = ipc_begin_secret(d->authd, IPC_AUTH, s->auth.request,
	    s->auth.exchange);
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
ask_auth_step(struct session *s, struct span response)
{
	struct channel *ch = s->smtpd->authd;
	struct ipc_writer w;

	s->auth.request = channel_request(ch, SMTP_AUTH_MS, on_auth_reply, s);
	w = ipc_begin_secret(ch, IPC_AUTH_STEP, s->auth.request,
	    s->auth.exchange);
	ipc_put_span(&w, response);
	return auth_sent(s, &w);
}

void
ask_auth_abort(struct session *s)
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

/* -- who may write as whom ------------------------------------------------- */

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
ask_sender(struct tx *tx)
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
ask_author(struct author_ask *ask, const char *address)
{
	ask->request = sender_ask(ask->tx, address, on_author, ask);
}

const struct ipc_handler ask_handlers[] = {
	{ IPC_AUTH_OFFER, on_auth_offer },
	IPC_HANDLERS_END
};
