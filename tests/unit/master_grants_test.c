/*
 * tests/unit/master_grants_test.c - no mailbox without a grant: pop3d workers that
 * ask with no ticket, a wrong one, another's, an old one or one twice; and the
 * answer for a program that died meanwhile does not reach its successor.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/mem.h"
#include "master/master.h"
#include "tests/unit/check.h"
#include "tests/unit/tree.h"

#define HEAD 16

enum { POP, OTHER, AUTHD, PFORK, DFORK, DELIVER, NCHILDREN };

static const enum role roles[NCHILDREN] = { ROLE_POP3D, ROLE_POP3D, ROLE_AUTHD,
	ROLE_PFORK, ROLE_DFORK, ROLE_DELIVER };

static struct {
	struct master m;
	struct child *c[NCHILDREN];
	int far[NCHILDREN]; /* where the program would be */
	struct buf body;    /* of the message that is being made */
	char dir[64];
} t;

static void
begin(void)
{
	int sv[2], i;

	memset(&t, 0, sizeof(t));
	loop_init(&t.m.loop);
	snprintf(t.dir, sizeof(t.dir), "/tmp/barid-grants.XXXXXX");
	if (mkdtemp(t.dir) == NULL)
		exit(1);
	snprintf(t.m.path.index, sizeof(t.m.path.index), "%s", t.dir);
	snprintf(t.m.path.mail, sizeof(t.m.path.mail), "/nowhere");
	buf_init(&t.body, IPC_BODY_MAX);
	for (i = 0; i < NCHILDREN; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == -1)
			exit(1);
		t.c[i] = child_new(&t.m, roles[i]);
		t.c[i]->pid = 100000 + i;
		t.c[i]->ch.on_lost = NULL;
		channel_open(&t.c[i]->ch, sv[0]);
		t.far[i] = sv[1];
		fcntl(sv[1], F_SETFL, O_NONBLOCK);
	}
}

static void
end(void)
{
	int i;

	grants_clear(&t.m);
	for (i = 0; i < NCHILDREN; i++) {
		child_free(t.c[i]);
		close(t.far[i]);
	}
	buf_clear(&t.body);
	loop_clear(&t.m.loop);
	tree_remove(t.dir);
}

/* -- what programs say -------------------------------------------------------- */

static void
put(uint64_t n, int octets)
{
	char c;

	for (; octets > 0; octets--, n >>= 8) {
		c = (char)(n & 0xff);
		buf_add(&t.body, &c, 1);
	}
}

static void
put_text(const char *s, size_t len)
{
	put(len, 4);
	buf_add(&t.body, s, len);
}

static void
put_account_of(const char *user, size_t len, unsigned flags)
{
	put_text(user, len);
	put(getuid(), 4);
	put(getgid(), 4);
	put_text("/", 1);
	put_text("/elsewhere/box", 14);
	put_text("", 0);
	put(0, 8);
	put(flags, 1);
	put(0, 4);
}

static void
put_account(const char *user)
{
	put_account_of(user, strlen(user), 0);
}

static struct ipc_msg
message(int from, enum ipc_type type, uint32_t request, int fd)
{
	return (struct ipc_msg){ &t.c[from]->ch, (uint16_t)type, request, 0,
		buf_span(&t.body), fd };
}

static int
grant(const char *ticket, unsigned role, unsigned worker)
{
	struct ipc_msg msg;
	int rv;

	buf_reset(&t.body);
	put_text(ticket, strlen(ticket));
	put(role, 1);
	put(worker, 2);
	put_account("ann");
	msg = message(AUTHD, IPC_GRANT, 7, -1);
	rv = on_grant(t.c[AUTHD], &msg);
	return rv;
}

static int
session(int who, const char *ticket)
{
	struct ipc_msg msg;
	int rv;

	buf_reset(&t.body);
	put_text(ticket, strlen(ticket));
	msg = message(who, IPC_SESSION, 9, open("/dev/null", O_RDWR));
	rv = on_session(t.c[who], &msg);
	if (msg.fd != -1)
		close(msg.fd);
	return rv;
}

/* Over the wire, for answers to requests of master's. */
static void
say(int from, enum ipc_type type, uint32_t request)
{
	struct buf frame = BUF_INIT(IPC_FRAME_MAX), body = t.body;
	struct span s = buf_span(&body);

	t.body = frame;
	put(HEAD + s.len, 4);
	put(type, 2);
	put(0, 2);
	put(request, 4);
	put(0, 4);
	buf_add_span(&t.body, s);
	s = buf_span(&t.body);
	check_int(write(t.far[from], s.p, s.len), (intmax_t)s.len);
	buf_clear(&t.body);
	t.body = body;
	buf_reset(&t.body);
}

/* -- what they hear ----------------------------------------------------------- */

/* The type of the next message, 0: none; its request and first octet. */
static unsigned
heard(int who, uint32_t *request, unsigned *first)
{
	unsigned char frame[4096];
	int i;
	ssize_t n;

	for (i = 0; i < 3; i++)
		loop_run_once(&t.m.loop, 1);
	n = read(t.far[who], frame, sizeof(frame));
	if (n <= HEAD)
		return 0;
	memcpy(request, frame + 8, sizeof(*request));
	*first = frame[HEAD];
	return (unsigned)(frame[4] | frame[5] << 8);
}

static void
check_refused(int who, const char *ticket)
{
	uint32_t request = 0;
	unsigned yes = 1;

	check_int(session(who, ticket), 0);
	check_int(heard(PFORK, &request, &yes), 0);
	check_int(heard(who, &request, &yes), IPC_SESSION_DONE);
	check_int(request, 9);
	check_int(yes, 0);
}

static void
test_refused(void)
{
	begin();
	check_begin("no grant at all");
	check_refused(POP, "0123456789abcdef");

	check_begin("not a ticket: the channel goes");
	check_int(session(POP, "0123456789abcde"), -1);
	check_int(session(POP, ""), -1);

	check_begin("a wrong ticket");
	check_int(grant("0123456789abcdef", ROLE_POP3D, 0), 0);
	check_refused(POP, "0123456789abcdeF");

	check_begin("another worker's ticket");
	check_refused(OTHER, "0123456789abcdef");

	check_begin("a ticket after 30 s");
	t.m.grants->until_ms = clock_boot_ms() - 1;
	check_refused(POP, "0123456789abcdef");
	check_int((intmax_t)t.m.ngrants, 0);

	check_begin("authd grants to pop3d alone, and whole accounts");
	check_int(grant("0123456789abcdef", ROLE_SMTPD, 0), -1);
	check_int(grant("0123456789abcde", ROLE_POP3D, 0), -1);
	check_int((intmax_t)t.m.ngrants, 0);
	end();
}

static void
test_once(void)
{
	uint32_t request = 0, other;
	unsigned first = 0;

	begin();
	check_begin("a grant opens one session");
	check_int(grant("0123456789abcdef", ROLE_POP3D, 0), 0);
	check_int(session(POP, "0123456789abcdef"), 0);
	check_int(heard(PFORK, &request, &first), IPC_FORK);
	check_int(heard(POP, &other, &first), 0);
	buf_reset(&t.body);
	put(4711, 4);
	put_text("", 0);
	say(PFORK, IPC_FORKED, request);
	check_int(heard(POP, &other, &first), IPC_SESSION_DONE);
	check_int(other, 9);
	check_int(first, 1);

	check_begin("and not a second one");
	check_refused(POP, "0123456789abcdef");
	end();
}

/* deliver asks for ann, dies, and its successor has a request of that number. */
static void
test_successor(void)
{
	uint32_t request = 0, other = 0;
	unsigned first = 0;
	struct ipc_msg msg;
	int restarted;

	for (restarted = 0; restarted < 2; restarted++) {
		begin();
		check_begin(restarted ? "the answer to a dead asker is dropped"
		    : "deliver gets its child");
		put_text("ann", 3);
		put(0, 1);
		msg = message(DELIVER, IPC_CHILD_ASK, 5, -1);
		check_int(on_child_ask(t.c[DELIVER], &msg), 0);
		buf_reset(&t.body);
		check_int(heard(AUTHD, &request, &first), IPC_ACCOUNT_ASK);
		put(ACCOUNT_OK, 1);
		put_account("ann");
		say(AUTHD, IPC_ACCOUNT, request);
		check_int(heard(DFORK, &request, &first), IPC_FORK);
		if (restarted)
			t.c[DELIVER]->pid++;
		put(4711, 4);
		put_text("", 0);
		say(DFORK, IPC_FORKED, request);
		check_int(heard(DELIVER, &other, &first),
		    restarted ? 0 : IPC_CHILD);
		end();
	}
}

/* The octet of IPC_FORK that holds CHILD_F_; -1: there was no fork. The answer to
 * deliver, if there was none, is in why. */
static int
flags_of_fork(const char *user, size_t len, unsigned asked, unsigned known,
    char why[64])
{
	unsigned char frame[4096];
	uint32_t request = 0, n;
	unsigned first = 0;
	struct ipc_msg msg;
	ssize_t got;
	int i;

	buf_reset(&t.body);
	put_text("ann", 3);
	put(asked, 1);
	msg = message(DELIVER, IPC_CHILD_ASK, 5, -1);
	check_int(on_child_ask(t.c[DELIVER], &msg), 0);
	buf_reset(&t.body);
	check_int(heard(AUTHD, &request, &first), IPC_ACCOUNT_ASK);
	check_int(first, 3);
	put(ACCOUNT_OK, 1);
	put_account_of(user, len, known);
	say(AUTHD, IPC_ACCOUNT, request);
	for (i = 0; i < 3; i++)
		loop_run_once(&t.m.loop, 1);
	if ((got = read(t.far[DFORK], frame, sizeof(frame))) > HEAD)
		return frame[got - 5]; /* flags, u32 mail gid */
	got = read(t.far[DELIVER], frame, sizeof(frame));
	why[0] = '\0';
	if (got > HEAD + 5 && frame[HEAD] == 0) {
		memcpy(&n, frame + HEAD + 1, 4);
		snprintf(why, 64, "%.*s", n > 63 ? 63 : (int)n,
		    (char *)frame + HEAD + 5);
	}
	return -1;
}

static void
test_child(void)
{
	static const struct { const char *name; size_t len; } hostile[] = {
		{ "../ann", 6 }, { ".", 1 }, { "..", 2 }, { "a/b", 3 },
		{ "/etc", 4 }, { "a\0b", 3 }
	};
	char why[64];
	size_t i;

	begin();
	check_begin("commands only where asker and table both mean them");
	check_int(flags_of_fork("ann", 3, 0, CHILD_F_COMMANDS, why), 0);
	check_int(flags_of_fork("ann", 3, CHILD_F_COMMANDS, 0, why), 0);
	check_int(flags_of_fork("ann", 3, CHILD_F_COMMANDS, 0xff, why),
	    CHILD_F_COMMANDS);
	for (i = 0; i < nitems(hostile); i++) {
		check_begin(hostile[i].name);
		check_int(flags_of_fork(hostile[i].name, hostile[i].len, 0, 0,
		    why), -1);
		check_str(why, "not a user name");
	}
	end();
}

static void
check_unix(int who, const char *path, unsigned want)
{
	uint32_t request = 0;
	unsigned yes = 9;
	struct ipc_msg msg;

	buf_reset(&t.body);
	put_text(path, strlen(path));
	msg = message(who, IPC_UNIX_ASK, 3, -1);
	check_int(on_unix_ask(t.c[who], &msg), 0);
	check_int(heard(who, &request, &yes), IPC_UNIX);
	check_int(yes, want);
}

/* Only sockets that the configuration names, and to whom it names them. */
static void
test_unix(void)
{
	struct conf_errors errors = { 0 };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char *text;
	int fd;

	begin();
	snprintf(un.sun_path, sizeof(un.sun_path), "%s/lmtp", t.dir);
	text = xasprintf("config 1 for relay\nhost h.test\n"
	    "route { to far.test via lmtp %s\nto any via mx }\n", un.sun_path);
	t.m.conf = conf_parse(span_str(text), "test", true, &errors);
	if (t.m.conf == NULL)
		printf("%s\n", errors.list[0].text);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	check_begin("a socket of a route");
	if (check_true(t.m.conf != NULL && bind(fd, (struct sockaddr *)&un,
	    sizeof(un)) == 0 && listen(fd, 5) == 0)) {
		t.c[DELIVER]->role = t.c[DELIVER]->ch.peer = ROLE_RELAY;
		check_unix(DELIVER, un.sun_path, 1);
		check_begin("others are not there for relay");
		check_unix(DELIVER, "/dev/log", 0);
		check_unix(DELIVER, "/run/barid/submit.sock", 0);
		check_unix(DELIVER, "x", 0);
		check_begin("nor a route's for logd");
		t.c[DELIVER]->role = t.c[DELIVER]->ch.peer = ROLE_LOGD;
		check_unix(DELIVER, un.sun_path, 0);
	}
	close(fd);
	unlink(un.sun_path);
	conf_free(t.m.conf);
	free(text);
	end();
}

int
main(void)
{
	test_refused();
	test_child();
	test_unix();
	test_once();
	test_successor();
	return check_end();
}
