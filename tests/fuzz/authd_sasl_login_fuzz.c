/* Fuzzes LOGIN: a name, then a password, and never one without the other. */
#include "tests/fuzz/sasl_play.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sasl s;
	enum sasl_next next = sasl_play(&s, "LOGIN", data, size);

	if (next == SASL_PASSWORD)
		hold(s.name[0] != '\0' && s.password[0] != '\0');
	else
		hold(next == SASL_BAD || next == SASL_CHALLENGE);
	sasl_clear(&s);
	return 0;
}
