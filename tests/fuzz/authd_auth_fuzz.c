/*
 * Fuzzes what pop3d and smtpd say to authd about logins, in the contract and out of
 * it, as if somebody owned them. Held: no ticket, no account and no grant without
 * a password that is right; no exchange outlives its channel.
 *
 * The input is a list of messages: who (low two bits) and what, session, length,
 * octets.
 */
#include "lib/log.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/authd_play.h"

#define MESSAGES_MAX 40

static void
rounds(unsigned n)
{
	while (n-- > 0)
		loop_run_once(&play.a.daemon.loop, 0);
}

/* As it is, whatever the contract says of it. */
static void
raw(int who, uint16_t type, uint32_t session, struct span body)
{
	static uint32_t request;
	struct buf frame = BUF_INIT(IPC_FRAME_MAX);

	buf_add_u32(&frame, (uint32_t)(IPC_HEAD + body.len));
	buf_add_u16(&frame, type);
	buf_add_u16(&frame, 0);
	buf_add_u32(&frame, ++request | 1u << 30);
	buf_add_u32(&frame, session);
	buf_add_span(&frame, body);
	if (channel_is_open(&play.far[who]))
		(void)buf_write_all(&frame, play.far[who].fd);
	buf_clear(&frame);
}

static void
message(int who, unsigned what, uint32_t session, struct span body)
{
	static const char *const mechanisms[] = { "PLAIN", "LOGIN",
	    "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "EXTERNAL", "" };
	struct play_ask q = { .mechanism = mechanisms[what % 6],
	    .exporter = "EXPORTER", .certificate = "nobody@example.test" };
	static const uint16_t types[] = { IPC_AUTH, IPC_AUTH_STEP,
	    IPC_AUTH_ABORT, IPC_SENDER_ASK, IPC_RCPT_ASK, IPC_UID_ASK,
	    IPC_GRANT, IPC_USERS_ROW };

	if (what < 24)
		play_auth_send(who, session, &q, what < 12 ? body.p : NULL,
		    what < 12 ? body.len : 0);
	else if (what < 48)
		play_step_send(who, session, body.p, body.len);
	else if (what < 52)
		raw(who, IPC_AUTH_ABORT, session, span_make("", 0));
	else
		raw(who, types[what % nitems(types)], session, body);
	rounds(6);
}

/* Those that ended are there again, as master sees to. */
static void
reopen(void)
{
	static const enum role roles[PLAY_ASKERS] = { ROLE_POP3D, ROLE_SMTPD,
	    ROLE_SMTPD };
	size_t i;

	for (i = 0; i < PLAY_ASKERS; i++) {
		struct channel *near = daemon_peer(&play.a.daemon, roles[i],
		    i == SMTP2);

		if (channel_is_open(near) && channel_is_open(&play.far[i]))
			continue;
		channel_close(&play.far[i]);
		play_far(&play.far[i], roles[i], near);
	}
	rounds(2);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_make(data, size), body;
	unsigned n, grants;
	bool right;
	size_t i;

	if (play.a.daemon.conf == NULL) {
		log_stderr_level(LOG_L_ERROR + 1);
		play_begin();
		play.a.throttle.off = true;
	}
	/* Whoever knows a password may have what is his. */
	right = memmem(data, size, "secret", 6) != NULL;
	grants = play.grants;
	play.account[0] = '\0';
	for (n = 0; n < MESSAGES_MAX && rest.len >= 3; n++) {
		unsigned head = (unsigned char)rest.p[0];
		uint32_t session = (unsigned char)rest.p[1] % 4u;
		size_t len = (unsigned char)rest.p[2];

		rest = span_from(rest, 3);
		body = span_make(rest.p, len < rest.len ? len : rest.len);
		rest = span_from(rest, body.len);
		message((int)(head % PLAY_ASKERS), head >> 2, session, body);
		reopen();
	}
	if (!right)
		hold(play.grants == grants && play.account[0] == '\0');
	for (i = 0; i < PLAY_ASKERS; i++)
		channel_close(&play.far[i]);
	rounds(6);
	hold(play.a.exchanges.table.n == 0 &&
	    play.a.exchanges.first == NULL);
	reopen();
	hold(check_state.failed == 0);
	return 0;
}
