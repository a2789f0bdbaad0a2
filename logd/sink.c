/*
 * logd/sink.c - lines to where people look for them. A sink that takes nothing
 * loses lines, and says how many; it stops neither logd nor those who send
 * events. /dev/log is connected by master, for we see nothing but our folder.
 */
#include "logd/sink.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/privsep/roles.h"

static const struct { const char *name; int number; } facilities[] = {
	{ "mail", 2 }, { "daemon", 3 }, { "local0", 16 }, { "local1", 17 },
	{ "local2", 18 }, { "local3", 19 }, { "local4", 20 },
	{ "local5", 21 }, { "local6", 22 }, { "local7", 23 },
};

/* Severities of RFC 3164 section 4.1.1 by enum log_level. */
static const int severities[] = { 7, 6, 4, 3 };

/* -- syslog ---------------------------------------------------------------- */

static int
on_unix(void *arg, struct ipc_msg *m)
{
	struct sink *s = arg;
	struct ipc_reader rd;
	struct span why = span_str("master does not answer");
	bool ok = false;

	s->request = 0;
	if (m != NULL) {
		rd = ipc_reader(m);
		ok = ipc_get_u8(&rd) != 0;
		why = ipc_get_span(&rd, IPC_TEXT_MAX);
		if (!ipc_at_end(&rd) || (ok && m->fd == -1))
			return -1;
	}
	if (ok) {
		s->fd = ipc_take_fd(m);
		if (s->told)
			log_info("the log goes to /dev/log again");
		s->told = false;
		return 0;
	}
	if (!s->told)
		log_warnx("/dev/log: %.*s; the log goes to standard error",
		    SPAN_ARG(why));
	s->told = true;
	timer_set_ms(&s->again, SINK_AGAIN_MS);
	return 0;
}

static void
ask_syslog(void *arg)
{
	struct sink *s = arg;
	struct ipc_writer w;

	if (s->request != 0 || s->fd != -1 || !channel_is_open(s->master))
		return;
	s->request = channel_request(s->master, SINK_AGAIN_MS, on_unix, s);
	w = ipc_begin(s->master, IPC_UNIX_ASK, s->request, 0);
	ipc_put_str(&w, "/dev/log");
	ipc_end(&w);
}

/* <PRI>Mmm dd hh:mm:ss barid/smtpd: line; the syslog daemon knows the host. */
static bool
to_syslog(struct sink *s, const struct record *r)
{
	struct buf b = BUF_INIT(LINE_MAX_OCTETS + 100);
	char date[32] = "", program[LINE_PROGRAM];
	time_t t = (time_t)(r->time_us / 1000000);
	struct tm tm;
	ssize_t n;

	if (localtime_r(&t, &tm) != NULL)
		strftime(date, sizeof(date), "%b %e %H:%M:%S", &tm);
	buf_addf(&b, "<%d>%s barid/%s: ", s->facility * 8 +
	    severities[event_level(r->code)], date, line_program(r, program));
	line_format(r, s->json ? LINE_JSON : LINE_SYSLOG, &b);
	n = send(s->fd, buf_span(&b).p, buf_span(&b).len - 1,
	    MSG_DONTWAIT | MSG_NOSIGNAL);
	buf_clear(&b);
	if (n != -1)
		return true;
	if (errno == EAGAIN || errno == ENOBUFS || errno == EMSGSIZE) {
		s->dropped++;
		return true;
	}
	close(s->fd); /* the syslog daemon was restarted */
	s->fd = -1;
	timer_set_ms(&s->again, 0);
	return false;
}

/* -- stderr ---------------------------------------------------------------- */

static void
to_stderr(struct sink *s, const struct record *r)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };
	struct buf b = BUF_INIT(LINE_MAX_OCTETS);
	struct stat st;

	/* A reader that has stopped must not stop us, and the file that
	 * `barid start` puts there lies in memory: it must not fill that. */
	if (poll(&p, 1, 0) != 1 || (p.revents & POLLOUT) == 0 ||
	    (fstat(STDERR_FILENO, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_size > SINK_STDERR_MAX)) {
		s->dropped++;
		return;
	}
	line_format(r, s->json ? LINE_JSON : LINE_TEXT, &b);
	if (buf_write_all(&b, STDERR_FILENO) == -1)
		s->dropped++;
	buf_clear(&b);
}

/* -- a file ---------------------------------------------------------------- */

static int
today(void)
{
	time_t t = (time_t)clock_now_s();
	struct tm tm;

	return localtime_r(&t, &tm) == NULL ? 0 : tm.tm_yday;
}

/* barid.log of an earlier day becomes barid.log.DATE. */
static void
file_rotate(struct sink *s)
{
	char name[64], date[16];
	struct stat st;
	struct tm tm;

	if (fstat(s->fd, &st) == -1 || st.st_size == 0 ||
	    localtime_r(&st.st_mtime, &tm) == NULL || tm.tm_yday == s->day)
		return;
	strftime(date, sizeof(date), "%Y-%m-%d", &tm);
	snprintf(name, sizeof(name), SINK_FILE ".%s", date);
	/* A name that is taken stays: logrotate or a clock that was set. */
	if (faccessat(s->dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
	    renameat(s->dirfd, SINK_FILE, s->dirfd, name) == -1)
		return;
	close(s->fd);
	s->fd = openat(s->dirfd, SINK_FILE, O_WRONLY | O_APPEND | O_CREAT |
	    O_CLOEXEC | O_NOFOLLOW, 0640);
}

/* Files of earlier days go when their time is over. */
static void
file_expire(struct sink *s)
{
	int fd = openat(s->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	struct dirent *e;
	struct tm tm;
	const char *end;

	if (dir == NULL) {
		if (fd != -1)
			close(fd);
		return;
	}
	while ((e = readdir(dir)) != NULL) {
		tm = (struct tm){ 0 };
		if (strncmp(e->d_name, SINK_FILE ".", sizeof(SINK_FILE)) != 0)
			continue;
		end = strptime(e->d_name + sizeof(SINK_FILE), "%Y-%m-%d",
		    &tm);
		if (end != NULL && *end == '\0' &&
		    (int64_t)timegm(&tm) + s->keep_s < clock_now_s())
			unlinkat(s->dirfd, e->d_name, 0);
	}
	closedir(dir);
}

static int
file_open(struct sink *s)
{
	if (s->fd != -1)
		close(s->fd);
	s->fd = openat(s->dirfd, SINK_FILE, O_WRONLY | O_APPEND | O_CREAT |
	    O_CLOEXEC | O_NOFOLLOW, 0640);
	s->day = today();
	if (s->fd != -1)
		file_rotate(s);
	file_expire(s);
	return s->fd == -1 ? -1 : 0;
}

static void
to_file(struct sink *s, const struct record *r)
{
	if (buf_span(&s->out).len + LINE_MAX_OCTETS > SINK_BUFFER) {
		s->dropped++;
		return;
	}
	line_format(r, s->json ? LINE_JSON : LINE_TEXT, &s->out);
}

/* Once; what is said becomes a line itself, and comes back here. */
static void
say_full(struct sink *s)
{
	bool said = s->full;

	s->full = true;
	if (!said)
		log_warn(SINK_FILE " cannot be written");
}

void
sink_flush(struct sink *s)
{
	struct span out = buf_span(&s->out);
	ssize_t n;

	if (s->to != LOG_TO_FILE || out.len == 0)
		return;
	/* Once a day anew, and whenever it failed: the folder may be back. */
	if ((s->fd == -1 || s->full || s->day != today()) &&
	    file_open(s) == -1)
		say_full(s);
	if (s->fd == -1)
		return;
	do
		n = write(s->fd, out.p, out.len);
	while (n == -1 && errno == EINTR);
	if (n > 0)
		buf_drop(&s->out, (size_t)n);
	if (n == (ssize_t)out.len)
		s->full = false;
	else
		say_full(s);
}

/* The folder as we see it: below the log folder, which is our root. */
static int
file_folder(struct sink *s, const char *dir, int root, const char *root_path)
{
	size_t len = strlen(root_path);
	const char *rest;

	while (len > 1 && root_path[len - 1] == '/')
		len--;
	if (strncmp(dir, root_path, len) != 0 ||
	    (dir[len] != '/' && dir[len] != '\0'))
		return -1;
	for (rest = dir + len; *rest == '/'; rest++)
		continue;
	if (*rest == '\0')
		rest = ".";
	else if (mkdirat(root, rest, 0750) == -1 && errno != EEXIST)
		return -1;
	s->dirfd = openat(root, rest, O_RDONLY | O_DIRECTORY | O_CLOEXEC |
	    O_NOFOLLOW);
	return s->dirfd == -1 ? -1 : 0;
}

/* -- all ------------------------------------------------------------------- */

int
sink_init(struct sink *s, const struct conf_log *conf, int root,
    const char *root_path, struct loop *loop, struct channel *master,
    char *why, size_t why_size)
{
	size_t i;

	*s = (struct sink){ .to = conf->to, .json = conf->json, .facility = 2,
	    .fd = -1, .dirfd = -1, .keep_s = conf->keep_s, .master = master };
	buf_init(&s->out, SINK_BUFFER);
	timer_init(&s->again, loop, ask_syslog, s);
	for (i = 0; conf->facility != NULL && i < nitems(facilities); i++)
		if (strcmp(facilities[i].name, conf->facility) == 0)
			s->facility = facilities[i].number;
	if (s->to == LOG_TO_SYSLOG)
		ask_syslog(s);
	if (s->to != LOG_TO_FILE)
		return 0;
	if (file_folder(s, conf->dir, root, root_path) == 0 &&
	    file_open(s) == 0)
		return 0;
	snprintf(why, why_size, "log file %s: it must lie in %s or in a "
	    "folder of it that logd may write", conf->dir, root_path);
	sink_clear(s);
	return -1;
}

void
sink_clear(struct sink *s)
{
	sink_flush(s);
	timer_stop(&s->again);
	if (s->request != 0)
		channel_forget(s->master, s->request);
	s->request = 0;
	if (s->fd != -1)
		close(s->fd);
	if (s->dirfd != -1)
		close(s->dirfd);
	s->fd = s->dirfd = -1;
	buf_clear(&s->out);
}

void
sink_write(struct sink *s, const struct record *r)
{
	s->lines++;
	if (s->to == LOG_TO_FILE)
		to_file(s, r);
	else if (s->to == LOG_TO_STDERR || s->fd == -1 || !to_syslog(s, r))
		to_stderr(s, r);
}
