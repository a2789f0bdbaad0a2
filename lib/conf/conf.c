/*
 * lib/conf/conf.c - the outermost statements of the language, and parsing from
 * memory. A later statement of a kind takes the place of an earlier one.
 */
#include <stdlib.h>

#include "lib/conf/parser.h"
#include "lib/mem.h"
#include "lib/privsep/roles.h"

/* config 1 [for ROLE]: the latter only in what master sends. */
static void
parse_config(struct conf_parser *p, const struct conf_node *n, void *into)
{
	uint64_t v;

	(void)into;
	if (!conf_get_count(p, n, 1, 0, UINT32_MAX, &v))
		return;
	if (v != CONF_VERSION)
		conf_bad(p, n, 1, "this is version %d of the language; "
		    "version %s is not known", CONF_VERSION, n->words[1].text);
	if (n->nwords == 4 && !p->loading && !p->seen_config &&
	    strcmp(n->words[2].text, "for") == 0)
		p->part = p->test = true; /* master has checked the whole */
	else
		conf_no_more(p, n, 2);
	p->seen_config = true;
}

static void
parse_host(struct conf_parser *p, const struct conf_node *n, void *into)
{
	struct conf *c = into;

	if (!conf_get_host(p, n, 1, &c->host))
		c->host = conf_dup(c, "invalid"); /* not missing as well */
	conf_no_more(p, n, 2);
}

static void
parse_contact(struct conf_parser *p, const struct conf_node *n, void *into)
{
	struct conf *c = into;

	p->contact = n;
	c->contact = NULL;
	if (conf_get_address(p, n, 1, &c->contact))
		conf_no_more(p, n, 2);
}

static void
parse_relay(struct conf_parser *p, const struct conf_node *n, void *into)
{
	struct conf *c = into;

	memset(&c->relay, 0, sizeof(c->relay));
	conf_no_more(p, n, 1);
	conf_rows_default(conf_relay_rows, &c->relay);
	conf_rows_parse(p, n, conf_relay_rows, -1, "relay", &c->relay);
}

static void
queue_default(struct conf_queue *q)
{
	static const int64_t retry_s[] = { 300, 600, 1200, 2400, 3600, 7200,
		14400 };

	memset(q, 0, sizeof(*q));
	conf_rows_default(conf_queue_rows, q);
	q->warn_s = 4 * 3600;
	q->reserve_percent = 10;
	memcpy(q->retry_s, retry_s, sizeof(retry_s));
	q->nretry = nitems(retry_s);
}

static void
parse_queue(struct conf_parser *p, const struct conf_node *n, void *into)
{
	struct conf *c = into;

	conf_no_more(p, n, 1);
	queue_default(&c->queue);
	conf_rows_parse(p, n, conf_queue_rows, -1, "queue", &c->queue);
}

static void
parse_dns(struct conf_parser *p, const struct conf_node *n, void *into)
{
	struct conf *c = into;

	memset(&c->dns, 0, sizeof(c->dns));
	conf_no_more(p, n, 1);
	conf_rows_parse(p, n, conf_dns_rows, -1, "dns", &c->dns);
}

static void
log_default(struct conf_log *l)
{
	memset(l, 0, sizeof(*l));
	l->keep_s = 30 * 86400;
	l->keep_octets = (uint64_t)1 << 30;
}

static void
parse_log(struct conf_parser *p, const struct conf_node *n, void *into)
{
	struct conf *c = into;

	conf_no_more(p, n, 1);
	log_default(&c->log);
	conf_rows_parse(p, n, conf_log_rows, -1, "log", &c->log);
	if (c->log.to == LOG_TO_SYSLOG && c->log.facility == NULL)
		c->log.facility = conf_dup(c, "mail");
}

static void
parse_accounts(struct conf_parser *p, const struct conf_node *n, void *into)
{
	struct conf *c = into;

	conf_no_more(p, n, 1);
	conf_accounts_default(&c->accounts);
	conf_rows_parse(p, n, conf_accounts_rows, -1, "accounts",
	    &c->accounts);
}

/* -- for tests alone ------------------------------------------------------- */

static const char *
nth_role(const void *arg, size_t i)
{
	(void)arg;
	i += ROLE_SMTPD; /* whom master starts; itself it cannot change */
	return i < ROLE_CTL ? role_name((unsigned)i) : NULL;
}

/* identity ROLE UID:GID */
static void
parse_identity(struct conf_parser *p, const struct conf_node *n, void *into)
{
	struct conf *c = into;
	struct conf_identity id;
	struct span uid, gid;
	const char *meant;
	uint64_t u, g;

	if (n->nwords != 3) {
		conf_bad(p, n, 3, "identity wants two words: ROLE UID:GID");
		return;
	}
	id.role = conf_dup(c, n->words[1].text);
	if (role_find(id.role) == ROLE_NONE) {
		meant = conf_suggest(id.role, nth_role, NULL);
		conf_bad(p, n, 1, "\"%s\" is not a program%s%s%s", id.role,
		    meant == NULL ? "" : "; do you mean \"",
		    meant == NULL ? "" : meant, meant == NULL ? "" : "\"?");
		return;
	}
	span_split(span_str(n->words[2].text), ':', &uid, &gid);
	if (span_u64(uid, INT32_MAX, &u) == -1 || u == 0 ||
	    span_u64(gid, INT32_MAX, &g) == -1) {
		conf_bad(p, n, 2, "\"%s\" is not UID:GID in digits, "
		    "or it is root", n->words[2].text);
		return;
	}
	id.uid = (uid_t)u;
	id.gid = (gid_t)g;
	c->identities = conf_grow(c, c->identities, c->nidentities,
	    sizeof(id));
	c->identities[c->nidentities++] = id;
}

static void
parse_privileges(struct conf_parser *p, const struct conf_node *n, void *into)
{
	static const char *const none[] = { "none", NULL };
	struct conf *c = into;

	c->privileges_none = conf_choose(p, n, 1, none) == 0;
	conf_no_more(p, n, 2);
}

static void
parse_login(struct conf_parser *p, const struct conf_node *n, void *into)
{
	static const char *const clear[] = { "clear", NULL };
	struct conf *c = into;

	c->login_clear = conf_choose(p, n, 1, clear) == 0;
	conf_no_more(p, n, 2);
}

static void
parse_allow(struct conf_parser *p, const struct conf_node *n, void *into)
{
	static const char *const loopback[] = { "loopback", NULL };
	struct conf *c = into;

	c->allow_loopback = conf_choose(p, n, 1, loopback) == 0;
	conf_no_more(p, n, 2);
}

/* clang-format off */
const struct conf_row conf_top_rows[] = {
	{ .name = "config", .type = T_CALL, .flags = ROW_MANY,
	  .parse = parse_config, .args = "1",
	  .doc = "version of the language; always first" },
	{ .name = "host", .type = T_CALL, .flags = ROW_MANY,
	  .parse = parse_host, .args = "NAME",
	  .doc = "the name of this host in mail; must be said" },
	{ .name = "contact", .type = T_CALL, .flags = ROW_MANY,
	  .parse = parse_contact, .args = "ADDRESS",
	  .doc = "who gets what nobody else can; must be said" },
	{ .name = "include", .type = T_CALL, .flags = ROW_MANY,
	  .parse = conf_parse_include, .args = "\"PATTERN\"",
	  .doc = "reads the files that match, in order" },
	{ .name = "tls", .type = T_CALL, .flags = ROW_MANY | ROW_BLOCK,
	  .parse = conf_parse_tls, .args = "NAME",
	  .doc = "a certificate and its key" },
	{ .name = "listen", .type = T_CALL, .flags = ROW_MANY | ROW_BLOCK,
	  .parse = conf_parse_listen, .args = "KIND",
	  .doc = "takes connections: mx, submission, device, pop3" },
	{ .name = "users", .type = T_CALL, .flags = ROW_MANY | ROW_BLOCK,
	  .parse = conf_parse_users, .args = "NAME",
	  .doc = "accounts and their mailboxes" },
	{ .name = "domain", .type = T_CALL, .flags = ROW_MANY | ROW_BLOCK,
	  .parse = conf_parse_domain, .args = "NAME, ...",
	  .doc = "what is ours" },
	{ .name = "relay", .type = T_CALL, .flags = ROW_MANY | ROW_BLOCK,
	  .parse = parse_relay, .doc = "how other hosts are reached" },
	{ .name = "route", .type = T_CALL, .flags = ROW_MANY | ROW_BLOCK,
	  .parse = conf_parse_route, .doc = "which way letters go" },
	{ .name = "queue", .type = T_CALL, .flags = ROW_MANY | ROW_BLOCK,
	  .parse = parse_queue, .doc = "how long and how often it is tried" },
	{ .name = "accounts", .type = T_CALL, .flags = ROW_MANY | ROW_BLOCK,
	  .parse = parse_accounts, .doc = "how much one account may send" },
	{ .name = "dns", .type = T_CALL, .flags = ROW_MANY | ROW_BLOCK,
	  .parse = parse_dns, .doc = "who is asked for names" },
	{ .name = "log", .type = T_CALL, .flags = ROW_MANY | ROW_BLOCK,
	  .parse = parse_log, .doc = "where it is written what happened" },
	{ .name = "identity", .type = T_CALL, .flags = ROW_MANY | ROW_TEST,
	  .parse = parse_identity, .args = "ROLE UID:GID",
	  .doc = "the ids of a program" },
	{ .name = "privileges", .type = T_CALL, .flags = ROW_MANY | ROW_TEST,
	  .parse = parse_privileges, .args = "none",
	  .doc = "all programs keep the ids of who started them" },
	{ .name = "login", .type = T_CALL, .flags = ROW_MANY | ROW_TEST,
	  .parse = parse_login, .args = "clear",
	  .doc = "passwords are taken without encryption" },
	{ .name = "allow", .type = T_CALL, .flags = ROW_MANY | ROW_TEST,
	  .parse = parse_allow, .args = "loopback",
	  .doc = "mail may be relayed to this host's own addresses" },
	{ .name = NULL }
};
/* clang-format on */

/* -- reading --------------------------------------------------------------- */

void
conf_read_text(struct conf_parser *p, const char *name, struct span text)
{
	struct conf_node all = { .file = name };
	struct conf_node *first = conf_read_tree(p, name, text);

	if (!p->seen_config && (first == NULL ||
	    strcmp(first->words[0].text, "config") != 0)) {
		conf_bad_at(p, name, first == NULL ? 1 : first->words[0].line,
		    first == NULL ? 1 : first->words[0].column,
		    "the first statement must be: config %d", CONF_VERSION);
		p->seen_config = true; /* once is enough */
	}
	all.first = first;
	conf_rows_parse(p, &all, conf_top_rows, -1, "barid.conf", p->c);
}

void
conf_begin(struct conf_parser *p, struct conf_errors *errors, const char *file)
{
	struct conf_private *private;
	struct conf *c;

	memset(errors, 0, sizeof(*errors));
	memset(p, 0, sizeof(*p));
	p->errors = errors;
	p->file = file;
	p->c = c = xcalloc(1, sizeof(*c));
	c->arena = private = xcalloc(1, sizeof(*private));
	conf_rows_default(conf_relay_rows, &c->relay);
	queue_default(&c->queue);
	conf_accounts_default(&c->accounts);
	log_default(&c->log);
	c->log.facility = conf_dup(c, "mail");
}

struct conf *
conf_end(struct conf_parser *p)
{
	struct conf *c = p->c;

	conf_finish(p);
	if (!p->part)
		conf_check(p);
	arena_free(&p->tree);
	p->c = NULL;
	if (p->errors->n == 0)
		return c;
	conf_free(c);
	return NULL;
}

struct conf *
conf_parse(struct span text, const char *name, bool test,
    struct conf_errors *errors)
{
	struct conf_parser p;

	conf_begin(&p, errors, name);
	p.test = test;
	if (text.len > CONF_TEXT_OCTETS_MAX)
		conf_bad_at(&p, name, 1, 1, "more than %u octets",
		    CONF_TEXT_OCTETS_MAX);
	else
		conf_read_text(&p, name, text);
	return conf_end(&p);
}

void
conf_free(struct conf *c)
{
	struct conf_private *private;

	if (c == NULL)
		return;
	private = c->arena;
	arena_free(&private->arena);
	mem_free(private);
	mem_free(c);
}
