/* pop3d/sasl.c - the response of SASL PLAIN: three strings between NULs. */
#include "lib/mail/base64.h"
#include "pop3d/pop3d.h"

#define PLAIN_MAX (2 * LOGIN_NAME_MAX + LOGIN_PASSWORD_MAX + 2)

int
sasl_plain(struct span in, char *out_name, char *password, size_t *len)
{
	char text[PLAIN_MAX];
	ssize_t n = base64_decode(in, text, sizeof(text));
	struct span all, authz, name, pass;
	int rv = -1;

	if (n > 0) {
		all = span_make(text, (size_t)n);
		if (memchr(text, '\0', (size_t)n) == NULL)
			goto done;
		span_split(all, '\0', &authz, &all);
		if (span_find(all, '\0') == -1)
			goto done;
		span_split(all, '\0', &name, &pass);
		/* To act for another is nobody's right here. */
		if ((authz.len > 0 && !span_eq(authz, name)) ||
		    name.len == 0 || pass.len == 0 ||
		    pass.len > LOGIN_PASSWORD_MAX ||
		    span_find(pass, '\0') != -1 ||
		    span_copy(name, out_name, LOGIN_NAME_MAX + 1) == -1)
			goto done;
		memcpy(password, pass.p, pass.len);
		password[pass.len] = '\0';
		*len = pass.len;
		rv = 0;
	}
done:
	explicit_bzero(text, sizeof(text));
	return rv;
}
