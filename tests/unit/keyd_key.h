/*
 * keyd_key.h - keys for the tests of keyd: made anew, as PEM, in files.
 */
#ifndef TESTS_UNIT_KEYD_KEY_H
#define TESTS_UNIT_KEYD_KEY_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "keyd/key.h"

/* A fresh key: "P-256", "P-384", "ED25519", "RSA2048" ... Never NULL. */
static inline EVP_PKEY *
make_pkey(const char *kind)
{
	EVP_PKEY *p;

	if (strncmp(kind, "RSA", 3) == 0)
		p = EVP_PKEY_Q_keygen(NULL, NULL, "RSA",
		    (size_t)strtoul(kind + 3, NULL, 10));
	else if (strncmp(kind, "P-", 2) == 0 || strcmp(kind, "secp256k1") == 0)
		p = EVP_PKEY_Q_keygen(NULL, NULL, "EC", kind);
	else
		p = EVP_PKEY_Q_keygen(NULL, NULL, kind);
	if (p == NULL) {
		printf("cannot make a key of kind %s\n", kind);
		exit(1);
	}
	return p;
}

/* PEM (PKCS #8) of it, encrypted if there is a passphrase. */
static inline void
put_pem(EVP_PKEY *p, const char *passphrase, struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long len;

	if (bio == NULL || PEM_write_bio_PKCS8PrivateKey(bio, p,
	    passphrase == NULL ? NULL : EVP_aes_128_cbc(), passphrase,
	    passphrase == NULL ? 0 : (int)strlen(passphrase), NULL, NULL) != 1)
		exit(1);
	len = BIO_get_mem_data(bio, &text);
	buf_add(out, text, (size_t)len);
	BIO_free(bio);
}

/* A file that holds this text and has no name any more. */
static inline int
file_with(struct span text)
{
	FILE *f = tmpfile();
	int fd;

	if (f == NULL || fwrite(text.p, 1, text.len, f) != text.len ||
	    fflush(f) != 0 || (fd = dup(fileno(f))) == -1)
		exit(1);
	fclose(f);
	return fd;
}

#endif
