/* lib/mail/utf8.h - UTF-8 as RFC 3629 has it: the one decoder of addresses. */
#ifndef LIB_MAIL_UTF8_H
#define LIB_MAIL_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/span.h"

/*
 * utf8_next - the character that s begins with.
 * cp    its number, written on success
 * Returns its length in octets, 1 to 4, or 0: s is empty, cut short, overlong,
 * a surrogate or past U+10FFFF.
 */
size_t utf8_next(struct span s, uint32_t *cp);

/* utf8_is_ascii - no octet above 0x7f. */
bool utf8_is_ascii(struct span s);

#endif
