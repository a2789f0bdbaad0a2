/*
 * authd/rows.h - the rows of one users file, without hashes: what authd -w
 * reads, streams and authd keeps.
 */
#ifndef AUTHD_ROWS_H
#define AUTHD_ROWS_H

#include <sys/types.h>

#include "lib/table.h"

#define UID_OF_OWNER ((uid_t)-1)

struct rows {
	struct table names;    /* canonical address -> row */
	struct user_row {
		uint64_t quota; /* octets; 0 none; UINT64_MAX: the block's */
		uint32_t uid;   /* or UID_OF_OWNER */
		uint32_t home;  /* offset into texts; 0: none */
		uint32_t senders; /* likewise */
		uint8_t flags;  /* USER_F_ */
	} *list;
	size_t cap;
	char *texts;           /* strings with their NUL */
	size_t texts_len, texts_cap;
};

/* rows_add - a copy; senders: addresses and @domains, with commas between, that
 * it may send as. 0, or -1: errno EEXIST, ENOSPC, or EINVAL (a name or a text
 * that no row may have). */
int rows_add(struct rows *r, struct span address, const struct user_row *row,
    struct span home, struct span senders);
void rows_clear(struct rows *r);

/* rows_home, rows_senders - of the n-th row; "" if it has none. */
const char *rows_home(const struct rows *r, size_t n);
const char *rows_senders(const struct rows *r, size_t n);

#endif
