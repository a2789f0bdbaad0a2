/*
 * lib/conf/table.c - what the tables of statements have in common: finding a
 * row, filling in standards, reading a block by its table and writing it out
 * by the same one, so that what is written is read again as it was.
 */
#include <arpa/inet.h>
#include <stdio.h>

#include "lib/conf/parser.h"
#include "lib/log.h"
#include "lib/mem.h"

/* -- memory ---------------------------------------------------------------- */

struct arena_item {
	struct arena_item *next;
};

void *
arena_alloc(struct arena *a, size_t n, size_t size)
{
	struct arena_item *item;

	item = xcalloc(1, sizeof(*item) + n * size);
	item->next = a->items;
	a->items = item;
	return item + 1;
}

char *
arena_dup(struct arena *a, struct span s)
{
	char *copy = arena_alloc(a, s.len + 1, 1);

	if (s.len > 0)
		memcpy(copy, s.p, s.len);
	return copy;
}

void
arena_free(struct arena *a)
{
	struct arena_item *item, *next;

	for (item = a->items; item != NULL; item = next) {
		next = item->next;
		mem_free(item);
	}
	a->items = NULL;
}

void *
conf_alloc(struct conf *c, size_t n, size_t size)
{
	struct conf_private *private = c->arena;

	return arena_alloc(&private->arena, n, size);
}

char *
conf_dup(struct conf *c, const char *s)
{
	struct conf_private *private = c->arena;

	return arena_dup(&private->arena, span_str(s));
}

void *
conf_grow(struct conf *c, void *array, size_t n, size_t size)
{
	void *more;

	if ((n & (n - 1)) != 0)
		return array;
	more = conf_alloc(c, n == 0 ? 1 : n * 2, size);
	if (n > 0)
		memcpy(more, array, n * size);
	return more;
}

/* -- rows ------------------------------------------------------------------ */

const struct conf_row *
conf_row_find(const struct conf_row *rows, const char *name)
{
	for (; rows->name != NULL; rows++)
		if (strcmp(rows->name, name) == 0)
			return rows;
	return NULL;
}

const struct conf_node *
conf_child(const struct conf_node *n, const char *name)
{
	const struct conf_node *child;

	for (child = n->first; child != NULL; child = child->next)
		if (strcmp(child->words[0].text, name) == 0)
			return child;
	return NULL;
}

/* A field of the struct that a row's offset names. */
static void
store_number(const struct conf_row *row, void *into, uint64_t v)
{
	char *at = (char *)into + row->offset;
	uint32_t u32 = (uint32_t)v;
	uint16_t u16 = (uint16_t)v;
	int64_t i64 = (int64_t)v;

	if (row->type == T_COUNT)
		memcpy(at, &u32, sizeof(u32));
	else if (row->type == T_PORT)
		memcpy(at, &u16, sizeof(u16));
	else if (row->type == T_SIZE)
		memcpy(at, &v, sizeof(v));
	else
		memcpy(at, &i64, sizeof(i64));
}

static void
parse_value(struct conf_parser *p, const struct conf_node *n,
    const struct conf_row *row, void *into)
{
	char *at = (char *)into + row->offset;
	uint64_t v = 0;
	int64_t t = 0;
	bool ok = false, yes = true;

	switch (row->type) {
	case T_FLAG:
		conf_no_more(p, n, 1);
		memcpy(at, &yes, sizeof(yes));
		return;
	case T_COUNT:
	case T_PORT:
		ok = conf_get_count(p, n, 1, row->min, row->max, &v);
		break;
	case T_SIZE:
		ok = conf_get_size(p, n, 1, row->min, row->max, &v);
		break;
	case T_TIME:
		ok = conf_get_time(p, n, 1, row->min, row->max, &t);
		v = (uint64_t)t;
		break;
	case T_HOST:
		conf_get_host(p, n, 1, (char **)(void *)at);
		break;
	case T_PATH:
		conf_get_path(p, n, 1, (char **)(void *)at);
		break;
	case T_NAME:
		conf_get_name(p, n, 1, (char **)(void *)at);
		break;
	case T_CALL:
		row->parse(p, n, into);
		return;
	}
	if (ok)
		store_number(row, into, v);
	conf_no_more(p, n, 2);
}

void
conf_rows_default(const struct conf_row *rows, void *into)
{
	struct conf_errors errors = { 0 };
	struct conf_parser p = { .errors = &errors, .test = true };
	struct conf_word words[2] = { { 0 } };
	struct conf_node n = { .file = "default", .words = words, .nwords = 2 };

	for (; rows->name != NULL; rows++) {
		if (rows->standard == NULL || rows->type == T_CALL)
			continue;
		words[0].text = (char *)(uintptr_t)rows->name;
		words[1].text = (char *)(uintptr_t)rows->standard;
		parse_value(&p, &n, rows, into);
	}
	if (errors.n > 0) /* our own table is wrong: any start shows it */
		fatalx("standard of a statement: %s", errors.list[0].text);
}

/* What complaints about an unknown word search for a suggestion. */
struct row_search {
	const struct conf_row *rows;
	int kind;
	bool test;
};

static bool
row_is_for(const struct conf_row *row, int kind)
{
	return row->kinds == 0 || kind < 0 || (row->kinds & (1u << kind)) != 0;
}

static const char *
nth_row(const void *arg, size_t i)
{
	const struct row_search *s = arg;
	const struct conf_row *row;

	for (row = s->rows; row->name != NULL; row++)
		if (row_is_for(row, s->kind) &&
		    (s->test || (row->flags & ROW_TEST) == 0) && i-- == 0)
			return row->name;
	return NULL;
}

static void
unknown_statement(struct conf_parser *p, const struct conf_node *n,
    const struct conf_row *rows, int kind, const char *where)
{
	struct row_search s = { rows, kind, p->test };
	const char *meant, *name = n->words[0].text;

	meant = conf_suggest(name, nth_row, &s);
	if (meant != NULL)
		conf_bad(p, n, 0, "\"%s\" is not known in %s; do you mean "
		    "\"%s\"?", name, where, meant);
	else
		conf_bad(p, n, 0, "\"%s\" is not known in %s", name, where);
}

/* Said twice within one block, the second is a slip. */
static bool
is_repeated(const struct conf_node *block, const struct conf_node *n,
    const struct conf_row *row)
{
	return (row->flags & ROW_MANY) == 0 &&
	    conf_child(block, n->words[0].text) != n;
}

void
conf_rows_parse(struct conf_parser *p, const struct conf_node *block,
    const struct conf_row *rows, int kind, const char *where, void *into)
{
	const struct conf_row *row;
	const struct conf_node *n;

	for (n = block->first; n != NULL; n = n->next) {
		row = conf_row_find(rows, n->words[0].text);
		if (row == NULL)
			unknown_statement(p, n, rows, kind, where);
		else if (!row_is_for(row, kind))
			conf_bad(p, n, 0, "\"%s\" means nothing in %s",
			    row->name, where);
		else if ((row->flags & ROW_TEST) != 0 && !p->test)
			conf_bad(p, n, 0, "\"%s\" is for tests alone "
			    "(barid run --test DIR)", row->name);
		else if (n->has_block && (row->flags & ROW_BLOCK) == 0)
			conf_bad(p, n, 0, "\"%s\" has no block", row->name);
		else if (!n->has_block && (row->flags & ROW_BLOCK) != 0)
			conf_bad(p, n, 0, "\"%s\" needs a block: %s%s%s { "
			    "... }", row->name, row->name,
			    row->args == NULL ? "" : " ",
			    row->args == NULL ? "" : row->args);
		else if (is_repeated(block, n, row))
			conf_bad(p, n, 0, "\"%s\" stands here twice",
			    row->name);
		else
			parse_value(p, n, row, into);
	}
}

/* -- writing --------------------------------------------------------------- */

void
conf_put(struct conf_writer *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (buf_vaddf(w->b, fmt, ap) == -1)
		w->failed = true;
	va_end(ap);
}

void
conf_put_word(struct conf_writer *w, const char *word)
{
	bool quote = word[0] == '\0' || strpbrk(word, " \t;{},#") != NULL;

	/* No word has a quote in it: the language has no way to write one. */
	conf_put(w, quote ? " \"%s\"" : " %s", word);
}

void
conf_put_list(struct conf_writer *w, const struct conf_list *l)
{
	size_t i;

	for (i = 0; i < l->n; i++) {
		conf_put_word(w, l->words[i]);
		if (i + 1 < l->n)
			conf_put(w, ",");
	}
}

void
conf_put_size(struct conf_writer *w, uint64_t v)
{
	static const char letters[] = "\0KMG";
	size_t i = 0;

	while (i < 3 && v != 0 && v % 1024 == 0) {
		v /= 1024;
		i++;
	}
	conf_put(w, " %llu%.1s", (unsigned long long)v, &letters[i]);
}

void
conf_put_time(struct conf_writer *w, int64_t v)
{
	if (v == 0 || v % 60 != 0)
		conf_put(w, " %llds", (long long)v);
	else if (v % 3600 != 0)
		conf_put(w, " %lldm", (long long)v / 60);
	else if (v % 86400 != 0)
		conf_put(w, " %lldh", (long long)v / 3600);
	else
		conf_put(w, " %lldd", (long long)v / 86400);
}

void
conf_put_net(struct conf_writer *w, const struct conf_net *n)
{
	bool v4 = IN6_IS_ADDR_V4MAPPED(&n->addr) && n->prefix >= 96;
	char text[INET6_ADDRSTRLEN];

	if (v4)
		inet_ntop(AF_INET, &n->addr.s6_addr[12], text, sizeof(text));
	else
		inet_ntop(AF_INET6, &n->addr, text, sizeof(text));
	conf_put(w, " %s/%u", text, v4 ? n->prefix - 96 : n->prefix);
}

static void
format_value(struct conf_writer *w, const struct conf_row *row,
    const void *from)
{
	const char *at = (const char *)from + row->offset;
	const char *text;
	uint64_t v;
	int64_t t;
	uint32_t u32;
	uint16_t u16;

	switch (row->type) {
	case T_COUNT:
		memcpy(&u32, at, sizeof(u32));
		conf_put(w, " %u", u32);
		break;
	case T_PORT:
		memcpy(&u16, at, sizeof(u16));
		conf_put(w, " %u", u16);
		break;
	case T_SIZE:
		memcpy(&v, at, sizeof(v));
		conf_put_size(w, v);
		break;
	case T_TIME:
		memcpy(&t, at, sizeof(t));
		conf_put_time(w, t);
		break;
	case T_HOST:
	case T_PATH:
	case T_NAME:
		memcpy(&text, at, sizeof(text));
		conf_put_word(w, text);
		break;
	case T_FLAG:
	case T_CALL:
		break;
	}
}

/* Is there anything to be written of a row? */
static bool
has_value(const struct conf_row *row, const void *from)
{
	const char *at = (const char *)from + row->offset, *text;
	bool flag;

	if (row->type == T_FLAG) {
		memcpy(&flag, at, sizeof(flag));
		return flag;
	}
	if (row->type != T_HOST && row->type != T_PATH && row->type != T_NAME)
		return true;
	memcpy(&text, at, sizeof(text));
	return text != NULL;
}

void
conf_rows_format(struct conf_writer *w, const struct conf_row *rows, int kind,
    const void *from)
{
	for (; rows->name != NULL; rows++) {
		if (!row_is_for(rows, kind))
			continue;
		if (rows->type == T_CALL) {
			if (rows->format != NULL)
				rows->format(w, from);
			continue;
		}
		if (!has_value(rows, from))
			continue;
		conf_put(w, "%s%s", w->indent, rows->name);
		format_value(w, rows, from);
		conf_put(w, "\n");
	}
}
