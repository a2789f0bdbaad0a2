/* usersfile_fuzz - each line by itself, as the reader of a file gives
 * them. */
#include <stdlib.h>

#include "lib/mail/usersfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_make(data, size), line;
	struct users_line row;
	const char *complaint;

	while (rest.len > 0) {
		span_split(rest, '\n', &line, &rest);
		complaint = NULL;
		switch (users_line_parse(line, &row, &complaint)) {
		case 1:
			if (!account_name_ok(row.address) ||
			    row.nhashes > USERSFILE_HASHES)
				abort();
			break;
		case -1:
			if (complaint == NULL)
				abort();
		}
	}
	return 0;
}
