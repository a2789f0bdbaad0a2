/*
 * authd/outside.c - authd -p: start, questions, answers. The checks themselves
 * are in pam.c and dovecot.c.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "authd/outside.h"
#include "lib/log.h"
#include "lib/mail/addr.h"
#include "lib/mem.h"

/* -- questions -- */

static void
question_free(struct question *q)
{
	struct question **at;

	for (at = &q->o->questions; *at != NULL; at = &(*at)->next)
		if (*at == q) {
			*at = q->next;
			break;
		}
	timer_stop(&q->deadline);
	pam_forget(q);
	dovecot_forget(q);
	x_free(&q);
}

void
question_answer(struct question *q, uint8_t status)
{
	struct channel *ch = daemon_peer(&q->o->daemon, ROLE_AUTHD, 0);
	struct ipc_writer w;

	if (!q->orphan) {
		w = ipc_begin(ch, IPC_PW_CHECKED, q->request, q->session);
		ipc_put_u8(&w, status);
		(void)ipc_end(&w);
	}
	question_free(q);
}

static void
on_deadline(void *arg)
{
	struct question *q = arg;

	q->o->late++;
	log_warnx("%s takes longer than %d s over a password",
	    q->dovecot != NULL ? "Dovecot" : "PAM", OUTSIDE_TIMEOUT_MS / 1000);
	if (q->dovecot != NULL)
		dovecot_late(q);
	else
		question_answer(q, PW_TEMP);
}

static struct question *
question_new(struct outside *o, const struct ipc_msg *m)
{
	struct question *q = xcalloc(1, sizeof(*q));

	q->o = o;
	q->request = m->request;
	q->session = m->session;
	q->fd = -1;
	timer_init(&q->deadline, &o->daemon.loop, on_deadline, q);
	timer_set_ms(&q->deadline, OUTSIDE_TIMEOUT_MS);
	q->next = o->questions;
	o->questions = q;
	return q;
}

static const struct conf_users *
block_find(const struct conf *conf, struct span name)
{
	size_t i;

	for (i = 0; i < conf->nusers; i++)
		if (span_eqstr(name, conf->users[i].name))
			return &conf->users[i];
	return NULL;
}

/* An address alone, as PAM and Dovecot have it; "": no host's. */
static void
host_of(struct span client, char out[OUTSIDE_HOST_MAX])
{
	ssize_t colon = span_rfind(client, ':');
	struct in6_addr addr;

	if (colon != -1)
		client.len = (size_t)colon;
	if (client.len > 2 && *client.p == '[') /* of IPv6 */
		client = span_make(client.p + 1, client.len - 2);
	if (span_copy(client, out, OUTSIDE_HOST_MAX) == -1 ||
	    (inet_pton(AF_INET, out, &addr) != 1 &&
	    inet_pton(AF_INET6, out, &addr) != 1))
		out[0] = '\0';
}

static int
on_pw_check(void *arg, struct ipc_msg *m)
{
	struct outside *o = arg;
	struct ipc_reader rd = ipc_reader(m);
	struct span block = ipc_get_span(&rd, CONF_LABEL_MAX);
	struct span address = ipc_get_span(&rd, ADDR_PATH_MAX);
	struct span password = ipc_get_span(&rd, OUTSIDE_PASSWORD_MAX);
	uint8_t service = ipc_get_u8(&rd);
	struct span client = ipc_get_span(&rd, ADDR_PATH_MAX);
	char user[ADDR_TEXT], secret[OUTSIDE_PASSWORD_MAX + 1];
	const struct conf_users *u;
	struct question *q;

	if (!ipc_at_end(&rd) || service > LISTEN_SUBMIT)
		return -1;
	if (span_copy(address, user, sizeof(user)) == -1 || user[0] == '\0')
		(void)span_copy(span_str(OUTSIDE_NOBODY), user, sizeof(user));
	(void)span_copy(password, secret, sizeof(secret));
	explicit_bzero((void *)(uintptr_t)password.p, password.len);
	o->checked++;
	q = question_new(o, m);
	host_of(client, q->host);
	u = block_find(o->daemon.conf, block);
	if (u == NULL)
		question_answer(q, PW_TEMP); /* not told of it yet */
	else if (u->passwords == PASSWORDS_PAM)
		pam_ask(q, u->pam, user, secret);
	else
		dovecot_ask(q, u->dovecot, service, user, secret);
	explicit_bzero(secret, sizeof(secret));
	return 0;
}

/* What is asked next has numbers of its own: who asked before has gone. */
static void
on_authd_down(void *arg, struct channel *ch)
{
	struct outside *o = arg;
	struct question *q;

	(void)ch;
	for (q = o->questions; q != NULL; q = q->next)
		q->orphan = true;
}

/* -- the program -- */

static void
outside_start(void *arg)
{
	struct outside *o = arg;

	loop_signal(&o->daemon.loop, SIGCHLD, pam_reap, o);
}

static int
outside_reload(void *arg, const struct conf *old)
{
	struct outside *o = arg;

	(void)old;
	dovecot_keep(o, o->daemon.conf);
	return 0;
}

static void
outside_stop(void *arg)
{
	struct outside *o = arg;

	while (o->questions != NULL)
		question_answer(o->questions, PW_TEMP);
	daemon_exit(&o->daemon);
}

static size_t
outside_status(void *arg, struct daemon_status *out, size_t max)
{
	const struct outside *o = arg;
	const struct question *q;
	uint64_t open = 0;
	struct daemon_status all[] = {
		{ "checked", o->checked }, { "late", o->late }, { "open", 0 },
	};
	size_t i;

	for (q = o->questions; q != NULL; q = q->next)
		open++;
	all[2].value = open;
	for (i = 0; i < nitems(all) && i < max; i++)
		out[i] = all[i];
	return i;
}

int
outside_main(void)
{
	static const struct ipc_handler authd_handlers[] = {
		{ IPC_PW_CHECK, on_pw_check },
		IPC_HANDLERS_END
	};
	static const struct daemon_peer peers[] = {
		{ ROLE_AUTHD, authd_handlers, NULL, on_authd_down },
		{ ROLE_LOGD,  NULL,           NULL, NULL },
		{ ROLE_NONE,  NULL,           NULL, NULL },
	};
	static const struct daemon_spec spec = {
		.role = ROLE_AUTHP,
		.peers = peers,
		.start = outside_start,
		.reload = outside_reload,
		.stop = outside_stop,
		.status = outside_status,
	};
	struct outside o = { .questions = NULL };

	return daemon_main(&spec, &o.daemon, &o);
}
