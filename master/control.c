/*
 * master/control.c - control.sock: the admin's commands. The peer must be root (or
 * who started us); what concerns queue and log is passed on to their owners
 * as a channel of its own.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config.h"
#include "lib/clock.h"
#include "lib/ipc/daemon.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "master/master.h"

#define STATUS_MS 2000 /* a program that does not say how it is is hung */

struct command {
	struct master *m;
	struct channel ch;
	uint32_t request;       /* of the verb under way */
	unsigned open;          /* programs that have not said how they are */
	bool gone;
};

/* One program being asked how it is. */
struct question {
	struct command *cmd;
	struct child *child;
};

static int on_hello(void *, struct ipc_msg *);
static int on_ctl_open(void *, struct ipc_msg *);
static int on_ctl(void *, struct ipc_msg *);

static const struct ipc_handler handlers[] = {
	{ IPC_HELLO,    on_hello },
	{ IPC_CTL_OPEN, on_ctl_open },
	{ IPC_CTL,      on_ctl },
	IPC_HANDLERS_END
};

static void
command_end(struct command *cmd, int status, const char *text)
{
	struct ipc_writer w = ipc_begin(&cmd->ch, IPC_CTL_END, cmd->request,
	    0);

	ipc_put_u8(&w, (uint8_t)status);
	ipc_put_str(&w, text);
	ipc_end(&w);
}

static void
on_lost(void *arg, struct channel *ch)
{
	struct command *cmd = arg;

	(void)ch;
	cmd->gone = true;
	if (cmd->open == 0)
		free(cmd);
}

static int
on_hello(void *arg, struct ipc_msg *msg)
{
	struct ipc_reader rd = ipc_reader(msg);
	uint16_t version = ipc_get_u16(&rd);
	uint8_t role = ipc_get_u8(&rd);

	(void)arg;
	ipc_get_u16(&rd);
	ipc_get_span(&rd, 64);
	return ipc_at_end(&rd) && role == ROLE_CTL && version == IPC_VERSION
	    ? 0 : -1;
}

static int
on_ctl_open(void *arg, struct ipc_msg *msg)
{
	struct command *cmd = arg;
	struct ipc_reader rd = ipc_reader(msg);
	enum role role = (enum role)ipc_get_u8(&rd);
	struct child *c;
	struct ipc_writer w;
	int sv[2] = { -1, -1 };

	if (!ipc_at_end(&rd) || (role != ROLE_QUEUED && role != ROLE_LOGD))
		return -1;
	c = child_find(cmd->m, role, 0);
	if (c != NULL && channel_is_open(&c->ch) &&
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0) {
		w = ipc_begin(&c->ch, IPC_PEER, 0, 0);
		ipc_put_u8(&w, ROLE_CTL);
		ipc_put_u16(&w, 0);
		ipc_put_fd(&w, sv[0]);
		ipc_end(&w);
	}
	w = ipc_reply_begin(&cmd->ch, msg, IPC_CTL_OPENED);
	ipc_put_u8(&w, sv[1] != -1);
	ipc_put_str(&w, sv[1] == -1 ? "the program is being restarted" : "");
	if (sv[1] != -1)
		ipc_put_fd(&w, sv[1]);
	ipc_end(&w);
	return 0;
}

static void
put_text(struct ipc_writer *w, const char *key, const char *value)
{
	ipc_put_str(w, key);
	ipc_put_u8(w, CTL_TEXT);
	ipc_put_str(w, value);
}

static void
put_number(struct ipc_writer *w, const char *key, uint64_t value)
{
	ipc_put_str(w, key);
	ipc_put_u8(w, CTL_NUMBER);
	ipc_put_u64(w, value);
}

static const char *
state_text(const struct child *c, bool answered)
{
	switch (c->state) {
	case CHILD_DOWN:
		return "waiting to be restarted";
	case CHILD_STARTING:
		return "starting";
	case CHILD_DRAINING:
		return "finishing";
	case CHILD_UP:
		break;
	}
	return answered ? "up" : "does not answer";
}

/* One record: the program as master sees it, then its own numbers. */
static void
status_record(struct command *cmd, const struct child *c, struct ipc_msg *msg)
{
	struct ipc_writer w = ipc_begin(&cmd->ch, IPC_CTL_RECORD, cmd->request,
	    0);
	struct ipc_reader rd = ipc_reader_span(span_make("\0", 2));
	unsigned n, i;

	if (msg != NULL)
		rd = ipc_reader(msg);
	n = ipc_get_u16(&rd);
	ipc_put_u16(&w, (uint16_t)(n + 6));
	put_text(&w, "program", role_name(c->role));
	put_number(&w, "instance", c->instance);
	put_number(&w, "pid", (uint64_t)c->pid);
	put_text(&w, "state", state_text(c, msg != NULL));
	put_number(&w, "uptime", c->pid == 0 ? 0
	    : (uint64_t)((clock_boot_ms() - c->started_ms) / 1000));
	put_number(&w, "restarts", c->restarts);
	for (i = 0; i < n; i++) {
		ipc_put_span(&w, ipc_get_span(&rd, 64));
		ipc_put_u8(&w, CTL_NUMBER);
		ipc_put_u64(&w, ipc_get_u64(&rd));
	}
	ipc_end(&w);
}

static int
on_status(void *arg, struct ipc_msg *msg)
{
	struct question *q = arg;
	struct command *cmd = q->cmd;

	if (!cmd->gone)
		status_record(cmd, q->child, msg);
	free(q);
	if (--cmd->open > 0)
		return 0;
	if (cmd->gone)
		free(cmd);
	else
		command_end(cmd, 0, "");
	return 0;
}

static void
cmd_status(struct command *cmd)
{
	struct ipc_writer w = ipc_begin(&cmd->ch, IPC_CTL_RECORD, cmd->request,
	    0);
	struct child *c;

	ipc_put_u16(&w, 7);
	put_text(&w, "program", "master");
	put_number(&w, "pid", (uint64_t)getpid());
	put_text(&w, "state", children_ready(cmd->m) ? "up" : "starting");
	put_number(&w, "uptime",
	    (uint64_t)(clock_now_s() - cmd->m->started_s));
	put_text(&w, "version", VERSION);
	put_text(&w, "seccomp", !cmd->m->kernel.seccomp ? "missing"
	    : cmd->m->sandbox.log ? "log" : "on");
	put_number(&w, "landlock", cmd->m->kernel.landlock);
	ipc_end(&w);
	cmd->open = 1; /* ours, until all are asked */
	for (c = cmd->m->children; c != NULL; c = c->next) {
		struct question *q = xmalloc(sizeof(*q));
		uint32_t request;

		*q = (struct question){ cmd, c };
		cmd->open++;
		request = channel_request(&c->ch, STATUS_MS, on_status, q);
		w = ipc_begin(&c->ch, IPC_STATUS_ASK, request, 0);
		ipc_end(&w);
	}
	cmd->open--;
}

static void
cmd_reload(struct command *cmd)
{
	struct buf err = BUF_INIT(IPC_TEXT_MAX);
	struct ipc_writer w;

	if (master_reload(cmd->m, &err) == 0) {
		command_end(cmd, 0, "");
	} else {
		w = ipc_begin(&cmd->ch, IPC_CTL_END, cmd->request, 0);
		ipc_put_u8(&w, 78); /* EX_CONFIG */
		ipc_put_span(&w, buf_span(&err));
		ipc_end(&w);
	}
	buf_clear(&err);
}

static int
on_ctl(void *arg, struct ipc_msg *msg)
{
	struct command *cmd = arg;
	struct ipc_reader rd = ipc_reader(msg);
	unsigned n = ipc_get_u16(&rd);
	struct span verb = ipc_get_span(&rd, 64);

	while (n > 1 && ipc_ok(&rd)) {
		ipc_get_span(&rd, IPC_PATH_MAX);
		n--;
	}
	if (n != 1 || !ipc_at_end(&rd) || cmd->open > 0)
		return -1;
	cmd->request = msg->request;
	if (span_eqstr(verb, "status"))
		cmd_status(cmd);
	else if (span_eqstr(verb, "reload"))
		cmd_reload(cmd);
	else if (span_eqstr(verb, "stop")) {
		command_end(cmd, 0, "");
		channel_flush(&cmd->ch);
		master_stop(cmd->m);
	} else
		command_end(cmd, 64, "unknown verb"); /* EX_USAGE */
	return 0;
}

/* Who may: root, and whoever started an instance without privileges. */
static bool
peer_may(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 &&
	    (cred.uid == 0 || cred.uid == geteuid());
}

static void
on_accept(void *arg, int fd, const struct sockaddr_storage *peer)
{
	struct master *m = arg;
	struct command *cmd;

	(void)peer;
	if (!peer_may(fd)) {
		close(fd);
		return;
	}
	cmd = xcalloc(1, sizeof(*cmd));
	cmd->m = m;
	channel_init(&cmd->ch, &m->loop, ROLE_MASTER, ROLE_CTL, handlers, cmd);
	cmd->ch.on_lost = on_lost;
	channel_open(&cmd->ch, fd);
}

void
control_open(struct master *m)
{
	char path[600];
	int fd;

	snprintf(path, sizeof(path), "%s/control.sock", m->path.run);
	if ((fd = listener_bind_unix(path, 0600)) == -1)
		fatal("%s", path);
	listener_open(&m->control, &m->loop, fd, on_accept, m);
	snprintf(path, sizeof(path), "%s/submit.sock", m->path.run);
	if (m->submit == -1 && /* else it outlives us */
	    (m->submit = listener_bind_unix(path, 0666)) == -1)
		fatal("%s", path);
}

void
control_close(struct master *m)
{
	char path[600];

	listener_close(&m->control);
	snprintf(path, sizeof(path), "%s/control.sock", m->path.run);
	unlink(path);
}
