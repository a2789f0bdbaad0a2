/*
 * deliver/letter.c - what deliver -u adds to a letter, and the one thing that
 * it reads in it: whether it has been here before.
 */
#include "deliver/user.h"
#include "lib/mail/addr.h"
#include "lib/mail/header.h"
#include "lib/mem.h"
#include "lib/store/file.h"

/* Of a big letter so much is looked at; Delivered-To stands near the top. */
#define LOOK_OCTETS 131072

static void
line_add(struct buf *out, const char *name, struct span value,
    const char *open, const char *close)
{
	size_t i;

	buf_addf(out, "%s: %s", name, open);
	for (i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.p[i];

		buf_add_char(out, c < ' ' || c == 0x7f ? '?' : (char)c);
	}
	buf_addf(out, "%s\n", close);
}

void
task_head_add(const struct task *t, struct buf *out)
{
	struct span original = t->head.orcpt;

	/* ORCPT's type is said only where it is not ours (RFC 3461 4.2) */
	if (span_caseprefix(original, "rfc822;"))
		original = span_from(original, 7);
	line_add(out, "Return-Path", t->head.from, "<", ">");
	if (original.len > 0)
		line_add(out, "X-Original-To", original, "", "");
	line_add(out, "Delivered-To", t->head.address, "", "");
}

static bool
names(struct span value, struct span address)
{
	char text[ADDR_TEXT + 2], canon[ADDR_TEXT];
	struct span s = header_unfold(value, text, sizeof(text));
	struct addr a;

	if (s.len > 1 && s.p[0] == '<' && s.p[s.len - 1] == '>')
		s = span_make(s.p + 1, s.len - 2);
	return addr_parse_mailbox(s, &a) == 0 &&
	    span_caseeq_span(addr_canon(&a, canon), address);
}

static bool
text_names(struct span text, struct span address)
{
	struct header_iter it;
	struct header_field f;

	header_begin(&it, text);
	while (header_next(&it, &f))
		if (span_caseeq(f.name, "Delivered-To") &&
		    names(f.value, address))
			return true;
	return false;
}

bool
task_loops(const struct task *t)
{
	struct span address = t->head.address;
	char canon[ADDR_TEXT], *text;
	struct addr a;
	ssize_t n;
	bool rv;

	if (addr_parse_mailbox(address, &a) == 0)
		address = addr_canon(&a, canon);
	if (t->fd == -1)
		return text_names(buf_span(&t->body), address);
	text = xmalloc(LOOK_OCTETS);
	n = file_read(t->fd, text, LOOK_OCTETS, 0);
	rv = n > 0 && text_names(span_make(text, (size_t)n), address);
	x_free(&text);
	return rv;
}
