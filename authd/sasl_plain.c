/* authd/sasl_plain.c - PLAIN (RFC 4616): three strings between two NULs. */
#include "authd/sasl.h"

enum sasl_next
sasl_plain(struct sasl *s, struct span in, struct buf *out)
{
	struct span authzid, name, password;

	if (s->stage == 0 && in.p == NULL) {
		buf_reset(out);
		return SASL_CHALLENGE; /* an empty one */
	}
	if (s->stage > 1 || span_find(in, '\0') == -1)
		return SASL_BAD;
	span_split(in, '\0', &authzid, &in);
	if (span_find(in, '\0') == -1)
		return SASL_BAD;
	span_split(in, '\0', &name, &password);
	/* To act for another is nobody's right here. A password of which a NUL
	 * is part is refused by span_copy(). */
	if ((authzid.len > 0 && !span_eq(authzid, name)) ||
	    sasl_name(s, name) == -1 || password.len == 0 ||
	    span_copy(password, s->password, sizeof(s->password)) == -1)
		return SASL_BAD;
	return SASL_PASSWORD;
}
