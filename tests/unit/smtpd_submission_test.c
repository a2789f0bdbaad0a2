/*
 * tests/unit/smtpd_submission_test.c - logins, encryption and who may write as
 * whom, against a worker with false peers. Handshakes are only said to be
 * over: real ones are for the tests of lib/net and of whole instances.
 */
#include "tests/unit/check.h"
#include "tests/unit/smtpd_fake.h"

#define HELLO "EHLO c.example\r\n"
#define PLAIN "AUTH PLAIN AHVzZXIxAHNlY3JldA==\r\n" /* user1, secret */
#define WRONG "AUTH PLAIN AHVzZXIxAHdyb25n\r\n"
#define FROM  "MAIL FROM:<user1@example.test>\r\n"
#define RCPT  "RCPT TO:<user2@example.test>\r\n"

static const struct {
	const char *name, *in;
	const char *codes; /* behind the banner and the handshake */
	bool closed;
} dialogues[] = {
	{ "a letter", HELLO PLAIN FROM RCPT "DATA\r\n",
	    "250 235 250 250 354", false },
	{ "behind HELO", "HELO\r\n" PLAIN, "250 235", false },
	{ "before EHLO", PLAIN, "503", false },
	{ "without a login", HELLO FROM "RCPT TO:<a@b.example>\r\nDATA\r\n"
	    "BDAT 5 LAST\r\nx\r\n\r\nNOOP\r\n", "250 530 503 503 503 250",
	    false },
	{ "step by step", HELLO "auth login\r\ndXNlcjE=\r\nc2VjcmV0\r\n"
	    "NOOP\r\n", "250 334 334 235 250", false },
	{ "a response on its own", HELLO "AUTH PLAIN\r\n"
	    "AHVzZXIxAHNlY3JldA==\r\n", "250 334 235", false },
	{ "an empty response", HELLO "AUTH PLAIN =\r\n", "250 535", false },
	{ "an empty step", HELLO "AUTH PLAIN\r\n\r\n", "250 334 535", false },
	{ "cancelled", HELLO "AUTH LOGIN\r\n*\r\nNOOP\r\n",
	    "250 334 501 250", false },
	{ "cancelled late", HELLO "AUTH LOGIN\r\ndXNlcjE=\r\n*\r\nNOOP\r\n",
	    "250 334 334 501 250", false },
	{ "no base64", HELLO "AUTH PLAIN !!!!\r\nAUTH PLAIN ====\r\n"
	    "AUTH PLAIN\r\nabc\r\nNOOP\r\n", "250 501 501 334 501 250",
	    false },
	{ "commands are responses", HELLO "AUTH PLAIN\r\nQUIT\r\nNOOP\r\n",
	    "250 334 535 250", false },
	{ "wrong", HELLO WRONG "NOOP\r\n" PLAIN, "250 535 250 235", false },
	{ "too often", HELLO WRONG WRONG WRONG WRONG WRONG,
	    "250 535 535 535 535 535 421", true },
	{ "for a moment", HELLO "AUTH PLAIN AHVzZXIxAGxhdGVy\r\n" PLAIN,
	    "250 454 235", false },
	{ "twice", HELLO PLAIN PLAIN HELLO PLAIN, "250 235 503 250 503",
	    false },
	{ "in a transaction", HELLO PLAIN FROM PLAIN RCPT PLAIN,
	    "250 235 250 503 250 503", false },
	{ "unknown", HELLO "AUTH XYZZY\r\nAUTH ../../x\r\nAUTH\r\n"
	    "AUTH ANONYMOUS eA==\r\nAUTH EXTERNAL =\r\n"
	    "AUTH SCRAM-SHA-256\r\n", "250 504 504 501 504 504 504", false },
	{ "too much", HELLO "AUTH PLAIN AHVz ZXIx\r\n", "250 501", false },
	{ "a bare LF", HELLO "AUTH PLAIN\r\nAHVz\n", "250 334 500", true },
	{ "STARTTLS again", HELLO "STARTTLS\r\nNOOP\r\n", "250 503 250",
	    false },
	{ "AUTH= of MAIL", HELLO PLAIN "MAIL FROM:<user1@example.test> "
	    "AUTH=<>\r\nRSET\r\nMAIL FROM:<user1@example.test> "
	    "AUTH=a+40b.example\r\nRSET\r\n"
	    "MAIL FROM:<user1@example.test> AUTH=a+0Db\r\n",
	    "250 235 250 250 250 250 501", false },
	{ "another's address", HELLO PLAIN "MAIL FROM:<user2@example.test>\r\n"
	    "MAIL FROM:<later@example.test>\r\nMAIL FROM:<list@example.test>"
	    "\r\n" RCPT, "250 235 550 451 250 250", false },
	{ "the null reverse-path", HELLO PLAIN "MAIL FROM:<>\r\n" RCPT,
	    "250 235 250 250", false },
};

/* The codes of the replies behind the banner. */
static const char *
codes(void)
{
	const char *all = fake_codes();

	return strncmp(all, "220", 3) != 0 ? all : all[3] == ' ' ? all + 4 : "";
}

static bool
said(const char *words)
{
	return strstr(buf_str(&fake.out), words) != NULL;
}

static void
dialogues_run(size_t piece)
{
	size_t i;

	for (i = 0; i < nitems(dialogues); i++) {
		check_begin(dialogues[i].name);
		fake_connect(&fake.submission);
		fake_secure();
		fake_send(span_str(dialogues[i].in), piece);
		check_str(codes(), dialogues[i].codes);
		check_int(fake.closed, dialogues[i].closed);
		fake_hangup();
		check_int(fake.d.nsessions, 0);
		check_int(fake.d.ntxs, 0);
	}
}

/* -- in clear -------------------------------------------------------------- */

static void
in_clear(void)
{
	unsigned logins = fake.logins;

	check_begin("in clear");
	fake_connect(&fake.submission);
	fake_send(span_str(HELLO PLAIN FROM "STARTTLS now\r\n"), 9999);
	/* no certificate has come: not offered, and not there */
	fake_send(span_str("STARTTLS\r\n"), 9999);
	check_str(codes(), "250 530 530 501 454");
	check_true(!said("AUTH"));
	check_true(!said("STARTTLS\r\n"));
	check_int(fake.logins, logins);
	fake_hangup();
	check_begin("something behind STARTTLS");
	fake_connect(&fake.submission);
	fake_send(span_str(HELLO "STARTTLS\r\nNOOP\r\n"), 9999);
	check_str(codes(), "250 554");
	check_true(fake.closed);
	fake_hangup();
	check_begin("where there is none");
	fake_connect(&fake.device);
	fake_send(span_str(HELLO "STARTTLS\r\n" PLAIN), 9999);
	check_str(codes(), "250 502 502");
	fake_hangup();
	check_begin("an mx without AUTH");
	fake_connect(&fake.mx);
	fake_secure();
	fake_send(span_str(HELLO), 9999);
	fake_send(span_str(PLAIN "STARTTLS\r\n"), 9999);
	check_str(codes(), "250 502 503");
	check_true(!said("AUTH"));
	fake_hangup();
}

static void
required(void)
{
	struct conf_listen strict = *fake.mx.conf;

	check_begin("tls required on an mx");
	strict.tls_mode = TLS_REQUIRED;
	fake.mx.conf = &strict;
	fake_connect(&fake.mx);
	fake_send(span_str(HELLO), 9999);
	fake_send(span_str(FROM RCPT), 9999);
	check_str(codes(), "250 530 503");
	fake_hangup();
	fake_connect(&fake.mx);
	fake_secure();
	fake_send(span_str(HELLO), 9999);
	fake_send(span_str(FROM RCPT), 9999);
	check_str(codes(), "250 250 250");
	fake_hangup();
	fake.mx.conf = &fake.conf->listens[0];
	check_begin("implicit, without a certificate");
	strict = *fake.submission.conf;
	strict.tls_mode = TLS_IMMEDIATE;
	fake.submission.conf = &strict;
	fake_connect(&fake.submission);
	check_true(fake.closed);
	check_int(fake.out.len, 0);
	fake_hangup();
	check_int(fake.d.nsessions, 0);
	fake.submission.conf = &fake.conf->listens[1];
}

/* Nothing of what was said before the handshake is known behind it. */
static void
forgotten(void)
{
	struct conf_listen offered = *fake.mx.conf;
	const struct session *s;

	check_begin("all state anew");
	fake.mx.conf = &offered;
	fake_connect(&fake.mx);
	fake_send(span_str("EHLO before.example\r\n"), 9999);
	fake_secure();
	s = fake.d.sessions;
	check_true(s->helo == NULL && !s->esmtp && s->tx == NULL);
	check_int(s->state, S_NEW);
	fake_send(span_str(FROM RCPT "RSET\r\n"), 9999);
	check_str(codes(), "250 503 503 250");
	fake_hangup();
	fake.mx.conf = &fake.conf->listens[0];
}

/* -- what EHLO says -------------------------------------------------------- */

static void
offer(uint8_t bits)
{
	struct ipc_writer w = ipc_begin(&fake.authd_peer, IPC_AUTH_OFFER, 0, 0);

	ipc_put_u8(&w, bits);
	ipc_end(&w);
	fake_settle();
}

static void
offers(void)
{
	check_begin("offers");
	fake_connect(&fake.submission);
	fake_secure();
	fake_send(span_str(HELLO), 9999);
	check_true(said("250-AUTH PLAIN LOGIN\r\n"));
	check_true(!said("STARTTLS"));
	offer(OFFER_SCRAM | OFFER_EXTERNAL);
	/* no certificate of a client, nothing to bind to */
	fake_send(span_str(HELLO "AUTH SCRAM-SHA-256-PLUS\r\n"
	    "AUTH EXTERNAL\r\nAUTH SCRAM-SHA-256\r\nc2VjcmV0\r\n" HELLO), 9999);
	check_true(said("250-AUTH SCRAM-SHA-256 PLAIN LOGIN\r\n"));
	check_str(codes(), "250 250 504 504 334 235 250");
	offer(0);
	fake_hangup();
}

/* -- authd is slow, silent, gone ------------------------------------------- */

static void
silent_authd(void)
{
	unsigned aborts = fake.aborts;

	check_begin("too slow an authd");
	fake.hold_auth = true;
	fake_connect(&fake.submission);
	fake_secure();
	fake_send(span_str(HELLO PLAIN "NOOP\r\n"), 9999);
	check_str(codes(), "250");
	timer_set_ms(&fake.d.sessions->conn.timer, 0);
	fake_settle();
	check_str(codes(), "250 421");
	check_int(fake.aborts, aborts + 1);
	fake_hangup();
	check_int(fake.d.nsessions, 0);
	check_begin("authd goes");
	fake.hold_auth = true;
	fake_connect(&fake.submission);
	fake_secure();
	fake_send(span_str(HELLO PLAIN), 9999);
	channel_close(&fake.authd_peer);
	fake_settle();
	fake_send(span_str(PLAIN), 9999);
	check_str(codes(), "250 454 454");
	fake_hangup();
	channel_abandon(&fake.authd);
	fake_join(ROLE_AUTHD, &fake.authd, &fake.authd_peer,
	    fake_authd_handlers);
	aborts = fake.aborts - 1;
	check_begin("too slow a client");
	fake_connect(&fake.submission);
	fake_secure();
	fake_send(span_str(HELLO "AUTH LOGIN\r\n"), 9999);
	timer_set_ms(&fake.d.sessions->conn.timer, 0);
	fake_settle();
	check_str(codes(), "250 334 421");
	check_int(fake.aborts, aborts + 2);
	fake_hangup();
}

static void
long_lines(void)
{
	static char line[SMTP_AUTH_TEXT + 16];
	size_t at = strlen("AUTH PLAIN ");

	check_begin("lines of a login");
	memset(line, 'A', sizeof(line));
	memcpy(line, "AUTH PLAIN ", at);
	fake_connect(&fake.submission);
	fake_secure();
	fake_send(span_str(HELLO), 9999);
	fake_send(span_make(line, at + 12 * 1024), 9999); /* 4 | 12 K */
	fake_send(span_str("\r\nAUTH PLAIN\r\n"), 9999);
	fake_send(span_make(line + at, SMTP_AUTH_TEXT - at), 9999);
	fake_send(span_make(line + at, at), 9999);
	fake_send(span_str("\r\n"), 9999);
	check_str(codes(), "250 500 334 535");
	fake_send(span_str("AUTH PLAIN\r\n"), 9999);
	fake_send(span_make(line + at, SMTP_AUTH_TEXT - at), 9999);
	fake_send(span_make(line + at, at + 4), 9999);
	fake_send(span_str("\r\nNOOP\r\n"), 9999);
	check_str(codes(), "250 500 334 535 334 500 250");
	fake_hangup();
}

/* -- who wrote it ---------------------------------------------------------- */

#define LIST "MAIL FROM:<list@example.test>\r\n"
#define NONE "MAIL FROM:<>\r\n"

static const struct {
	const char *name, *mail, *text, *codes;
	const char *has, *hasnot; /* of what queued got */
	unsigned asked;           /* questions about senders, MAIL's too */
} letters[] = {
	{ "own", FROM, "From: A <user1@example.test>\r\nDate: d\r\n"
	    "Message-Id: <m>\r\n\r\nx\r\n", "250",
	    "From: A <user1@example.test>\r\nDate: d\r\nMessage-Id: <m>\r\n"
	    "\r\nx\r\n", "Sender:", 1 },
	{ "nothing but text", FROM, "hello\r\n", "250",
	    "\r\nFrom: <user1@example.test>\r\n\r\nhello\r\n", "Sender:", 1 },
	{ "a grant", LIST, "From: list@example.test\r\n\r\nx\r\n", "250",
	    "Sender: <user1@example.test>\r\n", NULL, 1 },
	{ "a grant, without From", LIST, "Subject: x\r\n\r\nx\r\n", "250",
	    "From: <list@example.test>\r\nSender: <user1@example.test>\r\n",
	    NULL, 1 },
	{ "an alias", "MAIL FROM:<alias@example.test>\r\n",
	    "From: alias@example.test\r\n\r\nx\r\n", "250",
	    "From: alias@example.test\r\n", "Sender:", 1 },
	{ "two authors", FROM, "From: user1@example.test,\r\n"
	    "\t\"L\" <list@example.test>\r\n\r\nx\r\n", "250",
	    "Sender: <user1@example.test>\r\n", NULL, 2 },
	{ "a false Sender", FROM, "Sender: boss@example.test\r\n"
	    "From: user1@example.test\r\n\r\nx\r\n", "250",
	    "From: user1@example.test\r\n", "boss", 1 },
	{ "Return-Path", FROM, "Return-Path: <x@y.example>\r\n\r\nx\r\n",
	    "250", NULL, "Return-Path", 1 },
	{ "another's From", FROM, "From: boss@example.test\r\n\r\nx\r\n",
	    "550", NULL, NULL, 2 },
	{ "one own, one not", FROM, "From: user1@example.test, "
	    "boss@example.test\r\n\r\nx\r\n", "550", NULL, NULL, 2 },
	{ "a second From", FROM, "From: user1@example.test\r\nX: y\r\n"
	    "FROM : boss@example.test\r\n\r\nx\r\n", "550", NULL, NULL, 2 },
	{ "a report", NONE, "From: user1@example.test\r\n\r\nx\r\n", "250",
	    "From: user1@example.test\r\n", "Sender:", 1 },
	{ "another's report", NONE, "From: boss@example.test\r\n\r\nx\r\n",
	    "550", NULL, NULL, 1 },
	{ "not now", FROM, "From: later@example.test\r\n\r\nx\r\n", "451",
	    NULL, NULL, 2 },
	{ "no address", FROM, "From: <<<>>>,;:@\r\nTo: ((((\r\n\r\nx\r\n",
	    "550", NULL, NULL, 1 },
	{ "no domain", FROM, "From: user1\r\n\r\nx\r\n", "550", NULL, NULL, 1 },
	{ "an empty From", FROM, "From:\r\n\r\nx\r\n", "550", NULL, NULL, 1 },
	{ "a group", FROM, "From: us: user1@example.test;\r\n\r\nx\r\n", "250",
	    NULL, "Sender:", 1 },
	{ "From in the text", FROM, "Subject: x\r\n\r\n"
	    "From: boss@example.test\r\n", "250",
	    "\r\n\r\nFrom: boss@example.test\r\n", NULL, 1 },
};

/* One letter of somebody who is logged in; returns the codes behind 354. */
static const char *
letter(struct smtpd_listener *l, const char *mail, const char *text,
    size_t piece)
{
	static char out[64];
	const char *at;

	fake_connect(l);
	fake_secure();
	fake_send(span_str(HELLO PLAIN), 9999);
	fake_send(span_str(mail), piece);
	fake_send(span_str(RCPT "DATA\r\n"), 9999);
	fake_send(span_str(text), piece);
	fake_send(span_str(".\r\n"), piece);
	at = strstr(codes(), "354");
	snprintf(out, sizeof(out), "%s", at == NULL ? "none" : at + 3);
	fake_hangup();
	return out[0] == ' ' ? out + 1 : out;
}

static bool
text_has(const char *words)
{
	return strstr(buf_str(&fake.text), words) != NULL;
}

static void
letters_run(size_t piece)
{
	unsigned senders, committed;
	size_t i;

	for (i = 0; i < nitems(letters); i++) {
		check_begin(letters[i].name);
		senders = fake.senders;
		committed = fake.committed;
		check_str(letter(&fake.submission, letters[i].mail,
		    letters[i].text, piece), letters[i].codes);
		check_int(fake.senders - senders, letters[i].asked);
		check_int(fake.committed - committed,
		    letters[i].codes[0] == '2');
		if (letters[i].has != NULL)
			check_true(text_has(letters[i].has));
		if (letters[i].hasnot != NULL)
			check_true(!text_has(letters[i].hasnot));
		check_int(fake.d.ntxs, 0);
	}
}

static void
received(void)
{
	check_begin("Received");
	check_str(letter(&fake.submission, FROM, "x\r\n", 9999), "250");
	check_true(text_has("Received: by mx.example.test (barid) with "
	    "ESMTPSA id "));
	check_true(!text_has("192.0.2.7"));
	check_true(!text_has("c.example"));
	check_str(fake.account, "user1@example.test");
	check_str(fake.from, "user1@example.test");
}

static void
any_sender(void)
{
	unsigned senders = fake.senders;

	check_begin("senders any");
	fake.submission.conf = &fake.any;
	check_str(letter(&fake.submission, "MAIL FROM:<a@far.example>\r\n",
	    "From: b@far.example\r\nSender: c@far.example\r\n\r\nx\r\n", 9999),
	    "250");
	check_true(text_has("From: b@far.example\r\nSender: c@far.example\r\n"));
	check_int(fake.senders, senders);
	fake.submission.conf = &fake.conf->listens[1];
}

/* The answer comes when the text has ended; or the client has gone by then. */
static void
late_answers(void)
{
	int i;

	for (i = 0; i < 3; i++) {
		check_begin(i == 0 ? "a late yes" : i == 1 ? "a late no" :
		    "an answer that nobody waits for");
		fake_connect(&fake.submission);
		fake_secure();
		fake_send(span_str(HELLO PLAIN FROM RCPT "DATA\r\n"), 9999);
		fake.hold_senders = true;
		fake_send(span_str("From: list@example.test\r\n\r\nx\r\n.\r\n"
		    "NOOP\r\n"), 9999);
		check_str(codes(), "250 235 250 250 354");
		check_str(fake.asked, "list@example.test");
		if (i == 2)
			fake_hangup();
		fake_sender_answer(fake.sender_request,
		    i == 0 ? SENDER_OK : SENDER_FOREIGN);
		fake_settle();
		if (i == 2)
			break;
		check_str(codes(), i == 0 ? "250 235 250 250 354 250 250" :
		    "250 235 250 250 354 550 250");
		fake_hangup();
	}
	check_int(fake.d.ntxs, 0);
	check_begin("a late answer to MAIL");
	fake.hold_senders = true;
	fake_connect(&fake.submission);
	fake_secure();
	fake_send(span_str(HELLO PLAIN FROM RCPT "DATA\r\n"), 9999);
	check_str(codes(), "250 235");
	fake_sender_answer(fake.sender_request, SENDER_OK);
	fake_settle();
	check_str(codes(), "250 235 250 250 354");
	fake_hangup();
}

static void
many_authors(void)
{
	static char text[SMTP_FROM_OCTETS + 200];
	size_t n;
	int i;

	check_begin("too many authors");
	n = (size_t)snprintf(text, sizeof(text), "From: user1@example.test");
	for (i = 0; i <= SMTP_FROM_ADDRESSES; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    ",\r\n list@example.test");
	snprintf(text + n, sizeof(text) - n, "\r\n\r\nx\r\n");
	check_str(letter(&fake.submission, FROM, text, 9999), "550");
	check_begin("too long a From");
	memset(text, 'x', sizeof(text));
	memcpy(text, "From: ", 6);
	snprintf(text + SMTP_FROM_OCTETS + 1, 100,
	    " <user1@example.test>\r\n\r\nx\r\n");
	check_str(letter(&fake.submission, FROM, text, 9999), "550");
}

/* Who stops in the middle of a login or a handshake makes room for others. */
static void
crowded(void)
{
	struct conf_listen one = *fake.submission.conf;
	int i, first;

	one.connections = 1;
	for (i = 0; i < 2; i++) {
		check_begin(i == 0 ? "idle in a login" : "in a handshake");
		fake.submission.conf = &one;
		fake_connect(&fake.submission);
		fake_secure();
		fake_send(span_str(HELLO "AUTH LOGIN\r\n"), 9999);
		if (i == 1) {
			fake_send(span_str("*\r\n"), 9999);
			session_enter(fake.d.sessions, S_TLS);
		}
		fake.d.sessions->active_ms -= SMTP_IDLE_MS;
		first = fake.client;
		fake_connect(&fake.submission);
		check_true(said("220 "));
		close(first);
		fake_settle();
		check_int(fake.d.nsessions, 1);
		fake_hangup();
	}
	fake.submission.conf = &fake.conf->listens[1];
}

/* A worker that ends: whoever logs in just then is told to come again. */
static void
draining(void)
{
	check_begin("drain within a login");
	fake_connect(&fake.submission);
	fake_secure();
	fake_send(span_str(HELLO "AUTH LOGIN\r\n"), 9999);
	listeners_drain(&fake.d);
	fake_settle();
	check_str(codes(), "250 334 421");
	check_true(fake.closed);
	fake_hangup();
	fake.d.draining = false;
	check_begin("drain within a handshake");
	fake_connect(&fake.submission);
	session_enter(fake.d.sessions, S_TLS);
	listeners_drain(&fake.d);
	fake_settle();
	check_str(codes(), "");
	check_true(fake.closed);
	fake_hangup();
	check_int(fake.d.nsessions, 0);
}

int
main(void)
{
	fake_start("size 64K");
	dialogues_run(9999);
	dialogues_run(1);
	in_clear();
	required();
	forgotten();
	offers();
	silent_authd();
	long_lines();
	letters_run(9999);
	letters_run(1);
	received();
	any_sender();
	late_answers();
	many_authors();
	crowded();
	draining();
	return check_end();
}
