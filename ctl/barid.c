/*
 * ctl/barid.c - the admin's command: options, the table of verbs. What it
 * asks others it asks over control.sock; it holds no right of its own.
 */
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "ctl/ctl.h"
#include "lib/log.h"

static int
verb_version(struct ctl *c)
{
	if (c->json)
		printf("{\"version\":\"%s\"}\n", VERSION);
	else
		printf("barid %s\n", VERSION);
	return 0;
}

static const struct verb {
	const char *name, *args, *doc;
	int (*run)(struct ctl *c);
	int words; /* the most that may stand behind it; -1: any number */
} verbs[] = {
	{ "run", "[--sandbox=log]", "start and stay in the foreground",
	  verb_run, 0 },
	{ "start", "[--sandbox=log]", "start, return when it works",
	  verb_start, 0 },
	{ "stop", "", "stop in order, return when it has ended", verb_stop, 0 },
	{ "reload", "", "read the configuration anew", verb_reload, 0 },
	{ "status", "", "how every program is", verb_status, 0 },
	{ "check", "", "look for errors in the configuration", verb_check, 0 },
	{ "queue", "list [SELECTOR...] [--by route|reason]",
	  "what waits", verb_queue, -1 },
	{ "queue", "show ID", "one letter", verb_queue, -1 },
	{ "queue", "flush|hold|release|delete SELECTOR...",
	  "act on letters", verb_queue, -1 },
	{ "spool", "verify|rebuild|adopt", "the files of the queue",
	  verb_spool, 1 },
	{ "trace", "ID|ADDRESS|MESSAGE-ID [DAYS]", "the story of a letter",
	  verb_trace, 2 },
	{ "user", "add|passwd|delete ADDRESS [OPTION...]",
	  "accounts of users files", verb_user, -1 },
	{ "user", "list [ADDRESS|DOMAIN]", "the same, without hashes",
	  verb_user, -1 },
	{ "version", "", "which barid this is", verb_version, 0 },
};

static void
usage(FILE *f)
{
	size_t i;

	fputs("usage: barid [--test FOLDER] [-c FILE] [--json] VERB ...\n\n",
	    f);
	for (i = 0; i < nitems(verbs); i++)
		fprintf(f, "  %s%s%s\n      %s\n", verbs[i].name,
		    verbs[i].args[0] == '\0' ? "" : " ", verbs[i].args,
		    verbs[i].doc);
	fputs("\nSELECTOR: ID, ADDRESS (recipient), DOMAIN, --from ADDRESS, "
	    "--to ADDRESS,\n  --domain NAME, --account NAME, --held, "
	    "--deferred, --active, --all\n", f);
}

static const struct verb *
verb_find(const char *name)
{
	size_t i;

	for (i = 0; i < nitems(verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static const char *
nth_verb(const void *arg, size_t i)
{
	(void)arg;
	return i < nitems(verbs) ? verbs[i].name : NULL;
}

static int
unknown_verb(const char *name)
{
	const char *meant = conf_suggest(name, nth_verb, NULL);

	if (meant != NULL)
		complain("\"%s\" is not known; do you mean \"%s\"?", name,
		    meant);
	else
		complain("\"%s\" is not known; barid help lists the verbs",
		    name);
	return EX_USAGE;
}

static int
set_test(struct ctl *c, const char *dir)
{
	static char full[PATH_MAX];

	if (realpath(dir, full) == NULL || strlen(full) > 1000) {
		complain("--test %s: there is no such folder", dir);
		return EX_USAGE;
	}
	c->test_dir = full;
	return 0;
}

/* Whole, for barid start leaves this folder. A file that is not there is
 * complained about by whoever reads it. */
static void
set_conf(struct ctl *c, const char *path)
{
	char full[PATH_MAX];

	c->conf_given = true;
	if (realpath(path, full) != NULL && strlen(full) < sizeof(c->conf))
		path = full;
	snprintf(c->conf, sizeof(c->conf), "%s", path);
}

static void
set_paths(struct ctl *c)
{
	const char *d = c->test_dir;

	if (d == NULL) {
		snprintf(c->run, sizeof(c->run), "%s", PATH_RUN);
		snprintf(c->spool, sizeof(c->spool), "%s", PATH_SPOOL);
	} else {
		snprintf(c->run, sizeof(c->run), "%s/run", d);
		snprintf(c->spool, sizeof(c->spool), "%s/spool", d);
	}
	if (c->conf_given)
		return;
	if (d == NULL)
		snprintf(c->conf, sizeof(c->conf), "%s/barid.conf",
		    PATH_SYSCONFDIR);
	else
		snprintf(c->conf, sizeof(c->conf), "%s/barid.conf", d);
}

/*
 * Options that all verbs have are taken wherever they stand, until "--"; the
 * other words are kept in order. Returns a status.
 */
static int
options_parse(struct ctl *c, int argc, char *argv[])
{
	int i, n = 0, status = 0;

	for (i = 1; i < argc && status == 0; i++) {
		if (strcmp(argv[i], "--") == 0) {
			while (++i < argc)
				argv[n++] = argv[i];
		} else if (strcmp(argv[i], "--json") == 0)
			c->json = true;
		else if (strcmp(argv[i], "--test") == 0 && i + 1 < argc)
			status = set_test(c, argv[++i]);
		else if (strcmp(argv[i], "--sandbox=log") == 0)
			c->sandbox_log = true;
		else if (strcmp(argv[i], "-c") == 0 && i + 1 < argc)
			set_conf(c, argv[++i]);
		else
			argv[n++] = argv[i];
	}
	c->argc = n;
	c->argv = argv;
	set_paths(c);
	return status;
}

/* A pipe whose reader has gone is no fault; a full disk is. */
static int
output_end(int status)
{
	struct pollfd p = { .fd = STDOUT_FILENO, .events = POLLOUT };

	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	if (poll(&p, 1, 0) == 1 && (p.revents & POLLERR) != 0)
		return 0;
	complain("standard output cannot be written");
	return EX_IOERR;
}

int
main(int argc, char *argv[])
{
	struct ctl c = { 0 };
	const struct verb *v;
	int status;

	log_init("barid");
	tzset();
	signal(SIGPIPE, SIG_IGN);
	if ((status = options_parse(&c, argc, argv)) != 0)
		return status;
	c.terminal = isatty(STDERR_FILENO) == 1;
	if (c.argc == 0) {
		usage(stderr);
		return EX_USAGE;
	}
	if (strcmp(c.argv[0], "help") == 0 ||
	    strcmp(c.argv[0], "--help") == 0 || strcmp(c.argv[0], "-h") == 0) {
		usage(stdout);
		return 0;
	}
	if ((v = verb_find(c.argv[0])) == NULL)
		return unknown_verb(c.argv[0]);
	c.argc--;
	c.argv++;
	if (v->words != -1 && c.argc > v->words) {
		complain("%s: \"%s\" is one word too many", v->name,
		    c.argv[v->words]);
		return EX_USAGE;
	}
	status = v->run(&c);
	return output_end(status);
}
