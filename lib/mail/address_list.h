/*
 * lib/mail/address_list.h - the mailboxes of From, To, Cc and the like. Headers
 * are written by everyone, so this reads what it can and marks the rest; an
 * address is valid only once addr_make() has accepted its parts.
 * Source: RFC 5322 sections 3.4 and 4.4.
 */
#ifndef LIB_MAIL_ADDRESS_LIST_H
#define LIB_MAIL_ADDRESS_LIST_H

#include <stdbool.h>

#include "lib/span.h"

#define ADDRESS_LIST_MAX   10000 /* mailboxes of one value; more are cut off */
#define ADDRESS_NAME_MAX   1024  /* octets of a display name that are kept */
#define ADDRESS_PART_MAX   256   /* of a local part or domain */

enum address_kind { ADDRESS_MAILBOX, ADDRESS_GROUP_START, ADDRESS_GROUP_END };

/* Spans hold what the text means, quotes and comments off; they are valid until
 * the next call. Encoded words stay as they are. */
struct address {
	enum address_kind kind;
	struct span name;   /* the display name or the group's */
	struct span local;
	struct span domain; /* empty: a local part stood alone */
	bool bad;           /* no address, or one with something left over */
};

struct address_part {
	char *p; /* borrows from the list */
	size_t len, size;
	bool cut;
	bool joined; /* two words stood without a dot between them */
};

struct address_list {
	struct span rest;
	size_t count;
	bool in_group;
	bool cut; /* ADDRESS_LIST_MAX was reached */
	char name[ADDRESS_NAME_MAX];
	char local[ADDRESS_PART_MAX], domain[ADDRESS_PART_MAX];
};

/* address_list_begin - value: of a header field, folding included; borrowed. */
void address_list_begin(struct address_list *l, struct span value);

/* address_list_next - the next mailbox, or start or end of a group; false at
 * the end. Linear in the octets, no heap, no recursion. */
bool address_list_next(struct address_list *l, struct address *out);

#endif
