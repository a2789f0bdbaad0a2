/*
 * authd/directory.c - the tables of a configuration: made, filled, kept over
 * a reload. What they answer is in find.c.
 */
#include <stdlib.h>

#include "authd/directory.h"
#include "lib/log.h"
#include "lib/mem.h"

static bool
same_text(const char *a, const char *b)
{
	return a != NULL && b != NULL && strcmp(a, b) == 0;
}

static void
users_clear(struct users *u)
{
	rows_clear(&u->now);
	rows_clear(&u->next);
	x_free(&u->name);
	x_free(&u->file);
	u->loaded = u->loading = false;
}

static void
alias_table_clear(struct alias_table *t)
{
	aliases_clear(&t->now);
	x_free(&t->file);
}

/* Moves what has come under this block's name. If its file is another now, the
 * old rows serve until the new ones are there. */
static void
users_keep(struct users *old, size_t n, struct users *to)
{
	size_t i;

	for (i = 0; i < n && to->file != NULL; i++) {
		if (!same_text(old[i].name, to->name) || !old[i].loaded)
			continue;
		rows_clear(&to->now);
		to->loaded = true;
		to->now = old[i].now;
		to->scram = old[i].scram;
		memset(&old[i].now, 0, sizeof(old[i].now));
	}
}

static void
set_users(struct directory *d)
{
	struct users *old = d->users;
	size_t i, nold = d->nusers;

	d->nusers = d->conf->nusers;
	d->users = xcalloc(d->nusers + 1, sizeof(*d->users));
	for (i = 0; i < d->nusers; i++) {
		const struct conf_users *c = &d->conf->users[i];

		d->users[i].name = xstrdup(c->name);
		if (!c->system && c->file != NULL)
			d->users[i].file = xstrdup(c->file);
		else
			d->users[i].loaded = true;
		users_keep(old, nold, &d->users[i]);
		users_keep(d->orphans, ORPHANS_MAX, &d->users[i]);
	}
	for (i = 0; i < nold; i++)
		users_clear(&old[i]);
	for (i = 0; i < ORPHANS_MAX; i++)
		users_clear(&d->orphans[i]);
	x_free(&old);
}

static uint32_t
alias_index(struct directory *d, const struct conf_domain *c)
{
	uint32_t i;

	if (c->aliases == NULL)
		return DIRECTORY_NONE;
	for (i = 0; i < d->naliases; i++)
		if (strcmp(d->aliases[i].file, c->aliases) == 0)
			break;
	if (i == d->naliases) {
		d->aliases[i].file = xstrdup(c->aliases);
		d->naliases++;
	}
	if (c->aliases_as != NULL)
		d->aliases[i].programs = true;
	return i;
}

static void
set_aliases(struct directory *d)
{
	struct alias_table *old = d->aliases;
	size_t i, k, nold = d->naliases, n = d->conf->ndomains;

	d->aliases = xcalloc(n + 1, sizeof(*d->aliases));
	d->naliases = 0;
	for (i = 0; i < n; i++)
		d->domain_aliases[i] = alias_index(d, &d->conf->domains[i]);
	for (i = 0; i < d->naliases; i++)
		for (k = 0; k < nold; k++) {
			/* Parsed without leave for commands: wait anew. */
			if (strcmp(d->aliases[i].file, old[k].file) != 0 ||
			    d->aliases[i].programs != old[k].programs)
				continue;
			d->aliases[i].loaded = old[k].loaded;
			d->aliases[i].now = old[k].now;
			memset(&old[k].now, 0, sizeof(old[k].now));
		}
	for (k = 0; k < nold; k++)
		alias_table_clear(&old[k]);
	x_free(&old);
}

static void
set_domains(struct directory *d)
{
	size_t i, k;

	table_clear(&d->domains);
	for (i = 0; i < d->conf->ndomains; i++) {
		const struct conf_domain *c = &d->conf->domains[i];

		for (k = 0; k < c->names.n; k++)
			(void)table_add(&d->domains,
			    span_str(c->names.words[k]), (uint32_t)i);
		d->domain_users[i] = DIRECTORY_NONE;
		for (k = 0; k < d->conf->nusers; k++)
			if (same_text(c->users, d->conf->users[k].name))
				d->domain_users[i] = (uint32_t)k;
	}
}

void
directory_set(struct directory *d, const struct conf *conf)
{
	d->conf = conf;
	d->tables_given_up = false;
	d->uid_min = conf->privileges_none ? 1 : SYSTEM_UID_MIN;
	x_free(&d->domain_users);
	x_free(&d->domain_aliases);
	d->domain_users = xcalloc(conf->ndomains + 1, sizeof(uint32_t));
	d->domain_aliases = xcalloc(conf->ndomains + 1, sizeof(uint32_t));
	set_domains(d);
	set_users(d);
	set_aliases(d);
}

void
directory_clear(struct directory *d)
{
	size_t i;

	for (i = 0; i < d->nusers; i++)
		users_clear(&d->users[i]);
	for (i = 0; i < ORPHANS_MAX; i++)
		users_clear(&d->orphans[i]);
	for (i = 0; i < d->naliases; i++)
		alias_table_clear(&d->aliases[i]);
	x_free(&d->users);
	x_free(&d->aliases);
	x_free(&d->domain_users);
	x_free(&d->domain_aliases);
	table_clear(&d->domains);
	memset(d, 0, sizeof(*d));
}

/* -- a users table on its way in -- */

static struct users *
users_loading(struct directory *d)
{
	size_t i;

	for (i = 0; i < d->nusers; i++)
		if (d->users[i].loading)
			return &d->users[i];
	for (i = 0; i < ORPHANS_MAX; i++)
		if (d->orphans[i].loading)
			return &d->orphans[i];
	return NULL;
}

/* authd -w may have the new configuration before us: its table is kept under
 * the name of its block until directory_set() asks for it. */
static struct users *
orphan_of(struct directory *d, struct span block)
{
	struct users *u = NULL;
	size_t i;

	for (i = 0; i < ORPHANS_MAX; i++) {
		if (d->orphans[i].name == NULL) {
			u = u == NULL ? &d->orphans[i] : u;
			continue;
		}
		if (span_eqstr(block, d->orphans[i].name))
			return &d->orphans[i];
	}
	if (u != NULL)
		u->name = span_dup(block);
	return u;
}

int
directory_users_begin(struct directory *d, struct span block)
{
	struct users *u = users_loading(d);
	size_t i;

	if (u != NULL) { /* it did not end: its sender died */
		rows_clear(&u->next);
		u->loading = false;
	}
	for (i = 0, u = NULL; i < d->nusers; i++)
		if (span_eqstr(block, d->users[i].name))
			u = &d->users[i];
	if (u == NULL && (u = orphan_of(d, block)) == NULL)
		return -1;
	u->loading = true;
	return 0;
}

int
directory_users_row(struct directory *d, struct span address,
    const struct user_row *row, struct span home, struct span senders)
{
	struct users *u = users_loading(d);

	return u == NULL ? -1 : rows_add(&u->next, address, row, home,
	    senders);
}

int
directory_users_end(struct directory *d, uint32_t rows, bool scram,
    const struct users **done)
{
	struct users *u = users_loading(d);

	if (u == NULL || u->next.names.n != rows)
		return -1;
	rows_clear(&u->now);
	u->now = u->next;
	memset(&u->next, 0, sizeof(u->next));
	u->loading = false;
	u->loaded = true;
	u->scram = scram;
	*done = u;
	return 0;
}

/* -- an alias file -- */

static void
aliases_bad(void *arg, unsigned line, const char *complaint)
{
	const struct alias_table *t = arg;

	log_warnx("%s:%u: %s", t->file, line, complaint);
}

const struct alias_table *
directory_aliases(struct directory *d, const char *file, int fd)
{
	struct alias_table *t = NULL;
	struct aliases fresh = { 0 };
	size_t i;

	for (i = 0; i < d->naliases; i++)
		if (strcmp(d->aliases[i].file, file) == 0)
			t = &d->aliases[i];
	if (t == NULL)
		return NULL;
	if (aliases_read(&fresh, fd, t->programs, aliases_bad, t) == -1) {
		log_warn("%s", file);
		aliases_clear(&fresh);
		return NULL;
	}
	aliases_clear(&t->now);
	t->now = fresh;
	t->loaded = true;
	return t;
}
