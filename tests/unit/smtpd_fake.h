/*
 * smtpd_fake.h - a worker of smtpd with its real sessions and channels, and an
 * authd and a queued at the other ends that live in the same process. For
 * the unit tests and the fuzz target of smtpd. TLS is only said to be there:
 * fake_secure().
 */
#ifndef TESTS_UNIT_SMTPD_FAKE_H
#define TESTS_UNIT_SMTPD_FAKE_H

#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "smtpd/smtpd.h"

#define FAKE_OUT_MAX (1u << 20)

static struct fake {
	struct smtpd d;
	struct loop loop;
	struct conf *conf;
	struct smtpd_listener mx, submit, submission, device;
	struct conf_listen any;  /* submission with "senders any" */
	struct channel authd, queued;             /* smtpd's ends */
	struct channel authd_peer, queued_peer;   /* the others */
	int client;            /* our end of the session, or -1 */
	struct buf out;        /* all that smtpd has said to it */
	bool closed;           /* by smtpd */
	/* what queued has seen */
	unsigned begun, committed, aborted, rcpts;
	uint64_t qid;
	char from[ADDR_TEXT], last_rcpt[ADDR_TEXT], account[64];
	struct buf text;       /* of the last transaction */
	bool text_whole;       /* which was committed */
	/* what authd has seen of logins */
	unsigned logins, steps, aborts, senders;
	char mechanism[32], asked[ADDR_TEXT];
	bool hold_senders;     /* SENDER_ASK waits for fake_sender_answer() */
	uint32_t sender_request;
	bool hold_auth;        /* likewise, for ever */
	bool hold_answers;     /* authd keeps quiet until fake_answer() */
	struct { uint32_t request; uint8_t verdict; } held[200];
	size_t nheld;
	unsigned done_code;    /* what queued says to COMMIT */
	bool narrow;           /* queued gives no window beyond the first */
} fake;

static uint8_t
fake_verdict(struct span local, struct span domain)
{
	if (span_caseeq(local, "postmaster") && domain.len == 0)
		return RCPT_OK;
	if (!span_caseeq(domain, "example.test"))
		return RCPT_RELAY;
	if (span_eqstr(local, "later"))
		return RCPT_TEMP;
	return span_prefix(local, "user") ? RCPT_OK : RCPT_UNKNOWN;
}

static inline void
fake_answer_one(uint32_t request, uint8_t verdict)
{
	struct ipc_msg m = { .request = request };
	struct ipc_writer w;

	w = ipc_reply_begin(&fake.authd_peer, &m, IPC_RCPT_ANSWER);
	ipc_put_u8(&w, verdict);
	ipc_put_str(&w, "");
	ipc_put_str(&w, "");
	ipc_end(&w);
}

static int
fake_on_rcpt_ask(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);
	struct span local, domain;
	uint8_t verdict;

	(void)arg;
	ipc_get_u8(&rd);
	local = ipc_get_span(&rd, IPC_PATH_MAX);
	domain = ipc_get_span(&rd, IPC_PATH_MAX);
	verdict = fake_verdict(local, domain);
	if (fake.hold_answers && fake.nheld < nitems(fake.held)) {
		fake.held[fake.nheld].request = m->request;
		fake.held[fake.nheld++].verdict = verdict;
	} else
		fake_answer_one(m->request, verdict);
	return 0;
}

static int
fake_on_uid_ask(void *arg, struct ipc_msg *m)
{
	struct ipc_writer w;

	(void)arg;
	w = ipc_reply_begin(&fake.authd_peer, m, IPC_UID_ANSWER);
	ipc_put_u8(&w, 1);
	ipc_put_str(&w, "user1");
	ipc_put_str(&w, "user1@example.test");
	ipc_put_str(&w, "A User");
	ipc_end(&w);
	return 0;
}

/* -- authd: logins and senders --------------------------------------------- */

static void
fake_auth_answer(const struct ipc_msg *m, uint8_t status)
{
	struct ipc_writer w;

	w = ipc_reply_begin(&fake.authd_peer, m, IPC_AUTH_ANSWER);
	ipc_put_u8(&w, status);
	ipc_put_str(&w, "");
	ipc_put_str(&w, status == AUTH_OK ? "user1@example.test" : "");
	ipc_put_str(&w, "words");
	ipc_end(&w);
}

static void
fake_auth_challenge(const struct ipc_msg *m, const char *text)
{
	struct ipc_writer w;

	w = ipc_reply_begin(&fake.authd_peer, m, IPC_AUTH_CHALLENGE);
	ipc_put_str(&w, text);
	ipc_end(&w);
}

/* "secret" at the end of a response is right, "later" cannot be checked. */
static void
fake_auth_judge(const struct ipc_msg *m, struct span response)
{
	struct span last = response;
	ssize_t nul = span_rfind(response, '\0');

	if (nul != -1)
		last = span_from(response, (size_t)nul + 1);
	if (!fake.hold_auth)
		fake_auth_answer(m, span_eqstr(last, "secret") ? AUTH_OK :
		    span_eqstr(last, "later") ? AUTH_TEMP : AUTH_FAIL);
}

static int
fake_on_auth(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);
	struct span response;
	bool has;

	(void)arg;
	if (ipc_get_u8(&rd) != LISTEN_SUBMISSION)
		abort();
	span_copy(ipc_get_span(&rd, 31), fake.mechanism,
	    sizeof(fake.mechanism));
	has = ipc_get_u8(&rd) != 0;
	response = ipc_get_span(&rd, IPC_BODY_MAX);
	ipc_get_span(&rd, IPC_PATH_MAX);
	if (ipc_get_u8(&rd) != AUTH_F_TLS)
		abort();
	ipc_get_span(&rd, TLS_BINDING_MAX);
	ipc_get_span(&rd, TLS_BINDING_MAX);
	ipc_get_span(&rd, IPC_PATH_MAX);
	if (!ipc_at_end(&rd) || m->session == 0)
		abort();
	fake.logins++;
	fake.steps = 0;
	if (strcmp(fake.mechanism, "LOGIN") == 0)
		fake_auth_challenge(m, "Username:");
	else if (!has)
		fake_auth_challenge(m, "");
	else
		fake_auth_judge(m, response);
	return 0;
}

static int
fake_on_auth_step(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);
	struct span response = ipc_get_span(&rd, IPC_BODY_MAX);

	(void)arg;
	if (++fake.steps == 1 && strcmp(fake.mechanism, "LOGIN") == 0)
		fake_auth_challenge(m, "Password:");
	else
		fake_auth_judge(m, response);
	return 0;
}

static int
fake_on_auth_abort(void *arg, struct ipc_msg *m)
{
	(void)arg;
	(void)m;
	fake.aborts++;
	return 0;
}

static inline void
fake_sender_answer(uint32_t request, uint8_t status)
{
	struct ipc_msg m = { .request = request };
	struct ipc_writer w;

	w = ipc_reply_begin(&fake.authd_peer, &m, IPC_SENDER_ANSWER);
	ipc_put_u8(&w, status);
	ipc_end(&w);
}

/* user1 is alias, too, and may write as list. */
static int
fake_on_sender_ask(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);
	struct span account = ipc_get_span(&rd, IPC_PATH_MAX);
	struct span address = ipc_get_span(&rd, IPC_PATH_MAX);

	(void)arg;
	if (!span_eqstr(account, "user1@example.test"))
		abort();
	fake.senders++;
	span_copy(address, fake.asked, sizeof(fake.asked));
	fake.sender_request = m->request;
	if (!fake.hold_senders)
		fake_sender_answer(m->request, span_eqstr(address,
		    "user1@example.test") || span_eqstr(address,
		    "alias@example.test") ? SENDER_OK : span_eqstr(address,
		    "list@example.test") ? SENDER_GRANTED :
		    span_prefix(address, "later@") ? SENDER_TEMP :
		    SENDER_FOREIGN);
	return 0;
}

/* -- queued ---------------------------------------------------------------- */

static void
fake_grant(void)
{
	struct ipc_writer w;

	w = ipc_begin(&fake.queued_peer, IPC_QID_GRANT, 0, 0);
	ipc_put_u64(&w, 1000);
	ipc_put_u32(&w, 256);
	ipc_end(&w);
}

static int
fake_on_qid_ask(void *arg, struct ipc_msg *m)
{
	(void)arg;
	(void)m;
	fake_grant();
	return 0;
}

static int
fake_on_begin(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);

	(void)arg;
	fake.qid = ipc_get_u64(&rd);
	ipc_get_u64(&rd);
	ipc_get_u32(&rd);
	ipc_get_u64(&rd);
	span_copy(ipc_get_span(&rd, IPC_PATH_MAX), fake.from,
	    sizeof(fake.from));
	span_copy(ipc_get_span(&rd, 60), fake.account, sizeof(fake.account));
	fake.begun++;
	fake.rcpts = 0;
	fake.text_whole = false;
	buf_reset(&fake.text);
	return 0;
}

static int
fake_on_rcpt(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);

	(void)arg;
	span_copy(ipc_get_span(&rd, IPC_PATH_MAX), fake.last_rcpt,
	    sizeof(fake.last_rcpt));
	fake.rcpts++;
	return 0;
}

static int
fake_on_body(void *arg, struct ipc_msg *m)
{
	struct ipc_writer w;

	(void)arg;
	buf_add_span(&fake.text, m->body);
	if (fake.narrow)
		return 0;
	w = ipc_begin(&fake.queued_peer, IPC_TX_WINDOW, 0, m->session);
	ipc_put_u32(&w, (uint32_t)m->body.len);
	ipc_end(&w);
	return 0;
}

static int
fake_on_commit(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);
	struct ipc_writer w;

	(void)arg;
	if (ipc_get_u64(&rd) != fake.text.len)
		abort();
	fake.committed++;
	fake.text_whole = true;
	w = ipc_begin(&fake.queued_peer, IPC_TX_DONE, 0, m->session);
	ipc_put_u16(&w, (uint16_t)fake.done_code);
	ipc_put_str(&w, fake.done_code == 250 ? "2.0.0" : "4.3.0");
	ipc_put_str(&w, "as queued says");
	ipc_end(&w);
	return 0;
}

static int
fake_on_abort(void *arg, struct ipc_msg *m)
{
	(void)arg;
	(void)m;
	fake.aborted++;
	return 0;
}

static const struct ipc_handler fake_authd_handlers[] = {
	{ IPC_RCPT_ASK, fake_on_rcpt_ask },
	{ IPC_UID_ASK,  fake_on_uid_ask },
	{ IPC_AUTH,       fake_on_auth },
	{ IPC_AUTH_STEP,  fake_on_auth_step },
	{ IPC_AUTH_ABORT, fake_on_auth_abort },
	{ IPC_SENDER_ASK, fake_on_sender_ask },
	IPC_HANDLERS_END
};

static const struct ipc_handler fake_queued_handlers[] = {
	{ IPC_QID_ASK,   fake_on_qid_ask },
	{ IPC_TX_BEGIN,  fake_on_begin },
	{ IPC_TX_RCPT,   fake_on_rcpt },
	{ IPC_TX_BODY,   fake_on_body },
	{ IPC_TX_COMMIT, fake_on_commit },
	{ IPC_TX_ABORT,  fake_on_abort },
	IPC_HANDLERS_END
};

static void
fake_pair(int sv[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
	    sv) == -1)
		abort();
}

static const struct daemon_peer *
fake_peer_spec(enum role role)
{
	const struct daemon_peer *p = smtpd_peers;

	while (p->role != role)
		p++;
	return p;
}

static void
fake_on_lost(void *arg, struct channel *ch)
{
	const struct daemon_peer *p = fake_peer_spec(ch->peer);

	if (p->on_down != NULL)
		p->on_down(arg, ch);
}

static void
fake_join(enum role role, struct channel *ours, struct channel *theirs,
    const struct ipc_handler *handlers)
{
	const struct daemon_peer *p = fake_peer_spec(role);
	int sv[2];

	fake_pair(sv);
	channel_init(ours, &fake.loop, ROLE_SMTPD, role, p->handlers, &fake.d);
	ours->on_lost = fake_on_lost;
	channel_init(theirs, &fake.loop, role, ROLE_SMTPD, handlers, NULL);
	channel_open(ours, sv[0]);
	channel_open(theirs, sv[1]);
}

/* Output goes to out; true if anything happened. */
static inline bool
fake_round(void)
{
	char in[65536];
	ssize_t n;
	size_t before = fake.d.qids[0].left + fake.text.len +
	    fake.committed + fake.begun;

	loop_run_once(&fake.loop, 0);
	if (fake.client == -1 || fake.closed)
		return false;
	n = recv(fake.client, in, sizeof(in), MSG_DONTWAIT);
	if (n > 0)
		buf_add(&fake.out, in, (size_t)n);
	else if (n == 0 || (n == -1 && errno != EAGAIN))
		fake.closed = true;
	return n > 0 || before != fake.d.qids[0].left + fake.text.len +
	    fake.committed + fake.begun;
}

static inline void
fake_settle(void)
{
	int quiet = 0;

	while (quiet < 4)
		quiet = fake_round() ? 0 : quiet + 1;
}

/* fake_start - once; limits is what stands in the mx listener's braces. */
static inline void
fake_start(const char *limits)
{
	struct conf_errors errors = { 0 };
	char text[2000];

	snprintf(text, sizeof(text), "config 1 for smtpd\nhost mx.example.test\n"
	    "tls main { cert /cert.pem; key /key.pem }\n"
	    "listen mx { port 2525; tls main offered; %s }\n"
	    "listen submission { port 2526; tls main required; size 64K }\n"
	    "listen device { port 2527; from 192.0.2.0/24; to any; size 64K }"
	    "\n", limits);
	log_stderr_level(LOG_L_ERROR);
	loop_init(&fake.loop);
	fake.conf = conf_parse(span_str(text), "test", true, &errors);
	if (fake.conf == NULL) {
		fprintf(stderr, "%s\n", errors.list[0].text);
		abort();
	}
	fake_join(ROLE_AUTHD, &fake.authd, &fake.authd_peer,
	    fake_authd_handlers);
	fake_join(ROLE_QUEUED, &fake.queued, &fake.queued_peer,
	    fake_queued_handlers);
	smtpd_init(&fake.d, &fake.loop, fake.conf, &fake.authd, &fake.queued);
	fake.mx.smtpd = fake.submit.smtpd = &fake.d;
	fake.submission.smtpd = fake.device.smtpd = &fake.d;
	fake.mx.conf = &fake.conf->listens[0];
	fake.submission.conf = &fake.conf->listens[1];
	fake.device.conf = &fake.conf->listens[2];
	fake.any = *fake.submission.conf;
	fake.any.senders_any = true;
	fake.submit.conf = &fake.d.submit;
	fake.client = -1;
	fake.done_code = 250;
	buf_init(&fake.out, FAKE_OUT_MAX);
	buf_init(&fake.text, 64u << 20);
	fake_grant();
	fake_settle();
}

/* fake_connect - a client of that listener; it is the only one. */
static inline void
fake_connect(struct smtpd_listener *l)
{
	struct sockaddr_storage ss = { 0 };
	struct sockaddr_in *in = (struct sockaddr_in *)&ss;
	int sv[2];

	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(0xc0000207); /* 192.0.2.7 */
	in->sin_port = htons(4711);
	fake_pair(sv);
	fake.client = sv[0];
	fake.closed = false;
	buf_reset(&fake.out);
	session_open(l, sv[1], &ss);
	fake_settle();
}

/* fake_secure - the handshake is over for the session at hand. */
static inline void
fake_secure(void)
{
	session_enter(fake.d.sessions, S_TLS);
	secure_done(fake.d.sessions);
	fake_settle();
}

static inline void
fake_hangup(void)
{
	close(fake.client);
	fake.closed = true;
	fake_settle();
	fake.client = -1;
	fake.hold_senders = fake.hold_auth = false;
}

/* fake_codes - those of whole replies so far, one blank between them. */
static inline const char *
fake_codes(void)
{
	static char out[4096];
	struct span rest = buf_span(&fake.out), line;
	size_t n = 0;

	out[0] = '\0';
	while (rest.len > 0 && n < sizeof(out) - 8) {
		span_split(rest, '\n', &line, &rest);
		if (line.len >= 4 && line.p[3] == ' ')
			n += (size_t)snprintf(out + n, sizeof(out) - n,
			    "%s%.3s", n > 0 ? " " : "", line.p);
	}
	return out;
}

/* fake_send - in pieces of so many octets, smtpd running in between. */
static inline void
fake_send(struct span in, size_t piece)
{
	size_t n;
	ssize_t rv;

	while (in.len > 0 && !fake.closed) {
		n = in.len < piece ? in.len : piece;
		rv = send(fake.client, in.p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (rv > 0)
			in = span_from(in, (size_t)rv);
		else if (errno != EAGAIN)
			break;
		if (!fake_round() && rv <= 0)
			break; /* it reads no more, for now or for ever */
	}
	fake_settle();
}

#endif
