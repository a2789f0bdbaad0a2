/*
 * master/children.c - starting programs, and starting them again: after 0, 1, 2,
 * 4 ... 60 seconds, without disturbing the others.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/ipc/daemon.h"
#include "lib/ipc/event.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "master/master.h"

#define HEALTHY_MS     60000 /* a life this long ends a row of deaths */
#define RENEW_MIN_MS   10000 /* who wants to begin anew sooner is dying */
#define BACKOFF_MAX_S  60
#define DEATHS_TOLD    10    /* in a row: said as an error of its own */
#define AUTH_WORKERS   2     /* crypt(3) keeps one core busy each */

/* Those that others need come first; what reaches them early waits unread. */
static const enum role start_order[] = {
	ROLE_LOGD, ROLE_KEYD, ROLE_AUTHW, ROLE_AUTHP, ROLE_AUTHD, ROLE_RESOLVER,
	ROLE_QUEUED, ROLE_DRUN, ROLE_DFORK, ROLE_PFORK, ROLE_DELIVER,
	ROLE_RELAY, ROLE_POP3D, ROLE_SMTPD,
};

static unsigned
workers_for(const struct conf *conf, bool pop3)
{
	unsigned n = 1;
	size_t i;

	for (i = 0; i < conf->nlistens; i++)
		if ((conf->listens[i].kind == LISTEN_POP3) == pop3 &&
		    conf->listens[i].workers > n)
			n = conf->listens[i].workers;
	return n;
}

/* Are there passwords that PAM or Dovecot has to look at? */
static bool
asks_others(const struct conf *conf)
{
	size_t i;

	for (i = 0; i < conf->nusers; i++)
		if (conf->users[i].passwords == PASSWORDS_PAM ||
		    conf->users[i].passwords == PASSWORDS_DOVECOT)
			return true;
	return false;
}

static unsigned
role_wanted(const struct master *m, enum role role)
{
	switch (role) {
	case ROLE_SMTPD:
		return workers_for(m->conf, false);
	case ROLE_POP3D:
		return workers_for(m->conf, true);
	case ROLE_RELAY:
		return m->conf->relay.workers;
	case ROLE_AUTHW:
		return AUTH_WORKERS;
	case ROLE_KEYD:
		return m->conf->ntls > 0; /* else there is nothing to sign */
	case ROLE_AUTHP:
		return asks_others(m->conf);
	default:
		return 1;
	}
}

unsigned
role_count(const struct master *m, enum role role)
{
	const struct child *c;
	unsigned n = 0;

	for (c = m->children; c != NULL; c = c->next)
		if (c->role == role && c->state != CHILD_DRAINING)
			n++;
	return n;
}

struct child *
child_find(struct master *m, enum role role, unsigned instance)
{
	struct child *c;

	for (c = m->children; c != NULL; c = c->next)
		if (c->role == role && c->instance == instance)
			return c;
	return NULL;
}

static void
on_backoff(void *arg)
{
	child_start(arg);
}

/* The channel ended; the process will be reaped, or is hung and ended now. */
static void
on_lost(void *arg, struct channel *ch)
{
	struct child *c = arg;

	(void)ch;
	if (c->role == ROLE_LOGD)
		event_attach(NULL);
	if (c->pid != 0)
		kill(c->pid, SIGKILL);
}

struct child *
child_new(struct master *m, enum role role)
{
	struct child *c = xcalloc(1, sizeof(*c)), **at;
	unsigned instance = 0;

	while (child_find(m, role, instance) != NULL)
		instance++;
	c->m = m;
	c->role = role;
	c->instance = (uint16_t)instance;
	c->place = role_count(m, role);
	timer_init(&c->backoff, &m->loop, on_backoff, c);
	channel_init(&c->ch, &m->loop, ROLE_MASTER, role, master_handlers(role),
	    c);
	c->ch.on_lost = on_lost;
	for (at = &m->children; *at != NULL; at = &(*at)->next)
		;
	*at = c;
	return c;
}

void
child_free(struct child *c)
{
	struct child **at;

	for (at = &c->m->children; *at != NULL; at = &(*at)->next)
		if (*at == c) {
			*at = c->next;
			break;
		}
	timer_stop(&c->backoff);
	channel_close(&c->ch);
	free(c);
}

static void
child_exec(const struct child *c, int fd)
{
	const struct role_row *row = role_row(c->role);
	char path[1200], name[64];
	int null;

	snprintf(path, sizeof(path), "%s/%s", c->m->path.libexec, row->binary);
	snprintf(name, sizeof(name), "barid: %s", row->name);
	if (fd == DAEMON_MASTER_FD)
		fcntl(fd, F_SETFD, 0);
	else if (dup2(fd, DAEMON_MASTER_FD) == -1)
		_exit(71);
	if ((null = open("/dev/null", O_RDWR)) != -1) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		close(null);
	}
	setsid();
	execl(path, name, row->flag, (char *)NULL);
	log_warn("exec %s", path);
	_exit(71);
}

void
child_start(struct child *c)
{
	int sv[2];
	pid_t pid;

	if (c->m->stop_phase != 0)
		return;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == -1 ||
	    (pid = fork()) == -1) {
		log_warn("starting %s", role_name(c->role));
		timer_set_ms(&c->backoff, 1000);
		return;
	}
	if (pid == 0)
		child_exec(c, sv[1]);
	close(sv[1]);
	c->pid = pid;
	c->state = CHILD_STARTING;
	c->renew = false;
	c->started_ms = clock_boot_ms();
	channel_open(&c->ch, sv[0]);
	if (c->role == ROLE_LOGD)
		event_attach(&c->ch);
	handout(c);
}

static void
tell_death(const struct child *c, int status, int64_t wait_s)
{
	struct event_out e;
	char how[64];

	if (WIFSIGNALED(status))
		snprintf(how, sizeof(how), "ended by signal %d%s",
		    WTERMSIG(status), WTERMSIG(status) == SIGSYS
		    ? ": a call beyond its cell" : "");
	else
		snprintf(how, sizeof(how), "exit status %d",
		    WEXITSTATUS(status));
	event_begin(&e, c->deaths >= DEATHS_TOLD ? EV_ERROR : EV_CHILD_DIED, 0,
	    0);
	event_str(&e, KEY_ROLE, role_name(c->role));
	event_num(&e, KEY_PID, (uint64_t)c->pid);
	event_str(&e, KEY_TEXT, how);
	event_num(&e, KEY_COUNT, c->deaths);
	event_num(&e, KEY_NEXT, (uint64_t)wait_s);
	event_send(&e);
}

int
on_renew(void *arg, struct ipc_msg *msg)
{
	struct child *c = arg;

	(void)msg;
	c->renew = true;
	return 0;
}

static void
child_died(struct child *c, int status)
{
	int64_t wait_s = 0, lived_ms = clock_boot_ms() - c->started_ms;

	if (c->role == ROLE_LOGD)
		event_attach(NULL);
	channel_close(&c->ch);
	if (c->m->stop_phase != 0 || c->state == CHILD_DRAINING) {
		c->pid = 0;
		if (c->m->stop_phase != 0) {
			c->state = CHILD_DOWN;
			stop_child_gone(c->m);
		} else
			child_free(c);
		return;
	}
	if (c->renew && lived_ms > RENEW_MIN_MS) { /* no death */
		c->pid = 0;
		c->state = CHILD_DOWN;
		timer_set_ms(&c->backoff, 0);
		return;
	}
	if (lived_ms > HEALTHY_MS)
		c->deaths = 0;
	if (c->deaths > 0)
		wait_s = c->deaths > 6 ? BACKOFF_MAX_S
		    : (int64_t)1 << (c->deaths - 1);
	c->deaths++;
	c->restarts++;
	tell_death(c, status, wait_s);
	c->pid = 0;
	c->state = CHILD_DOWN;
	timer_set_ms(&c->backoff, wait_s * 1000);
}

void
children_reap(void *arg)
{
	struct master *m = arg;
	struct child *c;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (c = m->children; c != NULL; c = c->next)
			if (c->pid == pid) {
				child_died(c, status);
				break;
			}
}

void
children_start(struct master *m)
{
	size_t i;

	for (i = 0; i < nitems(start_order); i++)
		while (role_count(m, start_order[i]) <
		    role_wanted(m, start_order[i]))
			child_start(child_new(m, start_order[i]));
}

void
children_retire(struct master *m)
{
	struct ipc_writer w;
	struct child *c, *next;

	for (c = m->children; c != NULL; c = next) {
		next = c->next;
		if (c->state == CHILD_DRAINING || role_wanted(m, c->role) > 0)
			continue;
		if (c->pid == 0) {
			child_free(c);
			continue;
		}
		c->state = CHILD_DRAINING;
		w = ipc_begin(&c->ch, IPC_DRAIN, 0, 0);
		ipc_end(&w);
	}
}

bool
children_ready(const struct master *m)
{
	const struct child *c;

	for (c = m->children; c != NULL; c = c->next)
		if (c->state == CHILD_STARTING || c->state == CHILD_DOWN)
			return false;
	return true;
}

void
children_clear(struct master *m)
{
	while (m->children != NULL)
		child_free(m->children);
}
