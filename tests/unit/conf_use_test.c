/*
 * conf_use_test.c - what a configuration is used for: written out for each
 * program, read from files, asked about routes, domains and addresses.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/privsep/roles.h"
#include "tests/unit/check.h"
#include "tests/unit/conf_text.h"
#include "tests/unit/tree.h"

static void
test_round_trip(void)
{
	struct buf one = BUF_INIT(1 << 20), two = BUF_INIT(1 << 20),
	    small = BUF_INIT(100);
	struct conf_errors errors;
	struct conf *c = parse(full, &errors), *again;
	unsigned role;

	check_begin("round trip");
	if (c == NULL)
		return;
	check_int(conf_format(c, 0, &one), 0);
	again = parse(buf_str(&one), &errors);
	if (check_true(again != NULL)) {
		check_int(conf_format(again, 0, &two), 0);
		check_str(buf_str(&one), buf_str(&two));
		check_int(again->nroutes, c->nroutes);
	} else
		printf("%u: %s\n%s", errors.list[0].line, errors.list[0].text,
		    buf_str(&one));
	conf_free(again);
	check_int(conf_format(c, 0, &small), -1);
	for (role = 1; role < ROLE_MAX; role++) {
		check_begin(role_name(role));
		buf_reset(&one);
		check_int(conf_format(c, role, &one), 0);
		again = conf_parse(buf_span(&one), "master", false, &errors);
		if (!check_true(again != NULL || role == ROLE_MASTER))
			printf("%u: %s\n%s", errors.list[0].line,
			    errors.list[0].text, buf_str(&one));
		conf_errors_clear(&errors);
		conf_free(again);
	}
	buf_clear(&one);
	buf_clear(&two);
	buf_clear(&small);
	conf_free(c);
}

/* What a program does not need it does not see. */
static void
test_roles(void)
{
	struct buf b = BUF_INIT(1 << 20);
	struct conf_errors errors;
	struct conf *c = parse(full, &errors), *r;

	check_begin("what roles see");
	if (c == NULL)
		return;
	conf_format(c, ROLE_POP3D, &b);
	check_true(strstr(buf_str(&b), "users") == NULL);
	check_true(strstr(buf_str(&b), "spam.example") == NULL);
	r = conf_parse(buf_span(&b), "m", false, &errors);
	if (check_true(r != NULL)) {
		check_int(r->nlistens, 6);
		check_int(r->listens[2].client_connections, 7);
		check_int(r->ntls, 1);
		check_str(r->tls[0].name, "home");
		check_true(r->tls[0].key == NULL);
		check_int(r->listens[5].tls_mode, TLS_IMMEDIATE);
		check_int(r->listens[3].tls.n, 0);
		check_true(r->login_clear);
		check_int(r->nroutes, 0);
	}
	conf_free(r);
	buf_reset(&b);
	conf_format(c, ROLE_RELAY, &b);
	check_true(strstr(buf_str(&b), "recipients any") == NULL);
	r = conf_parse(buf_span(&b), "m", false, &errors);
	if (check_true(r != NULL)) {
		check_int(r->nroutes, c->nroutes);
		check_str(r->routes[1].path, "/run/list.sock");
		check_int(r->routes[0].port, 2525);
		check_int(r->mx_port, 2500);
		check_true(r->allow_loopback && !r->login_clear);
		check_int(r->ntls, 1);
		check_str(r->tls[0].name, "out");
	}
	conf_free(r);
	conf_free(c);
	buf_clear(&b);
}

/* Nobody but keyd learns where a key lies; keyd learns whom it serves. */
static void
test_keys(void)
{
	struct buf b = BUF_INIT(1 << 20);
	struct conf_errors errors;
	struct conf *c = parse(full, &errors), *r;
	unsigned role;

	for (role = 1; c != NULL && role < ROLE_MAX; role++) {
		check_begin(role_name(role));
		buf_reset(&b);
		conf_format(c, role, &b);
		check_int(strstr(buf_str(&b), ".key") != NULL,
		    role == ROLE_KEYD || role == ROLE_MASTER);
	}
	buf_reset(&b);
	check_begin("what keyd sees");
	if (c == NULL || conf_format(c, ROLE_KEYD, &b) == -1)
		return;
	r = conf_parse(buf_span(&b), "m", false, &errors);
	if (check_true(r != NULL)) {
		check_int(r->ntls, 3);
		check_int(r->nlistens, 6);
		check_int(r->listens[3].tls.n, 2);
		check_int(r->listens[3].tls_mode, TLS_REQUIRED);
		check_int(r->nroutes, 1);
		check_str(r->routes[0].certificate, "out");
		check_int(r->nusers, 0);
	}
	conf_free(r);
	buf_reset(&b);
	check_begin("what the worker for PAM sees");
	conf_format(c, ROLE_AUTHP, &b);
	r = conf_parse(buf_span(&b), "m", false, &errors);
	if (check_true(r != NULL)) {
		check_true(conf_users_find(r, "staff") != NULL);
		check_true(conf_users_find(r, "virtual") == NULL);
		check_str(r->users[0].pam, "barid");
	}
	conf_free(r);
	conf_free(c);
	buf_clear(&b);
}

static void
test_match(void)
{
	static const struct {
		const char *pattern, *address;
		bool match;
	} cases[] = {
		{ "a@b.example", "a@B.Example", true },
		{ "a@b.example", "A@b.example", false },
		{ "@b.example", "any.body@b.example", true },
		{ "@b.example", "x@c.b.example", false },
		{ "*@*.b.example", "x@c.b.example", true },
		{ "news*@*", "newsletter@x", true },
		{ "*a*b*@x", "xxaxxbxx@x", true },
		{ "*a*b*@x", "xxbxxaxx@x", false },
		{ "@*", "", false },
		{ "*aaaaaaaaaaaaaaaaaaaab@x",
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@x", false },
		{ "\"a@b\"@x", "\"a@b\"@X", true },
	};
	size_t i;

	for (i = 0; i < nitems(cases); i++) {
		check_begin(cases[i].pattern);
		check_int(conf_pattern_match(cases[i].pattern,
		    span_str(cases[i].address)), cases[i].match);
	}
}

static void
test_route(void)
{
	static const struct {
		const char *from, *to;
		int index; /* -1: none */
	} cases[] = {
		{ "x@shop.example", "a@partner.example", 0 },
		{ "x@y.example", "a@LIST.example", 1 },
		{ "x@Shop.Example", "a@gmail.com", 2 },
		{ "", "a@gmail.com", 3 },
		{ "", "a@x.gmail.com", 6 },
		{ "", "a@b.dead.example", 4 },
		{ "", "a@dead.example", 6 },
		{ "", "a@b.example", 4 },
		{ "", "c@b.example", 6 },
	};
	struct conf_errors errors;
	struct conf *c = parse(full, &errors);
	const struct conf_route *r;
	size_t i;

	for (i = 0; c != NULL && i < nitems(cases); i++) {
		check_begin(cases[i].to);
		r = conf_route_find(c, span_str(cases[i].from),
		    span_str(cases[i].to));
		check_int(r == NULL ? -1 : r->index, cases[i].index);
	}
	conf_free(c);
}

static void
test_net(void)
{
	struct conf_errors errors;
	struct conf *c = parse(HEAD "listen mx { port 25; deny from "
	    "10.1.0.0/17, 2001:db8::/33, 192.0.2.7 }", &errors);
	static const struct {
		const char *address;
		int which;
	} cases[] = {
		{ "::ffff:10.1.127.255", 0 }, { "::ffff:10.1.128.0", -1 },
		{ "2001:db8:7fff::1", 1 }, { "2001:db8:8000::1", -1 },
		{ "::ffff:192.0.2.7", 2 }, { "::ffff:192.0.2.6", -1 },
	};
	struct in6_addr a;
	size_t i, k;

	for (i = 0; c != NULL && i < nitems(cases); i++) {
		check_begin(cases[i].address);
		inet_pton(AF_INET6, cases[i].address, &a);
		for (k = 0; k < 3; k++)
			check_int(conf_net_match(
			    &c->listens[0].denies[k].net, &a),
			    (int)k == cases[i].which);
	}
	conf_free(c);
}

static void
write_file(const char *dir, const char *name, const char *text)
{
	char path[300];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if ((f = fopen(path, "w")) != NULL) {
		fputs(text, f);
		fclose(f);
	}
}

/* A configuration in a folder of its own, with a folder of parts. */
struct files {
	char dir[24], part[40], path[40];
};

static bool
files_make(struct files *fs)
{
	snprintf(fs->dir, sizeof(fs->dir), "/tmp/conf_test.XXXXXX");
	if (!check_true(mkdtemp(fs->dir) != NULL))
		return false;
	snprintf(fs->part, sizeof(fs->part), "%s/conf.d", fs->dir);
	mkdir(fs->part, 0755);
	snprintf(fs->path, sizeof(fs->path), "%s/barid.conf", fs->dir);
	write_file(fs->dir, "barid.conf",
	    HEAD "include \"conf.d/*.conf\"\n");
	return true;
}

/* Loading PATH finds N mistakes, and the words for the first hold TEXT. */
static void
check_refused_many(const char *path, const char *below, size_t n,
    const char *text)
{
	struct conf_errors errors;

	check_true(conf_load(path, below, &errors) == NULL);
	if (check_int(errors.n, n))
		check_true(strstr(errors.list[0].text, text) != NULL);
	conf_errors_clear(&errors);
}

static void
check_refused(const char *path, const char *below, const char *text)
{
	check_refused_many(path, below, 1, text);
}

static void
test_files(const struct files *fs)
{
	const char *part = fs->part;
	struct conf_errors errors;
	struct conf *c;

	check_begin("files");
	write_file(part, "a.conf", "listen mx { port 25 }\n");
	write_file(part, "b.conf", "listen mx { port 26 }\n");
	write_file(part, "c.txt", "nonsense\n");
	c = conf_load(fs->path, fs->dir, &errors);
	if (check_true(c != NULL))
		check_int(c->nlistens, 2);
	conf_free(c);
	conf_errors_clear(&errors);

	check_begin("errors name the included file");
	write_file(part, "b.conf", "\n  listne mx { port 26 }\n");
	c = conf_load(fs->path, fs->dir, &errors);
	check_true(c == NULL);
	if (check_int(errors.n, 1)) {
		check_true(strstr(errors.list[0].file, "conf.d/b.conf") !=
		    NULL);
		check_int(errors.list[0].line, 2);
		check_int(errors.list[0].column, 3);
	}
	conf_errors_clear(&errors);
}

static void
test_refused_files(const struct files *fs)
{
	const char *part = fs->part;
	char none[40];

	check_begin("paths stay below --test DIR");
	write_file(part, "b.conf", "log { file /var/log }\n");
	check_refused(fs->path, fs->dir, "");
	write_file(part, "b.conf", "tls t { cert /etc/c; key /etc/k }\n");
	check_refused_many(fs->path, fs->dir, 2, "is not below");
	check_begin("so does the configuration");
	write_file(part, "b.conf", "");
	check_refused(fs->path, part, "not below");
	check_begin("a file that includes itself");
	write_file(part, "b.conf", "include \"b.conf\"\n");
	check_refused(fs->path, fs->dir, "");
	check_begin("a file that is missing");
	write_file(part, "b.conf", "include \"none.conf\"\n");
	check_refused(fs->path, fs->dir, "");
	snprintf(none, sizeof(none), "%s/none", fs->dir);
	check_refused(none, fs->dir, "");
}

static void
test_file_mode(const struct files *fs)
{
	struct conf_errors errors;
	struct conf *c;

	check_begin("a file that others can change");
	write_file(fs->dir, "barid.conf", HEAD);
	chmod(fs->path, 0666);
	check_refused(fs->path, NULL, "chmod go-w");
	chmod(fs->path, 0644);
	c = conf_load(fs->path, NULL, &errors);
	check_true(c != NULL);
	conf_free(c);
	conf_errors_clear(&errors);
}

int
main(void)
{
	struct files fs;

	test_round_trip();
	test_roles();
	test_keys();
	test_match();
	test_route();
	test_net();
	if (files_make(&fs)) {
		test_files(&fs);
		test_refused_files(&fs);
		test_file_mode(&fs);
		tree_remove(fs.dir);
	}
	return check_end();
}
