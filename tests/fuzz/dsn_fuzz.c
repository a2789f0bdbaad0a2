/*
 * Fuzzes the writer of reports with values from outside: lines separated by a
 * NUL. Whatever they hold, the report is whole lines, its own fields stand once
 * and the reader of headers finds them.
 */

#include "lib/mail/dot.h"
#include "lib/mail/dsn.h"
#include "lib/mail/header.h"
#include "tests/fuzz/fuzz.h"

static void
ignore(void *arg, struct span text)
{
	(void)arg;
	(void)text;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf out = BUF_INIT(DSN_MAX);
	struct dsn_rcpt r = { 0 };
	struct dsn d = { .kind = DSN_FAILED, .rcpts = &r, .n = 1, .now = 1 };
	struct span rest = span_make(data, size);
	struct dot_scan scan;

	span_split(rest, '\0', &r.address, &rest);
	span_split(rest, '\0', &r.original, &rest);
	span_split(rest, '\0', &r.status, &rest);
	span_split(rest, '\0', &r.remote, &rest);
	span_split(rest, '\0', &r.reply, &rest);
	span_split(rest, '\0', &d.to, &rest);
	span_split(rest, '\0', &d.host, &rest);
	hold(dsn_build(&out, &d) == 0);
	dot_scan_init(&scan, true);
	dot_scan(&scan, buf_span(&out), ignore, NULL);
	hold(dot_scan_end(&scan) && scan.faults == 0);
	hold(header_count(buf_span(&out), "Auto-Submitted") == 1);
	hold(header_count(buf_span(&out), "From") == 1);
	hold(header_count(buf_span(&out), "Content-Type") == 1);
	hold(header_count(buf_span(&out), "Bcc") == 0);
	buf_clear(&out);
	return 0;
}
