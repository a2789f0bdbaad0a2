/* authd_pwcache_test - the cache answers to exactly what it was given. */
#include <stdlib.h>

#include "authd/pwcache.h"
#include "tests/unit/check.h"

#define HIT(b, a, p) pwcache_hit(c, 3, span_str(b), span_str(a), span_str(p))

int
main(void)
{
	struct pwcache *c = calloc(1, sizeof(*c)), *other;

	if (c == NULL)
		return 1;
	pwcache_init(c);
	check_begin("only what was added");
	check_true(!HIT("staff", "user1", "secret"));
	pwcache_add(c, 3, span_str("staff"), span_str("user1"),
	    span_str("secret"));
	check_true(HIT("staff", "user1", "secret"));
	check_true(!HIT("staff", "user1", "secret2"));
	check_true(!HIT("staff", "user1", ""));
	check_true(!HIT("staff", "user2", "secret"));
	check_true(!HIT("virtual", "user1", "secret"));
	check_true(!pwcache_hit(c, 1, span_str("staff"), span_str("user1"),
	    span_str("secret")));

	check_begin("no input runs into the next");
	check_true(!HIT("staff", "user1s", "ecret"));
	check_true(!HIT("staffu", "ser1", "secret"));

	check_begin("it ends");
	{
		size_t i;

		for (i = 0; i < PWCACHE_ENTRIES; i++)
			if (c->entries[i].until_ms != 0)
				c->entries[i].until_ms = 1;
	}
	check_true(!HIT("staff", "user1", "secret"));

	check_begin("wiped");
	pwcache_add(c, 3, span_str("staff"), span_str("user1"),
	    span_str("secret"));
	pwcache_wipe(c);
	check_true(!HIT("staff", "user1", "secret"));

	check_begin("another process has another key");
	if ((other = calloc(1, sizeof(*other))) != NULL) {
		pwcache_init(other);
		check_true(memcmp(other->key, c->key, sizeof(c->key)) != 0);
		free(other);
	}
	free(c);
	return check_end();
}
