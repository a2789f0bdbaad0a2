/* Fuzzes SCRAM, first octet: with a binding or without. Who gets to the end sent
 * our nonce back, and the AuthMessage has all three messages. */
#include "tests/fuzz/sasl_play.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum sasl_next next;
	struct sasl s;

	if (size == 0)
		return 0;
	next = sasl_play(&s, *data == 'p' ? "SCRAM-SHA-256-PLUS" :
	    "SCRAM-SHA-256", data, size);
	hold(next == SASL_BAD || next == SASL_CHALLENGE || next == SASL_DONE);
	if (next == SASL_DONE) {
		struct span auth = buf_span(&s.scram.auth);

		hold(span_prefix(auth, "n=") && s.name[0] != '\0');
		hold(memmem(auth.p, auth.len, "OURS,s=c2FsdHNhbHQ=,i=4096,c=",
		    29) != NULL);
		hold(s.scram.proved);
	}
	sasl_clear(&s);
	return 0;
}
