/*
 * authd/secret.h - a secret of this host that no client has: what the answers
 * about accounts that are not there are made from, so that they are the same
 * tomorrow, in every worker and after every start.
 */
#ifndef AUTHD_SECRET_H
#define AUTHD_SECRET_H

#include "lib/span.h"

#define SECRET_OCTETS 32

struct secret { unsigned char key[SECRET_OCTETS]; };

/* secret_init - of /etc/machine-id; without it, of what the kernel says of this
 * boot, and then answers change with the next one. */
void secret_init(struct secret *s);

/* secret_digest - keyed, of a name and what it is wanted for. */
void secret_digest(const struct secret *s, const char *purpose,
    struct span name, unsigned char out[SECRET_OCTETS]);

/* secret_place - a number that the name alone decides. */
uint64_t secret_place(const struct secret *s, struct span name);

#endif
