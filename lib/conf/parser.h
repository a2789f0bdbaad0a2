/*
 * lib/conf/parser.h - what the rooms of the configuration parser share: the
 * tree of statements, the tables that say what each statement is, complaints.
 * Nobody outside lib/conf includes it.
 */
#ifndef LIB_CONF_PARSER_H
#define LIB_CONF_PARSER_H

#include "lib/conf.h"

/* All files of one configuration together, so that a wrong include ends. */
#define CONF_TEXT_OCTETS_MAX (4u * 1024 * 1024)
#define CONF_WORD_MAX        1000 /* octets: paths are the longest words */
#define CONF_WORDS_MAX       20000 /* in one statement: lists of domains */
#define CONF_NEST_MAX        4    /* the language itself needs 3 */
#define CONF_INCLUDE_MAX     8    /* files that include one another */
#define CONF_ERRORS_MAX      100  /* more tell nobody anything new */
#define CONF_LISTENS_MAX     100  /* descriptors that master holds for good */
#define CONF_TLS_MAX         100  /* files that master looks at */
#define CONF_RETRY_MAX       nitems(((struct conf_queue *)NULL)->retry_s)

/* -- memory that goes together --------------------------------------------- */

struct arena_item;
struct arena {
	struct arena_item *items;
};

/* What conf.arena points at. */
struct conf_private {
	struct arena arena;
	struct conf_name *names; /* of all domains, sorted */
	size_t nnames;
};

struct conf_name {
	const char *name;
	size_t domain;
};

void *arena_alloc(struct arena *a, size_t n, size_t size);
char *arena_dup(struct arena *a, struct span s);
void arena_free(struct arena *a);

/* conf_alloc, conf_dup - memory that lives as long as the configuration. */
void *conf_alloc(struct conf *c, size_t n, size_t size);
char *conf_dup(struct conf *c, const char *s);

/*
 * conf_grow - room for one more behind n elements of an array in the
 * configuration's arena: the array, moved perhaps; doubled at powers of two.
 */
void *conf_grow(struct conf *c, void *array, size_t n, size_t size);

/* -- the tree -------------------------------------------------------------- */

struct conf_word {
	char *text;
	unsigned line, column;
	bool comma; /* a comma stands behind it */
};

/* One statement: words, and behind them perhaps a block of statements. */
struct conf_node {
	const char *file;
	struct conf_word *words;
	size_t nwords;
	bool has_block;
	struct conf_node *first; /* of the block */
	struct conf_node *next;
};

struct conf_parser {
	struct conf *c;
	struct conf_errors *errors;
	struct arena tree;
	const char *test_dir;    /* or NULL */
	bool test;               /* test-only statements are lawful */
	bool part;               /* of master: "config 1 for ROLE" */
	bool loading;            /* from files: includes are lawful */
	bool seen_config;
	size_t octets;           /* read so far */
	unsigned depth;          /* of includes */
	const char *file;        /* the outermost one */
	/* the statement of each element, for complaints that come later */
	const struct conf_node *contact;
	const struct conf_node **listens, **users, **domains;
	const struct conf_node **vias; /* with a block, of the route block */
	size_t nvias;
};

/*
 * conf_read_tree - text to statements, complaints on the way. file must live as
 * long as the parser. Returns the first statement, or NULL.
 */
struct conf_node *conf_read_tree(struct conf_parser *p, const char *file,
    struct span text);

/* -- complaints ------------------------------------------------------------ */

/* conf_bad - complaint at word i of a statement (at its last one if i is too
 * high). conf_bad_at - at a place of a file. */
void conf_bad(struct conf_parser *p, const struct conf_node *n, size_t i,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void conf_bad_at(struct conf_parser *p, const char *file, unsigned line,
    unsigned column, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* conf_bad_word - word i is none of the NULL-terminated words. */
void conf_bad_word(struct conf_parser *p, const struct conf_node *n, size_t i,
    const char *const *words);

/* conf_choose - place of word i among the words, or -1 after a complaint. */
int conf_choose(struct conf_parser *p, const struct conf_node *n, size_t i,
    const char *const *words);

/* -- values ---------------------------------------------------------------- */

/*
 * conf_get_... - word i of a statement as a value: true, or false after a
 * complaint (also when there is no such word).
 */
bool conf_get_count(struct conf_parser *p, const struct conf_node *n, size_t i,
    uint64_t min, uint64_t max, uint64_t *out);
bool conf_get_size(struct conf_parser *p, const struct conf_node *n, size_t i,
    uint64_t min, uint64_t max, uint64_t *out);
bool conf_get_time(struct conf_parser *p, const struct conf_node *n, size_t i,
    uint64_t min, uint64_t max, int64_t *out);
bool conf_get_rate(struct conf_parser *p, const struct conf_node *n, size_t i,
    struct conf_rate *out);
bool conf_get_net(struct conf_parser *p, const struct conf_node *n, size_t i,
    struct conf_net *out);
bool conf_get_host(struct conf_parser *p, const struct conf_node *n, size_t i,
    char **out);
bool conf_get_address(struct conf_parser *p, const struct conf_node *n,
    size_t i, char **out);
bool conf_get_path(struct conf_parser *p, const struct conf_node *n, size_t i,
    char **out);
bool conf_get_name(struct conf_parser *p, const struct conf_node *n, size_t i,
    char **out);
bool conf_get_text(struct conf_parser *p, const struct conf_node *n, size_t i,
    char **out);
/* conf_take_... - the same of text, which stands in word i. An endpoint is
 * HOST[:PORT] or [ADDRESS]:PORT; *port is left alone when none is given. */
bool conf_take_path(struct conf_parser *p, const struct conf_node *n, size_t i,
    const char *text, char **out);
bool conf_take_endpoint(struct conf_parser *p, const struct conf_node *n,
    size_t i, const char *text, char **host, uint16_t *port);

/* conf_is_host - a domain name or an address; conf_is_domain - a name alone. */
bool conf_is_host(const char *s);
bool conf_is_domain(const char *s);

/*
 * conf_list_end - the list that begins at word i ends before this word.
 * conf_no_more - complains about words behind the first n ones; true if none.
 */
size_t conf_list_end(const struct conf_node *n, size_t i);
/* conf_get_list - the list at word i; each word in it is judged by fits, in
 * lower case if to_lower says so. Returns where it ends; 0: complained. */
size_t conf_get_list(struct conf_parser *p, const struct conf_node *n,
    size_t i, bool (*fits)(const char *s), const char *what, bool to_lower,
    struct conf_list *out);
bool conf_no_more(struct conf_parser *p, const struct conf_node *n, size_t i);

/* -- tables ---------------------------------------------------------------- */

/* What is written out; failed once the buffer was full. */
struct conf_writer {
	struct buf *b;
	const char *indent;
	bool failed;
};

void conf_put(struct conf_writer *w, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void conf_put_word(struct conf_writer *w, const char *word); /* " word" */
void conf_put_list(struct conf_writer *w, const struct conf_list *l);
void conf_put_size(struct conf_writer *w, uint64_t v);       /* " 4M" */
void conf_put_time(struct conf_writer *w, int64_t v);        /* " 5d" */
void conf_put_net(struct conf_writer *w, const struct conf_net *n);

enum conf_type {
	T_FLAG,  /* bool: the word alone */
	T_COUNT, /* uint32_t */
	T_PORT,  /* uint16_t */
	T_SIZE,  /* uint64_t, octets */
	T_TIME,  /* int64_t, seconds */
	T_HOST,  /* char * */
	T_PATH,  /* char * */
	T_NAME,  /* char * */
	T_CALL   /* as parse and format do it */
};

enum {
	ROW_TEST = 1,  /* lawful below --test alone */
	ROW_BLOCK = 2, /* has a block */
	ROW_MANY = 4   /* may stand more than once in a block */
};

/* One statement of a block: how it is written, what it means, where it goes. */
struct conf_row {
	const char *name;
	enum conf_type type;
	size_t offset;           /* in the struct of its block */
	uint64_t min, max;       /* of numbers */
	const char *standard;    /* what holds without it, as text; or NULL */
	unsigned flags;          /* ROW_ */
	unsigned kinds;          /* bits of enum conf_kind; 0: all */
	const char *args;        /* how its words are written */
	const char *doc;
	void (*parse)(struct conf_parser *p, const struct conf_node *n,
	    void *into);
	void (*format)(struct conf_writer *w, const void *from);
};

/* A block's table. It ends with a row without a name. */
const struct conf_row *conf_row_find(const struct conf_row *rows,
    const char *name);

/* conf_rows_default - fills numbers with their standard. */
void conf_rows_default(const struct conf_row *rows, void *into);

/* conf_rows_parse - the block of a statement into its struct. kind: of a
 * listener, or -1; where: how the block is called in complaints. */
void conf_rows_parse(struct conf_parser *p, const struct conf_node *block,
    const struct conf_row *rows, int kind, const char *where, void *into);

/* conf_rows_format - its statements, a line each. */
void conf_rows_format(struct conf_writer *w, const struct conf_row *rows,
    int kind, const void *from);

/* conf_child - the statement of that name in a block, or NULL. */
const struct conf_node *conf_child(const struct conf_node *n,
    const char *name);

void conf_accounts_default(struct conf_accounts *a);

extern const struct conf_row conf_listen_rows[], conf_users_rows[],
    conf_domain_rows[], conf_relay_rows[], conf_queue_rows[], conf_dns_rows[],
    conf_log_rows[], conf_via_rows[], conf_top_rows[], conf_tls_rows[],
    conf_accounts_rows[];

/* conf_read_text - one more text, statement by statement; name lives on. */
void conf_read_text(struct conf_parser *p, const char *name, struct span text);

/* conf_parse_include - in file.c: include "PATTERN". */
void conf_parse_include(struct conf_parser *p, const struct conf_node *n,
    void *into);

/* conf_begin, conf_end - an empty parser with its standards; the configuration
 * when nothing was complained about, else NULL. */
void conf_begin(struct conf_parser *p, struct conf_errors *errors,
    const char *file);
struct conf *conf_end(struct conf_parser *p);

/* -- statements with a struct of their own --------------------------------- */

void conf_parse_listen(struct conf_parser *p, const struct conf_node *n,
    void *into);
void conf_parse_tls(struct conf_parser *p, const struct conf_node *n,
    void *into);
void conf_parse_users(struct conf_parser *p, const struct conf_node *n,
    void *into);
void conf_parse_domain(struct conf_parser *p, const struct conf_node *n,
    void *into);
void conf_parse_route(struct conf_parser *p, const struct conf_node *n,
    void *into);
/* CONF_PUT_: all of a listener, or what keeps its place among the others, with
 * the names of its tls blocks or without. */
enum conf_put_listen { CONF_PUT_PLACE, CONF_PUT_TLS, CONF_PUT_WHOLE };
void conf_format_listen(struct conf_writer *w, const struct conf_listen *l,
    enum conf_put_listen what);
/* key: with the path of its key. */
void conf_format_tls(struct conf_writer *w, const struct conf_tls *t,
    bool key);
void conf_format_users(struct conf_writer *w, const struct conf_users *u);
void conf_format_domain(struct conf_writer *w, const struct conf_domain *d);
void conf_format_route(struct conf_writer *w, const struct conf_route *r);
const char *conf_kind_name(enum conf_kind k);

/* The statement "tls" of a listener: in tls.c. */
void conf_parse_listen_tls(struct conf_parser *p, const struct conf_node *n,
    void *into);
void conf_format_listen_tls(struct conf_writer *w, const void *from);

/* The statements of "via ... { }" go into this, then into the route. */
struct conf_via_options {
	uint32_t connections;
	uint16_t port;
	bool no_ipv6;
	bool no_dane;
	enum conf_tls_out tls;
	char *certificate;
};

/* conf_relay_target - "relay to" TEXT, which stands in word i, as the way of a
 * route: HOST[:PORT], lmtp:HOST[:PORT], lmtp:PATH. False after a complaint. */
bool conf_relay_target(struct conf_parser *p, const struct conf_node *n,
    size_t i, const char *text, struct conf_route *r);

/* conf_routes_imply - adds the routes of relay domains and the standard one. */
void conf_routes_imply(struct conf *c);

/* conf_finish - when all is read: replaced statements go, implied routes come,
 * names are sorted. conf_check - what only the whole can tell; conf_check_tls,
 * of it what has to do with TLS. */
void conf_finish(struct conf_parser *p);
void conf_check(struct conf_parser *p);
void conf_check_tls(struct conf_parser *p);

#endif
