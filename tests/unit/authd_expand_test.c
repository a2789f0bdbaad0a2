/* authd_expand_test - what a recipient turns into, and what it costs. */
#include "tests/unit/authd_fixture.h"

static struct fixture f;

/* "M:target" "R:address" "C:target:argument" ..., or the enhanced code. */
static const char *
run(const char *address, unsigned depth, unsigned flags, char **owner)
{
	static struct buf out = BUF_INIT(1 << 20);
	struct expansion e;
	size_t i;

	f.job = (struct job){ .run = fixture_run };
	for (;;) {
		f.job.passes++;
		if (expand(&f.dir, &f.nss, &f.job, span_str(address), depth,
		    flags, &e))
			break;
		expansion_clear(&e);
		if (f.job.wants_tables)
			return "tables";
		fixture_serve(&f);
	}
	buf_reset(&out);
	if (e.status != EXPAND_OK)
		(void)buf_add_str(&out, e.enhanced);
	for (i = 0; i < e.n && e.status == EXPAND_OK; i++) {
		const struct final *x = &e.finals[i];

		(void)buf_addf(&out, "%s%c:%s", i > 0 ? " " : "",
		    "?MRCFI"[x->kind],
		    x->kind == FINAL_REMOTE ? x->address : x->target);
		if (*x->argument != '\0')
			(void)buf_addf(&out, ":%s", x->argument);
	}
	if (owner != NULL) {
		*owner = e.owner;
		e.owner = NULL;
	}
	expansion_clear(&e);
	return buf_str(&out);
}

#define U1 "M:user1@example.test"
#define U2 "M:user2@example.test"

static const struct {
	const char *name, *address;
	unsigned depth, flags;
	const char *finals;
} cases[] = {
	{ "an account",        "user1@example.test", 0, 0, U1 },
	{ "its case",          "USER1@Example.TEST", 0, 0, U1 },
	{ "a row with capitals", "User3@example.test", 0, 0,
	    "M:User3@example.test" },
	{ "not that case",     "USER3@example.test", 0, 0, "5.1.1" },
	{ "quotes that say nothing", "\"user1\"@example.test", 0, 0, U1 },
	{ "unknown",           "nosuch@example.test", 0, 0, "5.1.1" },
	{ "nomail",            "gone@example.test", 0, 0, "5.1.1" },
	{ "subaddress",        "user1+a@example.test", 0, 0, U1 },
	{ "the other sign",    "user1-a+b@example.test", 0, 0, U1 },
	{ "the whole name first", "tag+kept@example.test", 0, 0,
	    U2 " R:archive@far.example" },
	{ "no tag alone",      "+a@example.test", 0, 0, "5.1.1" },
	{ "row of all domains", "everywhere@second.test", 0, 0,
	    "M:everywhere" },
	{ "row of the other domain", "user1@second.test", 0, 0, "5.1.1" },
	{ "alias with a domain", "only@second.test", 0, 0, U1 },
	{ "not in the other",  "only@example.test", 0, 0, "5.1.1" },
	{ "remote",            "a@far.example", 0, 0, "R:a@far.example" },
	{ "relay domain",      "a@next.test", 0, 0, "R:a@next.test" },
	{ "a list",            "list@example.test", 0, 0,
	    U1 " R:someone@far.example " U2 " R:archive@far.example" },
	{ "case of an alias",  "sales@example.test", 0, 0, U1 },
	{ "and the other way", "LIST+x@example.test", 0, 0,
	    U1 " R:someone@far.example " U2 " R:archive@far.example" },
	{ "duplicates",        "twice@example.test", 0, 0, U1 },
	{ "a name in its own list", "user2@example.test", 0, 0,
	    U2 " R:archive@far.example" },
	{ "from a .forward",   "user2@example.test", 1, EXPAND_F_OWNED, U2 },
	{ "a list from a .forward", "list@example.test", 1, EXPAND_F_OWNED,
	    U1 " R:someone@far.example " U2 " R:archive@far.example" },
	{ "a loop",            "loop-a@example.test", 0, 0, "5.4.6" },
	{ "a loop beside another", "half@example.test", 0, 0, U1 },
	{ "nine levels",       "d1@example.test", 0, 0, U1 },
	{ "ten levels",        "e0@example.test", 0, 0, U1 },
	{ "eleven levels",     "f0@example.test", 0, 0, "5.4.6" },
	{ "levels before",     "d1@example.test", 1, 0, U1 },
	{ "too many before",   "d1@example.test", 2, 0, "5.4.6" },
	{ "ten before",        "user1@example.test", 10, 0, U1 },
	{ "eleven before",     "user1@example.test", 11, 0, "5.4.6" },
	{ "programs",          "prog@example.test", 0, 0,
	    "C:nobody:/bin/archive -x F:nobody:/var/mail/all "
	    "I:nobody:/etc/friends" },
	{ "an unknown one of a list", "some@example.test", 0, 0,
	    U1 " M:nosuch" },
	{ "catch-all",         "any.thing@catch.test", 0, 0, U1 },
	{ "not before accounts", "everywhere@catch.test", 0, 0,
	    "M:everywhere" },
	{ "postmaster",        "postmaster@catch.test", 0, 0,
	    U2 " R:archive@far.example" },
	{ "postmaster in any case", "PostMaster@unix.test", 0, 0,
	    U2 " R:archive@far.example" },
	{ "postmaster alone",  "Postmaster", 0, 0,
	    U2 " R:archive@far.example" },
	{ "root",              "root@example.test", 0, 0,
	    U2 " R:archive@far.example" },
	{ "no address",        "example.test", 0, 0, "5.1.3" },
	{ "a system account",  "alice@unix.test", 0, 0, "M:alice" },
	{ "one of the system's own", "daemon@unix.test", 0, 0, "5.1.1" },
	{ "nobody of the host", "bob@unix.test", 0, 0, "5.1.1" },
	{ "no answer from NSS", "broken@unix.test", 0, 0, "4.3.0" },
	{ "one of three without an answer", "sys@example.test", 0, 0,
	    "4.3.0" },
	{ "system and file",   "sys2@example.test", 0, 0, "M:alice " U1 },
	{ "name that no host has", "-x@unix.test", 0, 0, "5.1.1" },
};

static void
test_cases(void)
{
	size_t i;

	for (i = 0; i < nitems(cases); i++) {
		check_begin(cases[i].name);
		check_str(run(cases[i].address, cases[i].depth,
		    cases[i].flags, NULL), cases[i].finals);
	}
}

static void
test_owner(void)
{
	char *owner;

	check_begin("the owner of a list");
	(void)run("list@example.test", 0, 0, &owner);
	check_str(owner, "owner-list@example.test");
	x_free(&owner);
	(void)run("twice@example.test", 0, 0, &owner);
	check_str(owner, NULL);
}

/* What is found out once is not asked again, and three names are one wait. */
static void
test_asking(void)
{
	unsigned asks;

	check_begin("one wait for a list");
	fixture_clear(&f);
	fixture_init(&f, fixture_conf, fixture_text);
	f.job = (struct job){ .run = fixture_run, .passes = 1 };
	{
		struct expansion e;

		check_true(!expand(&f.dir, &f.nss, &f.job,
		    span_str("sys@example.test"), 0, 0, &e));
		expansion_clear(&e);
	}
	check_int(f.nasked, 3);
	check_int(f.job.waits, 3);
	fixture_serve(&f);
	check_int(f.job.waits, 0);
	asks = f.asks;
	check_str(run("alice@unix.test", 0, 0, NULL), "M:alice");
	check_int(f.asks, asks);
}

static void
test_many(void)
{
	struct buf text = BUF_INIT(1 << 22);
	int i;

	check_begin("as many as may be, and one more");
	for (i = 0; i < EXPAND_FINALS_MAX; i++)
		(void)buf_addf(&text, "%s r%d@far.example",
		    i == 0 ? "full:" : ",", i);
	(void)buf_add_str(&text, "\nmore: full, x@far.example\n");
	fixture_aliases(&f, "/etc/aliases", buf_str(&text));
	check_true(*run("full@example.test", 0, 0, NULL) == 'R');
	check_str(run("more@example.test", 0, 0, NULL), "5.2.4");
	buf_clear(&text);
}

static void
test_missing_tables(void)
{
	check_begin("a table that has not come");
	directory_clear(&f.dir);
	directory_set(&f.dir, f.conf);
	check_str(run("user1@example.test", 0, 0, NULL), "tables");
	f.dir.tables_given_up = true;
	check_str(run("user1@example.test", 0, 0, NULL), "4.3.0");
}

int
main(void)
{
	fixture_init(&f, fixture_conf, fixture_text);
	test_cases();
	test_owner();
	test_asking();
	test_many();
	test_missing_tables();
	fixture_clear(&f);
	return check_end();
}
