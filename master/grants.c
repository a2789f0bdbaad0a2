/*
 * master/grants.c - who may have a process of a user's: deliver for a delivery, a
 * pop3d worker with a ticket that authd granted, once, within 30 seconds. What a
 * user is comes from authd alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "master/master.h"

#define AUTHD_MS 30000 /* NSS may be slow; authd's own deadline is shorter */
#define FORK_MS  10000

/* An account as authd describes it; spans borrow from its message. */
struct account_msg {
	struct span user, home, mailbox;
	uint32_t uid, gid;
	uint64_t quota;
	uint8_t flags;
};

/* One process being made. */
struct fork_job {
	struct master *m;
	struct child *asker;    /* deliver or a pop3d worker: see asker_lives */
	pid_t asker_pid;
	uint32_t request;       /* of the asker */
	enum role waiter;       /* which waiting process forks */
	uint8_t flags;          /* CHILD_F_ as asked */
	int stream;             /* pop3d: the session's octets; else -1 */
	int keep;               /* our side for the asker: deliver; else -1 */
	char lockname[256];
};

static bool
account_get(struct ipc_reader *rd, struct account_msg *a)
{
	a->user = ipc_get_span(rd, 255);
	a->uid = ipc_get_u32(rd);
	a->gid = ipc_get_u32(rd);
	a->home = ipc_get_span(rd, IPC_PATH_MAX);
	a->mailbox = ipc_get_span(rd, IPC_PATH_MAX);
	ipc_get_span(rd, IPC_PATH_MAX); /* the index folder is ours to name */
	a->quota = ipc_get_u64(rd);
	a->flags = ipc_get_u8(rd);
	ipc_get_u32(rd);
	return ipc_at_end(rd) && a->user.len > 0;
}

/* The mailbox's name below the mail folder, or "" if it lies elsewhere. */
static void
lockname_set(const struct master *m, struct span mailbox, char *out,
    size_t size)
{
	size_t n = strlen(m->path.mail);
	struct span name = span_from(mailbox, n + 1);

	out[0] = '\0';
	if (!span_prefix(mailbox, m->path.mail) || mailbox.len <= n + 1 ||
	    mailbox.p[n] != '/' || name.p[0] == '.' ||
	    span_find(name, '/') != -1)
		return;
	if (span_copy(name, out, size) == -1)
		out[0] = '\0';
}

static void
job_free(struct fork_job *job)
{
	if (job->stream != -1)
		close(job->stream);
	if (job->keep != -1)
		close(job->keep);
	free(job);
}

/* What took its place counts its own requests: under that number it may have
 * asked for another user. */
static bool
asker_lives(const struct fork_job *job)
{
	const struct child *c;

	for (c = job->m->children; c != NULL; c = c->next)
		if (c == job->asker)
			return c->pid == job->asker_pid;
	return false;
}

/* The answer to the asker: a descriptor for deliver, a yes for pop3d. */
static void
job_answer(struct fork_job *job, const char *complaint)
{
	struct ipc_writer w;
	bool deliver;

	if (!asker_lives(job)) {
		job_free(job);
		return;
	}
	deliver = job->asker->role == ROLE_DELIVER;
	w = ipc_begin(&job->asker->ch, deliver ? IPC_CHILD : IPC_SESSION_DONE,
	    job->request, 0);
	ipc_put_u8(&w, complaint == NULL);
	ipc_put_str(&w, complaint == NULL ? "" : complaint);
	if (deliver)
		ipc_put_str(&w, job->lockname);
	if (deliver && complaint == NULL) {
		ipc_put_fd(&w, job->keep);
		job->keep = -1;
	}
	ipc_end(&w);
	job_free(job);
}

static int
on_forked(void *arg, struct ipc_msg *msg)
{
	struct fork_job *job = arg;
	struct ipc_reader rd;
	struct span why;
	char text[256];
	uint32_t pid;

	if (msg == NULL) {
		job_answer(job, "the waiting process does not answer");
		return 0;
	}
	rd = ipc_reader(msg);
	pid = ipc_get_u32(&rd);
	why = ipc_get_span(&rd, sizeof(text) - 1);
	if (!ipc_at_end(&rd) || span_copy(why, text, sizeof(text)) == -1) {
		job_answer(job, "the waiting process misbehaved");
		return -1;
	}
	job_answer(job, pid == 0 ? text : NULL);
	return 0;
}

/* pop3d: a channel between the session and deliver, for the dotlock alone. */
static int
lock_channel(struct fork_job *job, struct child *waiter)
{
	struct child *deliver = child_find(job->m, ROLE_DELIVER, 0);
	struct ipc_writer w;
	int sv[2];

	if (deliver == NULL || !channel_is_open(&deliver->ch))
		return -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == -1)
		return -1;
	w = ipc_begin(&deliver->ch, IPC_LOCK_PEER, 0, 0);
	ipc_put_str(&w, job->lockname);
	ipc_put_fd(&w, sv[0]);
	ipc_end(&w);
	w = ipc_begin(&waiter->ch, IPC_FORK_LOCK, 0, 0);
	ipc_put_fd(&w, sv[1]);
	ipc_end(&w);
	return 0;
}

/* request 0: nobody waits for the answer */
static void
account_send(const struct fork_job *job, struct child *waiter,
    uint32_t request, const struct account_msg *a, const char *index, int fd)
{
	bool mail = job->lockname[0] != '\0' && request != 0 &&
	    !job->m->ids[ROLE_MASTER].none;
	struct ipc_writer w = ipc_begin(&waiter->ch, IPC_FORK, request, 0);

	ipc_put_span(&w, a->user);
	ipc_put_u32(&w, a->uid);
	ipc_put_u32(&w, a->gid);
	ipc_put_span(&w, a->home);
	ipc_put_span(&w, a->mailbox);
	ipc_put_str(&w, index);
	ipc_put_u64(&w, a->quota);
	ipc_put_u8(&w, (uint8_t)((a->flags & CHILD_F_COMMANDS) |
	    (job->lockname[0] != '\0' ? CHILD_F_DOTLOCK : 0)));
	ipc_put_u32(&w, mail ? job->m->ids[ROLE_DELIVER].gid : (uint32_t)-1);
	ipc_put_fd(&w, fd);
	ipc_end(&w);
}

static void
fork_send(struct fork_job *job, struct child *waiter,
    const struct account_msg *a, const char *index, int fd)
{
	account_send(job, waiter, channel_request(&waiter->ch, FORK_MS,
	    on_forked, job), a, index, fd);
}

/*
 * deliver -u is to be able to have commands run: a channel to deliver -r, which
 * forks that user's deliver -c when a first word comes through it. Without
 * it, while deliver -r is away, commands wait.
 */
static void
runner_channel(const struct fork_job *job, struct child *waiter,
    const struct account_msg *a, const char *index)
{
	struct child *runner = child_find(job->m, ROLE_DRUN, 0);
	struct ipc_writer w;
	int sv[2];

	if (runner == NULL || !channel_is_open(&runner->ch))
		return;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == -1) {
		log_warn("a channel for commands");
		return;
	}
	account_send(job, runner, 0, a, index, sv[0]);
	w = ipc_begin(&waiter->ch, IPC_FORK_LOCK, 0, 0);
	ipc_put_fd(&w, sv[1]);
	ipc_end(&w);
}

/* All that is needed to have a process of this account made. */
static void
job_fork(struct fork_job *job, const struct account_msg *a)
{
	struct child *waiter = child_find(job->m, job->waiter, 0);
	char user[256], index[1024], complaint[512] = "not a user name";
	int sv[2] = { -1, -1 };

	if (waiter == NULL || !channel_is_open(&waiter->ch)) {
		job_answer(job, "the waiting process is being restarted");
		return;
	}
	lockname_set(job->m, a->mailbox, job->lockname, sizeof(job->lockname));
	if (span_copy(a->user, user, sizeof(user)) == -1 ||
	    folder_index(job->m, user, a->uid, a->gid, index, sizeof(index),
	    complaint, sizeof(complaint)) == -1) {
		job_answer(job, complaint);
		return;
	}
	if (job->waiter == ROLE_DFORK) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) ==
		    -1) {
			job_answer(job, strerror(errno));
			return;
		}
		job->keep = sv[0];
		runner_channel(job, waiter, a, index);
		fork_send(job, waiter, a, index, sv[1]);
		return;
	}
	if (job->lockname[0] != '\0' && lock_channel(job, waiter) == -1) {
		job_answer(job, "deliver is being restarted");
		return;
	}
	fork_send(job, waiter, a, index, job->stream);
	job->stream = -1; /* went with the message */
}

static int
on_account(void *arg, struct ipc_msg *msg)
{
	struct fork_job *job = arg;
	struct account_msg a;
	struct ipc_reader rd;
	uint8_t status;

	if (msg == NULL) {
		job_answer(job, "authd does not answer");
		return 0;
	}
	rd = ipc_reader(msg);
	status = ipc_get_u8(&rd);
	if (status != ACCOUNT_OK) {
		job_answer(job, status == ACCOUNT_UNKNOWN
		    ? IPC_NO_ACCOUNT : "accounts cannot be looked up now");
		return 0;
	}
	if (!account_get(&rd, &a)) {
		job_answer(job, "authd misbehaved");
		return -1;
	}
	/* commands only where both the asker and the table mean them */
	a.flags &= job->flags;
	job_fork(job, &a);
	return 0;
}

static struct fork_job *
job_new(struct child *asker, const struct ipc_msg *msg, enum role waiter)
{
	struct fork_job *job = xcalloc(1, sizeof(*job));

	job->m = asker->m;
	job->asker = asker;
	job->asker_pid = asker->pid;
	job->request = msg->request;
	job->waiter = waiter;
	job->stream = job->keep = -1;
	return job;
}

int
on_child_ask(void *arg, struct ipc_msg *msg)
{
	struct child *c = arg, *authd = child_find(c->m, ROLE_AUTHD, 0);
	struct ipc_reader rd = ipc_reader(msg);
	struct span user = ipc_get_span(&rd, 255);
	uint8_t flags = ipc_get_u8(&rd);
	struct fork_job *job;
	struct ipc_writer w;
	uint32_t request;

	if (!ipc_at_end(&rd) || user.len == 0)
		return -1;
	job = job_new(c, msg, ROLE_DFORK);
	job->flags = flags;
	if (authd == NULL) {
		job_answer(job, "authd is being restarted");
		return 0;
	}
	request = channel_request(&authd->ch, AUTHD_MS, on_account, job);
	w = ipc_begin(&authd->ch, IPC_ACCOUNT_ASK, request, 0);
	ipc_put_span(&w, user);
	ipc_put_u8(&w, flags);
	ipc_end(&w);
	return 0;
}

static void
grant_free(struct master *m, struct grant **at)
{
	struct grant *g = *at;

	*at = g->next;
	m->ngrants--;
	buf_clear(&g->account);
	explicit_bzero(g->ticket, sizeof(g->ticket));
	free(g);
}

static void
grants_expire(struct master *m)
{
	struct grant **at;

	for (at = &m->grants; *at != NULL;)
		if ((*at)->until_ms < clock_boot_ms())
			grant_free(m, at);
		else
			at = &(*at)->next;
}

void
grants_clear(struct master *m)
{
	while (m->grants != NULL)
		grant_free(m, &m->grants);
}

int
on_grant(void *arg, struct ipc_msg *msg)
{
	struct child *c = arg;
	struct master *m = c->m;
	struct ipc_reader rd = ipc_reader(msg), rest;
	struct span ticket = ipc_get_span(&rd, TICKET_OCTETS);
	enum role role = (enum role)ipc_get_u8(&rd);
	uint16_t worker = ipc_get_u16(&rd);
	struct account_msg a;
	struct ipc_writer w;
	struct grant *g;
	bool ok;

	rest = rd;
	if (!account_get(&rd, &a) || ticket.len != TICKET_OCTETS ||
	    role != ROLE_POP3D)
		return -1;
	grants_expire(m);
	if ((ok = m->ngrants < GRANTS_MAX)) {
		g = xcalloc(1, sizeof(*g));
		memcpy(g->ticket, ticket.p, TICKET_OCTETS);
		g->role = role;
		g->worker = worker;
		g->until_ms = clock_boot_ms() + GRANT_MS;
		buf_init(&g->account, IPC_BODY_MAX);
		buf_add_span(&g->account, rest.rest);
		g->next = m->grants;
		m->grants = g;
		m->ngrants++;
	}
	w = ipc_reply_begin(&c->ch, msg, IPC_GRANT_DONE);
	ipc_put_u8(&w, ok);
	ipc_end(&w);
	return 0;
}

/* The place of a grant that fits ticket, role and worker; NULL if none. */
static struct grant **
grant_find(struct master *m, const struct child *c, struct span ticket)
{
	struct grant **at;

	for (at = &m->grants; *at != NULL; at = &(*at)->next)
		if ((*at)->role == c->role && (*at)->worker == c->instance &&
		    CRYPTO_memcmp((*at)->ticket, ticket.p,
		    TICKET_OCTETS) == 0)
			return at;
	return NULL;
}

int
on_session(void *arg, struct ipc_msg *msg)
{
	struct child *c = arg;
	struct ipc_reader rd = ipc_reader(msg);
	struct span ticket = ipc_get_span(&rd, TICKET_OCTETS);
	struct account_msg a;
	struct fork_job *job;
	struct grant **at;
	struct buf account;

	if (!ipc_at_end(&rd) || ticket.len != TICKET_OCTETS || msg->fd == -1)
		return -1;
	job = job_new(c, msg, ROLE_PFORK);
	job->stream = ipc_take_fd(msg);
	grants_expire(c->m);
	if ((at = grant_find(c->m, c, ticket)) == NULL) {
		log_warnx("pop3d %u asked for a mailbox without a grant",
		    c->instance);
		job_answer(job, "no grant");
		return 0;
	}
	account = (*at)->account; /* used once, whatever comes of it */
	buf_init(&(*at)->account, 0);
	grant_free(c->m, at);
	rd = ipc_reader_span(buf_span(&account));
	if (account_get(&rd, &a)) {
		a.flags = 0; /* who reads mail runs nothing */
		job_fork(job, &a);
	} else
		job_answer(job, "authd misbehaved");
	buf_clear(&account);
	return 0;
}

static bool
users_name(const struct conf *conf, struct span path)
{
	size_t i;

	for (i = 0; i < conf->nusers; i++)
		if (conf->users[i].dovecot != NULL &&
		    span_eqstr(path, conf->users[i].dovecot))
			return true;
	return false;
}

/* Does the configuration name this socket to this program? */
static bool
unix_allowed(const struct child *c, struct span path)
{
	const struct conf *conf = c->m->conf;
	size_t i;

	if (c->role == ROLE_LOGD)
		return span_eqstr(path, "/dev/log");
	if (c->role == ROLE_AUTHP)
		return users_name(conf, path);
	for (i = 0; i < conf->nroutes; i++)
		if (conf->routes[i].path != NULL &&
		    span_eqstr(path, conf->routes[i].path))
			return true;
	for (i = 0; i < conf->ndomains; i++)
		if (conf->domains[i].relay_to != NULL &&
		    span_prefix(span_str(conf->domains[i].relay_to), "lmtp:") &&
		    span_eqstr(path, conf->domains[i].relay_to + 5))
			return true;
	return false;
}

static int
unix_connect(struct span path, int type)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd, error;

	if (span_copy(path, un.sun_path, sizeof(un.sun_path)) == -1) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if ((fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) ==
	    -1)
		return -1;
	if (connect(fd, (struct sockaddr *)&un, sizeof(un)) == -1) {
		error = errno;
		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

int
on_unix_ask(void *arg, struct ipc_msg *msg)
{
	struct child *c = arg;
	struct ipc_reader rd = ipc_reader(msg);
	struct span path = ipc_get_span(&rd, 256);
	struct ipc_writer w;
	int fd = -1;

	if (!ipc_at_end(&rd))
		return -1;
	errno = EACCES;
	if (unix_allowed(c, path))
		fd = unix_connect(path, c->role == ROLE_LOGD ? SOCK_DGRAM
		    : SOCK_STREAM);
	w = ipc_reply_begin(&c->ch, msg, IPC_UNIX);
	ipc_put_u8(&w, fd != -1);
	ipc_put_str(&w, fd == -1 ? strerror(errno) : "");
	if (fd != -1)
		ipc_put_fd(&w, fd);
	ipc_end(&w);
	return 0;
}

int
on_child_exit(void *arg, struct ipc_msg *msg)
{
	struct child *c = arg;
	struct ipc_reader rd = ipc_reader(msg);
	uint32_t pid = ipc_get_u32(&rd), status = ipc_get_u32(&rd);

	if (!ipc_at_end(&rd))
		return -1;
	if (status != 0)
		log_warnx("a child of %s (pid %u) ended with status %u%s",
		    role_name(c->role), pid, status,
		    WIFSIGNALED((int)status) && WTERMSIG((int)status) == SIGSYS
		    ? ": a call beyond its cell" : "");
	return 0;
}
