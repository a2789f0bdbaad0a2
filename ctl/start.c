/*
 * ctl/start.c - barid run, start, stop and reload. master is started by exec
 * with nothing but its arguments; whether it works is seen on control.sock, as
 * everybody else sees it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"
#include "ctl/ctl.h"
#include "lib/clock.h"
#include "lib/log.h"

#define START_MS   60000  /* a big index may have to be opened first */
#define STOP_MS    150000 /* letters in flight may take a while */
#define POLL_MS    50
#define DEATHS_MAX 4      /* of one program: it will not get better */
#define STDERR_LOG "stderr.log" /* in the run folder: what had no log */

/* -- the program ----------------------------------------------------------- */

/* Installed, or beside us in a build tree: for tests alone. */
static void
master_path(const struct ctl *c, char path[PATH_MAX])
{
	char self[PATH_MAX - 32];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (c->test_dir != NULL && n > 0) {
		self[n] = '\0';
		if ((slash = strrchr(self, '/')) != NULL)
			*slash = '\0';
		snprintf(path, PATH_MAX, "%s/../libexec/master", self);
		if (access(path, X_OK) == 0)
			return;
	}
	snprintf(path, PATH_MAX, "%s/master", PATH_LIBEXEC);
}

/* Returns only when it fails. */
static int
master_exec(const struct ctl *c)
{
	char path[PATH_MAX], *argv[7];
	size_t n = 0;

	master_path(c, path);
	argv[n++] = path;
	if (c->test_dir != NULL) {
		argv[n++] = (char *)(uintptr_t)"--test";
		argv[n++] = (char *)(uintptr_t)c->test_dir;
	}
	if (c->sandbox_log)
		argv[n++] = (char *)(uintptr_t)"--sandbox=log";
	argv[n++] = (char *)(uintptr_t)"-c";
	argv[n++] = (char *)(uintptr_t)c->conf;
	argv[n] = NULL;
	execv(path, argv);
	complain("%s: %s", path, strerror(errno));
	return EX_UNAVAILABLE;
}

int
verb_run(struct ctl *c)
{
	int status = check_configuration(c, stderr);

	return status != 0 ? status : master_exec(c);
}

/* -- start ----------------------------------------------------------------- */

struct ready {
	bool up;
	pid_t pid;
	char failing[64]; /* a program that has died again and again */
};

static void
on_status(void *arg, const struct fields *f)
{
	struct ready *r = arg;

	if (field_number(f, "restarts") >= DEATHS_MAX)
		span_copy(field_text(f, "program"), r->failing,
		    sizeof(r->failing));
	if (!span_eqstr(field_text(f, "program"), "master"))
		return;
	r->up = span_eqstr(field_text(f, "state"), "up");
	r->pid = (pid_t)field_number(f, "pid");
}

/* master's word on itself; false when nobody answers. */
static bool
ask_ready(const struct ctl *c, struct ready *r)
{
	struct span words[] = { span_str("status") };
	struct talk t;
	int status;

	*r = (struct ready){ false, 0, "" };
	if (talk_open(&t, c, true) != 0)
		return false;
	status = talk_ask(&t, ROLE_MASTER, words, 1, on_status, r);
	talk_close(&t);
	return status == 0;
}

/* What programs say while they have no log, or none any more. */
static int
open_stderr_log(const struct ctl *c)
{
	char path[1300];

	if (mkdir(c->run, 0755) == -1 && errno != EEXIST)
		return -1;
	snprintf(path, sizeof(path), "%s/%s", c->run, STDERR_LOG);
	return open(path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC |
	    O_NOFOLLOW, 0600);
}

/* In the child: no terminal, no folder of the caller's, no descriptor. */
static void __attribute__((noreturn))
become_master(const struct ctl *c, int err)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	if (null == -1 || chdir("/") == -1 ||
	    dup2(null, STDIN_FILENO) == -1 ||
	    dup2(null, STDOUT_FILENO) == -1 ||
	    dup2(err, STDERR_FILENO) == -1)
		_exit(EX_OSERR);
	closefrom(STDERR_FILENO + 1);
	_exit(master_exec(c));
}

static void
show_complaints(int err)
{
	char piece[4096];
	ssize_t n;
	off_t at = 0;

	while ((n = pread(err, piece, sizeof(piece), at)) > 0) {
		put_lines(stderr, span_make(piece, (size_t)n));
		at += n;
	}
}

static int
wait_ready(const struct ctl *c, pid_t pid, int err)
{
	int64_t until = clock_boot_ms() + START_MS;
	struct ready r;
	int status;

	while (clock_boot_ms() < until) {
		if (waitpid(pid, &status, WNOHANG) == pid) {
			show_complaints(err);
			complain("it could not be started");
			return WIFEXITED(status) && WEXITSTATUS(status) != 0 ?
			    WEXITSTATUS(status) : EX_SOFTWARE;
		}
		if (ask_ready(c, &r) && r.up)
			return 0;
		if (r.failing[0] != '\0') {
			show_complaints(err);
			complain("it runs, but %s dies again and again: see "
			    "barid status and the log", r.failing);
			return EX_UNAVAILABLE;
		}
		usleep(POLL_MS * 1000);
	}
	show_complaints(err);
	complain("it runs, but is not ready after %d s: see barid status",
	    START_MS / 1000);
	return EX_TEMPFAIL;
}

int
verb_start(struct ctl *c)
{
	int status = check_configuration(c, stderr), err;
	struct ready r;
	pid_t pid;

	if (status != 0)
		return status;
	if (ask_ready(c, &r)) {
		complain("it runs already (pid %ld)", (long)r.pid);
		return r.up ? 0 : EX_TEMPFAIL;
	}
	if ((err = open_stderr_log(c)) == -1) {
		complain("%s/%s: %s", c->run, STDERR_LOG, strerror(errno));
		return EX_CANTCREAT;
	}
	if ((pid = fork()) == -1) {
		complain("fork: %s", strerror(errno));
		return EX_OSERR;
	}
	if (pid == 0)
		become_master(c, err);
	status = wait_ready(c, pid, err);
	close(err);
	return status;
}

/* -- stop and reload ------------------------------------------------------- */

/* It has let go of the socket; the process itself ends right after. */
static bool
wait_gone(pid_t pid, int64_t ms)
{
	int64_t until = clock_boot_ms() + ms;

	while (pid > 0 && (kill(pid, 0) == 0 || errno == EPERM)) {
		if (clock_boot_ms() > until)
			return false;
		usleep(POLL_MS * 1000);
	}
	return true;
}

int
verb_stop(struct ctl *c)
{
	struct span status_word[] = { span_str("status") };
	struct span words[] = { span_str("stop") };
	struct ready r = { false, 0, "" };
	struct talk t;
	int status = talk_open(&t, c, false);

	if (status != 0)
		return status;
	status = talk_ask(&t, ROLE_MASTER, status_word, 1, on_status, &r);
	if (status == 0)
		status = talk_ask(&t, ROLE_MASTER, words, 1, NULL, NULL);
	if (status == 0 && !(talk_wait_end(&t, STOP_MS) &&
	    wait_gone(r.pid, STOP_MS))) {
		complain("it was told to stop and has not ended after %d s "
		    "(pid %ld)", STOP_MS / 1000, (long)r.pid);
		status = EX_TEMPFAIL;
	}
	talk_close(&t);
	return status;
}

int
verb_reload(struct ctl *c)
{
	struct span words[] = { span_str("reload") };
	struct talk t;
	int status = talk_open(&t, c, false);

	if (status != 0)
		return status;
	status = talk_ask(&t, ROLE_MASTER, words, 1, NULL, NULL);
	if (status == EX_CONFIG)
		complain("the configuration that was in force stays");
	talk_close(&t);
	return status;
}
