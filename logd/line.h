/* logd/line.h - an event as one line of the log: barid-log(5). */
#ifndef LOGD_LINE_H
#define LOGD_LINE_H

#include "logd/record.h"

/* A line with its LF: what syslog daemons pass on uncut. */
#define LINE_MAX_OCTETS 1024

enum line_style {
	LINE_SYSLOG, /* event key=value ...: time and program are syslog's */
	LINE_TEXT,   /* with time and program in front */
	LINE_JSON
};

/*
 * line_format - adds one line to out, which is at most LINE_MAX_OCTETS long and
 * ends in LF; values that do not fit are cut, then left out. Every octet that
 * is not printable ASCII is escaped.
 */
void line_format(const struct record *r, enum line_style style,
    struct buf *out);

/* line_program - "smtpd", "smtpd-2". */
#define LINE_PROGRAM 24
const char *line_program(const struct record *r, char out[LINE_PROGRAM]);

#endif
