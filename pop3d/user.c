/*
 * pop3d/user.c - pop3d -s, which forks, and its children: the owner of one
 * mailbox, one login long. The dotlock is asked of deliver, over a channel that
 * master bound to this mailbox.
 */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "lib/ipc/channel.h"
#include "lib/ipc/waiting.h"
#include "lib/log.h"
#include "lib/privsep/privsep.h"
#include "lib/store/inbox.h"
#include "pop3d/pop3d.h"
#include "pop3d/session.h"

/* deliver answers at once, held or not; if it does not, it is gone. */
#define LOCK_ANSWER_MS 15000

/* The store blocks; this runs a loop of its own while it waits for a lock. */
struct lock_client {
	struct loop loop;
	struct channel ch;
	int fd;              /* until the first lock: many need none */
	bool answered, locked, lost;
};

static const struct ipc_handler no_handlers[] = { IPC_HANDLERS_END };

static int
on_locked(void *arg, struct ipc_msg *m)
{
	struct lock_client *l = arg;
	struct ipc_reader rd;

	l->answered = true;
	l->locked = false;
	if (m == NULL) {
		l->lost = !channel_is_open(&l->ch);
		return 0;
	}
	rd = ipc_reader(m);
	l->locked = ipc_get_u8(&rd) != 0;
	ipc_get_span(&rd, IPC_TEXT_MAX);
	return ipc_at_end(&rd) ? 0 : -1;
}

static void
lock_drop(void *arg, const char *mailbox)
{
	struct lock_client *l = arg;
	struct ipc_writer w = ipc_begin(&l->ch, IPC_UNLOCK, 0, 0);

	(void)mailbox; /* deliver knows which one this channel is for */
	if (ipc_end(&w) == 0)
		channel_flush(&l->ch);
}

static int
lock_take(void *arg, const char *mailbox)
{
	struct lock_client *l = arg;
	struct ipc_writer w;

	if (l->fd != -1) {
		loop_init(&l->loop);
		channel_init(&l->ch, &l->loop, ROLE_PUSER, ROLE_DELIVER,
		    no_handlers, l);
		channel_open(&l->ch, l->fd);
		l->fd = -1;
	}
	l->answered = false;
	w = ipc_begin(&l->ch, IPC_LOCK, channel_request(&l->ch, LOCK_ANSWER_MS,
	    on_locked, l), 0);
	if (ipc_end(&w) == -1)
		l->lost = true;
	while (!l->answered)
		loop_run_once(&l->loop, LOCK_ANSWER_MS);
	if (l->locked)
		return 0;
	if (!l->lost)
		lock_drop(l, mailbox); /* a late yes would be nobody's */
	errno = l->lost ? ECONNRESET : EAGAIN;
	return -1;
}

static void
refuse(int fd, const char *what)
{
	int error = errno;

	log_warn("%s", what);
	/* RFC 2449 section 8.1.1, RFC 3206 section 4 */
	session_refuse(fd, error == EAGAIN || error == EBUSY
	    ? "[IN-USE] The mailbox is in use"
	    : error == EPERM || error == EACCES
	    ? "[SYS/PERM] The mailbox cannot be opened"
	    : "[SYS/TEMP] The mailbox cannot be opened now");
}

static int
child_main(const struct account *a, int peer, int lock, const char *host,
    bool test)
{
	struct lock_client lc = { .fd = lock };
	struct store_locks locks = { lock_take, lock_drop, &lc };
	struct store *store = NULL;
	struct inbox in;
	int rv = 1;

	(void)host;
	(void)test;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	/* A session makes no INBOX: one that is not there is empty. */
	if (a->mail_gid != (gid_t)-1 && privsep_leave_group(a->gid) == -1) {
		refuse(peer, "leaving the mail group");
		return 1;
	}
	if (inbox_open(&in, a->mailbox, a->index, geteuid(), a->quota,
	    lock != -1 ? &locks : NULL) == -1) {
		refuse(peer, a->mailbox);
		return 1;
	}
	if (store_open(&store, &in.conf) == -1)
		refuse(peer, a->mailbox);
	else if (store_claim(store, "pop3") == -1)
		refuse(peer, "another session");
	else {
		session_run(peer, store, POP3_IDLE_S);
		rv = 0;
	}
	store_close(store);
	inbox_close(&in);
	return rv;
}

int
user_main(void)
{
	static const struct waiting_spec spec = {
		.role = ROLE_PFORK,
		.child = ROLE_PUSER,
		.child_main = child_main,
	};

	return waiting_main(&spec);
}
