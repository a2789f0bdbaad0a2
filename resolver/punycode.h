/* resolver/punycode.h - domains in UTF-8 as the DNS knows them. Pure. */
#ifndef RESOLVER_PUNYCODE_H
#define RESOLVER_PUNYCODE_H

#include "resolver/rdata.h"

/*
 * punycode_domain - a domain of ASCII labels and U-labels as ASCII (A-labels).
 * Labels are taken as they are: a U-label is normalized and in lower case by
 * its definition (RFC 5890 section 2.3.2.1), nothing is mapped here.
 * Returns 0, or -1: not UTF-8, or a label becomes longer than 63 octets.
 * Source: RFC 3492 section 6.3; RFC 6531 section 3.2.
 */
int punycode_domain(struct span in, char out[DNS_NAME_TEXT + 1]);

#endif
