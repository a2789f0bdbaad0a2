/*
 * conf_fuzz.c - any text at all as a configuration: it is taken or complained
 * about, and what is taken reads the same after being written.
 */
#include <stdlib.h>

#include "lib/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Canonical text is a fixed point: written, read and written again. */
static void
round_trip(const struct conf *c)
{
	struct buf one = BUF_INIT(64u << 20), two = BUF_INIT(64u << 20);
	struct conf_errors errors;
	struct conf *again;

	if (conf_format(c, 0, &one) == -1)
		abort();
	again = conf_parse(buf_span(&one), "again", true, &errors);
	if (again == NULL || conf_format(again, 0, &two) == -1 ||
	    !span_eq(buf_span(&one), buf_span(&two)))
		abort();
	conf_free(again);
	conf_errors_clear(&errors);
	buf_clear(&one);
	buf_clear(&two);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf_errors errors;
	struct span text = span_make(data, size);
	struct conf *c;

	c = conf_parse(text, "input", true, &errors);
	if ((c == NULL) != (errors.n > 0))
		abort();
	/* "config 1 for ROLE" is a part: it cannot be written as a whole */
	if (c != NULL && c->host != NULL && c->contact != NULL &&
	    memmem(data, size, "for", 3) == NULL)
		round_trip(c);
	if (c != NULL) {
		conf_route_find(c, text, text);
		conf_domain_find(c, text);
	}
	conf_free(c);
	conf_errors_clear(&errors);
	return 0;
}
