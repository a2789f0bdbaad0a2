/*
 * lib/mail/header_scan.c - watches a header go by in pieces of any size, so
 * that smtpd holds no letter in memory. It knows the same lines as fields as
 * lib/mail/header.c; the fuzz target holds the one against the other.
 */
#include "lib/mail/addr.h"
#include "lib/mail/header.h"

enum scan_state {
	AT_LINE,   /* zero: at the start of a line */
	IN_NAME,   /* name and blanks behind it are held */
	IN_BLANKS,
	IN_CR,     /* a CR at the line's start is held */
	IN_VALUE,
	IN_BODY,
};

enum keep { KEEP_NONE, KEEP_MESSAGE_ID, KEEP_DELIVERED_TO };

static void
pass(const struct header_sink *to, struct span s)
{
	if (s.len > 0)
		to->emit(to->arg, s);
}

static uint64_t
address_hash(struct span text)
{
	char canon[ADDR_TEXT];
	struct addr a;

	text = span_trim(text);
	if (text.len > 1 && text.p[0] == '<' && text.p[text.len - 1] == '>')
		text = span_make(text.p + 1, text.len - 2);
	if (addr_parse_mailbox(text, &a) == 0)
		text = addr_canon(&a, canon);
	return span_hash_lower(text);
}

/* A field is complete once a line comes that does not go on with it. */
static void
field_done(struct header_scan *h)
{
	struct span value = span_make(h->value, h->value_len);

	if (h->keep == KEEP_MESSAGE_ID && h->message_id[0] == '\0')
		header_unfold(value, h->message_id, sizeof(h->message_id));
	if (h->keep == KEEP_DELIVERED_TO &&
	    h->delivered_to <= HEADER_DELIVERED_MAX) {
		char text[HEADER_VALUE_MAX];

		h->delivered[h->delivered_to - 1] =
		    address_hash(header_unfold(value, text, sizeof(text)));
	}
	h->keep = KEEP_NONE;
	h->value_len = 0;
}

static void
name_done(struct header_scan *h, struct span name)
{
	if (span_caseeq(name, "Received"))
		h->received++;
	else if (span_caseeq(name, "From"))
		h->has_from = true;
	else if (span_caseeq(name, "Date"))
		h->has_date = true;
	else if (span_caseeq(name, "Message-Id")) {
		h->has_message_id = true;
		h->keep = KEEP_MESSAGE_ID;
	} else if (span_caseeq(name, "Delivered-To")) {
		h->delivered_to++;
		h->keep = KEEP_DELIVERED_TO;
	}
}

/* What is held of a line turned out to be no field. */
static void
header_over(struct header_scan *h, bool empty_line,
    const struct header_sink *to)
{
	field_done(h);
	h->ended = true;
	h->put_empty_line = !empty_line;
	if (to->end != NULL)
		to->end(to->arg);
	if (!empty_line)
		pass(to, span_str("\r\n"));
	pass(to, span_make(h->hold, h->held));
	h->held = 0;
	h->state = IN_BODY;
}

static void
hold(struct header_scan *h, char c)
{
	h->hold[h->held++] = c;
}

/* A name's octets were held up to its colon: the line is a field. */
static void
field_begins(struct header_scan *h, const struct header_sink *to)
{
	struct span name = span_trim(span_make(h->hold, h->held));

	h->dropped = to->keep != NULL && !to->keep(to->arg, name);
	if (!h->dropped) {
		name_done(h, name);
		hold(h, ':');
		pass(to, span_make(h->hold, h->held));
		h->octets += h->held;
	}
	h->any = true;
	h->held = 0;
	h->state = IN_VALUE;
}

/* Values pass by whole; of some a copy is kept, cut where it gets long. */
static size_t
take_value(struct header_scan *h, struct span in,
    const struct header_sink *to)
{
	ssize_t lf = span_find(in, '\n');
	size_t n = lf == -1 ? in.len : (size_t)lf + 1;
	size_t room = sizeof(h->value) - h->value_len;

	if (h->keep != KEEP_NONE) {
		room = n < room ? n : room;
		memcpy(h->value + h->value_len, in.p, room);
		h->value_len = (uint16_t)(h->value_len + room);
	}
	if (lf != -1)
		h->state = AT_LINE;
	if (!h->dropped) {
		h->octets += n;
		pass(to, span_make(in.p, n));
	}
	return n;
}

/* At the start of a line; returns how many octets were taken: 0 or 1. */
static size_t
line_begins(struct header_scan *h, char c, const struct header_sink *to)
{
	if ((c == ' ' || c == '\t') && h->any) {
		h->state = IN_VALUE; /* the line goes on with the field */
		return 0;
	}
	if (c == '\r' || header_is_name_octet(c)) {
		field_done(h);
		hold(h, c);
		h->state = c == '\r' ? IN_CR : IN_NAME;
		return 1;
	}
	header_over(h, c == '\n', to);
	return 0;
}

/* Within a name or the blanks behind it; returns 0 or 1 as above. */
static size_t
name_octet(struct header_scan *h, char c, const struct header_sink *to)
{
	bool blank = c == ' ' || c == '\t';

	if (c == ':') {
		field_begins(h, to);
		return 1;
	}
	if ((blank && h->held <= HEADER_NAME_MAX) ||
	    (h->state == IN_NAME && header_is_name_octet(c) &&
		h->held < HEADER_NAME_MAX)) {
		hold(h, c);
		if (blank)
			h->state = IN_BLANKS;
		return 1;
	}
	header_over(h, false, to);
	return 0;
}

void
header_scan(struct header_scan *h, struct span in,
    const struct header_sink *to)
{
	size_t i = 0;

	while (i < in.len) {
		switch ((enum scan_state)h->state) {
		case AT_LINE:
			i += line_begins(h, in.p[i], to);
			break;
		case IN_NAME:
		case IN_BLANKS:
			i += name_octet(h, in.p[i], to);
			break;
		case IN_CR:
			header_over(h, in.p[i] == '\n', to);
			break;
		case IN_VALUE:
			i += take_value(h, span_from(in, i), to);
			break;
		case IN_BODY:
			pass(to, span_from(in, i));
			return;
		}
	}
}

void
header_scan_end(struct header_scan *h, const struct header_sink *to)
{
	if (h->ended)
		return;
	if (h->state == IN_VALUE && !h->dropped)
		pass(to, span_str("\r\n"));
	if (h->held > 0) {
		header_over(h, false, to);
		return;
	}
	field_done(h);
	h->ended = true;
	if (to->end != NULL)
		to->end(to->arg);
	h->state = IN_BODY;
}

bool
header_scan_was_at(const struct header_scan *h, struct span address)
{
	uint64_t hash = address_hash(address);
	unsigned i;

	for (i = 0; i < h->delivered_to && i < HEADER_DELIVERED_MAX; i++)
		if (h->delivered[i] == hash)
			return true;
	return false;
}
