/*
 * keyd/wipe.c - what libcrypto frees is overwritten first. It does so itself
 * for what it knows to be secret; what it decoded a key from it just frees.
 */
#include "keyd/wipe.h"

#include <openssl/crypto.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

/* Secure heap: private numbers of some 100 keys at 4 KiB each, and blocks from
 * 16 octets. A power of two. */
#define HEAP_OCTETS (1u << 20)
#define HEAP_BLOCK  16

/* In front of each block, so that malloc's alignment is kept. */
union head {
	size_t size;
	max_align_t align;
};

static void *
wipe_malloc(size_t n, const char *file, int line)
{
	union head *h;

	(void)file;
	(void)line;
	if (n == 0 || n > SIZE_MAX - sizeof(*h) ||
	    (h = malloc(sizeof(*h) + n)) == NULL)
		return NULL;
	h->size = n;
	return h + 1;
}

static void
wipe_free(void *p, const char *file, int line)
{
	union head *h = p;

	(void)file;
	(void)line;
	if (p == NULL)
		return;
	h--;
	explicit_bzero(p, h->size);
	free(h);
}

static void *
wipe_realloc(void *p, size_t n, const char *file, int line)
{
	size_t old = p == NULL ? 0 : ((union head *)p - 1)->size;
	void *fresh;

	if (n == 0) {
		wipe_free(p, file, line);
		return NULL;
	}
	if ((fresh = wipe_malloc(n, file, line)) == NULL)
		return NULL;
	if (p != NULL)
		memcpy(fresh, p, old < n ? old : n);
	wipe_free(p, file, line);
	return fresh;
}

void
wipe_install(void)
{
	if (CRYPTO_set_mem_functions(wipe_malloc, wipe_realloc, wipe_free) !=
	    1)
		fatalx("libcrypto has begun to allocate");
	/* Nothing of this host's configuration decides what is signed. */
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
		fatalx("libcrypto does not start");
	/* 2: not locked, and none at all: as said, as far as limits allow */
	(void)CRYPTO_secure_malloc_init(HEAP_OCTETS, HEAP_BLOCK);
}
