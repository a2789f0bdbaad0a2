/*
 * authd/sasl_external.c - EXTERNAL (RFC 4422 appendix A): the client is who its
 * certificate says. Its one message is the identity that it wants, or empty.
 */
#include "authd/sasl.h"

enum sasl_next
sasl_external(struct sasl *s, struct span in, struct buf *out)
{
	if (s->stage == 0 && in.p == NULL) {
		buf_reset(out);
		return SASL_CHALLENGE;
	}
	if (s->stage > 1 || s->facts.certificate[0] == '\0')
		return SASL_BAD;
	/* An identity other than the certificate's: nobody may act for another.
	 * The case of an address is no difference to people. */
	if (in.len > 0 && !span_caseeq(in, s->facts.certificate))
		return SASL_BAD;
	return sasl_name(s, span_str(s->facts.certificate)) == -1 ? SASL_BAD :
	    SASL_CERTIFICATE;
}
