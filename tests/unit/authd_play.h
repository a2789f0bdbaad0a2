/*
 * authd_play.h - an authd with its real rooms and channels, and a pop3d, two
 * smtpd, an authd -w and a master at the other ends, in one process. Accounts:
 * user1 and user2@example.test with the passwords secret1 and secret2, box@...
 * that nobody logs in to, and whatever else a test adds.
 */
#ifndef TESTS_UNIT_AUTHD_PLAY_H
#define TESTS_UNIT_AUTHD_PLAY_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "authd/authd.h"
#include "lib/clock.h"
#include "lib/mail/base64.h"
#include "lib/mail/verifier.h"
#include "lib/mem.h"
#include "tests/unit/check.h"
#include "tests/unit/fake_peer.h"

enum { POP, SMTP, SMTP2, PLAY_ASKERS };

#define PLAY_WAIT_MS 20000

static struct play {
	struct authd a;
	struct channel far[PLAY_ASKERS], worker, master;
	/* the last answer to an asker */
	unsigned answers;
	uint16_t type;           /* IPC_AUTH_CHALLENGE, IPC_AUTH_ANSWER, 0: lost */
	uint8_t status;
	char text[512];          /* a challenge, or the words */
	size_t ntext;
	char account[256], ticket[64];
	size_t nticket;
	uint8_t offer[PLAY_ASKERS];
	unsigned offers;
	/* what authd -w was asked */
	unsigned checks, scrams, proofs;
	char block[65], name[300];
	uint8_t service;
	bool worker_dead;        /* it answers nothing */
	/* what master was told */
	unsigned grants;
	bool deny;               /* and says no */
	char granted[256];
	unsigned granted_role, granted_worker;
} play;

static const char play_conf[] =
    "config 1\n"
    "host mx.example.test\n"
    "contact user2@example.test\n"
    "tls t { cert /c; key /k }\n"
    "listen mx { port 2525 }\n"
    "users virtual { file /etc/users; store mbox }\n"
    "domain example.test, second.test { users virtual; default; "
    "aliases /etc/aliases; subaddress \"+\" }\n"
    "domain catch.test { users virtual; catchall user1@example.test }\n";

/* -- authd -w ----------------------------------------------------------------- */

/* Of user1 and user2 alone. */
static inline bool
play_password(struct span address, char out[16])
{
	if (span_eqstr(address, "user1@example.test"))
		snprintf(out, 16, "secret1");
	else if (span_eqstr(address, "user2@example.test"))
		snprintf(out, 16, "secret2");
	else if (span_eqstr(address, "box@example.test"))
		snprintf(out, 16, "secret3");
	else
		return false;
	return true;
}

static inline struct verifier
play_verifier(struct span address)
{
	char password[16] = "nobody";
	struct verifier v;

	(void)play_password(address, password);
	check_int(verifier_make(&v, span_str(password), address.len > 8 ?
	    span_make(address.p, 8) : span_str("saltsalt"), 4096), 0);
	return v;
}

static inline void
play_asked(struct span block, struct span name)
{
	(void)span_copy(block, play.block, sizeof(play.block));
	(void)span_copy(name, play.name, sizeof(play.name));
}

static int
play_on_pw(void *arg, struct ipc_msg *m)
{
	struct ipc_writer w = ipc_reply_begin(m->ch, m, IPC_PW);

	(void)arg;
	ipc_put_u8(&w, PW_NONE);
	ipc_put_str(&w, "");
	ipc_put_u32(&w, 0);
	ipc_put_u32(&w, 0);
	ipc_put_str(&w, "");
	ipc_put_str(&w, "");
	return ipc_end(&w);
}

static int
play_on_check(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);
	struct span block = ipc_get_span(&rd, 64);
	struct span name = ipc_get_span(&rd, 300);
	struct span password = ipc_get_span(&rd, 1000);
	struct ipc_writer w;
	char known[16];
	bool right;

	(void)arg;
	play.checks++;
	play.service = ipc_get_u8(&rd);
	(void)ipc_get_span(&rd, 300); /* the client */
	check_true(ipc_at_end(&rd));
	play_asked(block, name);
	if (play.worker_dead)
		return 0;
	right = play_password(name, known) && span_eqstr(password, known);
	w = ipc_reply_begin(m->ch, m, IPC_PW_CHECKED);
	ipc_put_u8(&w, right ? PW_OK : PW_WRONG);
	return ipc_end(&w);
}

static int
play_on_scram(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);
	struct span block = ipc_get_span(&rd, 64);
	struct span name = ipc_get_span(&rd, 300);
	struct verifier v = play_verifier(name);
	struct ipc_writer w;

	(void)arg;
	play.scrams++;
	play.service = ipc_get_u8(&rd);
	check_true(ipc_at_end(&rd));
	play_asked(block, name);
	if (play.worker_dead)
		return 0;
	w = ipc_reply_begin(m->ch, m, IPC_PW_SALT);
	ipc_put_u8(&w, PW_OK);
	ipc_put_u32(&w, v.iterations);
	ipc_put_span(&w, span_make(v.salt, v.nsalt));
	return ipc_end(&w);
}

static int
play_on_proof(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);
	unsigned char signature[VERIFIER_KEY];
	struct span name, salt, message, proof;
	struct ipc_writer w;
	struct verifier v;
	bool right;

	(void)arg;
	play.proofs++;
	(void)ipc_get_span(&rd, 64);
	name = ipc_get_span(&rd, 300);
	play.service = ipc_get_u8(&rd);
	salt = ipc_get_span(&rd, 64);
	message = ipc_get_span(&rd, 8192);
	proof = ipc_get_span(&rd, VERIFIER_KEY);
	check_true(ipc_at_end(&rd));
	v = play_verifier(name);
	check_mem(salt.p, salt.len, v.salt, v.nsalt);
	/* Of somebody who is not there it may even be right. */
	right = verifier_proof(&v, message, proof, signature);
	w = ipc_reply_begin(m->ch, m, IPC_PW_PROVED);
	ipc_put_u8(&w, right ? PW_OK : PW_WRONG);
	ipc_put_span(&w, span_make(signature, right ? VERIFIER_KEY : 0));
	return ipc_end(&w);
}

static inline void
play_users(bool scram)
{
	static const struct { const char *name; uint8_t flags;
	    const char *senders; } rows[] = {
		{ "user1@example.test", 0, "" },
		{ "user2@example.test", 0,
		    "Boss@far.example,@third.example" },
		{ "box@example.test", USER_F_NOLOGIN, "" },
		{ "everywhere", 0, "" },
	};
	struct ipc_writer w;
	size_t i;

	w = ipc_begin(&play.worker, IPC_USERS_BEGIN, 0, 0);
	ipc_put_str(&w, "virtual");
	ipc_end(&w);
	w = ipc_begin(&play.worker, IPC_USERS_ROW, 0, 0);
	ipc_put_u16(&w, nitems(rows));
	for (i = 0; i < nitems(rows); i++) {
		ipc_put_str(&w, rows[i].name);
		ipc_put_u32(&w, 20001);
		ipc_put_u32(&w, UINT32_MAX);
		ipc_put_u64(&w, 0);
		ipc_put_u8(&w, rows[i].flags);
		ipc_put_str(&w, "/home/x");
		ipc_put_str(&w, rows[i].senders);
	}
	ipc_end(&w);
	w = ipc_begin(&play.worker, IPC_USERS_END, 0, 0);
	ipc_put_u32(&w, nitems(rows));
	ipc_put_u8(&w, scram);
	check_int(ipc_end(&w), 0);
}

/* -- master, pop3d, smtpd ----------------------------------------------------- */

static int
play_on_grant(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);
	struct span ticket = ipc_get_span(&rd, 64);
	struct ipc_writer w;

	(void)arg;
	play.grants++;
	memcpy(play.ticket, ticket.p, ticket.len);
	play.granted_role = ipc_get_u8(&rd);
	play.granted_worker = ipc_get_u16(&rd);
	(void)span_copy(ipc_get_span(&rd, 255), play.granted,
	    sizeof(play.granted));
	w = ipc_reply_begin(m->ch, m, IPC_GRANT_DONE);
	ipc_put_u8(&w, !play.deny);
	return ipc_end(&w);
}

static int
play_on_offer(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);

	(void)arg;
	play.offers++;
	play.offer[m->ch - play.far] = ipc_get_u8(&rd);
	return ipc_at_end(&rd) ? 0 : -1;
}

static int
play_on_answer(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd;
	struct span s;

	(void)arg;
	play.answers++;
	play.type = m == NULL ? 0 : m->type;
	if (m == NULL)
		return 0;
	rd = ipc_reader(m);
	if (m->type == IPC_AUTH_ANSWER || m->type == IPC_SENDER_ANSWER)
		play.status = ipc_get_u8(&rd);
	if (m->type == IPC_AUTH_ANSWER) {
		s = ipc_get_span(&rd, 64);
		play.nticket = s.len;
		check_true(s.len == 0 ||
		    memcmp(play.ticket, s.p, s.len) == 0);
		(void)span_copy(ipc_get_span(&rd, 255), play.account,
		    sizeof(play.account));
	}
	if (m->type != IPC_SENDER_ANSWER) {
		s = ipc_get_span(&rd, sizeof(play.text) - 1);
		memcpy(play.text, s.len > 0 ? s.p : "", s.len);
		play.text[s.len] = '\0';
		play.ntext = s.len;
	}
	return ipc_at_end(&rd) ? 0 : -1;
}

/* -- the channels ------------------------------------------------------------- */

static inline void
play_far(struct channel *far, enum role role, struct channel *near)
{
	static const struct ipc_handler own[] = {
		{ IPC_PW_NAME,  play_on_pw },
		{ IPC_PW_UID,   play_on_pw },
		{ IPC_PW_CHECK, play_on_check },
		{ IPC_PW_SCRAM, play_on_scram },
		{ IPC_PW_PROOF, play_on_proof },
		{ IPC_GRANT,      play_on_grant },
		{ IPC_AUTH_OFFER, play_on_offer },
		IPC_HANDLERS_END
	};
	int sv[2];

	peer_pair(sv);
	channel_init(far, &play.a.daemon.loop, role, ROLE_AUTHD,
	    peer_handlers(role, ROLE_AUTHD, own), NULL);
	channel_open(far, sv[1]);
	channel_open(near, sv[0]);
}

static inline void
play_rounds(unsigned n)
{
	while (n-- > 0)
		loop_run_once(&play.a.daemon.loop, 1);
}

static inline void
play_begin(void)
{
	static const struct ipc_handler none[] = { IPC_HANDLERS_END };
	static const enum role roles[PLAY_ASKERS] = { ROLE_POP3D, ROLE_SMTPD,
	    ROLE_SMTPD };
	static struct daemon_spec spec = { .role = ROLE_AUTHD };
	struct conf_errors errors = { 0 };
	struct daemon *d = &play.a.daemon;
	size_t i;

	memset(&play, 0, sizeof(play));
	spec.peers = authd_peers;
	d->spec = &spec;
	d->arg = &play.a;
	loop_init(&d->loop);
	d->conf = conf_parse(span_str(play_conf), "play", true, &errors);
	if (d->conf == NULL) {
		printf("%s\n", errors.list[0].text);
		exit(1);
	}
	channel_init(&d->master, &d->loop, ROLE_AUTHD, ROLE_MASTER,
	    peer_handlers(ROLE_AUTHD, ROLE_MASTER, none), d);
	directory_set(&play.a.dir, d->conf);
	authd_rooms(&play.a);
	play_far(&play.master, ROLE_MASTER, &d->master);
	play_far(&play.worker, ROLE_AUTHW, daemon_peer(d, ROLE_AUTHW, 0));
	for (i = 0; i < PLAY_ASKERS; i++) {
		struct channel *near = daemon_peer(d, roles[i], i == SMTP2);

		play_far(&play.far[i], roles[i], near);
		auth_offer_to(&play.a, near);
	}
	play_users(true);
	play_rounds(5);
}

static inline void
play_end(void)
{
	size_t i;

	for (i = 0; i < PLAY_ASKERS; i++)
		channel_abandon(&play.far[i]);
	for (i = 0; i < play.a.daemon.npeers; i++)
		exchanges_lost(&play.a, play.a.daemon.peers[i]);
	check_int(play.a.exchanges.table.n, 0);
	conf_free(play.a.daemon.conf);
	directory_clear(&play.a.dir);
}

/* -- what an asker does ------------------------------------------------------- */

#define PLAY_NOTHING NULL, 0 /* no first message */

/* Until there is an answer; false: none came. */
static inline bool
play_wait(unsigned answers)
{
	int64_t end = clock_boot_ms() + PLAY_WAIT_MS;

	while (play.answers == answers && clock_boot_ms() < end)
		loop_run_once(&play.a.daemon.loop, 50);
	return play.answers != answers;
}

struct play_ask {
	const char *mechanism, *client, *certificate, *exporter;
	uint8_t service;
	bool clear;
};

static inline void
play_auth_send(int who, uint32_t session, const struct play_ask *q,
    const char *response, size_t len)
{
	struct channel *ch = &play.far[who];
	uint32_t request = channel_request(ch, PLAY_WAIT_MS, play_on_answer,
	    NULL);
	struct ipc_writer w = ipc_begin(ch, IPC_AUTH, request, session);

	ipc_put_u8(&w, q->service != 0 ? q->service : who == POP ?
	    LISTEN_POP3 : LISTEN_SUBMISSION);
	ipc_put_str(&w, q->mechanism);
	ipc_put_u8(&w, response != NULL);
	ipc_put_span(&w, span_make(response, len));
	ipc_put_str(&w, q->client != NULL ? q->client : "192.0.2.7:5555");
	ipc_put_u8(&w, q->clear ? 0 : AUTH_F_TLS);
	ipc_put_str(&w, q->exporter != NULL ? q->exporter : "");
	ipc_put_str(&w, "");
	ipc_put_str(&w, q->certificate != NULL ? q->certificate : "");
	check_int(ipc_end(&w), 0);
}

/* The answer's type. */
static inline unsigned
play_auth(int who, uint32_t session, const struct play_ask *q,
    const char *response, size_t len)
{
	unsigned answers = play.answers;

	play_auth_send(who, session, q, response, len);
	return play_wait(answers) ? play.type : 0;
}

static inline void
play_step_send(int who, uint32_t session, const char *response, size_t len)
{
	struct channel *ch = &play.far[who];
	uint32_t request = channel_request(ch, PLAY_WAIT_MS, play_on_answer,
	    NULL);
	struct ipc_writer w = ipc_begin(ch, IPC_AUTH_STEP, request, session);

	ipc_put_span(&w, span_make(response, len));
	check_int(ipc_end(&w), 0);
}

static inline unsigned
play_step(int who, uint32_t session, const char *response)
{
	unsigned answers = play.answers;

	play_step_send(who, session, response, strlen(response));
	return play_wait(answers) ? play.type : 0;
}

/* PLAIN with both at once; gives the status. */
static inline int
play_plain(int who, const char *client, const char *name,
    const char *password)
{
	static uint32_t session = 1000;
	struct play_ask q = { .mechanism = "PLAIN", .client = client };
	char text[512];
	int n = snprintf(text, sizeof(text), "%c%s%c%s", 0, name, 0,
	    password);

	return play_auth(who, ++session, &q, text, (size_t)n) ==
	    IPC_AUTH_ANSWER ? play.status : -1;
}

#endif /* TESTS_UNIT_AUTHD_PLAY_H */
