/*
 * deliver/forward.h - lists that a user writes: ~/.forward, and what his
 * :include: names. Read as the user, and only if nobody else can have written
 * it. barid-aliases(5) has the syntax; here each line is a list of its own and
 * one that begins with # a comment.
 */
#ifndef DELIVER_FORWARD_H
#define DELIVER_FORWARD_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/mail/alias_list.h"

#define FORWARD_OCTETS_MAX  65536
#define FORWARD_TARGETS_MAX 100
#define INCLUDE_TARGETS_MAX 1000
/* How long a .forward that was read, or found missing, is believed. */
#define FORWARD_CACHE_MS    60000
/* Includes within includes, when a command is looked for. */
#define FORWARD_DEPTH_MAX   3
/* All files that are read to find it: each may name a thousand others. */
#define FORWARD_LISTS_MAX   100

/* A list as it was read; texts are owned by it. */
struct forward {
	struct alias_target *targets;
	size_t n;
	char *text;            /* what the targets' texts borrow from */
	size_t text_len;
};

void forward_clear(struct forward *f);

/*
 * forward_read - the list in `name` below the folder dir (AT_FDCWD: a path).
 * The last component is never followed if it is a link; the file must be
 * regular, have one link, be owned by `owner` (or by root if root_too), be
 * writable by nobody else, and hold at most FORWARD_OCTETS_MAX octets and max
 * targets.
 * Returns 0; -1 with errno: ENOENT (there is none), EPERM (not as it must be:
 * why says what), EINVAL (not a list: why says where), or what failed.
 */
int forward_read(int dir, const char *name, uid_t owner, bool root_too,
    size_t max, struct forward *out, char *why, size_t size);

/* The user's .forward, kept for FORWARD_CACHE_MS. Zeroed: not read yet. */
struct forward_cache {
	struct forward list;
	bool known;
	int error;             /* of forward_read; 0: list holds it */
	long long until_ms;
};

/*
 * forward_get - the .forward of this home. Returns 0 with *out borrowed from
 * the cache; -1 with errno as forward_read. What is wrong with it is logged
 * when it is read.
 */
int forward_get(struct forward_cache *c, const char *home, uid_t owner,
    const struct forward **out);

/* forward_names - does it, or an include in it, name this now? Asks the disk
 * anew. */
bool forward_names(const char *home, uid_t owner, enum alias_kind kind,
    struct span text);

#endif
