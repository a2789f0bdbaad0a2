/*
 * resolver/dane.h - what a mail host's TLSA records oblige its clients to: the
 * look-up of RFC 7672 section 2.2, once its addresses are known.
 */
#ifndef RESOLVER_DANE_H
#define RESOLVER_DANE_H

#include "resolver/dns.h"

/* Of one host, so that 20 of them fit into an answer: 51 digests of SHA-256, or
 * a certificate of that size. What is beyond is left out. */
#define DANE_OCTETS_MAX 2000

struct dane {
	/* the answer, once done was called */
	uint8_t state;              /* DANE_ */
	char base[DNS_NAME_TEXT];   /* the name that the records belong to */
	uint8_t n;                  /* usable records */
	struct buf records;         /* n x { u32 length, rdata } */
	/* private */
	struct dns *dns;
	const char *host;
	char canon[DNS_NAME_TEXT];
	uint16_t port;
	struct dns_query *query;
	void (*done)(void *arg);
	void *arg;
};

/*
 * dane_ask - looks for the TLSA records of host (borrowed until dane_clear).
 * canon: what its address records were found under, the end of its CNAMEs;
 * secure: DNSSEC proved them. *d is zero before.
 * Returns false when there is nothing to ask and the state is DANE_NONE; else
 * done is called once, never from within. Until then the state is DANE_WAIT.
 * Source: RFC 7672 section 2.2.2.
 */
bool dane_ask(struct dane *d, struct dns *dns, const char *host,
    const char *canon, bool secure, uint16_t port, void (*done)(void *arg),
    void *arg);

/* dane_clear - whatever it is doing ends; frees what it holds. */
void dane_clear(struct dane *d);

/*
 * tlsa_usable - can a client of SMTP hold a host to this record? Usages
 * DANE-TA(2) and DANE-EE(3) alone (RFC 7672 section 3.1), selectors 0 and 1,
 * digests of their proper lengths (RFC 6698 section 2.1).
 */
bool tlsa_usable(struct span rdata);

#endif
