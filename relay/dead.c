/*
 * relay/dead.c - remembers for a minute which addresses did not answer, so that
 * a letter with a second host to go to does not wait for the first again. Never
 * keeps a letter from trying: what is dead is only tried last.
 */
#include <string.h>

#include "lib/clock.h"
#include "relay/relay.h"

static bool
same(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	struct in6_addr x, y;

	if (a->ss_family != b->ss_family || a->ss_family == AF_UNIX)
		return false;
	x = addr_in6(a);
	y = addr_in6(b);
	return memcmp(&x, &y, sizeof(x)) == 0 && addr_port(a) == addr_port(b);
}

static bool
is_dead(struct relay *r, const struct address *a)
{
	int64_t now = clock_boot_ms();
	size_t i;

	for (i = 0; i < r->ndead;) {
		if (r->dead[i].until_ms <= now)
			r->dead[i] = r->dead[--r->ndead];
		else if (same(&r->dead[i].ss, &a->ss))
			return true;
		else
			i++;
	}
	return false;
}

void
dead_add(struct relay *r, const struct address *a)
{
	if (is_dead(r, a) || r->ndead == DEAD_MAX)
		return;
	r->dead[r->ndead].ss = a->ss;
	r->dead[r->ndead++].until_ms = clock_boot_ms() + DEAD_S * 1000;
}

void
dead_sort(struct relay *r, struct address *addrs, size_t n)
{
	struct address sorted[NEXTHOP_ADDRS_MAX];
	bool dead[NEXTHOP_ADDRS_MAX];
	size_t i, at = 0;

	if (n > NEXTHOP_ADDRS_MAX || r->ndead == 0)
		return;
	for (i = 0; i < n; i++)
		if (!(dead[i] = is_dead(r, &addrs[i])))
			sorted[at++] = addrs[i];
	for (i = 0; i < n; i++)
		if (dead[i])
			sorted[at++] = addrs[i];
	memcpy(addrs, sorted, n * sizeof(*addrs));
}
