/*
 * resolver/mx.c - sorts what the DNS said. Pure: no process, no question.
 */
#include "resolver/mx.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

static int
by_preference(const void *va, const void *vb)
{
	const struct mx_host *a = va, *b = vb;

	return (a->preference > b->preference) -
	    (a->preference < b->preference);
}

void
mx_sort(struct mx_host *hosts, size_t n)
{
	struct mx_host tmp;
	size_t i, j, first;

	qsort(hosts, n, sizeof(*hosts), by_preference);
	for (first = i = 0; i < n; i++) {
		if (hosts[i].preference != hosts[first].preference)
			first = i;
		j = first + arc4random_uniform((uint32_t)(i - first + 1));
		tmp = hosts[i];
		hosts[i] = hosts[j];
		hosts[j] = tmp;
	}
}

size_t
mx_cut_ours(const struct mx_host *hosts, size_t n, const char *ours)
{
	size_t i, keep;

	for (i = 0; i < n; i++)
		if (span_caseeq(span_str(hosts[i].name), ours))
			break;
	if (i == n)
		return n;
	for (keep = 0; hosts[keep].preference < hosts[i].preference; keep++)
		;
	return keep;
}

/* The place of the next address of a family that is not yet taken, or end. */
static size_t
next_of(const struct mx_addr *addrs, size_t at, size_t end, uint8_t family)
{
	while (at < end && addrs[at].family != family)
		at++;
	return at;
}

static void
interleave_group(struct mx_addr *addrs, size_t n)
{
	struct mx_addr sorted[MX_ADDRS_MAX];
	size_t six = next_of(addrs, 0, n, 6), four = next_of(addrs, 0, n, 4);
	size_t i;

	for (i = 0; i < n;) {
		if (six < n) {
			sorted[i++] = addrs[six];
			six = next_of(addrs, six + 1, n, 6);
		}
		if (four < n) {
			sorted[i++] = addrs[four];
			four = next_of(addrs, four + 1, n, 4);
		}
	}
	memcpy(addrs, sorted, n * sizeof(*addrs));
}

void
mx_interleave(struct mx_addr *addrs, size_t n)
{
	size_t first, i;

	for (first = i = 0; i <= n; i++) {
		if (i < n && addrs[i].preference == addrs[first].preference)
			continue;
		if (i > first)
			interleave_group(addrs + first, i - first);
		first = i;
	}
}

bool
mx_addr_refused(const struct mx_addr *a, bool loopback)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	static const uint8_t zero[16];
	const uint8_t *p = a->addr;

	if (a->family == 6) {
		if (memcmp(p, zero, 15) == 0 && p[15] <= 1)
			return p[15] == 0 || !loopback; /* :: and ::1 */
		if (memcmp(p, mapped, sizeof(mapped)) != 0)
			return false;
		p += sizeof(mapped);
	}
	/* all of 0/8 means "this host" as well */
	return p[0] == 0 || (p[0] == 127 && !loopback);
}

bool
mx_is_address(const char *name)
{
	struct in_addr in;

	return inet_pton(AF_INET, name, &in) == 1;
}
