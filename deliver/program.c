/*
 * deliver/program.c - runs a user's command and watches it to its end: feeds
 * the letter, keeps the beginning of what it says, kills what it leaves behind.
 * Nothing of the letter reaches its command line; the environment gets values
 * of a small alphabet under fixed names.
 */
#include "deliver/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/mem.h"

#define FEED_BLOCK   65536
#define ENV_TEXT_MAX 512
#define ENV_MAX      16

/* The letter on its way into the command. */
struct feed {
	const struct program_spec *spec;
	uint64_t at;     /* octets of the body taken */
	bool cr;         /* a CR is held back: it may belong to a line end */
	bool ended;
	struct buf out;
	char *block;
};

/* A command being watched. */
struct run {
	const struct program_spec *spec;
	struct program_result *result;
	struct feed feed;
	pid_t pid;
	int in, out, report;
	int64_t deadline;
	bool timed_out;
	size_t noutput;
};

void
program_clean(struct span in, char *out, size_t size)
{
	static const char safe[] = "0123456789!@%-_=+:,./"
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t i;

	for (i = 0; i < in.len && i + 1 < size; i++)
		out[i] = in.p[i] != '\0' && strchr(safe, in.p[i]) != NULL
		    ? in.p[i] : '_';
	out[i] = '\0';
}

/* -- the letter ------------------------------------------------------------ */

/* CRLF becomes LF, as it would be in a file. */
static void
feed_text(struct feed *f, struct span s)
{
	size_t i, from = 0;

	if (f->cr && s.len > 0 && s.p[0] != '\n')
		buf_add_char(&f->out, '\r');
	if (s.len > 0)
		f->cr = false;
	for (i = 0; i < s.len; i++) {
		if (s.p[i] != '\r')
			continue;
		if (i + 1 < s.len && s.p[i + 1] != '\n')
			continue;
		buf_add(&f->out, s.p + from, i - from);
		from = i + 1;
		f->cr = from == s.len;
	}
	buf_add(&f->out, s.p + from, s.len - from);
}

/* The next block into out; sets ended. */
static void
feed_more(struct feed *f)
{
	const struct program_spec *s = f->spec;
	uint64_t len = s->body_fd == -1 ? s->body.len : s->body_len;
	size_t want = len - f->at < FEED_BLOCK ? (size_t)(len - f->at)
	    : FEED_BLOCK;
	ssize_t n = (ssize_t)want;

	if (want == 0) {
		f->ended = true;
		return;
	}
	if (s->body_fd == -1) {
		feed_text(f, span_make(s->body.p + f->at, want));
	} else {
		if (f->block == NULL)
			f->block = xmalloc(FEED_BLOCK);
		n = pread(s->body_fd, f->block, want, (off_t)f->at);
		if (n <= 0) {
			f->ended = true; /* shorter than promised */
			return;
		}
		feed_text(f, span_make(f->block, (size_t)n));
	}
	f->at += (uint64_t)n;
}

static void
run_close(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

static void
run_feed(struct run *r)
{
	struct feed *f = &r->feed;
	ssize_t n;

	for (;;) {
		if (f->out.len == 0 && !f->ended)
			feed_more(f);
		if (f->out.len == 0 && f->ended)
			break;
		n = write(r->in, buf_span(&f->out).p, f->out.len);
		if (n == -1 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n == -1)
			break; /* it wants no more: its exit status decides */
		buf_drop(&f->out, (size_t)n);
	}
	run_close(&r->in);
}

/* -- what it says ---------------------------------------------------------- */

static void
run_output(struct run *r)
{
	char block[4096], *to = r->result->output;
	ssize_t n, i;

	while ((n = read(r->out, block, sizeof(block))) > 0)
		for (i = 0; i < n && r->noutput < PROGRAM_OUTPUT_MAX; i++) {
			char c = block[i];

			if (c == '\n' || c == '\t')
				c = ' ';
			else if (c < ' ' || c > '~')
				c = '?';
			if (c == ' ' && (r->noutput == 0 ||
			    to[r->noutput - 1] == ' '))
				continue;
			to[r->noutput++] = c;
		}
	to[r->noutput] = '\0';
	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
		run_close(&r->out);
}

/* -- the command ----------------------------------------------------------- */

static void
env_add(char **env, size_t *n, const char *name, const char *value)
{
	env[(*n)++] = xasprintf("%s=%s", name, value);
}

static void
env_clean(char **env, size_t *n, const char *name, struct span value)
{
	char text[ENV_TEXT_MAX];

	program_clean(value, text, sizeof(text));
	env_add(env, n, name, text);
}

static char **
environment(const struct program_spec *s)
{
	char **env = xcalloc(ENV_MAX, sizeof(*env));
	const char *home = s->home[0] != '\0' ? s->home : "/";
	ssize_t at = span_rfind(s->recipient, '@');
	size_t n = 0;

	env_add(env, &n, "PATH", "/usr/local/bin:/usr/bin:/bin");
	env_add(env, &n, "SHELL", "/bin/sh");
	env_add(env, &n, "HOME", home);
	env_add(env, &n, "USER", s->user);
	env_add(env, &n, "LOGNAME", s->user);
	if (getenv("TZ") != NULL)
		env_add(env, &n, "TZ", getenv("TZ"));
	env_clean(env, &n, "SENDER", s->sender);
	env_clean(env, &n, "RECIPIENT", s->recipient);
	env_clean(env, &n, "ORIGINAL_RECIPIENT", s->original);
	if (at != -1) {
		env_clean(env, &n, "LOCAL", span_make(s->recipient.p,
		    (size_t)at));
		env_clean(env, &n, "DOMAIN", span_from(s->recipient,
		    (size_t)at + 1));
	}
	return env;
}

static void
signals_default(void)
{
	static const int list[] = { SIGPIPE, SIGTERM, SIGINT, SIGHUP, SIGCHLD,
		SIGXFSZ };
	sigset_t none;
	size_t i;

	for (i = 0; i < nitems(list); i++)
		signal(list[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void
command_exec(const struct program_spec *s, int in, int out)
{
	char *argv[] = { (char *)(uintptr_t)"sh", (char *)(uintptr_t)"-c",
		(char *)(uintptr_t)s->text, NULL };
	char **env = environment(s);

	setsid();
	signals_default();
	if (dup2(in, 0) == -1 || dup2(out, 1) == -1 || dup2(out, 2) == -1)
		_exit(71);
	closefrom(3);
	if ((s->home[0] == '\0' || chdir(s->home) == -1) && chdir("/") == -1)
		_exit(71);
	execve("/bin/sh", argv, env);
	_exit(71); /* EX_OSERR: no shell now is no reason to lose a letter */
}

static void
on_sigchld(int signo)
{
	(void)signo; /* it interrupts ppoll */
}

static int
run_start(struct run *r)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 };

	if (pipe(in) == -1 || pipe(out) == -1 || (r->pid = fork()) == -1) {
		r->result->code = errno;
		run_close(&in[0]);
		run_close(&in[1]);
		run_close(&out[0]);
		run_close(&out[1]);
		return -1;
	}
	if (r->pid == 0)
		command_exec(r->spec, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	r->in = in[1];
	r->out = out[0];
	fcntl(r->in, F_SETFL, O_NONBLOCK);
	fcntl(r->out, F_SETFL, O_NONBLOCK);
	r->deadline = clock_boot_ms() + r->spec->time_ms;
	return 0;
}

/* Has it ended? It stays a zombie, so that its group's number stays its own. */
static bool
run_ended(const struct run *r)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)r->pid, &info,
	    WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == r->pid;
}

static void
run_overdue(struct run *r)
{
	kill(-r->pid, r->timed_out ? SIGKILL : SIGTERM);
	r->timed_out = true;
	r->deadline = clock_boot_ms() + r->spec->grace_ms;
}

static void
run_wait(struct run *r, const sigset_t *mask)
{
	struct timespec ts;
	struct pollfd fds[3];
	int64_t left;

	while (!run_ended(r)) {
		if ((left = r->deadline - clock_boot_ms()) <= 0) {
			run_overdue(r);
			continue;
		}
		fds[0] = (struct pollfd){ r->in, POLLOUT, 0 };
		fds[1] = (struct pollfd){ r->out, POLLIN, 0 };
		fds[2] = (struct pollfd){ r->report, 0, 0 };
		ts.tv_sec = (time_t)(left / 1000);
		ts.tv_nsec = (long)(left % 1000) * 1000000;
		if (ppoll(fds, 3, &ts, mask) <= 0)
			continue;
		if (fds[0].revents != 0)
			run_feed(r);
		if (fds[1].revents != 0)
			run_output(r);
		if (fds[2].revents & (POLLERR | POLLHUP))
			kill(-r->pid, SIGKILL); /* nobody wants to know */
	}
}

static void
run_end(struct run *r)
{
	struct program_result *res = r->result;
	int status = 0;

	kill(-r->pid, SIGKILL); /* what it left running */
	while (waitpid(r->pid, &status, 0) == -1 && errno == EINTR)
		;
	if (r->out != -1)
		run_output(r);
	while (r->noutput > 0 && res->output[r->noutput - 1] == ' ')
		res->output[--r->noutput] = '\0';
	if (r->timed_out)
		res->how = PROGRAM_TIMEOUT;
	else if (WIFEXITED(status)) {
		res->how = PROGRAM_EXITED;
		res->code = WEXITSTATUS(status);
	} else {
		res->how = PROGRAM_KILLED;
		res->code = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	}
}

void
program_run(const struct program_spec *spec, int report,
    struct program_result *out)
{
	struct run r = { .spec = spec, .result = out, .in = -1, .out = -1,
		.report = report, .feed = { .spec = spec } };
	struct sigaction sa = { .sa_handler = on_sigchld };
	sigset_t block, before;

	memset(out, 0, sizeof(*out));
	buf_init(&r.feed.out, 4 * FEED_BLOCK + spec->head.len);
	buf_add_span(&r.feed.out, spec->head);
	sigemptyset(&block);
	sigaddset(&block, SIGCHLD);
	sigprocmask(SIG_BLOCK, &block, &before);
	sigaction(SIGCHLD, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (run_start(&r) == 0) {
		run_wait(&r, &before);
		run_end(&r);
	} else {
		out->how = PROGRAM_FAILED;
	}
	run_close(&r.in);
	run_close(&r.out);
	buf_clear(&r.feed.out);
	x_free(&r.feed.block);
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

/* -- beside the loop ------------------------------------------------------- */

static void
program_over(struct program *p)
{
	struct program_result res = { .how = PROGRAM_FAILED, .code = EIO };
	struct span in = buf_span(&p->in);

	if (in.len >= 5) {
		res.how = (enum program_end)(unsigned char)in.p[0];
		res.code = (int)get_u32(in.p + 1);
		(void)span_copy(span_from(in, 5), res.output,
		    sizeof(res.output));
	}
	watch_clear(&p->watch);
	close(p->fd);
	p->runs = false;
	buf_clear(&p->in);
	p->done(p->arg, &res);
}

static void
on_report(void *arg, unsigned what)
{
	struct program *p = arg;
	char *to = buf_reserve(&p->in, PROGRAM_OUTPUT_MAX);
	ssize_t n = to == NULL ? 0 : read(p->fd, to, PROGRAM_OUTPUT_MAX);

	(void)what;
	if (n > 0)
		buf_grow(&p->in, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		program_over(p);
}

int
program_start(struct program *p, struct loop *loop, int runner,
    const struct program_spec *spec,
    void (*done)(void *arg, const struct program_result *r), void *arg)
{
	if ((p->fd = runner_ask(runner, spec)) == -1)
		return -1;
	fcntl(p->fd, F_SETFL, O_NONBLOCK);
	p->runs = true;
	p->done = done;
	p->arg = arg;
	buf_init(&p->in, 2 * PROGRAM_OUTPUT_MAX + 64);
	watch_init(&p->watch, loop, p->fd, on_report, p);
	watch_set(&p->watch, LOOP_READ);
	return 0;
}

void
program_stop(struct program *p)
{
	if (!p->runs)
		return;
	watch_clear(&p->watch);
	close(p->fd); /* its process sees that and kills the command */
	p->runs = false;
	buf_clear(&p->in);
}
