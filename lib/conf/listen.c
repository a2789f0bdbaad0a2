/*
 * lib/conf/listen.c - "listen KIND { ... }": the table of its statements,
 * reading one, writing one. A kind is a role: what a statement would mean to
 * another kind of listener is refused, not ignored.
 */
#include <arpa/inet.h>
#include <stdio.h>

#include "lib/conf/parser.h"

#define SMTP (1u << LISTEN_MX | 1u << LISTEN_DEVICE | SUB)
#define MX   (1u << LISTEN_MX)
#define SUB  (1u << LISTEN_SUBMISSION)
#define DEV  (1u << LISTEN_DEVICE)
#define AT(field) offsetof(struct conf_listen, field)

/* Networks that devices may come from: not larger than one organisation's. */
#define DEVICE_PREFIX4_MIN 8
#define DEVICE_PREFIX6_MIN 16

/* A phone keeps a few connections; a relaying host opens many. */
#define POP3_CLIENT_CONNECTIONS 20

static const char *const kind_names[] = { "mx", "submission", "device",
	"pop3", "imap", NULL };

const char *
conf_kind_name(enum conf_kind k)
{
	return k == LISTEN_SUBMIT ? "submit" : kind_names[k];
}

/* -- statements with more than one value ----------------------------------- */

static bool
is_ip(const char *s)
{
	unsigned char a[16];

	return inet_pton(AF_INET, s, a) == 1 || inet_pton(AF_INET6, s, a) == 1;
}

static void
parse_address(struct conf_parser *p, const struct conf_node *n, void *into)
{
	struct conf_listen *l = into;
	size_t end, i, k;

	end = conf_get_list(p, n, 1, is_ip, "an IP address", true,
	    &l->addresses);
	if (end == 0 || !conf_no_more(p, n, end))
		return;
	for (i = 0; i < l->addresses.n; i++)
		for (k = 0; k < i; k++)
			if (strcmp(l->addresses.words[i],
			    l->addresses.words[k]) == 0)
				conf_bad(p, n, i + 1, "%s stands here twice",
				    l->addresses.words[i]);
}

static void
format_address(struct conf_writer *w, const void *from)
{
	const struct conf_listen *l = from;

	if (l->addresses.n == 0)
		return;
	conf_put(w, "%saddress", w->indent);
	conf_put_list(w, &l->addresses);
	conf_put(w, "\n");
}

static void
parse_senders(struct conf_parser *p, const struct conf_node *n, void *into)
{
	static const char *const whose[] = { "own", "any", NULL };
	struct conf_listen *l = into;

	l->senders_any = conf_choose(p, n, 1, whose) == 1;
	conf_no_more(p, n, 2);
}

static void
format_senders(struct conf_writer *w, const void *from)
{
	const struct conf_listen *l = from;

	conf_put(w, "%ssenders %s\n", w->indent,
	    l->senders_any ? "any" : "own");
}

static void
add_deny(struct conf_parser *p, struct conf_listen *l,
    const struct conf_deny *deny)
{
	l->denies = conf_grow(p->c, l->denies, l->ndenies, sizeof(*l->denies));
	l->denies[l->ndenies++] = *deny;
}

/* deny from NET, ... ["text"]; deny sender PATTERN, ... ["text"] */
static void
parse_deny(struct conf_parser *p, const struct conf_node *n, void *into)
{
	static const char *const whats[] = { "from", "sender", NULL };
	struct conf_deny deny = { 0 };
	size_t end = conf_list_end(n, 2), i;
	char *text = NULL;
	int what;

	if ((what = conf_choose(p, n, 1, whats)) == -1)
		return;
	if (n->nwords < 3) {
		conf_bad(p, n, 2, what == 0 ?
		    "an address or network is missing behind \"from\"" :
		    "an address or @domain is missing behind \"sender\"");
		return;
	}
	if (end < n->nwords && !conf_get_text(p, n, end, &text))
		return;
	if (!conf_no_more(p, n, end + 1))
		return;
	for (i = 2; i < end; i++) {
		deny = (struct conf_deny){ .is_sender = what == 1,
		    .text = text };
		if (what == 0 && !conf_get_net(p, n, i, &deny.net))
			continue;
		if (what == 1) {
			if (strchr(n->words[i].text, '@') == NULL) {
				conf_bad(p, n, i, "\"%s\" is neither an "
				    "address nor @domain", n->words[i].text);
				continue;
			}
			deny.pattern = conf_dup(p->c, n->words[i].text);
		}
		add_deny(p, into, &deny);
	}
}

static void
format_deny(struct conf_writer *w, const void *from)
{
	const struct conf_listen *l = from;
	const struct conf_deny *d;
	size_t i;

	for (i = 0; i < l->ndenies; i++) {
		d = &l->denies[i];
		conf_put(w, "%sdeny %s", w->indent,
		    d->is_sender ? "sender" : "from");
		if (d->is_sender)
			conf_put_word(w, d->pattern);
		else
			conf_put_net(w, &d->net);
		if (d->text != NULL)
			conf_put(w, " \"%s\"", d->text);
		conf_put(w, "\n");
	}
}

/* A device's network is named, never the Internet or most of it. */
static bool
is_wide(const struct conf_net *net)
{
	if (IN6_IS_ADDR_V4MAPPED(&net->addr) && net->prefix >= 96)
		return net->prefix < 96 + DEVICE_PREFIX4_MIN;
	return net->prefix < DEVICE_PREFIX6_MIN;
}

static void
parse_from(struct conf_parser *p, const struct conf_node *n, void *into)
{
	struct conf_listen *l = into;
	size_t end = conf_list_end(n, 1), i;
	struct conf_net net;

	if (n->nwords < 2)
		conf_bad(p, n, 1, "a network is missing behind \"from\"");
	for (i = 1; i < end; i++) {
		if (!conf_get_net(p, n, i, &net))
			continue;
		if (is_wide(&net)) {
			conf_bad(p, n, i, "%s is too wide: anybody there "
			    "could send without a login", n->words[i].text);
			continue;
		}
		l->from = conf_grow(p->c, l->from, l->nfrom, sizeof(net));
		l->from[l->nfrom++] = net;
	}
	conf_no_more(p, n, end);
}

static void
format_from(struct conf_writer *w, const void *from)
{
	const struct conf_listen *l = from;
	size_t i;

	for (i = 0; i < l->nfrom; i++) {
		conf_put(w, i == 0 ? "%sfrom" : "%.0s,", w->indent);
		conf_put_net(w, &l->from[i]);
	}
	if (l->nfrom > 0)
		conf_put(w, "\n");
}

static void
parse_to(struct conf_parser *p, const struct conf_node *n, void *into)
{
	struct conf_listen *l = into;
	size_t end, i;

	end = conf_get_list(p, n, 1, conf_is_domain, "a domain or \"any\"",
	    true, &l->to);
	if (end == 0 || !conf_no_more(p, n, end))
		return;
	for (i = 0; i < l->to.n; i++)
		if (strcmp(l->to.words[i], "any") == 0 && l->to.n > 1)
			conf_bad(p, n, i + 1,
			    "\"any\" and domains beside it");
}

static void
format_to(struct conf_writer *w, const void *from)
{
	const struct conf_listen *l = from;

	if (l->to.n == 0)
		return;
	conf_put(w, "%sto", w->indent);
	conf_put_list(w, &l->to);
	conf_put(w, "\n");
}

static void
parse_limit(struct conf_parser *p, const struct conf_node *n, void *into)
{
	struct conf_listen *l = into;

	if (conf_get_rate(p, n, 1, &l->limit))
		conf_no_more(p, n, 2);
}

static void
format_limit(struct conf_writer *w, const void *from)
{
	const struct conf_listen *l = from;
	const char *per = l->limit.per_s == 1 ? "second" :
	    l->limit.per_s == 60 ? "minute" :
	    l->limit.per_s == 3600 ? "hour" : "day";

	if (l->limit.count > 0)
		conf_put(w, "%slimit %u/%s\n", w->indent, l->limit.count,
		    per);
}

/* clang-format off */
const struct conf_row conf_listen_rows[] = {
	{ .name = "port", .type = T_PORT, .offset = AT(port),
	  .min = 1, .max = 65535, .args = "NUMBER",
	  .doc = "TCP port to listen on; must be said" },
	{ .name = "address", .type = T_CALL,
	  .parse = parse_address, .format = format_address,
	  .args = "ADDRESS, ...",
	  .doc = "addresses to listen on; all of the host's if not said" },
	{ .name = "tls", .type = T_CALL,
	  .parse = conf_parse_listen_tls, .format = conf_format_listen_tls,
	  .args = "NAME, ... offered|required|immediate",
	  .doc = "encryption, with the certificates of these tls blocks" },
	{ .name = "senders", .type = T_CALL, .kinds = SUB,
	  .parse = parse_senders, .format = format_senders,
	  .args = "own|any",
	  .doc = "whose addresses an account may send from (own)" },
	{ .name = "size", .type = T_SIZE, .offset = AT(size), .kinds = SMTP,
	  .min = 65536, .max = (uint64_t)1 << 40, .standard = "50M",
	  .args = "SIZE", .doc = "the largest letter taken" },
	{ .name = "deny", .type = T_CALL, .flags = ROW_MANY, .kinds = MX,
	  .parse = parse_deny, .format = format_deny,
	  .args = "from NETWORK, ... [\"text\"] | "
	      "sender PATTERN, ... [\"text\"]",
	  .doc = "clients or reverse-paths that are refused" },
	{ .name = "from", .type = T_CALL, .kinds = DEV,
	  .parse = parse_from, .format = format_from,
	  .args = "NETWORK, ...",
	  .doc = "who may send here without a login; must be said" },
	{ .name = "to", .type = T_CALL, .kinds = DEV,
	  .parse = parse_to, .format = format_to,
	  .args = "DOMAIN, ... | any",
	  .doc = "to which domains they may send; must be said" },
	{ .name = "limit", .type = T_CALL, .kinds = DEV,
	  .parse = parse_limit, .format = format_limit,
	  .args = "NUMBER/second|minute|hour|day",
	  .doc = "letters of one client address; no limit if not said" },
	{ .name = "connections", .type = T_COUNT, .offset = AT(connections),
	  .min = 1, .max = 1000000, .standard = "10000", .args = "NUMBER",
	  .doc = "connections of all clients together" },
	{ .name = "client-connections", .type = T_COUNT,
	  .offset = AT(client_connections), .min = 1, .max = 1000000,
	  .standard = "50", .args = "NUMBER",
	  .doc = "connections of one client address (pop3: 20)" },
	{ .name = "recipients", .type = T_COUNT, .offset = AT(recipients),
	  .kinds = SMTP, .min = 100, .max = 100000, .standard = "1000",
	  .args = "NUMBER",
	  .doc = "recipients of one letter (RFC 5321 wants 100)" },
	{ .name = "errors", .type = T_COUNT, .offset = AT(errors),
	  .min = 1, .max = 100000, .standard = "20", .args = "NUMBER",
	  .doc = "refused commands after which the session ends" },
	{ .name = "junk", .type = T_COUNT, .offset = AT(junk),
	  .min = 1, .max = 100000, .standard = "20", .args = "NUMBER",
	  .doc = "unknown or empty commands after which the session ends" },
	{ .name = "hops", .type = T_COUNT, .offset = AT(hops), .kinds = SMTP,
	  .min = 10, .max = 1000, .standard = "50", .args = "NUMBER",
	  .doc = "Received fields that show a letter to be in a loop" },
	{ .name = "workers", .type = T_COUNT, .offset = AT(workers),
	  .min = 1, .max = 16, .standard = "1", .args = "NUMBER",
	  .doc = "processes that share this listener" },
	{ .name = NULL }
};
/* clang-format on */

/* -- a listener ------------------------------------------------------------ */

static bool
same_addresses(const struct conf_list *a, const struct conf_list *b)
{
	size_t i, k;

	if (a->n == 0 || b->n == 0)
		return true; /* all of the host's */
	if (a->n != b->n)
		return false;
	for (i = 0; i < a->n; i++) {
		for (k = 0; k < b->n; k++)
			if (strcmp(a->words[i], b->words[k]) == 0)
				break;
		if (k == b->n)
			return false;
	}
	return true;
}

/* The same kind on the same port and addresses: the later one holds. */
static size_t
listen_place(const struct conf *c, const struct conf_listen *l)
{
	const struct conf_listen *o;
	size_t i;

	for (i = 0; i < c->nlistens; i++) {
		o = &c->listens[i];
		if (o->kind == l->kind && o->port == l->port &&
		    same_addresses(&o->addresses, &l->addresses))
			break;
	}
	return i;
}

static void
add_listen(struct conf_parser *p, const struct conf_node *n,
    struct conf_listen *l)
{
	struct conf *c = p->c;
	size_t i = p->part ? c->nlistens : listen_place(c, l);

	if (i == CONF_LISTENS_MAX) {
		conf_bad(p, n, 0, "more than %d listeners", CONF_LISTENS_MAX);
		return;
	}
	if (i == c->nlistens) {
		c->listens = conf_grow(c, c->listens, i, sizeof(*l));
		p->listens = conf_grow(c, p->listens, i, sizeof(n));
		c->nlistens++;
	}
	l->index = (int)i;
	c->listens[i] = *l;
	p->listens[i] = n;
}

void
conf_parse_listen(struct conf_parser *p, const struct conf_node *n, void *into)
{
	struct conf_listen l = { 0 };
	char where[40];
	int kind;

	(void)into;
	if ((kind = conf_choose(p, n, 1, kind_names)) == -1 ||
	    !conf_no_more(p, n, 2))
		return;
	if (kind == LISTEN_IMAP) {
		conf_bad(p, n, 1, "\"listen imap\" is not part of this "
		    "release");
		return;
	}
	l.kind = (enum conf_kind)kind;
	conf_rows_default(conf_listen_rows, &l);
	if (l.kind == LISTEN_POP3)
		l.client_connections = POP3_CLIENT_CONNECTIONS;
	snprintf(where, sizeof(where), "listen %s", kind_names[kind]);
	conf_rows_parse(p, n, conf_listen_rows, kind, where, &l);
	if (conf_child(n, "port") == NULL)
		conf_bad(p, n, 0, "%s needs a port: port NUMBER", where);
	if (l.kind == LISTEN_DEVICE && !p->part) {
		if (conf_child(n, "from") == NULL)
			conf_bad(p, n, 0, "listen device needs the networks "
			    "of its clients: from NETWORK, ...");
		if (conf_child(n, "to") == NULL)
			conf_bad(p, n, 0, "listen device needs the domains "
			    "it may send to: to DOMAIN, ... or to any");
	}
	add_listen(p, n, &l);
}

void
conf_format_listen(struct conf_writer *w, const struct conf_listen *l,
    enum conf_put_listen what)
{
	conf_put(w, "listen %s {\n", conf_kind_name(l->kind));
	if (what == CONF_PUT_WHOLE)
		conf_rows_format(w, conf_listen_rows, (int)l->kind, l);
	else
		conf_put(w, "%sport %u\n", w->indent, l->port);
	if (what == CONF_PUT_TLS)
		conf_format_listen_tls(w, l);
	conf_put(w, "}\n");
}
