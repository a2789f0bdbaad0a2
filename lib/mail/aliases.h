/* lib/mail/aliases.h - an alias table in the classic format: barid-aliases(5). */
#ifndef LIB_MAIL_ALIASES_H
#define LIB_MAIL_ALIASES_H

#include "lib/table.h"
#include "lib/mail/alias_list.h"

#define ALIASES_FILE_MAX    (64u * 1024 * 1024) /* octets of one file */
#define ALIASES_NAME_MAX    255u
#define ALIASES_TARGETS_MAX 10000u /* of one name */
#define ALIASES_NAMES_MAX   1000000u

struct aliases {
	struct table names;        /* name -> place in lists */
	struct alias_list { uint32_t first, n; } *lists;
	size_t nlists;
	struct alias_ref { uint32_t off; uint16_t len; uint8_t kind; } *refs;
	size_t nrefs, refs_cap;
	char *text;
	size_t text_len, text_cap;
	size_t ndefined;           /* names of the file, without lower twins */
	bool has_programs;         /* a command, file or include is there */
};

/* What is said about a line that is left out. */
typedef void aliases_bad_fn(void *arg, unsigned line, const char *complaint);

/*
 * aliases_parse - the table of a file's text.
 * a         must be cleared or zero; aliases_clear() frees it
 * programs  may commands, files and includes stand there ("as USER")? If not
 *           they are complaints, and are left out
 * Names are kept as written; a name with capitals is also known in lower case
 * unless the file defines that itself. A bad line is left out whole.
 */
void aliases_parse(struct aliases *a, struct span text, bool programs,
    aliases_bad_fn *bad, void *arg);
void aliases_clear(struct aliases *a);

/* aliases_read - the same from a descriptor; 0, or -1 with errno (EINVAL: no
 * regular file; EFBIG: over ALIASES_FILE_MAX). */
int aliases_read(struct aliases *a, int fd, bool programs,
    aliases_bad_fn *bad, void *arg);

/* aliases_find - exactly, then in lower case; list is for alias_target(). */
bool aliases_find(const struct aliases *a, struct span name, uint32_t *list);
size_t alias_count(const struct aliases *a, uint32_t list);
struct alias_target alias_target(const struct aliases *a, uint32_t list,
    size_t n);

#endif
