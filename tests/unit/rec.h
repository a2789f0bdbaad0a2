/*
 * rec.h - reads the vectors of other projects: records of "key TAB field..."
 * lines, an empty line between records, octets outside 0x20..0x7e escaped.
 * They lie outside the tree, in the folder that TESTDATA names or beside the
 * source in ../shared/testdata. A set that is absent is said to be skipped, and
 * the test goes on with its own tables.
 */
#ifndef TESTS_UNIT_REC_H
#define TESTS_UNIT_REC_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/span.h"

#define REC_LINES 1000       /* of one record */
#define REC_WORDS 8          /* fields of one line, its key included */
#define REC_MAX   (64 << 20) /* octets of one record */

struct rec {
	FILE *f;
	char *line;
	size_t cap;
	struct buf text; /* the fields of the record, unescaped, NUL behind */
	struct rec_line {
		size_t n;
		size_t at[REC_WORDS], len[REC_WORDS]; /* within text */
	} lines[REC_LINES];
	size_t n;
};

/* rec_file - opens NAME below the vectors' folder; NULL: said to be skipped. */
static inline FILE *
rec_file(const char *name)
{
	const char *root = getenv("TESTDATA"), *src = getenv("SRCDIR");
	char path[4096];
	FILE *f;

	if (root != NULL)
		snprintf(path, sizeof(path), "%s/%s", root, name);
	else
		snprintf(path, sizeof(path), "%s/../shared/testdata/%s",
		    src == NULL ? "." : src, name);
	if ((f = fopen(path, "r")) == NULL)
		printf("skipped: no vectors %s\n", name);
	return f;
}

static inline void
rec_open(struct rec *r, const char *name)
{
	memset(r, 0, sizeof(*r));
	buf_init(&r->text, REC_MAX);
	r->f = rec_file(name);
}

static inline int
rec_hex(char c)
{
	return c >= 'a' ? c - 'a' + 10 : c - '0';
}

/* One field, unescaped, with a NUL behind it that does not count. */
static inline void
rec_add(struct rec *r, struct rec_line *l, struct span in)
{
	size_t i;
	char c;

	l->at[l->n] = r->text.len;
	for (i = 0; i < in.len; i++) {
		c = in.p[i];
		if (c == '\\' && i + 1 < in.len) {
			c = in.p[++i];
			if (c == 'x' && i + 2 < in.len) {
				c = (char)(rec_hex(in.p[i + 1]) * 16 +
				    rec_hex(in.p[i + 2]));
				i += 2;
			} else {
				c = c == 'n' ? '\n' : c == 'r' ? '\r' :
				    c == 't' ? '\t' : c;
			}
		}
		buf_add_char(&r->text, c);
	}
	l->len[l->n] = r->text.len - l->at[l->n];
	buf_add_char(&r->text, '\0');
	l->n++;
}

/* rec_next - the next record; false at the end, and then all is closed. */
static inline bool
rec_next(struct rec *r)
{
	struct span rest, word;
	ssize_t n;

	r->n = 0;
	buf_reset(&r->text);
	while (r->f != NULL && (n = getline(&r->line, &r->cap, r->f)) > 0) {
		if (r->line[0] == '#')
			continue;
		if (r->line[0] == '\n') {
			if (r->n > 0)
				return true;
			continue;
		}
		if (r->n == REC_LINES)
			continue;
		rest = span_make(r->line, (size_t)n);
		rest.len -= rest.p[rest.len - 1] == '\n';
		memset(&r->lines[r->n], 0, sizeof(r->lines[0]));
		for (;;) {
			bool last = span_find(rest, '\t') == -1;

			span_split(rest, '\t', &word, &rest);
			if (r->lines[r->n].n < REC_WORDS)
				rec_add(r, &r->lines[r->n], word);
			if (last)
				break;
		}
		r->n++;
	}
	if (r->n > 0)
		return true;
	if (r->f != NULL)
		fclose(r->f);
	free(r->line);
	buf_clear(&r->text);
	r->f = NULL;
	r->line = NULL;
	return false;
}

/* rec_word - field w (0: the key) of line i; empty where there is none. */
static inline struct span
rec_word(const struct rec *r, size_t i, size_t w)
{
	if (i >= r->n || w >= r->lines[i].n)
		return span_str("");
	return span_make(r->text.p + r->text.off + r->lines[i].at[w],
	    r->lines[i].len[w]);
}

/* rec_get - the first field of the first line with that key. */
static inline struct span
rec_get(const struct rec *r, const char *key)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		if (span_eqstr(rec_word(r, i, 0), key))
			return rec_word(r, i, 1);
	return span_str("");
}

static inline const char *
rec_str(const struct rec *r, const char *key)
{
	return rec_get(r, key).p;
}

#endif /* TESTS_UNIT_REC_H */
