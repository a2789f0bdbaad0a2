/* Fuzzes the reader of dates: what it reads can be written and read again. */
#include <stdlib.h>

#include "lib/mail/date.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[DATE_TEXT];
	int64_t t, back;

	if (date_parse(span_make(data, size), &t) == -1)
		return 0;
	if (t < 0 || t > 250000000000)
		return 0;
	date_format((time_t)t, text);
	if (date_parse(span_str(text), &back) == -1 || back != t)
		abort();
	return 0;
}
