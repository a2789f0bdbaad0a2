/* Fuzzes lists of addresses: they end, and what they give stays in bounds. */
#include <stdlib.h>

#include "lib/mail/addr.h"
#include "lib/mail/address_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct address_list l;
	struct address a;
	struct addr made;
	char text[ADDR_TEXT];
	size_t items = 0, groups = 0;

	address_list_begin(&l, span_make(data, size));
	while (address_list_next(&l, &a)) {
		/* every item but a group's end takes an octet */
		if (++items > 2 * size + 1 || a.name.len > ADDRESS_NAME_MAX ||
		    a.local.len > ADDRESS_PART_MAX ||
		    a.domain.len > ADDRESS_PART_MAX)
			abort();
		groups += a.kind == ADDRESS_GROUP_START;
		groups -= a.kind == ADDRESS_GROUP_END;
		if (addr_make(a.local, a.domain, text) == 0 &&
		    addr_parse_mailbox(span_str(text), &made) == -1)
			abort();
	}
	if (groups != 0 && !l.cut)
		abort();
	return 0;
}
