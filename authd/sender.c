/*
 * authd/sender.c - may this account send as that address? Its own are those at
 * which it gets mail alone; what else it may is said in the users file.
 */
#include "authd/authd.h"
#include "authd/expand.h"
#include "lib/mem.h"

struct sender_job {
	struct job job;
	char account[ACCOUNT_NAME_MAX + 1];
	char address[ADDR_TEXT];
};

/* "local@domain" or "@domain"; names in any case, as people write them. */
static bool
grants(struct span grant, const struct addr *a)
{
	ssize_t at = span_rfind(grant, '@');
	char local[ADDR_LOCAL_TEXT];

	if (at == -1 ||
	    !span_caseeq_span(span_from(grant, (size_t)at + 1), a->domain))
		return false;
	return at == 0 || span_caseeq_span(span_make(grant.p, (size_t)at),
	    addr_unquote_local(a, local));
}

static bool
is_granted(const char *senders, const struct addr *a)
{
	struct span rest = span_str(senders), grant;

	while (span_next(&rest, ',', &grant))
		if (grants(span_trim(grant), a))
			return true;
	return false;
}

/* The account that has this name, whatever aliases there are. */
static enum found
is_own_name(struct sender_job *k, const struct addr *a)
{
	struct authd *d = k->job.authd;
	const struct conf_domain *dom = directory_domain(&d->dir, a->domain);
	char local[ADDR_LOCAL_TEXT];
	struct resolved r;
	enum found found;

	if (dom == NULL)
		return FOUND_NO;
	found = resolve_local(&d->dir, &d->nss, &k->job, dom,
	    addr_unquote_local(a, local), a->domain, true, &r);
	return found != FOUND_YES ? found : r.is_user &&
	    strcmp(r.user.account, k->account) == 0 ? FOUND_YES : FOUND_NO;
}

/* An alias, or a catch-all, behind which there is this account and no other. */
static enum found
is_own_alias(struct sender_job *k)
{
	struct authd *d = k->job.authd;
	struct expansion e;
	enum found found = FOUND_NO;

	if (!expand(&d->dir, &d->nss, &k->job, span_str(k->address), 0, 0, &e))
		found = FOUND_WAIT;
	else if (e.status == EXPAND_TEMP)
		found = FOUND_FAILED;
	else if (e.status == EXPAND_OK && e.n == 1 &&
	    e.finals[0].kind == FINAL_MAILBOX &&
	    strcmp(e.finals[0].target, k->account) == 0)
		found = FOUND_YES;
	expansion_clear(&e);
	return found;
}

static bool
run_sender(struct job *j)
{
	struct sender_job *k = (struct sender_job *)j;
	struct ipc_msg m = job_msg(j);
	enum found found = FOUND_NO;
	uint8_t yes = SENDER_OK;
	struct ipc_writer w;
	struct addr a;

	/* The null path is nobody's name: reports of a program that read a
	 * letter go out under it. */
	if (k->address[0] == '\0')
		found = FOUND_YES;
	else if (addr_parse_mailbox(span_str(k->address), &a) == 0) {
		if ((found = is_own_name(k, &a)) == FOUND_NO &&
		    directory_domain(&j->authd->dir, a.domain) != NULL)
			found = is_own_alias(k);
		if (found != FOUND_YES && found != FOUND_WAIT &&
		    is_granted(directory_senders(&j->authd->dir,
		    span_str(k->account)), &a)) {
			found = FOUND_YES;
			yes = SENDER_GRANTED;
		}
	}
	if (found == FOUND_WAIT)
		return false;
	w = ipc_reply_begin(j->ch, &m, IPC_SENDER_ANSWER);
	ipc_put_u8(&w, found == FOUND_YES ? yes :
	    found == FOUND_NO ? SENDER_FOREIGN : SENDER_TEMP);
	(void)ipc_end(&w);
	return true;
}

int
on_sender_ask(void *arg, struct ipc_msg *m)
{
	struct authd *a = arg;
	struct ipc_reader rd = ipc_reader(m);
	struct span account = ipc_get_span(&rd, ACCOUNT_NAME_MAX);
	struct span address = ipc_get_span(&rd, IPC_PATH_MAX);
	struct sender_job *k;

	if (!ipc_at_end(&rd))
		return -1;
	k = xcalloc(1, sizeof(*k));
	(void)span_copy(account, k->account, sizeof(k->account));
	/* What is too long for an address is not the null path. */
	if (span_copy(address, k->address, sizeof(k->address)) == -1)
		(void)span_copy(span_str("@"), k->address,
		    sizeof(k->address));
	job_from(&k->job, a, m, run_sender);
	job_start(&a->jobs, &k->job);
	return 0;
}
