/* lib/mail/base64.c - base64, four characters for three octets. */
#include <errno.h>

#include "lib/mail/base64.h"

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

/* Four characters, of which the last pad count as zero bits; -1: not base64. */
static int64_t
group(const char *p, size_t pad)
{
	uint32_t acc = 0;
	size_t i;
	int v;

	for (i = 0; i < 4; i++) {
		v = i < 4 - pad ? digit(p[i]) : 0;
		if (v == -1)
			return -1;
		acc = acc << 6 | (uint32_t)v;
	}
	return acc;
}

ssize_t
base64_decode(struct span in, void *out, size_t size)
{
	size_t i, k, n = 0, pad = 0, last;
	unsigned char *to = out;
	int64_t acc;

	if (in.len % 4 != 0) {
		errno = EINVAL;
		return -1;
	}
	while (pad < 2 && in.len > 0 && in.p[in.len - 1 - pad] == '=')
		pad++;
	if (BASE64_OCTETS(in.len) - pad > size) {
		errno = EMSGSIZE;
		return -1;
	}
	for (i = 0; i < in.len; i += 4) {
		last = i + 4 == in.len ? pad : 0;
		acc = group(in.p + i, last);
		/* What the padding stands for must have been zero. */
		if (acc == -1 || (acc & ((1 << 8 * last) - 1)) != 0) {
			errno = EINVAL;
			return -1;
		}
		for (k = 0; k < 3 - last; k++)
			to[n++] = (unsigned char)(acc >> (16 - 8 * k) & 0xff);
	}
	return (ssize_t)n;
}

ssize_t
base64_encode(struct span in, char *out, size_t size)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t i, k, n = 0;

	if (in.len > SIZE_MAX / 2 || BASE64_TEXT(in.len) >= size) {
		errno = EMSGSIZE;
		return -1;
	}
	for (i = 0; i < in.len; i += 3) {
		size_t left = in.len - i < 3 ? in.len - i : 3;
		uint32_t acc = 0;

		for (k = 0; k < 3; k++)
			acc = acc << 8 | (k < left ?
			    (unsigned char)in.p[i + k] : 0u);
		for (k = 0; k < 4; k++)
			out[n++] = k <= left ?
			    digits[acc >> (18 - 6 * k) & 63] : '=';
	}
	out[n] = '\0';
	return (ssize_t)n;
}
