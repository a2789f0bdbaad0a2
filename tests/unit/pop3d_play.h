/*
 * pop3d_play.h - a login process of pop3d with its real clients and channels, and
 * an authd and a master at the other ends that live in the same process. For its
 * unit test and its fuzz target. There is no TLS here: `login clear`.
 *
 * authd takes user1 with secret1. A mechanism without a first message gets an
 * empty challenge; SCRAM gets "more", then "done", and then is right.
 */
#ifndef TESTS_UNIT_POP3D_PLAY_H
#define TESTS_UNIT_POP3D_PLAY_H

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "pop3d/pop3d.h"
#include "tests/unit/fake_peer.h"

#define PLAY_OUT_MAX (1u << 20)
#define PLAY_TICKET  "0123456789abcdef"

static struct play {
	struct loop loop;
	struct pop3d d;
	struct conf *conf;
	struct channel authd, master;           /* pop3d's ends */
	struct channel authd_far, master_far;   /* the others */
	int client;              /* our end, or -1 */
	bool closed;             /* by pop3d */
	struct buf out;          /* all that the client heard */
	bool hold;               /* authd answers nothing */
	uint8_t status;          /* what it says to a right password */
	unsigned logins, steps, aborts, sessions;
	uint32_t exchange;
	char mechanism[32], response[128];
	size_t nresponse;
	bool has;                /* a first message came */
	int session_fd;          /* what master was given, or -1 */
	bool deny;               /* master has no such grant */
} play;

/* -- authd -------------------------------------------------------------------- */

static inline void
play_challenge(struct ipc_msg *m, const char *text)
{
	struct ipc_writer w = ipc_reply_begin(m->ch, m, IPC_AUTH_CHALLENGE);

	ipc_put_str(&w, text);
	ipc_end(&w);
}

static inline void
play_answer(struct ipc_msg *m, uint8_t status)
{
	struct ipc_writer w = ipc_reply_begin(m->ch, m, IPC_AUTH_ANSWER);

	ipc_put_u8(&w, status);
	ipc_put_str(&w, status == AUTH_OK ? PLAY_TICKET : "");
	ipc_put_str(&w, status == AUTH_OK ? "user1@example.test" : "");
	ipc_put_str(&w, "as authd says");
	ipc_end(&w);
}

static inline void
play_judge(struct ipc_msg *m, struct span response)
{
	static const char right[] = "\0user1\0secret1";

	play.nresponse = response.len < sizeof(play.response) ?
	    response.len : sizeof(play.response);
	memcpy(play.response, response.len > 0 ? response.p : "",
	    play.nresponse);
	if (strncmp(play.mechanism, "SCRAM", 5) == 0) {
		if (play.steps < 3)
			play_challenge(m, play.steps < 2 ? "more" : "done");
		else
			play_answer(m, play.status);
	} else
		play_answer(m, span_eq(response, span_make(right,
		    sizeof(right) - 1)) ? play.status : AUTH_FAIL);
}

static int
play_on_auth(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);
	struct span response;

	(void)arg;
	if (ipc_get_u8(&rd) != LISTEN_POP3 || m->session == 0)
		abort();
	span_copy(ipc_get_span(&rd, 31), play.mechanism,
	    sizeof(play.mechanism));
	play.has = ipc_get_u8(&rd) != 0;
	response = ipc_get_span(&rd, IPC_SASL_MAX);
	ipc_get_span(&rd, 64);
	if (ipc_get_u8(&rd) != 0) /* this is no TLS */
		abort();
	ipc_get_span(&rd, TLS_BINDING_MAX);
	ipc_get_span(&rd, TLS_BINDING_MAX);
	if (ipc_get_span(&rd, 1).len != 0 || !ipc_at_end(&rd))
		abort();
	play.logins++;
	play.steps = play.has;
	play.exchange = m->session;
	if (play.hold)
		return 0;
	if (!play.has)
		play_challenge(m, "");
	else
		play_judge(m, response);
	return 0;
}

static int
play_on_step(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);
	struct span response = ipc_get_span(&rd, IPC_SASL_MAX);

	(void)arg;
	if (!ipc_at_end(&rd) || m->session != play.exchange)
		abort();
	play.steps++;
	if (!play.hold)
		play_judge(m, response);
	return 0;
}

static int
play_on_abort(void *arg, struct ipc_msg *m)
{
	(void)arg;
	if (m->session == 0)
		abort();
	play.aborts++;
	return 0;
}

static inline void
play_offer(uint8_t offer)
{
	struct ipc_writer w = ipc_begin(&play.authd_far, IPC_AUTH_OFFER, 0, 0);

	ipc_put_u8(&w, offer);
	ipc_end(&w);
}

/* -- master ------------------------------------------------------------------- */

static int
play_on_session(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);
	struct ipc_writer w;

	(void)arg;
	if (!span_eqstr(ipc_get_span(&rd, 16), PLAY_TICKET) ||
	    !ipc_at_end(&rd) || m->fd == -1)
		abort();
	play.sessions++;
	if (play.session_fd != -1)
		close(play.session_fd);
	play.session_fd = play.deny ? -1 : ipc_take_fd(m);
	w = ipc_reply_begin(m->ch, m, IPC_SESSION_DONE);
	ipc_put_u8(&w, !play.deny);
	ipc_put_str(&w, play.deny ? "no grant" : "");
	ipc_end(&w);
	return 0;
}

/* -- all of it ---------------------------------------------------------------- */

static inline void
play_channels(void)
{
	static const struct ipc_handler own[] = {
		{ IPC_AUTH, play_on_auth },
		{ IPC_AUTH_STEP, play_on_step },
		{ IPC_AUTH_ABORT, play_on_abort },
		{ IPC_SESSION, play_on_session },
		IPC_HANDLERS_END
	};
	static const struct ipc_handler none[] = { IPC_HANDLERS_END };

	channel_init(&play.authd, &play.loop, ROLE_POP3D, ROLE_AUTHD,
	    auth_handlers, &play.d);
	channel_init(&play.master, &play.loop, ROLE_POP3D, ROLE_MASTER,
	    peer_handlers(ROLE_POP3D, ROLE_MASTER, none), &play.d);
	channel_init(&play.authd_far, &play.loop, ROLE_AUTHD, ROLE_POP3D,
	    peer_handlers(ROLE_AUTHD, ROLE_POP3D, own), NULL);
	channel_init(&play.master_far, &play.loop, ROLE_MASTER, ROLE_POP3D,
	    peer_handlers(ROLE_MASTER, ROLE_POP3D, own), NULL);
}

/* authd, for the first time or after it died. */
static inline void
play_authd_up(void)
{
	int sv[2];

	peer_pair(sv);
	channel_open(&play.authd, sv[0]);
	channel_open(&play.authd_far, sv[1]);
}

static inline void
play_begin(const char *conf)
{
	struct conf_errors errors = { 0 };
	int sv[2];

	memset(&play, 0, sizeof(play));
	play.client = play.session_fd = -1;
	play.status = AUTH_OK;
	buf_init(&play.out, PLAY_OUT_MAX);
	loop_init(&play.loop);
	play.conf = conf_parse(span_str(conf), "play", true, &errors);
	if (play.conf == NULL) {
		fprintf(stderr, "%s\n", errors.list[0].text);
		exit(1);
	}
	play.d.loop = &play.loop;
	play.d.conf = play.conf;
	play.d.authd = &play.authd;
	play.d.master = &play.master;
	play.d.next_sid = 1;
	clients_init(&play.d.clients);
	play.d.listeners[0].d = &play.d;
	play.d.listeners[0].conf = &play.conf->listens[0];
	play_channels();
	play_authd_up();
	peer_pair(sv);
	channel_open(&play.master, sv[0]);
	channel_open(&play.master_far, sv[1]);
}

/* Rounds of the loop; what the client hears is kept. */
static inline void
play_rounds(unsigned n)
{
	char piece[4096];
	ssize_t got;

	while (n-- > 0) {
		loop_run_once(&play.loop, 0);
		while (play.client != -1 && (got = read(play.client, piece,
		    sizeof(piece))) > 0)
			buf_add(&play.out, piece, (size_t)got);
		if (play.client != -1 && got == 0)
			play.closed = true;
	}
}

static inline void
play_connect(void)
{
	struct sockaddr_storage peer = { .ss_family = AF_INET };
	int sv[2];

	peer_pair(sv);
	fcntl(sv[0], F_SETFL, O_NONBLOCK);
	fcntl(sv[1], F_SETFL, O_NONBLOCK);
	play.client = sv[1];
	play.closed = false;
	buf_reset(&play.out);
	login_open(&play.d.listeners[0], sv[0], &peer);
	play_rounds(4);
}

static inline void
play_hang_up(void)
{
	if (play.client != -1)
		close(play.client);
	play.client = -1;
	if (play.session_fd != -1)
		close(play.session_fd);
	play.session_fd = -1;
	play_rounds(8);
}

static inline void
play_end(void)
{
	play_hang_up();
	channel_abandon(&play.authd_far);
	channel_abandon(&play.master_far);
	channel_abandon(&play.authd);
	channel_abandon(&play.master);
	clients_clear(&play.d.clients);
	loop_clear(&play.loop);
	buf_clear(&play.out);
	conf_free(play.conf);
}

static inline void
play_send(struct span s)
{
	size_t n;
	ssize_t put;

	while (s.len > 0 && play.client != -1) {
		n = s.len < 4096 ? s.len : 4096;
		put = send(play.client, s.p, n, MSG_NOSIGNAL);
		if (put <= 0)
			break;
		s = span_from(s, (size_t)put);
		play_rounds(4);
	}
	play_rounds(12);
}

#endif /* TESTS_UNIT_POP3D_PLAY_H */
