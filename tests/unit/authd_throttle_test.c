/* authd/throttle.c: how long guessers wait, and how short everybody else. */
#include <stdio.h>

#include "authd/throttle.h"
#include "tests/unit/check.h"

#define HALF_MS ((int64_t)THROTTLE_HALF_S * 1000)

static struct throttle t;
static const int64_t now = 1000000;

static struct in6_addr
address(const char *client)
{
	struct in6_addr a;

	throttle_address(span_str(client), &a);
	return a;
}

static int64_t
failed(const char *client, const char *name, int64_t at_ms)
{
	struct in6_addr a = address(client);

	return throttle_failed(&t, &a, span_str(name), at_ms);
}

static int64_t
succeeded(const char *client, const char *name, int64_t at_ms)
{
	struct in6_addr a = address(client);

	return throttle_succeeded(&t, &a, span_str(name), at_ms);
}

static void
fail_often(const char *client, const char *name, unsigned n)
{
	for (; n > 0; n--)
		(void)failed(client, name, now);
}

static void
test_account(void)
{
	char client[32];
	unsigned i;

	memset(&t, 0, sizeof(t));
	check_begin("one account, guessed from many addresses");
	for (i = 1; i <= 20; i++) {
		int64_t want = i <= 4 ? 2000 : i == 5 ? 2000 : i == 6 ? 4000 :
		    i == 7 ? 8000 : 16000;

		snprintf(client, sizeof(client), "192.0.2.%u:1", i);
		check_int(failed(client, "user1", now), want);
	}
	check_begin("its name in another case is no other account");
	check_int(failed("198.51.100.1:1", "USER1", now), 16000);
	check_begin("another account has nothing of it");
	check_int(failed("198.51.100.2:1", "user2", now), 2000);
	check_begin("the right password waits likewise, once");
	check_int(succeeded("198.51.100.3:1", "user1", now), 16000);
	check_int(succeeded("198.51.100.3:1", "user1", now), 0);
	check_begin("three mistakes cost the right password nothing");
	fail_often("198.51.100.4:1", "user3", 3);
	check_int(succeeded("198.51.100.4:1", "user3", now), 0);
}

static void
test_address(void)
{
	char name[32];
	unsigned i;

	memset(&t, 0, sizeof(t));
	check_begin("one address that guesses for many accounts");
	for (i = 1; i <= 20; i++) {
		int64_t want = i <= 10 ? 2000 : i == 11 ? 4000 : i == 12 ?
		    8000 : 16000;

		snprintf(name, sizeof(name), "name%u", i);
		check_int(failed("192.0.2.1:7", name, now), want);
	}
	check_begin("a success there does not make it good");
	check_int(succeeded("192.0.2.1:8", "mine", now), 16000);
	check_int(succeeded("192.0.2.1:8", "mine", now), 16000);
	check_begin("another address has nothing of it");
	check_int(succeeded("192.0.2.2:8", "mine", now), 0);
	check_begin("no name came");
	check_int(failed("192.0.2.3:8", "", now), 2000);
	check_begin("a /64 is one address, another /64 another");
	fail_often("[2001:db8::1]:5", "", 20);
	check_int(succeeded("[2001:db8::ffff:1]:9", "mine", now), 16000);
	check_int(succeeded("[2001:db8:0:1::1]:9", "mine", now), 0);
}

static void
test_time(void)
{
	memset(&t, 0, sizeof(t));
	check_begin("half is forgotten after a while, and all in the end");
	fail_often("192.0.2.1:1", "user1", 1000);
	check_int(succeeded("192.0.2.1:1", "x", now + HALF_MS - 1), 16000);
	check_int(succeeded("192.0.2.1:1", "x", now + 2 * HALF_MS), 16000);
	check_int(succeeded("192.0.2.1:1", "x", now + 3 * HALF_MS), 0);
	check_int(failed("192.0.2.1:1", "user1", now + 8 * HALF_MS), 2000);
}

static void
test_flood(void)
{
	struct in6_addr a = { .s6_addr = { 0x20, 1, 13, 0xb8 } };
	unsigned i;

	memset(&t, 0, sizeof(t));
	check_begin("a flood of addresses pushes out none that has guessed");
	fail_often("192.0.2.1:1", "", 20);
	for (i = 0; i < 200000; i++) {
		memcpy(&a.s6_addr[4], &i, 4);
		(void)throttle_failed(&t, &a, span_str(""), now + 1);
	}
	check_int(succeeded("192.0.2.1:1", "x", now + 2), 16000);
}

static void
test_off(void)
{
	memset(&t, 0, sizeof(t));
	t.off = true;
	check_begin("off: nobody waits");
	fail_often("192.0.2.1:1", "user1", 20);
	check_int(failed("192.0.2.1:1", "user1", now), 0);
	check_int(succeeded("192.0.2.1:1", "user1", now), 0);
}

static void
test_texts(void)
{
	struct in6_addr a = address("192.0.2.1:25"), zero = { 0 };

	check_begin("addresses as they are written");
	check_int(IN6_IS_ADDR_V4MAPPED(&a), 1);
	check_int(a.s6_addr[15], 1);
	a = address("[2001:db8::7]:25");
	check_int(a.s6_addr[0], 0x20);
	check_int(a.s6_addr[15], 7);
	check_begin("and as they are not");
	a = address("");
	check_mem(&a, sizeof(a), &zero, sizeof(zero));
	a = address("[]:");
	check_mem(&a, sizeof(a), &zero, sizeof(zero));
	a = address("local");
	check_mem(&a, sizeof(a), &zero, sizeof(zero));
}

int
main(void)
{
	test_account();
	test_address();
	test_time();
	test_flood();
	test_off();
	test_texts();
	return check_end();
}
