/*
 * authd_fixture.h - a directory of domains, aliases and accounts for the tests
 * of authd. System accounts: what the test's ask function answers.
 */
#ifndef TESTS_UNIT_AUTHD_FIXTURE_H
#define TESTS_UNIT_AUTHD_FIXTURE_H

#include <sys/mman.h>
#include <unistd.h>

#include "authd/directory.h"
#include "authd/expand.h"
#include "lib/ipc/types.h"
#include "lib/mem.h"
#include "tests/unit/check.h"

struct fixture {
	struct conf *conf;
	struct directory dir;
	struct nss nss;
	struct jobs jobs;
	struct job job;          /* one question at a time */
	struct nss_entry *asked[16];
	size_t nasked;
	unsigned asks;           /* in all */
};

static inline bool
fixture_ask(void *arg, struct nss_entry *e)
{
	struct fixture *f = arg;

	f->asks++;
	if (f->nasked == nitems(f->asked))
		return false;
	f->asked[f->nasked++] = e;
	return true;
}

/* The host has alice (2001), daemon (1), and broken, of whom nothing is known
 * because the directory service is away. */
static inline void
fixture_answer(struct fixture *f, struct nss_entry *e)
{
	struct nss_facts facts = { .state = NSS_ABSENT };
	bool alice = e->name != NULL ? strcmp(e->name, "alice") == 0 :
	    e->key_uid == 2001;

	if (alice || (e->name != NULL && strcmp(e->name, "daemon") == 0)) {
		facts.state = NSS_FOUND;
		facts.account = span_str(alice ? "alice" : "daemon");
		facts.home = span_str("/home/alice");
		facts.gecos = span_str("Alice Example");
		facts.uid = alice ? 2001 : 1;
		facts.gid = 100;
	} else if (e->name != NULL && strcmp(e->name, "broken") == 0) {
		facts.state = NSS_FAILED;
	}
	nss_answer(&f->nss, e, &facts);
}

static inline void
fixture_bad(const char *what)
{
	printf("fixture: %s\n", what);
	exit(1);
}

static inline void
fixture_aliases(struct fixture *f, const char *file, const char *text)
{
	int fd = memfd_create("aliases", MFD_CLOEXEC);

	if (fd == -1 || write(fd, text, strlen(text)) == -1 ||
	    directory_aliases(&f->dir, file, fd) == NULL)
		fixture_bad("aliases");
	close(fd);
}

static inline void
fixture_row(struct fixture *f, const char *address, unsigned flags,
    const char *senders)
{
	struct user_row row = { .quota = UINT64_MAX, .uid = 20001,
	    .flags = (uint8_t)flags };

	if (directory_users_row(&f->dir, span_str(address), &row,
	    span_str("/home/x"), span_str(senders)) == -1)
		fixture_bad(address);
}

static inline void
fixture_init(struct fixture *f, const char *conf, const char *aliases)
{
	struct conf_errors errors = { 0 };
	const struct users *done;

	memset(f, 0, sizeof(*f));
	f->conf = conf_parse(span_str(conf), "test.conf", true, &errors);
	if (f->conf == NULL)
		fixture_bad(errors.n > 0 ? errors.list[0].text : "conf");
	directory_set(&f->dir, f->conf);
	nss_init(&f->nss, fixture_ask, f, &f->jobs);
	if (directory_users_begin(&f->dir, span_str("virtual")) == -1)
		fixture_bad("begin");
	fixture_row(f, "user1@example.test", 0, "");
	fixture_row(f, "user2@example.test", 0,
	    "Boss@far.example,@third.example");
	fixture_row(f, "User3@example.test", 0, "");
	fixture_row(f, "gone@example.test", USER_F_NOMAIL, "");
	fixture_row(f, "everywhere", 0, "");
	if (directory_users_end(&f->dir, 5, true, &done) == -1)
		fixture_bad("end");
	fixture_aliases(f, "/etc/aliases", aliases);
}

static inline void
fixture_clear(struct fixture *f)
{
	directory_clear(&f->dir);
	nss_clear(&f->nss);
	conf_free(f->conf);
}

/* The question runs anew until it waits for nothing. */
static inline bool
fixture_run(struct job *j)
{
	(void)j;
	return false;
}

static inline void
fixture_serve(struct fixture *f)
{
	while (f->nasked > 0)
		fixture_answer(f, f->asked[--f->nasked]);
	/* f->job is no job of the heap: the next question begins anew */
	memset(&f->jobs, 0, sizeof(f->jobs));
}

static const char fixture_conf[] =
    "config 1\n"
    "host mx.example.test\n"
    "contact user2@example.test\n"
    "listen mx { port 2525 }\n"
    "users virtual { file /etc/users; store mbox }\n"
    "users staff { system; store mbox /tmp/m/%u }\n"
    "domain example.test, second.test { users virtual; default; "
    "aliases /etc/aliases as nobody; subaddress \"+-\" }\n"
    "domain unix.test { users staff }\n"
    "domain catch.test { users virtual; catchall user1@example.test }\n"
    "domain next.test { relay to mail.next.test; recipients any }\n";

static const char fixture_text[] =
    "list: user1, user2@example.test, someone@far.example\n"
    "owner-list: user2\n"
    "twice: user1, USER1, user1+x, user1@example.test, \\user1\n"
    "user2: user2, archive@far.example\n"
    "loop-a: loop-b\n"
    "loop-b: loop-a\n"
    "half: loop-a, user1\n"
    "d1: d2\nd2: d3\nd3: d4\nd4: d5\nd5: d6\nd6: d7\nd7: d8\nd8: d9\n"
    "d9: user1\n"
    "e0: d1\nf0: e0\n"
    "prog: \"|/bin/archive -x\", /var/mail/all, :include:/etc/friends\n"
    "some: user1, nosuch\n"
    "Sales: user1\n"
    "tag+kept: user2\n"
    "sys: alice@unix.test, bob@unix.test, broken@unix.test\n"
    "sys2: alice@unix.test, user1\n"
    "only@second.test: user1@example.test\n";

#endif
