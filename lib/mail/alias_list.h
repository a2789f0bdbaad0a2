/*
 * lib/mail/alias_list.h - the right-hand side of an alias: a list of addresses,
 * commands, files and includes with commas between them. The same grammar
 * stands in alias files, in .forward and in :include: files; what a value means
 * is its reader's business. barid-aliases(5) describes it for people.
 */
#ifndef LIB_MAIL_ALIAS_LIST_H
#define LIB_MAIL_ALIAS_LIST_H

#include <stdbool.h>

#include "lib/span.h"

#define ALIAS_TARGET_MAX 1000u /* octets of one address, command or path */

enum alias_kind {
	ALIAS_ADDRESS,  /* local@domain, or a local part of the same domain */
	ALIAS_DIRECT,   /* \name: the account itself, no alias asked again */
	ALIAS_COMMAND,  /* |command */
	ALIAS_FILE,     /* /file */
	ALIAS_INCLUDE   /* :include:/file */
};

struct alias_target {
	enum alias_kind kind;
	struct span text; /* without the mark of its kind */
};

/* Where one value is put together; targets borrow from it. */
struct alias_value {
	char text[ALIAS_TARGET_MAX + 1];
	size_t len;
	bool too_long;
};

/*
 * alias_list_next - the next value of *rest, up to a comma outside quotes; line
 * ends within it are blanks. Quotes around all of it, or around all behind a
 * bar, are taken off with their backslashes; those within an address belong
 * to it. "A Name <local@domain>" is what stands in the brackets.
 * out  borrows from v, until the next call
 * Returns 1; 0 at the end; -1 when the value is none: *complaint says why.
 */
int alias_list_next(struct span *rest, struct alias_value *v,
    struct alias_target *out, const char **complaint);

#endif
