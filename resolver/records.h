/*
 * resolver/records.h - the answers of a test: the file of the test-only
 * statement `dns { records FILE }`, in place of the DNS of the world.
 *
 *	# a comment
 *	example.test        MX    10 mail.example.test
 *	mail.example.test   A     127.0.0.1
 *	gone.test           NXDOMAIN
 *	broken.test         MX SERVFAIL
 *	slow.test           TIMEOUT
 *	signed.test         SECURE
 *
 * A line is a name, a type and its data as in a zone file (RFC 1035 section
 * 5.1), names always in full; or a name, perhaps a type, and one of the words:
 * NXDOMAIN, SERVFAIL, TIMEOUT (no answer at all), BOGUS (DNSSEC says that it
 * was forged), SECURE (the other answers for that name count as signed). What
 * no line mentions does not exist.
 */
#ifndef RESOLVER_RECORDS_H
#define RESOLVER_RECORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "resolver/rdata.h"

#define RECORDS_FILE_MAX (1024 * 1024) /* a test's file, not a zone */

enum special {
	SPECIAL_NONE,
	SPECIAL_NXDOMAIN,
	SPECIAL_SERVFAIL,
	SPECIAL_TIMEOUT,
	SPECIAL_BOGUS,
	SPECIAL_SECURE
};

struct record_special {
	char name[DNS_NAME_TEXT]; /* without the last dot */
	uint16_t type;            /* 0: any */
	enum special what;
};

struct records {
	struct record_special *list;
	size_t n;
};

/*
 * records_parse - calls add with each line that is a record, as one line of a
 * zone file that starts with the name; keeps the special ones in out (empty
 * before; records_clear frees). add returns 0, or -1 to refuse the line.
 * Returns 0, or -1 with *line the number of the line that is wrong.
 */
int records_parse(struct span text, struct records *out,
    int (*add)(void *arg, const char *record), void *arg, unsigned *line);
void records_clear(struct records *r);

/* records_find - is there a special answer, and is the name SECURE? */
enum special records_find(const struct records *r, const char *name,
    uint16_t type, bool *secure);

#endif
