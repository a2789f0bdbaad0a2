/*
 * lib/conf/check.c - when every statement has been read: earlier statements
 * that later ones replace go, and what only the whole can tell is checked.
 */
#include <stdlib.h>

#include "lib/conf/parser.h"

/* -- names of domains ------------------------------------------------------ */

static int
compare_names(const void *a, const void *b)
{
	const struct conf_name *x = a, *y = b;
	int d = strcmp(x->name, y->name);

	if (d != 0)
		return d;
	/* of the same name the later block comes first */
	return x->domain == y->domain ? 0 : x->domain > y->domain ? -1 : 1;
}

static size_t
collect_names(struct conf *c, struct conf_name **out)
{
	struct conf_name *names;
	size_t n = 0, i, k;

	for (i = 0; i < c->ndomains; i++)
		n += c->domains[i].names.n;
	*out = names = conf_alloc(c, n == 0 ? 1 : n, sizeof(*names));
	for (i = n = 0; i < c->ndomains; i++)
		for (k = 0; k < c->domains[i].names.n; k++)
			names[n++] = (struct conf_name){
			    c->domains[i].names.words[k], i };
	if (n > 1)
		qsort(names, n, sizeof(*names), compare_names);
	return n;
}

/* The block of an earlier statement loses a name that a later one has. */
static void
drop_name(struct conf_domain *d, const char *name)
{
	size_t i;

	for (i = 0; i < d->names.n && d->names.words[i] != name; i++)
		continue;
	if (i == d->names.n)
		return;
	memmove(&d->names.words[i], &d->names.words[i + 1],
	    (--d->names.n - i) * sizeof(*d->names.words));
}

static void
replace_names(struct conf_parser *p)
{
	struct conf *c = p->c;
	struct conf_name *names;
	size_t n = collect_names(c, &names), i, k;

	for (i = 0; i < n; i = k)
		for (k = i + 1; k < n &&
		    strcmp(names[i].name, names[k].name) == 0; k++) {
			if (names[k].domain == names[k - 1].domain)
				conf_bad(p, p->domains[names[k].domain], 0,
				    "%s stands here twice", names[k].name);
			else
				drop_name(&c->domains[names[k].domain],
				    names[k].name);
		}
	for (i = k = 0; i < c->ndomains; i++) {
		if (c->domains[i].names.n == 0)
			continue;
		c->domains[k] = c->domains[i];
		p->domains[k++] = p->domains[i];
	}
	c->ndomains = k;
}

void
conf_finish(struct conf_parser *p)
{
	struct conf_private *private = p->c->arena;

	replace_names(p);
	private->nnames = collect_names(p->c, &private->names);
	if (!p->part)
		conf_routes_imply(p->c);
}

/* -- the whole ------------------------------------------------------------- */

/* Is mail to this address taken here, by a domain or by a route of its own? */
static bool
is_deliverable(const struct conf *c, const char *address)
{
	struct span a = span_str(address);
	const struct conf_route *r;
	ssize_t at = span_rfind(a, '@');

	if (conf_domain_find(c, span_from(a, (size_t)(at + 1))) != NULL)
		return true;
	r = conf_route_find(c, span_str(""), a);
	return r != NULL && r->to.n > 0 && r->via != VIA_REFUSE;
}

static const char *
nth_name(const void *arg, size_t i)
{
	const struct conf_private *private = arg;

	return i < private->nnames ? private->names[i].name : NULL;
}

static void
check_contact(struct conf_parser *p)
{
	struct conf *c = p->c;
	const char *meant;

	if (p->contact == NULL) {
		conf_bad_at(p, p->file, 1, 1, "\"contact\" is missing: the "
		    "address of whoever looks after mail here");
		return;
	}
	if (c->contact == NULL || is_deliverable(c, c->contact))
		return;
	meant = conf_suggest(strrchr(c->contact, '@') + 1, nth_name, c->arena);
	conf_bad(p, p->contact, 1, "%s cannot be reached: no domain statement "
	    "has that domain%s%s%s", c->contact,
	    meant == NULL ? "" : "; do you mean \"",
	    meant == NULL ? "" : meant, meant == NULL ? "" : "\"?");
}

static const char *
nth_users(const void *arg, size_t i)
{
	const struct conf *c = arg;

	return i < c->nusers ? c->users[i].name : NULL;
}

static void
check_domains(struct conf_parser *p)
{
	const struct conf *c = p->c;
	const struct conf_node *n;
	const char *meant;
	bool seen = false;
	size_t i;

	for (i = 0; i < c->ndomains; i++) {
		n = conf_child(p->domains[i], "users");
		if (c->domains[i].users != NULL &&
		    conf_users_find(c, c->domains[i].users) == NULL) {
			meant = conf_suggest(c->domains[i].users, nth_users,
			    c);
			conf_bad(p, n, 1, "there is no users block \"%s\""
			    "%s%s%s", c->domains[i].users,
			    meant == NULL ? "" : "; do you mean \"",
			    meant == NULL ? "" : meant,
			    meant == NULL ? "" : "\"?");
		}
		if (c->domains[i].is_default && seen)
			conf_bad(p, conf_child(p->domains[i], "default"), 0,
			    "another domain is the default already");
		seen = seen || c->domains[i].is_default;
	}
}

/* The first address that both listen on, "" for all of them, or NULL. */
static const char *
shared_address(const struct conf_listen *a, const struct conf_listen *b)
{
	size_t i, k;

	if (a->port != b->port)
		return NULL;
	if (a->addresses.n == 0 && b->addresses.n == 0)
		return "";
	for (i = 0; i < a->addresses.n; i++)
		for (k = 0; k < b->addresses.n; k++)
			if (strcmp(a->addresses.words[i],
			    b->addresses.words[k]) == 0)
				return a->addresses.words[i];
	return NULL;
}

static void
check_listens(struct conf_parser *p)
{
	const struct conf *c = p->c;
	const struct conf_node *n;
	const char *address;
	size_t i, k;

	for (i = 0; i < c->nlistens; i++) {
		n = p->listens[i];
		for (k = 0; k < i; k++) {
			address = shared_address(&c->listens[i],
			    &c->listens[k]);
			if (address == NULL || c->listens[i].port == 0)
				continue;
			conf_bad(p, conf_child(n, "port"), 1,
			    "listen %s in line %u has port %u%s%s already",
			    conf_kind_name(c->listens[k].kind),
			    p->listens[k]->words[0].line, c->listens[k].port,
			    address[0] == '\0' ? "" : " of ", address);
		}
	}
}

void
conf_check(struct conf_parser *p)
{
	if (p->c->host == NULL)
		conf_bad_at(p, p->file, 1, 1,
		    "\"host\" is missing: the name of this host in mail");
	check_contact(p);
	check_domains(p);
	check_listens(p);
	conf_check_tls(p);
}
