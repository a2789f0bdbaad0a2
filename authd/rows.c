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
	x_free(&r->texts);
	memset(r, 0, sizeof(*r));
}

static uint32_t
text_add(struct rows *r, struct span text)
{
	size_t at;

	if (text.len == 0)
		return 0; /* which means none */
	if (r->texts_len == 0)
		r->texts_len = 1;
	while (r->texts_len + text.len + 1 > r->texts_cap) {
		r->texts_cap = r->texts_cap == 0 ? 1024 : r->texts_cap * 2;
		r->texts = xreallocarray(r->texts, r->texts_cap, 1);
	}
	at = r->texts_len;
	memcpy(r->texts + at, text.p, text.len);
	r->texts[at + text.len] = '\0';
	r->texts_len += text.len + 1;
	return (uint32_t)at;
}

int
rows_add(struct rows *r, struct span address, const struct user_row *row,
    struct span home, struct span senders)
{
	size_t n = r->names.n;

	if (!account_name_ok(address) || home.len > USERSFILE_HOME_MAX ||
	    senders.len > USERSFILE_SENDERS_MAX ||
	    n >= USERSFILE_ROWS_MAX || r->texts_len > UINT32_MAX / 2) {
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
	r->list[n].home = text_add(r, home);
	r->list[n].senders = text_add(r, senders);
	return 0;
}

const char *
rows_home(const struct rows *r, size_t n)
{
	return r->list[n].home == 0 ? "" : r->texts + r->list[n].home;
}

const char *
rows_senders(const struct rows *r, size_t n)
{
	return r->list[n].senders == 0 ? "" : r->texts + r->list[n].senders;
}
