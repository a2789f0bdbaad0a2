/*
 * authd/sasl_login.c - LOGIN (draft-murchison-sasl-login-00), the password in
 * two messages. The prompts are what all servers send: some clients look for
 * these words rather than count.
 */
#include "authd/sasl.h"

enum sasl_next
sasl_login(struct sasl *s, struct span in, struct buf *out)
{
	/* A name may come with the first message. */
	if (s->name[0] == '\0') {
		if (s->stage == 0 && in.p == NULL)
			return buf_add_str(out, "Username:") == -1 ?
			    SASL_BAD : SASL_CHALLENGE;
		if (s->stage > 1 || sasl_name(s, in) == -1)
			return SASL_BAD;
		return buf_add_str(out, "Password:") == -1 ? SASL_BAD :
		    SASL_CHALLENGE;
	}
	if (in.len == 0 ||
	    span_copy(in, s->password, sizeof(s->password)) == -1)
		return SASL_BAD;
	return SASL_PASSWORD;
}
