/*
 * lib/mail/base64.h - base64 of RFC 4648 section 4, strictly: no blanks, no
 * line ends, padding where it belongs and nowhere else, no bits set behind the
 * end (section 3.5), so that one run of octets has one text.
 */
#ifndef LIB_MAIL_BASE64_H
#define LIB_MAIL_BASE64_H

#include "lib/span.h"

/* What n octets become, without a NUL; what n characters become at most. */
#define BASE64_TEXT(n)   (((size_t)(n) + 2) / 3 * 4)
#define BASE64_OCTETS(n) ((size_t)(n) / 4 * 3)

/*
 * base64_decode - into out, which has room for size octets; no NUL is added.
 * Returns how many they are (0 for no text), or -1: errno EINVAL (not base64)
 * or EMSGSIZE (more than size). After -1 nothing of out is to be used.
 */
ssize_t base64_decode(struct span in, void *out, size_t size);

/* base64_encode - with a NUL behind it. Returns its length, or -1 with errno
 * EMSGSIZE: out, of size octets, has no room for BASE64_TEXT(in.len) + 1. */
ssize_t base64_encode(struct span in, char *out, size_t size);

#endif
