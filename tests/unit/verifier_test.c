/* verifier_test - the exchange of RFC 7677 section 3, and what is refused. */
#include "lib/mail/base64.h"
#include "lib/mail/verifier.h"
#include "tests/unit/check.h"

#define SALT   "W22ZaJ0SNY7soEsUEjb6gQ=="
#define STORED "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
#define SERVER "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
#define PENCIL VERIFIER_PREFIX "4096:" SALT "$" STORED ":" SERVER

static const char auth_message[] =
    "n=user,r=rOprNGfwEbeRWgbNEkqO,"
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
static const char proof_text[] =
    "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
static const char signature_text[] =
    "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

static const struct {
	const char *name, *in;
	int rv;
} cases[] = {
	{ "of RFC 7677", PENCIL, 0 },
	{ "another mechanism", "SCRAM-SHA-1$4096:" SALT "$" STORED ":" SERVER,
	    -1 },
	{ "no number", VERIFIER_PREFIX ":" SALT "$" STORED ":" SERVER, -1 },
	{ "few iterations", VERIFIER_PREFIX "4095:" SALT "$" STORED ":" SERVER,
	    -1 },
	{ "many iterations", VERIFIER_PREFIX "1000001:" SALT "$" STORED ":"
	    SERVER, -1 },
	{ "a long number", VERIFIER_PREFIX "00004096:" SALT "$" STORED ":"
	    SERVER, -1 },
	{ "short salt", VERIFIER_PREFIX "4096:AAAA$" STORED ":" SERVER, -1 },
	{ "no salt", VERIFIER_PREFIX "4096:$" STORED ":" SERVER, -1 },
	{ "bad base64", VERIFIER_PREFIX "4096:" SALT "$" STORED ":"
	    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2d", -1 },
	{ "short key", VERIFIER_PREFIX "4096:" SALT "$AAAA:" SERVER, -1 },
	{ "no server key", VERIFIER_PREFIX "4096:" SALT "$" STORED ":", -1 },
	{ "more behind", PENCIL ":5", -1 },
	{ "only its front", VERIFIER_PREFIX, -1 },
	{ "nothing", "", -1 },
};

int
main(void)
{
	unsigned char proof[64], signature[VERIFIER_KEY], want[64];
	struct verifier v, made;
	char text[VERIFIER_TEXT];
	size_t i;

	for (i = 0; i < nitems(cases); i++) {
		check_begin(cases[i].name);
		check_int(verifier_parse(span_str(cases[i].in), &v),
		    cases[i].rv);
	}

	check_begin("the password pencil");
	check_int(verifier_parse(span_str(PENCIL), &v), 0);
	check_int(verifier_make(&made, span_str("pencil"),
	    span_make(v.salt, v.nsalt), v.iterations), 0);
	check_true(verifier_same_keys(&v, &made));
	verifier_format(&made, text);
	check_str(text, PENCIL);
	check_int(verifier_make(&made, span_str("pencils"),
	    span_make(v.salt, v.nsalt), v.iterations), 0);
	check_true(!verifier_same_keys(&v, &made));

	check_begin("the proof of RFC 7677");
	check_int(base64_decode(span_str(proof_text), proof, sizeof(proof)),
	    VERIFIER_KEY);
	check_int(base64_decode(span_str(signature_text), want, sizeof(want)),
	    VERIFIER_KEY);
	check_true(verifier_proof(&v, span_str(auth_message),
	    span_make(proof, VERIFIER_KEY), signature));
	check_mem(signature, VERIFIER_KEY, want, VERIFIER_KEY);
	check_true(!verifier_proof(&v, span_str(auth_message),
	    span_make(proof, VERIFIER_KEY - 1), signature));
	check_true(!verifier_proof(&v, span_str("n=user"),
	    span_make(proof, VERIFIER_KEY), signature));
	proof[0] ^= 1;
	check_true(!verifier_proof(&v, span_str(auth_message),
	    span_make(proof, VERIFIER_KEY), signature));

	check_begin("the biggest fits its room");
	memset(&v, 0xff, sizeof(v));
	v.iterations = VERIFIER_ITERATIONS_MAX;
	v.nsalt = VERIFIER_SALT_MAX;
	verifier_format(&v, text);
	check_int(verifier_parse(span_str(text), &made), 0);
	check_true(verifier_same_keys(&v, &made));

	check_begin("where it ends in a line");
	check_int(verifier_length(span_str(PENCIL " : 5")), sizeof(PENCIL) - 1);
	check_int(verifier_length(span_str(PENCIL ":5")), sizeof(PENCIL) - 1);
	check_int(verifier_length(span_str("$6$x")), 0);
	return check_end();
}
