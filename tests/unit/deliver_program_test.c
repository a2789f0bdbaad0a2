/*
 * deliver_program_test.c - commands are run for real: what they get, what is
 * heard of them, and that nothing of them stays.
 */
#include "deliver/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "tests/unit/check.h"

static const char head[] = "From a@b.example Sat Nov 21 11:00:00 2026\n"
    "Return-Path: <a@b.example>\n";
static const char letter[] = "Subject: x\r\n\r\none\r\nFrom two\r\n";

static struct program_spec
spec_of(const char *command)
{
	struct program_spec s = {
		.text = command, .user = "alice", .home = "/",
		.sender = span_str("a@b.example"),
		.recipient = span_str("alice+x@example.test"),
		.original = span_str("`id`@example.test"),
		.head = span_str(head), .body = span_str(letter),
		.body_fd = -1, .time_ms = 20000, .grace_ms = 200,
	};

	return s;
}

static struct program_result
run_spec(struct program_spec s)
{
	struct program_result r;

	program_run(&s, -1, &r);
	return r;
}

static struct program_result
run(const char *command)
{
	return run_spec(spec_of(command));
}

static void
test_ends(void)
{
	static const struct {
		const char *name, *command;
		enum program_end how;
		int code;
		const char *output;
	} cases[] = {
		{ "well", "true", PROGRAM_EXITED, 0, "" },
		{ "later", "exit 75", PROGRAM_EXITED, 75, "" },
		{ "says why", "echo no such list >&2; exit 67",
		    PROGRAM_EXITED, 67, "no such list" },
		{ "no such command", "/nonexistent/x 2>/dev/null",
		    PROGRAM_EXITED, 127, "" },
		{ "killed", "kill -9 $$", PROGRAM_KILLED, 9, "" },
		{ "two lines", "printf 'a\\n\\tb\\033[2J\\n'", PROGRAM_EXITED,
		    0, "a b?[2J" },
		{ "does not read", "exec <&-; exit 0", PROGRAM_EXITED, 0,
		    "" },
		{ "its letter", "sed -n '/^From a@b/p;/^one/p;/^From two/p'",
		    PROGRAM_EXITED, 0,
		    "From a@b.example Sat Nov 21 11:00:00 2026 one From two" },
		{ "no CR in it", "tr -cd '\\r' | wc -c", PROGRAM_EXITED, 0,
		    "0" },
	};
	size_t i;

	for (i = 0; i < nitems(cases); i++) {
		struct program_result r = run(cases[i].command);

		check_begin(cases[i].name);
		check_int(r.how, cases[i].how);
		check_int(r.code, cases[i].code);
		check_str(r.output, cases[i].output);
	}
}

static void
test_surroundings(void)
{
	struct program_result r;
	struct program_spec s;
	int fd;

	check_begin("environment");
	setenv("BARID_SECRET", "x", 1);
	r = run("env | grep -v '^_=\\|^PWD=\\|^OLDPWD=\\|^SHLVL=' | sort | "
	    "tr '\\n' ' '");
	check_str(r.output, "DOMAIN=example.test HOME=/ "
	    "LOCAL=alice+x LOGNAME=alice "
	    "ORIGINAL_RECIPIENT=_id_@example.test "
	    "PATH=/usr/local/bin:/usr/bin:/bin "
	    "RECIPIENT=alice+x@example.test SENDER=a@b.example "
	    "SHELL=/bin/sh USER=alice");
	check_begin("descriptors");
	fd = open("/dev/null", O_RDONLY); /* one that must not be seen */
	r = run("ls /proc/self/fd 2>/dev/null | wc -l");
	check_true(strcmp(r.output, "4") == 0 || strcmp(r.output, "0") == 0);
	close(fd);
	check_begin("folder");
	check_str(run("pwd").output, "/");
	check_begin("a home that is not there");
	s = spec_of("pwd");
	s.home = "/nonexistent";
	check_str(run_spec(s).output, "/");
	check_begin("a session of its own");
	r = run("test \"$(cut -d' ' -f6 /proc/$$/stat)\" = $$ && echo yes");
	check_str(r.output, "yes");
	check_begin("signals as ever");
	signal(SIGPIPE, SIG_IGN);
	r = run("yes | head -1 >/dev/null; echo ok");
	check_str(r.output, "ok");
}

static void
test_bounds(void)
{
	struct program_result r;
	struct program_spec s;
	int64_t began = clock_boot_ms();

	check_begin("too long");
	s = spec_of("sleep 30");
	s.time_ms = 200;
	r = run_spec(s);
	check_int(r.how, PROGRAM_TIMEOUT);
	check_begin("too long and deaf");
	s.text = "trap '' TERM; sleep 30; sleep 30";
	r = run_spec(s);
	check_int(r.how, PROGRAM_TIMEOUT);
	check_true(clock_boot_ms() - began < 5000);

	check_begin("much output");
	r = run("yes abcdefg | head -c 1000000");
	check_int(r.how, PROGRAM_EXITED);
	check_true(strlen(r.output) >= PROGRAM_OUTPUT_MAX - 1);

	check_begin("what it leaves behind");
	r = run("sleep 300 & echo $!");
	check_int(r.how, PROGRAM_EXITED);
	check_true(atol(r.output) > 0);
	for (began = clock_boot_ms(); clock_boot_ms() - began < 2000;)
		if (kill((pid_t)atol(r.output), 0) == -1)
			break;
	check_true(kill((pid_t)atol(r.output), 0) == -1 ||
	    waitpid((pid_t)atol(r.output), NULL, WNOHANG) != 0);
}

static void
test_big_letter(void)
{
	struct program_result r;
	struct program_spec s = spec_of("wc -c");
	char name[] = "/tmp/barid-program-XXXXXX", line[64];
	int fd = mkstemp(name);
	char want[32];
	size_t i;

	check_begin("a big letter");
	unlink(name);
	memset(line, 'x', sizeof(line));
	line[62] = '\r';
	line[63] = '\n';
	for (i = 0; i < 10001; i++)
		if (write(fd, line, sizeof(line)) != sizeof(line))
			return;
	s.body_fd = fd;
	s.body_len = 10001 * sizeof(line);
	r = run_spec(s);
	snprintf(want, sizeof(want), "%zu", strlen(head) + 10001 * 63);
	check_str(r.output, want);
	check_begin("a big letter that nobody reads");
	s.text = "exit 0";
	check_int(run_spec(s).code, 0);
	close(fd);
}

/* deliver -c beside this test; its channel */
static int
runner_start(void)
{
	static const struct account a = { .user = "alice" };
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == -1)
		return -1;
	if (fork() == 0) {
		close(sv[0]);
		_exit(runner_main(&a, sv[1], -1, "mx.example", true));
	}
	close(sv[1]);
	return sv[0];
}

static struct program_result heard;
static unsigned ended;

static void
on_done(void *arg, const struct program_result *r)
{
	(void)arg;
	heard = *r;
	ended++;
}

static void
test_beside_loop(void)
{
	struct loop l;
	struct program p = { .fd = -1 }, q = { .fd = -1 };
	struct program_spec s = spec_of("cat >/dev/null; echo done; exit 3");
	char name[] = "/tmp/barid-program-XXXXXX", text[128];
	int fd = mkstemp(name), runner = runner_start();
	int64_t until;

	loop_init(&l);
	check_begin("told by the loop");
	check_int(program_start(&p, &l, runner, &s, on_done, NULL), 0);
	for (until = clock_boot_ms() + 10000; ended == 0 &&
	    clock_boot_ms() < until;)
		loop_run_once(&l, 100);
	check_int(ended, 1);
	check_int(heard.how, PROGRAM_EXITED);
	check_int(heard.code, 3);
	check_str(heard.output, "done");
	program_stop(&p);

	check_begin("stopped with us");
	snprintf(text, sizeof(text), "echo $$ >%s; exec sleep 300", name);
	s = spec_of(text);
	check_int(program_start(&q, &l, runner, &s, on_done, NULL), 0);
	for (until = clock_boot_ms() + 10000; lseek(fd, 0, SEEK_END) == 0 &&
	    clock_boot_ms() < until;)
		loop_run_once(&l, 20);
	if (check_true(pread(fd, text, sizeof(text), 0) > 0)) {
		pid_t pid = (pid_t)atol(text);

		program_stop(&q);
		for (until = clock_boot_ms() + 5000;
		    kill(pid, 0) == 0 && clock_boot_ms() < until;)
			loop_run_once(&l, 20);
		check_int(kill(pid, 0), -1);
	}
	check_int(ended, 1);
	check_begin("nobody there to run it");
	close(runner);
	check_int(program_start(&p, &l, -1, &s, on_done, NULL), -1);
	close(fd);
	unlink(name);
	loop_clear(&l);
}

static void
test_clean(void)
{
	static const struct { const char *name, *in, *out; } cases[] = {
		{ "address", "a.b+c@d-e.example", "a.b+c@d-e.example" },
		{ "shell", "$(x) `y`;|&<>\"'\\", "__x___y_________" },
		{ "line end", "a\nB=c", "a_B=c" },
		{ "UTF-8", "\xc3\xa9", "__" },
		{ "too long", "0123456789abcdefghijk", "0123456789abcdefghi" },
	};
	char out[20];
	size_t i;

	for (i = 0; i < nitems(cases); i++) {
		check_begin(cases[i].name);
		program_clean(span_str(cases[i].in), out, sizeof(out));
		check_str(out, cases[i].out);
	}
}

int
main(void)
{
	log_init("test");
	unsetenv("TZ");
	test_clean();
	test_ends();
	test_surroundings();
	test_bounds();
	test_big_letter();
	test_beside_loop();
	return check_end();
}
