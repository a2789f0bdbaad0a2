/*
 * pop3d/sasl.c - the response of SASL PLAIN: base64 (RFC 4648 section 4, no
 * blanks, padding where it belongs), then three strings between NULs.
 */
#include "pop3d/pop3d.h"

#define PLAIN_MAX (2 * LOGIN_NAME_MAX + LOGIN_PASSWORD_MAX + 2)

static int
digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Returns how many octets it gives, or -1. */
static ssize_t
base64(struct span in, char *out, size_t size)
{
	size_t i, n = 0, pad = 0;
	uint32_t acc = 0;
	int v;

	if (in.len == 0 || in.len % 4 != 0 || in.len / 4 * 3 > size)
		return -1;
	while (pad < 2 && in.p[in.len - 1 - pad] == '=')
		pad++;
	for (i = 0; i < in.len; i++) {
		v = i < in.len - pad ? digit(in.p[i]) : 0;
		if (v == -1)
			return -1;
		acc = acc << 6 | (uint32_t)v;
		if (i % 4 != 3)
			continue;
		out[n++] = (char)(acc >> 16 & 0xff);
		out[n++] = (char)(acc >> 8 & 0xff);
		out[n++] = (char)(acc & 0xff);
	}
	return (ssize_t)(n - pad);
}

int
sasl_plain(struct span in, char *out_name, char *password, size_t *len)
{
	char text[(PLAIN_MAX + 2) / 3 * 3];
	ssize_t n = base64(in, text, sizeof(text));
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
