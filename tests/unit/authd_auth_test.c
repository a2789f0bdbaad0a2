/*
 * authd_auth_test - logins as smtpd and pop3d relay them: each mechanism to its
 * end, what nobody may learn from answers, what a program that was taken over
 * cannot get, and how guessers are slowed down.
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "lib/log.h"
#include "tests/unit/authd_play.h"

static const struct play_ask plain = { .mechanism = "PLAIN" };
static const struct play_ask login = { .mechanism = "LOGIN" };
static const struct play_ask scram = { .mechanism = "SCRAM-SHA-256" };
static const char words[] = "Authentication failed";

static void
abort_auth(int who, uint32_t session)
{
	struct ipc_writer w = ipc_begin(&play.far[who], IPC_AUTH_ABORT, 0,
	    session);

	check_int(ipc_end(&w), 0);
	play_rounds(3);
}

/* -- PLAIN and LOGIN ---------------------------------------------------------- */

static void
test_plain(void)
{
	check_begin("the right password opens a mailbox: master knows first");
	check_int(play_plain(POP, NULL, "user1", "secret1"), AUTH_OK);
	check_str(play.account, "user1@example.test");
	check_int(play.grants, 1);
	check_int(play.granted_role, ROLE_POP3D);
	check_int(play.granted_worker, 0);
	check_str(play.granted, "user1@example.test");
	check_int(play.nticket, 16);
	check_int(play.service, LISTEN_POP3);
	check_str(play.block, "virtual");
	check_begin("remembered for this service alone");
	check_int(play_plain(POP, NULL, "USER1@Example.Test", "secret1"),
	    AUTH_OK);
	check_int(play.checks, 1);
	check_int(play_plain(SMTP, NULL, "user1", "secret1"), AUTH_OK);
	check_int(play.checks, 2);
	check_int(play.service, LISTEN_SUBMISSION);
	check_begin("smtpd gets no ticket");
	check_int(play.nticket, 0);
	check_int(play.grants, 2);
	check_str(play.account, "user1@example.test");
	check_begin("step by step");
	check_int(play_auth(POP, 1, &plain, PLAY_NOTHING),
	    IPC_AUTH_CHALLENGE);
	check_int(play.ntext, 0);
	play_step_send(POP, 1, "\0user2\0secret2", 14);
	check_true(play_wait(play.answers));
	check_int(play.status, AUTH_OK);
	check_str(play.account, "user2@example.test");
	check_begin("LOGIN for submission");
	check_int(play_auth(SMTP, 1, &login, PLAY_NOTHING),
	    IPC_AUTH_CHALLENGE);
	check_str(play.text, "Username:");
	check_int(play_step(SMTP, 1, "user2"), IPC_AUTH_CHALLENGE);
	check_int(play_step(SMTP, 1, "secret2"), IPC_AUTH_ANSWER);
	check_int(play.status, AUTH_OK);
	check_begin("and nowhere else");
	check_int(play_auth(POP, 1, &login, PLAY_NOTHING), IPC_AUTH_ANSWER);
	check_int(play.status, AUTH_FAIL);
	check_int(play.a.exchanges.table.n, 0);
}

static void
check_refused(const char *name, const char *password, unsigned asked)
{
	unsigned checks = play.checks, grants = play.grants;

	check_begin(name);
	check_int(play_plain(POP, NULL, name, password), AUTH_FAIL);
	check_str(play.text, words);
	check_str(play.account, "");
	check_int(play.nticket, 0);
	check_int(play.grants, grants);
	check_int(play.checks, checks + asked);
}

/* The same words, and a password is always checked. */
static void
test_refused(void)
{
	struct play_ask clear = { .mechanism = "PLAIN", .clear = true };
	unsigned checks;

	check_refused("user1", "wrong", 1);
	check_refused("nobody", "secret1", 1);
	check_str(play.name, "nobody@example.test");
	check_refused("Nobody@Elsewhere.test", "secret1", 1);
	check_str(play.name, "nobody@elsewhere.test");
	check_str(play.block, "virtual");
	check_refused("box", "secret3", 1);
	check_refused("", "secret1", 0);
	check_begin("nothing in clear, and nobody is asked");
	checks = play.checks;
	check_int(play_auth(POP, 7, &clear, "\0user1\0secret1", 14),
	    IPC_AUTH_ANSWER);
	check_int(play.status, AUTH_FAIL);
	check_int(play.checks, checks);
	check_begin("master says no");
	play.deny = true;
	check_int(play_plain(POP, NULL, "user1", "secret1"), AUTH_TEMP);
	check_int(play.nticket, 0);
	play.deny = false;
	check_int(play.a.exchanges.table.n, 0);
}

/* -- SCRAM -------------------------------------------------------------------- */

/* RFC 5802 section 3, the client's side: the final message to what authd said. */
static void
scram_final(const char *password, const char *bare, const char *header64,
    char out[512])
{
	unsigned char salted[32], key[32], stored[32], sig[32], salt[64];
	char auth[1024], without[400], proof[64], s64[128];
	const char *s = strstr(play.text, ",s="), *i = strstr(play.text, ",i=");
	ssize_t n;
	size_t k;

	snprintf(without, sizeof(without), "c=%s,%.*s", header64,
	    (int)(s - play.text), play.text);
	snprintf(s64, sizeof(s64), "%.*s", (int)(i - s - 3), s + 3);
	n = base64_decode(span_str(s64), salt, sizeof(salt));
	check_true(n > 0);
	PKCS5_PBKDF2_HMAC(password, (int)strlen(password), salt, (int)n,
	    (int)strtol(i + 3, NULL, 10), EVP_sha256(), 32, salted);
	HMAC(EVP_sha256(), salted, 32, (const unsigned char *)"Client Key",
	    10, key, NULL);
	EVP_Digest(key, 32, stored, NULL, EVP_sha256(), NULL);
	n = snprintf(auth, sizeof(auth), "%s,%s,%s", bare, play.text,
	    without);
	HMAC(EVP_sha256(), stored, 32, (unsigned char *)auth, (size_t)n, sig,
	    NULL);
	for (k = 0; k < 32; k++)
		key[k] ^= sig[k];
	base64_encode(span_make(key, 32), proof, sizeof(proof));
	snprintf(out, 512, "%s,p=%s", without, proof);
}

/* Up to the answer to the proof: its type. */
static unsigned
scram_play(int who, uint32_t session, const char *name, const char *password)
{
	char first[128], final[512];

	snprintf(first, sizeof(first), "n,,n=%s,r=client", name);
	if (play_auth(who, session, &scram, first, strlen(first)) !=
	    IPC_AUTH_CHALLENGE)
		return 0;
	scram_final(password, first + 3, "biws", final);
	return play_step(who, session, final);
}

static void
test_scram(void)
{
	unsigned grants = play.grants;
	char salt[2][100], final[512];
	struct play_ask plus = { .mechanism = "SCRAM-SHA-256-PLUS",
	    .exporter = "EXPORTER" };
	struct play_ask taken = { .mechanism = "SCRAM-SHA-256",
	    .exporter = "EXPORTER" };

	check_begin("SCRAM: both know the secret, then the mailbox opens");
	check_int(scram_play(POP, 1, "user1", "secret1"), IPC_AUTH_CHALLENGE);
	check_true(strncmp(play.text, "v=", 2) == 0);
	check_int(play.grants, grants);
	check_int(play_step(POP, 1, ""), IPC_AUTH_ANSWER);
	check_int(play.status, AUTH_OK);
	check_int(play.grants, grants + 1);
	check_str(play.account, "user1@example.test");
	check_begin("a wrong password");
	check_int(scram_play(SMTP, 2, "user1", "secret2"), IPC_AUTH_ANSWER);
	check_int(play.status, AUTH_FAIL);
	check_str(play.text, words);
	check_begin("a name that nobody has begins alike, and ends alike");
	check_int(scram_play(SMTP, 2, "nobody", "wrong"), IPC_AUTH_ANSWER);
	check_int(play.status, AUTH_FAIL);
	check_str(play.text, words);
	check_begin("even with a proof that fits");
	check_int(scram_play(SMTP, 2, "nobody", "nobody"), IPC_AUTH_ANSWER);
	check_int(play.status, AUTH_FAIL);
	check_begin("an account that must not log in");
	check_int(scram_play(SMTP, 2, "box", "secret3"), IPC_AUTH_CHALLENGE);
	check_int(play_step(SMTP, 2, ""), IPC_AUTH_ANSWER);
	check_int(play.status, AUTH_FAIL);
	check_begin("two exchanges at once have two nonces");
	check_int(play_auth(SMTP, 3, &scram, "n,,n=user1,r=x", 14),
	    IPC_AUTH_CHALLENGE);
	snprintf(salt[0], 100, "%.90s", play.text);
	check_int(play_auth(SMTP, 4, &scram, "n,,n=user1,r=x", 14),
	    IPC_AUTH_CHALLENGE);
	snprintf(salt[1], 100, "%.90s", play.text);
	check_true(strcmp(salt[0], salt[1]) != 0);
	abort_auth(SMTP, 3);
	abort_auth(SMTP, 4);
	check_begin("bound to the connection");
	check_int(play_auth(SMTP, 5, &plus,
	    "p=tls-exporter,,n=user2,r=y", 27), IPC_AUTH_CHALLENGE);
	scram_final("secret2", "n=user2,r=y",
	    "cD10bHMtZXhwb3J0ZXIsLEVYUE9SVEVS", final);
	check_int(play_step(SMTP, 5, final), IPC_AUTH_CHALLENGE);
	check_int(play_step(SMTP, 5, ""), IPC_AUTH_ANSWER);
	check_int(play.status, AUTH_OK);
	check_begin("somebody took -PLUS away");
	check_int(play_auth(SMTP, 6, &taken, "y,,n=user2,r=y", 14),
	    IPC_AUTH_ANSWER);
	check_int(play.status, AUTH_FAIL);
	check_begin("offered while it works for everybody");
	check_int(play.offer[SMTP], OFFER_EXTERNAL | OFFER_SCRAM);
	play_users(false);
	play_rounds(5);
	check_int(play.offer[POP], OFFER_EXTERNAL);
	check_int(play.offer[SMTP2], OFFER_EXTERNAL);
	check_int(scram_play(POP, 9, "user1", "secret1"), 0);
	check_int(play.status, AUTH_FAIL);
	play_users(true);
	play_rounds(5);
	check_int(play.offer[POP], OFFER_EXTERNAL | OFFER_SCRAM);
}

/* -- EXTERNAL ----------------------------------------------------------------- */

static void
test_external(void)
{
	static const struct { const char *name, *certificate; int status; }
	cases[] = {
		{ "a certificate's account", "user1@example.test", AUTH_OK },
		{ "its other name", "USER1@second.test", AUTH_FAIL },
		{ "of nobody", "nobody@example.test", AUTH_FAIL },
		{ "of another host", "user1@far.test", AUTH_FAIL },
		{ "of one that must not log in", "box@example.test",
		    AUTH_FAIL },
		{ "none", "", AUTH_FAIL },
	};
	struct play_ask q = { .mechanism = "EXTERNAL" };
	unsigned checks = play.checks;
	size_t i;

	for (i = 0; i < nitems(cases); i++) {
		check_begin(cases[i].name);
		q.certificate = cases[i].certificate;
		check_int(play_auth(SMTP, 1, &q, "", 0), IPC_AUTH_ANSWER);
		check_int(play.status, cases[i].status);
	}
	check_str(play.account, "");
	check_begin("no certificate opens a mailbox");
	q.certificate = "user1@example.test";
	check_int(play_auth(POP, 1, &q, "", 0), IPC_AUTH_ANSWER);
	check_int(play.status, AUTH_FAIL);
	check_int(play.checks, checks);
}

/* -- who goes, and who is late ------------------------------------------------ */

static void
test_abort(void)
{
	unsigned answers;
	uint32_t k;

	check_begin("cancelled between two messages");
	check_int(play_auth(SMTP, 1, &login, PLAY_NOTHING),
	    IPC_AUTH_CHALLENGE);
	abort_auth(SMTP, 1);
	check_int(play.a.exchanges.table.n, 0);
	check_int(play_step(SMTP, 1, "user1"), IPC_AUTH_ANSWER);
	check_int(play.status, AUTH_TEMP);
	check_begin("a client that thinks too long");
	check_int(play_auth(SMTP, 1, &login, PLAY_NOTHING),
	    IPC_AUTH_CHALLENGE);
	exchange_find(&play.a, daemon_peer(&play.a.daemon, ROLE_SMTPD, 0),
	    1)->until_ms -= EXCHANGE_S * 1000;
	timer_set_ms(&play.a.exchanges.expiry, 0);
	play_rounds(5);
	check_int(play.a.exchanges.table.n, 0);
	check_int(play_step(SMTP, 1, "user1"), IPC_AUTH_ANSWER);
	check_int(play.status, AUTH_TEMP);
	check_begin("gone while a password is checked");
	play.worker_dead = true;
	answers = play.answers;
	play_auth_send(SMTP, 2, &plain, "\0user2\0wrong", 12);
	play_rounds(3);
	check_int(play.a.exchanges.table.n, 1);
	abort_auth(SMTP, 2);
	check_int(play.a.exchanges.table.n, 0);
	check_int(play.answers, answers + 1); /* the question is not open */
	play.worker_dead = false;
	channel_close(&play.worker); /* and comes again, as master sees to */
	play_rounds(3);
	play_far(&play.worker, ROLE_AUTHW,
	    daemon_peer(&play.a.daemon, ROLE_AUTHW, 0));
	play_rounds(3);
	check_int(play_plain(SMTP, NULL, "user2", "wrong"), AUTH_FAIL);
	check_begin("the same number anew: the old one ends");
	check_int(play_auth(SMTP, 3, &login, PLAY_NOTHING),
	    IPC_AUTH_CHALLENGE);
	check_int(play_auth(SMTP, 3, &login, "user1", 5),
	    IPC_AUTH_CHALLENGE);
	check_str(play.text, "Password:");
	check_int(play.a.exchanges.table.n, 1);
	abort_auth(SMTP, 3);
	check_begin("two programs may use the same number");
	check_int(play_auth(SMTP, 4, &login, "user1", 5),
	    IPC_AUTH_CHALLENGE);
	check_int(play_auth(SMTP2, 4, &login, "user2", 5),
	    IPC_AUTH_CHALLENGE);
	check_int(play_step(SMTP, 4, "secret1"), IPC_AUTH_ANSWER);
	check_str(play.account, "user1@example.test");
	check_int(play_step(SMTP2, 4, "secret2"), IPC_AUTH_ANSWER);
	check_str(play.account, "user2@example.test");
	check_begin("as many as one may have, and one more: the oldest goes");
	for (k = 100; k <= 100 + EXCHANGES_MAX; k++)
		(void)play_auth(SMTP, k, &login, PLAY_NOTHING);
	check_int(play.a.exchanges.table.n, EXCHANGES_MAX);
	check_int(play_step(SMTP, 100, "user1"), IPC_AUTH_ANSWER);
	check_int(play.status, AUTH_TEMP);
	check_int(play_step(SMTP, 101, "user1"), IPC_AUTH_CHALLENGE);
	check_begin("others have their own room");
	check_int(play_auth(SMTP2, 5, &login, PLAY_NOTHING),
	    IPC_AUTH_CHALLENGE);
	channel_close(&play.far[SMTP]);
	play_rounds(3);
	check_begin("all of a program that died are forgotten");
	check_int(play.a.exchanges.table.n, 1);
	play_far(&play.far[SMTP], ROLE_SMTPD,
	    daemon_peer(&play.a.daemon, ROLE_SMTPD, 0));
	abort_auth(SMTP2, 5);
	check_int(play.a.exchanges.table.n, 0);
}

/* -- the wait ----------------------------------------------------------------- */

static int64_t
timed(int who, const char *client, const char *password, int want)
{
	int64_t begin = clock_boot_ms();

	check_int(play_plain(who, client, "user1", password), want);
	return clock_boot_ms() - begin;
}

static void
test_wait(void)
{
	unsigned answers = play.answers, k;
	struct play_ask q = { .mechanism = "PLAIN" };
	char client[4][24];
	int64_t begin = clock_boot_ms();

	play.a.throttle.off = false;
	check_begin("a guess is answered late, whoever asks");
	for (k = 0; k < 4; k++) {
		snprintf(client[k], sizeof(client[k]), "198.51.100.%u:9", k);
		q.client = client[k];
		play_auth_send(k % 2 == 0 ? SMTP : SMTP2, 50 + k, &q,
		    "\0user1\0guess", 12);
	}
	while (play.answers < answers + 4 &&
	    clock_boot_ms() - begin < PLAY_WAIT_MS)
		loop_run_once(&play.a.daemon.loop, 50);
	check_int(play.answers, answers + 4);
	check_true(clock_boot_ms() - begin >= THROTTLE_LEAST_MS - 100);
	check_begin("the account is slow in other services, once");
	check_true(timed(POP, "203.0.113.1:1", "secret1", AUTH_OK) >= 900);
	check_true(timed(POP, "203.0.113.1:1", "secret1", AUTH_OK) < 900);
	check_begin("whoever goes while he waits is forgotten at once");
	play_auth_send(SMTP, 60, &q, "\0user1\0guess", 12);
	play_rounds(10);
	check_int(play.a.exchanges.table.n, 1);
	abort_auth(SMTP, 60);
	check_int(play.a.exchanges.table.n, 0);
	play.a.throttle.off = true;
}

/* -- a program that was taken over -------------------------------------------- */

static void
check_lost(int who, enum role role, unsigned instance)
{
	unsigned answers = play.answers;

	check_true(play_wait(answers)); /* with nothing */
	check_int(play.type, 0);
	check_true(!channel_is_open(daemon_peer(&play.a.daemon, role,
	    instance)));
	channel_close(&play.far[who]);
	play_far(&play.far[who], role, daemon_peer(&play.a.daemon, role,
	    instance));
	play_rounds(3);
}

static void
test_taken(void)
{
	struct play_ask q = { .mechanism = "PLAIN" };

	check_begin("pop3d asks for submission: its channel goes");
	q.service = LISTEN_SUBMISSION;
	play_auth_send(POP, 1, &q, "\0user1\0secret1", 14);
	check_lost(POP, ROLE_POP3D, 0);
	check_begin("smtpd asks for a mailbox");
	q.service = LISTEN_POP3;
	play_auth_send(SMTP, 1, &q, "\0user1\0secret1", 14);
	check_lost(SMTP, ROLE_SMTPD, 0);
	check_begin("a second message before the answer to the first");
	play.worker_dead = true;
	play_auth_send(SMTP, 1, &plain, "\0user2\0wrongagain", 17);
	play_step_send(SMTP, 1, "x", 1);
	check_lost(SMTP, ROLE_SMTPD, 0);
	check_int(play.a.exchanges.table.n, 0);
	play.worker_dead = false;
}

/* -- senders ------------------------------------------------------------------ */

static const struct { const char *account, *address; int want; } senders[] = {
	{ "user1@example.test", "user1@example.test", SENDER_OK },
	{ "user1@example.test", "User1@EXAMPLE.test", SENDER_OK },
	{ "user1@example.test", "user1+tag@example.test", SENDER_OK },
	{ "user1@example.test", "\"user1\"@example.test", SENDER_OK },
	{ "user1@example.test", "", SENDER_OK },
	{ "user1@example.test", "anything@catch.test", SENDER_OK },
	{ "user2@example.test", "anything@catch.test", SENDER_FOREIGN },
	{ "user1@example.test", "user2@example.test", SENDER_FOREIGN },
	{ "user1@example.test", "nobody@example.test", SENDER_FOREIGN },
	{ "user1@example.test", "user1@far.example", SENDER_FOREIGN },
	{ "user1@example.test", "user1", SENDER_FOREIGN },
	{ "user1@example.test", "user1@example.test.far.example",
	    SENDER_FOREIGN },
	{ "user1@example.test", "sales@example.test", SENDER_OK },
	{ "user2@example.test", "sales@example.test", SENDER_FOREIGN },
	{ "user1@example.test", "team@example.test", SENDER_FOREIGN },
	{ "user2@example.test", "team@example.test", SENDER_FOREIGN },
	/* an alias of his own name takes it from nobody */
	{ "user2@example.test", "user2@example.test", SENDER_OK },
	{ "user2@example.test", "boss@FAR.example", SENDER_GRANTED },
	{ "user2@example.test", "chief@far.example", SENDER_FOREIGN },
	{ "user2@example.test", "whoever@third.example", SENDER_GRANTED },
	{ "user2@example.test", "x@sub.third.example", SENDER_FOREIGN },
	{ "user1@example.test", "boss@far.example", SENDER_FOREIGN },
	{ "everywhere", "everywhere@example.test", SENDER_OK },
	{ "everywhere", "everywhere@second.test", SENDER_OK },
	{ "nobody", "user1@example.test", SENDER_FOREIGN },
	{ "", "user1@example.test", SENDER_FOREIGN },
};

static void
test_senders(void)
{
	static const char aliases[] = "sales: user1\n"
	    "team: user1, user2\nuser2: user2, archive@far.example\n";
	char path[] = "/tmp/barid-aliases.XXXXXX";
	struct channel *ch = &play.far[SMTP];
	int fd = mkstemp(path);
	struct ipc_writer w;
	uint32_t request;
	size_t i;

	check_int(write(fd, aliases, strlen(aliases)), strlen(aliases));
	check_true(directory_aliases(&play.a.dir, "/etc/aliases", fd) != NULL);
	close(fd);
	unlink(path);
	for (i = 0; i < nitems(senders); i++) {
		unsigned answers = play.answers;

		check_begin(senders[i].address);
		request = channel_request(ch, PLAY_WAIT_MS, play_on_answer,
		    NULL);
		w = ipc_begin(ch, IPC_SENDER_ASK, request, 0);
		ipc_put_str(&w, senders[i].account);
		ipc_put_str(&w, senders[i].address);
		check_int(ipc_end(&w), 0);
		check_true(play_wait(answers));
		check_int(play.status, senders[i].want);
	}
}

int
main(void)
{
	log_stderr_level(LOG_L_ERROR + 1);
	play_begin();
	play.a.throttle.off = true;
	test_plain();
	test_refused();
	test_scram();
	test_external();
	test_abort();
	test_senders();
	test_wait();
	test_taken();
	play_end();
	return check_end();
}
