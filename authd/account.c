/*
 * authd/account.c - who is USER? Answers master, which starts the processes
 * that become users, and smtpd, which wants to know whose uid called sendmail.
 */
#include <stdio.h>

#include "authd/authd.h"
#include "lib/mail/usersfile.h"
#include "lib/log.h"
#include "lib/mem.h"

struct account_job {
	struct job job;
	unsigned flags;        /* CHILD_F_ */
	char user[ACCOUNT_NAME_MAX + 1];
};

struct uid_job {
	struct job job;
	uid_t uid;
};

/* The fields of an account; its index folder is master's to name, and so is
 * the group of the mail folder. */
void
account_put(struct ipc_writer *w, const struct user *u, unsigned flags)
{
	char path[1024] = "";

	if ((flags & CHILD_F_COMMANDS) == 0 && u->block != NULL &&
	    directory_path(u, path, sizeof(path)) == -1)
		log_warnx("the mailbox path of %s is too long or leads "
		    "elsewhere", u->account);
	ipc_put_str(w, u->account);
	ipc_put_u32(w, (uint32_t)u->uid);
	ipc_put_u32(w, (uint32_t)u->gid);
	ipc_put_str(w, u->home);
	ipc_put_str(w, path);
	ipc_put_str(w, "");
	ipc_put_u64(w, u->quota);
	ipc_put_u8(w, (uint8_t)flags);
	ipc_put_u32(w, UINT32_MAX);
}

/* An account behind "as USER": of the host, whatever the users blocks say. */
static enum found
find_program_account(struct authd *a, struct job *j, struct span name,
    struct user *out)
{
	const struct conf *c = a->daemon.conf;
	const struct nss_entry *e;
	enum found found;
	size_t i;

	for (i = 0; i < c->ndomains; i++)
		if (c->domains[i].aliases_as != NULL &&
		    span_eqstr(name, c->domains[i].aliases_as))
			break;
	if (i == c->ndomains)
		return FOUND_NO;
	found = directory_account(&a->dir, &a->nss, j, name, out);
	if (found != FOUND_NO)
		return found;
	if ((e = nss_name(&a->nss, j, name)) == NULL)
		return FOUND_WAIT;
	if (e->state == NSS_FAILED)
		return FOUND_FAILED;
	if (e->state != NSS_FOUND)
		return FOUND_NO;
	memset(out, 0, sizeof(*out));
	(void)span_copy(span_str(e->account), out->account,
	    sizeof(out->account));
	(void)span_copy(span_str(e->home), out->home, sizeof(out->home));
	out->uid = e->uid;
	out->gid = e->gid;
	return FOUND_YES;
}

static bool
run_account(struct job *j)
{
	struct account_job *k = (struct account_job *)j;
	struct authd *a = j->authd;
	struct ipc_msg m = job_msg(j);
	struct user u = { .account = "" };
	struct ipc_writer w;
	enum found found;
	uint8_t status = ACCOUNT_OK;

	found = (k->flags & CHILD_F_COMMANDS) != 0 ?
	    find_program_account(a, j, span_str(k->user), &u) :
	    directory_account(&a->dir, &a->nss, j, span_str(k->user), &u);
	if (found == FOUND_YES)
		found = directory_ids(&a->nss, j, &u);
	if (found == FOUND_WAIT)
		return false;
	if (found == FOUND_FAILED)
		status = ACCOUNT_TEMP;
	else if (found == FOUND_NO || u.uid < a->dir.uid_min)
		status = ACCOUNT_UNKNOWN;
	if (status != ACCOUNT_OK)
		memset(&u, 0, sizeof(u));
	w = ipc_reply_begin(j->ch, &m, IPC_ACCOUNT);
	ipc_put_u8(&w, status);
	account_put(&w, &u, k->flags);
	(void)ipc_end(&w);
	return true;
}

int
on_account_ask(void *arg, struct ipc_msg *m)
{
	struct authd *a = ((struct daemon *)arg)->arg;
	struct ipc_reader rd = ipc_reader(m);
	struct span user = ipc_get_span(&rd, ACCOUNT_NAME_MAX);
	unsigned flags = ipc_get_u8(&rd);
	struct account_job *k;

	if (!ipc_at_end(&rd))
		return -1;
	k = xcalloc(1, sizeof(*k));
	k->flags = flags;
	(void)span_copy(user, k->user, sizeof(k->user));
	job_from(&k->job, a, m, run_account);
	job_start(&a->jobs, &k->job);
	return 0;
}

/* The address of a local sender: in the default domain, else at this host. */
static void
uid_answer(struct job *j, bool found, const char *name, const char *address,
    const char *gecos)
{
	struct ipc_msg m = job_msg(j);
	struct ipc_writer w = ipc_reply_begin(j->ch, &m, IPC_UID_ANSWER);

	ipc_put_u8(&w, found);
	ipc_put_str(&w, name);
	ipc_put_str(&w, address);
	ipc_put_str(&w, gecos);
	(void)ipc_end(&w);
}

static bool
run_uid(struct job *j)
{
	struct uid_job *k = (struct uid_job *)j;
	struct authd *a = j->authd;
	const struct conf_domain *dom = directory_default(&a->dir);
	const char *domain = dom != NULL ? dom->names.words[0] :
	    a->daemon.conf->host;
	const struct nss_entry *e = nss_uid(&a->nss, j, k->uid);
	char address[ADDR_TEXT] = "", local[16];
	struct user u;

	if (e == NULL)
		return false;
	if (e->state == NSS_FOUND) {
		(void)addr_make(span_str(e->account), span_str(domain),
		    address);
		uid_answer(j, true, e->account, address, e->gecos);
	} else if (directory_by_uid(&a->dir, k->uid, &u)) {
		(void)addr_make(span_str(u.local), span_str(u.domain[0] !=
		    '\0' ? u.domain : domain), address);
		uid_answer(j, true, u.local, address, "");
	} else {
		/* A service without an account: what it says bare is ours. */
		snprintf(local, sizeof(local), "uid%u", (unsigned)k->uid);
		(void)addr_make(span_str(local), span_str(domain), address);
		uid_answer(j, false, "", address, "");
	}
	return true;
}

int
on_uid_ask(void *arg, struct ipc_msg *m)
{
	struct authd *a = arg;
	struct ipc_reader rd = ipc_reader(m);
	uint32_t uid = ipc_get_u32(&rd);
	struct uid_job *k;

	if (!ipc_at_end(&rd))
		return -1;
	k = xcalloc(1, sizeof(*k));
	k->uid = (uid_t)uid;
	job_from(&k->job, a, m, run_uid);
	job_start(&a->jobs, &k->job);
	return 0;
}
