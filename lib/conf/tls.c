/*
 * lib/conf/tls.c - "tls NAME { ... }", and the statements of listeners and routes
 * that name such blocks. Which mode is lawful is decided by the kind.
 */
#include "lib/conf/parser.h"

#define TLS(field) offsetof(struct conf_tls, field)
#define KIND(k) (1u << LISTEN_##k)

/* clang-format off */
const struct conf_row conf_tls_rows[] = {
	{ .name = "cert", .type = T_PATH, .offset = TLS(cert), .args = "PATH",
	  .doc = "the certificate and its chain, PEM; must be said" },
	{ .name = "key", .type = T_PATH, .offset = TLS(key), .args = "PATH",
	  .doc = "its private key, PEM, not encrypted; must be said" },
	{ .name = "client-ca", .type = T_PATH, .offset = TLS(client_ca),
	  .args = "PATH",
	  .doc = "who may vouch for clients that log in by certificate, PEM" },
	{ .name = NULL }
};
/* clang-format on */

void
conf_parse_tls(struct conf_parser *p, const struct conf_node *n, void *into)
{
	struct conf *c = p->c;
	struct conf_tls t = { 0 };
	size_t i;

	(void)into;
	if (!conf_get_name(p, n, 1, &t.name) || !conf_no_more(p, n, 2))
		return;
	conf_rows_parse(p, n, conf_tls_rows, -1, "tls", &t);
	if (conf_child(n, "cert") == NULL)
		conf_bad(p, n, 0, "tls %s needs a certificate: cert PATH",
		    t.name);
	if (conf_child(n, "key") == NULL && !p->part)
		conf_bad(p, n, 0, "tls %s needs the key of its certificate: "
		    "key PATH", t.name);
	for (i = 0; i < c->ntls; i++)
		if (strcmp(c->tls[i].name, t.name) == 0)
			break;
	if (i == CONF_TLS_MAX) {
		conf_bad(p, n, 0, "more than %d tls blocks", CONF_TLS_MAX);
		return;
	}
	if (i == c->ntls) {
		c->tls = conf_grow(c, c->tls, i, sizeof(t));
		c->ntls++;
	}
	c->tls[i] = t; /* the later one of a name holds */
}

void
conf_format_tls(struct conf_writer *w, const struct conf_tls *t, bool key)
{
	struct conf_tls shown = *t;

	if (!key)
		shown.key = NULL;
	conf_put(w, "tls %s {\n", t->name);
	conf_rows_format(w, conf_tls_rows, -1, &shown);
	conf_put(w, "}\n");
}

/* -- listeners ------------------------------------------------------------- */

static const char *const modes[] = { "offered", "required", "immediate",
	NULL };

/* What a kind may say, and what somebody who said otherwise meant perhaps. */
static const struct {
	enum conf_tls_mode mode;
	unsigned not_in;
	const char *text;
} unlawful[] = {
	{ TLS_OFFERED, KIND(SUBMISSION), "submission always wants encryption: "
	    "say required, or immediate" },
	{ TLS_IMMEDIATE, KIND(MX) | KIND(DEVICE), "other hosts begin in the "
	    "clear: say offered or required; immediate is for submission and "
	    "pop3" },
};

static bool
is_lawful(struct conf_parser *p, const struct conf_node *n, size_t i,
    const struct conf_listen *l)
{
	size_t k;

	for (k = 0; k < nitems(unlawful); k++)
		if (unlawful[k].mode == l->tls_mode &&
		    (unlawful[k].not_in & (1u << l->kind)) != 0) {
			conf_bad(p, n, i, "%s", unlawful[k].text);
			return false;
		}
	return true;
}

static bool
is_label(const char *s)
{
	return s[0] != '\0';
}

/* tls NAME[, NAME] offered|required|immediate */
void
conf_parse_listen_tls(struct conf_parser *p, const struct conf_node *n,
    void *into)
{
	struct conf_listen *l = into;
	size_t end, i, k;
	int mode;

	end = conf_get_list(p, n, 1, is_label, "the name of a tls block",
	    false, &l->tls);
	if (end == 0)
		return;
	for (i = 0; i < l->tls.n; i++)
		for (k = 0; k < i; k++)
			if (strcmp(l->tls.words[i], l->tls.words[k]) == 0)
				conf_bad(p, n, i + 1, "%s stands here twice",
				    l->tls.words[i]);
	if ((mode = conf_choose(p, n, end, modes)) == -1)
		return;
	l->tls_mode = (enum conf_tls_mode)(mode + TLS_OFFERED);
	if (conf_no_more(p, n, end + 1))
		is_lawful(p, n, end, l);
}

void
conf_format_listen_tls(struct conf_writer *w, const void *from)
{
	const struct conf_listen *l = from;

	if (l->tls_mode == TLS_NONE)
		return;
	conf_put(w, "%stls", w->indent);
	conf_put_list(w, &l->tls);
	conf_put(w, " %s\n", modes[l->tls_mode - TLS_OFFERED]);
}

/* -- the whole ------------------------------------------------------------- */

const struct conf_tls *
conf_tls_find(const struct conf *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->ntls; i++)
		if (strcmp(c->tls[i].name, name) == 0)
			return &c->tls[i];
	return NULL;
}

static const char *
nth_tls(const void *arg, size_t i)
{
	const struct conf *c = arg;

	return i < c->ntls ? c->tls[i].name : NULL;
}

static void
check_name(struct conf_parser *p, const struct conf_node *n, size_t i,
    const char *name)
{
	const char *meant;

	if (conf_tls_find(p->c, name) != NULL)
		return;
	meant = conf_suggest(name, nth_tls, p->c);
	conf_bad(p, n, i, "there is no tls block \"%s\"%s%s%s", name,
	    meant == NULL ? "" : "; do you mean \"",
	    meant == NULL ? "" : meant, meant == NULL ? "" : "\"?");
}

/* Of pop3 and submission, which are nothing without a login. */
static void
check_login(struct conf_parser *p, const struct conf_listen *l,
    const struct conf_node *n)
{
	const char *name = p->c->ntls == 0 ? "NAME" : p->c->tls[0].name;

	if (conf_child(n, "tls") != NULL)
		return;
	if (l->kind == LISTEN_SUBMISSION)
		conf_bad(p, n, 1, "listen submission needs TLS: tls %s "
		    "required, or tls %s immediate for port 465%s", name, name,
		    p->c->ntls == 0 ? ", and a tls block of that name" : "");
	else if (l->kind == LISTEN_POP3 && !p->c->login_clear)
		conf_bad(p, n, 1, "nobody could log in: passwords need TLS; "
		    "add tls %s required, or tls %s immediate for port 995%s",
		    name, name,
		    p->c->ntls == 0 ? ", and a tls block of that name" : "");
}

void
conf_check_tls(struct conf_parser *p)
{
	const struct conf *c = p->c;
	const struct conf_node *n;
	size_t i, k;

	for (i = 0; i < c->nlistens; i++) {
		n = conf_child(p->listens[i], "tls");
		for (k = 0; k < c->listens[i].tls.n; k++)
			check_name(p, n, k + 1, c->listens[i].tls.words[k]);
		check_login(p, &c->listens[i], p->listens[i]);
	}
	for (i = 0; i < p->nvias; i++) {
		n = conf_child(p->vias[i], "certificate");
		if (n != NULL && n->nwords > 1)
			check_name(p, n, 1, n->words[1].text);
	}
}
