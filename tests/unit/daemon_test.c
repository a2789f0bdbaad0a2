/*
 * daemon_test.c - what a program hears of its files, and when: never before the
 * configuration that names them is in force, and at once while none is under
 * way. The program runs in a process of its own, this one is its master.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/ipc/daemon.h"
#include "lib/log.h"
#include "tests/unit/check.h"
#include "tests/unit/fake_peer.h"

#define PATIENCE_MS 30000
#define LIMIT_S     120 /* of the whole: a program that hangs ends it */

#define HEAD "config 1 for keyd\nhost "

/* -- the program ----------------------------------------------------------- */

struct program {
	struct daemon daemon;
	int out;                 /* a pipe: what it was told, in that order */
};

static void
tell(struct program *p, const char *what, const char *name)
{
	dprintf(p->out, "%s%s; ", what, name);
}

static void
on_begin(void *arg)
{
	struct program *p = arg;

	tell(p, "start ", p->daemon.conf->host);
}

static int
on_reload(void *arg, const struct conf *old)
{
	struct program *p = arg;

	tell(p, "reload ", p->daemon.conf->host);
	return strcmp(old->host, "picky.test") == 0 ? -1 : 0;
}

/* Its text, which shows that name and descriptor belong together. */
static void
on_given(void *arg, const char *name, int fd)
{
	char text[16] = "";

	if (pread(fd, text, sizeof(text) - 1, 0) == -1)
		text[0] = '?';
	tell(arg, name, text);
	close(fd);
}

static void
program_run(int master, int out)
{
	static const struct daemon_peer peers[] = {
		{ ROLE_NONE, NULL, NULL, NULL }
	};
	static const struct daemon_spec spec = {
		.role = ROLE_KEYD, .peers = peers, .start = on_begin,
		.reload = on_reload, .file = on_given,
	};
	struct program p = { .out = fcntl(out, F_DUPFD, 10) };

	if (dup2(master, DAEMON_MASTER_FD) == -1)
		_exit(1);
	_exit(daemon_main(&spec, &p.daemon, &p));
}

/* -- its master ------------------------------------------------------------ */

static struct {
	struct loop loop;
	struct channel ch;
	pid_t pid;
	int in;
	char told[512];
	unsigned done, refused;
} t;

static int
on_conf_done(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);

	(void)arg;
	t.refused += ipc_get_u8(&rd) == 0;
	t.done++;
	return 0;
}

static void
program_start(void)
{
	static const struct ipc_handler own[] = {
		{ IPC_CONF_DONE, on_conf_done }, IPC_HANDLERS_END
	};
	struct ipc_writer w;
	int sv[2], out[2];

	loop_init(&t.loop);
	peer_pair(sv);
	if (pipe(out) == -1 || (t.pid = fork()) == -1)
		exit(1);
	if (t.pid == 0) {
		close(sv[0]);
		program_run(sv[1], out[1]);
	}
	close(sv[1]);
	close(out[1]);
	t.in = out[0];
	channel_init(&t.ch, &t.loop, ROLE_MASTER, ROLE_KEYD,
	    peer_handlers(ROLE_MASTER, ROLE_KEYD, own), NULL);
	channel_open(&t.ch, sv[0]);
	w = ipc_begin(&t.ch, IPC_IDENTITY, 0, 0);
	ipc_put_u32(&w, 0);
	ipc_put_u32(&w, 0);
	ipc_put_u8(&w, 1);       /* it stays who it is */
	ipc_put_str(&w, "/");
	ipc_put_u8(&w, 1);
	ipc_put_u8(&w, 1);       /* its cell only writes a log */
	ipc_put_u8(&w, 0);
	check_int(ipc_end(&w), 0);
}

static void
say_conf(bool last, const char *text)
{
	struct ipc_writer w = ipc_begin(&t.ch, IPC_CONF, 0, 0);

	ipc_put_u8(&w, last);
	ipc_put_str(&w, text);
	check_int(ipc_end(&w), 0);
}

static void
say_file(const char *name, const char *text)
{
	struct ipc_writer w = ipc_begin(&t.ch, IPC_FILE, 0, 0);
	int fd = memfd_create("file", MFD_CLOEXEC);

	check_true(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	ipc_put_str(&w, name);
	ipc_put_fd(&w, fd);
	check_int(ipc_end(&w), 0);
}

/* Until it has told as much as WANT, or has gone. */
static void
told(const char *want)
{
	struct pollfd p = { .fd = t.in, .events = POLLIN };
	size_t have = 0;
	ssize_t n;

	channel_flush(&t.ch);
	while (have < strlen(want) && poll(&p, 1, PATIENCE_MS) == 1 &&
	    (n = read(t.in, t.told + have, sizeof(t.told) - 1 - have)) > 0)
		have += (size_t)n;
	t.told[have] = '\0';
	check_str(t.told, want);
}

/* IPC_START, and what it says to it. */
static void
start(unsigned refused)
{
	unsigned before = t.refused, done = t.done;

	peer_say(&t.ch, IPC_START, 0);
	while (t.done == done && channel_is_open(&t.ch))
		loop_run_once(&t.loop, PATIENCE_MS);
	check_int(t.done - done, 1);
	check_int(t.refused - before, refused);
}

static void
test_first(void)
{
	check_begin("the first files come behind the start, in their order");
	say_conf(false, HEAD);
	say_file("/b", "1");
	say_conf(true, "one.test\n");
	say_file("/a", "2");
	say_file("/b", "3");
	start(0);
	told("start one.test; /b1; /a2; /b3; ");
	check_begin("one that has changed is given at once");
	say_file("/a", "4");
	told("/a4; ");
	say_file("/b", "5");
	told("/b5; ");
}

static void
test_again(void)
{
	check_begin("those of a reload come behind it");
	say_file("/a", "6");
	say_conf(false, HEAD);
	say_file("/a", "7");
	say_conf(true, "picky.test\n");
	say_file("/c", "8");
	start(0);
	told("/a6; reload picky.test; /a7; /c8; ");
	say_file("/c", "9");
	told("/c9; ");
	check_begin("a configuration that is refused keeps none of them");
	say_conf(true, HEAD "two.test\n");
	say_file("/a", "1");
	start(0);
	told("reload two.test; /a1; ");
	check_begin("nor does one that cannot be read");
	say_conf(true, HEAD "{\n");
	say_file("/a", "2");
	start(1);
	told("/a2; ");
	say_file("/a", "3");
	told("/a3; ");
}

static void
test_end(void)
{
	int status = -1;

	check_begin("whoever ends before the reload is given nothing");
	say_conf(true, HEAD "three.test\n");
	say_file("/a", "1");
	peer_say(&t.ch, IPC_STOP, 0);
	channel_flush(&t.ch);
	check_int(waitpid(t.pid, &status, 0), t.pid);
	check_int(status, 0);
	check_int(read(t.in, t.told, sizeof(t.told)), 0);
	channel_abandon(&t.ch);
	loop_clear(&t.loop);
	close(t.in);
}

int
main(void)
{
	log_stderr_level(LOG_L_ERROR + 1);
	alarm(LIMIT_S);
	program_start();
	test_first();
	test_again();
	test_end();
	return check_end();
}
