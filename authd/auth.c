/*
 * authd/auth.c - what smtpd and pop3d ask for their clients: the messages of
 * SASL exchanges, relayed as they are. What may be used at all is judged here,
 * whatever the asker offered: it may have been taken over.
 */
#include "authd/authd.h"
#include "lib/mem.h"

/* -- what is offered -- */

/* SCRAM works only with accounts that have a verifier, and a client that
 * knows it may try nothing else: it is offered when it works for all of
 * them. */
static uint8_t
offer_of(const struct authd *a)
{
	const struct conf *c = a->daemon.conf;
	uint8_t offer = OFFER_EXTERNAL;
	size_t i;

	for (i = 0; i < c->nusers && i < a->dir.nusers; i++)
		if (c->users[i].system ||
		    c->users[i].passwords != PASSWORDS_FILE ||
		    !a->dir.users[i].loaded || !a->dir.users[i].scram)
			return offer;
	return c->nusers > 0 ? offer | OFFER_SCRAM : offer;
}

static void
send_offer(const struct authd *a, struct channel *ch)
{
	struct ipc_writer w;

	if (!channel_is_open(ch))
		return;
	w = ipc_begin(ch, IPC_AUTH_OFFER, 0, 0);
	ipc_put_u8(&w, a->offered);
	(void)ipc_end(&w);
}

void
auth_offer_to(struct authd *a, struct channel *ch)
{
	a->offered = offer_of(a);
	send_offer(a, ch);
}

void
auth_offer(struct authd *a)
{
	uint8_t offer = offer_of(a);
	size_t i;

	if (offer == a->offered)
		return;
	a->offered = offer;
	for (i = 0; i < a->daemon.npeers; i++)
		if (a->daemon.peers[i]->peer == ROLE_SMTPD ||
		    a->daemon.peers[i]->peer == ROLE_POP3D)
			send_offer(a, a->daemon.peers[i]);
}

/* -- the answers that need nobody else -- */

static void
answer(struct channel *ch, const struct ipc_msg *m, uint8_t status,
    const char *text)
{
	struct ipc_writer w = ipc_reply_begin(ch, m, IPC_AUTH_ANSWER);

	ipc_put_u8(&w, status);
	ipc_put_str(&w, "");
	ipc_put_str(&w, "");
	ipc_put_str(&w, text);
	(void)ipc_end(&w);
}

void
auth_challenge(struct authd *a, struct exchange *x, uint32_t request)
{
	struct ipc_msg m = { .request = request, .session = x->session,
	    .fd = -1 };
	struct ipc_writer w = ipc_reply_begin(x->ch, &m, IPC_AUTH_CHALLENGE);

	ipc_put_span(&w, buf_span(&a->challenge));
	(void)ipc_end(&w);
	exchange_sleep(a, x);
}

static void
step(struct authd *a, struct exchange *x, const struct ipc_msg *m,
    struct span in)
{
	enum sasl_next next = sasl_step(&x->sasl, in, &a->challenge);

	/* It may be a password: no copy stays in the channel's buffer. */
	if (in.len > 0)
		explicit_bzero((void *)(uintptr_t)in.p, in.len);
	if (next == SASL_CHALLENGE)
		auth_challenge(a, x, m->request);
	else
		login_start(a, x, m, next);
}

/* -- what is asked -- */

static bool
may_use(const struct authd *a, const struct sasl_mechanism *m,
    uint8_t service, unsigned flags)
{
	/* Nothing of a login passes where somebody could listen. */
	if ((flags & AUTH_F_TLS) == 0 && !a->daemon.conf->login_clear)
		return false;
	if ((m->flags & SASL_F_SUBMISSION) != 0 &&
	    service != LISTEN_SUBMISSION)
		return false;
	return (m->flags & SASL_F_SCRAM) == 0 ||
	    (offer_of(a) & OFFER_SCRAM) != 0;
}

/* Each program speaks for its own service: app passwords have a scope. */
static bool
is_service_of(enum role role, uint8_t service)
{
	return role == ROLE_POP3D ? service == LISTEN_POP3 :
	    service == LISTEN_SUBMISSION;
}

struct auth_ask {
	uint8_t service;
	struct span mechanism, response, client, certificate;
	unsigned flags;
	struct sasl_facts facts;
};

static size_t
binding(struct ipc_reader *rd, char out[SASL_BINDING_MAX])
{
	struct span s = ipc_get_span(rd, SASL_BINDING_MAX);

	memcpy(out, s.len > 0 ? s.p : "", s.len);
	return s.len;
}

static bool
read_ask(struct ipc_msg *m, struct auth_ask *q)
{
	struct ipc_reader rd = ipc_reader(m);
	bool has;

	q->service = ipc_get_u8(&rd);
	q->mechanism = ipc_get_span(&rd, SASL_MECHANISM_MAX);
	has = ipc_get_u8(&rd) != 0;
	q->response = ipc_get_span(&rd, IPC_SASL_MAX);
	q->client = ipc_get_span(&rd, ADDR_PATH_MAX);
	q->flags = ipc_get_u8(&rd);
	q->facts.nexporter = binding(&rd, q->facts.exporter);
	q->facts.nend_point = binding(&rd, q->facts.end_point);
	q->certificate = ipc_get_span(&rd, SASL_NAME_MAX);
	/* An empty response is not the same as none. */
	if (!has)
		q->response.p = NULL;
	else if (q->response.p == NULL)
		q->response.p = "";
	(void)span_copy(q->certificate, q->facts.certificate,
	    sizeof(q->facts.certificate));
	q->facts.plus = q->facts.nexporter > 0 || q->facts.nend_point > 0;
	return ipc_at_end(&rd) && (has || q->response.len == 0) &&
	    m->request != 0 && is_service_of(m->ch->peer, q->service);
}

int
on_auth(void *arg, struct ipc_msg *m)
{
	struct auth_ask q = { .response = { NULL, 0 } };
	const struct sasl_mechanism *mechanism;
	struct authd *a = arg;
	struct exchange *x;

	if (!read_ask(m, &q))
		return -1;
	a->logins++;
	/* The asker gave up without a word, and counts anew. */
	if ((x = exchange_find(a, m->ch, m->session)) != NULL)
		exchange_end(a, x);
	mechanism = sasl_find(q.mechanism);
	if (mechanism == NULL || !may_use(a, mechanism, q.service, q.flags)) {
		answer(m->ch, m, AUTH_FAIL, "No such mechanism here");
		return 0;
	}
	if ((x = exchange_new(a, m->ch, m->session)) == NULL) {
		answer(m->ch, m, AUTH_TEMP, "Too many logins at once");
		return 0;
	}
	x->service = q.service;
	(void)span_copy(q.client, x->client, sizeof(x->client));
	throttle_address(q.client, &x->address);
	sasl_init(&x->sasl, mechanism, &q.facts);
	step(a, x, m, q.response);
	return 0;
}

int
on_auth_step(void *arg, struct ipc_msg *m)
{
	struct authd *a = arg;
	struct ipc_reader rd = ipc_reader(m);
	struct span response = ipc_get_span(&rd, IPC_SASL_MAX);
	struct exchange *x = exchange_find(a, m->ch, m->session);

	if (!ipc_at_end(&rd) || m->request == 0)
		return -1;
	if (x == NULL) { /* too slow, or we were started anew meanwhile */
		answer(m->ch, m, AUTH_TEMP, "This login took too long");
		return 0;
	}
	if (x->login != NULL) /* it is not the client's turn */
		return -1;
	exchange_wake(a, x);
	step(a, x, m, response);
	return 0;
}

int
on_auth_abort(void *arg, struct ipc_msg *m)
{
	struct authd *a = arg;
	struct exchange *x = exchange_find(a, m->ch, m->session);

	if (x != NULL)
		exchange_end(a, x);
	return 0;
}
