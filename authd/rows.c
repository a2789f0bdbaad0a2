/* authd/rows.c - accounts in little memory: 100,000 of them in 8 MB. */
#include <errno.h>
#include <stdlib.h>

#include "authd/rows.h"
#include "lib/mail/usersfile.h"
#include "lib/mem.h"

void
rows_clear(struct rows *r)
{
	table_clear(&r->names);
	x_free(&r->list);
	x_free(&r->homes);
	memset(r, 0, sizeof(*r));
}

static uint32_t
home_add(struct rows *r, struct span home)
{
	size_t at;

	if (r->homes_len == 0)
		r->homes_len = 1; /* offset 0 means none */
	while (r->homes_len + home.len + 1 > r->homes_cap) {
		r->homes_cap = r->homes_cap == 0 ? 1024 : r->homes_cap * 2;
		r->homes = xreallocarray(r->homes, r->homes_cap, 1);
	}
	at = r->homes_len;
	memcpy(r->homes + at, home.p, home.len);
	r->homes[at + home.len] = '\0';
	r->homes_len += home.len + 1;
	return (uint32_t)at;
}

int
rows_add(struct rows *r, struct span address, const struct user_row *row,
    struct span home)
{
	size_t n = r->names.n;

	if (!account_name_ok(address) || home.len > USERSFILE_HOME_MAX ||
	    n >= USERSFILE_ROWS_MAX || r->homes_len > UINT32_MAX / 2) {
		errno = EINVAL;
		return -1;
	}
	if (table_add(&r->names, address, (uint32_t)n) == -1)
		return -1;
	if (n == r->cap) {
		r->cap = r->cap == 0 ? 64 : r->cap * 2;
		r->list = xreallocarray(r->list, r->cap, sizeof(*r->list));
	}
	r->list[n] = *row;
	r->list[n].home = home.len == 0 ? 0 : home_add(r, home);
	return 0;
}

const char *
rows_home(const struct rows *r, size_t n)
{
	return r->list[n].home == 0 ? "" : r->homes + r->list[n].home;
}
