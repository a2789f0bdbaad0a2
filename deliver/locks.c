/*
 * deliver/locks.c - holds dotlocks for deliver -u and pop3d -u. Never waits: a
 * lock that another holds is tried again by a timer. What a crash of ours left
 * is recognised by its text (lib/store/dotlock.c).
 */
#include "deliver/locks.h"

#include <errno.h>

#include "lib/clock.h"
#include "lib/log.h"

#define LOCK_PATIENCE_MS 300
#define LOCK_RETRY_MS    20

static void
on_refresh(void *arg)
{
	struct locks *all = arg;
	struct lock *l;

	for (l = all->first; l != NULL; l = l->next)
		if (l->held && dotlock_refresh(all->dir, l->name,
		    &all->id) == -1)
			log_warn("the lock of mailbox %s was taken away",
			    l->name);
	timer_set_ms(&all->refresh, DOTLOCK_REFRESH_S * 1000);
}

void
locks_init(struct locks *all, struct loop *loop, int dir)
{
	all->loop = loop;
	all->dir = dir;
	all->first = NULL;
	if (dotlock_common_open(dir, &all->id) == -1)
		log_warn("a common lock file in the mail folder");
	timer_init(&all->refresh, loop, on_refresh, all);
	timer_set_ms(&all->refresh, DOTLOCK_REFRESH_S * 1000);
}

void
locks_clear(struct locks *all)
{
	while (all->first != NULL)
		lock_clear(all->first);
	dotlock_common_close(all->dir, &all->id);
	timer_stop(&all->refresh);
}

static void
lock_answer(struct lock *l, const char *complaint)
{
	struct ipc_writer w;

	w = ipc_begin(l->ch, IPC_LOCKED, l->request, 0);
	ipc_put_u8(&w, l->held);
	ipc_put_str(&w, complaint);
	ipc_end(&w);
	l->asked = false;
}

/* Does another channel of ours hold this very lock? */
static bool
held_by_us(const struct lock *l)
{
	const struct lock *o;

	for (o = l->all->first; o != NULL; o = o->next)
		if (o != l && o->held && strcmp(o->name, l->name) == 0)
			return true;
	return false;
}

static void
lock_try(void *arg)
{
	struct lock *l = arg;
	struct locks *all = l->all;
	int rv = dotlock_take(all->dir, l->name, &all->id);

	if (rv == -1 && errno == EAGAIN && !held_by_us(l)) {
		/* one of an earlier deliver with our number, perhaps */
		dotlock_drop(all->dir, l->name, &all->id);
		rv = dotlock_take(all->dir, l->name, &all->id);
	}
	if (rv == 0) {
		l->held = true;
		lock_answer(l, "");
	} else if (errno != EAGAIN) {
		log_warn("lock of mailbox %s", l->name);
		lock_answer(l, strerror(errno));
	} else if (clock_boot_ms() >= l->until_ms) {
		lock_answer(l, "");
	} else {
		timer_set_ms(&l->retry, LOCK_RETRY_MS);
	}
}

void
lock_init(struct lock *l, struct locks *all, struct channel *ch,
    struct span name)
{
	*l = (struct lock){ .all = all, .ch = ch };
	if (span_copy(name, l->name, sizeof(l->name)) == -1)
		log_warnx("a mailbox's name is too long to be locked");
	timer_init(&l->retry, all->loop, lock_try, l);
	l->at = &all->first;
	if ((l->next = all->first) != NULL)
		l->next->at = &l->next;
	all->first = l;
}

void
lock_clear(struct lock *l)
{
	if (l->at == NULL)
		return;
	timer_stop(&l->retry);
	if (l->held)
		dotlock_drop(l->all->dir, l->name, &l->all->id);
	l->held = l->asked = false;
	if ((*l->at = l->next) != NULL)
		l->next->at = l->at;
	l->at = NULL;
}

int
lock_ask(struct lock *l, const struct ipc_msg *m)
{
	if (m->body.len != 0 || l->asked || l->held || l->at == NULL ||
	    l->name[0] == '\0')
		return -1;
	l->asked = true;
	l->request = m->request;
	l->until_ms = clock_boot_ms() + LOCK_PATIENCE_MS;
	lock_try(l);
	return 0;
}

int
lock_drop(struct lock *l)
{
	if (l->held)
		dotlock_drop(l->all->dir, l->name, &l->all->id);
	l->held = false;
	/* its asker has given up waiting: a late answer would not be heard */
	timer_stop(&l->retry);
	l->asked = false;
	return 0;
}
