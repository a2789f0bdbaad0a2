/* authd/pwcache.c - a table of digests, one place each: the newest stays. */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

#include "authd/pwcache.h"
#include "lib/buf.h"
#include "lib/clock.h"

void
pwcache_init(struct pwcache *c)
{
	memset(c, 0, sizeof(*c));
	arc4random_buf(c->key, sizeof(c->key));
}

void
pwcache_wipe(struct pwcache *c)
{
	explicit_bzero(c->entries, sizeof(c->entries));
}

/* Each input with its length in front, so that none can pass for another. */
static bool
digest_of(const struct pwcache *c, uint8_t service, struct span block,
    struct span account, struct span password,
    unsigned char out[PWCACHE_DIGEST])
{
	struct buf b = BUF_INIT(8192);
	struct span in[] = { span_make(&service, 1), block, account, password };
	struct span all;
	unsigned len = PWCACHE_DIGEST;
	bool ok = true;
	size_t i;

	for (i = 0; i < nitems(in); i++)
		if (buf_add_u32(&b, (uint32_t)in[i].len) == -1 ||
		    buf_add_span(&b, in[i]) == -1)
			ok = false;
	all = buf_span(&b);
	ok = ok && HMAC(EVP_sha256(), c->key, sizeof(c->key),
	    (const unsigned char *)all.p, all.len, out, &len) != NULL;
	buf_wipe(&b);
	return ok;
}

static size_t
place_of(const unsigned char digest[PWCACHE_DIGEST])
{
	return get_u32(digest) & (PWCACHE_ENTRIES - 1);
}

bool
pwcache_hit(const struct pwcache *c, uint8_t service, struct span block,
    struct span account, struct span password)
{
	unsigned char digest[PWCACHE_DIGEST];
	const struct pwcache_entry *e;

	if (!digest_of(c, service, block, account, password, digest))
		return false;
	e = &c->entries[place_of(digest)];
	return e->until_ms > clock_boot_ms() &&
	    CRYPTO_memcmp(e->digest, digest, sizeof(digest)) == 0;
}

void
pwcache_add(struct pwcache *c, uint8_t service, struct span block,
    struct span account, struct span password)
{
	unsigned char digest[PWCACHE_DIGEST];
	struct pwcache_entry *e;

	if (!digest_of(c, service, block, account, password, digest))
		return;
	e = &c->entries[place_of(digest)];
	memcpy(e->digest, digest, sizeof(digest));
	e->until_ms = clock_boot_ms() + PWCACHE_S * 1000;
}
