/*
 * Fuzzes what a POP3 client says before its login, in clear, against a real login
 * process with false peers. The first octet says what these do. Held: answers are
 * lines, nobody gets a mailbox but who knows the password, and nothing of a
 * client outlives it.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/pop3d_play.h"

#define INPUT_MAX 16384

static void
answers_check(struct span rest)
{
	struct span line;

	while (rest.len > 0) {
		hold(span_find(rest, '\n') != -1);
		span_split(rest, '\n', &line, &rest);
		hold(line.len > 0 && line.p[line.len - 1] == '\r');
		line.len--;
		hold(span_printable(line));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;

	if (size < 2 || size > INPUT_MAX)
		return 0;
	if (!ready) {
		log_stderr_level(LOG_L_ERROR + 1);
		play_begin("config 1\nhost mx.example.test\ncontact a@b.test\n"
		    "domain b.test { relay to x.test; recipients any }\n"
		    "listen pop3 { port 1110; errors 1000 }\nlogin clear\n");
		ready = true;
	}
	play.hold = (*data & 1) != 0;
	play.status = (*data & 2) != 0 ? AUTH_TEMP : AUTH_OK;
	play.deny = (*data & 4) != 0;
	play.sessions = 0;
	play_offer((*data & 8) != 0 ? OFFER_SCRAM : 0);
	play_connect();
	play_send(span_make(data + 1, size - 1));
	if ((*data & 16) != 0) {
		channel_close(&play.authd_far);
		play_rounds(4);
		play_authd_up();
		play_send(span_make(data + 1, size - 1));
	}
	if (play.hold) { /* else who has gone is missed when it answers */
		channel_close(&play.authd_far);
		play_rounds(4);
		play_authd_up();
	}
	answers_check(buf_span(&play.out));
	hold(play.sessions == 0 || play.status == AUTH_OK);
	play_hang_up();
	hold(play.d.nlogins == 0 && play.d.listeners[0].sessions == 0);
	return 0;
}
