/* tests/unit/smtpd_session_test.c - whole sessions against a worker with false
 * peers: each dialogue is sent in one piece, then in single octets. */
#include "tests/unit/check.h"
#include "tests/unit/smtpd_fake.h"

#define HELLO "EHLO c.example\r\n"
#define FROM  "MAIL FROM:<s@remote.example>\r\n"
#define RCPT  "RCPT TO:<user1@example.test>\r\n"

static const struct {
	const char *name, *in;
	const char *codes; /* of all replies, the banner's first */
	bool closed;
} dialogues[] = {
	{ "quit", HELLO "QUIT\r\n", "220 250 221", true },
	{ "pipelined envelope", HELLO FROM RCPT RCPT "RSET\r\nQUIT\r\n",
	    "220 250 250 250 250 250 221", true },
	{ "before EHLO", FROM "QUIT\r\n", "220 503 221", true },
	{ "empty EHLO", "EHLO\r\nHELO\r\n", "220 501 250", false },
	{ "out of order", HELLO RCPT "DATA\r\n" FROM FROM "DATA\r\n",
	    "220 250 503 503 250 503 503", false },
	{ "refused recipients", HELLO FROM "RCPT TO:<nobody@example.test>\r\n"
	    "RCPT TO:<a@other.example>\r\nRCPT TO:<later@example.test>\r\n"
	    "RCPT TO:<postmaster>\r\nRCPT TO:<a@@b>\r\nNOOP\r\n",
	    "220 250 250 550 550 451 250 501 250", false },
	{ "no valid recipient", HELLO FROM "RCPT TO:<nobody@example.test>\r\n"
	    "DATA\r\n", "220 250 250 550 554", false },
	{ "chunks", HELLO FROM RCPT "BDAT 12\r\nSubject: x\r\n"
	    "BDAT 8 LAST\r\n\r\nbody\r\n" "NOOP\r\n",
	    "220 250 250 250 250 250 250", false },
	{ "empty last chunk", HELLO FROM RCPT "BDAT 3\r\na\r\nBDAT 0 LAST\r\n"
	    "NOOP\r\n", "220 250 250 250 250 250 250", false },
	{ "refused chunk is eaten", HELLO "BDAT 6\r\nQUIT\r\nNOOP\r\n",
	    "220 250 503 250", false },
	{ "refused chunk without recipients", HELLO FROM
	    "RCPT TO:<nobody@example.test>\r\nBDAT 8 LAST\r\nQUIT\r\n\r\n"
	    "NOOP\r\n", "220 250 250 550 554 250", false },
	{ "junk chunk size", HELLO FROM RCPT "BDAT x\r\nNOOP\r\n",
	    "220 250 250 250 501", true },
	{ "a control in the chunk size", HELLO FROM RCPT
	    "BDAT 6\x01\r\nNOOP\r\n",
	    "220 250 250 250 501", true },
	{ "dot in a chunk", HELLO FROM RCPT
	    "BDAT 17 LAST\r\nA: b\r\n\r\nx\r\n.\r\ny\r\nQUIT\r\n",
	    "220 250 250 250 250 221", true },
	{ "DATA behind chunks", HELLO FROM RCPT "BDAT 3\r\na\r\nDATA\r\n"
	    "RSET\r\n", "220 250 250 250 250 503 250", false },
	{ "bare LF", HELLO "NOOP\nNOOP\r\n", "220 250 500", true },
	{ "control characters", HELLO "NO\rOP\r\nNOOP\r\n",
	    "220 250 500 250", false },
	{ "web page", "POST / HTTP/1.1\r\n" HELLO, "220 554", true },
	{ "typed by hand", "helo roger   \r\n"
	    "mail from: Finn the Human <finn@treehouse>\r\n"
	    "rcpt to: user1@example.test  \r\n", "220 250 250 250", false },
	{ "parameters", HELLO "MAIL FROM:<> SIZE=10 BODY=8BITMIME RET=HDRS "
	    "ENVID=a+2Bb\r\nRCPT TO:<user1@example.test> NOTIFY=SUCCESS,DELAY "
	    "ORCPT=rfc822;a@b\r\n", "220 250 250 250", false },
	{ "bad parameters", HELLO "MAIL FROM:<> SIZE=-1\r\n"
	    "MAIL FROM:<> SIZE=\r\nMAIL FROM:<> SIZE=99999999999999999999\r\n"
	    "MAIL FROM:<> BODY=X\r\nMAIL FROM:<> FOO=BAR\r\n"
	    "MAIL FROM:<> ENVID=a+0Ab\r\n", "220 250 501 501 552 501 555 501",
	    false },
	{ "bad notify", HELLO FROM "RCPT TO:<user1@example.test> "
	    "NOTIFY=NEVER,SUCCESS\r\nRCPT TO:<user1@example.test> ORCPT=x\r\n",
	    "220 250 250 501 501", false },
	{ "other verbs", HELLO "VRFY user1\r\nEXPN staff\r\nHELP me\r\n"
	    "ETRN x\r\n\r\n", "220 250 252 502 214 500 500", false },
	{ "source route", HELLO FROM "RCPT TO:<@a.example:user1@example.test>"
	    "\r\n", "220 250 250 550", false },
	{ "UTF-8", HELLO "MAIL FROM:<\xc3\xa4@b.example>\r\n"
	    "MAIL FROM:<\xc3\xa4@b.example> SMTPUTF8\r\n",
	    "220 250 550 250", false },
	{ "denied sender", HELLO "MAIL FROM:<x@spam.example>\r\n",
	    "220 250 550", false },
};

/* A listener that lets commands be sent behind EHLO and DATA. */
static struct conf_listen patient;

static void
dialogues_run(size_t piece)
{
	size_t i;

	for (i = 0; i < nitems(dialogues); i++) {
		check_begin(dialogues[i].name);
		fake.mx.conf = &patient;
		fake_connect(&fake.mx);
		fake_send(span_str(dialogues[i].in), piece);
		check_str(fake_codes(), dialogues[i].codes);
		check_int(fake.closed, dialogues[i].closed);
		fake_hangup();
		check_int(fake.d.nsessions, 0);
		check_int(fake.d.ntxs, 0);
	}
	fake.mx.conf = &fake.conf->listens[0];
}

/* One letter; returns the codes behind 354. */
static const char *
letter(const char *text, size_t piece)
{
	static char out[64];
	const char *at;

	fake_connect(&fake.mx);
	fake_send(span_str(HELLO), piece);
	fake_send(span_str(FROM RCPT), piece);
	fake_send(span_str("DATA\r\n"), piece);
	fake_send(span_str(text), piece);
	at = strstr(fake_codes(), "354");
	snprintf(out, sizeof(out), "%s", at == NULL ? "none" : at + 3);
	fake_hangup();
	return out[0] == ' ' ? out + 1 : out;
}

static const struct {
	const char *name, *in, *codes;
	const char *has; /* what queued got, somewhere; NULL: nothing */
} letters[] = {
	{ "plain", "Subject: x\r\nDate: d\r\nMessage-Id: <m>\r\n\r\nbody\r\n"
	    ".\r\n", "250", "\r\nSubject: x\r\nDate: d\r\nMessage-Id: <m>\r\n"
	    "\r\nbody\r\n" },
	{ "fields are added", "Subject: x\r\n\r\nbody\r\n.\r\n", "250",
	    "\r\nSubject: x\r\nMessage-Id: <" },
	{ "no header", "Do you like ketchup?\r\n.\r\n", "250",
	    "\r\n\r\nDo you like ketchup?\r\n" },
	{ "empty", ".\r\n", "250", "Message-Id:" },
	{ "dots", "A: b\r\n\r\n..\r\n...x\r\n.\r\n", "250",
	    "\r\n\r\n.\r\n..x\r\n" },
	{ "bare LF", "A: b\r\n\r\nx\n.\r\ny\r\n.\r\nNOOP\r\n", "554 250", NULL },
	{ "bare CR", "A: b\rX: y\r\n\r\n.\r\nNOOP\r\n", "554 250", NULL },
	{ "loop", "Delivered-To: user1@example.test\r\n\r\nx\r\n.\r\n", "554",
	    NULL },
};

static void
letters_run(size_t piece)
{
	unsigned committed;
	size_t i;

	for (i = 0; i < nitems(letters); i++) {
		check_begin(letters[i].name);
		committed = fake.committed;
		check_str(letter(letters[i].in, piece), letters[i].codes);
		check_int(fake.committed - committed, letters[i].has != NULL);
		if (letters[i].has != NULL)
			check_true(strstr(buf_str(&fake.text),
			    letters[i].has) != NULL);
		check_int(fake.d.ntxs, 0);
	}
}

static void
submission(void)
{
	check_begin("submit.sock");
	fake_connect(&fake.submit);
	fake_send(span_str(HELLO FROM RCPT "DATA\r\nA: b\r\n\r\n.\r\n"), 9999);
	check_str(fake_codes(), "220 250 250 250 354 250");
	check_true(strstr(buf_str(&fake.out), "XACCOUNT user1@example.test") !=
	    NULL);
	check_str(fake.account, "user1");
	check_true(strstr(buf_str(&fake.text), "local uid") != NULL);
	fake_hangup();
}

/* Answers that come late, and in the wrong order, leave replies in order. */
static void
late_answers(void)
{
	size_t i;

	check_begin("late answers");
	fake.mx.conf = &patient;
	fake.hold_answers = true;
	fake_connect(&fake.mx);
	fake_send(span_str(HELLO FROM RCPT "RCPT TO:<nobody@example.test>\r\n"
	    "RCPT TO:<a@@b>\r\n" RCPT "NOOP\r\nRSET\r\n"), 9999);
	check_str(fake_codes(), "220"); /* the rest leaves with the answers */
	for (i = fake.nheld; i-- > 0;)
		fake_answer_one(fake.held[i].request, fake.held[i].verdict);
	fake.hold_answers = false;
	fake_settle();
	check_str(fake_codes(), "220 250 250 250 550 501 250 250 250");
	fake.nheld = 0;
	fake_hangup();
	fake.mx.conf = &fake.conf->listens[0];
}

/* authd or queued goes away: 451, and the session lives on. */
static void
peers_away(void)
{
	fake.mx.conf = &patient;
	check_begin("authd away");
	fake_connect(&fake.mx);
	fake_send(span_str(HELLO FROM), 9999);
	fake.hold_answers = true;
	fake_send(span_str(RCPT RCPT), 9999);
	channel_close(&fake.authd_peer);
	fake_settle();
	fake_send(span_str("NOOP\r\n"), 9999);
	check_str(fake_codes(), "220 250 250 451 451 250");
	fake_hangup();
	fake.hold_answers = false;
	fake.nheld = 0;
	fake_join(ROLE_AUTHD, &fake.authd, &fake.authd_peer,
	    fake_authd_handlers);

	check_begin("queued away in the text");
	fake_connect(&fake.mx);
	fake_send(span_str(HELLO FROM RCPT), 9999);
	fake_send(span_str("DATA\r\n"), 9999);
	fake_send(span_str("A: b\r\n\r\nx\r\n"), 9999);
	channel_close(&fake.queued_peer);
	fake_settle();
	fake_send(span_str("y\r\n.\r\n"), 9999);
	fake_send(span_str(FROM RCPT), 9999);
	fake_send(span_str("DATA\r\n"), 9999);
	check_str(fake_codes(), "220 250 250 250 354 451 250 250 451");
	fake_join(ROLE_QUEUED, &fake.queued, &fake.queued_peer,
	    fake_queued_handlers);
	fake_grant();
	fake_settle();
	fake_send(span_str("DATA\r\n"), 9999);
	fake_send(span_str(".\r\n"), 9999);
	check_str(fake_codes(), "220 250 250 250 354 451 250 250 451 354 250");
	fake_hangup();
	fake.mx.conf = &fake.conf->listens[0];
}

/* What does not fit queued's window waits in the connection. */
static void
narrow_window(void)
{
	static char line[70000];
	struct ipc_writer w;
	uint32_t number;
	int i;

	check_begin("window");
	memset(line, 'x', sizeof(line));
	memcpy(line, "A: b\r\n\r\n", 8);
	memcpy(line + sizeof(line) - 2, "\r\n", 2);
	fake.mx.conf = &patient;
	fake.narrow = true;
	fake_connect(&fake.mx);
	fake_send(span_str(HELLO FROM RCPT "DATA\r\n"), 9999);
	for (i = 0; i < 8; i++)
		fake_send(span_make(line, sizeof(line)), sizeof(line));
	check_true(fake.text.len <= IPC_WINDOW);
	check_true(fake.text.len > IPC_WINDOW / 2);
	check_true(fake.d.sessions->tx->window >= 0);
	fake.narrow = false;
	number = fake.d.sessions->tx->number;
	w = ipc_begin(&fake.queued_peer, IPC_TX_WINDOW, 0, number);
	ipc_put_u32(&w, (uint32_t)fake.text.len);
	ipc_end(&w);
	fake_settle();
	fake_send(span_str("y\r\n.\r\n"), 9999);
	check_str(fake_codes(), "220 250 250 250 354 250");
	check_true(fake.text.len > 4 * sizeof(line));
	fake_hangup();
	fake.mx.conf = &fake.conf->listens[0];
	check_int(fake.d.ntxs, 0);
}

static void
limits(void)
{
	static char big[66 * 1000 + 80];
	int i;

	check_begin("junk");
	fake_connect(&fake.mx);
	for (i = 0; i < 30; i++)
		fake_send(span_str("XYZZY\r\n"), 9999);
	check_true(strstr(fake_codes(), "500 421") != NULL);
	check_true(fake.closed);
	fake_hangup();
	check_begin("too big");
	for (i = 0; i + 66 < (int)sizeof(big); i += 66)
		snprintf(big + i, sizeof(big) - (size_t)i, "%064d\r\n", 1);
	snprintf(big + i, sizeof(big) - (size_t)i, ".\r\nNOOP\r\n");
	check_str(letter(big, 9999), "552 250");
	check_begin("early talker");
	fake_connect(&fake.mx);
	fake_send(span_str("EHLO a\r\nNOOP\r\n"), 9999);
	check_str(fake_codes(), "220 554");
	fake_hangup();
	check_begin("a queue that refuses");
	fake.done_code = 451;
	check_str(letter("A: b\r\n\r\n.\r\nNOOP\r\n", 9999), "451 250");
	fake.done_code = 250;
	check_begin("the same recipient twice");
	fake_connect(&fake.mx);
	fake_send(span_str(HELLO FROM RCPT
	    "RCPT TO:<\"user1\"@EXAMPLE.test>\r\n"), 9999);
	fake_send(span_str("DATA\r\n"), 9999);
	fake_send(span_str(".\r\n"), 9999);
	check_int(fake.rcpts, 1);
	fake_hangup();
}

/* A last word, and answers to one who says no more but listens. */
static void
endings(void)
{
	check_begin("timeout");
	fake_connect(&fake.mx);
	fake_send(span_str(HELLO), 9999);
	fake_send(span_str(FROM), 9999);
	timer_set_ms(&fake.d.sessions->conn.timer, 0);
	fake_settle();
	check_str(fake_codes(), "220 250 250 421");
	check_true(fake.closed);
	fake_hangup();
	check_begin("half-closed");
	fake_connect(&fake.mx);
	send(fake.client, "NOOP\r\nNOOP\r\nNOOP", 16, 0);
	shutdown(fake.client, SHUT_WR);
	fake_settle();
	check_str(fake_codes(), "220 250 250");
	check_true(fake.closed);
	fake_hangup();
}

/* An old generation: who is idle goes at once, who has a transaction when it is
 * over. The last test: no session can begin behind it. */
static void
draining(void)
{
	check_begin("drain with a transaction");
	fake_connect(&fake.mx);
	fake_send(span_str(HELLO), 9999);
	fake_send(span_str(FROM RCPT), 9999);
	listeners_drain(&fake.d);
	fake_settle();
	check_str(fake_codes(), "220 250 250 250");
	fake_send(span_str("DATA\r\n"), 9999);
	fake_send(span_str(".\r\n"), 9999);
	check_str(fake_codes(), "220 250 250 250 354 250 421");
	check_true(fake.closed);
	fake_hangup();
	check_int(fake.d.nsessions, 0);
	check_begin("drain after RSET");
	fake.d.draining = false;
	fake_connect(&fake.mx);
	fake_send(span_str(HELLO), 9999);
	fake_send(span_str(FROM), 9999);
	listeners_drain(&fake.d);
	fake_send(span_str("RSET\r\n"), 9999);
	check_str(fake_codes(), "220 250 250 250 421");
	fake_hangup();
	check_begin("drain of the idle, and of one who is not yet known");
	fake.d.draining = false;
	fake_connect(&fake.mx);
	listeners_drain(&fake.d);
	fake_settle();
	check_str(fake_codes(), "220 421");
	fake_hangup();
	check_int(fake.d.nsessions, 0);
}

int
main(void)
{
	fake_start("size 64K; deny sender @spam.example");
	patient = *fake.device.conf;
	patient.denies = fake.mx.conf->denies;
	patient.ndenies = fake.mx.conf->ndenies;
	patient.size = 1 << 20;
	dialogues_run(9999);
	dialogues_run(1);
	letters_run(9999);
	letters_run(1);
	letters_run(3);
	submission();
	late_answers();
	peers_away();
	narrow_window();
	limits();
	endings();
	draining();
	return check_end();
}
