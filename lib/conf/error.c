/*
 * lib/conf/error.c - complaints about a configuration: collected with their
 * places, and with a guess at what a mistyped word was meant to be.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lib/conf/parser.h"
#include "lib/mem.h"

/* Longer words are compared by their beginning: those of the language fit. */
#define SUGGEST_MAX 40

static void __attribute__((format(printf, 5, 0)))
complain(struct conf_parser *p, const char *file, unsigned line,
    unsigned column, const char *fmt, va_list ap)
{
	struct conf_errors *es = p->errors;
	struct conf_error *e;
	size_t i;

	if (es->n > CONF_ERRORS_MAX)
		return;
	es->list = xreallocarray(es->list, es->n + 1, sizeof(*es->list));
	e = &es->list[es->n++];
	memset(e, 0, sizeof(*e));
	snprintf(e->file, sizeof(e->file), "%s", file);
	e->line = line;
	e->column = column;
	if (es->n > CONF_ERRORS_MAX)
		snprintf(e->text, sizeof(e->text),
		    "more than %d errors; the rest is not shown",
		    CONF_ERRORS_MAX);
	else
		vsnprintf(e->text, sizeof(e->text), fmt, ap);
	/* Words are shown as they stand in the file: nothing for a terminal. */
	for (i = 0; e->text[i] != '\0'; i++)
		if ((unsigned char)e->text[i] < ' ' || e->text[i] == 0x7f)
			e->text[i] = '?';
}

void
conf_bad_at(struct conf_parser *p, const char *file, unsigned line,
    unsigned column, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(p, file, line, column, fmt, ap);
	va_end(ap);
}

void
conf_bad(struct conf_parser *p, const struct conf_node *n, size_t i,
    const char *fmt, ...)
{
	const struct conf_word *w;
	va_list ap;

	w = &n->words[i < n->nwords ? i : n->nwords - 1];
	va_start(ap, fmt);
	complain(p, n->file, w->line, w->column, fmt, ap);
	va_end(ap);
}

/* Edits that turn a into b: change, insert, delete, swap of neighbours. */
static unsigned
edit_distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b), i, j;
	unsigned rows[3][SUGGEST_MAX + 1], *two = rows[0], *one = rows[1],
	    *now = rows[2], *spare, best;

	if (la > SUGGEST_MAX)
		la = SUGGEST_MAX;
	if (lb > SUGGEST_MAX)
		lb = SUGGEST_MAX;
	for (j = 0; j <= lb; j++) {
		one[j] = (unsigned)j;
		two[j] = 0; /* read from the second round on */
	}
	for (i = 1; i <= la; i++) {
		now[0] = (unsigned)i;
		for (j = 1; j <= lb; j++) {
			best = one[j - 1] +
			    (ascii_lower(a[i - 1]) != ascii_lower(b[j - 1]));
			if (one[j] + 1 < best)
				best = one[j] + 1;
			if (now[j - 1] + 1 < best)
				best = now[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1] && two[j - 2] + 1 < best)
				best = two[j - 2] + 1;
			now[j] = best;
		}
		spare = two;
		two = one;
		one = now;
		now = spare;
	}
	return one[lb];
}

const char *
conf_suggest(const char *word, const char *(*get)(const void *arg, size_t i),
    const void *arg)
{
	const char *candidate, *best = NULL;
	/* A third of the word may be wrong; of a short one, one letter. */
	unsigned limit = (unsigned)(strlen(word) + 1) / 3, d;
	size_t i;

	if (limit == 0)
		limit = 1;
	for (i = 0; (candidate = get(arg, i)) != NULL; i++) {
		d = edit_distance(word, candidate);
		if (d <= limit && d < strlen(candidate)) {
			best = candidate;
			if (d == 0)
				break;
			limit = d - 1;
		}
	}
	return best;
}

static const char *
nth_word(const void *arg, size_t i)
{
	return ((const char *const *)arg)[i];
}

void
conf_bad_word(struct conf_parser *p, const struct conf_node *n, size_t i,
    const char *const *words)
{
	const char *meant = conf_suggest(n->words[i].text, nth_word, words);
	char all[200] = "";
	size_t k, len = 0;

	if (meant != NULL) {
		conf_bad(p, n, i, "\"%s\" is not known here; "
		    "do you mean \"%s\"?", n->words[i].text, meant);
		return;
	}
	for (k = 0; words[k] != NULL && len < sizeof(all); k++)
		len += (size_t)snprintf(all + len, sizeof(all) - len, "%s%s",
		    k == 0 ? "" : ", ", words[k]);
	conf_bad(p, n, i, "\"%s\" is not known here; it is one of: %s",
	    n->words[i].text, all);
}

int
conf_choose(struct conf_parser *p, const struct conf_node *n, size_t i,
    const char *const *words)
{
	int k;

	if (i >= n->nwords) {
		conf_bad(p, n, i, "a word is missing behind \"%s\"",
		    n->words[n->nwords - 1].text);
		return -1;
	}
	for (k = 0; words[k] != NULL; k++)
		if (strcmp(n->words[i].text, words[k]) == 0)
			return k;
	conf_bad_word(p, n, i, words);
	return -1;
}

void
conf_errors_clear(struct conf_errors *errors)
{
	x_free(&errors->list);
	errors->n = 0;
}
