/*
 * lib/conf/format.c - a configuration as text again: all of it, or the part
 * that one program needs. What a program needs stands here and nowhere else.
 */
#include "lib/conf/parser.h"
#include "lib/privsep/roles.h"

enum {
	SEES_HOST = 1 << 0,
	SEES_CONTACT = 1 << 1,
	SEES_SMTP = 1 << 2,     /* listeners mx, submission and device */
	SEES_POP3 = 1 << 3,
	SEES_USERS = 1 << 4,
	SEES_DOMAINS = 1 << 5,
	SEES_RELAY = 1 << 6,
	SEES_ROUTES = 1 << 7,   /* with those of relay domains */
	SEES_QUEUE = 1 << 8,
	SEES_DNS = 1 << 9,
	SEES_LOG = 1 << 10,
	SEES_LOGIN = 1 << 11,
	SEES_LOOPBACK = 1 << 12,
	SEES_KEYS = 1 << 13,    /* whom which tls block serves */
	SEES_OWN_CERTS = 1 << 14, /* tls blocks of routes */
	SEES_ACCOUNTS = 1 << 15,
	SEES_PAM = 1 << 16,     /* of users, those of PAM and Dovecot */
	SEES_ALL = ~0
};

static const int sees[ROLE_MAX] = {
	[ROLE_NONE] = SEES_ALL,
	[ROLE_MASTER] = SEES_ALL,
	[ROLE_SMTPD] = SEES_HOST | SEES_SMTP,
	[ROLE_QUEUED] = SEES_HOST | SEES_CONTACT | SEES_QUEUE | SEES_ROUTES |
	    SEES_RELAY | SEES_ACCOUNTS,
	[ROLE_RESOLVER] = SEES_HOST | SEES_DNS | SEES_LOOPBACK,
	[ROLE_RELAY] = SEES_HOST | SEES_RELAY | SEES_ROUTES | SEES_LOOPBACK |
	    SEES_OWN_CERTS,
	[ROLE_DELIVER] = SEES_HOST | SEES_QUEUE,
	[ROLE_DFORK] = SEES_HOST,
	[ROLE_DRUN] = SEES_HOST,
	[ROLE_AUTHD] = SEES_HOST | SEES_CONTACT | SEES_USERS | SEES_DOMAINS |
	    SEES_LOGIN,
	[ROLE_AUTHW] = SEES_USERS,
	[ROLE_AUTHP] = SEES_PAM,
	[ROLE_KEYD] = SEES_HOST | SEES_KEYS,
	[ROLE_LOGD] = SEES_HOST | SEES_LOG,
	[ROLE_POP3D] = SEES_HOST | SEES_POP3 | SEES_LOGIN,
	[ROLE_PFORK] = SEES_HOST,
};

static int
listen_bit(const struct conf_listen *l)
{
	return l->kind == LISTEN_POP3 ? SEES_POP3 : SEES_SMTP;
}

/* Is the block one that a program has something to do with? */
static bool
sees_tls(const struct conf *c, int see, const char *name)
{
	const struct conf_listen *l;
	size_t i, k;

	if ((see & SEES_KEYS) != 0)
		return true;
	for (i = 0; i < c->nlistens; i++) {
		l = &c->listens[i];
		for (k = 0; (see & listen_bit(l)) != 0 && k < l->tls.n; k++)
			if (strcmp(l->tls.words[k], name) == 0)
				return true;
	}
	for (i = 0; (see & SEES_OWN_CERTS) != 0 && i < c->nroutes; i++)
		if (c->routes[i].certificate != NULL &&
		    strcmp(c->routes[i].certificate, name) == 0)
			return true;
	return false;
}

/* Where a key lies is keyd's business alone, as the key is. */
static void
put_tls(struct conf_writer *w, const struct conf *c, int see)
{
	size_t i;

	for (i = 0; i < c->ntls; i++)
		if (sees_tls(c, see, c->tls[i].name))
			conf_format_tls(w, &c->tls[i], (see & SEES_KEYS) != 0);
}

/* Every listener keeps its place, for that is how descriptors are named; of
 * those of other programs nothing but the port is said. */
static void
put_listens(struct conf_writer *w, const struct conf *c, int see)
{
	size_t i;

	if ((see & (SEES_SMTP | SEES_POP3 | SEES_KEYS)) == 0)
		return;
	for (i = 0; i < c->nlistens; i++)
		conf_format_listen(w, &c->listens[i],
		    (see & listen_bit(&c->listens[i])) != 0 ? CONF_PUT_WHOLE :
		    (see & SEES_KEYS) != 0 ? CONF_PUT_TLS : CONF_PUT_PLACE);
}

/* Is the route one that a program has something to do with? All but master do
 * with the implied ones, keyd with those that show a certificate. */
static bool
sees_route(const struct conf_route *r, int see)
{
	if (see == SEES_ALL)
		return !r->implied;
	return (see & SEES_ROUTES) != 0 ||
	    ((see & SEES_KEYS) != 0 && r->certificate != NULL);
}

static void
put_routes(struct conf_writer *w, const struct conf *c, int see)
{
	bool any = false;
	size_t i;

	for (i = 0; i < c->nroutes; i++)
		any = any || sees_route(&c->routes[i], see);
	if (!any)
		return;
	conf_put(w, "route {\n");
	for (i = 0; i < c->nroutes; i++)
		if (sees_route(&c->routes[i], see))
			conf_format_route(w, &c->routes[i]);
	conf_put(w, "}\n");
}

static void
put_block(struct conf_writer *w, const char *name,
    const struct conf_row *rows, const void *from)
{
	conf_put(w, "%s {\n", name);
	conf_rows_format(w, rows, -1, from);
	conf_put(w, "}\n");
}

static void
put_test(struct conf_writer *w, const struct conf *c, int see)
{
	size_t i;

	for (i = 0; see == SEES_ALL && i < c->nidentities; i++)
		conf_put(w, "identity %s %u:%u\n", c->identities[i].role,
		    (unsigned)c->identities[i].uid,
		    (unsigned)c->identities[i].gid);
	if (see == SEES_ALL && c->privileges_none)
		conf_put(w, "privileges none\n");
	if ((see & SEES_LOGIN) != 0 && c->login_clear)
		conf_put(w, "login clear\n");
	if ((see & SEES_LOOPBACK) != 0 && c->allow_loopback)
		conf_put(w, "allow loopback\n");
}

static bool
sees_users(const struct conf_users *u, int see)
{
	return (see & SEES_USERS) != 0 ||
	    ((see & SEES_PAM) != 0 && (u->passwords == PASSWORDS_PAM ||
	    u->passwords == PASSWORDS_DOVECOT));
}

static void
put_accounts(struct conf_writer *w, const struct conf *c, int see)
{
	size_t i;

	for (i = 0; i < c->nusers; i++)
		if (sees_users(&c->users[i], see))
			conf_format_users(w, &c->users[i]);
	for (i = 0; (see & SEES_DOMAINS) != 0 && i < c->ndomains; i++)
		conf_format_domain(w, &c->domains[i]);
}

int
conf_format(const struct conf *c, unsigned role, struct buf *out)
{
	struct conf_writer w = { .b = out, .indent = "\t" };
	int see = role < ROLE_MAX ? sees[role] : 0;

	conf_put(&w, "config %d", CONF_VERSION);
	if (see != SEES_ALL) {
		conf_put(&w, " for");
		conf_put_word(&w, role_name(role));
	}
	conf_put(&w, "\n");
	if ((see & SEES_HOST) != 0 && c->host != NULL)
		conf_put(&w, "host %s\n", c->host);
	if ((see & SEES_CONTACT) != 0 && c->contact != NULL) {
		conf_put(&w, "contact");
		conf_put_word(&w, c->contact);
		conf_put(&w, "\n");
	}
	put_tls(&w, c, see);
	put_listens(&w, c, see);
	put_accounts(&w, c, see);
	if ((see & SEES_RELAY) != 0)
		put_block(&w, "relay", conf_relay_rows, &c->relay);
	put_routes(&w, c, see);
	if ((see & SEES_QUEUE) != 0)
		put_block(&w, "queue", conf_queue_rows, &c->queue);
	if ((see & SEES_ACCOUNTS) != 0)
		put_block(&w, "accounts", conf_accounts_rows, &c->accounts);
	if ((see & SEES_DNS) != 0)
		put_block(&w, "dns", conf_dns_rows, &c->dns);
	if ((see & SEES_LOG) != 0)
		put_block(&w, "log", conf_log_rows, &c->log);
	put_test(&w, c, see);
	return w.failed ? -1 : 0;
}
