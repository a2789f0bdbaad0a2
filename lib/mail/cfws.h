/* lib/mail/cfws.h - comments and folding, which headers may have between any
 * two words (RFC 5322 section 3.2.2). */
#ifndef LIB_MAIL_CFWS_H
#define LIB_MAIL_CFWS_H

#include "lib/span.h"

#define CFWS_DEPTH_MAX 16 /* comments within comments; deeper runs to the end */

/* cfws_skip - takes blanks, line ends and comments off the front of *in.
 * Returns true if there were any. A comment without an end takes all. */
bool cfws_skip(struct span *in);

#endif
