/*
 * lib/conf/match.c - questions to a configuration: which domain is this, which
 * way does that letter go, is this address in that network. No question costs
 * more than its text times its pattern.
 */
#include <stdlib.h>

#include "lib/conf/parser.h"

static int
compare_name(struct span key, const char *name)
{
	size_t i;
	int d;

	for (i = 0; i < key.len; i++) {
		d = (unsigned char)ascii_lower(key.p[i]) -
		    (unsigned char)name[i];
		if (d != 0)
			return d; /* also at the NUL of a shorter name */
	}
	return name[i] == '\0' ? 0 : -1;
}

const struct conf_domain *
conf_domain_find(const struct conf *c, struct span domain)
{
	const struct conf_private *private = c->arena;
	size_t low = 0, high = private->nnames, middle;
	int d;

	while (low < high) {
		middle = low + (high - low) / 2;
		d = compare_name(domain, private->names[middle].name);
		if (d == 0)
			return &c->domains[private->names[middle].domain];
		if (d < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

const struct conf_users *
conf_users_find(const struct conf *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->nusers; i++)
		if (strcmp(c->users[i].name, name) == 0)
			return &c->users[i];
	return NULL;
}

bool
conf_net_match(const struct conf_net *n, const struct in6_addr *a)
{
	size_t whole = n->prefix / 8;
	unsigned rest = n->prefix % 8, mask;

	if (memcmp(&n->addr, a, whole) != 0)
		return false;
	if (rest == 0)
		return true;
	mask = 0xff00u >> rest & 0xff;
	return ((n->addr.s6_addr[whole] ^ a->s6_addr[whole]) & mask) == 0;
}

static bool
same_char(char a, char b, bool fold)
{
	return fold ? ascii_lower(a) == ascii_lower(b) : a == b;
}

/*
 * A "*" takes as little as it can, and one more each time what follows does not
 * fit; only the last "*" is ever gone back to, hence pattern times text.
 */
static bool
glob(struct span pattern, struct span text, bool fold)
{
	size_t i = 0, k = 0, star = SIZE_MAX, taken = 0;

	while (k < text.len) {
		if (i < pattern.len && pattern.p[i] == '*') {
			star = i++;
			taken = k;
		} else if (i < pattern.len &&
		    same_char(pattern.p[i], text.p[k], fold)) {
			i++;
			k++;
		} else if (star != SIZE_MAX) {
			i = star + 1;
			k = ++taken;
		} else
			return false;
	}
	while (i < pattern.len && pattern.p[i] == '*')
		i++;
	return i == pattern.len;
}

bool
conf_pattern_match(const char *pattern, struct span address)
{
	struct span p = span_str(pattern);
	ssize_t at = span_rfind(p, '@'), here = span_rfind(address, '@');

	if (address.len == 0)
		return false; /* the null reverse-path: DSNs must pass */
	if (at == -1 || here == -1)
		return glob(p, address, true);
	if (!glob(span_from(p, (size_t)at + 1),
	    span_from(address, (size_t)here + 1), true))
		return false;
	return at == 0 || glob(span_make(p.p, (size_t)at),
	    span_make(address.p, (size_t)here), false);
}

/* domain, @domain, .domain (what lies below it), user@domain */
static bool
route_word_match(const char *word, struct span address)
{
	ssize_t at = span_rfind(address, '@');
	struct span domain, w = span_str(word);
	ssize_t sign = span_rfind(w, '@');

	if (strcmp(word, "any") == 0)
		return true;
	if (at == -1)
		return false;
	domain = span_from(address, (size_t)at + 1);
	if (word[0] == '.')
		return domain.len > w.len && span_caseeq_span(w,
		    span_from(domain, domain.len - w.len));
	if (!span_caseeq_span(span_from(w, (size_t)(sign + 1)), domain))
		return false;
	return sign <= 0 || span_eq(span_make(w.p, (size_t)sign),
	    span_make(address.p, (size_t)at));
}

static bool
route_list_match(const struct conf_list *l, struct span address)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (route_word_match(l->words[i], address))
			return true;
	return l->n == 0;
}

const struct conf_route *
conf_route_find(const struct conf *c, struct span from, struct span to)
{
	size_t i;

	for (i = 0; i < c->nroutes; i++)
		if (route_list_match(&c->routes[i].from, from) &&
		    route_list_match(&c->routes[i].to, to))
			return &c->routes[i];
	return NULL;
}
