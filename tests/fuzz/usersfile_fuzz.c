/* usersfile_fuzz - each line by itself, as the reader of a file gives them: what
 * is taken lies within the line, and its parts mean the same when written. */
#include <stdlib.h>

#include "lib/mail/usersfile.h"

static void
check_hash(struct span line, const struct users_hash *h)
{
	char day[USERS_DAY_TEXT], scope[USERS_SCOPE_TEXT];
	unsigned bits = 0;
	uint32_t back;

	if (h->text.p < line.p || h->text.len == 0 ||
	    h->text.p + h->text.len > line.p + line.len)
		abort();
	users_scope_format(h->scope, scope);
	if (h->scope != 0 && (users_scope_parse(span_str(scope), &bits) == -1 ||
	    bits != h->scope))
		abort();
	users_day_format(h->until, day);
	if (h->until != USERSFILE_NO_UNTIL &&
	    (users_day_parse(span_str(day), &back) == -1 || back != h->until))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_make(data, size), line;
	static struct users_line row;
	const char *complaint;
	size_t i;

	while (rest.len > 0) {
		span_split(rest, '\n', &line, &rest);
		complaint = NULL;
		switch (users_line_parse(line, &row, &complaint)) {
		case 1:
			if (!account_name_ok(row.address) ||
			    row.nhashes > USERSFILE_HASHES)
				abort();
			for (i = 0; i < row.nhashes; i++)
				check_hash(line, &row.hashes[i]);
			if (strlen(row.senders) > USERSFILE_SENDERS_MAX)
				abort();
			break;
		case -1:
			if (complaint == NULL)
				abort();
		}
	}
	return 0;
}
