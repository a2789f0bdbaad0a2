/*
 * ctl/sendmail.c - sendmail(8), mailq(1) and newaliases(1) as programs know
 * them: options in, a letter to submit.sock, an exit status of sysexits(3).
 * Neither setuid nor setgid: the kernel proves to smtpd who calls.
 */
#include "ctl/sendmail.h"

#include <err.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/mem.h"

#define WAIT_MS (120 * 1000) /* for a suite that is being restarted */

/* Taken and of no meaning here: -B -C -h -L -n -O -p -U -v -X -A -m -G -x. */
#define OPTIONS "+A:B:C:F:GL:N:O:R:UV:X:b:f:h:imno:p:q::r:tvx"

static const struct option long_options[] = {
	{ "test", required_argument, NULL, 'T' },
	{ NULL, 0, NULL, 0 },
};

static int
usage(const char *why)
{
	fprintf(stderr, "sendmail: %s\n"
	    "usage: sendmail [-it] [-f from] [-F name] [-N notify] [-R ret] "
	    "[-V envid]\n                [--] [recipient ...]\n"
	    "       sendmail -bs | -bp | -bi\n", why);
	return EX_USAGE;
}

/* "failure,delay" in upper case, or NULL: no such word. */
static const char *
notify_parse(char *in)
{
	static const char *const words[] = { "NEVER", "SUCCESS", "FAILURE",
		"DELAY" };
	struct span rest = span_str(in), word;
	bool never = false;
	size_t i, n = 0;

	while (span_next(&rest, ',', &word)) {
		for (i = 0; i < nitems(words); i++)
			if (span_caseeq(word, words[i]))
				break;
		if (i == nitems(words))
			return NULL;
		never = never || i == 0;
		n++;
	}
	if (n == 0 || (never && n > 1))
		return NULL;
	for (i = 0; in[i] != '\0'; i++)
		if (in[i] >= 'a' && in[i] <= 'z')
			in[i] = (char)(in[i] - 32);
	return in;
}

/* The queue is the admin's: barid(8) shows it, and says so to others. */
static int
run_barid(const struct sendmail *m, const char *verb, const char *which)
{
	char path[4096], *slash;
	const char *argv[8];
	ssize_t len;
	int n = 0;

	argv[n++] = "barid";
	if (m->test_dir != NULL) {
		argv[n++] = "--test";
		argv[n++] = m->test_dir;
	}
	argv[n++] = "queue";
	argv[n++] = verb;
	if (which != NULL)
		argv[n++] = which;
	argv[n] = NULL;
	/* beside us in a build folder, else where admins' commands are */
	len = readlink("/proc/self/exe", path, sizeof(path) - 8);
	if (len > 0) {
		path[len] = '\0';
		if ((slash = strrchr(path, '/')) != NULL) {
			memcpy(slash + 1, "barid", sizeof("barid"));
			execv(path, (char **)(uintptr_t)argv);
		}
	}
	snprintf(path, sizeof(path), "%s:/usr/local/sbin:/usr/sbin:/sbin",
	    getenv("PATH") == NULL ? "" : getenv("PATH"));
	setenv("PATH", path, 1);
	execvp("barid", (char **)(uintptr_t)argv);
	warn("barid");
	return EX_UNAVAILABLE;
}

static int
newaliases(void)
{
	fprintf(stderr, "newaliases: nothing to do: barid reads an alias file "
	    "again when it changes\n");
	return EX_OK;
}

/* -bX: another way to be used. Returns a mode: m, s, p, i, or 0. */
static char
mode_parse(const char *arg)
{
	return strlen(arg) == 1 && strchr("msip", arg[0]) != NULL ? arg[0] : 0;
}

struct options { char mode; bool flush; int status; };

static int
option_take(struct sendmail *m, struct options *o, int c)
{
	switch (c) {
	case 'f':
	case 'r':
		m->from = optarg;
		break;
	case 'F':
		m->name = optarg;
		break;
	case 't':
		m->from_header = true;
		break;
	case 'i':
		m->ignore_dot = true;
		break;
	case 'o':
		if (strcmp(optarg, "i") == 0)
			m->ignore_dot = true;
		break;
	case 'b':
		if ((o->mode = mode_parse(optarg)) == 0)
			return usage("only -bm, -bs, -bp and -bi are known; "
			    "the suite is started by barid(8)");
		break;
	case 'N':
		if ((m->notify = notify_parse(optarg)) == NULL)
			return usage("-N takes never, or a list of success, "
			    "failure and delay");
		break;
	case 'R':
		m->ret = strcasecmp(optarg, "full") == 0 ? "FULL" : "HDRS";
		if (strcasecmp(optarg, "full") != 0 &&
		    strcasecmp(optarg, "hdrs") != 0)
			return usage("-R takes full or hdrs");
		break;
	case 'V':
		m->envid = optarg;
		break;
	case 'q':
		o->flush = true;
		break;
	case 'T':
		m->test_dir = optarg;
		break;
	case '?':
		return usage("unknown option");
	default:
		break; /* of no meaning here */
	}
	return EX_OK;
}

static int
send_letter(struct sendmail *m, int argc, char *argv[])
{
	int i, status;

	for (i = 0; i < argc; i++)
		if ((status = rcpts_parse(m, span_str(argv[i]))) != EX_OK)
			return status;
	if (m->nrcpts == 0 && !m->from_header)
		return usage("to whom? name recipients, or use -t");
	if ((status = letter_read(m)) != EX_OK ||
	    (m->from_header && (status = letter_rcpts(m)) != EX_OK))
		return status;
	if (m->nrcpts == 0) {
		warnx("no recipient in To, Cc or Bcc");
		return EX_USAGE;
	}
	return submit_letter(m);
}

int
main(int argc, char *argv[])
{
	struct sendmail m = { .letter = BUF_INIT(LETTER_MAX),
		.ready = BUF_INIT(LETTER_MAX + 65536) };
	struct options o = { 'm', false, EX_OK };
	const char *called = strrchr(argv[0], '/');
	int c, status;

	called = called == NULL ? argv[0] : called + 1;
	if (strcmp(called, "newaliases") == 0)
		return newaliases();
	signal(SIGPIPE, SIG_IGN);
	if (strcmp(called, "mailq") == 0)
		o.mode = 'p';
	while ((c = getopt_long(argc, argv, OPTIONS, long_options, NULL)) != -1)
		if ((status = option_take(&m, &o, c)) != EX_OK)
			return status;
	m.deadline_ms = clock_boot_ms() + WAIT_MS;
	if (o.flush)
		return run_barid(&m, "flush", "--all");
	if (o.mode == 'p')
		return run_barid(&m, "list", NULL);
	if (o.mode == 'i')
		return newaliases();
	if (o.mode == 's')
		return submit_dialogue(&m);
	return send_letter(&m, argc - optind, argv + optind);
}
