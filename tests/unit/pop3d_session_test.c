/* pop3d/session.c and verb.c: dialogues over a socketpair. */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "pop3d/session.h"
#include "tests/unit/store_fixture.h"

#define OUT_MAX ((size_t)64 << 20)

struct run {
	int fd;
	pid_t pid;
};

static void
run_begin(struct run *r, struct fixture *f)
{
	struct store *s;
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == -1)
		exit(99);
	fflush(stdout);
	if ((r->pid = fork()) == 0) {
		close(sv[0]);
		if (store_open(&s, &f->conf) == -1)
			_exit(99);
		if (store_claim(s, "pop3") == -1) {
			session_refuse(sv[1], "[IN-USE] The mailbox is in use");
			_exit(2);
		}
		_exit(session_run(sv[1], s, 3) == 0 ? 0 : 1);
	}
	close(sv[1]);
	r->fd = sv[0];
}

static int
run_end(struct run *r)
{
	int status;

	close(r->fd);
	waitpid(r->pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Sends while it reads, until the other side closes. */
static struct buf
talk(struct run *r, struct span in)
{
	struct pollfd p = { .fd = r->fd };
	struct buf out = BUF_INIT(OUT_MAX);
	ssize_t n;

	for (;;) {
		p.events = (short)(POLLIN | (in.len > 0 ? POLLOUT : 0));
		if (poll(&p, 1, 5000) != 1)
			break;
		if (p.revents & POLLIN) {
			n = read(r->fd, buf_reserve(&out, 65536), 65536);
			if (n <= 0)
				break;
			buf_grow(&out, (size_t)n);
		} else if ((p.revents & POLLOUT) && in.len > 0) {
			n = send(r->fd, in.p, in.len,
			    MSG_DONTWAIT | MSG_NOSIGNAL);
			if (n == -1 && errno != EAGAIN)
				break;
			in = span_from(in, n > 0 ? (size_t)n : 0);
			if (in.len == 0)
				shutdown(r->fd, SHUT_WR);
		} else if (p.revents & (POLLHUP | POLLERR))
			break;
	}
	return out;
}

static void
check_talk(struct fixture *f, const char *in, const char *want, int status)
{
	struct run r;
	struct buf out;

	run_begin(&r, f);
	out = talk(&r, span_str(in));
	check_str(buf_str(&out), want);
	check_int(run_end(&r), status);
	buf_clear(&out);
}

static void
fill(struct fixture *f)
{
	static const char *const texts[] = {
		"Subject: one\r\n\r\nfirst\r\n.\r\n..dots\r\nFrom me\r\n",
		"Subject: two\r\n\r\nl1\r\nl2\r\nl3\r\n",
		"Subject: three\r\n\r\n",
	};
	struct store *s = fixture_open(f);
	struct store_letter l;
	size_t i;

	for (i = 0; i < nitems(texts); i++) {
		l = letter((unsigned)i + 1, texts[i]);
		l.head = span_str("");
		check_int(store_append(s, &l, 1), 0);
	}
	store_close(s);
}

#define HELLO "+OK 3 messages (89 octets)\r\n"
#define BYE   "+OK Goodbye, 3 messages left\r\n"
#define NONE  "-ERR There is no such message\r\n"

static const struct {
	const char *name, *in, *out;
} cases[] = {
	{ "stat and list", "STAT\r\nLIST\r\nlist 2\r\nQUIT\r\n",
	    HELLO "+OK 3 89\r\n+OK 3 messages (89 octets)\r\n1 43\r\n"
	    "2 28\r\n3 18\r\n.\r\n+OK 2 28\r\n" BYE },
	{ "a bare LF", "STAT\nQUIT\n", HELLO "+OK 3 89\r\n" BYE },
	{ "retr stuffs dots", "RETR 1\r\nQUIT\r\n",
	    HELLO "+OK 43 octets\r\nSubject: one\r\n\r\nfirst\r\n..\r\n"
	    "...dots\r\nFrom me\r\n.\r\n" BYE },
	{ "retr of a header alone", "RETR 3\r\nQUIT\r\n",
	    HELLO "+OK 18 octets\r\nSubject: three\r\n\r\n"
	    ".\r\n" BYE },
	{ "numbers", "RETR 0\r\nRETR 4\r\nRETR 4294967297\r\nRETR abc\r\n"
	    "RETR +1\r\nLIST 0\r\nDELE 0\r\nUIDL 9\r\nRETR 1x\r\nQUIT\r\n",
	    HELLO NONE NONE NONE NONE NONE NONE NONE NONE NONE BYE },
	{ "top", "TOP 2 0\r\nTOP 2 2\r\nTOP 2 99999999999\r\nQUIT\r\n",
	    HELLO "+OK 28 octets\r\nSubject: two\r\n\r\n.\r\n"
	    "+OK 28 octets\r\nSubject: two\r\n\r\nl1\r\nl2\r\n.\r\n"
	    "+OK 28 octets\r\nSubject: two\r\n\r\nl1\r\nl2\r\nl3\r\n.\r\n"
	    BYE },
	{ "top's arguments", "TOP 1\r\nTOP 1 -1\r\nTOP 1 2 3\r\nTOP 0 1\r\n"
	    "QUIT\r\n",
	    HELLO "-ERR Wrong number of arguments\r\n"
	    "-ERR The second argument is a number of lines\r\n"
	    "-ERR Wrong number of arguments\r\n" NONE BYE },
	{ "dele and rset", "DELE 1   \r\nDELE 1\r\nRETR 1\r\nLIST 1\r\nSTAT\r\n"
	    "LIST\r\nRSET\r\nSTAT\r\nQUIT\r\n",
	    HELLO "+OK Message 1 deleted\r\n-ERR That message is deleted\r\n"
	    "-ERR That message is deleted\r\n-ERR That message is deleted\r\n"
	    "+OK 2 46\r\n+OK 2 messages (46 octets)\r\n2 28\r\n3 18\r\n.\r\n"
	    "+OK 3 messages (89 octets)\r\n+OK 3 89\r\n" BYE },
	{ "junk", "XYZZY\r\n\r\nUSER a\r\nNOOP\r\nNOOP x\r\nQUIT\r\n",
	    HELLO "-ERR Unknown command\r\n-ERR That is no command\r\n"
	    "-ERR Unknown command\r\n+OK\r\n-ERR Wrong number of arguments\r\n"
	    BYE },
};

static void
test_many(struct fixture *f)
{
	struct buf in = BUF_INIT(OUT_MAX), out;
	struct run r;
	int i;

	check_begin("10,000 commands at once");
	for (i = 0; i < 10000; i++)
		buf_add_str(&in, "NOOP\r\n");
	buf_add_str(&in, "QUIT\r\n");
	run_begin(&r, f);
	out = talk(&r, buf_span(&in));
	check_int(out.len, strlen(HELLO) + 50000 + strlen(BYE));
	check_int(run_end(&r), 0);
	buf_clear(&out);

	check_begin("a line that is too long");
	buf_reset(&in);
	for (i = 0; i < 30000; i++)
		buf_add_str(&in, "NOOP");
	buf_add_str(&in, "\r\nQUIT\r\n");
	run_begin(&r, f);
	out = talk(&r, buf_span(&in));
	check_str(buf_str(&out), HELLO "-ERR That is no command\r\n" BYE);
	check_int(run_end(&r), 0);
	buf_clear(&out);

	check_begin("nothing but junk");
	buf_reset(&in);
	for (i = 0; i < 1000; i++)
		buf_add_str(&in, "X\r\n");
	run_begin(&r, f);
	out = talk(&r, buf_span(&in));
	check_int(out.len, strlen(HELLO) + POP3_JUNK_MAX *
	    strlen("-ERR Unknown command\r\n"));
	run_end(&r);
	buf_clear(&out);
	buf_clear(&in);
}

static unsigned
count(struct fixture *f)
{
	struct store *s = fixture_open(f);
	unsigned n = store_count(s);

	store_close(s);
	return n;
}

static void
test_ends(struct fixture *f)
{
	struct run a, b;
	struct buf out;
	char first[8] = "";

	check_begin("a lost connection deletes nothing");
	check_talk(f, "DELE 1\r\nDELE 2\r\n", HELLO "+OK Message 1 deleted\r\n"
	    "+OK Message 2 deleted\r\n", 1);
	check_int(count(f), 3);

	check_begin("a second session");
	run_begin(&a, f);
	check_int(read(a.fd, first, 3), 3);
	run_begin(&b, f);
	out = talk(&b, span_str(""));
	check_str(buf_str(&out), "-ERR [IN-USE] The mailbox is in use\r\n");
	check_int(run_end(&b), 2);
	buf_clear(&out);
	check_begin("a silent client");
	out = talk(&a, span_str(""));
	check_int(run_end(&a), 1);
	buf_clear(&out);

	check_begin("another program changes the mailbox meanwhile");
	run_begin(&a, f);
	check_int(read(a.fd, first, 3), 3);
	box_append(f, "From x Tue Nov 14 22:13:20 2023\nSubject: new\n\nn\n\n");
	out = talk(&a, span_str("RETR 2\r\nDELE 1\r\nSTAT\r\nQUIT\r\n"));
	check_str(buf_str(&out), " 3 messages (89 octets)\r\n+OK 28 octets\r\n"
	    "Subject: two\r\n\r\nl1\r\nl2\r\nl3\r\n.\r\n"
	    "+OK Message 1 deleted\r\n+OK 2 46\r\n"
	    "+OK Goodbye, 2 messages left\r\n");
	check_int(run_end(&a), 0);
	buf_clear(&out);
	check_int(count(f), 3);
}

/* More than any socket buffer holds, asked for and not read in time. */
static void
test_stalled(struct fixture *f)
{
	const size_t lines = 400000;
	struct buf text = BUF_INIT(OUT_MAX), out;
	struct store *s = fixture_open(f);
	struct store_letter l;
	struct run r;
	size_t i;

	check_begin("who stalls in a letter never gets a false end of it");
	buf_add_str(&text, "Subject: long\r\n\r\n");
	for (i = 0; i < lines; i++)
		buf_add_str(&text, "0123456789012345678901234567\r\n");
	l = letter(99, buf_str(&text));
	check_int(store_append(s, &l, 1), 0);
	store_close(s);
	run_begin(&r, f);
	check_int(write(r.fd, "RETR 4\r\n", 8), 8);
	sleep(4); /* run_begin's patience is 3 s */
	out = talk(&r, span_str(""));
	check_true(out.len < text.len);
	check_true(out.len < 5 || memcmp(buf_span(&out).p + out.len - 5,
	    "\r\n.\r\n", 5) != 0);
	check_int(run_end(&r), 1);
	buf_clear(&out);
	buf_clear(&text);
}

int
main(void)
{
	struct fixture f;
	size_t i;

	fixture_init(&f);
	fill(&f);
	for (i = 0; i < nitems(cases); i++) {
		check_begin(cases[i].name);
		check_talk(&f, cases[i].in, cases[i].out, 0);
	}
	test_many(&f);
	test_ends(&f);
	test_stalled(&f);
	fixture_clear(&f);
	return check_end();
}
