/*
 * master/master.c - the front door of the only root process: options, paths,
 * configuration, listeners, programs; then the loop, until told to stop.
 */
#include "master/master.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "config.h"
#include "lib/clock.h"
#include "lib/ipc/event.h"
#include "lib/log.h"

static void
usage(void)
{
	fprintf(stderr, "usage: master [-c configuration] [--sandbox=log]\n"
	    "              [--test folder [--landlock-abi N]]\n"
	    "Started by barid(8): `barid run` or `barid start`.\n");
	exit(EX_USAGE);
}

/* The programs lie where we lie ourselves. */
static void
libexec_set(struct master *m)
{
	ssize_t n = readlink("/proc/self/exe", m->path.libexec,
	    sizeof(m->path.libexec) - 1);
	char *slash;

	if (n > 0) {
		m->path.libexec[n] = '\0';
		if ((slash = strrchr(m->path.libexec, '/')) != NULL)
			*slash = '\0';
	} else
		snprintf(m->path.libexec, sizeof(m->path.libexec), "%s",
		    PATH_LIBEXEC);
}

static void
paths_set(struct master *m, const char *conf)
{
	struct paths *p = &m->path;
	const char *d = m->test_dir;

	libexec_set(m);
	if (d == NULL) {
		snprintf(p->conf, sizeof(p->conf), "%s", conf != NULL ? conf
		    : PATH_SYSCONFDIR "/barid.conf");
		snprintf(p->run, sizeof(p->run), "%s", PATH_RUN);
		snprintf(p->spool, sizeof(p->spool), "%s", PATH_SPOOL);
		snprintf(p->mail, sizeof(p->mail), "%s", PATH_MAIL);
		snprintf(p->index, sizeof(p->index), "%s", PATH_INDEX);
		snprintf(p->log, sizeof(p->log), "%s", PATH_LOG);
		snprintf(p->empty, sizeof(p->empty), "%s/empty", PATH_RUN);
		return;
	}
	if (strlen(d) > 200)
		fatalx("%s: the path of a test folder is too long", d);
	if (conf != NULL)
		snprintf(p->conf, sizeof(p->conf), "%s", conf);
	else
		snprintf(p->conf, sizeof(p->conf), "%s/barid.conf", d);
	snprintf(p->run, sizeof(p->run), "%s/run", d);
	snprintf(p->spool, sizeof(p->spool), "%s/spool", d);
	snprintf(p->mail, sizeof(p->mail), "%s/mail", d);
	snprintf(p->index, sizeof(p->index), "%s/index", d);
	snprintf(p->log, sizeof(p->log), "%s/log", d);
	snprintf(p->empty, sizeof(p->empty), "%s/empty", d);
}

static struct conf *
conf_or_exit(const struct master *m)
{
	struct conf_errors errors = { 0 };
	struct conf *c = conf_load(m->path.conf, m->test_dir, &errors);
	size_t i;

	if (c != NULL)
		return c;
	for (i = 0; i < errors.n; i++)
		fprintf(stderr, "%s:%u:%u: %s\n", errors.list[i].file,
		    errors.list[i].line, errors.list[i].column,
		    errors.list[i].text);
	conf_errors_clear(&errors);
	exit(EX_CONFIG);
}

/* Two masters would fight over ports, sockets and the spool. */
static void
lock_take(const struct master *m)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[600];
	int fd;

	snprintf(path, sizeof(path), "%s/master.lock", m->path.run);
	if ((fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644))
	    == -1)
		fatal("%s", path);
	if (fcntl(fd, F_OFD_SETLK, &lock) == -1)
		fatalx("barid is already running here (%s is locked)", path);
	/* fd stays open: the lock lives as long as we do */
}

/* Children set their own, lower ones; they cannot raise what we do not have. */
static void
limits_raise(void)
{
	struct rlimit files = { 1u << 20, 1u << 20 };

	while (setrlimit(RLIMIT_NOFILE, &files) == -1 &&
	    files.rlim_max > 1024)
		files.rlim_cur = files.rlim_max = files.rlim_max / 2;
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static void
on_stop(void *arg)
{
	master_stop(arg);
}

static void
on_hup(void *arg)
{
	struct buf err = BUF_INIT(IPC_TEXT_MAX);

	master_reload(arg, &err);
	buf_clear(&err);
}

static void
signals_watch(struct master *m)
{
	signal(SIGPIPE, SIG_IGN);
	loop_signal(&m->loop, SIGTERM, on_stop, m);
	loop_signal(&m->loop, SIGINT, on_stop, m);
	loop_signal(&m->loop, SIGHUP, on_hup, m);
	loop_signal(&m->loop, SIGCHLD, children_reap, m);
}

static void
privileges_check(const struct master *m)
{
	if (geteuid() == 0 || m->conf->privileges_none)
		return;
	fatalx("barid must be started by root%s", m->test_dir == NULL ? ""
	    : ", or with 'privileges none' in the test's configuration");
}

static void
bind_or_exit(struct master *m)
{
	struct buf err = BUF_INIT(IPC_BODY_MAX);

	if (bind_all(m, m->conf, &err) == -1) {
		fputs(buf_str(&err), stderr);
		exit(EX_UNAVAILABLE);
	}
	bind_commit(m);
	buf_clear(&err);
}

/* An older kernel's, for tests. */
static uint8_t
abi_read(const char *word)
{
	uint64_t abi;

	if (span_u64(span_str(word), UINT8_MAX, &abi) == -1)
		usage();
	return (uint8_t)abi;
}

static void
options_parse(struct master *m, int argc, char *argv[])
{
	static char resolved[4096];
	const char *conf = NULL;
	int i;

	m->sandbox.landlock_max = UINT8_MAX;
	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-c") == 0 && i + 1 < argc)
			conf = argv[++i];
		else if (strcmp(argv[i], "--test") == 0 && i + 1 < argc) {
			if (realpath(argv[++i], resolved) == NULL)
				fatal("%s", argv[i]);
			m->test_dir = resolved;
		} else if (strcmp(argv[i], "--sandbox=log") == 0)
			m->sandbox.log = true;
		else if (strcmp(argv[i], "--landlock-abi") == 0 &&
		    i + 1 < argc && m->test_dir != NULL)
			m->sandbox.landlock_max = abi_read(argv[++i]);
		else
			usage();
	}
	paths_set(m, conf);
}

int
main(int argc, char *argv[])
{
	struct master m = { .submit = -1 };

	log_init("master");
	m.submit = bind_submit_inherited();
	options_parse(&m, argc, argv);
	umask(022);
	m.conf = conf_or_exit(&m);
	privileges_check(&m);
	limits_raise();
	identities_resolve(&m);
	folders_prepare(&m);
	lock_take(&m);
	cells_probe(&m);
	m.started_s = clock_now_s();
	loop_init(&m.loop);
	timer_init(&m.poll, &m.loop, files_poll, &m);
	signals_watch(&m);
	bind_or_exit(&m);
	control_open(&m);
	files_setup(&m);
	children_start(&m);
	files_poll(&m);
	loop_run(&m.loop);
	control_close(&m);
	event_attach(NULL);
	children_clear(&m);
	grants_clear(&m);
	files_clear(&m);
	bind_clear(&m);
	conf_free(m.conf);
	loop_clear(&m.loop);
	return 0;
}
