/*
 * authd/login.c - what a step of an exchange needs to know from others: the
 * account, whether authd -w finds the password right, for pop3d master's grant.
 * Whatever is wrong, the words are the same and the work is too.
 */
#include <stdio.h>
#include <stdlib.h>

#include "authd/authd.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/mem.h"

#define TICKET_OCTETS    16
#define GRANT_TIMEOUT_MS 10000

struct login {
	struct job job;
	struct exchange *x;
	enum sasl_next next;   /* what the mechanism has come to */
	struct user account;   /* who it is, from run_account on */
	struct timer delay;    /* an answer that waits: throttle.h */
	bool over;             /* the exchange ends with this answer */
	char ticket[TICKET_OCTETS];
	char signature[SASL_DIGEST]; /* ServerSignature, until it is told */
};

static const char *
service_name(unsigned service)
{
	return service == LISTEN_POP3 ? "pop3" : "submission";
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

/* -- answers -- */

static void
login_event(const struct login *l, enum event_code code, const char *user)
{
	struct event_out e;

	event_begin(&e, code, 0, 0);
	event_str(&e, KEY_CLIENT, l->x->client);
	event_str(&e, KEY_USER, user);
	event_str(&e, KEY_SERVICE, service_name(l->x->service));
	event_str(&e, KEY_MECHANISM, l->x->sasl.mechanism->name);
	event_send(&e);
}

static void
send_answer(struct login *l, uint8_t status)
{
	struct ipc_msg m = job_msg(&l->job);
	struct ipc_writer w;
	bool ticket = status == AUTH_OK && l->job.ch->peer == ROLE_POP3D;

	w = ipc_reply_begin(l->job.ch, &m, IPC_AUTH_ANSWER);
	ipc_put_u8(&w, status);
	ipc_put_span(&w, span_make(l->ticket, ticket ? TICKET_OCTETS : 0));
	ipc_put_str(&w, status == AUTH_OK ? l->account.account : "");
	ipc_put_str(&w, status == AUTH_OK ? "" : status == AUTH_TEMP ?
	    "Logins cannot be checked now, try again later" :
	    "Authentication failed");
	(void)ipc_end(&w);
}

/* Always true: the job is done with, and so is the exchange. */
static bool
login_answer(struct login *l, uint8_t status)
{
	if (status == AUTH_OK)
		login_event(l, EV_AUTH_OK, l->account.account);
	send_answer(l, status);
	l->over = true;
	return true;
}

static bool
run_ok(struct job *j)
{
	return login_answer((struct login *)j, AUTH_OK);
}

static bool
run_later(struct job *j)
{
	return login_answer((struct login *)j, AUTH_TEMP);
}

static bool
run_no(struct job *j)
{
	return login_answer((struct login *)j, AUTH_FAIL);
}

/* -- the wait -- */

/* The name as it counts: one that is not there counts like one that is. */
static struct span
throttle_name(const struct login *l, char out[2 * ADDR_TEXT])
{
	const struct conf_domain *dom = directory_default(&l->job.authd->dir);
	const char *name = l->x->sasl.name;

	(void)snprintf(out, 2 * ADDR_TEXT, "%s%s%s", name,
	    strchr(name, '@') != NULL || dom == NULL || *name == '\0' ? "" :
	    "@", strchr(name, '@') != NULL || dom == NULL || *name == '\0' ?
	    "" : dom->names.words[0]);
	return span_str(out);
}

static void
on_delay(void *arg)
{
	struct login *l = arg;

	login_resume(l, l->job.run);
}

/* It is known whether the login is right, and told after a while. The job goes
 * on with then. */
static bool
settle(struct login *l, bool right, bool (*then)(struct job *))
{
	struct authd *a = l->job.authd;
	char text[2 * ADDR_TEXT];
	struct span name = throttle_name(l, text);
	int64_t ms;

	if (right) {
		ms = throttle_succeeded(&a->throttle, &l->x->address, name,
		    clock_boot_ms());
	} else {
		a->refused++;
		login_event(l, EV_AUTH_FAIL, l->x->sasl.name);
		ms = throttle_failed(&a->throttle, &l->x->address, name,
		    clock_boot_ms());
	}
	l->job.run = then;
	if (ms == 0)
		return then(&l->job);
	l->job.waits++;
	timer_set_ms(&l->delay, ms);
	return false;
}

static bool
run_refused(struct job *j)
{
	return settle((struct login *)j, false, run_no);
}

/* -- the grant -- */

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
	login_resume(l, ok ? run_ok : run_later);
	return 0;
}

/* Master hears of it first: a ticket that it does not know opens nothing. smtpd
 * gets none: there is nothing of the user's that it would open. */
static bool
run_grant(struct job *j)
{
	struct login *l = (struct login *)j;
	struct channel *master = &j->authd->daemon.master;
	struct ipc_writer w;
	uint32_t request;

	if (j->ch->peer != ROLE_POP3D)
		return login_answer(l, AUTH_OK);
	arc4random_buf(l->ticket, sizeof(l->ticket));
	j->waits++;
	request = channel_request(master, GRANT_TIMEOUT_MS, on_grant_done, l);
	w = ipc_begin(master, IPC_GRANT, request, 0);
	ipc_put_span(&w, span_make(l->ticket, sizeof(l->ticket)));
	ipc_put_u8(&w, (uint8_t)j->ch->peer);
	ipc_put_u16(&w, j->ch->instance);
	account_put(&w, &l->account, 0);
	if (ipc_end(&w) == -1)
		log_warnx("no grant for %s", l->account.account);
	return false;
}

/* -- the account -- */

/* local and domain of a login name; without @ it is of the default domain. */
static const struct conf_domain *
login_domain(const struct directory *dir, struct span user,
    struct span *local, struct span *domain)
{
	const struct conf_domain *dom;
	ssize_t at = span_rfind(user, '@');

	*domain = span_make("", 0);
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

static enum found
find_user(struct login *l, struct user *out)
{
	struct authd *a = l->job.authd;
	struct span local, domain;
	const struct conf_domain *dom = login_domain(&a->dir,
	    span_str(l->x->sasl.name), &local, &domain);

	return dom == NULL ? FOUND_NO : directory_user(&a->dir, &a->nss,
	    &l->job, dom, local, domain, out);
}

/* The password was right: now, may this account log in at all? It is looked up
 * again: what it was found in may have been replaced meanwhile. */
static bool
run_account(struct job *j)
{
	struct login *l = (struct login *)j;
	struct authd *a = j->authd;
	enum found found = find_user(l, &l->account);

	if (found == FOUND_YES)
		found = directory_ids(&a->nss, j, &l->account);
	if (found == FOUND_WAIT)
		return false;
	if (found == FOUND_FAILED)
		return login_answer(l, AUTH_TEMP);
	if (found == FOUND_NO || l->account.uid < a->dir.uid_min ||
	    strcmp(l->account.account, l->x->lookup) != 0 ||
	    (l->account.flags & USER_F_NOLOGIN) != 0)
		return run_refused(j);
	/* SCRAM's answer has waited already, when the proof was right. */
	return l->next == SASL_DONE ? run_grant(j) :
	    settle(l, true, run_grant);
}

/* -- authd -w: a password, or SCRAM's side of it -- */

/* What every question begins with. */
static struct buf
question(const struct login *l, bool service)
{
	struct buf body = pool_body();

	pool_str(&body, span_str(l->x->block));
	pool_str(&body, span_str(l->x->lookup));
	if (service)
		(void)buf_add_u8(&body, l->x->service);
	return body;
}

static bool
ask(struct login *l, enum ipc_type type, struct buf *body,
    int (*done)(void *, struct ipc_msg *))
{
	struct pool *pool = pool_of(l->job.authd, span_str(l->x->block));

	if (pool_ask(pool, type, body, done, l) == -1)
		return login_answer(l, AUTH_TEMP);
	l->job.waits++;
	return false;
}

static int
on_checked(void *arg, struct ipc_msg *m)
{
	struct login *l = arg;
	struct exchange *x = l->x;
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
	if (status == PW_OK && x->found) {
		pwcache_add(&l->job.authd->cache, x->service,
		    span_str(x->block), span_str(x->lookup),
		    span_str(x->sasl.password));
		login_resume(l, run_account);
	} else {
		login_resume(l, status == PW_TEMP ? run_later : run_refused);
	}
	return rv;
}

static bool
check_password(struct login *l)
{
	struct exchange *x = l->x;
	struct span password = span_str(x->sasl.password);
	struct buf body;

	if (x->found && pwcache_hit(&l->job.authd->cache, x->service,
	    span_str(x->block), span_str(x->lookup), password)) {
		l->job.run = run_account;
		return run_account(&l->job);
	}
	body = question(l, false);
	/* it must not move once it holds the password */
	(void)buf_reserve(&body, 4 + password.len + 1 + 4 +
	    strlen(x->client));
	pool_str(&body, password);
	(void)buf_add_u8(&body, x->service);
	pool_str(&body, span_str(x->client));
	return ask(l, IPC_PW_CHECK, &body, on_checked);
}

static bool
run_salted(struct job *j)
{
	struct login *l = (struct login *)j;

	if (l->next != SASL_CHALLENGE)
		return login_answer(l, AUTH_TEMP);
	auth_challenge(j->authd, l->x, j->request);
	return true;
}

static int
on_salt(void *arg, struct ipc_msg *m)
{
	struct login *l = arg;
	struct ipc_reader rd;
	uint32_t iterations;
	struct span salt;
	uint8_t status;

	l->next = SASL_BAD;
	if (m == NULL) {
		login_resume(l, run_later);
		return 0;
	}
	rd = ipc_reader(m);
	status = ipc_get_u8(&rd);
	iterations = ipc_get_u32(&rd);
	salt = ipc_get_span(&rd, SASL_SALT_MAX);
	if (m->type != IPC_PW_SALT || !ipc_at_end(&rd)) {
		login_resume(l, run_later);
		return -1;
	}
	if (status == PW_OK)
		l->next = scram_salted(&l->x->sasl, salt, iterations,
		    &l->job.authd->challenge);
	login_resume(l, run_salted);
	return 0;
}

static bool
ask_salt(struct login *l)
{
	struct buf body = question(l, true);

	return ask(l, IPC_PW_SCRAM, &body, on_salt);
}

static bool
run_signature(struct job *j)
{
	struct login *l = (struct login *)j;

	l->next = scram_proved(&l->x->sasl, span_make(l->signature,
	    sizeof(l->signature)), &j->authd->challenge);
	return run_salted(j);
}

static bool
run_proved(struct job *j)
{
	return settle((struct login *)j, true, run_signature);
}

static int
on_proved(void *arg, struct ipc_msg *m)
{
	struct login *l = arg;
	struct span signature = { NULL, 0 };
	uint8_t status = PW_TEMP;
	struct ipc_reader rd;
	int rv = 0;

	if (m != NULL) {
		rd = ipc_reader(m);
		status = ipc_get_u8(&rd);
		signature = ipc_get_span(&rd, sizeof(l->signature));
		if (m->type != IPC_PW_PROVED || !ipc_at_end(&rd) ||
		    (status == PW_OK &&
		    signature.len != sizeof(l->signature))) {
			status = PW_TEMP;
			rv = -1;
		}
	}
	if (status == PW_OK && l->x->found) {
		memcpy(l->signature, signature.p, sizeof(l->signature));
		login_resume(l, run_proved);
	} else {
		login_resume(l, status == PW_TEMP ? run_later : run_refused);
	}
	return rv;
}

static bool
run_proof(struct job *j)
{
	struct login *l = (struct login *)j;
	const struct scram *c = &l->x->sasl.scram;
	struct buf body = question(l, true);

	pool_str(&body, span_make(c->salt, c->nsalt));
	pool_str(&body, buf_span(&c->auth));
	pool_str(&body, span_make(c->proof, sizeof(c->proof)));
	return ask(l, IPC_PW_PROOF, &body, on_proved);
}

/* -- the name -- */

/* Whom authd -w is asked about if nobody has this name: somebody of that
 * name in the block where he would be, so that the answer takes as long. */
static void
look_for_nobody(struct login *l)
{
	struct directory *dir = &l->job.authd->dir;
	struct exchange *x = l->x;
	struct span local, domain, name = span_str(x->sasl.name);
	const struct conf_domain *dom = login_domain(dir, name, &local,
	    &domain);
	const char *block = dom != NULL && dom->users != NULL ? dom->users :
	    dir->nusers > 0 ? dir->users[0].name : "";
	const struct conf_users *users = conf_users_find(dir->conf, block);
	char text[2 * ADDR_TEXT];
	size_t i;

	(void)span_copy(span_str(block), x->block, sizeof(x->block));
	if (users != NULL && users->system)
		snprintf(text, sizeof(text), "%.*s", SPAN_ARG(local));
	else
		snprintf(text, sizeof(text), "%.*s@%.*s", SPAN_ARG(local),
		    SPAN_ARG(domain));
	for (i = 0; text[i] != '\0'; i++)
		text[i] = ascii_lower(text[i]);
	(void)span_copy(span_str(text), x->lookup, sizeof(x->lookup));
}

static bool
run_lookup(struct job *j)
{
	struct login *l = (struct login *)j;
	struct exchange *x = l->x;
	struct user u;
	enum found found = find_user(l, &u);

	if (found == FOUND_WAIT)
		return false;
	if (found == FOUND_FAILED)
		return login_answer(l, AUTH_TEMP);
	x->found = found == FOUND_YES;
	if (x->found) {
		(void)span_copy(span_str(u.account), x->lookup,
		    sizeof(x->lookup));
		(void)span_copy(span_str(u.block->name), x->block,
		    sizeof(x->block));
	} else {
		look_for_nobody(l);
	}
	switch (l->next) {
	case SASL_PASSWORD:
		return check_password(l);
	case SASL_SALT:
		return ask_salt(l);
	default: /* a certificate: who it is was proved in the handshake */
		return x->found ? run_account(j) : run_refused(j);
	}
}

/* -- begin and end -- */

static void
login_free(struct job *j)
{
	struct login *l = (struct login *)j;
	struct exchange *x = l->x;

	timer_stop(&l->delay);
	x->login = NULL;
	if (l->over || x->dropped)
		exchange_free(j->authd, x);
	explicit_bzero(l->ticket, sizeof(l->ticket));
	explicit_bzero(l->signature, sizeof(l->signature));
}

void
login_start(struct authd *a, struct exchange *x, const struct ipc_msg *m,
    enum sasl_next next)
{
	struct login *l = xcalloc(1, sizeof(*l));

	job_from(&l->job, a, m, next == SASL_BAD ? run_refused :
	    next == SASL_PROOF ? run_proof :
	    next == SASL_DONE ? run_account : run_lookup);
	l->job.free = login_free;
	l->x = x;
	l->next = next;
	x->login = l;
	timer_init(&l->delay, &a->daemon.loop, on_delay, l);
	job_start(&a->jobs, &l->job);
}

void
login_forget(struct login *l)
{
	struct jobs *jobs = &l->job.authd->jobs;

	/* Nobody listens, but what he asked is not open any longer. */
	send_answer(l, AUTH_TEMP);
	if (timer_is_set(&l->delay)) {
		timer_stop(&l->delay);
		l->job.waits--;
	}
	job_forget(jobs, &l->job);
}
