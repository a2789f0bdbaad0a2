/*
 * lib/conf/route.c - "route { ... }": which letters go where, first match wins;
 * and the routes that nobody wrote: those of relay domains, before all others,
 * and "to any via mx" where there is no route block.
 */
#include "lib/conf/parser.h"

#define VIA(field) offsetof(struct conf_via_options, field)
#define SMTP_PORT 25
#define LMTP_PORT 24

static void
parse_ipv6(struct conf_parser *p, const struct conf_node *n, void *into)
{
	static const char *const answers[] = { "yes", "no", NULL };
	struct conf_via_options *o = into;

	o->no_ipv6 = conf_choose(p, n, 1, answers) == 1;
	conf_no_more(p, n, 2);
}

static const char *const tls_words[] = { "opportunistic", "required",
	"verified", "no", NULL };

static void
parse_tls(struct conf_parser *p, const struct conf_node *n, void *into)
{
	struct conf_via_options *o = into;
	int tls;

	if ((tls = conf_choose(p, n, 1, tls_words)) != -1)
		o->tls = (enum conf_tls_out)tls;
	conf_no_more(p, n, 2);
}

static void
parse_dane(struct conf_parser *p, const struct conf_node *n, void *into)
{
	static const char *const answers[] = { "on", "off", NULL };
	struct conf_via_options *o = into;

	o->no_dane = conf_choose(p, n, 1, answers) == 1;
	conf_no_more(p, n, 2);
}

static void
parse_not_yet(struct conf_parser *p, const struct conf_node *n, void *into)
{
	(void)into;
	conf_bad(p, n, 0, "logins at other hosts are not part of this "
	    "release");
}

/* clang-format off */
const struct conf_row conf_via_rows[] = {
	{ .name = "connections", .type = T_COUNT, .offset = VIA(connections),
	  .min = 1, .max = 10000, .args = "NUMBER",
	  .doc = "to one destination; as in relay { } if not said" },
	{ .name = "ipv6", .type = T_CALL, .parse = parse_ipv6,
	  .args = "yes|no", .doc = "whether IPv6 is tried" },
	{ .name = "port", .type = T_PORT, .offset = VIA(port),
	  .flags = ROW_TEST, .min = 1, .max = 65535, .args = "NUMBER",
	  .doc = "via mx: the port of all hosts" },
	{ .name = "tls", .type = T_CALL, .parse = parse_tls,
	  .args = "opportunistic|required|verified|no",
	  .doc = "which encryption the other host must have" },
	{ .name = "dane", .type = T_CALL, .parse = parse_dane,
	  .args = "on|off", .doc = "whether TLSA records are heeded (on)" },
	{ .name = "certificate", .type = T_NAME, .offset = VIA(certificate),
	  .args = "NAME",
	  .doc = "the tls block whose certificate is shown when asked for" },
	{ .name = "auth", .type = T_CALL, .parse = parse_not_yet,
	  .doc = "not part of this release" },
	{ .name = NULL }
};
/* clang-format on */

/* any | @domain | user@domain | .domain */
static bool
is_from(const char *s)
{
	const char *at = strrchr(s, '@');

	if (at != NULL)
		return conf_is_domain(at + 1);
	return strcmp(s, "any") == 0 || (s[0] == '.' && conf_is_domain(s + 1));
}

/* any | domain | .domain | user@domain */
static bool
is_to(const char *s)
{
	const char *at = strrchr(s, '@');

	if (at != NULL && at != s)
		return conf_is_domain(at + 1);
	return conf_is_domain(s[0] == '.' ? s + 1 : s);
}

static void
lower_domains(struct conf_list *l)
{
	char *s, *at;
	size_t i;

	for (i = 0; i < l->n; i++) {
		at = strrchr(l->words[i], '@');
		for (s = at == NULL ? l->words[i] : at; *s != '\0'; s++)
			*s = ascii_lower(*s);
	}
	/* "any" is the empty list */
	if (l->n == 1 && strcmp(l->words[0], "any") == 0)
		l->n = 0;
}

/* [from LIST] [to LIST], at most one of each; returns the place of the word
 * behind them, "via" or "refuse", or 0. */
static size_t
parse_match(struct conf_parser *p, const struct conf_node *n,
    struct conf_route *r)
{
	static const char *const words[] = { "from", "to", "via", "refuse",
		NULL };
	bool seen[2] = { false, false };
	size_t i = 0, k;
	int what;

	for (;;) {
		if ((what = conf_choose(p, n, i, words)) == -1)
			return 0;
		if (what >= 2)
			break;
		if (seen[what]) {
			conf_bad(p, n, i, "\"%s\" stands here twice",
			    words[what]);
			return 0;
		}
		seen[what] = true;
		k = i + 1;
		if (what == 0)
			i = conf_get_list(p, n, k, is_from, "any, @domain, "
			    "user@domain or .domain", false, &r->from);
		else
			i = conf_get_list(p, n, k, is_to, "any, domain, "
			    ".domain or user@domain", false, &r->to);
		if (i == 0)
			return 0;
		lower_domains(what == 0 ? &r->from : &r->to);
	}
	if (i == 0) {
		conf_bad(p, n, 0, "a route begins with \"from\" or \"to\"");
		return 0;
	}
	return i;
}

/* HOST[:PORT] or, for LMTP, the path of a socket. */
static bool
parse_next_hop(struct conf_parser *p, const struct conf_node *n, size_t i,
    const char *text, struct conf_route *r)
{
	if (r->via == VIA_LMTP && text[0] == '/')
		return conf_take_path(p, n, i, text, &r->path);
	r->port = r->via == VIA_LMTP ? LMTP_PORT : SMTP_PORT;
	return conf_take_endpoint(p, n, i, text, &r->host, &r->port);
}

static bool
parse_via(struct conf_parser *p, const struct conf_node *n, size_t i,
    struct conf_route *r)
{
	static const char *const vias[] = { "mx", "smarthost", "lmtp", NULL };
	int via;

	r->port = SMTP_PORT;
	if (strcmp(n->words[i - 1].text, "refuse") == 0) {
		r->via = VIA_REFUSE;
		return conf_get_text(p, n, i, &r->text) &&
		    conf_no_more(p, n, i + 1);
	}
	if ((via = conf_choose(p, n, i, vias)) == -1)
		return false;
	r->via = (enum conf_via)via;
	if (r->via == VIA_MX)
		return conf_no_more(p, n, i + 1);
	if (i + 1 >= n->nwords) {
		conf_bad(p, n, i, "a host is missing behind \"via %s\"",
		    vias[via]);
		return false;
	}
	return parse_next_hop(p, n, i + 1, n->words[i + 1].text, r) &&
	    conf_no_more(p, n, i + 2);
}

static void
add_route(struct conf *c, struct conf_route *r)
{
	c->routes = conf_grow(c, c->routes, c->nroutes, sizeof(*r));
	r->index = (int)c->nroutes;
	c->routes[c->nroutes++] = *r;
}

/* A block that says what cannot be. */
static void
check_via(struct conf_parser *p, const struct conf_node *n,
    const struct conf_via_options *o, const struct conf_route *r)
{
	static const char *const words[] = { "tls", "dane", "certificate" };
	size_t i;

	if (o->port != 0 && r->via != VIA_MX)
		conf_bad(p, conf_child(n, "port"), 0,
		    "\"port\" belongs to \"via mx\"; write HOST:PORT");
	for (i = 0; r->path != NULL && i < nitems(words); i++)
		if (conf_child(n, words[i]) != NULL)
			conf_bad(p, conf_child(n, words[i]), 0,
			    "there is no TLS on the socket of a program here");
	if (o->tls == TLS_OUT_NO && o->certificate != NULL)
		conf_bad(p, conf_child(n, "certificate"), 0,
		    "\"tls no\" and a certificate beside it");
}

/* One statement of a route block. */
static void
parse_one(struct conf_parser *p, const struct conf_node *n)
{
	struct conf_via_options o = { 0 };
	struct conf_route r = { .ipv6 = true };
	size_t i;

	if ((i = parse_match(p, n, &r)) == 0 || !parse_via(p, n, i + 1, &r))
		return;
	conf_rows_parse(p, n, conf_via_rows, -1, "via", &o);
	if (r.via == VIA_REFUSE && n->has_block)
		conf_bad(p, n, i, "\"refuse\" has no block");
	check_via(p, n, &o, &r);
	if (n->has_block) {
		p->vias = conf_grow(p->c, p->vias, p->nvias, sizeof(n));
		p->vias[p->nvias++] = n;
	}
	r.connections = o.connections;
	r.ipv6 = !o.no_ipv6;
	r.tls = o.tls;
	r.no_dane = o.no_dane;
	r.certificate = o.certificate;
	if (o.port != 0)
		p->c->mx_port = r.port = o.port;
	add_route(p->c, &r);
}

void
conf_parse_route(struct conf_parser *p, const struct conf_node *n, void *into)
{
	const struct conf_node *child;

	(void)into;
	conf_no_more(p, n, 1);
	p->c->routes = NULL; /* the last block holds */
	p->c->nroutes = 0;
	p->c->mx_port = 0;
	p->nvias = 0;
	p->vias = NULL;
	for (child = n->first; child != NULL; child = child->next)
		parse_one(p, child);
}

bool
conf_relay_target(struct conf_parser *p, const struct conf_node *n, size_t i,
    const char *text, struct conf_route *r)
{
	r->via = VIA_SMARTHOST;
	if (strncmp(text, "lmtp:", 5) == 0) {
		r->via = VIA_LMTP;
		text += 5;
	}
	return parse_next_hop(p, n, i, text, r);
}

/* It was checked when it was read. */
static void
relay_target(struct conf *c, const char *text, struct conf_route *r)
{
	struct conf_errors errors = { 0 };
	struct conf_parser p = { .c = c, .errors = &errors };
	struct conf_word word = { .text = (char *)(uintptr_t)text };
	struct conf_node n = { .file = "", .words = &word, .nwords = 1 };

	(void)conf_relay_target(&p, &n, 0, text, r);
	conf_errors_clear(&errors);
}

void
conf_routes_imply(struct conf *c)
{
	struct conf_route *written = c->routes, r;
	size_t n = c->nroutes, i;

	c->routes = NULL;
	c->nroutes = 0;
	for (i = 0; i < c->ndomains; i++) {
		if (c->domains[i].relay_to == NULL)
			continue;
		r = (struct conf_route){ .to = c->domains[i].names,
		    .ipv6 = true, .implied = true };
		relay_target(c, c->domains[i].relay_to, &r);
		add_route(c, &r);
	}
	for (i = 0; i < n; i++)
		add_route(c, &written[i]);
	if (n == 0) {
		r = (struct conf_route){ .via = VIA_MX, .port = SMTP_PORT,
		    .ipv6 = true, .implied = true };
		add_route(c, &r);
	}
}

static void
put_match(struct conf_writer *w, const struct conf_route *r)
{
	conf_put(w, "%s", w->indent);
	if (r->from.n > 0) {
		conf_put(w, "from");
		conf_put_list(w, &r->from);
		conf_put(w, " ");
	}
	conf_put(w, "to");
	if (r->to.n > 0)
		conf_put_list(w, &r->to);
	else
		conf_put(w, " any");
}

void
conf_format_route(struct conf_writer *w, const struct conf_route *r)
{
	bool bracket = r->host != NULL && strchr(r->host, ':') != NULL;

	put_match(w, r);
	if (r->via == VIA_REFUSE) {
		conf_put(w, " refuse \"%s\"\n", r->text);
		return;
	}
	conf_put(w, " via %s", r->via == VIA_MX ? "mx" :
	    r->via == VIA_LMTP ? "lmtp" : "smarthost");
	if (r->path != NULL)
		conf_put_word(w, r->path);
	else if (r->host != NULL)
		conf_put(w, bracket ? " [%s]:%u" : " %s:%u", r->host, r->port);
	conf_put(w, " {");
	if (r->connections > 0)
		conf_put(w, " connections %u;", r->connections);
	conf_put(w, " ipv6 %s", r->ipv6 ? "yes" : "no");
	if (r->path == NULL)
		conf_put(w, "; tls %s; dane %s", tls_words[r->tls],
		    r->no_dane ? "off" : "on");
	if (r->certificate != NULL)
		conf_put(w, "; certificate %s", r->certificate);
	if (r->via == VIA_MX && r->port != SMTP_PORT)
		conf_put(w, "; port %u", r->port);
	conf_put(w, " }\n");
}
