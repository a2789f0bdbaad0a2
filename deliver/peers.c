/*
 * deliver/peers.c - what a user's child may say. It runs with that user's
 * rights and may have been taken over by him: what it says is read here and
 * said anew to queued, and it can speak of its own jobs and account alone.
 */
#include "deliver/router.h"

#include <stdlib.h>

#include "lib/log.h"
#include "lib/mem.h"

/* The job that m is about, if it is one of this child's; else NULL. */
static struct job *
job_of(const struct user *u, const struct ipc_msg *m)
{
	struct hash_node *n = hash_find(&u->r->jobs_out, m->session);
	struct job *j;

	if (n == NULL)
		return NULL;
	j = hash_entry(n, struct job, out);
	return j->user == u && j->sent ? j : NULL;
}

static int
on_job_window(void *arg, struct ipc_msg *m)
{
	(void)arg;
	(void)m; /* a job's body is given whole */
	return 0;
}

static int
on_job_outcome(void *arg, struct ipc_msg *m)
{
	struct job *j = job_of(arg, m);
	struct ipc_reader rd = ipc_reader(m);
	struct outcome o;

	if (j == NULL || outcome_read(&rd, &o) == -1 || o.number != j->number)
		return -1;
	if (o.what != OUTCOME_DELIVERED && o.what != OUTCOME_DEFERRED &&
	    o.what != OUTCOME_FAILED && o.what != OUTCOME_FORWARDED)
		return -1;
	if (!span_printable(o.status) || !span_printable(o.reply))
		return -1;
	o.host = span_make("", 0);
	job_tell(j, &o);
	return 0;
}

/* A list may name other addresses, and things of this very account. */
static bool
final_allowed(const struct user *u, const struct final *f)
{
	switch (f->kind) {
	case FINAL_REMOTE:
		return f->address.len > 0 && f->target.len == 0;
	case FINAL_MAILBOX:
		return u->flags == 0 && span_eqstr(f->target, u->name);
	case FINAL_COMMAND:
	case FINAL_FILE:
	case FINAL_INCLUDE:
		return f->argument.len > 0 && span_eqstr(f->target, u->name);
	default:
		return false;
	}
}

static int
on_job_forward(void *arg, struct ipc_msg *m)
{
	struct user *u = arg;
	struct job *j = job_of(u, m);
	struct ipc_reader rd = ipc_reader(m);
	struct ipc_writer w;
	struct final f;
	unsigned n, i;

	if (j == NULL || j->told || ipc_get_u32(&rd) != j->number)
		return -1;
	n = ipc_get_u16(&rd);
	for (i = 0; i < n && ipc_ok(&rd); i++) {
		final_read(&rd, &f);
		if (!final_allowed(u, &f))
			return -1;
	}
	if (!ipc_at_end(&rd))
		return -1;
	if (j->orphan)
		return 0;
	w = ipc_begin(u->r->queued, IPC_JOB_FORWARD, 0, j->session);
	ipc_put_octets(&w, m->body);
	ipc_end(&w);
	return 0;
}

static int
on_job_done(void *arg, struct ipc_msg *m)
{
	struct job *j = job_of(arg, m);

	if (j == NULL)
		return -1;
	job_done(j);
	return 0;
}

static int
on_lock(void *arg, struct ipc_msg *m)
{
	struct user *u = arg;

	return lock_ask(&u->lock, m);
}

static int
on_unlock(void *arg, struct ipc_msg *m)
{
	struct user *u = arg;

	(void)m;
	return lock_drop(&u->lock);
}

const struct ipc_handler child_handlers[] = {
	{ IPC_JOB_WINDOW,  on_job_window },
	{ IPC_JOB_OUTCOME, on_job_outcome },
	{ IPC_JOB_FORWARD, on_job_forward },
	{ IPC_JOB_DONE,    on_job_done },
	{ IPC_LOCK,        on_lock },
	{ IPC_UNLOCK,      on_unlock },
	IPC_HANDLERS_END
};

/* -- pop3d -u -------------------------------------------------------------- */

static int
on_peer_lock(void *arg, struct ipc_msg *m)
{
	struct lock_peer *p = arg;

	return lock_ask(&p->lock, m);
}

static int
on_peer_unlock(void *arg, struct ipc_msg *m)
{
	struct lock_peer *p = arg;

	(void)m;
	return lock_drop(&p->lock);
}

const struct ipc_handler lock_handlers[] = {
	{ IPC_LOCK,   on_peer_lock },
	{ IPC_UNLOCK, on_peer_unlock },
	IPC_HANDLERS_END
};

static void
on_peer_lost(void *arg, struct channel *ch)
{
	struct lock_peer *p = arg;

	(void)ch;
	lock_clear(&p->lock);
	free(p);
}

int
on_lock_peer(void *arg, struct ipc_msg *m)
{
	struct daemon *d = arg;
	struct router *r = d->arg;
	struct ipc_reader rd = ipc_reader(m);
	struct span name = ipc_get_span(&rd, STORE_NAME_MAX);
	struct lock_peer *p;

	if (!ipc_at_end(&rd) || m->fd == -1)
		return -1;
	p = xcalloc(1, sizeof(*p));
	channel_init(&p->ch, r->loop, ROLE_DELIVER, ROLE_PUSER, lock_handlers,
	    p);
	p->ch.on_lost = on_peer_lost;
	channel_open(&p->ch, ipc_take_fd(m));
	lock_init(&p->lock, &r->locks, &p->ch, name);
	return 0;
}
