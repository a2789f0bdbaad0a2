/* aliases_fuzz - any text is an alias table, perhaps an empty one. */
#include <stdlib.h>

#include "lib/mail/aliases.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
bad(void *arg, unsigned line, const char *complaint)
{
	(void)arg;
	if (line == 0 || complaint == NULL)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct aliases a = { 0 };
	uint32_t list;
	size_t i, n;

	aliases_parse(&a, span_make(data, size), size % 2 == 0, bad, NULL);
	for (i = 0; i < a.names.n; i++) {
		struct span name = table_name(&a.names, i);

		if (!aliases_find(&a, name, &list))
			abort();
		for (n = 0; n < alias_count(&a, list); n++)
			if (alias_target(&a, list, n).text.len == 0)
				abort();
	}
	aliases_clear(&a);
	return 0;
}
