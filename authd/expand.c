/*
 * authd/expand.c - turns a recipient into its final ones. Names are looked at
 * breadth first, each once; what is missing is collected over all of them, so
 * that a list of system accounts costs one wait.
 */
#include <errno.h>
#include <stdio.h>

#include "authd/expand.h"
#include "lib/mail/usersfile.h"
#include "lib/ipc/types.h"
#include "lib/log.h"
#include "lib/mem.h"

#define NO_PARENT UINT32_MAX

/* A name on the way. */
struct node {
	size_t off;            /* of its text in walk.text */
	uint16_t len;
	uint8_t depth;
	bool direct;           /* the account itself, no alias */
	bool self;             /* direct because an alias names itself */
	uint32_t parent;
};

struct walk {
	const struct directory *dir;
	struct nss *nss;
	struct job *j;
	struct expansion *out;
	struct node *nodes;
	size_t n;
	struct buf text;
	struct table seen, finals;
	bool waiting, failed, looped, full;
};

struct span
local_unquote(struct span in, char out[ADDR_LOCAL_TEXT])
{
	struct addr a = { .local = in, .quoted = true };

	if (in.len < 2 || *in.p != '"' || in.len > ADDR_LOCAL_MAX)
		return in;
	return addr_unquote_local(&a, out);
}

/* -- one local name -- */

static enum found
resolve_name(const struct directory *dir, struct nss *nss, struct job *j,
    const struct conf_domain *dom, struct span local, struct span domain,
    bool direct, struct resolved *out)
{
	enum found found;

	out->name = local;
	if (!direct) {
		found = directory_alias(dir, j, dom, local, domain,
		    &out->table, &out->list);
		if (found != FOUND_NO)
			return found;
	}
	found = directory_user(dir, nss, j, dom, local, domain, &out->user);
	out->is_user = found == FOUND_YES;
	return found;
}

static struct span
without_tag(const struct conf_domain *dom, struct span local)
{
	size_t i;

	if (dom->subaddress == NULL)
		return local;
	for (i = 1; i < local.len; i++)
		if (strchr(dom->subaddress, local.p[i]) != NULL)
			return span_make(local.p, i);
	return local;
}

enum found
resolve_local(const struct directory *dir, struct nss *nss, struct job *j,
    const struct conf_domain *dom, struct span local, struct span domain,
    bool direct, struct resolved *out)
{
	struct span base = without_tag(dom, local);
	enum found found;

	memset(out, 0, sizeof(*out));
	found = resolve_name(dir, nss, j, dom, local, domain, direct, out);
	if (found == FOUND_NO && base.len < local.len)
		found = resolve_name(dir, nss, j, dom, base, domain, direct,
		    out);
	if (found != FOUND_NO || direct)
		return found;
	if (span_caseeq(base, "postmaster") || span_caseeq(base, "root"))
		out->forward = dir->conf->contact;
	else
		out->forward = dom->catchall;
	return out->forward == NULL ? FOUND_NO : FOUND_YES;
}

/* -- final recipients -- */

static void
final_add(struct walk *w, uint8_t kind, struct span address,
    struct span target, struct span argument)
{
	struct expansion *e = w->out;
	struct buf key = BUF_INIT(8192);
	bool known;

	/* The same mailbox, address or command gets one copy. */
	(void)buf_addf(&key, "%u ", kind);
	(void)buf_add_span(&key, kind == FINAL_REMOTE ? address : target);
	(void)buf_add_char(&key, '\0');
	(void)buf_add_span(&key, argument);
	known = table_add(&w->finals, buf_span(&key), 0) == -1;
	buf_clear(&key);
	if (known)
		return;
	if (e->n == EXPAND_FINALS_MAX) {
		w->full = true;
		return;
	}
	if ((e->n & (e->n - 1)) == 0) /* grows by doubling */
		e->finals = xreallocarray(e->finals,
		    e->n == 0 ? 1 : e->n * 2, sizeof(*e->finals));
	e->finals[e->n++] = (struct final){ kind, span_dup(address),
	    span_dup(target), span_dup(argument) };
}

static struct span
node_text(const struct walk *w, const struct node *n)
{
	return span_make(buf_span(&w->text).p + n->off, n->len);
}

/* Does this name stand among those that led here? */
static bool
is_ancestor(const struct walk *w, uint32_t parent, struct span address)
{
	for (; parent != NO_PARENT; parent = w->nodes[parent].parent)
		if (span_eq(node_text(w, &w->nodes[parent]), address))
			return true;
	return false;
}

static void
push(struct walk *w, uint32_t parent, struct span address, bool direct)
{
	struct node n = { .parent = parent, .len = (uint16_t)address.len };
	char key[ADDR_TEXT + 1];

	if (address.len > ADDR_PATH_MAX)
		return;
	n.self = !direct && is_ancestor(w, parent, address);
	n.direct = direct || n.self;
	n.depth = (uint8_t)(w->nodes[parent].depth + 1);
	if (n.depth > EXPAND_DEPTH_MAX) {
		w->looped = true;
		return;
	}
	key[0] = n.direct ? '\\' : ' ';
	memcpy(key + 1, address.p, address.len);
	if (table_add(&w->seen, span_make(key, address.len + 1), 0) == -1)
		return;
	if (w->n == EXPAND_NODES_MAX) {
		w->full = true;
		return;
	}
	n.off = w->text.len;
	(void)buf_add_span(&w->text, address);
	if ((w->n & (w->n - 1)) == 0)
		w->nodes = xreallocarray(w->nodes, w->n * 2,
		    sizeof(*w->nodes));
	w->nodes[w->n++] = n;
}

/* One value of an alias list; domain is where the list stands. */
static void
push_target(struct walk *w, uint32_t at, struct alias_target t,
    const struct conf_domain *dom, struct span domain)
{
	static const uint8_t kinds[] = { [ALIAS_COMMAND] = FINAL_COMMAND,
	    [ALIAS_FILE] = FINAL_FILE, [ALIAS_INCLUDE] = FINAL_INCLUDE };
	char text[ADDR_TEXT];
	struct addr a;

	if (t.kind >= ALIAS_COMMAND) {
		if (dom->aliases_as != NULL)
			final_add(w, kinds[t.kind],
			    node_text(w, &w->nodes[at]),
			    span_str(dom->aliases_as), t.text);
		else
			log_warnx("%s: commands, files and includes need "
			    "\"as USER\"", dom->aliases);
		return;
	}
	if (addr_parse_mailbox(t.text, &a) == 0)
		push(w, at, addr_canon(&a, text), false);
	else if (addr_make(t.text, domain, text) == 0)
		push(w, at, span_str(text), t.kind == ALIAS_DIRECT);
}

static void
push_list(struct walk *w, uint32_t at, const struct resolved *r,
    const struct conf_domain *dom, struct span domain)
{
	char owner[ADDR_TEXT];
	size_t i, n = alias_count(r->table, r->list);
	uint32_t list;
	int len = snprintf(owner, sizeof(owner), "owner-%.*s",
	    SPAN_ARG(r->name));

	/* The outermost list's owner hears of what goes wrong behind it. */
	if (w->out->owner == NULL && len > 0 && (size_t)len < sizeof(owner) &&
	    aliases_find(r->table, span_make(owner, (size_t)len), &list))
		w->out->owner = xasprintf("%s@%.*s", owner, SPAN_ARG(domain));
	for (i = 0; i < n; i++)
		push_target(w, at, alias_target(r->table, r->list, i), dom,
		    domain);
}

/*
 * Nobody has this name. The only one asked for: the answer is a failure.
 * One of a list: it goes on as a mailbox whose account nobody knows, so that
 * its delivery fails and the sender is told which of them it was.
 */
static void
nobody(struct walk *w, uint32_t at, struct span local)
{
	struct node *n = &w->nodes[at];

	if (n->self)
		w->looped = true;
	else if (at != 0 && account_name_ok(local))
		final_add(w, FINAL_MAILBOX, node_text(w, n), local,
		    span_make(NULL, 0));
}

static void
walk_forward(struct walk *w, uint32_t at, const char *to)
{
	char text[ADDR_TEXT];
	struct addr a;

	if (addr_parse_mailbox(span_str(to), &a) == 0)
		push(w, at, addr_canon(&a, text), false);
}

static void
walk_node(struct walk *w, uint32_t at, unsigned flags)
{
	char address[ADDR_TEXT], plain[ADDR_LOCAL_TEXT];
	const struct conf_domain *dom;
	struct resolved r;
	struct addr a;
	enum found found = FOUND_NO;

	(void)span_copy(node_text(w, &w->nodes[at]), address, sizeof(address));
	if (addr_parse_mailbox(span_str(address), &a) == -1)
		return;
	dom = directory_domain(w->dir, a.domain);
	if (dom == NULL || dom->relay_to != NULL) {
		final_add(w, FINAL_REMOTE, span_str(address),
		    span_make(NULL, 0), span_make(NULL, 0));
		return;
	}
	a.local = a.quoted ? addr_unquote_local(&a, plain) : a.local;
	/* In a .forward a user's name is that user: an alias of the same name
	 * has been through already. */
	if (at == 0 && (flags & EXPAND_F_OWNED) != 0)
		found = resolve_local(w->dir, w->nss, w->j, dom, a.local,
		    a.domain, true, &r);
	if (found == FOUND_NO)
		found = resolve_local(w->dir, w->nss, w->j, dom, a.local,
		    a.domain, w->nodes[at].direct, &r);
	if (found == FOUND_WAIT)
		w->waiting = true;
	else if (found == FOUND_FAILED)
		w->failed = true;
	else if (found == FOUND_NO ||
	    (r.is_user && (r.user.flags & USER_F_NOMAIL) != 0))
		nobody(w, at, a.local);
	else if (r.is_user)
		final_add(w, FINAL_MAILBOX, span_str(address),
		    span_str(r.user.account), span_make(NULL, 0));
	else if (r.forward != NULL)
		walk_forward(w, at, r.forward);
	else
		push_list(w, at, &r, dom, a.domain);
}

static void
answer(struct expansion *e, uint8_t status, const char *enhanced,
    const char *text)
{
	e->status = status;
	e->enhanced = enhanced;
	e->text = text;
}

static void
conclude(struct walk *w)
{
	struct expansion *e = w->out;

	if (w->failed)
		answer(e, EXPAND_TEMP, "4.3.0",
		    "Accounts cannot be looked up now");
	else if (w->full)
		answer(e, EXPAND_FAIL, "5.2.4",
		    "This name stands for too many recipients");
	else if (e->n == 0 && w->looped)
		answer(e, EXPAND_FAIL, "5.4.6",
		    "This name leads back to itself");
	else if (e->n == 0)
		answer(e, EXPAND_FAIL, "5.1.1", "No such user here");
	else
		answer(e, EXPAND_OK, "2.1.5", "");
	if (e->n > 0 && w->looped)
		log_warnx("the aliases behind <%.*s> lead back to themselves "
		    "or too far: a part of them got nothing",
		    SPAN_ARG(node_text(w, &w->nodes[0])));
}

/* The name with which it begins; "postmaster" is that of the default domain. */
static bool
walk_begin(struct walk *w, struct span address, unsigned depth)
{
	char text[ADDR_TEXT];
	const struct conf_domain *dom = directory_default(w->dir);
	struct span in = address;
	struct addr a;

	if (span_caseeq(in, "postmaster") && dom != NULL &&
	    addr_make(in, span_str(dom->names.words[0]), text) == 0)
		in = span_str(text);
	else if (span_caseeq(in, "postmaster"))
		in = span_str(w->dir->conf->contact);
	if (addr_parse_mailbox(in, &a) == -1)
		return false;
	(void)buf_add_span(&w->text, in);
	w->nodes = xcalloc(1, sizeof(*w->nodes));
	w->nodes[0] = (struct node){ .len = (uint16_t)in.len,
	    .depth = (uint8_t)depth, .parent = NO_PARENT };
	w->n = 1;
	return true;
}

bool
expand(const struct directory *dir, struct nss *nss, struct job *j,
    struct span address, unsigned depth, unsigned flags,
    struct expansion *out)
{
	struct walk w = { .dir = dir, .nss = nss, .j = j, .out = out,
	    .text = BUF_INIT((size_t)EXPAND_NODES_MAX * ADDR_TEXT) };
	uint32_t at;

	memset(out, 0, sizeof(*out));
	if (depth > EXPAND_DEPTH_MAX)
		answer(out, EXPAND_FAIL, "5.4.6", "Forwarded too many times");
	else if (!walk_begin(&w, address, depth))
		answer(out, EXPAND_FAIL, "5.1.3", "Not a valid address");
	else {
		for (at = 0; at < w.n && !w.full; at++)
			walk_node(&w, at, flags);
		conclude(&w);
	}
	table_clear(&w.seen);
	table_clear(&w.finals);
	buf_clear(&w.text);
	x_free(&w.nodes);
	return !w.waiting;
}

void
expansion_clear(struct expansion *e)
{
	size_t i;

	for (i = 0; i < e->n; i++) {
		x_free(&e->finals[i].address);
		x_free(&e->finals[i].target);
		x_free(&e->finals[i].argument);
	}
	x_free(&e->finals);
	x_free(&e->owner);
	memset(e, 0, sizeof(*e));
}
