/*
 * lib/mail/address_list.c - walks over a list of addresses. Words are gathered
 * twice, as a display name (with blanks) and as a local part (without), since
 * only what follows tells which they were.
 */
#include "lib/mail/address_list.h"

#include "lib/mail/cfws.h"

static void
part_add(struct address_part *part, struct span s)
{
	size_t room = part->size - part->len;

	if (s.len > room) {
		part->cut = true;
		s.len = room;
	}
	if (s.len > 0)
		memcpy(part->p + part->len, s.p, s.len);
	part->len += s.len;
}

/* Does the part go on with a word? Only at its start and behind a dot. */
static bool
part_wants_word(const struct address_part *part)
{
	return part->len == 0 || part->p[part->len - 1] == '.';
}

static struct span
part_span(const struct address_part *part)
{
	return span_make(part->p, part->len);
}

static bool
is_special(char c)
{
	return c != '\0' && strchr("()<>[]:;@\\,.\" \t\r\n", c) != NULL;
}

/* The atom that *in begins with; empty if it begins with a special. */
static struct span
take_atom(struct span *in)
{
	size_t n = 0;

	while (n < in->len && !is_special(in->p[n]))
		n++;
	*in = span_from(*in, n);
	return span_make(in->p - n, n);
}

/* What a quoted string holds, line ends aside; an open one runs to the end. */
static void
take_quoted(struct span *in, struct address_part *name,
    struct address_part *local)
{
	size_t i;

	for (i = 1; i < in->len && in->p[i] != '"'; i++) {
		if (in->p[i] == '\r' || in->p[i] == '\n')
			continue;
		if (in->p[i] == '\\' && i + 1 < in->len)
			i++;
		part_add(name, span_make(in->p + i, 1));
		part_add(local, span_make(in->p + i, 1));
	}
	*in = span_from(*in, i + 1);
}

/*
 * Words and dots up to another special. Returns true if one that belongs
 * nowhere was left out.
 */
static bool
take_words(struct span *in, struct address_part *name,
    struct address_part *local)
{
	bool bad = false, blank;
	struct span word;

	for (;;) {
		blank = cfws_skip(in);
		if (in->len == 0 || (in->p[0] != '\0' &&
		    strchr("<@:,;>", in->p[0]) != NULL))
			return bad;
		if (blank && name->len > 0)
			part_add(name, span_str(" "));
		if (in->p[0] != '.' && !part_wants_word(local))
			local->joined = true;
		if (in->p[0] == '"') {
			take_quoted(in, name, local);
			continue;
		}
		word = take_atom(in);
		if (word.len == 0) {
			bad |= in->p[0] != '.';
			word = span_make(in->p, 1);
			*in = span_from(*in, 1);
		}
		part_add(name, word);
		part_add(local, word);
	}
}

/* "[192.0.2.1]" with its brackets, blanks aside. */
static void
take_literal(struct span *in, struct address_part *domain)
{
	size_t i;

	for (i = 0; i < in->len && in->p[i] != ']'; i++)
		if (in->p[i] == '\0' || strchr(" \t\r\n", in->p[i]) == NULL)
			part_add(domain, span_make(in->p + i, 1));
	if (i < in->len)
		part_add(domain, span_str("]"));
	*in = span_from(*in, i + 1);
}

/* Behind the "@": atoms, dots and a literal, comments and blanks between. */
static void
take_domain(struct span *in, struct address_part *domain)
{
	struct span word;

	for (;;) {
		cfws_skip(in);
		if (in->len > 0 && in->p[0] == '.') {
			part_add(domain, span_make(in->p, 1));
			*in = span_from(*in, 1);
			continue;
		}
		if (!part_wants_word(domain))
			return;
		if (in->len > 0 && in->p[0] == '[') {
			take_literal(in, domain);
			continue;
		}
		if ((word = take_atom(in)).len == 0)
			return;
		part_add(domain, word);
	}
}

/* "@a.example,@b.example:" of old; it means nothing any more. */
static void
skip_route(struct span *in)
{
	char text[ADDRESS_PART_MAX];
	struct address_part part = { .p = text, .size = sizeof(text) };

	cfws_skip(in);
	while (in->len > 0 && (in->p[0] == '@' || in->p[0] == ',')) {
		*in = span_from(*in, 1);
		part.len = 0;
		take_domain(in, &part);
	}
	if (in->len > 0 && in->p[0] == ':')
		*in = span_from(*in, 1);
}

/* Up to the next comma, or the group's end; true if there was anything. */
static bool
skip_rest(struct address_list *l)
{
	bool any = false;

	for (;;) {
		cfws_skip(&l->rest);
		if (l->rest.len == 0 || l->rest.p[0] == ',' ||
		    (l->rest.p[0] == ';' && l->in_group))
			return any;
		any = true;
		if (take_atom(&l->rest).len == 0)
			l->rest = span_from(l->rest, 1);
	}
}

static bool
take_at(struct span *in, char c)
{
	if (in->len == 0 || in->p[0] != c)
		return false;
	*in = span_from(*in, 1);
	return true;
}

/* Behind the words that a mailbox, or a group, begins with. */
static void
take_mailbox(struct address_list *l, struct address *out,
    struct address_part *local, struct address_part *domain)
{
	struct address_part none = { .size = 0 };
	bool angle = take_at(&l->rest, '<');

	if (angle) {
		out->bad |= out->name.len == 0 && local->len > 0;
		local->len = 0;
		local->cut = local->joined = false;
		skip_route(&l->rest);
		out->bad |= take_words(&l->rest, &none, local);
	}
	if (take_at(&l->rest, '@'))
		take_domain(&l->rest, domain);
	if (angle)
		out->bad |= !take_at(&l->rest, '>');
	else
		out->name.len = 0;
	out->bad |= local->cut || local->joined || domain->cut;
	out->bad |= skip_rest(l);
	out->local = part_span(local);
	out->domain = part_span(domain);
}

void
address_list_begin(struct address_list *l, struct span value)
{
	l->rest = value;
	l->count = 0;
	l->in_group = l->cut = false;
}

bool
address_list_next(struct address_list *l, struct address *out)
{
	struct address_part name = { .p = l->name, .size = sizeof(l->name) };
	struct address_part local = { .p = l->local, .size = sizeof(l->local) };
	struct address_part domain = { .p = l->domain,
		.size = sizeof(l->domain) };

	memset(out, 0, sizeof(*out));
	do
		cfws_skip(&l->rest);
	while (take_at(&l->rest, ','));
	if (l->rest.len == 0 && !l->in_group)
		return false;
	if (l->rest.len == 0 || (l->in_group && take_at(&l->rest, ';'))) {
		l->in_group = false;
		out->kind = ADDRESS_GROUP_END;
		return true;
	}
	if (l->count++ == ADDRESS_LIST_MAX) {
		l->cut = true;
		l->rest.len = 0;
		return false;
	}
	out->bad = take_words(&l->rest, &name, &local);
	out->name = span_trim(part_span(&name));
	if (!l->in_group && take_at(&l->rest, ':')) {
		l->in_group = true;
		out->kind = ADDRESS_GROUP_START;
		return true;
	}
	take_mailbox(l, out, &local, &domain);
	return true;
}
