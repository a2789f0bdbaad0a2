/* Fuzzes base64: what is read gives the same text again, and no other does. */
#include "lib/mail/base64.h"
#include "tests/fuzz/fuzz.h"

#define OCTETS_MAX 3000

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char octets[OCTETS_MAX], text[BASE64_TEXT(OCTETS_MAX) + 1];
	struct span in = span_make(data, size);
	ssize_t n, back;

	if ((n = base64_decode(in, octets, sizeof(octets))) != -1) {
		back = base64_encode(span_make(octets, (size_t)n), text,
		    sizeof(text));
		hold(back != -1 && span_eq(span_make(text, (size_t)back),
		    in));
	}
	if (size > OCTETS_MAX)
		return 0;
	n = base64_encode(in, text, sizeof(text));
	hold(n == (ssize_t)BASE64_TEXT(size));
	back = base64_decode(span_make(text, (size_t)n), octets,
	    sizeof(octets));
	hold(back != -1 && span_eq(span_make(octets, (size_t)back), in));
	return 0;
}
