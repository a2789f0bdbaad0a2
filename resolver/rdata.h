/* resolver/rdata.h - what a record says: the rdata of libunbound as text. */
#ifndef RESOLVER_RDATA_H
#define RESOLVER_RDATA_H

#include <stdint.h>

#include "lib/buf.h"
#include "lib/span.h"

/* RFC 1035 section 3.1; the numbers of the IANA registry. */
enum {
	RR_A = 1,
	RR_NS = 2,
	RR_CNAME = 5,
	RR_SOA = 6,
	RR_PTR = 12,
	RR_MX = 15,
	RR_TXT = 16,
	RR_AAAA = 28,
	RR_TLSA = 52
};

/* 253 octets as text without the last dot (RFC 1035 section 2.3.4), and NUL. */
#define DNS_NAME_TEXT 254

/*
 * dns_name_ok - may this name be asked for? Letters, digits, "-", "_" and "/"
 * (RFC 2317) in labels of 1 to 63 octets; 253 in all, a last dot aside.
 */
bool dns_name_ok(struct span name);

/*
 * rdata_name - an uncompressed name at the start of in, as text without the
 * last dot; the root is ".". used: octets that the name takes.
 * Returns 0, or -1: cut short, a pointer, or a label that dns_name_ok forbids.
 */
int rdata_name(struct span in, char out[DNS_NAME_TEXT], size_t *used);

/* rdata_mx - preference and host (RFC 1035 section 3.3.9). 0, or -1. */
int rdata_mx(struct span in, uint16_t *preference, char host[DNS_NAME_TEXT]);

/*
 * rdata_format - one record of a type as IPC_DNS_ANSWER carries it: A, AAAA and
 * TLSA raw, TXT joined, PTR and CNAME a name, MX "preference name". Appends to
 * out. Returns 0, or -1 when it is malformed or does not fit.
 */
int rdata_format(uint16_t type, struct span in, struct buf *out);

/*
 * packet_is_referral - does a reply without data only send us elsewhere? It has
 * NS records but no SOA where it should prove that there is nothing (RFC 2308
 * section 2.2). Such a server was asked for what it does not know: that the
 * name has no record is not said. False for what cannot be read.
 */
bool packet_is_referral(struct span packet);

#endif
