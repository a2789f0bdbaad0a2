/*
 * authd/peers.c - what other programs ask, and what authd -w answers. A message
 * is read to its last octet before it is judged; a bad one costs its sender the
 * channel.
 */
#include "authd/authd.h"
#include "authd/expand.h"
#include "lib/mail/usersfile.h"
#include "lib/log.h"
#include "lib/mem.h"

struct rcpt_job {
	struct job job;
	unsigned flags;        /* RCPT_F_ */
	size_t nlocal, ndomain;
	char text[];           /* both, one behind the other */
};

struct expand_job {
	struct job job;
	unsigned depth, flags;
	bool null_from;        /* a bounce keeps its null reverse-path */
	size_t len;
	char address[];
};

/* An EXPAND_MORE is ended once it holds this much: one more final fits. */
#define MORE_OCTETS (IPC_BODY_MAX - 4 * IPC_PATH_MAX)

/* -- smtpd -- */

static bool
run_rcpt(struct job *j)
{
	struct rcpt_job *k = (struct rcpt_job *)j;
	struct ipc_msg m = job_msg(j);
	struct verdict v;
	struct ipc_writer w;

	if (!rcpt_judge(&j->authd->dir, &j->authd->nss, j, k->flags,
	    span_make(k->text, k->nlocal),
	    span_make(k->text + k->nlocal, k->ndomain), &v))
		return false;
	w = ipc_reply_begin(j->ch, &m, IPC_RCPT_ANSWER);
	ipc_put_u8(&w, v.code);
	ipc_put_str(&w, v.enhanced);
	ipc_put_str(&w, v.text);
	(void)ipc_end(&w);
	return true;
}

static int
on_rcpt_ask(void *arg, struct ipc_msg *m)
{
	struct authd *a = arg;
	struct ipc_reader rd = ipc_reader(m);
	unsigned flags = ipc_get_u8(&rd);
	struct span local = ipc_get_span(&rd, IPC_PATH_MAX);
	struct span domain = ipc_get_span(&rd, IPC_PATH_MAX);
	struct rcpt_job *k;

	(void)ipc_get_span(&rd, IPC_PATH_MAX); /* the reverse-path */
	if (!ipc_at_end(&rd))
		return -1;
	a->asked++;
	k = xcalloc(1, sizeof(*k) + local.len + domain.len + 1);
	job_from(&k->job, a, m, run_rcpt);
	k->flags = flags;
	k->nlocal = local.len;
	k->ndomain = domain.len;
	memcpy(k->text, local.p, local.len);
	memcpy(k->text + local.len, domain.p, domain.len);
	job_start(&a->jobs, &k->job);
	return 0;
}

/* -- queued -- */

static void
send_finals(struct job *j, const struct expansion *e)
{
	struct ipc_msg m = job_msg(j);
	size_t i = 0;

	while (i < e->n) {
		size_t first = i, octets = 0;
		struct ipc_writer w;

		for (; i < e->n && octets < MORE_OCTETS; i++)
			octets += 13 + strlen(e->finals[i].address) +
			    strlen(e->finals[i].target) +
			    strlen(e->finals[i].argument);
		w = ipc_reply_begin(j->ch, &m, IPC_EXPAND_MORE);
		ipc_put_u16(&w, (uint16_t)(i - first));
		for (; first < i; first++) {
			ipc_put_u8(&w, e->finals[first].kind);
			ipc_put_str(&w, e->finals[first].address);
			ipc_put_str(&w, e->finals[first].target);
			ipc_put_str(&w, e->finals[first].argument);
		}
		(void)ipc_end(&w);
	}
}

static bool
run_expand(struct job *j)
{
	struct expand_job *k = (struct expand_job *)j;
	struct ipc_msg m = job_msg(j);
	struct expansion e;
	struct ipc_writer w;
	const char *owner;

	if (!expand(&j->authd->dir, &j->authd->nss, j,
	    span_make(k->address, k->len), k->depth, k->flags, &e)) {
		expansion_clear(&e);
		return false;
	}
	if (e.status == EXPAND_OK)
		send_finals(j, &e);
	owner = e.owner == NULL || k->null_from ? "" : e.owner;
	w = ipc_reply_begin(j->ch, &m, IPC_EXPAND_END);
	ipc_put_u8(&w, e.status);
	ipc_put_str(&w, e.enhanced);
	ipc_put_str(&w, e.status == EXPAND_OK ? owner : e.text);
	(void)ipc_end(&w);
	expansion_clear(&e);
	return true;
}

static int
on_expand_ask(void *arg, struct ipc_msg *m)
{
	struct authd *a = arg;
	struct ipc_reader rd = ipc_reader(m);
	unsigned depth = ipc_get_u8(&rd);
	struct span address = ipc_get_span(&rd, IPC_PATH_MAX);
	struct span from = ipc_get_span(&rd, IPC_PATH_MAX);
	unsigned flags = ipc_get_u8(&rd);
	struct expand_job *k;

	if (!ipc_at_end(&rd))
		return -1;
	k = xcalloc(1, sizeof(*k) + address.len + 1);
	job_from(&k->job, a, m, run_expand);
	k->depth = depth;
	k->flags = flags;
	k->null_from = from.len == 0;
	k->len = address.len;
	memcpy(k->address, address.p, address.len);
	job_start(&a->jobs, &k->job);
	return 0;
}

/* -- authd -w -- */

struct nss_question {
	struct authd *authd;
	struct nss_entry *entry; /* stays while it is being asked for */
};

static enum nss_state
nss_state_of(uint8_t status)
{
	return status == PW_OK ? NSS_FOUND : status == PW_NONE ? NSS_ABSENT :
	    NSS_FAILED;
}

static int
on_pw(void *arg, struct ipc_msg *m)
{
	struct nss_question *q = arg;
	struct nss_facts f = { .state = NSS_FAILED };
	struct ipc_reader rd;
	int rv = 0;

	if (m != NULL) {
		rd = ipc_reader(m);
		f.state = nss_state_of(ipc_get_u8(&rd));
		f.account = ipc_get_span(&rd, IPC_PATH_MAX);
		f.uid = ipc_get_u32(&rd);
		f.gid = ipc_get_u32(&rd);
		f.home = ipc_get_span(&rd, IPC_PATH_MAX);
		f.gecos = ipc_get_span(&rd, IPC_PATH_MAX);
		if (m->type != IPC_PW || !ipc_at_end(&rd)) {
			f.state = NSS_FAILED;
			rv = -1;
		}
	}
	nss_answer(&q->authd->nss, q->entry, &f);
	x_free(&q);
	return rv;
}

bool
ask_worker(void *arg, struct nss_entry *e)
{
	struct authd *a = arg;
	struct nss_question *q = xcalloc(1, sizeof(*q));
	struct buf body = pool_body();

	q->authd = a;
	q->entry = e;
	if (e->name == NULL)
		(void)buf_add_u32(&body, (uint32_t)e->key_uid);
	else
		pool_str(&body, span_str(e->name));
	if (pool_ask(&a->pool, e->name == NULL ? IPC_PW_UID : IPC_PW_NAME,
	    &body, on_pw, q) == -1) {
		x_free(&q);
		return false;
	}
	return true;
}

struct pool *
pool_of(struct authd *a, struct span block)
{
	const struct conf *c = a->daemon.conf;
	size_t i;

	for (i = 0; i < c->nusers; i++)
		if (span_eqstr(block, c->users[i].name))
			return c->users[i].passwords == PASSWORDS_PAM ||
			    c->users[i].passwords == PASSWORDS_DOVECOT ?
			    &a->outside : &a->pool;
	return &a->pool;
}

static int
on_users_begin(void *arg, struct ipc_msg *m)
{
	struct authd *a = arg;
	struct ipc_reader rd = ipc_reader(m);
	struct span block = ipc_get_span(&rd, CONF_LABEL_MAX);

	if (!ipc_at_end(&rd))
		return -1;
	return directory_users_begin(&a->dir, block);
}

static int
on_users_row(void *arg, struct ipc_msg *m)
{
	struct authd *a = arg;
	struct ipc_reader rd = ipc_reader(m);
	unsigned n = ipc_get_u16(&rd);

	for (; n > 0; n--) {
		struct span address = ipc_get_span(&rd, USERSFILE_ADDR_MAX);
		struct user_row row = { 0 };
		struct span home, senders;

		row.uid = ipc_get_u32(&rd);
		(void)ipc_get_u32(&rd); /* gid: asked for when it is needed */
		row.quota = ipc_get_u64(&rd);
		row.flags = ipc_get_u8(&rd);
		home = ipc_get_span(&rd, USERSFILE_HOME_MAX);
		senders = ipc_get_span(&rd, USERSFILE_SENDERS_MAX);
		if (!ipc_ok(&rd) || directory_users_row(&a->dir, address,
		    &row, home, senders) == -1)
			return -1;
	}
	return ipc_at_end(&rd) ? 0 : -1;
}

static int
on_users_end(void *arg, struct ipc_msg *m)
{
	struct authd *a = arg;
	struct ipc_reader rd = ipc_reader(m);
	uint32_t rows = ipc_get_u32(&rd);
	bool scram = ipc_get_u8(&rd) != 0;
	const struct users *done;
	struct event_out e;

	if (!ipc_at_end(&rd) ||
	    directory_users_end(&a->dir, rows, scram, &done) == -1)
		return -1;
	if (done == NULL)
		return 0;
	event_begin(&e, EV_TABLE, 0, 0);
	/* without a file it is of a configuration that has not come yet */
	event_str(&e, KEY_FILE, done->file != NULL ? done->file : done->name);
	event_num(&e, KEY_COUNT, rows);
	event_send(&e);
	pwcache_wipe(&a->cache); /* a password may have changed */
	auth_offer(a);
	jobs_tables(&a->jobs);
	return 0;
}

static void
on_worker_up(void *arg, struct channel *ch)
{
	struct authd *a = arg;

	(void)ch;
	pool_kick(&a->pool);
}

static void
on_outside_up(void *arg, struct channel *ch)
{
	struct authd *a = arg;

	(void)ch;
	pool_kick(&a->outside);
}

static void
on_login_up(void *arg, struct channel *ch)
{
	auth_offer_to(arg, ch);
}

static void
on_asker_down(void *arg, struct channel *ch)
{
	struct authd *a = arg;

	exchanges_lost(a, ch);
	jobs_lost(&a->jobs, ch);
}

void
authd_rooms(struct authd *a)
{
	nss_init(&a->nss, ask_worker, a, &a->jobs);
	pool_init(&a->pool, &a->daemon, ROLE_AUTHW);
	pool_init(&a->outside, &a->daemon, ROLE_AUTHP);
	pwcache_init(&a->cache);
	exchanges_init(a);
	buf_init(&a->challenge, IPC_TEXT_MAX);
	a->throttle.off = a->daemon.test;
}

/* -- the tables -- */

static const struct ipc_handler smtpd_handlers[] = {
	{ IPC_RCPT_ASK,   on_rcpt_ask },
	{ IPC_UID_ASK,    on_uid_ask },
	{ IPC_AUTH,       on_auth },
	{ IPC_AUTH_STEP,  on_auth_step },
	{ IPC_AUTH_ABORT, on_auth_abort },
	{ IPC_SENDER_ASK, on_sender_ask },
	IPC_HANDLERS_END
};

static const struct ipc_handler queued_handlers[] = {
	{ IPC_EXPAND_ASK, on_expand_ask },
	IPC_HANDLERS_END
};

static const struct ipc_handler pop3d_handlers[] = {
	{ IPC_AUTH,       on_auth },
	{ IPC_AUTH_STEP,  on_auth_step },
	{ IPC_AUTH_ABORT, on_auth_abort },
	IPC_HANDLERS_END
};

static const struct ipc_handler worker_handlers[] = {
	{ IPC_USERS_BEGIN, on_users_begin },
	{ IPC_USERS_ROW,   on_users_row },
	{ IPC_USERS_END,   on_users_end },
	IPC_HANDLERS_END
};

const struct ipc_handler authd_master_handlers[] = {
	{ IPC_ACCOUNT_ASK, on_account_ask },
	IPC_HANDLERS_END
};

const struct daemon_peer authd_peers[] = {
	{ ROLE_SMTPD,  smtpd_handlers,  on_login_up,  on_asker_down },
	{ ROLE_QUEUED, queued_handlers, NULL,         on_asker_down },
	{ ROLE_POP3D,  pop3d_handlers,  on_login_up,  on_asker_down },
	{ ROLE_AUTHW,  worker_handlers, on_worker_up, NULL },
	{ ROLE_AUTHP,  NULL,            on_outside_up, NULL },
	{ ROLE_LOGD,   NULL,            NULL,         NULL },
	{ ROLE_NONE,   NULL,            NULL,         NULL },
};
