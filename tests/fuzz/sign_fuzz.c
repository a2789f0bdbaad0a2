/* sign_fuzz.c - packets of the sign socket, from either side. */
#include "tests/fuzz/fuzz.h"

#include "lib/net/sign.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_make(data, size);
	struct buf b = BUF_INIT(SIGN_QUESTION_MAX);
	struct sign_question q;
	struct sign_answer a;

	if (sign_question_decode(in, &q) == 0) {
		hold(sign_question_encode(&q, &b) == 0);
		hold(span_eq(buf_span(&b), in));
	}
	buf_reset(&b);
	if (sign_answer_decode(in, &a) == 0) {
		hold(sign_answer_encode(&a, &b) == 0);
		hold(span_eq(buf_span(&b), in));
	}
	buf_clear(&b);
	return 0;
}
