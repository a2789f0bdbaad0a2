/* tests/unit/resolver_punycode_test.c - domains beyond ASCII; the long samples
 * are those of RFC 3492 section 7.1. */
#include "resolver/punycode.h"

#include "tests/unit/check.h"

#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct {
	const char *in, *out; /* NULL: refused */
} cases[] = {
	{ "example.test", "example.test" },
	{ "example.test.", "example.test." },
	{ "b\303\274cher.test", "xn--bcher-kva.test" },
	{ "mx.b\303\274cher.b\303\274cher", "mx.xn--bcher-kva.xn--bcher-kva" },
	{ "\303\274", "xn--tda" },
	/* (C) Chinese (simplified), (E) Hebrew, (L) Japanese 3B */
	{ "\344\273\226\344\273\254\344\270\272\344\273\200\344\271\210"
	  "\344\270\215\350\257\264\344\270\255\346\226\207",
	    "xn--ihqwcrb4cv8a8dqg056pqjye" },
	{ "3\345\271\264b\347\265\204\351\207\221\345\205\253\345\205"
	  "\210\347\224\237", "xn--3b-ww4c5e180e575a65lsy2b" },
	{ "\360\237\222\214.test", "xn--rr8h.test" },
	{ "\374", NULL },
	{ "\303", NULL },
	{ "\303x", NULL },
	{ "\300\200", NULL },
	{ "\355\240\200", NULL },
	{ "\364\220\200\200", NULL },
	{ X50 "xxxxxxxxxxxxxx", NULL },
	{ X50 "xxxxxxxxxx\303\274", NULL },
};

int
main(void)
{
	char out[DNS_NAME_TEXT + 1];
	size_t i;
	int rv;

	for (i = 0; i < nitems(cases); i++) {
		check_begin(cases[i].in);
		rv = punycode_domain(span_str(cases[i].in), out);
		check_int(rv, cases[i].out == NULL ? -1 : 0);
		if (rv == 0 && cases[i].out != NULL)
			check_str(out, cases[i].out);
	}
	return check_end();
}
