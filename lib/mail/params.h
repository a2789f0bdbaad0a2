/* lib/mail/params.h - ESMTP parameters of MAIL and RCPT, and xtext. */
#ifndef LIB_MAIL_PARAMS_H
#define LIB_MAIL_PARAMS_H

#include <sys/types.h>

#include "lib/buf.h"
#include "lib/span.h"

/*
 * smtp_params_next - takes the next parameter off the front of *rest.
 * keyword  letters, digits, inner hyphens; compare without case
 * value    what follows "="; its p is NULL when there is no "="
 * Returns 1, 0 at the end, or -1: not a parameter ("SIZE=" is none). Whether
 * a keyword is known, and comes once, is for the caller to say.
 * Source: RFC 5321 section 4.1.2, esmtp-param; RFC 6531 section 3.3.
 */
int smtp_params_next(struct span *rest, struct span *keyword,
    struct span *value);

/*
 * xtext_decode - "b+40example" into "b@example" with a NUL behind it.
 * Returns its length, or -1: not xtext, longer than size allows, or an octet
 * of it is not printable ASCII, and so could end or fake a line somewhere.
 * Source: RFC 3461 section 4.
 */
ssize_t xtext_decode(struct span in, char *out, size_t size);

/* xtext_encode - adds in to b; 0, or -1 (ENOBUFS). */
int xtext_encode(struct buf *b, struct span in);

#endif
