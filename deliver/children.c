/*
 * deliver/children.c - the table of users and their children: asked of master,
 * fed with jobs, sent home when idle. At most places_max at once; who comes
 * later waits, and the least recently used idle child goes first.
 */
#include "deliver/router.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/mem.h"

static int on_child(void *arg, struct ipc_msg *m);
static void on_child_lost(void *arg, struct channel *ch);

/* -- lists ----------------------------------------------------------------- */

static void
idle_leave(struct user *u)
{
	struct router *r = u->r;

	if (u->idle_at == NULL)
		return;
	if ((*u->idle_at = u->idle_next) != NULL)
		u->idle_next->idle_at = u->idle_at;
	else
		r->idle_last = u->idle_at;
	u->idle_at = NULL;
}

static void
idle_enter(struct user *u)
{
	struct router *r = u->r;

	u->idle_next = NULL;
	u->idle_at = r->idle_last;
	*r->idle_last = u;
	r->idle_last = &u->idle_next;
	u->since_ms = clock_boot_ms();
}

static void
wait_enter(struct user *u)
{
	struct router *r = u->r;

	u->state = USER_WAITING;
	u->since_ms = clock_boot_ms();
	u->wait_next = NULL;
	*r->wait_last = u;
	r->wait_last = &u->wait_next;
}

static struct user *
wait_take(struct router *r)
{
	struct user *u = r->wait_first;

	if (u != NULL && (r->wait_first = u->wait_next) == NULL)
		r->wait_last = &r->wait_first;
	return u;
}

/* -- users ----------------------------------------------------------------- */

static uint64_t
user_key(struct span name, uint8_t flags)
{
	return span_hash(name) ^ flags;
}

static struct user *
user_find(struct router *r, struct span name, uint8_t flags)
{
	struct hash_node *n = hash_find(&r->users, user_key(name, flags));

	for (; n != NULL; n = hash_next(n)) {
		struct user *u = hash_entry(n, struct user, node);

		if (u->flags == flags && span_eqstr(name, u->name))
			return u;
	}
	return NULL;
}

static struct user *
user_get(struct router *r, struct span name, uint8_t flags)
{
	struct user *u = user_find(r, name, flags);

	if (u != NULL)
		return u;
	u = xcalloc(1, sizeof(*u));
	u->r = r;
	u->flags = flags;
	u->name = span_dup(name);
	u->last = &u->first;
	u->since_ms = clock_boot_ms();
	channel_init(&u->ch, r->loop, ROLE_DELIVER, ROLE_DUSER,
	    child_handlers, u);
	u->ch.on_lost = on_child_lost;
	hash_add(&r->users, &u->node, user_key(name, flags));
	return u;
}

static void
user_free(struct user *u)
{
	hash_remove(&u->r->users, &u->node);
	idle_leave(u);
	x_free(&u->name);
	free(u);
}

static void
user_ask(struct user *u)
{
	struct router *r = u->r;
	struct ipc_writer w;

	r->places++;
	u->state = USER_ASKING;
	u->since_ms = clock_boot_ms();
	u->request = channel_request(r->master, CHILD_ASK_MS, on_child, u);
	w = ipc_begin(r->master, IPC_CHILD_ASK, u->request, 0);
	ipc_put_str(&w, u->name);
	ipc_put_u8(&w, u->flags);
	ipc_end(&w);
}

/*
 * A child died with this job: the next one looks whether the letter is there
 * already, so that a letter waits minutes only if that child dies as well. What
 * a command has done nobody can know.
 */
static bool
job_again(struct job *j)
{
	char *flags = j->begin.p + j->begin.off + JOB_FLAGS_AT;

	if (j->again || j->told || j->orphan || j->r->stopping ||
	    j->kind == FINAL_COMMAND)
		return false;
	j->again = true;
	j->sent = false;
	j->user->nsent--;
	j->user->nbig -= j->big;
	put_u32(flags, get_u32(flags) | JOB_F_CHECK);
	return true;
}

/* The child goes; what it still had goes to another, or comes back. */
static void
child_over(struct user *u)
{
	struct router *r = u->r;
	struct job *j, *next;

	if (u->state == USER_UP) {
		lock_clear(&u->lock);
		r->places--;
	}
	idle_leave(u);
	u->state = USER_NEW;
	u->yields = false;
	u->since_ms = clock_boot_ms();
	for (j = u->first; j != NULL; j = next) {
		next = j->next;
		if (j->sent && !job_again(j))
			job_settle(j, OUTCOME_DEFERRED, "4.3.0",
			    "The delivery process ended before its time");
	}
	if (u->njobs > 0)
		wait_enter(u);
	loop_defer(r->loop, &r->balance);
}

static void
on_child_lost(void *arg, struct channel *ch)
{
	struct user *u = arg;

	(void)ch;
	if (u->nsent > 0)
		log_warnx("the delivery process of %s died with %u "
		    "deliveries", u->name, u->nsent);
	child_over(u);
	if (u->state == USER_NEW)
		user_free(u);
}

void
user_end(struct user *u)
{
	channel_close(&u->ch); /* it hears that and ends */
	child_over(u);
	if (u->state == USER_NEW)
		user_free(u);
}

/* -- jobs of a user -------------------------------------------------------- */

static void
job_send(struct user *u, struct job *j)
{
	struct span rest = buf_span(&j->body);
	struct ipc_writer w;

	w = ipc_begin(&u->ch, IPC_JOB_BEGIN, 0, j->id);
	ipc_put_octets(&w, buf_span(&j->begin));
	ipc_end(&w);
	while (rest.len > 0) {
		size_t n = rest.len < IPC_CHUNK ? rest.len : IPC_CHUNK;

		w = ipc_begin(&u->ch, IPC_JOB_BODY, 0, j->id);
		ipc_put_octets(&w, span_make(rest.p, n));
		ipc_end(&w);
		rest = span_from(rest, n);
	}
	if (j->fd != -1) {
		w = ipc_begin(&u->ch, IPC_JOB_BIG, 0, j->id);
		ipc_put_fd(&w, fcntl(j->fd, F_DUPFD_CLOEXEC, 3));
		ipc_end(&w);
	}
	w = ipc_begin(&u->ch, IPC_JOB_END, 0, j->id);
	ipc_end(&w);
	j->sent = true;
	u->nsent++;
	u->nbig += j->big;
}

static void
user_feed(struct user *u)
{
	struct job *j;

	if (u->yields)
		return;
	for (j = u->first; j != NULL && u->njobs > u->nsent; j = j->next)
		if (!j->sent && !(j->big && u->nbig >= CHILD_BIGS_MAX))
			job_send(u, j);
	if (u->nsent > 0)
		idle_leave(u);
}

static void
user_take_job(struct user *u, struct job *j)
{
	j->user = u;
	j->next = NULL;
	j->at = u->last;
	*u->last = j;
	u->last = &j->next;
	u->njobs++;
}

void
user_drop_job(struct job *j)
{
	struct user *u = j->user;

	if ((*j->at = j->next) != NULL)
		j->next->at = j->at;
	else
		u->last = j->at;
	u->njobs--;
	j->user = NULL;
	if (!j->sent)
		return;
	u->nsent--;
	u->nbig -= j->big;
	if (u->state != USER_UP)
		return;
	if (u->njobs > u->nsent && !u->r->stopping)
		user_feed(u); /* there is room for another big one */
	if (u->nsent == 0)
		idle_enter(u);
}

static void
user_start(struct user *u)
{
	if (u->state == USER_NEW)
		wait_enter(u);
	else if (u->state == USER_UP)
		user_feed(u);
	loop_defer(u->r->loop, &u->r->balance);
}

/* No account of an "as USER" table: the jobs go to the owner of that name,
 * whose .forward they come from. */
static void
user_is_plain(struct user *u)
{
	struct user *plain = user_get(u->r, span_str(u->name), 0);
	struct job *j;

	u->state = USER_PLAIN;
	u->since_ms = clock_boot_ms();
	while ((j = u->first) != NULL) {
		user_drop_job(j);
		user_take_job(plain, j);
	}
	user_start(plain);
}

void
user_add_job(struct router *r, struct job *j, struct span name)
{
	uint8_t flags = j->kind >= FINAL_COMMAND ? CHILD_F_COMMANDS : 0;
	struct user *u = user_get(r, name, flags);

	if (u->state == USER_PLAIN)
		u = user_get(r, name, 0);
	user_take_job(u, j);
	user_start(u);
}

/* -- master's answer ------------------------------------------------------- */

static void
child_refused(struct user *u, const char *complaint)
{
	struct job *j;
	char text[REPLY_MAX];

	if (u->flags != 0 && strcmp(complaint, IPC_NO_ACCOUNT) == 0) {
		user_is_plain(u);
		return;
	}
	u->since_ms = clock_boot_ms();
	/* authd knows who exists: this is no "not now" */
	if (strcmp(complaint, IPC_NO_ACCOUNT) == 0) {
		u->state = USER_NEW;
		while ((j = u->first) != NULL)
			job_settle(j, OUTCOME_FAILED, "5.1.1",
			    "No such user here");
		return;
	}
	if (u->refused_ms == 0)
		u->refused_ms = u->since_ms;
	u->state = USER_REFUSED;
	if (u->since_ms - u->refused_ms < CHILD_PATIENCE_MS)
		return;
	u->state = USER_NEW;
	u->refused_ms = 0;
	snprintf(text, sizeof(text), "No delivery process for %s: %s",
	    u->name, complaint);
	log_warnx("%s", text);
	while ((j = u->first) != NULL)
		job_settle(j, OUTCOME_DEFERRED, "4.3.0", text);
}

static int
on_child(void *arg, struct ipc_msg *m)
{
	struct user *u = arg;
	struct router *r = u->r;
	struct ipc_reader rd;
	struct span why, lock;
	char complaint[512];
	bool ok;

	loop_defer(r->loop, &r->balance);
	r->places--;
	if (m == NULL) {
		child_refused(u, "master does not answer");
		return 0;
	}
	rd = ipc_reader(m);
	ok = ipc_get_u8(&rd) != 0;
	why = ipc_get_span(&rd, IPC_TEXT_MAX);
	lock = ipc_get_span(&rd, IPC_PATH_MAX);
	if (!ipc_at_end(&rd) || (ok && m->fd == -1)) {
		child_refused(u, "master's answer cannot be read");
		return -1;
	}
	if (!ok) {
		if (why.len >= sizeof(complaint))
			why.len = sizeof(complaint) - 1;
		if (span_copy(why, complaint, sizeof(complaint)) == -1)
			complaint[0] = '\0';
		child_refused(u, complaint);
		return 0;
	}
	r->places++;
	r->forks++;
	u->state = USER_UP;
	u->refused_ms = 0;
	u->since_ms = clock_boot_ms();
	channel_open(&u->ch, ipc_take_fd(m));
	lock_init(&u->lock, &r->locks, &u->ch, lock);
	idle_enter(u);
	user_feed(u);
	return 0;
}

/* -- who goes, who comes --------------------------------------------------- */

void
children_balance(void *arg)
{
	struct router *r = arg;
	struct user *u;

	while ((u = r->wait_first) != NULL) {
		if (u->njobs == 0)
			user_free(wait_take(r)); /* they went with queued */
		else if (r->places < r->places_max)
			user_ask(wait_take(r));
		else if (r->idle_first != NULL)
			user_end(r->idle_first);
		else
			break;
	}
	if (r->stopping && r->njobs == 0)
		timer_set_ms(&r->report_wait, 0);
}

struct turn {
	struct router *r;
	struct user *busy;     /* the one that has been up longest */
	int64_t now;
};

static void
user_tick(void *arg, struct hash_node *n)
{
	struct user *u = hash_entry(n, struct user, node);
	struct turn *t = arg;
	int64_t age = t->now - u->since_ms;

	if (u->state == USER_REFUSED) {
		wait_enter(u);
		loop_defer(u->r->loop, &u->r->balance);
	} else if (u->state == USER_PLAIN ? age > ACCOUNT_KNOWN_MS :
	    u->state == USER_NEW && u->njobs == 0)
		user_free(u);
	else if (u->state == USER_UP && u->nsent > 0 && !u->yields &&
	    (t->busy == NULL || u->since_ms < t->busy->since_ms))
		t->busy = u;
}

void
children_tick(struct router *r)
{
	struct turn t = { r, NULL, clock_boot_ms() };
	struct user *u;

	while ((u = r->idle_first) != NULL &&
	    t.now - u->since_ms >= CHILD_IDLE_MS)
		user_end(u);
	hash_each(&r->users, user_tick, &t);
	/* somebody waits and nobody is ever idle: one place is made free */
	if (r->wait_first != NULL && t.busy != NULL &&
	    t.now - r->wait_first->since_ms >= CHILD_TURN_MS &&
	    t.now - t.busy->since_ms >= CHILD_TURN_MS)
		t.busy->yields = true;
}

static void
user_end_orphans(void *arg, struct hash_node *n)
{
	struct user *u = hash_entry(n, struct user, node);
	struct job *j;

	(void)arg;
	for (j = u->first; j != NULL; j = j->next)
		if (j->orphan) {
			user_end(u);
			return;
		}
}

void
children_end_orphans(struct router *r)
{
	hash_each(&r->users, user_end_orphans, r);
}
