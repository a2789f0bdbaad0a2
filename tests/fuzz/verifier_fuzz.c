/* verifier_fuzz - what is taken as a SCRAM verifier is written as it was read,
 * but for zeros in front of its number. */
#include <stdlib.h>

#include "lib/mail/verifier.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_make(data, size);
	struct verifier v, again;
	char text[VERIFIER_TEXT];

	if (verifier_length(in) > size)
		abort();
	if (verifier_parse(in, &v) == -1)
		return 0;
	if (verifier_length(in) != size || v.nsalt > sizeof(v.salt))
		abort();
	verifier_format(&v, text);
	if (verifier_parse(span_str(text), &again) == -1 ||
	    !verifier_same_keys(&v, &again) || again.nsalt != v.nsalt ||
	    memcmp(again.salt, v.salt, v.nsalt) != 0 ||
	    again.iterations != v.iterations || strlen(text) > size)
		abort();
	return 0;
}
