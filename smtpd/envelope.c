/*
 * smtpd/envelope.c - MAIL and RCPT: arguments, parameters, and the recipients
 * of a transaction in the order of their replies. Whether a recipient is ours
 * is authd's word (peers.c).
 */
#include <errno.h>
#include <stdio.h>

#include "lib/mail/params.h"
#include "lib/mem.h"
#include "smtpd/smtpd.h"

#define ENVID_MAX 100 /* RFC 3461 section 4.4 */
#define ORCPT_MAX 500 /* RFC 3461 section 4.2 */

/* -- parameters ------------------------------------------------------------ */

static void
bad_param(struct verdict *v, const char *what)
{
	char text[100];

	snprintf(text, sizeof(text), "%s is not as it should be", what);
	verdict_set(v, 501, "5.5.4", span_str(text));
}

static void
unknown_param(struct verdict *v)
{
	verdict_set(v, 555, "5.5.4", span_str("Unknown parameter"));
}

static bool
all_digits(struct span in)
{
	size_t i;

	for (i = 0; i < in.len; i++)
		if (in.p[i] < '0' || in.p[i] > '9')
			return false;
	return in.len > 0;
}

static void
param_size(struct session *s, struct tx *tx, struct span value,
    struct verdict *v)
{
	/* more digits than a number may have are still only "too big" */
	if (tx->declared != 0 || !all_digits(value))
		bad_param(v, "SIZE");
	else if (span_u64(value, UINT64_MAX, &tx->declared) == -1 ||
	    tx->declared > s->listen->size)
		verdict_set(v, 552, "5.3.4",
		    span_str("Larger than any message may be here"));
}

static void
param_body(struct tx *tx, struct span value, struct verdict *v)
{
	if (span_caseeq(value, "8BITMIME"))
		tx->flags |= TX_F_8BIT;
	else if (!span_caseeq(value, "7BIT"))
		bad_param(v, "BODY");
}

static void
param_ret(struct tx *tx, struct span value, struct verdict *v)
{
	if (tx->flags & (TX_F_RET_FULL | TX_F_RET_HDRS))
		bad_param(v, "RET");
	else if (span_caseeq(value, "FULL"))
		tx->flags |= TX_F_RET_FULL;
	else if (span_caseeq(value, "HDRS"))
		tx->flags |= TX_F_RET_HDRS;
	else
		bad_param(v, "RET");
}

static void
param_envid(struct tx *tx, struct span value, struct verdict *v)
{
	char text[ENVID_MAX + 1];

	if (tx->envid != NULL || xtext_decode(value, text, sizeof(text)) <= 0)
		bad_param(v, "ENVID");
	else
		tx->envid = xstrdup(text);
}

/* AUTH=<> or an address (RFC 4954 section 5): who wrote it, says a host that
 * relays. A person's program is believed nothing; only its grammar counts. */
static void
param_auth(struct span value, struct verdict *v)
{
	char text[ADDR_TEXT];
	struct addr a;
	ssize_t n;

	if (span_eqstr(value, "<>"))
		return;
	n = xtext_decode(value, text, sizeof(text));
	if (n <= 0 || addr_parse_mailbox(span_make(text, (size_t)n), &a) == -1)
		bad_param(v, "AUTH");
}

/* Returns false with a verdict. */
static bool
mail_params(struct session *s, struct tx *tx, struct span params,
    struct verdict *v)
{
	struct span key, value;
	int rv;

	while ((rv = smtp_params_next(&params, &key, &value)) == 1 &&
	    v->code == 0) {
		if (value.p == NULL && span_caseeq(key, "SMTPUTF8"))
			tx->flags |= TX_F_UTF8;
		else if (value.p == NULL)
			unknown_param(v);
		else if (span_caseeq(key, "SIZE"))
			param_size(s, tx, value, v);
		else if (span_caseeq(key, "BODY"))
			param_body(tx, value, v);
		else if (span_caseeq(key, "RET"))
			param_ret(tx, value, v);
		else if (span_caseeq(key, "ENVID"))
			param_envid(tx, value, v);
		else if (span_caseeq(key, "AUTH") &&
		    s->listen->kind == LISTEN_SUBMISSION)
			param_auth(value, v);
		else
			unknown_param(v);
	}
	if (rv == -1 && v->code == 0)
		bad_param(v, "A parameter");
	return v->code == 0;
}

static void
param_notify(struct rcpt *r, struct span value, struct verdict *v)
{
	struct span word;

	if (r->notify != 0)
		bad_param(v, "NOTIFY");
	while (v->code == 0 && value.p != NULL) {
		ssize_t comma = span_find(value, ',');

		word = comma == -1 ? value : span_make(value.p, (size_t)comma);
		if (span_caseeq(word, "NEVER"))
			r->notify |= DSN_NEVER;
		else if (span_caseeq(word, "SUCCESS"))
			r->notify |= DSN_SUCCESS;
		else if (span_caseeq(word, "FAILURE"))
			r->notify |= DSN_FAILURE;
		else if (span_caseeq(word, "DELAY"))
			r->notify |= DSN_DELAY;
		else
			bad_param(v, "NOTIFY");
		if (comma == -1)
			break;
		value = span_from(value, (size_t)comma + 1);
	}
	if (r->notify & DSN_NEVER && r->notify != DSN_NEVER)
		bad_param(v, "NOTIFY");
}

/* "rfc822;" and xtext; "utf-8;" has an encoding of its own (RFC 6533 section
 * 3), whose octets are printable when they are valid. */
static void
param_orcpt(struct rcpt *r, struct span value, struct verdict *v)
{
	struct span type, address;
	char text[ORCPT_MAX + 1];

	span_split(value, ';', &type, &address);
	if (r->orcpt != NULL || type.len == 0 || type.len > 32 ||
	    !span_printable(type) || span_find(type, ' ') != -1 ||
	    xtext_decode(address, text, sizeof(text)) <= 0)
		bad_param(v, "ORCPT");
	else
		r->orcpt = xasprintf("%.*s;%s", SPAN_ARG(type), text);
}

static bool
rcpt_params(struct rcpt *r, struct span params, struct verdict *v)
{
	struct span key, value;
	int rv;

	while ((rv = smtp_params_next(&params, &key, &value)) == 1 &&
	    v->code == 0) {
		if (value.p != NULL && span_caseeq(key, "NOTIFY"))
			param_notify(r, value, v);
		else if (value.p != NULL && span_caseeq(key, "ORCPT"))
			param_orcpt(r, value, v);
		else
			unknown_param(v);
	}
	if (rv == -1 && v->code == 0)
		bad_param(v, "A parameter");
	return v->code == 0;
}

/* -- the transaction ------------------------------------------------------- */

static void
rcpts_init(struct rcpts *l)
{
	l->first = NULL;
	l->last = &l->first;
}

static void
rcpts_add(struct rcpts *l, struct rcpt *r)
{
	r->next = NULL;
	*l->last = r;
	l->last = &r->next;
}

static struct rcpt *
rcpts_shift(struct rcpts *l)
{
	struct rcpt *r = l->first;

	if (r != NULL && (l->first = r->next) == NULL)
		l->last = &l->first;
	return r;
}

static void
rcpt_free(struct rcpt *r)
{
	if (r->request != 0)
		channel_forget(r->session->smtpd->authd, r->request);
	x_free(&r->orcpt);
	mem_free(r);
}

static struct tx *
tx_new(struct session *s)
{
	struct tx *tx = xcalloc(1, sizeof(*tx));

	tx->session = s;
	tx->smtpd = s->smtpd;
	rcpts_init(&tx->taken);
	rcpts_init(&tx->waiting);
	if (s->listen->kind == LISTEN_SUBMIT)
		tx->flags |= TX_F_LOCAL;
	if (s->listen->kind == LISTEN_DEVICE)
		tx->flags |= TX_F_DEVICE;
	return tx;
}

void
tx_free(struct tx *tx)
{
	struct rcpt *r;

	peer_tx_abort(tx);
	if (tx->sender_request != 0)
		channel_forget(tx->smtpd->authd, tx->sender_request);
	author_clear(tx);
	while ((r = rcpts_shift(&tx->taken)) != NULL)
		rcpt_free(r);
	while ((r = rcpts_shift(&tx->waiting)) != NULL)
		rcpt_free(r);
	x_free(&tx->envid);
	mem_free(tx);
}

void
tx_end(struct session *s)
{
	struct tx *tx = s->tx;

	if (tx != NULL) {
		s->tx = NULL;
		tx_free(tx);
	}
}

/* -- MAIL ------------------------------------------------------------------ */

static void
mail_refused(struct session *s, struct span from, const struct verdict *v)
{
	struct event_out e;
	char said[sizeof(v->text) + 20];

	session_event(s, &e, EV_REFUSED);
	event_text(&e, KEY_FROM, from);
	snprintf(said, sizeof(said), "%u %s %s", v->code, v->enhanced, v->text);
	event_str(&e, KEY_REPLY, said);
	event_send(&e);
	s->smtpd->n_refused++;
	reply(s, v->code, v->enhanced, "%s", v->text);
}

static void
addr_verdict(struct verdict *v, const char *enhanced, int error)
{
	verdict_set(v, 501, enhanced, span_str(error == EMSGSIZE ?
	    "That address is too long" : "That is no address"));
}

static bool
mail_judge(struct session *s, struct tx *tx, const struct addr *a,
    struct span params, struct verdict *v)
{
	if (!mail_params(s, tx, params, v))
		return false;
	if (addr_is_utf8(a) && !(tx->flags & TX_F_UTF8)) {
		verdict_set(v, 550, "5.6.7",
		    span_str("An address beyond ASCII needs SMTPUTF8"));
		return false;
	}
	return policy_sender(s->listen, addr_format(a, tx->from), v);
}

static void
mail_taken(struct session *s)
{
	s->mails++;
	session_enter(s, S_MAIL);
	reply(s, 250, "2.1.0", "Ok");
}

/* The null reverse-path is for reports on letters, which a program of a person
 * writes too (RFC 8098 section 2.1); its From field is still looked at. */
static bool
sender_is_asked(const struct session *s, const struct addr *a)
{
	return s->listen->kind == LISTEN_SUBMISSION &&
	    !s->listen->senders_any && !addr_is_null(a);
}

void
sender_answer(struct tx *tx, uint8_t status)
{
	struct session *s = tx->session;
	struct verdict v = { 451, "4.3.0",
		"Cannot look that up now, try again later" };

	tx->granted = status == SENDER_GRANTED;
	if (status == SENDER_OK || status == SENDER_GRANTED)
		mail_taken(s);
	else {
		if (status == SENDER_FOREIGN)
			verdict_set(&v, 550, "5.7.1", span_str(
			    "This address is not one of your account"));
		mail_refused(s, span_str(tx->from), &v);
		tx_end(s);
	}
	session_settled(s);
}

/* Encryption and a login come first where they must; false: it was said. */
static bool
mail_allowed(struct session *s)
{
	if (secure_wanted(s))
		reply(s, 530, "5.7.0", "STARTTLS first");
	else if (s->listen->kind == LISTEN_SUBMISSION && s->account == NULL)
		reply(s, 530, "5.7.0", "Log in first");
	else
		return true;
	return false;
}

void
cmd_mail(struct session *s, struct span arg)
{
	struct verdict v = { 0, "", "" };
	struct addr a;
	struct span params;
	struct tx *tx;

	if (!mail_allowed(s))
		return;
	if (addr_parse_command(arg, ADDR_REVERSE, &a, &params) == -1) {
		addr_verdict(&v, "5.1.7", errno);
		mail_refused(s, arg, &v);
		return;
	}
	if (s->mails >= SMTP_MAILS_MAX) {
		session_refuse(s, 421, "4.7.0", "Enough for one session");
		return;
	}
	tx = tx_new(s);
	addr_format(&a, tx->from);
	if (!mail_judge(s, tx, &a, params, &v)) {
		mail_refused(s, span_str(tx->from), &v);
		tx_free(tx);
		return;
	}
	s->tx = tx;
	if (!sender_is_asked(s, &a)) {
		mail_taken(s);
		return;
	}
	ask_sender(tx);
	conn_pause(&s->conn);
}

/* -- RCPT ------------------------------------------------------------------ */

static void
rcpt_refused_event(struct session *s, const struct rcpt *r)
{
	struct event_out e;
	char said[sizeof(r->verdict.text) + 20];

	s->smtpd->n_rcpt_refused++;
	session_event(s, &e, EV_RCPT_REFUSED);
	event_str(&e, KEY_FROM, s->tx->from);
	event_str(&e, KEY_TO, r->path);
	snprintf(said, sizeof(said), "%u %s %s", r->verdict.code,
	    r->verdict.enhanced, r->verdict.text);
	event_str(&e, KEY_REPLY, said);
	event_send(&e);
}

/* Replies that are due: up to the first one that authd has not answered. */
static void
rcpts_reply(struct session *s)
{
	struct tx *tx = s->tx;
	struct rcpt *r;

	while (s->tx == tx && (r = tx->waiting.first) != NULL &&
	    r->verdict.code != 0) {
		rcpts_shift(&tx->waiting);
		tx->nwaiting--;
		if (r->verdict.code == 250) {
			rcpts_add(&tx->taken, r);
			tx->ntaken++;
			session_enter(s, S_RCPT);
			reply(s, 250, "2.1.5", "Ok");
			continue;
		}
		tx->refused = true;
		rcpt_refused_event(s, r);
		reply(s, r->verdict.code, r->verdict.enhanced, "%s",
		    r->verdict.text);
		rcpt_free(r);
	}
}

void
rcpt_answer(struct rcpt *r)
{
	struct session *s = r->session;

	r->request = 0;
	rcpts_reply(s);
	if (s->tx != NULL && s->tx->nwaiting == 0) {
		conn_hold(&s->conn, false);
		command_resume(s);
	}
}

static bool
rcpt_judge(struct session *s, struct rcpt *r, const struct addr *a,
    struct span params, struct verdict *v)
{
	struct tx *tx = s->tx;
	char canon[ADDR_TEXT];

	addr_format(a, r->path);
	r->hash = span_hash(addr_canon(a, canon));
	if (a->routed)
		verdict_set(v, 550, "5.7.1",
		    span_str("Source routes are not followed"));
	else if (addr_is_utf8(a) && !(tx->flags & TX_F_UTF8))
		verdict_set(v, 553, "5.6.7",
		    span_str("An address beyond ASCII needs SMTPUTF8"));
	else if (tx->ntaken + tx->nwaiting > s->listen->recipients)
		verdict_set(v, 452, "4.5.3",
		    span_str("Too many recipients"));
	else
		return rcpt_params(r, params, v) &&
		    policy_rcpt(s->listen, a->domain, v);
	return false;
}

void
cmd_rcpt(struct session *s, struct span arg)
{
	struct tx *tx = s->tx;
	struct rcpt *r = xcalloc(1, sizeof(*r));
	struct verdict *v = &r->verdict;
	struct addr a;
	struct span params;

	r->session = s;
	rcpts_add(&tx->waiting, r);
	tx->nwaiting++;
	if (addr_parse_command(arg, ADDR_FORWARD, &a, &params) == -1) {
		addr_verdict(v, "5.1.3", errno);
		arg.len = arg.len < sizeof(r->path) ? arg.len :
		    sizeof(r->path) - 1;
		(void)span_copy(arg, r->path, sizeof(r->path)); /* to log */
	} else if (rcpt_judge(s, r, &a, params, v)) {
		ask_rcpt(s, r, &a);
		conn_hold(&s->conn, true); /* RFC 2920 section 3.2 (5) */
		return;
	}
	rcpts_reply(s);
}
