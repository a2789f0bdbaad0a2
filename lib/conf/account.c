/*
 * lib/conf/account.c - "users NAME { ... }" and "domain NAME, ... { ... }":
 * who gets mail here and where it lies.
 */
#include <ctype.h>
#include <stdio.h>

#include "lib/conf/parser.h"

#define USERS(field) offsetof(struct conf_users, field)
#define DOMAIN(field) offsetof(struct conf_domain, field)

#define PAM_SERVICE "barid" /* a file in /etc/pam.d */

/* -- users ----------------------------------------------------------------- */

/* A path in which %u, %d and %h stand for parts of an address. */
static bool
is_template(const char *s)
{
	for (; *s != '\0'; s++)
		if (*s == '%' && (*++s == '\0' || strchr("udh", *s) == NULL))
			return false;
	return true;
}

/* Homes begin with "/" of their own. */
static bool
take_mailbox_path(struct conf_parser *p, const struct conf_node *n, size_t i,
    char **out)
{
	const char *word = n->words[i].text;
	struct span rest, part;

	if (strncmp(word, "%h/", 3) != 0)
		return conf_get_path(p, n, i, out);
	for (rest = span_str(word); span_next(&rest, '/', &part);)
		if (span_eqstr(part, "..")) {
			conf_bad(p, n, i, "\"..\" in a path");
			return false;
		}
	*out = conf_dup(p->c, word);
	return true;
}

/* store mbox [PATH] */
static void
parse_store(struct conf_parser *p, const struct conf_node *n, void *into)
{
	static const char *const stores[] = { "mbox", "maildir", NULL };
	struct conf_users *u = into;
	int store;

	if ((store = conf_choose(p, n, 1, stores)) == -1)
		return;
	if (store == STORE_MAILDIR) {
		conf_bad(p, n, 1, "Maildir is not part of this release");
		return;
	}
	u->store = STORE_MBOX;
	if (n->nwords == 2 || !take_mailbox_path(p, n, 2, &u->path))
		return;
	if (!is_template(u->path))
		conf_bad(p, n, 2, "behind \"%%\" only u, d or h may stand");
	conf_no_more(p, n, 3);
}

static void
format_store(struct conf_writer *w, const void *from)
{
	const struct conf_users *u = from;

	conf_put(w, "%sstore mbox", w->indent);
	if (u->path != NULL)
		conf_put_word(w, u->path);
	conf_put(w, "\n");
}

static const char *const passwords_words[] = { "shadow", "file", "pam",
	"dovecot", NULL };

/* passwords shadow|file|pam [SERVICE]|dovecot PATH */
static void
parse_passwords(struct conf_parser *p, const struct conf_node *n, void *into)
{
	struct conf_users *u = into;
	size_t end = 2;
	int what;

	if ((what = conf_choose(p, n, 1, passwords_words)) == -1)
		return;
	u->passwords = (enum conf_passwords)what;
	if (u->passwords == PASSWORDS_PAM && n->nwords > 2) {
		if (!conf_get_name(p, n, 2, &u->pam))
			return;
		end = 3;
	} else if (u->passwords == PASSWORDS_DOVECOT) {
		if (!conf_get_path(p, n, 2, &u->dovecot))
			return;
		end = 3;
	}
	conf_no_more(p, n, end);
}

static void
format_passwords(struct conf_writer *w, const void *from)
{
	const struct conf_users *u = from;

	conf_put(w, "%spasswords %s", w->indent,
	    passwords_words[u->passwords]);
	if (u->pam != NULL)
		conf_put_word(w, u->pam);
	if (u->dovecot != NULL)
		conf_put_word(w, u->dovecot);
	conf_put(w, "\n");
}

/* What holds if nothing was said, and what goes with which accounts. */
static void
finish_passwords(struct conf_parser *p, const struct conf_node *block,
    struct conf_users *u)
{
	const struct conf_node *n = conf_child(block, "passwords");

	if (n == NULL)
		u->passwords = u->system ? PASSWORDS_SHADOW : PASSWORDS_FILE;
	else if (u->system && u->passwords == PASSWORDS_FILE)
		conf_bad(p, n, 1, "system users have no users file: say "
		    "shadow, pam or dovecot");
	else if (!u->system && u->passwords == PASSWORDS_SHADOW)
		conf_bad(p, n, 1, "shadow knows system users alone: say file, "
		    "pam or dovecot");
	if (u->passwords == PASSWORDS_PAM && u->pam == NULL)
		u->pam = conf_dup(p->c, PAM_SERVICE);
}

/* clang-format off */
const struct conf_row conf_users_rows[] = {
	{ .name = "system", .type = T_FLAG, .offset = USERS(system),
	  .doc = "the accounts of the host, by NSS and shadow" },
	{ .name = "file", .type = T_PATH, .offset = USERS(file),
	  .args = "PATH", .doc = "a users file: barid-users(5)" },
	{ .name = "owner", .type = T_NAME, .offset = USERS(owner),
	  .args = "ACCOUNT", .doc = "all mailboxes belong to this account" },
	{ .name = "store", .type = T_CALL,
	  .parse = parse_store, .format = format_store, .args = "mbox [PATH]",
	  .doc = "how mail is kept, and where (%u user, %d domain, %h home)" },
	{ .name = "passwords", .type = T_CALL,
	  .parse = parse_passwords, .format = format_passwords,
	  .args = "shadow|file|pam [SERVICE]|dovecot PATH",
	  .doc = "who checks them (shadow with system, else file)" },
	{ .name = "quota", .type = T_SIZE, .offset = USERS(quota),
	  .max = (uint64_t)1 << 50, .standard = "0", .args = "SIZE",
	  .doc = "room for one mailbox; 0: no limit" },
	{ .name = NULL }
};
/* clang-format on */

void
conf_parse_users(struct conf_parser *p, const struct conf_node *n, void *into)
{
	struct conf *c = p->c;
	struct conf_users u = { 0 };
	size_t i;

	(void)into;
	if (!conf_get_name(p, n, 1, &u.name) || !conf_no_more(p, n, 2))
		return;
	conf_rows_default(conf_users_rows, &u);
	conf_rows_parse(p, n, conf_users_rows, -1, "users", &u);
	if (conf_child(n, "system") == NULL && conf_child(n, "file") == NULL)
		conf_bad(p, n, 0, "users %s needs to know its accounts: "
		    "system, or file PATH", u.name);
	else if (u.system && u.file != NULL)
		conf_bad(p, n, 0, "users %s has both \"system\" and \"file\"; "
		    "write a users block for each", u.name);
	if (u.system && u.owner != NULL)
		conf_bad(p, conf_child(n, "owner"), 0,
		    "mailboxes of system users belong to those users");
	finish_passwords(p, n, &u);
	for (i = 0; i < c->nusers; i++)
		if (strcmp(c->users[i].name, u.name) == 0)
			break;
	if (i == c->nusers) {
		c->users = conf_grow(c, c->users, i, sizeof(u));
		p->users = conf_grow(c, p->users, i, sizeof(n));
		c->nusers++;
	}
	c->users[i] = u; /* the later one of a name holds */
	p->users[i] = n;
}

void
conf_format_users(struct conf_writer *w, const struct conf_users *u)
{
	conf_put(w, "users %s {\n", u->name);
	conf_rows_format(w, conf_users_rows, -1, u);
	conf_put(w, "}\n");
}

/* -- domain ---------------------------------------------------------------- */

/* aliases FILE [as ACCOUNT] */
static void
parse_aliases(struct conf_parser *p, const struct conf_node *n, void *into)
{
	static const char *const as[] = { "as", NULL };
	struct conf_domain *d = into;

	if (!conf_get_path(p, n, 1, &d->aliases) || n->nwords == 2)
		return;
	if (conf_choose(p, n, 2, as) == 0 &&
	    conf_get_name(p, n, 3, &d->aliases_as))
		conf_no_more(p, n, 4);
}

static void
format_aliases(struct conf_writer *w, const void *from)
{
	const struct conf_domain *d = from;

	if (d->aliases == NULL)
		return;
	conf_put(w, "%saliases", w->indent);
	conf_put_word(w, d->aliases);
	if (d->aliases_as != NULL)
		conf_put(w, " as %s", d->aliases_as);
	conf_put(w, "\n");
}

static void
parse_subaddress(struct conf_parser *p, const struct conf_node *n, void *into)
{
	struct conf_domain *d = into;
	const char *s;

	if (n->nwords != 2) {
		conf_bad(p, n, 2, "subaddress wants one word: the characters "
		    "that separate, as in subaddress \"+\"");
		return;
	}
	for (s = n->words[1].text; *s != '\0'; s++)
		if (strchr("+-_=.#~%", *s) == NULL)
			break;
	if (*s != '\0' || s == n->words[1].text || s - n->words[1].text > 4)
		conf_bad(p, n, 1, "a separator is one of + - _ = . # ~ %%, "
		    "and at most four are given");
	else
		d->subaddress = conf_dup(p->c, n->words[1].text);
}

static void
format_subaddress(struct conf_writer *w, const void *from)
{
	const struct conf_domain *d = from;

	if (d->subaddress != NULL)
		conf_put(w, "%ssubaddress \"%s\"\n", w->indent, d->subaddress);
}

static void
parse_catchall(struct conf_parser *p, const struct conf_node *n, void *into)
{
	struct conf_domain *d = into;

	if (conf_get_address(p, n, 1, &d->catchall))
		conf_no_more(p, n, 2);
}

static void
format_catchall(struct conf_writer *w, const void *from)
{
	const struct conf_domain *d = from;

	if (d->catchall == NULL)
		return;
	conf_put(w, "%scatchall", w->indent);
	conf_put_word(w, d->catchall);
	conf_put(w, "\n");
}

/* relay to HOST[:PORT] | lmtp:HOST[:PORT] | lmtp:/PATH */
static void
parse_relay_to(struct conf_parser *p, const struct conf_node *n, void *into)
{
	static const char *const to[] = { "to", NULL };
	struct conf_domain *d = into;
	struct conf_route unused = { 0 };

	if (conf_choose(p, n, 1, to) == -1)
		return;
	if (n->nwords < 3) {
		conf_bad(p, n, 2, "a host is missing behind \"relay to\"");
		return;
	}
	if (!conf_relay_target(p, n, 2, n->words[2].text, &unused))
		return;
	d->relay_to = conf_dup(p->c, n->words[2].text);
	conf_no_more(p, n, 3);
}

static void
format_relay_to(struct conf_writer *w, const void *from)
{
	const struct conf_domain *d = from;

	if (d->relay_to == NULL)
		return;
	conf_put(w, "%srelay to", w->indent);
	conf_put_word(w, d->relay_to);
	conf_put(w, "\n");
}

static void
parse_recipients(struct conf_parser *p, const struct conf_node *n, void *into)
{
	static const char *const any[] = { "any", NULL };
	struct conf_domain *d = into;

	d->recipients_any = conf_choose(p, n, 1, any) == 0 &&
	    conf_no_more(p, n, 2);
}

static void
format_recipients(struct conf_writer *w, const void *from)
{
	const struct conf_domain *d = from;

	if (d->recipients_any)
		conf_put(w, "%srecipients any\n", w->indent);
}

/* clang-format off */
const struct conf_row conf_domain_rows[] = {
	{ .name = "users", .type = T_NAME, .offset = DOMAIN(users),
	  .args = "NAME", .doc = "the users block whose accounts it has" },
	{ .name = "default", .type = T_FLAG, .offset = DOMAIN(is_default),
	  .doc = "login names without @ are looked up here" },
	{ .name = "aliases", .type = T_CALL,
	  .parse = parse_aliases, .format = format_aliases,
	  .args = "PATH [as ACCOUNT]",
	  .doc = "barid-aliases(5); commands and files in it run as ACCOUNT" },
	{ .name = "subaddress", .type = T_CALL,
	  .parse = parse_subaddress, .format = format_subaddress,
	  .args = "\"+\"",
	  .doc = "what stands behind one of these in a local part is aside" },
	{ .name = "catchall", .type = T_CALL,
	  .parse = parse_catchall, .format = format_catchall,
	  .args = "ADDRESS", .doc = "gets what nobody else gets" },
	{ .name = "relay", .type = T_CALL,
	  .parse = parse_relay_to, .format = format_relay_to,
	  .args = "to HOST[:PORT] | to lmtp:HOST:PORT | to lmtp:PATH",
	  .doc = "its mail is passed on to this host" },
	{ .name = "recipients", .type = T_CALL,
	  .parse = parse_recipients, .format = format_recipients,
	  .args = "any", .doc = "with relay to: every recipient is taken" },
	{ .name = NULL }
};
/* clang-format on */

/* Does the block say where a letter to this domain goes? */
static void
check_domain(struct conf_parser *p, const struct conf_node *n,
    const struct conf_domain *d)
{
	if (d->relay_to != NULL && d->users != NULL)
		conf_bad(p, n, 0, "a domain has either users or \"relay to\"");
	else if (d->relay_to != NULL && !d->recipients_any &&
	    d->aliases == NULL)
		conf_bad(p, n, 0, "nobody could get mail here: say which "
		    "recipients are taken: recipients any");
	else if (conf_child(n, "relay") == NULL &&
	    conf_child(n, "users") == NULL && d->aliases == NULL &&
	    d->catchall == NULL)
		conf_bad(p, n, 0, "nobody could get mail here: say whose "
		    "domain it is (users NAME) or where it goes "
		    "(relay to HOST)");
	if (d->recipients_any && conf_child(n, "relay") == NULL)
		conf_bad(p, conf_child(n, "recipients"), 0,
		    "\"recipients any\" needs \"relay to HOST\"");
	if (d->is_default && conf_child(n, "users") == NULL)
		conf_bad(p, conf_child(n, "default"), 0,
		    "\"default\" needs users that can log in");
}

void
conf_parse_domain(struct conf_parser *p, const struct conf_node *n, void *into)
{
	struct conf *c = p->c;
	struct conf_domain d = { 0 };
	size_t end;

	(void)into;
	end = conf_get_list(p, n, 1, conf_is_domain, "a domain", true,
	    &d.names);
	if (end != 0)
		conf_no_more(p, n, end);
	conf_rows_parse(p, n, conf_domain_rows, -1, "domain", &d);
	check_domain(p, n, &d);
	c->domains = conf_grow(c, c->domains, c->ndomains, sizeof(d));
	p->domains = conf_grow(c, p->domains, c->ndomains, sizeof(n));
	c->domains[c->ndomains] = d;
	p->domains[c->ndomains] = n;
	c->ndomains++;
}

void
conf_format_domain(struct conf_writer *w, const struct conf_domain *d)
{
	conf_put(w, "domain");
	conf_put_list(w, &d->names);
	conf_put(w, " {\n");
	conf_rows_format(w, conf_domain_rows, -1, d);
	conf_put(w, "}\n");
}
