/*
 * resolver/dns.h - one question to libunbound, one answer, within its time.
 *
 * libunbound works in a thread of its own and hands over finished results
 * through a pipe (its ub_fd), parsed by itself: no DNS packet is read by code
 * of ours.
 */
#ifndef RESOLVER_DNS_H
#define RESOLVER_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/conf.h"
#include "lib/ipc/types.h"
#include "lib/loop.h"
#include "resolver/records.h"

/* A recursion over slow servers takes 10 s; who asks does not wait for ever. */
#define DNS_QUERY_MS      20000
#define DNS_QUERY_TEST_MS 3000  /* with test records: TIMEOUT must not bore */
#define DNS_CNAMES_MAX    8     /* hops of a chain that we follow ourselves */

struct ub_ctx;

struct dns {
	struct loop *loop;
	struct ub_ctx *ctx;
	struct watch watch;
	struct records records;
	int64_t query_ms;
};

struct dns_answer {
	int status;              /* DNS_OK, NXDOMAIN, NODATA, TEMP or BOGUS */
	bool secure;             /* DNSSEC proved it, absence included */
	char *const *data;       /* n items of raw rdata, borrowed */
	const int *len;
	size_t n;
	const char *text;        /* of a failure, in words; never NULL */
	const char *name;        /* DNS_OK: where the data was found, behind all
	                          * CNAMEs; a last dot may be there */
};

/*
 * dns_open - a context as the configuration wants it, warmed up by a question
 * that needs no packet, so that no file is wanted later. Called while
 * names exist. test: below --test DIR. Returns 0, or -1 (logged).
 * dns_start - begins to listen to it: after privileges were dropped.
 */
int dns_open(struct dns *d, const struct conf *conf, bool test);
void dns_start(struct dns *d, struct loop *loop);
void dns_close(struct dns *d);

/*
 * dns_ask - fn is called exactly once, never from within. CNAMEs are followed.
 * name is one that dns_name_ok() accepts. dns_cancel: fn will not be called.
 */
struct dns_query;
struct dns_query *dns_ask(struct dns *d, const char *name, uint16_t type,
    void (*fn)(void *arg, const struct dns_answer *a), void *arg);
void dns_cancel(struct dns_query *q);

#endif
