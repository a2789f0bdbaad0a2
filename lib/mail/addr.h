/*
 * lib/mail/addr.h - mail addresses of the envelope: the one parser of paths,
 * mailboxes and domains (RFC 5321 section 4.1.2, RFC 6531 section 3.3). It
 * answers with a struct or an error and repairs nothing. No heap.
 */
#ifndef LIB_MAIL_ADDR_H
#define LIB_MAIL_ADDR_H

#include <netinet/in.h>

#include <stdbool.h>

#include "lib/span.h"

/* RFC 5321 section 4.5.3.1: octets of the parts, and of a path with "<>". */
#define ADDR_LOCAL_MAX  64
#define ADDR_DOMAIN_MAX 255
#define ADDR_LABEL_MAX  63  /* RFC 1035 section 2.3.4 */
#define ADDR_PATH_MAX   256 /* a source route does not count */
#define ADDR_ROUTE_MAX  512 /* one that is longer is no path: lines end there */

/* Arrays for text with its NUL. */
#define ADDR_LOCAL_TEXT  (ADDR_LOCAL_MAX + 1)
#define ADDR_DOMAIN_TEXT (ADDR_DOMAIN_MAX + 1)
#define ADDR_TEXT        (ADDR_PATH_MAX + 1)

/*
 * An address that passed the validator. Both spans borrow from what was parsed.
 * Both empty: the null path. domain alone empty: "postmaster" in any case.
 */
struct addr {
	struct span local;  /* as written, quotes and backslashes included */
	struct span domain; /* as written; a literal with its brackets */
	bool quoted;        /* local is a Quoted-string */
	bool literal;       /* domain is an address literal */
	bool routed;        /* a source route stood before it and is left out */
};

/* What a path is for: the argument of MAIL, or that of RCPT. */
enum addr_use { ADDR_REVERSE, ADDR_FORWARD };

/*
 * addr_parse_path - read a reverse-path or forward-path, brackets included.
 * in    octets of the path alone: no "FROM:", no ESMTP parameters, no CRLF
 * out   written on success only; its spans borrow from in
 * Returns 0, or -1: errno EINVAL (not a path) or EMSGSIZE (a part is too long).
 * "<>" is valid and gives the null reverse-path: see addr_is_null(). So is
 * "<postmaster>": see addr_is_postmaster(). A source route is taken off and
 * shown in routed. A domain with a dot at its end is no domain.
 * Source: RFC 5321 sections 4.1.2 and 4.5.3.1; RFC 6531 section 3.3 for UTF-8.
 */
int addr_parse_path(struct span in, struct addr *out);

/*
 * addr_parse_mailbox - the same for local@domain alone, without brackets, as
 * it travels between our programs and stands in tables. Never null.
 */
int addr_parse_mailbox(struct span in, struct addr *out);

/*
 * addr_parse_text - what addr_format() wrote: a mailbox, "" for the null path,
 * or "postmaster".
 */
int addr_parse_text(struct span in, struct addr *out);

/*
 * addr_parse_command - the argument of MAIL (ADDR_REVERSE) or RCPT.
 * in      what follows the verb and a blank: "FROM:<a@b.example> SIZE=7"
 * out     as above; the null path only for ADDR_REVERSE, a bare postmaster only
 *         for ADDR_FORWARD; the caller refuses routed ones where it must
 * params  the ESMTP parameters, for smtp_params_next(); borrows from in
 * Returns 0, or -1 with errno as above. Beyond RFC 5321, for people who type:
 * blanks behind the colon and at the end, a mailbox without brackets if its
 * local part needs no quotes, a phrase before the path (1 to 64 letters,
 * digits, blanks and ".'-_", or one quoted string without "@<>").
 */
int addr_parse_command(struct span in, enum addr_use use, struct addr *out,
    struct span *params);

bool addr_is_null(const struct addr *a);
bool addr_is_postmaster(const struct addr *a); /* without a domain */

/* addr_is_utf8 - can it travel only under SMTPUTF8 (RFC 6531)? */
bool addr_is_utf8(const struct addr *a);

/*
 * addr_unquote_local - what the local part means: "user1" in quotes is user1.
 * out is written with a NUL behind it, though control characters it has none.
 * Returns the text, which borrows from out.
 */
struct span addr_unquote_local(const struct addr *a,
    char out[ADDR_LOCAL_TEXT]);

/*
 * addr_format - local@domain as it was written; without brackets and route.
 * addr_canon  - the same for comparing: quotes only where they are needed,
 *               the domain's ASCII letters in lower case. The case of the
 *               local part is left alone: it is its host's to judge.
 * Both give "" for the null path and end out with a NUL.
 */
struct span addr_format(const struct addr *a, char out[ADDR_TEXT]);
struct span addr_canon(const struct addr *a, char out[ADDR_TEXT]);

/* addr_make - the canonical text of a plain local part (no quoting yet) and a
 * domain; 0, or -1 with errno EINVAL or EMSGSIZE. */
int addr_make(struct span local, struct span domain, char out[ADDR_TEXT]);

/* addr_equal - the same mailbox, case of the local part not aside. */
bool addr_equal(const struct addr *a, const struct addr *b);

/*
 * domain_is_valid - labels of letters, digits and inner hyphens, or UTF-8
 * (U-labels); one label is enough, no dot at the end, no literal.
 * Source: RFC 5321 section 4.1.2, RFC 1035 section 2.3.4, RFC 6531.
 */
bool domain_is_valid(struct span in);

/* domain_canon - a valid domain in lower case (ASCII) with a NUL; 0 or -1. */
int domain_canon(struct span in, char out[ADDR_DOMAIN_TEXT]);

/*
 * literal_parse - the IP address of "[192.0.2.1]" or "[IPv6:2001:db8::1]",
 * v4 as ::ffff:a.b.c.d. Returns 0, or -1: no literal, or one of another kind.
 * Source: RFC 5321 section 4.1.3.
 */
int literal_parse(struct span in, struct in6_addr *out);

#endif
