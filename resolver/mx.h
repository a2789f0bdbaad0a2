/*
 * resolver/mx.h - the order of hosts: RFC 5321 section 5.1 without any DNS.
 */
#ifndef RESOLVER_MX_H
#define RESOLVER_MX_H

#include <stdbool.h>
#include <stdint.h>

#include "resolver/rdata.h"

/* RFC 5321 5.1 lets the number be limited; so many are tried by nobody. */
#define MX_HOSTS_MAX 20
#define MX_ADDRS_MAX 100 /* of one route: well below an hour of time limits */

struct mx_host {
	char name[DNS_NAME_TEXT];
	uint16_t preference;
};

/* mx_sort - by preference, equals in random order (RFC 5321 section 5.1). */
void mx_sort(struct mx_host *hosts, size_t n);

/*
 * mx_cut_ours - hosts are sorted: drops our own name and all that are no better
 * than it. Returns how many are left.
 */
size_t mx_cut_ours(const struct mx_host *hosts, size_t n, const char *ours);

struct mx_addr {
	uint8_t host;         /* its place among the hosts of the route */
	uint16_t preference;
	bool secure;
	uint8_t family;       /* 4 or 6 */
	uint8_t addr[16];
};

/*
 * mx_interleave - addrs come in the order of their hosts: within one preference
 * IPv6 and IPv4 take turns, IPv6 first, so that a broken protocol costs one
 * time limit and not all of them.
 */
void mx_interleave(struct mx_addr *addrs, size_t n);

/* mx_addr_refused - unspecified or, unless loopback is allowed, loopback; also
 * as IPv4 within IPv6. */
bool mx_addr_refused(const struct mx_addr *a, bool loopback);

/* mx_is_address - an address in place of a name: no host is meant by it. */
bool mx_is_address(const char *name);

#endif
