/*
 * lib/mail/aliases.c - the one parser of alias files. It knows the grammar alone:
 * what a name means is expand.c's business. Nothing here opens a file.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/mail/aliases.h"
#include "lib/buf.h"
#include "lib/mem.h"

/* One run over a text. */
struct parse {
	struct aliases *a;
	bool programs;
	aliases_bad_fn *bad;
	void *arg;
	unsigned line;         /* where the definition at hand begins */
	size_t nrefs, text_len; /* of a, before that definition */
};

void
aliases_clear(struct aliases *a)
{
	table_clear(&a->names);
	x_free(&a->lists);
	x_free(&a->refs);
	x_free(&a->text);
	memset(a, 0, sizeof(*a));
}

static void
refs_add(struct aliases *a, const struct alias_target *t)
{
	if (a->nrefs == a->refs_cap) {
		a->refs_cap = a->refs_cap == 0 ? 64 : a->refs_cap * 2;
		a->refs = xreallocarray(a->refs, a->refs_cap,
		    sizeof(*a->refs));
	}
	while (a->text_len + t->text.len > a->text_cap) {
		a->text_cap = a->text_cap == 0 ? 1024 : a->text_cap * 2;
		a->text = xreallocarray(a->text, a->text_cap, 1);
	}
	a->refs[a->nrefs++] = (struct alias_ref){
		.off = (uint32_t)a->text_len, .len = (uint16_t)t->text.len,
		.kind = (uint8_t)t->kind };
	memcpy(a->text + a->text_len, t->text.p, t->text.len);
	a->text_len += t->text.len;
}

/* All values of a definition; NULL, or what is wrong with one. */
static const char *
take_values(struct parse *p, struct span values)
{
	struct alias_value v;
	struct alias_target t;
	const char *complaint;
	int more;

	while ((more = alias_list_next(&values, &v, &t, &complaint)) != 0) {
		if (more == -1)
			return complaint;
		if (t.kind >= ALIAS_COMMAND && !p->programs)
			return "commands, files and includes need "
			    "\"as USER\" behind the aliases file";
		if (p->a->nrefs - p->nrefs == ALIASES_TARGETS_MAX)
			return "too many values";
		refs_add(p->a, &t);
		if (t.kind >= ALIAS_COMMAND)
			p->a->has_programs = true;
	}
	return p->a->nrefs == p->nrefs ? "a name without a value" : NULL;
}

/* name: up to the first colon outside quotes; its domain in lower case. */
static const char *
take_name(struct span *rest, char name[ALIASES_NAME_MAX + 1])
{
	bool in_quotes = false;
	size_t i, n = 0, at;

	for (i = 0; i < rest->len; i++) {
		char c = rest->p[i];

		if (c == '"')
			in_quotes = !in_quotes;
		else if (c == ':' && !in_quotes)
			break;
		else if (n == ALIASES_NAME_MAX)
			return "the name is too long";
		else if (c == '\0' || c == '\n')
			return "not of the form name: value, value";
		else
			name[n++] = c;
	}
	while (n > 0 && strchr(" \t", name[n - 1]) != NULL)
		n--;
	if (i == rest->len || n == 0 || in_quotes || *name == '@')
		return "not of the form name: value, value";
	for (at = 0; at < n && name[at] != '@'; at++)
		;
	for (; at < n; at++)
		name[at] = ascii_lower(name[at]);
	name[n] = '\0';
	*rest = span_from(*rest, i + 1);
	return NULL;
}

static const char *
take_definition(struct parse *p, struct span text)
{
	struct aliases *a = p->a;
	char name[ALIASES_NAME_MAX + 1];
	const char *complaint;

	if ((complaint = take_name(&text, name)) != NULL ||
	    (complaint = take_values(p, text)) != NULL)
		return complaint;
	if (a->nlists == ALIASES_NAMES_MAX)
		return "too many names";
	if (table_add(&a->names, span_str(name), (uint32_t)a->nlists) == -1)
		return "this name has been defined already";
	if ((a->nlists & (a->nlists - 1)) == 0) /* grows by doubling */
		a->lists = xreallocarray(a->lists,
		    a->nlists == 0 ? 1 : a->nlists * 2, sizeof(*a->lists));
	a->lists[a->nlists++] = (struct alias_list){ (uint32_t)p->nrefs,
	    (uint32_t)(a->nrefs - p->nrefs) };
	return NULL;
}

static void
definition(struct parse *p, struct span text)
{
	const char *complaint;

	p->nrefs = p->a->nrefs;
	p->text_len = p->a->text_len;
	if ((complaint = take_definition(p, text)) == NULL)
		return;
	p->a->nrefs = p->nrefs;
	p->a->text_len = p->text_len;
	p->bad(p->arg, p->line, complaint);
}

/* "Postmaster: root" answers to postmaster too, unless that is there itself. */
static void
add_lower_twins(struct aliases *a)
{
	size_t i, k, n = a->names.n;
	char lower[ALIASES_NAME_MAX + 1];

	for (i = 0; i < n; i++) {
		struct span name = table_name(&a->names, i);

		for (k = 0; k < name.len; k++)
			lower[k] = ascii_lower(name.p[k]);
		if (memcmp(lower, name.p, name.len) != 0)
			(void)table_add(&a->names, span_make(lower, name.len),
			    a->names.entries[i].value); /* EEXIST: its own */
	}
}

static bool
is_blank(struct span line)
{
	while (line.len > 0 && *line.p != '\0' &&
	    strchr(" \t\r", *line.p) != NULL)
		line = span_from(line, 1);
	return line.len == 0 || *line.p == '#';
}

/* A definition is a line and those behind it that begin with a blank; comments
 * and empty lines between them do not end it (as in sendmail and Postfix). */
void
aliases_parse(struct aliases *a, struct span text, bool programs,
    aliases_bad_fn *bad, void *arg)
{
	struct parse p = { .a = a, .programs = programs, .bad = bad,
	    .arg = arg };
	struct buf def = BUF_INIT(ALIASES_FILE_MAX);
	struct span line;
	unsigned number = 0;

	while (text.len > 0) {
		span_split(text, '\n', &line, &text);
		number++;
		if (is_blank(line))
			continue;
		if (*line.p != ' ' && *line.p != '\t') {
			if (def.len > 0)
				definition(&p, buf_span(&def));
			buf_reset(&def);
			p.line = number;
		} else if (def.len == 0) {
			bad(arg, number, "a continuation of nothing");
			continue;
		}
		(void)buf_add_span(&def, line);
		(void)buf_add_char(&def, '\n');
	}
	if (def.len > 0)
		definition(&p, buf_span(&def));
	buf_clear(&def);
	a->ndefined = a->nlists;
	add_lower_twins(a);
}

int
aliases_read(struct aliases *a, int fd, bool programs, aliases_bad_fn *bad,
    void *arg)
{
	struct buf b = BUF_INIT(ALIASES_FILE_MAX + 65536);
	struct stat st;
	ssize_t n;
	int rv = -1;

	if (fstat(fd, &st) == -1)
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	for (;;) {
		char *p = buf_reserve(&b, 65536);

		if (p == NULL) {
			errno = EFBIG;
			goto done;
		}
		if ((n = pread(fd, p, 65536, (off_t)b.len)) == 0)
			break;
		if (n == -1 && errno != EINTR)
			goto done;
		if (n > 0)
			buf_grow(&b, (size_t)n);
	}
	aliases_parse(a, buf_span(&b), programs, bad, arg);
	rv = 0;
done:
	buf_clear(&b);
	return rv;
}

bool
aliases_find(const struct aliases *a, struct span name, uint32_t *list)
{
	char lower[ALIASES_NAME_MAX + 1];
	size_t i;

	if (name.len > ALIASES_NAME_MAX)
		return false;
	if (table_find(&a->names, name, list))
		return true;
	for (i = 0; i < name.len; i++)
		lower[i] = ascii_lower(name.p[i]);
	return table_find(&a->names, span_make(lower, name.len), list);
}

size_t
alias_count(const struct aliases *a, uint32_t list)
{
	return a->lists[list].n;
}

struct alias_target
alias_target(const struct aliases *a, uint32_t list, size_t n)
{
	const struct alias_ref *r = &a->refs[a->lists[list].first + n];

	return (struct alias_target){ (enum alias_kind)r->kind,
	    span_make(a->text + r->off, r->len) };
}
