/* lib/mail/addr_parts.h - the parts of the address grammar that its files, and
 * the parser of header addresses, share. */
#ifndef LIB_MAIL_ADDR_PARTS_H
#define LIB_MAIL_ADDR_PARTS_H

#include "lib/span.h"

/* addr_utf8_len - octets of the character beyond ASCII that in begins with; 0:
 * it is ASCII, not UTF-8, or a control character. */
size_t addr_utf8_len(struct span in);

/* addr_dot_string - octets of the Dot-string that in begins with, 0: none. */
size_t addr_dot_string(struct span in);

/* literal_is_valid - IPv4, IPv6 or General-address-literal, with brackets. */
bool literal_is_valid(struct span in);

#endif
