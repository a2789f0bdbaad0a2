/* authd_dovecot_fuzz - lines of Dovecot's auth socket. */
#include <stdlib.h>

#include "authd/outside.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_make(data, size), line;
	struct dovecot_reply r;

	while (rest.len > 0) {
		span_split(rest, '\n', &line, &rest);
		if (dovecot_reply_parse(line, &r) == -1)
			continue;
		if (r.kind > DOVECOT_CONT || (r.temp &&
		    r.kind != DOVECOT_FAIL))
			abort();
	}
	return 0;
}
