/* lib/mail/cfws.c - leaves out comments, without recursion and in linear time:
 * their depth comes from strangers. */
#include "lib/mail/cfws.h"

/* Octets of the comment that in begins with. */
static size_t
comment_len(struct span in)
{
	int depth = 0;
	size_t i;

	for (i = 0; i < in.len; i++) {
		if (in.p[i] == '\\')
			i++;
		else if (in.p[i] == '(' && ++depth > CFWS_DEPTH_MAX)
			return in.len;
		else if (in.p[i] == ')' && --depth == 0)
			return i + 1;
	}
	return in.len;
}

bool
cfws_skip(struct span *in)
{
	size_t before = in->len;

	while (in->len > 0) {
		if (in->p[0] == '(')
			*in = span_from(*in, comment_len(*in));
		else if (in->p[0] == ' ' || in->p[0] == '\t' ||
		    in->p[0] == '\r' || in->p[0] == '\n')
			*in = span_from(*in, 1);
		else
			break;
	}
	return in->len < before;
}
