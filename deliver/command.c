/*
 * deliver/command.c - a command job of deliver -u: the letter that it reads,
 * the outcome that its end means (sysexits). Several run beside the mailbox.
 */
#include "deliver/user.h"

#include <errno.h>
#include <stdio.h>
#include <sysexits.h>

#include "lib/log.h"
#include "lib/mail/addr.h"
#include "lib/mail/mbox.h"

#define HEAD_MAX (8 * IPC_PATH_MAX)

static void
command_leave(struct task *t)
{
	if ((*t->at = t->next) != NULL)
		t->next->at = t->at;
	t->u->running--;
}

/* Those after which another attempt may do better. */
static bool
is_temporary(int status)
{
	return status == EX_TEMPFAIL || status == EX_OSERR ||
	    status == EX_IOERR || status == EX_OSFILE;
}

static const char *
status_of(int exit_status)
{
	switch (exit_status) {
	case EX_NOUSER:
		return "5.1.1";
	case EX_NOHOST:
		return "5.1.2";
	case EX_NOPERM:
		return "5.7.0";
	case EX_DATAERR:
		return "5.6.0";
	case EX_CONFIG:
		return "5.3.5";
	default:
		return "5.3.0";
	}
}

static void
on_exited(struct task *t, int status, const char *output)
{
	const char *colon = output[0] == '\0' ? "" : ": ";

	if (status == 0)
		task_end(t, OUTCOME_DELIVERED, "2.1.5",
		    "Delivered to command");
	else if (is_temporary(status))
		task_end(t, OUTCOME_DEFERRED, "4.3.0",
		    "Command ended with status %d%s%s", status, colon,
		    output);
	else
		task_end(t, OUTCOME_FAILED, status_of(status),
		    "Command ended with status %d%s%s", status, colon,
		    output);
}

static void
on_done(void *arg, const struct program_result *r)
{
	struct task *t = arg;

	command_leave(t);
	switch (r->how) {
	case PROGRAM_EXITED:
		on_exited(t, r->code, r->output);
		break;
	case PROGRAM_TIMEOUT:
		task_end(t, OUTCOME_DEFERRED, "4.3.0",
		    "Command took too long and was ended: %s", r->output);
		break;
	case PROGRAM_KILLED:
		task_end(t, OUTCOME_DEFERRED, "4.3.0",
		    "Command was killed by signal %d: %s", r->code, r->output);
		break;
	default:
		task_end(t, OUTCOME_DEFERRED, "4.3.0",
		    "Command could not be run: %s", strerror(r->code));
	}
}

static void
head_make(const struct task *t, struct buf *out)
{
	struct addr sender;

	if (addr_parse_text(t->head.from, &sender) == -1)
		memset(&sender, 0, sizeof(sender));
	(void)mbox_from_add(out, &sender, (time_t)t->head.arrival_s);
	task_head_add(t, out);
}

void
command_start(struct deliver_user *u, struct task *t)
{
	char text[IPC_PATH_MAX + 1];
	struct buf head = BUF_INIT(HEAD_MAX);
	struct program_spec spec = {
		.text = text, .user = u->account->user,
		.home = u->account->home, .sender = t->head.from,
		.recipient = t->head.address, .original = t->head.orcpt,
		.body = buf_span(&t->body), .body_fd = t->fd,
		.body_len = t->head.size, .time_ms = PROGRAM_TIME_MS,
		.grace_ms = PROGRAM_GRACE_MS,
	};

	if (span_copy(t->head.argument, text, sizeof(text)) == -1) {
		task_end(t, OUTCOME_FAILED, "5.3.5", "No command");
		return;
	}
	head_make(t, &head);
	spec.head = buf_span(&head);
	if (program_start(&t->program, &u->loop, u->runner, &spec, on_done,
	    t) == -1) {
		log_warn("a command of %s", u->account->user);
		task_end(t, OUTCOME_DEFERRED, "4.3.0",
		    "Command could not be run: %s", strerror(errno));
	} else {
		t->at = &u->programs;
		if ((t->next = u->programs) != NULL)
			t->next->at = &t->next;
		u->programs = t;
		u->running++;
	}
	buf_clear(&head);
}

void
commands_stop(struct deliver_user *u)
{
	struct task *t;

	for (t = u->programs; t != NULL; t = t->next)
		program_stop(&t->program);
}
