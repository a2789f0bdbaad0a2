/*
 * docs_test.c - the configurations that people will copy are valid: the one
 * that is installed, the one in README.md, and those that INSTALL's table
 * makes of sample main.cf files, of which it knows each parameter. And INSTALL
 * names every user that a role wants. SRCDIR says where they are.
 */
#include "tests/unit/check.h"

#include <err.h>

#include "lib/buf.h"
#include "lib/conf.h"
#include "lib/privsep/roles.h"

#define DOC_MAX (256 << 10)

static struct span
doc_read(const char *name, char *out)
{
	const char *dir = getenv("SRCDIR");
	char path[4096];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir == NULL ? "." : dir, name);
	if ((f = fopen(path, "r")) == NULL)
		err(1, "%s", path);
	n = fread(out, 1, DOC_MAX, f);
	if (ferror(f) || n == DOC_MAX)
		errx(1, "%s cannot be read whole", path);
	fclose(f);
	return span_make(out, n);
}

/* The indented paragraph that begins with "config 1" and ends at a line which
 * is empty or begins at the margin. */
static struct span
doc_block(struct span doc)
{
	const char *p = memmem(doc.p, doc.len, "    config 1\n", 13);
	const char *end = doc.p + doc.len, *line;

	if (p == NULL)
		p = memmem(doc.p, doc.len, "\n  config 1\n", 12);
	if (p == NULL)
		return span_make(NULL, 0);
	p += *p == '\n';
	for (line = p; line < end && *line == ' ';) {
		if ((line = memchr(line, '\n', (size_t)(end - line))) == NULL)
			return span_make(p, (size_t)(end - p));
		line++;
	}
	return span_make(p, (size_t)(line - p));
}

static struct conf *
doc_parse(const char *name, struct span text)
{
	struct conf_errors errors = { 0 };
	struct conf *c;
	size_t i;

	check_begin(name);
	check_true(text.len > 0);
	c = conf_parse(text, name, false, &errors);
	for (i = 0; i < errors.n; i++)
		printf("%s:%u:%u: %s\n", name, errors.list[i].line,
		    errors.list[i].column, errors.list[i].text);
	check_int(errors.n, 0);
	check_true(c != NULL);
	conf_errors_clear(&errors);
	return c;
}

/* What main.cf said is what the statements mean. */
static void
check_from_postfix(const struct conf *c)
{
	struct span rcpt = span_str("x@far.example");
	const struct conf_domain *d;
	const struct conf_route *r;

	check_str(c->host, "mail.example.org");
	check_int(c->queue.keep_s, 3 * 86400);
	check_int(c->nlistens, 2);
	check_int(c->listens[0].size, 20480000);
	check_int(c->listens[1].nfrom, 2);
	d = conf_domain_find(c, span_str("example.org"));
	if (check_true(d != NULL)) {
		check_str(d->subaddress, "+");
		check_str(d->aliases, "/etc/aliases");
	}
	r = conf_route_find(c, span_str("a@example.org"), rcpt);
	if (check_true(r != NULL)) {
		check_int(r->via, VIA_SMARTHOST);
		check_str(r->host, "smtp.isp.example");
		check_int(r->port, 25);
	}
}

/* tests/postfix/barid.conf says what tests/postfix/main.cf said. */
static void
check_sample(const struct conf *c)
{
	const struct conf_route *r;
	const struct conf_users *u;

	check_str(c->host, "mx1.isp.example");
	check_int(c->queue.keep_s, 3 * 86400);
	check_int(c->listens[0].size, 26214400);
	check_int(c->listens[0].client_connections, 30);
	check_int(c->listens[0].ndenies, 2);
	check_int(c->listens[1].limit.count, 100);
	check_int(c->listens[0].tls_mode, TLS_OFFERED);
	check_int(c->listens[2].kind, LISTEN_SUBMISSION);
	check_int(c->listens[3].tls_mode, TLS_IMMEDIATE);
	if (check_true((u = conf_users_find(c, "staff")) != NULL)) {
		check_int(u->passwords, PASSWORDS_DOVECOT);
		check_str(u->path, "%h/Mailbox");
		check_int(u->quota, 1073741824);
	}
	check_true(conf_domain_find(c, span_str("brand.example")) != NULL);
	r = conf_route_find(c, span_str("a@isp.example"),
	    span_str("x@dept.example"));
	if (check_true(r != NULL))
		check_int(r->port, 2525);
	r = conf_route_find(c, span_str("a@isp.example"),
	    span_str("x@bank.example"));
	if (check_true(r != NULL))
		check_int(r->tls, TLS_OUT_VERIFIED);
	r = conf_route_find(c, span_str("a@isp.example"),
	    span_str("x@lists.example"));
	if (check_true(r != NULL))
		check_int(r->via, VIA_LMTP);
	r = conf_route_find(c, span_str("a@isp.example"),
	    span_str("x@far.example"));
	if (check_true(r != NULL))
		check_str(r->host, "relay.upstream.example");
}

static bool
is_word_octet(char c)
{
	return c == '_' || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool
has_word(struct span text, struct span word)
{
	const char *p = text.p, *end = text.p + text.len, *behind;

	while ((p = memmem(p, (size_t)(end - p), word.p, word.len)) != NULL) {
		behind = p + word.len;
		if ((p == text.p || !is_word_octet(p[-1])) &&
		    (behind == end || !is_word_octet(*behind)))
			return true;
		p = behind;
	}
	return false;
}

/* Each parameter of the sample is spoken of in INSTALL. */
static void
check_parameters(struct span install, struct span main_cf)
{
	struct span line, name, value;
	char text[80];

	while (main_cf.len > 0) {
		span_split(main_cf, '\n', &line, &main_cf);
		if (line.len == 0 || line.p[0] == '#')
			continue;
		span_split(line, ' ', &name, &value);
		if (span_copy(name, text, sizeof(text)) == -1)
			errx(1, "a parameter is too long");
		check_begin(text);
		check_true(has_word(install, name));
	}
}

static void
check_users(struct span install)
{
	const struct role_row *row;
	char user[64];
	unsigned r;

	for (r = ROLE_NONE + 1; r < ROLE_MAX; r++) {
		row = role_row((enum role)r);
		check_begin(row->name);
		if (row->user == NULL)
			continue;
		snprintf(user, sizeof(user), "\n  _barid_%s ", row->user);
		check_true(memmem(install.p, install.len, user,
		    strlen(user)) != NULL);
	}
}

int
main(void)
{
	static char text[DOC_MAX], main_cf[DOC_MAX];
	struct conf *c;

	if ((c = doc_parse("etc/barid.conf", doc_read("etc/barid.conf",
	    text))) != NULL)
		conf_free(c);
	if ((c = doc_parse("README.md", doc_block(doc_read("README.md",
	    text)))) != NULL)
		conf_free(c);
	if ((c = doc_parse("INSTALL", doc_block(doc_read("INSTALL",
	    text)))) != NULL) {
		check_from_postfix(c);
		conf_free(c);
	}
	if ((c = doc_parse("tests/postfix/barid.conf", doc_read(
	    "tests/postfix/barid.conf", text))) != NULL) {
		check_sample(c);
		conf_free(c);
	}
	check_parameters(doc_read("INSTALL", text), doc_read(
	    "tests/postfix/main.cf", main_cf));
	check_users(doc_read("INSTALL", text));
	return check_end();
}
