/*
 * lib/privsep/sandbox.c - one call that shuts a program in. Landlock comes
 * first: the filter of system calls allows none of its calls to most roles.
 */
#include "lib/privsep/sandbox.h"

#include <stdlib.h>

#include "lib/log.h"
#include "lib/mem.h"

void
sandbox_probe(struct sandbox_kernel *k)
{
	k->seccomp = seccomp_is_there();
	k->landlock = landlock_abi();
}

void
sandbox_prepare(struct sandbox *s, enum role r,
    const struct sandbox_options *o)
{
	*s = (struct sandbox){ .role = r, .options = *o };
	if (role_row(r)->calls != 0 && seccomp_is_there() &&
	    seccomp_make(s) == -1)
		fatal("the filter of system calls for %s", role_name(r));
}

void
sandbox_enter(const struct sandbox *s, const struct sandbox_where *w)
{
	if (landlock_enter(s, w) == -1)
		fatal("Landlock for %s", role_name(s->role));
	if (s->filter[0].code != NULL && seccomp_enter(s) == -1)
		fatal("seccomp for %s", role_name(s->role));
}

void
sandbox_clear(struct sandbox *s)
{
	size_t i;

	for (i = 0; i < nitems(s->filter); i++)
		x_free(&s->filter[i].code);
}
