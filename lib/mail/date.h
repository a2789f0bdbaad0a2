/* lib/mail/date.h - points in time as mail writes them. */
#ifndef LIB_MAIL_DATE_H
#define LIB_MAIL_DATE_H

#include <stdint.h>
#include <time.h>

#include "lib/span.h"

#define DATE_TEXT 40 /* an RFC 5322 date-time and its NUL; years to 9999 */

/*
 * date_format - "Sat, 21 Nov 2026 11:03:34 +0000" in local time (RFC 5322
 * section 3.3). A process with an empty root calls tzset() before it enters.
 */
const char *date_format(time_t t, char out[DATE_TEXT]);

/* date_format_mbox - "Sat Nov 21 11:03:34 2026", UTC (RFC 4155 appendix A). */
const char *date_format_mbox(time_t t, char out[DATE_TEXT]);

/*
 * date_parse - a date-time with all that RFC 5322 section 4.3 still allows,
 * and what is common beside it: no zone (UTC), no seconds, long names of
 * months, the form of ctime(3). Comments and folding are left out.
 * Returns 0 and seconds since 1970 in out, or -1.
 */
int date_parse(struct span in, int64_t *out);

#endif
