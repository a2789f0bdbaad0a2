/*
 * lib/conf/lexer.c - text to words with their places, words to a tree of
 * statements. It knows nothing of what a statement means. After a complaint
 * it goes on behind the spot, so that one run finds every fault.
 */
#include "lib/conf/parser.h"
#include "lib/mem.h"

struct lexer {
	struct conf_parser *p;
	const char *file;
	const char *at, *end;
	unsigned line, column;
	unsigned nest;
};

static void
advance(struct lexer *x)
{
	if (*x->at++ == '\n') {
		x->line++;
		x->column = 1;
	} else
		x->column++;
}

static bool
is_special(char c)
{
	return c == ';' || c == '{' || c == '}' || c == ',' || c == '#' ||
	    c == '\n' || c == ' ' || c == '\t' || c == '\r';
}

/* Blanks and comments; with lines, ends of line as well. */
static void
skip_blank(struct lexer *x, bool lines)
{
	while (x->at < x->end) {
		if (*x->at == '#') {
			while (x->at < x->end && *x->at != '\n')
				advance(x);
		} else if (*x->at == ' ' || *x->at == '\t' ||
		    *x->at == '\r' || (lines && *x->at == '\n'))
			advance(x);
		else
			return;
	}
}

static bool
is_control(char c)
{
	return ((unsigned char)c < ' ' && c != '\t') || c == 0x7f;
}

/* A word in quotes: up to the next quote of the same line. */
static struct span
read_quoted(struct lexer *x)
{
	unsigned line = x->line, column = x->column;
	const char *start;
	size_t len;

	advance(x);
	start = x->at;
	while (x->at < x->end && *x->at != '"' && *x->at != '\n')
		advance(x);
	len = (size_t)(x->at - start);
	if (x->at == x->end || *x->at == '\n') {
		conf_bad_at(x->p, x->file, line, column,
		    "the quote that opens here is not closed in this line");
		return span_make(start, len);
	}
	advance(x);
	if (x->at < x->end && !is_special(*x->at))
		conf_bad_at(x->p, x->file, x->line, x->column,
		    "a blank is missing behind the quote");
	return span_make(start, len);
}

static struct span
read_plain(struct lexer *x)
{
	const char *start = x->at;

	while (x->at < x->end && !is_special(*x->at)) {
		if (*x->at == '"')
			conf_bad_at(x->p, x->file, x->line, x->column,
			    "a quote in the middle of a word; "
			    "put the whole word in quotes");
		advance(x);
	}
	return span_make(start, (size_t)(x->at - start));
}

static void
read_word(struct lexer *x, struct conf_word *w)
{
	struct span s;
	size_t i;

	w->line = x->line;
	w->column = x->column;
	w->comma = false;
	s = *x->at == '"' ? read_quoted(x) : read_plain(x);
	for (i = 0; i < s.len; i++)
		if (is_control(s.p[i])) {
			conf_bad_at(x->p, x->file, w->line,
			    w->column + (unsigned)i, "a control character");
			break;
		}
	if (s.len > CONF_WORD_MAX) {
		conf_bad_at(x->p, x->file, w->line, w->column,
		    "a word of more than %d octets", CONF_WORD_MAX);
		s.len = CONF_WORD_MAX;
	}
	w->text = arena_dup(&x->p->tree, s);
}

static void
add_word(struct lexer *x, struct conf_node *n)
{
	struct conf_word *more;

	if ((n->nwords & (n->nwords - 1)) == 0) {
		more = arena_alloc(&x->p->tree,
		    n->nwords == 0 ? 1 : n->nwords * 2, sizeof(*more));
		if (n->nwords > 0)
			memcpy(more, n->words, n->nwords * sizeof(*more));
		n->words = more;
	}
	read_word(x, &n->words[n->nwords]);
	n->nwords++;
}

static struct conf_node *read_block(struct lexer *x);

/* One statement; the cursor stands on its first word. */
static void
read_statement(struct lexer *x, struct conf_node *n)
{
	bool comma = false;

	n->file = x->file;
	while (x->at < x->end) {
		skip_blank(x, comma); /* a list goes on in the next line */
		if (x->at == x->end || *x->at == '\n' || *x->at == '}' ||
		    *x->at == '{' || *x->at == ';')
			break;
		if (*x->at == ',') {
			if (comma || n->nwords < 2)
				conf_bad_at(x->p, x->file, x->line, x->column,
				    "a comma without a word before it");
			else
				n->words[n->nwords - 1].comma = comma = true;
			advance(x);
		} else if (n->nwords == CONF_WORDS_MAX) {
			conf_bad_at(x->p, x->file, x->line, x->column,
			    "more than %d words in one statement",
			    CONF_WORDS_MAX);
			while (x->at < x->end && *x->at != '\n')
				advance(x);
		} else {
			add_word(x, n);
			comma = false;
		}
	}
	if (comma) {
		conf_bad(x->p, n, n->nwords, "a word is missing behind the "
		    "comma");
		n->words[n->nwords - 1].comma = false;
	}
	if (x->at < x->end && *x->at == ';')
		advance(x);
	else if (x->at < x->end && *x->at == '{') {
		n->has_block = true;
		n->first = read_block(x);
	}
}

/* Statements up to the closing brace (nest > 0) or the end of the text. */
static struct conf_node *
read_statements(struct lexer *x)
{
	struct conf_node *first = NULL, **last = &first, *n;

	for (;;) {
		skip_blank(x, true);
		while (x->at < x->end && *x->at == ';') {
			advance(x);
			skip_blank(x, true);
		}
		if (x->at == x->end)
			return first;
		if (*x->at == '}') {
			if (x->nest > 0)
				return first;
			conf_bad_at(x->p, x->file, x->line, x->column,
			    "a closing brace without an opening one");
			advance(x);
			continue;
		}
		if (*x->at == '{' || *x->at == ',') {
			conf_bad_at(x->p, x->file, x->line, x->column,
			    "a word is expected here, not \"%c\"", *x->at);
			if (*x->at == ',') {
				advance(x);
				continue;
			}
		}
		n = arena_alloc(&x->p->tree, 1, sizeof(*n));
		read_statement(x, n);
		if (n->nwords == 0)
			continue; /* a block without a name: complained above */
		*last = n;
		last = &n->next;
	}
}

/* Deeper than the language goes: to the end of that block, unread. */
static void
skip_block(struct lexer *x)
{
	unsigned depth = 1;

	while (x->at < x->end && depth > 0) {
		if (*x->at == '{')
			depth++;
		else if (*x->at == '}')
			depth--;
		advance(x);
	}
}

static struct conf_node *
read_block(struct lexer *x)
{
	unsigned line = x->line, column = x->column;
	struct conf_node *first;

	advance(x);
	if (x->nest == CONF_NEST_MAX) {
		conf_bad_at(x->p, x->file, line, column,
		    "blocks nested deeper than %d", CONF_NEST_MAX);
		skip_block(x);
		return NULL;
	}
	x->nest++;
	first = read_statements(x);
	x->nest--;
	if (x->at == x->end)
		conf_bad_at(x->p, x->file, line, column,
		    "the block that opens here is not closed");
	else
		advance(x);
	return first;
}

struct conf_node *
conf_read_tree(struct conf_parser *p, const char *file, struct span text)
{
	struct lexer x = { .p = p, .file = file, .line = 1, .column = 1 };

	if (text.len == 0)
		return NULL;
	x.at = text.p;
	x.end = text.p + text.len;
	return read_statements(&x);
}
