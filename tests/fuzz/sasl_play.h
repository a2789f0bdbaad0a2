/* sasl_play.h - one exchange of a mechanism: the client's messages are the
 * lines of the input, a verifier's side says yes to every proof. */
#ifndef TESTS_FUZZ_SASL_PLAY_H
#define TESTS_FUZZ_SASL_PLAY_H

#include <string.h>

#include "authd/sasl.h"
#include "tests/fuzz/fuzz.h"

/* What the exchange ends with; *s must be cleared. */
static inline enum sasl_next
sasl_play(struct sasl *s, const char *mechanism, const uint8_t *data,
    size_t size)
{
	static const struct sasl_facts facts = { .exporter = "EXPORTER",
	    .nexporter = 8, .end_point = "POINT", .nend_point = 5,
	    .certificate = "user1@example.test" };
	struct span rest = span_make(data, size), line;
	struct buf out = BUF_INIT(8192);
	enum sasl_next next = SASL_CHALLENGE;
	char *copy;

	sasl_init(s, sasl_find(span_str(mechanism)), &facts);
	memcpy(s->scram.nonce, "OURS", 5);
	while (next == SASL_CHALLENGE && rest.len > 0) {
		span_split(rest, '\n', &line, &rest);
		copy = malloc(line.len + 1);
		memcpy(copy, line.p, line.len);
		next = sasl_step(s, span_make(copy, line.len), &out);
		free(copy);
		hold(strlen(s->name) <= SASL_NAME_MAX);
		hold(strlen(s->password) <= SASL_PASSWORD_MAX);
		if (next == SASL_SALT)
			next = scram_salted(s, span_str("saltsalt"), 4096,
			    &out);
		else if (next == SASL_PROOF)
			next = scram_proved(s, span_str(
			    "0123456789abcdef0123456789abcdef"), &out);
	}
	buf_clear(&out);
	return next;
}

#endif /* TESTS_FUZZ_SASL_PLAY_H */
