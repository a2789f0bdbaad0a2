/*
 * deliver_user_test.c - deliver -u as a process of its own, with this test in
 * the place of deliver: mailboxes, .forward, commands, files and lists for
 * real, in a folder of the test's own.
 */
#include "deliver/user.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "tests/unit/check.h"
#include "tests/unit/fake_peer.h"
#include "tests/unit/tree.h"

static char folder[] = "/tmp/barid-user-XXXXXX";
static int dir;

static struct {
	struct loop loop;
	struct channel ch;
	pid_t pid;
	const char *no_lock;   /* complaint to the next IPC_LOCK */
	unsigned locks, unlocks, outcomes, dones, batches;
	uint8_t what;
	char status[32], reply[512];
	unsigned nfinals;
	struct { uint8_t kind; char address[128], target[64], argument[256]; }
	    finals[8];
	bool lost;
} t;

static int
on_outcome(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);
	struct outcome o;

	(void)arg;
	check_int(outcome_read(&rd, &o), 0);
	check_int(o.number, 7);
	t.outcomes++;
	t.what = o.what;
	(void)span_copy(o.status, t.status, sizeof(t.status));
	(void)span_copy(o.reply, t.reply, sizeof(t.reply));
	return 0;
}

static int
on_forward(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);
	struct final f;
	unsigned i;

	(void)arg;
	check_int(ipc_get_u32(&rd), 7);
	t.nfinals = ipc_get_u16(&rd);
	for (i = 0; i < t.nfinals && i < nitems(t.finals); i++) {
		final_read(&rd, &f);
		t.finals[i].kind = f.kind;
		(void)span_copy(f.address, t.finals[i].address, 128);
		(void)span_copy(f.target, t.finals[i].target, 64);
		(void)span_copy(f.argument, t.finals[i].argument, 256);
	}
	check_true(ipc_at_end(&rd));
	return 0;
}

static int
on_done(void *arg, struct ipc_msg *m)
{
	(void)arg;
	(void)m;
	t.dones++;
	return 0;
}

static int
on_lock(void *arg, struct ipc_msg *m)
{
	struct ipc_writer w = ipc_reply_begin(&t.ch, m, IPC_LOCKED);

	(void)arg;
	t.locks++;
	ipc_put_u8(&w, t.no_lock == NULL);
	ipc_put_str(&w, t.no_lock == NULL ? "" : t.no_lock);
	ipc_end(&w);
	return 0;
}

static int
on_unlock(void *arg, struct ipc_msg *m)
{
	(void)arg;
	(void)m;
	t.unlocks++;
	return 0;
}

static const struct ipc_handler handlers[] = {
	{ IPC_JOB_WINDOW,  on_nothing },
	{ IPC_JOB_OUTCOME, on_outcome },
	{ IPC_JOB_FORWARD, on_forward },
	{ IPC_JOB_DONE,    on_done },
	{ IPC_LOCK,        on_lock },
	{ IPC_UNLOCK,      on_unlock },
	IPC_HANDLERS_END
};

static void
on_lost(void *arg, struct channel *ch)
{
	(void)arg;
	(void)ch;
	t.lost = true;
}

/* A child for alice; its mailbox, home and index lie in the folder. */
static void
child_start(unsigned flags, uint64_t quota)
{
	static struct account a;
	int sv[2], runner[2];

	memset(&t, 0, sizeof(t));
	memset(&a, 0, sizeof(a));
	snprintf(a.user, sizeof(a.user), "alice");
	snprintf(a.home, sizeof(a.home), "%s/home", folder);
	if (!(flags & CHILD_F_COMMANDS))
		snprintf(a.mailbox, sizeof(a.mailbox), "%s/mail/alice",
		    folder);
	snprintf(a.index, sizeof(a.index), "%s/index", folder);
	a.uid = geteuid();
	a.gid = getegid();
	a.mail_gid = (gid_t)-1;
	a.flags = flags;
	a.quota = quota;
	peer_pair(sv);
	peer_pair(runner);
	if (fork() == 0) {
		close(sv[0]);
		close(sv[1]);
		close(runner[1]);
		_exit(runner_main(&a, runner[0], -1, "mx.example", true));
	}
	close(runner[0]);
	if ((t.pid = fork()) == 0) {
		close(sv[0]);
		_exit(deliver_user_main(&a, sv[1], runner[1], "mx.example",
		    true));
	}
	close(runner[1]);
	close(sv[1]);
	loop_init(&t.loop);
	channel_init(&t.ch, &t.loop, ROLE_DELIVER, ROLE_DUSER, handlers, NULL);
	t.ch.on_lost = on_lost;
	channel_open(&t.ch, sv[0]);
}

static void
child_end(void)
{
	int status = -1;

	channel_close(&t.ch);
	waitpid(t.pid, &status, 0);
	check_int(status, 0);
	loop_clear(&t.loop);
}

static void
wait_dones(unsigned n)
{
	int64_t until = clock_boot_ms() + 10000;

	while (t.dones < n && !t.lost && clock_boot_ms() < until)
		loop_run_once(&t.loop, 50);
	check_int(t.dones, n);
}

struct give {
	uint8_t kind;
	uint32_t flags;
	const char *argument, *token, *body;
	int fd;
	uint64_t size;
};

static void
give(uint32_t session, struct give g)
{
	peer_job_begin(&t.ch, session, &(struct peer_job){
		.qid = 1, .kind = g.kind, .flags = g.flags,
		.octets = g.fd > 0 ? g.size : strlen(g.body),
		.received_s = 1795000000, .to = "alice@example.test",
		.orcpt = "rfc822;Alice@example.test", .target = "alice",
		.argument = g.argument == NULL ? "" : g.argument,
		.token = g.token, .number = 7 });
	if (g.fd > 0)
		peer_job_big(&t.ch, session, g.fd);
	else
		peer_job_body(&t.ch, session, g.body);
	peer_say(&t.ch, IPC_JOB_END, session);
}

static const char plain[] = "Subject: x\r\n\r\nhello\r\nFrom me\r\n";

static void
letter(uint32_t session, uint32_t flags, const char *token)
{
	give(session, (struct give){ .kind = FINAL_MAILBOX, .flags = flags,
		.token = token, .body = plain });
}

static void
put(const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd == -1 ||
	    write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		exit(1);
	close(fd);
}

/* A file's text, NUL behind it; "" when there is none. */
static const char *
text_of(const char *name)
{
	static char text[65536];
	int fd = openat(dir, name, O_RDONLY);
	ssize_t n = fd == -1 ? 0 : read(fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	if (fd != -1)
		close(fd);
	return text;
}

static unsigned
count(const char *in, const char *what)
{
	unsigned n = 0;

	for (; (in = strstr(in, what)) != NULL; in++)
		n++;
	return n;
}

/* -- what is tried --------------------------------------------------------- */

static void
test_mailbox(void)
{
	struct stat st;
	int fd, i;

	child_start(CHILD_F_DOTLOCK, 0);
	check_begin("a letter");
	letter(1, 0, "0000000001");
	wait_dones(1);
	check_int(t.what, OUTCOME_DELIVERED);
	check_str(t.status, "2.1.5");
	check_str(text_of("mail/alice"),
	    "From s@b.example Wed Nov 18 11:06:40 2026\n"
	    "Return-Path: <s@b.example>\n"
	    "X-Original-To: Alice@example.test\n"
	    "Delivered-To: alice@example.test\n"
	    "Subject: x\n\nhello\n>From me\n\n");
	check_int(fstatat(dir, "mail/alice", &st, 0), 0);
	check_int(st.st_mode & 07777, 0660);
	check_int(t.locks, t.unlocks);

	check_begin("many share a lock");
	t.locks = 0;
	for (i = 2; i < 102; i++) {
		char token[11];

		snprintf(token, sizeof(token), "%010d", i);
		letter((uint32_t)i, 0, token);
	}
	wait_dones(101);
	check_true(t.locks < 20);
	check_int(count(text_of("mail/alice"), "\nhello\n"), 101);

	check_begin("exactly once");
	letter(200, JOB_F_CHECK, "0000000005");
	wait_dones(102);
	check_int(t.what, OUTCOME_DELIVERED);
	check_int(count(text_of("mail/alice"), "\nhello\n"), 101);

	check_begin("a big letter");
	put("big", plain);
	fd = openat(dir, "big", O_RDONLY);
	give(201, (struct give){ .kind = FINAL_MAILBOX, .flags = JOB_F_BIG,
		.token = "b000000000", .fd = fd, .size = strlen(plain) });
	wait_dones(103);
	check_int(count(text_of("mail/alice"), "\nhello\n"), 102);

	check_begin("no lock to be had");
	t.no_lock = "Permission denied";
	letter(202, 0, "0000000202");
	wait_dones(104);
	check_int(t.what, OUTCOME_DEFERRED);
	check_str(t.status, "4.2.0");
	t.no_lock = NULL;
	letter(203, JOB_F_CHECK, "0000000202");
	wait_dones(105);
	check_int(t.what, OUTCOME_DELIVERED);
	check_int(count(text_of("mail/alice"), "\nhello\n"), 103);

	check_begin("here before");
	give(204, (struct give){ .kind = FINAL_MAILBOX, .token = "l",
		.body = "Subject: x\r\nDelivered-To: <Alice@Example.Test>\r\n"
		"\r\nhello\r\n" });
	wait_dones(106);
	check_int(t.what, OUTCOME_FAILED);
	check_str(t.status, "5.4.6");
	check_begin("in the text that says nothing");
	give(205, (struct give){ .kind = FINAL_MAILBOX, .token = "m",
		.body = "Subject: x\r\n\r\nDelivered-To: alice@example.test"
		"\r\n" });
	wait_dones(107);
	check_int(t.what, OUTCOME_DELIVERED);
	child_end();
}

static void
test_defers(void)
{
	check_begin("quota");
	unlinkat(dir, "mail/alice", 0);
	child_start(CHILD_F_DOTLOCK, 100);
	letter(1, 0, "q000000001");
	wait_dones(1);
	check_int(t.what, OUTCOME_DEFERRED);
	check_str(t.status, "4.2.2");
	child_end();
	check_begin("not a file");
	unlinkat(dir, "mail/alice", 0);
	check_int(mkdirat(dir, "mail/alice", 0700), 0);
	child_start(CHILD_F_DOTLOCK, 0);
	letter(1, 0, "q000000002");
	wait_dones(1);
	check_int(t.what, OUTCOME_DEFERRED);
	check_begin("and mended");
	unlinkat(dir, "mail/alice", AT_REMOVEDIR);
	child_end();
	child_start(CHILD_F_DOTLOCK, 0);
	letter(1, 0, "q000000002");
	wait_dones(1);
	check_int(t.what, OUTCOME_DELIVERED);
	child_end();
	check_begin("a mailbox elsewhere, its own locks");
	unlinkat(dir, "mail/alice", 0);
	child_start(0, 0);
	letter(1, 0, "q000000003");
	wait_dones(1);
	check_int(t.what, OUTCOME_DELIVERED);
	check_int(t.locks, 0);
	check_true(faccessat(dir, "mail/alice.lock", F_OK, 0) == -1);
	child_end();
}

static void
test_forward(void)
{
	unlinkat(dir, "mail/alice", 0);
	put("home/.forward", "\\alice, bob, Carol@Else.Example\n"
	    "\"|cat >got; echo ran\"\nALICE@example.test, /tmp/x\n");
	child_start(CHILD_F_DOTLOCK, 0);
	check_begin("a list");
	letter(1, 0, "f000000001");
	wait_dones(1);
	check_int(t.what, OUTCOME_FORWARDED);
	check_int(t.nfinals, 6);
	check_int(t.finals[0].kind, FINAL_MAILBOX);
	check_str(t.finals[0].address, "alice@example.test");
	check_str(t.finals[0].target, "alice");
	check_int(t.finals[1].kind, FINAL_REMOTE);
	check_str(t.finals[1].address, "bob@example.test");
	check_str(t.finals[1].target, "");
	check_str(t.finals[2].address, "Carol@else.example");
	check_int(t.finals[3].kind, FINAL_COMMAND);
	check_str(t.finals[3].target, "alice");
	check_str(t.finals[3].argument, "cat >got; echo ran");
	check_int(t.finals[4].kind, FINAL_MAILBOX);
	check_int(t.finals[5].kind, FINAL_FILE);
	check_begin("her own copy");
	letter(2, JOB_F_NO_FORWARD, "f000000001");
	wait_dones(2);
	check_int(t.what, OUTCOME_DELIVERED);
	check_int(count(text_of("mail/alice"), "\nhello\n"), 1);
	check_begin("her command");
	give(3, (struct give){ .kind = FINAL_COMMAND, .token = "x",
		.argument = "cat >got; echo ran", .body = plain });
	wait_dones(3);
	check_int(t.what, OUTCOME_DELIVERED);
	check_int(count(text_of("home/got"), "\nhello\nFrom me\n"), 1);
	check_int(count(text_of("home/got"), "From s@b.example"), 1);
	check_begin("a command that she no longer wants");
	give(4, (struct give){ .kind = FINAL_COMMAND, .token = "x",
		.argument = "touch never", .body = plain });
	wait_dones(4);
	check_int(t.what, OUTCOME_FAILED);
	check_true(faccessat(dir, "home/never", F_OK, 0) == -1);
	check_begin("a file that she never named");
	give(5, (struct give){ .kind = FINAL_FILE, .token = "x",
		.argument = "/tmp/y", .body = plain });
	wait_dones(5);
	check_int(t.what, OUTCOME_FAILED);
	child_end();

	check_begin("one that others may write is not used");
	check_int(fchmodat(dir, "home/.forward", 0666, 0), 0);
	child_start(CHILD_F_DOTLOCK, 0);
	letter(1, 0, "f000000002");
	wait_dones(1);
	check_int(t.what, OUTCOME_DELIVERED);
	child_end();
	unlinkat(dir, "home/.forward", 0);
}

static void
test_program_account(void)
{
	char path[256], list[256];

	child_start(CHILD_F_COMMANDS, 0);
	check_begin("a command that fails");
	give(1, (struct give){ .kind = FINAL_COMMAND, .token = "x",
		.argument = "echo no; exit 67", .body = plain });
	wait_dones(1);
	check_int(t.what, OUTCOME_FAILED);
	check_str(t.status, "5.1.1");
	check_str(t.reply, "Command ended with status 67: no");
	check_begin("later");
	give(2, (struct give){ .kind = FINAL_COMMAND, .token = "x",
		.argument = "exit 75", .body = plain });
	wait_dones(2);
	check_int(t.what, OUTCOME_DEFERRED);
	check_str(t.status, "4.3.0");
	check_begin("killed");
	give(3, (struct give){ .kind = FINAL_COMMAND, .token = "x",
		.argument = "kill -9 $$", .body = plain });
	wait_dones(3);
	check_int(t.what, OUTCOME_DEFERRED);
	check_begin("a slow one holds nobody up");
	give(4, (struct give){ .kind = FINAL_COMMAND, .token = "x",
		.argument = "sleep 1; exit 75", .body = plain });
	give(5, (struct give){ .kind = FINAL_FILE, .token = "x",
		.argument = "/dev/null", .body = plain });
	wait_dones(4);
	check_int(t.what, OUTCOME_DELIVERED);
	wait_dones(5);
	check_int(t.what, OUTCOME_DEFERRED);

	check_begin("a file");
	snprintf(path, sizeof(path), "%s/home/box", folder);
	give(6, (struct give){ .kind = FINAL_FILE, .token = "f123456789",
		.argument = path, .body = plain });
	wait_dones(6);
	check_int(t.what, OUTCOME_DELIVERED);
	check_int(count(text_of("home/box"), "\nhello\n>From me\n"), 1);
	check_true(faccessat(dir, "home/box.lock", F_OK, 0) == -1);
	check_begin("a file that is a link");
	check_int(symlinkat("box", dir, "home/link"), 0);
	snprintf(path, sizeof(path), "%s/home/link", folder);
	give(7, (struct give){ .kind = FINAL_FILE, .token = "f123456780",
		.argument = path, .body = plain });
	wait_dones(7);
	check_int(t.what, OUTCOME_DEFERRED);
	unlinkat(dir, "home/link", 0);

	check_begin("an include");
	snprintf(list, sizeof(list), "# the list\nx@y.example, bob\n");
	put("home/list", list);
	snprintf(path, sizeof(path), "%s/home/list", folder);
	give(8, (struct give){ .kind = FINAL_INCLUDE, .token = "x",
		.argument = path, .body = plain });
	wait_dones(8);
	check_int(t.what, OUTCOME_FORWARDED);
	check_int(t.nfinals, 2);
	check_str(t.finals[1].address, "bob@example.test");
	check_begin("an include that is not there");
	unlinkat(dir, "home/list", 0);
	give(9, (struct give){ .kind = FINAL_INCLUDE, .token = "x",
		.argument = path, .body = plain });
	wait_dones(9);
	check_int(t.what, OUTCOME_DEFERRED);
	check_begin("it has no mailbox");
	letter(10, 0, "n000000000");
	wait_dones(10);
	check_int(t.what, OUTCOME_DEFERRED);
	child_end();
}

static void
test_end(void)
{
	struct timespec nap = { 0, 20000000 };
	pid_t pid;
	int i;

	check_begin("its commands end with it");
	child_start(CHILD_F_COMMANDS, 0);
	give(1, (struct give){ .kind = FINAL_COMMAND, .token = "x",
		.argument = "echo $$ >pid.tmp; mv pid.tmp pid; sleep 300",
		.body = plain });
	for (i = 0; i < 200 && atol(text_of("home/pid")) == 0; i++)
		loop_run_once(&t.loop, 20);
	pid = (pid_t)atol(text_of("home/pid"));
	check_true(pid > 0);
	child_end();
	for (i = 0; i < 200 && kill(pid, 0) == 0; i++)
		nanosleep(&nap, NULL);
	check_int(kill(pid, 0), -1);
}

int
main(void)
{
	log_init("test");
	log_stderr_level(LOG_L_ERROR);
	if (mkdtemp(folder) == NULL ||
	    (dir = open(folder, O_RDONLY | O_DIRECTORY)) == -1 ||
	    mkdirat(dir, "mail", 0700) == -1 ||
	    mkdirat(dir, "home", 0700) == -1 ||
	    mkdirat(dir, "index", 0700) == -1)
		return 1;
	test_mailbox();
	test_defers();
	test_forward();
	test_program_account();
	test_end();
	if (tree_remove(folder) == -1)
		return 1;
	return check_end();
}
