/* Fuzzes EXTERNAL: nobody becomes another than the certificate says. */
#include "tests/fuzz/sasl_play.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sasl s;
	enum sasl_next next = sasl_play(&s, "EXTERNAL", data, size);

	if (next == SASL_CERTIFICATE)
		hold(strcmp(s.name, "user1@example.test") == 0);
	else
		hold(next == SASL_BAD || next == SASL_CHALLENGE);
	sasl_clear(&s);
	return 0;
}
