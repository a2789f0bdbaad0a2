/*
 * deliver/user.c - deliver -u from its first moment as the user to its end:
 * jobs as they come in, what becomes of each kind, outcomes. An append may
 * block; what arrives meanwhile waits in the socket and is the next batch.
 */
#include "deliver/user.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/mail/addr.h"
#include "lib/mem.h"
#include "lib/privsep/privsep.h"

#define LOOP_WAIT_MS 60000

/* -- tasks ----------------------------------------------------------------- */

static void
task_free(struct task *t)
{
	if (t->fd != -1)
		close(t->fd);
	program_stop(&t->program);
	buf_clear(&t->begin);
	buf_clear(&t->body);
	free(t);
}

static void
list_add(struct task_list *l, struct task *t)
{
	t->next = NULL;
	if (l->first == NULL)
		l->first = t;
	else
		l->last->next = t;
	l->last = t;
	l->n++;
}

static struct task *
list_take(struct task_list *l)
{
	struct task *t = l->first;

	if (t != NULL) {
		l->first = t->next;
		l->n--;
	}
	return t;
}

/* Texts come from files, errno and commands: what is not printable is not
 * passed on. */
static void
make_printable(char *text)
{
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

static void
task_done(struct task *t)
{
	struct ipc_writer w = ipc_begin(&t->u->ch, IPC_JOB_DONE, 0,
	    t->session);

	ipc_end(&w);
	task_free(t);
}

static void
task_outcome(struct task *t, uint8_t what, const char *status, char *reply)
{
	struct outcome o = { .number = t->head.number, .what = what,
		.status = span_str(status), .host = span_make("", 0) };
	struct ipc_writer w = ipc_begin(&t->u->ch, IPC_JOB_OUTCOME, 0,
	    t->session);

	make_printable(reply);
	o.reply = span_str(reply);
	outcome_put(&w, &o);
	ipc_end(&w);
}

void
task_end(struct task *t, uint8_t what, const char *status, const char *fmt,
    ...)
{
	char reply[REPLY_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reply, sizeof(reply), fmt, ap);
	va_end(ap);
	task_outcome(t, what, status, reply);
	task_done(t);
}

/* -- lists ----------------------------------------------------------------- */

/* Is this the user, as a name without a domain or as the address at hand? */
static bool
is_own(const struct task *t, struct span text, const struct addr *address)
{
	const struct account *a = t->u->account;
	struct span user = span_str(a->user), local, domain;
	char plain[ADDR_LOCAL_TEXT];
	struct addr other;

	if (a->flags & CHILD_F_COMMANDS)
		return false; /* has no mailbox here */
	if (span_find(text, '@') != -1)
		return addr_parse_mailbox(text, &other) == 0 &&
		    span_caseeq_span(other.domain, address->domain) &&
		    span_caseeq_span(other.local, address->local);
	span_split(user, '@', &local, &domain);
	return span_caseeq_span(text, local) || span_caseeq_span(text,
	    addr_unquote_local(address, plain));
}

/* One target as a final recipient; text is room for its address. 0, or -1. */
static int
final_of(const struct task *t, const struct alias_target *target,
    struct final *out, char text[ADDR_TEXT])
{
	static const uint8_t kinds[] = { [ALIAS_COMMAND] = FINAL_COMMAND,
		[ALIAS_FILE] = FINAL_FILE, [ALIAS_INCLUDE] = FINAL_INCLUDE };
	struct addr address, a;

	*out = (struct final){ FINAL_MAILBOX, t->head.address,
		span_str(t->u->account->user), span_make("", 0) };
	if (target->kind >= ALIAS_COMMAND) {
		out->kind = kinds[target->kind];
		out->argument = target->text;
		return 0;
	}
	if (addr_parse_mailbox(t->head.address, &address) == -1)
		return -1;
	if (is_own(t, target->text, &address))
		return 0;
	out->kind = FINAL_REMOTE;
	out->target = span_make("", 0);
	if (span_find(target->text, '@') == -1) {
		if (addr_make(target->text, address.domain, text) == -1)
			return -1;
		out->address = span_str(text);
	} else {
		if (addr_parse_mailbox(target->text, &a) == -1)
			return -1;
		out->address = addr_canon(&a, text);
	}
	return 0;
}

/* Octets that the list takes in a message. */
static size_t
list_octets(const struct task *t, const struct forward *f)
{
	size_t i, n = 6;

	for (i = 0; i < f->n; i++)
		n += 13 + ADDR_DOMAIN_MAX + f->targets[i].text.len +
		    t->head.address.len + strlen(t->u->account->user);
	return n;
}

void
task_end_list(struct task *t, const struct forward *f)
{
	char reply[] = "Forwarded", text[ADDR_TEXT];
	struct ipc_writer w;
	struct final final;
	unsigned n = 0;
	size_t i;

	if (list_octets(t, f) > IPC_BODY_MAX) {
		task_end(t, OUTCOME_DEFERRED, "4.2.4",
		    "The list of recipients is too long");
		return;
	}
	for (i = 0; i < f->n; i++)
		n += final_of(t, &f->targets[i], &final, text) == 0;
	w = ipc_begin(&t->u->ch, IPC_JOB_FORWARD, 0, t->session);
	ipc_put_u32(&w, t->head.number);
	ipc_put_u16(&w, (uint16_t)n);
	for (i = 0; i < f->n; i++)
		if (final_of(t, &f->targets[i], &final, text) == 0)
			final_put(&w, &final);
	ipc_end(&w);
	task_outcome(t, OUTCOME_FORWARDED, "2.1.5", reply);
	task_done(t);
}

static void
include_run(struct task *t)
{
	char path[IPC_PATH_MAX + 1], why[256];
	struct forward f;

	if (span_copy(t->head.argument, path, sizeof(path)) == -1 ||
	    path[0] != '/') {
		task_end(t, OUTCOME_FAILED, "5.3.5", "No path to include");
		return;
	}
	if (forward_read(AT_FDCWD, path, geteuid(), true,
	    INCLUDE_TARGETS_MAX, &f, why, sizeof(why)) == -1) {
		/* its owner may mend it before the letter expires */
		log_warnx("%s is not included: %s", path, why);
		task_end(t, OUTCOME_DEFERRED, "4.3.5",
		    "%s is not included: %s", path, why);
		return;
	}
	if (f.n == 0)
		task_end(t, OUTCOME_DELIVERED, "2.1.5",
		    "The list in %s is empty", path);
	else
		task_end_list(t, &f);
	forward_clear(&f);
}

/* -- what becomes of a job ------------------------------------------------- */

/* Has the user a list that decides? Then true, and the task has ended. */
static bool
forwarded(struct task *t)
{
	struct deliver_user *u = t->u;
	const struct forward *f;

	if ((t->head.flags & JOB_F_NO_FORWARD) ||
	    u->account->home[0] == '\0')
		return false;
	if (forward_get(&u->forward, u->account->home, geteuid(), &f) == 0) {
		if (f->n == 0)
			return false;
		task_end_list(t, f);
		return true;
	}
	if (errno == EIO || errno == ESTALE || errno == EMFILE ||
	    errno == ENFILE || errno == ENOMEM || errno == ETIMEDOUT) {
		task_end(t, OUTCOME_DEFERRED, "4.3.0",
		    "The forwarding file cannot be read now: %s",
		    strerror(errno));
		return true;
	}
	return false; /* none, or none that can be trusted: it was logged */
}

/* Commands and files of a .forward may have waited: do they still stand? */
static bool
still_wanted(const struct task *t)
{
	const struct account *a = t->u->account;

	return (a->flags & CHILD_F_COMMANDS) != 0 ||
	    forward_names(a->home, geteuid(), t->head.kind == FINAL_COMMAND
	    ? ALIAS_COMMAND : ALIAS_FILE, t->head.argument);
}

static void
task_whole(struct task *t)
{
	struct deliver_user *u = t->u;

	if (t->head.kind == FINAL_INCLUDE) {
		include_run(t);
		return;
	}
	if (task_loops(t)) {
		task_end(t, OUTCOME_FAILED, "5.4.6",
		    "Mail forwarding loop: this letter was here before");
		return;
	}
	switch (t->head.kind) {
	case FINAL_MAILBOX:
		if (!forwarded(t)) {
			u->octets += t->body.len;
			list_add(&u->letters, t);
		}
		return;
	case FINAL_COMMAND:
	case FINAL_FILE:
		if (!still_wanted(t))
			task_end(t, OUTCOME_FAILED, "5.2.0",
			    "The user does not want this any longer");
		else
			list_add(t->head.kind == FINAL_COMMAND
			    ? &u->commands : &u->files, t);
		return;
	default:
		task_end(t, OUTCOME_DEFERRED, "4.3.0",
		    "A kind of delivery that is not known here");
	}
}

/* -- messages -------------------------------------------------------------- */

static struct task *
task_find(struct deliver_user *u, const struct ipc_msg *m)
{
	struct hash_node *n = hash_find(&u->tasks, m->session);

	u->frames++;
	return n == NULL ? NULL : hash_entry(n, struct task, node);
}

static int
on_job_begin(void *arg, struct ipc_msg *m)
{
	struct deliver_user *u = arg;
	struct task *t;

	if (task_find(u, m) != NULL)
		return -1;
	t = xcalloc(1, sizeof(*t));
	t->u = u;
	t->session = m->session;
	t->fd = -1;
	buf_init(&t->begin, IPC_BODY_MAX);
	buf_init(&t->body, JOB_BODY_MAX);
	buf_add_span(&t->begin, m->body);
	if (job_head_read(buf_span(&t->begin), &t->head) == -1) {
		task_free(t);
		return -1;
	}
	if (t->head.size <= JOB_BODY_MAX && !(t->head.flags & JOB_F_BIG))
		(void)buf_reserve(&t->body, (size_t)t->head.size);
	hash_add(&u->tasks, &t->node, t->session);
	return 0;
}

static int
on_job_body(void *arg, struct ipc_msg *m)
{
	struct task *t = task_find(arg, m);

	return t == NULL ? -1 : buf_add_span(&t->body, m->body);
}

static int
on_job_big(void *arg, struct ipc_msg *m)
{
	struct task *t = task_find(arg, m);

	if (t == NULL || m->fd == -1 || t->fd != -1)
		return -1;
	t->fd = ipc_take_fd(m);
	return 0;
}

static int
on_job_end(void *arg, struct ipc_msg *m)
{
	struct deliver_user *u = arg;
	struct task *t = task_find(u, m);

	if (t == NULL)
		return -1;
	hash_remove(&u->tasks, &t->node);
	task_whole(t);
	return 0;
}

static const struct ipc_handler handlers[] = {
	{ IPC_JOB_BEGIN, on_job_begin },
	{ IPC_JOB_BODY,  on_job_body },
	{ IPC_JOB_BIG,   on_job_big },
	{ IPC_JOB_END,   on_job_end },
	IPC_HANDLERS_END
};

static void
on_lost(void *arg, struct channel *ch)
{
	struct deliver_user *u = arg;

	(void)ch;
	u->over = true;
}

/* -- life ------------------------------------------------------------------ */

static void
work(struct deliver_user *u)
{
	struct task *t, *first = u->letters.first;
	size_t n = u->letters.n;

	if (n > 0) {
		u->letters = (struct task_list){ NULL, NULL, 0 };
		u->octets = 0;
		mailbox_deliver(u, first, n);
	}
	while ((t = list_take(&u->files)) != NULL)
		mailbox_file(u, t);
	channel_flush(&u->ch);
}

static void
commands_begin(struct deliver_user *u)
{
	struct task *t;

	while (u->running < PROGRAMS_MAX &&
	    (t = list_take(&u->commands)) != NULL)
		command_start(u, t);
}

static void
run(struct deliver_user *u)
{
	while (!u->over) {
		bool any = u->letters.n + u->files.n > 0;
		uint64_t before = u->frames;

		loop_run_once(&u->loop, any ? 0 : LOOP_WAIT_MS);
		if (u->over)
			break;
		commands_begin(u);
		/* until nothing more is waiting to be read, or it is enough */
		if (any && (u->frames == before || u->letters.n >= BATCH_MAX ||
		    u->octets >= BATCH_OCTETS))
			work(u);
	}
}

int
deliver_user_main(const struct account *a, int peer, int lock,
    const char *host, bool test)
{
	struct deliver_user *u = xcalloc(1, sizeof(*u));

	(void)host;
	(void)test;
	signal(SIGXFSZ, SIG_IGN); /* arrives as EFBIG */
	signal(SIGPIPE, SIG_IGN);
	umask(077);
	u->account = a;
	u->runner = lock; /* locks go through peer */
	mailbox_prepare(u);
	if (a->mail_gid != (gid_t)-1 && privsep_leave_group(a->gid) == -1) {
		log_warn("leaving the mail group for %s", a->user);
		return 70;
	}
	loop_init(&u->loop);
	channel_init(&u->ch, &u->loop, ROLE_DUSER, ROLE_DELIVER, handlers, u);
	u->ch.on_lost = on_lost;
	channel_open(&u->ch, peer);
	run(u);
	commands_stop(u);
	mailbox_close(u);
	return 0;
}
