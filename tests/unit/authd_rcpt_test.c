/* authd_rcpt_test - who may send what to whom, account look-ups by name and
 * number, and the questions that wait. */
#include "authd/authd.h"
#include "tests/unit/authd_fixture.h"

static struct fixture f;

static const char *const codes[] = { [RCPT_OK] = "ok",
	[RCPT_UNKNOWN] = "unknown", [RCPT_RELAY] = "relay",
	[RCPT_TEMP] = "temp", [RCPT_FULL] = "full",
	[RCPT_REFUSED] = "refused" };

static const char *
judge(unsigned flags, const char *local, const char *domain)
{
	struct verdict v;

	f.job = (struct job){ .run = fixture_run };
	for (;;) {
		f.job.passes++;
		if (rcpt_judge(&f.dir, &f.nss, &f.job, flags,
		    span_str(local), span_str(domain), &v))
			return codes[v.code];
		if (f.job.wants_tables)
			return "tables";
		fixture_serve(&f);
	}
}

#define LOCAL  RCPT_F_LOCAL
#define DEVICE RCPT_F_DEVICE

static const struct {
	const char *name;
	unsigned flags;
	const char *local, *domain, *verdict;
} cases[] = {
	{ "ours",            0, "user1", "example.test", "ok" },
	{ "domain's case",   0, "user1", "Example.TEST", "ok" },
	{ "with a tag",      0, "user1+x", "example.test", "ok" },
	{ "in quotes",       0, "\"user1\"", "example.test", "ok" },
	{ "an alias",        0, "list", "example.test", "ok" },
	{ "unknown",         0, "nosuch", "example.test", "unknown" },
	{ "nomail",          0, "gone", "example.test", "unknown" },
	{ "empty",           0, "", "example.test", "unknown" },
	{ "postmaster",      0, "postmaster", "example.test", "ok" },
	{ "POSTMASTER",      0, "POSTMASTER", "unix.test", "ok" },
	{ "postmaster alone", 0, "Postmaster", "", "ok" },
	{ "another alone",   0, "user1", "", "unknown" },
	{ "another alone, here", LOCAL, "user1", "", "ok" },
	{ "root",            0, "root", "example.test", "ok" },
	{ "catch-all",       0, "anything", "catch.test", "ok" },
	{ "elsewhere",       0, "user1", "far.example", "relay" },
	{ "elsewhere, local", LOCAL, "user1", "far.example", "ok" },
	{ "elsewhere, device", DEVICE, "user1", "far.example", "ok" },
	{ "unknown, local",  LOCAL, "nosuch", "example.test", "unknown" },
	{ "below ours",      0, "user1", "sub.example.test", "relay" },
	{ "ours in front",   0, "user1", "example.test.far.example",
	    "relay" },
	{ "dot at the end",  0, "user1", "far.example.", "relay" },
	{ "literal",         0, "user1", "[192.0.2.1]", "relay" },
	{ "relay domain",    0, "anything", "next.test", "ok" },
	{ "percent",         0, "a%far.example", "example.test", "unknown" },
	{ "percent alone",   0, "a%far.example", "", "unknown" },
	{ "bang",            0, "far.example!a", "example.test", "unknown" },
	{ "at in quotes",    0, "\"a@far.example\"", "example.test",
	    "unknown" },
	{ "percent, catch-all", 0, "a%far.example", "catch.test", "unknown" },
	{ "percent in quotes, relay domain", 0, "\"a%far.example\"",
	    "next.test", "unknown" },
	{ "bang, relay domain", 0, "far!a", "next.test", "unknown" },
	{ "system account",  0, "alice", "unix.test", "ok" },
	{ "its case",        0, "Alice", "unix.test", "ok" },
	{ "the system's own", 0, "daemon", "unix.test", "unknown" },
	{ "not there",       0, "bob", "unix.test", "unknown" },
	{ "no answer",       0, "broken", "unix.test", "temp" },
	{ "a path",          0, "../alice", "unix.test", "unknown" },
	{ "longer than a name", 0, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "unix.test",
	    "unknown" },
};

static void
test_cases(void)
{
	size_t i;

	for (i = 0; i < nitems(cases); i++) {
		check_begin(cases[i].name);
		check_str(judge(cases[i].flags, cases[i].local,
		    cases[i].domain), cases[i].verdict);
	}
}

static void
test_cache(void)
{
	unsigned asks = f.asks;

	check_begin("an account is asked for once");
	check_str(judge(0, "alice", "unix.test"), "ok");
	check_str(judge(0, "bob", "unix.test"), "unknown");
	check_int(f.asks, asks);
	check_begin("an error is not believed for long");
	usleep(1100 * 1000);
	check_str(judge(0, "broken", "unix.test"), "temp");
	check_int(f.asks, asks + 1);
	check_str(judge(0, "alice", "unix.test"), "ok");
	check_int(f.asks, asks + 1);
}

static void
test_busy(void)
{
	struct verdict v;
	char name[16];
	size_t i;

	check_begin("when nobody can be asked the answer is 'later'");
	for (i = 0; i < nitems(f.asked); i++) {
		snprintf(name, sizeof(name), "w%zu", i);
		check_true(!rcpt_judge(&f.dir, &f.nss, &f.job, 0,
		    span_str(name), span_str("unix.test"), &v));
	}
	check_true(rcpt_judge(&f.dir, &f.nss, &f.job, 0, span_str("one-more"),
	    span_str("unix.test"), &v));
	check_int(v.code, RCPT_TEMP);
	fixture_serve(&f);
}

static void
test_accounts(void)
{
	struct user u;
	char path[64];

	check_begin("an account by its name");
	f.job = (struct job){ .run = fixture_run };
	check_int(directory_account(&f.dir, &f.nss, &f.job,
	    span_str("user1@example.test"), &u), FOUND_YES);
	check_str(u.local, "user1");
	check_str(u.home, "/home/x");
	check_int(u.uid, 20001);
	check_int(directory_account(&f.dir, &f.nss, &f.job,
	    span_str("user1"), &u), FOUND_WAIT); /* of the host, perhaps */
	fixture_serve(&f);
	check_int(directory_account(&f.dir, &f.nss, &f.job,
	    span_str("user1"), &u), FOUND_NO);
	check_int(directory_account(&f.dir, &f.nss, &f.job,
	    span_str("alice"), &u), FOUND_YES);
	check_int(directory_path(&u, path, sizeof(path)), 0);
	check_str(path, "/tmp/m/alice");
	check_int(directory_path(&u, path, 12), -1);

	check_begin("a group that the host does not know");
	check_int(directory_account(&f.dir, &f.nss, &f.job,
	    span_str("user2@example.test"), &u), FOUND_YES);
	check_int(directory_ids(&f.nss, &f.job, &u), FOUND_WAIT);
	fixture_serve(&f);
	check_int(directory_ids(&f.nss, &f.job, &u), FOUND_YES);
	check_int(u.gid, 20001);

	check_begin("an account by its number");
	check_true(directory_by_uid(&f.dir, 20001, &u));
	check_str(u.account, "user1@example.test");
	check_true(!directory_by_uid(&f.dir, 20002, &u));
}

/* -- questions that wait -- */

static unsigned runs, freed;

static bool
run_waiting(struct job *j)
{
	runs++;
	if (runs == 1 && nss_name(&f.nss, j, span_str("late")) == NULL)
		return false;
	if (runs == 2) {
		j->wants_tables = true;
		return false;
	}
	return true;
}

static void
count_free(struct job *j)
{
	(void)j;
	freed++;
}

static void
test_jobs(void)
{
	static struct channel asker, other;
	static struct jobs jobs;
	struct job *j = xcalloc(1, sizeof(*j));

	check_begin("a question waits for an account, then for a table");
	f.nss.jobs = &jobs;
	*j = (struct job){ .run = run_waiting, .free = count_free,
	    .ch = &asker };
	job_start(&jobs, j);
	check_int(jobs.n, 1);
	jobs_tables(&jobs);
	check_int(runs, 1);
	fixture_serve(&f);
	check_int(runs, 2);
	jobs_tables(&jobs);
	check_int(runs, 3);
	check_int(freed, 1);
	check_int(jobs.n, 0);

	check_begin("its asker goes while it waits");
	runs = freed = 0;
	nss_clear(&f.nss);
	nss_init(&f.nss, fixture_ask, &f, &jobs);
	j = xcalloc(1, sizeof(*j));
	*j = (struct job){ .run = run_waiting, .free = count_free,
	    .ch = &asker };
	job_start(&jobs, j);
	jobs_lost(&jobs, &other);
	check_int(jobs.n, 1);
	jobs_lost(&jobs, &asker);
	check_int(freed, 0); /* the answer that is under way names it */
	fixture_serve(&f);
	check_int(freed, 1);
	check_int(runs, 1);
	check_int(jobs.n, 0);
	f.nss.jobs = &f.jobs;
}

/* A new configuration keeps tables, and takes those that came before it. */
static void
test_reload(void)
{
	static const char text[] = "config 1\nhost mx.example.test\n"
	    "contact a@new.test\nlisten mx { port 2525 }\n"
	    "users virtual { file /etc/users2 }\n"
	    "users fresh { file /etc/fresh }\n"
	    "domain example.test { users virtual; aliases /etc/aliases }\n"
	    "domain new.test { users fresh }\n";
	struct conf_errors errors = { 0 };
	struct conf *conf = conf_parse(span_str(text), "t", true, &errors);
	struct user_row row = { .uid = 20002 };
	const struct users *done;

	check_begin("reload");
	if (!check_true(conf != NULL))
		return;
	check_int(directory_users_begin(&f.dir, span_str("fresh")), 0);
	check_int(directory_users_row(&f.dir, span_str("a@new.test"), &row,
	    span_make(NULL, 0), span_make(NULL, 0)), 0);
	check_int(directory_users_end(&f.dir, 2, false, &done), -1);
	check_int(directory_users_end(&f.dir, 1, false, &done), 0);
	check_str(judge(0, "a", "new.test"), "relay");
	directory_set(&f.dir, conf);
	check_str(judge(0, "a", "new.test"), "ok");
	check_str(judge(0, "alice", "unix.test"), "relay");
	/* Its commands are no longer allowed: it must be read again. */
	check_str(judge(0, "list", "example.test"), "tables");
	fixture_aliases(&f, "/etc/aliases", "list: user1\nx: |y\n");
	check_str(judge(0, "list", "example.test"), "ok");
	check_str(judge(0, "x", "example.test"), "unknown");
	check_str(judge(0, "user1", "example.test"), "ok");
	conf_free(f.conf);
	f.conf = conf;
}

int
main(void)
{
	fixture_init(&f, fixture_conf, fixture_text);
	test_cases();
	test_cache();
	test_busy();
	test_accounts();
	test_jobs();
	test_reload();
	fixture_clear(&f);
	return check_end();
}
