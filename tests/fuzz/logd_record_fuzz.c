/*
 * logd_record_fuzz.c - any octets as a block of a daily file: its records are
 * walked, searched, and written as lines of every style.
 */
#include <stdlib.h>

#include "lib/privsep/roles.h"
#include "logd/line.h"
#include "logd/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
use(const struct record *r)
{
	struct buf line = BUF_INIT(LINE_MAX_OCTETS);
	unsigned style;

	for (style = LINE_SYSLOG; style <= LINE_JSON; style++) {
		buf_reset(&line);
		line_format(r, (enum line_style)style, &line);
		if (buf_span(&line).len == 0 ||
		    buf_span(&line).p[buf_span(&line).len - 1] != '\n')
			abort();
	}
	trace_matches(r, span_str("a@b.example"));
	buf_clear(&line);
}

/* The fields by themselves too: no check sum stands before them. */
static void
use_fields(struct span fields)
{
	struct record r = { .time_us = 1, .qid = 2, .code = 3,
		.role = ROLE_QUEUED, .fields = fields };

	use(&r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char filter[FILTER_OCTETS];
	struct span block = span_make(data, size < DAY_BLOCK ? size :
	    DAY_BLOCK);
	struct record r;
	size_t at = span_prefix(block, DAY_MAGIC) ? MAGIC_OCTETS : 0, before;

	for (before = at; record_next(block, &at, &r) == 1; before = at) {
		if (at <= before || at > block.len)
			abort();
		use(&r);
	}
	filter_block(filter, block);
	use_fields(block);
	return 0;
}
