/* authd/expand.h - from a recipient to those who get the letter in the end. */
#ifndef AUTHD_EXPAND_H
#define AUTHD_EXPAND_H

#include "authd/directory.h"
#include "lib/buf.h"

#define EXPAND_DEPTH_MAX  10    /* aliases behind aliases */
#define EXPAND_FINALS_MAX 10000 /* final recipients of one address */
#define EXPAND_NODES_MAX  20000 /* names looked at for them */

/* What one local name stands for: an account, or a list of an alias table. */
struct resolved {
	bool is_user;
	struct user user;
	const struct aliases *table;
	uint32_t list;
	struct span name;      /* what was found: local, or without its tag */
	const char *forward;   /* or one address: catch-all, contact */
};

/*
 * resolve_local - a name of a domain of ours: alias, account, the same without
 * its subaddress, postmaster and root, catch-all. local is without quotes.
 * direct: \name: the account alone. FOUND_WAIT: ask again when j runs anew.
 */
enum found resolve_local(const struct directory *dir, struct nss *nss,
    struct job *j, const struct conf_domain *dom, struct span local,
    struct span domain, bool direct, struct resolved *out);

/* local_unquote - the local part as it is meant; borrows from in or out. */
struct span local_unquote(struct span in, char out[ADDR_LOCAL_TEXT]);

struct final {
	uint8_t kind;          /* FINAL_ */
	char *address, *target, *argument;
};

struct expansion {
	uint8_t status;        /* EXPAND_ */
	const char *enhanced, *text;
	struct final *finals;
	size_t n;
	char *owner;           /* owner-NAME@domain: the new reverse-path */
};

/*
 * expand - address is local@domain, or "postmaster"; depth says how many
 * expansions lie behind it already; flags are EXPAND_F_. Returns false when j
 * now waits. out is always to be cleared.
 */
bool expand(const struct directory *dir, struct nss *nss, struct job *j,
    struct span address, unsigned depth, unsigned flags,
    struct expansion *out);
void expansion_clear(struct expansion *e);

#endif
