/*
 * tests/fuzz/keyd_input_fuzz.c - whatever keyd is asked to sign: what it takes
 * for a handshake must look like one to a second, much simpler pair of eyes,
 * and begin and end where it says.
 */
#include "keyd/input.h"
#include "tests/fuzz/fuzz.h"

static const char pad[] =
    "                                                                ";

static void
hold_13(struct span in, const char *context)
{
	hold(in.len == 64 + 33 + 1 + 32 || in.len == 64 + 33 + 1 + 48);
	hold(memcmp(in.p, pad, 64) == 0);
	hold(memcmp(in.p + 64, context, 34) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_make(data, size);
	enum input_kind kind = input_judge(in);

	switch (kind) {
	case INPUT_NONE:
		return 0;
	case INPUT_SERVER_13:
		hold_13(in, "TLS 1.3, server CertificateVerify");
		break;
	case INPUT_CLIENT_13:
		hold_13(in, "TLS 1.3, client CertificateVerify");
		break;
	case INPUT_SERVER_12:
		hold(size >= 64 + 4 + 32 && size <= 64 + 4 + 133);
		hold(data[64] == 3 && (size_t)data[67] + 68 == size);
		break;
	case INPUT_CLIENT_12:
		hold(data[0] == 1 && data[4] == 3 && data[5] == 3);
		/* the last message: ClientKeyExchange up to the end */
		hold(size > 100);
		break;
	}
	/* One octet more or less is another thing. */
	hold(input_judge(span_make(data, size - 1)) == INPUT_NONE);
	hold(input_role_may(kind, ROLE_RELAY) !=
	    input_role_may(kind, ROLE_SMTPD));
	return 0;
}
