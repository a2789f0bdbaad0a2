/*
 * authd_load_test - a users file of 100,000 accounts: how long until it is
 * read, and how many recipients a second are judged then. Prints both; the
 * bounds are far from what any machine should need, for slow test hosts.
 */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "authd/authd.h"
#include "authd/worker.h"
#include "lib/clock.h"
#include "tests/unit/authd_fixture.h"

#define USERS    100000
#define VERDICTS 500000

static struct hashed_users hashed = { .name = (char *)(uintptr_t)"virtual",
	.file = (char *)(uintptr_t)"users" };

static void
read_users(void)
{
	struct buf text = BUF_INIT(64u << 20);
	int fd = memfd_create("users", MFD_CLOEXEC), i;
	struct hashed_walk walk;
	int64_t begin;

	for (i = 1; i <= USERS; i++)
		(void)buf_addf(&text, "user%d@example.test : $6$saltsalt$"
		    "0123456789012345678901234567890123456789012345678901234"
		    "5678901234567890123456789012345 : %d : 1G :\n", i,
		    20000 + i);
	check_int(buf_write_all(&text, fd), 0);
	buf_clear(&text);
	begin = clock_boot_ms();
	check_int(hashed_read(&hashed, fd, false, 1000, true), 0);
	begin = clock_boot_ms() - begin;
	printf("%d accounts read in %d ms\n", USERS, (int)begin);
	check_true(begin < 10000);
	check_int(hashed.rows.names.n, USERS);
	check_true(hashed_find(&hashed, span_str("user1@example.test"),
	    &walk));
	check_true(!hashed_find(&hashed, span_str("user0@example.test"),
	    &walk));
	close(fd);
}

static void
take_rows(struct fixture *f)
{
	const struct users *done;
	int64_t begin = clock_boot_ms();
	size_t i;

	check_int(directory_users_begin(&f->dir, span_str("virtual")), 0);
	for (i = 0; i < hashed.rows.names.n; i++)
		if (directory_users_row(&f->dir,
		    table_name(&hashed.rows.names, i), &hashed.rows.list[i],
		    span_make(NULL, 0), span_make(NULL, 0)) == -1)
			break;
	check_int(directory_users_end(&f->dir, USERS, false, &done), 0);
	printf("taken over in %d ms\n", (int)(clock_boot_ms() - begin));
}

static void
judge_many(struct fixture *f)
{
	struct verdict v;
	char name[32];
	int64_t us = clock_now_us();
	int i, bad = 0;

	for (i = 0; i < VERDICTS; i++) {
		snprintf(name, sizeof(name), "user%d", i % USERS + 1);
		if (!rcpt_judge(&f->dir, &f->nss, &f->job, 0, span_str(name),
		    span_str("example.test"), &v) || v.code != RCPT_OK)
			bad++;
	}
	us = clock_now_us() - us;
	check_int(bad, 0);
	printf("%d verdicts a second (%.2f us each)\n",
	    (int)(VERDICTS * 1000000.0 / (double)us), (double)us / VERDICTS);
	check_true(us / VERDICTS < 100);
}

int
main(void)
{
	static struct fixture f;

	fixture_init(&f, fixture_conf, fixture_text);
	check_begin("100,000 accounts");
	read_users();
	take_rows(&f);
	check_begin("verdicts");
	judge_many(&f);
	hashed_clear(&hashed);
	fixture_clear(&f);
	return check_end();
}
