/* authd/secret.c - see secret.h. In authd -w. */
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <unistd.h>

#include "authd/secret.h"
#include "lib/buf.h"
#include "lib/log.h"

#define PURPOSE "barid: accounts that are not there"

static bool
key_from(struct secret *s, const char *path)
{
	char text[128];
	unsigned len = SECRET_OCTETS;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd == -1 ? -1 : read(fd, text, sizeof(text));

	if (fd != -1)
		close(fd);
	/* Never the id itself: what comes of it is known to this use alone. */
	return n >= 32 && HMAC(EVP_sha256(), PURPOSE, sizeof(PURPOSE) - 1,
	    (const unsigned char *)text, (size_t)n, s->key, &len) != NULL;
}

void
secret_init(struct secret *s)
{
	if (key_from(s, "/etc/machine-id") ||
	    key_from(s, "/proc/sys/kernel/random/boot_id"))
		return;
	log_warnx("neither /etc/machine-id nor the kernel's boot_id can be "
	    "read: SCRAM tells which accounts there are");
	arc4random_buf(s->key, sizeof(s->key));
}

void
secret_digest(const struct secret *s, const char *purpose, struct span name,
    unsigned char out[SECRET_OCTETS])
{
	struct buf b = BUF_INIT(4096);
	unsigned len = SECRET_OCTETS;
	struct span all;

	(void)buf_add_str(&b, purpose);
	(void)buf_add_span(&b, name);
	all = buf_span(&b);
	if (HMAC(EVP_sha256(), s->key, SECRET_OCTETS,
	    (const unsigned char *)all.p, all.len, out, &len) == NULL)
		fatalx("HMAC");
	buf_clear(&b);
}

uint64_t
secret_place(const struct secret *s, struct span name)
{
	unsigned char digest[SECRET_OCTETS];

	secret_digest(s, "place ", name, digest);
	return get_u64(digest);
}
