/*
 * tests/fuzz/smtpd_session_fuzz.c - anything that a client may send, against
 * real sessions with false peers. The first octet says in what pieces it
 * comes, and to whom: an mx, a device's listener, submit.sock, a submission
 * port in clear, encrypted, or logged in. Held: replies are replies, text that was accepted has CRLF lines alone
 * and no NUL, and nothing of a session outlives it.
 */
#include "lib/mem.h"
#include "tests/unit/smtpd_fake.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define INPUT_MAX 8192

static void
require(bool held, const char *what)
{
	if (held)
		return;
	fprintf(stderr, "%s\n%.*s\n", what, (int)fake.out.len,
	    fake.out.len > 0 ? buf_span(&fake.out).p : "");
	abort();
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static void
replies_check(void)
{
	struct span rest = buf_span(&fake.out), line;

	while (rest.len > 0) {
		require(span_find(rest, '\n') != -1, "half a reply");
		span_split(rest, '\n', &line, &rest);
		require(line.len >= 5 && line.p[line.len - 1] == '\r' &&
		    line.p[0] >= '2' && line.p[0] <= '5' &&
		    is_digit(line.p[1]) && is_digit(line.p[2]) &&
		    (line.p[3] == ' ' || line.p[3] == '-'), "no reply");
		line.len--;
		require(span_printable(line), "a reply is not printable");
	}
}

static void
text_check(void)
{
	struct span text = buf_span(&fake.text);
	size_t i;

	for (i = 0; i < text.len; i++) {
		require(text.p[i] != '\0', "NUL");
		if (text.p[i] == '\n')
			require(i > 0 && text.p[i - 1] == '\r', "bare LF");
		if (i > 0 && text.p[i - 1] == '\r')
			require(text.p[i] == '\n', "bare CR");
	}
	require(text.len > 2 && text.p[text.len - 1] == '\n', "no end");
}

static void
connect_to(unsigned whom)
{
	struct smtpd_listener *const listeners[] = { &fake.mx, &fake.device,
		&fake.submit, &fake.submission };

	fake.submission.conf = whom == 6 ? &fake.any :
	    &fake.conf->listens[1];
	fake_connect(listeners[whom < 3 ? whom : 3]);
	if (whom >= 4)
		fake_secure();
	if (whom >= 5)
		fake.d.sessions->account = xstrdup("user1@example.test");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t pieces[] = { 1, 2, 3, 7, 64, 512, 4096, 9999 };
	size_t i;
	static bool started;
	unsigned committed;

	if (size < 2 || size > INPUT_MAX)
		return 0;
	if (!started)
		fake_start("size 64K; recipients 100; deny sender @spam.example");
	started = true;
	for (i = 0; i < fake.conf->nlistens; i++)
		fake.conf->listens[i].errors = 1000;
	committed = fake.committed;
	connect_to(data[0] >> 3 & 7);
	fake_send(span_make(data + 1, size - 1), pieces[data[0] & 7]);
	if (fake.committed > committed && fake.text_whole)
		text_check();
	replies_check();
	fake_hangup();
	require(fake.d.nsessions == 0, "a session stays");
	require(fake.d.ntxs == 0, "a transaction stays");
	require(fake.d.clients.n == 0, "a client stays");
	return 0;
}
