/*
 * authd/login.c - a user and a password, from a program that talks to
 * strangers: checked by authd -w, granted by master, and only then answered.
 * Whatever is wrong, the words are the same and the work is too.
 */
#include <stdlib.h>

#include "authd/authd.h"
#include "lib/log.h"
#include "lib/mem.h"

#define TICKET_OCTETS    16
#define PASSWORD_MAX     1000
#define GRANT_TIMEOUT_MS 10000

struct login {
	struct job job;
	uint8_t service;
	uint16_t worker;       /* which process of that service */
	enum role role;
	bool found;            /* an account that may have this password */
	char user[ACCOUNT_NAME_MAX + 1]; /* as the client gave it */
	char client[ADDR_TEXT];
	char block[CONF_LABEL_MAX + 1];  /* where its password is looked up */
	char address[ADDR_TEXT];         /* and under which name */
	char password[PASSWORD_MAX + 1];
	struct user account;
	char ticket[TICKET_OCTETS];
};

static const char *
service_name(unsigned service)
{
	return service == LISTEN_POP3 ? "pop3" :
	    service == LISTEN_IMAP ? "imap" : "submission";
}

static void
login_event(const struct login *l, uint8_t status)
{
	struct event_out e;

	if (status == AUTH_TEMP)
		return; /* not the client's doing */
	event_begin(&e, status == AUTH_OK ? EV_AUTH_OK : EV_AUTH_FAIL, 0, 0);
	event_str(&e, KEY_CLIENT, l->client);
	event_str(&e, KEY_USER, status == AUTH_OK ? l->account.account :
	    l->user);
	event_str(&e, KEY_SERVICE, service_name(l->service));
	event_send(&e);
}

/* Always true: the job is done with. */
static bool
login_answer(struct login *l, uint8_t status)
{
	struct ipc_msg m = job_msg(&l->job);
	struct ipc_writer w;
	struct span ticket = span_make(l->ticket,
	    status == AUTH_OK ? sizeof(l->ticket) : 0);

	login_event(l, status);
	if (status == AUTH_FAIL)
		l->job.authd->refused++;
	w = ipc_reply_begin(l->job.ch, &m, IPC_AUTH_ANSWER);
	ipc_put_u8(&w, status);
	ipc_put_span(&w, ticket);
	ipc_put_str(&w, status == AUTH_OK ? l->account.account : "");
	ipc_put_str(&w, status == AUTH_OK ? "" : status == AUTH_TEMP ?
	    "Logins cannot be checked now, try again later" :
	    "Authentication failed");
	(void)ipc_end(&w);
	return true;
}

/* A callback outside run(): on, and away if that was the end. */
static void
login_resume(struct login *l, bool (*next)(struct job *))
{
	struct jobs *jobs = &l->job.authd->jobs;

	l->job.run = next;
	if (--l->job.waits == 0)
		job_wake(jobs, &l->job);
}

/* -- the grant -- */

static bool
run_granted(struct job *j)
{
	return login_answer((struct login *)j, AUTH_OK);
}

static bool
run_not_granted(struct job *j)
{
	return login_answer((struct login *)j, AUTH_TEMP);
}

static int
on_grant_done(void *arg, struct ipc_msg *m)
{
	struct login *l = arg;
	struct ipc_reader rd;
	bool ok = false;

	if (m != NULL) {
		rd = ipc_reader(m);
		ok = ipc_get_u8(&rd) != 0 && ipc_at_end(&rd);
	}
	login_resume(l, ok ? run_granted : run_not_granted);
	return 0;
}

/* Master hears of it first: a ticket that it does not know opens nothing. */
static bool
grant(struct login *l)
{
	struct channel *master = &l->job.authd->daemon.master;
	struct ipc_writer w;
	uint32_t request;

	arc4random_buf(l->ticket, sizeof(l->ticket));
	l->job.waits++;
	request = channel_request(master, GRANT_TIMEOUT_MS, on_grant_done, l);
	w = ipc_begin(master, IPC_GRANT, request, 0);
	ipc_put_span(&w, span_make(l->ticket, sizeof(l->ticket)));
	ipc_put_u8(&w, (uint8_t)l->role);
	ipc_put_u16(&w, l->worker);
	account_put(&w, &l->account, 0);
	if (ipc_end(&w) == -1)
		log_warnx("no grant for %s", l->account.account);
	return false;
}

/* The password was right: now, may this account log in at all? */
static bool
run_account(struct job *j)
{
	struct login *l = (struct login *)j;
	struct authd *a = j->authd;
	enum found found = directory_ids(&a->nss, j, &l->account);

	if (found == FOUND_WAIT)
		return false;
	if (found == FOUND_FAILED)
		return login_answer(l, AUTH_TEMP);
	if (found == FOUND_NO || l->account.uid < a->dir.uid_min ||
	    (l->account.flags & USER_F_NOLOGIN) != 0)
		return login_answer(l, AUTH_FAIL);
	return grant(l);
}

/* -- the password -- */

static bool
run_refused(struct job *j)
{
	return login_answer((struct login *)j, AUTH_FAIL);
}

static int
on_checked(void *arg, struct ipc_msg *m)
{
	struct login *l = arg;
	struct authd *a = l->job.authd;
	uint8_t status = PW_TEMP;
	struct ipc_reader rd;
	int rv = 0;

	if (m != NULL) {
		rd = ipc_reader(m);
		status = ipc_get_u8(&rd);
		if (m->type != IPC_PW_CHECKED || !ipc_at_end(&rd)) {
			status = PW_TEMP;
			rv = -1;
		}
	}
	if (status == PW_OK && l->found) {
		pwcache_add(&a->cache, span_str(l->block),
		    span_str(l->address), span_str(l->password));
		login_resume(l, run_account);
	} else {
		login_resume(l, status == PW_TEMP ? run_not_granted :
		    run_refused);
	}
	return rv;
}

static bool
check_password(struct login *l)
{
	struct authd *a = l->job.authd;
	struct span texts[3] = { span_str(l->block), span_str(l->address),
	    span_str(l->password) };
	struct buf body = pool_body();
	size_t i;

	if (l->found && pwcache_hit(&a->cache, texts[0], texts[1], texts[2])) {
		l->job.run = run_account;
		return run_account(&l->job);
	}
	for (i = 0; i < nitems(texts); i++)
		pool_str(&body, texts[i]);
	(void)buf_add_u8(&body, l->service);
	if (pool_ask(&a->pool, IPC_PW_CHECK, &body, on_checked, l) == -1)
		return login_answer(l, AUTH_TEMP);
	l->job.waits++;
	return false;
}

/* local and domain of a login name; without @ it is of the default domain. */
static const struct conf_domain *
login_domain(const struct directory *dir, struct span user,
    struct span *local, struct span *domain)
{
	const struct conf_domain *dom;
	ssize_t at = span_rfind(user, '@');

	if (at != -1) {
		*local = span_make(user.p, (size_t)at);
		*domain = span_from(user, (size_t)at + 1);
		return directory_domain(dir, *domain);
	}
	*local = user;
	if ((dom = directory_default(dir)) != NULL)
		*domain = span_str(dom->names.words[0]);
	return dom;
}

/*
 * Whether or not there is such an account, a worker is asked about some name in
 * some block, so that the answer takes as long.
 */
static bool
run_lookup(struct job *j)
{
	struct login *l = (struct login *)j;
	struct directory *dir = &j->authd->dir;
	struct span local, domain = { "", 0 };
	const struct conf_domain *dom = login_domain(dir, span_str(l->user),
	    &local, &domain);
	enum found found = FOUND_NO;

	if (dom != NULL)
		found = directory_user(dir, &j->authd->nss, j, dom, local,
		    domain, &l->account);
	if (found == FOUND_WAIT)
		return false;
	if (found == FOUND_FAILED)
		return login_answer(l, AUTH_TEMP);
	l->found = found == FOUND_YES && l->password[0] != '\0';
	(void)span_copy(span_str(l->found ? l->account.account : ""),
	    l->address, sizeof(l->address));
	(void)span_copy(span_str(l->found ? l->account.block->name :
	    dom != NULL && dom->users != NULL ? dom->users :
	    dir->nusers > 0 ? dir->users[0].name : ""), l->block,
	    sizeof(l->block));
	return check_password(l);
}

static void
login_free(struct job *j)
{
	struct login *l = (struct login *)j;

	explicit_bzero(l->password, sizeof(l->password));
	explicit_bzero(l->ticket, sizeof(l->ticket));
}

int
on_auth(void *arg, struct ipc_msg *m)
{
	struct authd *a = arg;
	struct ipc_reader rd = ipc_reader(m);
	uint8_t service = ipc_get_u8(&rd);
	struct span user = ipc_get_span(&rd, IPC_PATH_MAX);
	struct span password = ipc_get_span(&rd, IPC_PATH_MAX);
	struct span client = ipc_get_span(&rd, IPC_PATH_MAX);
	struct login *l;

	if (!ipc_at_end(&rd))
		return -1;
	a->logins++;
	l = xcalloc(1, sizeof(*l));
	job_from(&l->job, a, m, run_lookup);
	l->job.free = login_free;
	l->service = service;
	l->role = m->ch->peer;
	l->worker = m->ch->instance;
	(void)span_copy(client, l->client, sizeof(l->client));
	/* What does not fit, or holds a NUL, is a name or password that nobody
	 * has: it becomes empty and takes the same way as a wrong one. */
	(void)span_copy(user, l->user, sizeof(l->user));
	(void)span_copy(password, l->password, sizeof(l->password));
	explicit_bzero((void *)(uintptr_t)password.p, password.len);
	job_start(&a->jobs, &l->job);
	return 0;
}
