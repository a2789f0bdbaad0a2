/*
 * authd/find.c - looking an account or an alias up: file tables in memory,
 * system accounts through the cache of nss.c. Nothing here waits: what is
 * missing is asked for, and the job is run again.
 */
#include <stdio.h>

#include "authd/directory.h"
#include "lib/mail/usersfile.h"
#include "config.h"
#include "lib/ipc/types.h"

const struct conf_domain *
directory_domain(const struct directory *d, struct span domain)
{
	char name[ADDR_DOMAIN_TEXT];
	uint32_t at;

	if (domain_canon(domain, name) == -1 ||
	    !table_find(&d->domains, span_str(name), &at))
		return NULL;
	return &d->conf->domains[at];
}

const struct conf_domain *
directory_default(const struct directory *d)
{
	size_t i;

	for (i = 0; i < d->conf->ndomains; i++)
		if (d->conf->domains[i].is_default)
			return &d->conf->domains[i];
	return NULL;
}

static enum found
table_missing(const struct directory *d, struct job *j)
{
	if (d->tables_given_up || job_given_up(j))
		return FOUND_FAILED;
	j->wants_tables = true;
	return FOUND_WAIT;
}

enum found
directory_alias(const struct directory *d, struct job *j,
    const struct conf_domain *dom, struct span local, struct span domain,
    const struct aliases **table, uint32_t *list)
{
	uint32_t at = d->domain_aliases[dom - d->conf->domains];
	char full[ADDR_TEXT];
	int n;

	if (at == DIRECTORY_NONE)
		return FOUND_NO;
	if (!d->aliases[at].loaded)
		return table_missing(d, j);
	*table = &d->aliases[at].now;
	n = snprintf(full, sizeof(full), "%.*s@%.*s", SPAN_ARG(local),
	    SPAN_ARG(domain));
	if (n > 0 && (size_t)n < sizeof(full) &&
	    aliases_find(*table, span_make(full, (size_t)n), list))
		return FOUND_YES;
	return aliases_find(*table, local, list) ? FOUND_YES : FOUND_NO;
}

static struct span
lower_of(struct span in, char *out, size_t size)
{
	size_t i;

	for (i = 0; i < in.len && i < size; i++)
		out[i] = ascii_lower(in.p[i]);
	return span_make(out, i);
}

static const struct conf_users *
block_of(const struct directory *d, const struct conf_domain *dom,
    const struct users **users)
{
	uint32_t at = d->domain_users[dom - d->conf->domains];

	if (at == DIRECTORY_NONE)
		return NULL;
	*users = &d->users[at];
	return &d->conf->users[at];
}

static void
user_from_row(const struct users *users, const struct conf_users *block,
    uint32_t row, struct user *out)
{
	const struct user_row *r = &users->now.list[row];
	struct span name = table_name(&users->now.names, row), local;
	ssize_t at = span_rfind(name, '@');

	memset(out, 0, sizeof(*out));
	out->block = block;
	(void)span_copy(name, out->account, sizeof(out->account));
	local = at == -1 ? name : span_make(name.p, (size_t)at);
	(void)span_copy(local, out->local, sizeof(out->local));
	if (at != -1)
		(void)span_copy(span_from(name, (size_t)at + 1), out->domain,
		    sizeof(out->domain));
	(void)span_copy(span_str(rows_home(&users->now, row)), out->home,
	    sizeof(out->home));
	out->uid = block->owner != NULL ? UID_OF_OWNER : (uid_t)r->uid;
	out->gid = GID_UNKNOWN;
	out->quota = r->quota != USERSFILE_NO_QUOTA ? r->quota : block->quota;
	out->flags = r->flags;
}

/* "local@domain", then a row without a domain, which is of all its domains. */
static bool
row_find(const struct rows *r, struct span local, struct span domain,
    uint32_t *row)
{
	char full[ADDR_TEXT + ADDR_DOMAIN_TEXT];
	struct span lower;

	if (local.len + 1 + domain.len > ADDR_PATH_MAX)
		return false;
	memcpy(full, local.p, local.len);
	full[local.len] = '@';
	lower = lower_of(domain, full + local.len + 1, domain.len);
	return table_find(&r->names, span_make(full, local.len + 1 +
	    lower.len), row) || table_find(&r->names, local, row);
}

static enum found
find_system(const struct directory *d, struct nss *nss, struct job *j,
    const struct conf_users *block, struct span local, struct span domain,
    struct user *out)
{
	const struct nss_entry *e = nss_name(nss, j, local);

	if (e == NULL)
		return FOUND_WAIT;
	if (e->state == NSS_FAILED)
		return FOUND_FAILED;
	if (e->state != NSS_FOUND || e->uid < d->uid_min ||
	    !account_name_ok(span_str(e->account)))
		return FOUND_NO;
	memset(out, 0, sizeof(*out));
	out->block = block;
	out->uid = e->uid;
	out->gid = e->gid;
	out->quota = block->quota;
	(void)span_copy(span_str(e->account), out->account,
	    sizeof(out->account));
	(void)span_copy(span_str(e->account), out->local, sizeof(out->local));
	(void)span_copy(domain, out->domain, sizeof(out->domain));
	(void)span_copy(span_str(e->home), out->home, sizeof(out->home));
	return FOUND_YES;
}

static enum found
find_exactly(const struct directory *d, struct nss *nss, struct job *j,
    const struct conf_domain *dom, struct span local, struct span domain,
    struct user *out)
{
	const struct users *users;
	const struct conf_users *block = block_of(d, dom, &users);
	uint32_t row;

	if (block == NULL)
		return FOUND_NO;
	if (block->system)
		return find_system(d, nss, j, block, local, domain, out);
	if (!users->loaded)
		return table_missing(d, j);
	if (!row_find(&users->now, local, domain, &row))
		return FOUND_NO;
	user_from_row(users, block, row, out);
	if (out->domain[0] == '\0')
		(void)span_copy(domain, out->domain, sizeof(out->domain));
	return FOUND_YES;
}

enum found
directory_user(const struct directory *d, struct nss *nss, struct job *j,
    const struct conf_domain *dom, struct span local, struct span domain,
    struct user *out)
{
	char text[ACCOUNT_NAME_MAX];
	struct span lower = lower_of(local, text, sizeof(text));
	enum found found;

	if (local.len == 0 || local.len > sizeof(text))
		return FOUND_NO;
	found = find_exactly(d, nss, j, dom, local, domain, out);
	if (found == FOUND_NO && !span_eq(lower, local))
		found = find_exactly(d, nss, j, dom, lower, domain, out);
	return found;
}

/* An account's name: a row of any block as it stands there, else a system
 * account, if any block has those. */
enum found
directory_account(const struct directory *d, struct nss *nss, struct job *j,
    struct span account, struct user *out)
{
	enum found found = FOUND_NO;
	uint32_t row;
	size_t i;

	for (i = 0; i < d->nusers; i++) {
		if (d->users[i].file == NULL)
			continue;
		if (!d->users[i].loaded)
			found = table_missing(d, j);
		else if (table_find(&d->users[i].now.names, account, &row)) {
			user_from_row(&d->users[i], &d->conf->users[i], row,
			    out);
			return FOUND_YES;
		}
	}
	for (i = 0; i < d->nusers && found == FOUND_NO; i++)
		if (d->conf->users[i].system)
			return find_system(d, nss, j, &d->conf->users[i],
			    account, span_str(d->conf->host), out);
	return found;
}

static enum found
ids_of(const struct nss_entry *e)
{
	if (e == NULL)
		return FOUND_WAIT;
	return e->state == NSS_FAILED ? FOUND_FAILED :
	    e->state == NSS_FOUND ? FOUND_YES : FOUND_NO;
}

enum found
directory_ids(struct nss *nss, struct job *j, struct user *u)
{
	const struct nss_entry *e;
	enum found found;

	if (u->uid == UID_OF_OWNER) {
		if (u->block->owner == NULL)
			return FOUND_NO;
		e = nss_name(nss, j, span_str(u->block->owner));
		if ((found = ids_of(e)) != FOUND_YES)
			return found;
		u->uid = e->uid;
		u->gid = e->gid;
	}
	if (u->gid == GID_UNKNOWN) {
		e = nss_uid(nss, j, u->uid);
		found = ids_of(e);
		if (found == FOUND_WAIT || found == FOUND_FAILED)
			return found;
		u->gid = found == FOUND_YES ? e->gid : (gid_t)u->uid;
	}
	return FOUND_YES;
}

bool
directory_by_uid(const struct directory *d, uid_t uid, struct user *out)
{
	size_t i, row;

	for (i = 0; i < d->nusers; i++)
		for (row = 0; row < d->users[i].now.names.n; row++) {
			if (d->users[i].now.list[row].uid != uid)
				continue;
			user_from_row(&d->users[i], &d->conf->users[i],
			    (uint32_t)row, out);
			return true;
		}
	return false;
}

const char *
directory_senders(const struct directory *d, struct span account)
{
	uint32_t row;
	size_t i;

	for (i = 0; i < d->nusers; i++)
		if (table_find(&d->users[i].now.names, account, &row))
			return rows_senders(&d->users[i].now, row);
	return "";
}

/* What stands for a % in a path is one component, or the path is none. */
static int
path_add(const struct user *u, char what, char *out, size_t size)
{
	const char *value = what == 'u' ? u->local : what == 'd' ? u->domain :
	    u->home;

	if (what == 'h' ? *value != '/' :
	    !account_name_ok(span_str(value)))
		return -1;
	if (strlen(value) >= size)
		return -1;
	memcpy(out, value, strlen(value) + 1);
	return (int)strlen(value);
}

int
directory_path(const struct user *u, char *out, size_t size)
{
	const char *p = u->block->path != NULL ? u->block->path :
	    PATH_MAIL "/%u";
	size_t n = 0;
	int took;

	for (; *p != '\0'; p++) {
		if (*p == '%' && p[1] != '\0' && strchr("udh", p[1]) != NULL) {
			took = path_add(u, *++p, out + n, size - n);
			if (took == -1)
				return -1;
			n += (size_t)took;
		} else if (n + 1 < size) {
			out[n++] = *p;
		} else {
			return -1;
		}
	}
	out[n] = '\0';
	return 0;
}
