/* tests/fuzz/relay_reply_fuzz.c - lines of another host as replies and EHLO. */
#include <stdlib.h>

#include "relay/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct span rest = span_make(data, len), line, text;
	struct caps caps = { .greeted = false };
	struct reply r;

	reply_init(&r);
	while (rest.len > 0) {
		span_split(rest, '\n', &line, &rest);
		if (line.len > REPLY_LINE_MAX)
			line.len = REPLY_LINE_MAX;
		switch (reply_line(&r, line, &text)) {
		case REPLY_BAD:
			return 0;
		case REPLY_MORE:
			caps_line(&caps, text);
			continue;
		case REPLY_DONE:
			break;
		}
		if (r.code < 200 || r.code > 599 || r.len > REPLY_TEXT_MAX ||
		    strlen(r.text) != r.len || strlen(reply_enhanced(&r)) < 5 ||
		    !span_printable(span_str(r.text)))
			abort();
		reply_init(&r);
	}
	return 0;
}
