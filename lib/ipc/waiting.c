/*
 * lib/ipc/waiting.c - `deliver -s`, `deliver -r`, `pop3d -s`: fork on master's
 * word. What is forked becomes the user, and only then runs child_main and
 * reads.
 */
#include "lib/ipc/waiting.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"
#include "lib/ipc/daemon.h"
#include "lib/log.h"
#include "lib/mem.h"

/* Where a child finds its two descriptors; everything above is closed. */
#define CHILD_PEER_FD 3
#define CHILD_LOCK_FD 4

struct waiting {
	struct daemon d;
	const struct waiting_spec *spec;
	struct sandbox cell;   /* of the children: made once */
	int lock;              /* came with IPC_FORK_LOCK, for the next fork */
};

/* One user of whom there is no child yet: most of deliver -r's get none. */
struct idle {
	struct watch watch;
	struct waiting *w;
	struct account account;
};

/* Moves fd to the number at, which may hold something else of no more use. */
static void
fd_move(int fd, int at)
{
	if (fd == at)
		fcntl(fd, F_SETFD, 0);
	else if (dup2(fd, at) == -1)
		_exit(70);
}

static void
child_descriptors(int peer, int lock)
{
	/* out of the way first: either may sit on the other's number */
	if (lock != -1 && (lock = fcntl(lock, F_DUPFD, 16)) == -1)
		_exit(70);
	if ((peer = fcntl(peer, F_DUPFD, 16)) == -1)
		_exit(70);
	fd_move(peer, CHILD_PEER_FD);
	if (lock != -1)
		fd_move(lock, CHILD_LOCK_FD);
	if (syscall(SYS_close_range,
	    lock == -1 ? CHILD_LOCK_FD : CHILD_LOCK_FD + 1, ~0U, 0) == -1)
		_exit(70);
}

static void
child_run(struct waiting *w, const struct account *a, int peer)
{
	const struct waiting_spec *spec = w->spec;
	int lock = w->lock == -1 ? -1 : CHILD_LOCK_FD;
	const struct sandbox_where where = { .mailbox = a->mailbox,
		.index = a->index, .dotlock = lock == -1 };

	log_init(role_name(spec->child));
	child_descriptors(peer, w->lock);
	signal(SIGCHLD, SIG_DFL);
	if (role_row(spec->child)->no_new_privs &&
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		_exit(70);
	privsep_limits(spec->child, w->d.id.none);
	if (!w->d.id.none &&
	    privsep_become(a->uid, a->gid, a->mail_gid) == -1) {
		log_warn("becoming %s (uid %u)", a->user, (unsigned)a->uid);
		_exit(70);
	}
	sandbox_enter(&w->cell, &where);
	_exit(spec->child_main(a, CHILD_PEER_FD, lock, w->d.conf->host,
	    w->d.test));
}

static int
account_read(struct ipc_reader *rd, struct account *a)
{
	struct span user = ipc_get_span(rd, IPC_PATH_MAX);
	struct span home, mailbox, index;

	a->uid = ipc_get_u32(rd);
	a->gid = ipc_get_u32(rd);
	home = ipc_get_span(rd, IPC_PATH_MAX);
	mailbox = ipc_get_span(rd, IPC_PATH_MAX);
	index = ipc_get_span(rd, IPC_PATH_MAX);
	a->quota = ipc_get_u64(rd);
	a->flags = ipc_get_u8(rd);
	a->mail_gid = ipc_get_u32(rd);
	if (!ipc_at_end(rd) ||
	    span_copy(user, a->user, sizeof(a->user)) == -1 ||
	    span_copy(home, a->home, sizeof(a->home)) == -1 ||
	    span_copy(mailbox, a->mailbox, sizeof(a->mailbox)) == -1 ||
	    span_copy(index, a->index, sizeof(a->index)) == -1)
		return -1;
	return 0;
}

/* The first word is there, unread, or nobody is left to say one. */
static void
on_word(void *arg, unsigned what)
{
	struct idle *i = arg;
	int octets = 0;
	pid_t pid;

	(void)what;
	if (ioctl(i->watch.fd, FIONREAD, &octets) == 0 && octets > 0) {
		if ((pid = fork()) == 0)
			child_run(i->w, &i->account, i->watch.fd);
		if (pid == -1)
			log_warn("fork for %s", i->account.user);
	}
	watch_clear(&i->watch);
	close(i->watch.fd);
	free(i);
}

static void
idle_new(struct waiting *w, const struct account *a, int fd)
{
	struct idle *i = xcalloc(1, sizeof(*i));

	i->w = w;
	i->account = *a;
	watch_init(&i->watch, &w->d.loop, fd, on_word, i);
	watch_set(&i->watch, LOOP_READ);
}

static int
on_fork(void *arg, struct ipc_msg *m)
{
	struct daemon *d = arg;
	struct waiting *w = d->arg;
	struct ipc_reader rd = ipc_reader(m);
	const char *complaint = "";
	struct ipc_writer out;
	struct account a;
	pid_t pid;

	if (account_read(&rd, &a) == -1 || m->fd == -1)
		return -1;
	if (w->spec->on_demand) {
		idle_new(w, &a, ipc_take_fd(m));
		return 0;
	}
	if ((pid = fork()) == 0)
		child_run(w, &a, m->fd);
	if (pid == -1) {
		complaint = strerror(errno);
		log_warn("fork for %s", a.user);
		pid = 0;
	}
	if (w->lock != -1) {
		close(w->lock);
		w->lock = -1;
	}
	out = ipc_reply_begin(&d->master, m, IPC_FORKED);
	ipc_put_u32(&out, (uint32_t)pid);
	ipc_put_str(&out, complaint);
	ipc_end(&out);
	return 0;
}

static int
on_fork_lock(void *arg, struct ipc_msg *m)
{
	struct daemon *d = arg;
	struct waiting *w = d->arg;

	if (m->fd == -1 || w->lock != -1)
		return -1;
	w->lock = ipc_take_fd(m);
	return 0;
}

static void
on_child(void *arg)
{
	struct waiting *w = arg;
	struct ipc_writer out;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		out = ipc_begin(&w->d.master, IPC_CHILD_EXIT, 0, 0);
		ipc_put_u32(&out, (uint32_t)pid);
		ipc_put_u32(&out, (uint32_t)status);
		ipc_end(&out);
	}
}

static void
start(void *arg)
{
	struct waiting *w = arg;

	loop_signal(&w->d.loop, SIGCHLD, on_child, w);
}

/* While that is still allowed to us. */
static int
prepare(void *arg)
{
	struct waiting *w = arg;

	sandbox_prepare(&w->cell, w->spec->child, &w->d.id.sandbox);
	return 0;
}

int
waiting_main(const struct waiting_spec *spec)
{
	static const struct ipc_handler handlers[] = {
		{ IPC_FORK,      on_fork },
		{ IPC_FORK_LOCK, on_fork_lock },
		IPC_HANDLERS_END
	};
	struct daemon_spec ds = {
		.role = spec->role,
		.master_handlers = handlers,
		.prepare = prepare,
		.start = start,
	};
	struct waiting w = { .spec = spec, .lock = -1 };
	int rv = daemon_main(&ds, &w.d, &w);

	sandbox_clear(&w.cell);
	return rv;
}
