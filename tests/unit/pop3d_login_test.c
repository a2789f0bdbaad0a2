/*
 * pop3d_login_test - a client before its login: what each state takes, what
 * becomes of it when authd is away or master says no, and what authd is told.
 */
#include <stdio.h>

#include "lib/log.h"
#include "tests/unit/check.h"
#include "tests/unit/pop3d_play.h"

#define CONF "config 1\nhost mx.example.test\ncontact a@b.test\n" \
    "domain b.test { relay to x.test; recipients any }\n" \
    "tls t { cert /c; key /k }\nlisten pop3 { port 1110; errors 20"
#define RIGHT "AHVzZXIxAHNlY3JldDE=" /* user1, secret1 */
#define WRONG "AHVzZXIxAGd1ZXNz"

/* What came of TEXT alone. */
static struct span
say(const char *text)
{
	buf_reset(&play.out);
	play_send(span_str(text));
	return buf_span(&play.out);
}

static bool
hears(const char *text, const char *want)
{
	struct span got = say(text);

	if (span_eqstr(got, want))
		return true;
	printf("%s: %.*s\n", text, SPAN_ARG(got));
	return false;
}

static bool
begins(const char *text, const char *want)
{
	struct span got = say(text);

	if (span_prefix(got, want))
		return true;
	printf("%s: %.*s\n", text, SPAN_ARG(got));
	return false;
}

static void
anew(const char *name)
{
	check_begin(name);
	play_hang_up();
	check_int(play.d.nlogins, 0);
	play_connect();
	check_true(span_eqstr(buf_span(&play.out),
	    "+OK mx.example.test POP3 ready\r\n"));
}

#define FAILED   "-ERR [AUTH] Authentication failed\r\n"
#define NOT_NOW  "-ERR [SYS/TEMP] Logins cannot be checked now\r\n"

static void
test_user(void)
{
	anew("USER and PASS are PLAIN to authd");
	check_true(hears("USER user1\r\n", "+OK\r\n"));
	check_true(hears("PASS secret1\r\n", ""));
	check_str(play.mechanism, "PLAIN");
	check_mem(play.response, play.nresponse, "\0user1\0secret1", 14);
	check_int(play.sessions, 1);
	check_begin("and then octets pass, unread, both ways");
	check_int(write(play.session_fd, "+OK yours\r\n", 11), 11);
	check_true(hears("STAT\r\n", "+OK yours\r\n"));
	anew("blanks belong to a password");
	check_true(hears("user user1\r\n", "+OK\r\n"));
	check_true(hears("pass  secret1 \r\n", FAILED));
	check_mem(play.response, play.nresponse, "\0user1\0 secret1 ", 16);
	check_begin("out of order");
	check_true(hears("PASS secret1\r\n", "-ERR Not now\r\n"));
	check_true(hears("STAT\r\n", "-ERR Unknown command\r\n"));
	check_begin("a NUL is in no name, and no password is so long");
	check_int(play.logins, 2);
	play_send(span_make("USER us\0er\r\n", 12));
	check_true(hears("USER user1\r\nPASS \r\n", "+OK\r\n" FAILED));
	check_int(play.logins, 2);
	anew("three wrong ones, and no fourth");
	check_true(hears("AUTH PLAIN " WRONG "\r\n", FAILED));
	check_true(hears("USER user1\r\nPASS x\r\n", "+OK\r\n" FAILED));
	check_true(hears("AUTH PLAIN " WRONG "\r\nAUTH PLAIN " RIGHT "\r\n",
	    "-ERR [AUTH] Authentication failed, goodbye\r\n"));
	check_true(play.closed);
}

static void
test_auth(void)
{
	unsigned aborts = play.aborts, logins;

	anew("AUTH step by step");
	check_true(hears("AUTH PLAIN\r\n", "+ \r\n"));
	check_true(!play.has);
	check_true(hears(RIGHT "\r\n", ""));
	check_int(play.sessions, 2);
	anew("at once, and an empty first message");
	check_true(hears("AUTH PLAIN =\r\n", FAILED));
	check_true(play.has && play.nresponse == 0);
	check_true(hears("auth plain " RIGHT "\r\n", ""));
	check_int(play.sessions, 3);
	anew("cancelled: authd hears of it");
	check_true(hears("AUTH PLAIN\r\n*\r\n",
	    "+ \r\n-ERR Authentication cancelled\r\n"));
	check_int(play.aborts, aborts + 1);
	check_begin("what is no base64, and what is too long");
	check_true(hears("AUTH PLAIN\r\n" "!!!\r\n",
	    "+ \r\n-ERR That is no base64\r\n"));
	check_true(hears("AUTH PLAIN " RIGHT "=\r\n",
	    "-ERR That is no base64\r\n"));
	play_send(span_str("AUTH PLAIN\r\n"));
	buf_reset(&play.out);
	for (logins = 0; logins < 200; logins++)
		play_send(span_str("QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB"));
	check_true(hears("\r\n", "-ERR Line too long\r\n"));
	check_int(play.aborts, aborts + 3);
	check_begin("a mechanism that is not offered");
	logins = play.logins;
	check_true(hears("AUTH LOGIN\r\n", "-ERR No such way to log in\r\n"));
	check_true(hears("AUTH SCRAM-SHA-256\r\n",
	    "-ERR No such way to log in\r\n"));
	check_true(hears("AUTH\r\n", "-ERR No such way to log in\r\n"));
	check_int(play.logins, logins);
	anew("SCRAM, once authd offers it");
	play_offer(OFFER_SCRAM | OFFER_EXTERNAL);
	play_rounds(4);
	check_true(begins("CAPA\r\n", "+OK"));
	check_true(strstr(buf_str(&play.out),
	    "\r\nUSER\r\nSASL SCRAM-SHA-256 PLAIN\r\n.\r\n") != NULL);
	check_true(hears("AUTH SCRAM-SHA-256-PLUS\r\n",
	    "-ERR No such way to log in\r\n"));
	check_true(hears("AUTH SCRAM-SHA-256\r\n", "+ \r\n"));
	check_true(hears("Zmlyc3Q=\r\n", "+ bW9yZQ==\r\n"));
	check_true(hears("ZmluYWw=\r\n", "+ ZG9uZQ==\r\n"));
	check_true(hears("\r\n", ""));
	check_int(play.sessions, 4);
	play_offer(0);
}

static void
test_away(void)
{
	anew("authd dies while it is asked");
	play.hold = true;
	check_true(hears("AUTH PLAIN " RIGHT "\r\nCAPA\r\n", ""));
	channel_close(&play.authd_far);
	check_true(begins("", NOT_NOW "+OK Capabilities follow\r\n"));
	check_begin("is away");
	play.hold = false;
	check_true(hears("AUTH PLAIN " RIGHT "\r\n", NOT_NOW));
	check_begin("dies between two messages, and is there again");
	play_authd_up();
	check_true(hears("AUTH PLAIN\r\n", "+ \r\n"));
	channel_close(&play.authd_far);
	play_rounds(4);
	check_true(hears(RIGHT "\r\n", NOT_NOW));
	play_authd_up();
	check_true(hears("AUTH PLAIN " RIGHT "\r\n", ""));
	check_int(play.sessions, 5);
	anew("authd cannot tell now");
	play.status = AUTH_TEMP;
	check_true(hears("AUTH PLAIN " RIGHT "\r\n", NOT_NOW));
	play.status = AUTH_OK;
	check_begin("master knows of no grant");
	play.deny = true;
	check_true(hears("AUTH PLAIN " RIGHT "\r\n",
	    "-ERR [SYS/TEMP] The mailbox cannot be opened now\r\n"));
	play.deny = false;
	check_true(hears("AUTH PLAIN " RIGHT "\r\n", ""));
	anew("a client that goes while authd thinks");
	play.hold = true;
	check_true(hears("AUTH PLAIN " RIGHT "\r\n", ""));
	play_hang_up();
	check_int(play.d.nlogins, 1); /* its place is taken until then */
	channel_close(&play.authd_far);
	play_rounds(8);
	check_int(play.d.nlogins, 0);
	play_authd_up();
	play.hold = false;
}

static void
test_rest(void)
{
	anew("STLS where there is none");
	check_true(hears("STLS\r\n", "-ERR Not offered here\r\n"));
	anew("a web browser");
	check_true(hears("GET / HTTP/1.0\r\nUSER x\r\n",
	    "-ERR This is not a web server\r\n"));
	check_true(play.closed);
	anew("QUIT");
	check_true(hears("QUIT\r\n", "+OK Goodbye\r\n"));
	check_true(play.closed);
}

static void
test_clear(void)
{
	play_begin(CONF "; tls t required }\n");
	check_begin("without TLS, and without leave: nothing");
	play_connect();
	check_true(begins("CAPA\r\n", "+OK"));
	check_true(strstr(buf_str(&play.out), "USER") == NULL &&
	    strstr(buf_str(&play.out), "SASL") == NULL);
	check_true(begins("USER user1\r\n", "-ERR [SYS/PERM]"));
	check_true(begins("AUTH PLAIN\r\n", "-ERR [SYS/PERM]"));
	check_true(begins("AUTH PLAIN " RIGHT "\r\n", "-ERR [SYS/PERM]"));
	check_true(begins("PASS secret1\r\n", "-ERR"));
	check_int(play.logins, 0);
	play_end();
}

int
main(void)
{
	log_stderr_level(LOG_L_ERROR + 1);
	play_begin(CONF " }\nlogin clear\n");
	test_user();
	test_auth();
	test_away();
	test_rest();
	play_end();
	test_clear();
	return check_end();
}
