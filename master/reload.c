/*
 * master/reload.c - a new configuration in place of the old one, or the old one
 * kept whole; and the orderly end, in the order in which letters flow.
 */
#include <signal.h>

#include "config.h"
#include "lib/ipc/daemon.h"
#include "lib/log.h"
#include "master/master.h"

#define PHASE_MS 10000 /* for a phase to end by itself; then SIGKILL */
#define PHASES   4

static void
send_plain(struct child *c, enum ipc_type type)
{
	struct ipc_writer w = ipc_begin(&c->ch, type, 0, 0);

	ipc_end(&w);
}

/* smtpd, pop3d: a new generation on the same listeners; the old one finishes. */
static void
generation_renew(struct master *m, enum role role)
{
	struct child *c, *next;

	for (c = m->children; c != NULL; c = c->next)
		if (c->role == role && c->state != CHILD_DRAINING &&
		    c->pid != 0)
			c->state = CHILD_DRAINING;
	children_start(m); /* counts those that do not drain */
	for (c = m->children; c != NULL; c = next) {
		next = c->next;
		if (c->role == role && c->state == CHILD_DRAINING)
			send_plain(c, IPC_DRAIN);
	}
}

static void
errors_tell(const struct conf_errors *errors, struct buf *err)
{
	size_t i;

	for (i = 0; i < errors->n; i++)
		buf_addf(err, "%s:%u:%u: %s\n", errors->list[i].file,
		    errors->list[i].line, errors->list[i].column,
		    errors->list[i].text);
}

/* The log gets the first fault; whoever asked for it is told all of them. */
static void
reload_tell(const struct master *m, enum event_code code,
    const struct buf *err)
{
	struct span first, rest;
	struct event_out e;

	span_split(buf_span(err), '\n', &first, &rest);

	event_begin(&e, code, 0, 0);
	event_str(&e, KEY_FILE, m->path.conf);
	if (code == EV_RELOAD_FAILED)
		event_text(&e, KEY_TEXT, first);
	event_send(&e);
}

int
master_reload(struct master *m, struct buf *err)
{
	struct conf_errors errors = { 0 };
	struct conf *fresh;
	struct child *c;

	notify("RELOADING=1");
	if ((fresh = conf_load(m->path.conf, m->test_dir, &errors)) == NULL) {
		errors_tell(&errors, err);
		conf_errors_clear(&errors);
	} else if (bind_all(m, fresh, err) == -1) {
		bind_rollback(m);
		conf_free(fresh);
		fresh = NULL;
	}
	if (fresh == NULL) {
		reload_tell(m, EV_RELOAD_FAILED, err);
		notify("READY=1");
		return -1;
	}
	conf_free(m->conf);
	m->conf = fresh;
	bind_commit(m);
	files_setup(m);
	children_retire(m);
	for (c = m->children; c != NULL; c = c->next)
		if (c->role != ROLE_SMTPD && c->role != ROLE_POP3D &&
		    c->pid != 0 && c->state != CHILD_DRAINING) {
			handout_conf(c);
			files_hand(c);
			send_plain(c, IPC_START);
		}
	generation_renew(m, ROLE_SMTPD);
	generation_renew(m, ROLE_POP3D);
	reload_tell(m, EV_RELOAD, err);
	notify("READY=1");
	return 0;
}

/* What takes mail in ends first, what remembers it and tells of it last. */
static unsigned
phase_of(enum role role)
{
	switch (role) {
	case ROLE_SMTPD:
	case ROLE_POP3D:
	case ROLE_PFORK:
		return 1;
	case ROLE_RELAY:
	case ROLE_DELIVER:
	case ROLE_DFORK:
	case ROLE_DRUN:
		return 2;
	case ROLE_QUEUED:
		return 3;
	default:
		return PHASES;
	}
}

/* The log's last line; a start without it before was no orderly end. */
static void
stop_tell(void)
{
	struct event_out e;

	event_begin(&e, EV_STOP, 0, 0);
	event_str(&e, KEY_ROLE, "master");
	event_str(&e, KEY_TEXT, "barid " VERSION " has ended in order");
	event_send(&e);
}

static void
phase_begin(struct master *m)
{
	struct child *c;

	for (; m->stop_phase <= PHASES; m->stop_phase++) {
		bool any = false;

		for (c = m->children; c != NULL; c = c->next)
			if (c->pid != 0 &&
			    phase_of(c->role) == m->stop_phase &&
			    c->role != ROLE_LOGD) {
				send_plain(c, IPC_STOP);
				any = true;
			}
		if (any) {
			timer_set_ms(&m->patience, PHASE_MS);
			return;
		}
	}
	stop_tell();
	c = child_find(m, ROLE_LOGD, 0);
	if (c == NULL || c->pid == 0) {
		loop_stop(&m->loop);
		return;
	}
	send_plain(c, IPC_STOP);
	timer_set_ms(&m->patience, PHASE_MS);
}

static void
on_patience(void *arg)
{
	struct master *m = arg;
	struct child *c;

	for (c = m->children; c != NULL; c = c->next)
		if (c->pid != 0 && (phase_of(c->role) <= m->stop_phase)) {
			log_warnx("%s (pid %d) did not end in time",
			    role_name(c->role), (int)c->pid);
			kill(c->pid, SIGKILL);
		}
}

void
master_stop(struct master *m)
{
	struct child *c;

	if (m->stop_phase != 0)
		return;
	notify("STOPPING=1");
	m->stop_phase = 1;
	for (c = m->children; c != NULL; c = c->next)
		timer_stop(&c->backoff);
	timer_stop(&m->poll);
	timer_init(&m->patience, &m->loop, on_patience, m);
	phase_begin(m);
}

void
stop_child_gone(struct master *m)
{
	struct child *c;

	for (c = m->children; c != NULL; c = c->next)
		if (c->pid != 0 && phase_of(c->role) == m->stop_phase &&
		    c->role != ROLE_LOGD)
			return;
	timer_stop(&m->patience);
	phase_begin(m);
}
