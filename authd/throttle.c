/* authd/throttle.c - counts of failed logins, halved as time passes. */
#include <arpa/inet.h>

#include "authd/throttle.h"

enum what { ADDRESS = 'a', ACCOUNT = 'u' };

/* Names in one case: user1 and User1 are one account to a guesser. */
static uint64_t
tag_of(enum what what, struct span s)
{
	char key[300];
	size_t i, n = s.len < sizeof(key) - 1 ? s.len : sizeof(key) - 1;
	uint64_t tag;

	key[0] = (char)what;
	for (i = 0; i < n; i++)
		key[i + 1] = what == ACCOUNT ? ascii_lower(s.p[i]) : s.p[i];
	tag = span_hash(span_make(key, n + 1));
	return tag == 0 ? 1 : tag;
}

static uint64_t
tag_of_address(const struct in6_addr *a)
{
	/* One customer has all of a /64. */
	return tag_of(ADDRESS, span_make(a->s6_addr,
	    IN6_IS_ADDR_V4MAPPED(a) ? 16 : 8));
}

/* Halves what time has halved. */
static void
decay(struct throttle_place *p, int64_t now_ms)
{
	const int64_t half_ms = (int64_t)THROTTLE_HALF_S * 1000;

	while (p->tag != 0 && now_ms - p->at_ms >= half_ms) {
		p->count /= 2;
		p->at_ms += half_ms;
		if (p->count == 0)
			p->tag = 0;
	}
}

/* Its place, or NULL; worst: where a new one may stand. */
static struct throttle_place *
find(struct throttle *t, uint64_t tag, int64_t now_ms,
    struct throttle_place **worst)
{
	struct throttle_place *ways = t->places[tag % THROTTLE_BUCKETS];
	struct throttle_place *found = NULL;
	size_t i;

	*worst = &ways[0];
	for (i = 0; i < THROTTLE_WAYS; i++) {
		struct throttle_place *p = &ways[i];

		decay(p, now_ms);
		if (p->tag == 0)
			p->count = 0;
		else if (p->tag == tag)
			found = p;
		if (p->count < (*worst)->count ||
		    (p->count == (*worst)->count &&
		    p->at_ms < (*worst)->at_ms))
			*worst = p;
	}
	return found;
}

static uint32_t
count_of(struct throttle *t, uint64_t tag, int64_t now_ms)
{
	struct throttle_place *worst, *p = find(t, tag, now_ms, &worst);

	return p == NULL ? 0 : p->count;
}

static uint32_t
count_up(struct throttle *t, uint64_t tag, int64_t now_ms)
{
	struct throttle_place *worst, *p = find(t, tag, now_ms, &worst);

	if (p == NULL) {
		p = worst;
		p->tag = tag;
		p->count = 0;
	}
	if (p->count < THROTTLE_COUNT)
		p->count++;
	p->at_ms = now_ms;
	return p->count;
}

static int64_t
wait_of(uint32_t count, uint32_t free)
{
	int64_t ms = 1000;

	if (count <= free)
		return 0;
	for (; count > free + 1 && ms < THROTTLE_MOST_MS; count--)
		ms *= 2;
	return ms < THROTTLE_MOST_MS ? ms : THROTTLE_MOST_MS;
}

static int64_t
larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

int64_t
throttle_failed(struct throttle *t, const struct in6_addr *address,
    struct span account, int64_t now_ms)
{
	int64_t ms;

	if (t->off)
		return 0;
	ms = wait_of(count_up(t, tag_of_address(address), now_ms),
	    THROTTLE_FREE_ADDRESS);
	if (account.len > 0)
		ms = larger(ms, wait_of(count_up(t, tag_of(ACCOUNT, account),
		    now_ms), THROTTLE_FREE_ACCOUNT));
	return larger(ms, THROTTLE_LEAST_MS);
}

int64_t
throttle_succeeded(struct throttle *t, const struct in6_addr *address,
    struct span account, int64_t now_ms)
{
	uint64_t tag = tag_of(ACCOUNT, account);
	struct throttle_place *worst, *p;
	int64_t ms;

	if (t->off)
		return 0;
	ms = wait_of(count_of(t, tag_of_address(address), now_ms),
	    THROTTLE_FREE_ADDRESS);
	if ((p = find(t, tag, now_ms, &worst)) != NULL) {
		ms = larger(ms, wait_of(p->count, THROTTLE_FREE_ACCOUNT));
		p->tag = 0;
		p->count = 0;
	}
	return ms;
}

void
throttle_address(struct span client, struct in6_addr *out)
{
	ssize_t colon = span_rfind(client, ':');
	char text[INET6_ADDRSTRLEN];
	struct span host;

	memset(out, 0, sizeof(*out));
	host = colon == -1 ? client : span_make(client.p, (size_t)colon);
	if (host.len > 1 && host.p[0] == '[' && host.p[host.len - 1] == ']') {
		host = span_make(host.p + 1, host.len - 2);
		if (span_copy(host, text, sizeof(text)) == 0)
			(void)inet_pton(AF_INET6, text, out);
	} else if (span_copy(host, text, sizeof(text)) == 0 &&
	    inet_pton(AF_INET, text, out->s6_addr + 12) == 1) {
		out->s6_addr[10] = out->s6_addr[11] = 0xff;
	}
}
