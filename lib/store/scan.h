/*
 * lib/store/scan.h - mbox text into index records: where each letter begins and
 * ends, how long it is on the wire, the digest of its header. Fed with pieces
 * of any mailbox, ours or a stranger's; linear in time, constant in memory.
 */
#ifndef LIB_STORE_SCAN_H
#define LIB_STORE_SCAN_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/span.h"
#include "lib/store/index.h"

/* What scan_file reads at once; a longer line is taken in pieces. */
#define SCAN_BLOCK ((size_t)1 << 20)

struct scan {
	EVP_MD_CTX *ctx;   /* owns */
	EVP_MD *md;        /* owns */
	uint64_t at;       /* offset of the next octet */
	struct ix_rec rec; /* the letter at hand; uid, twin and token not set */
	uint64_t body;     /* lines of its body */
	unsigned blank;    /* octets of its last line if that is empty */
	bool in_letter, in_header, in_line, skipping, skip_digest;
	int (*found)(void *arg, struct ix_rec *rec);
	void *arg;
};

/*
 * scan_init - found is called at the end of each letter; -1 ends the scan.
 * scan_start - the text that follows begins at this offset.
 */
void scan_init(struct scan *s, int (*found)(void *arg, struct ix_rec *rec),
    void *arg);
void scan_start(struct scan *s, uint64_t at);
void scan_clear(struct scan *s);

/*
 * scan_feed - the next piece, cut as mbox_decode wants it; scan_end - the text
 * ends here. Return 0, or -1 when found did.
 */
int scan_feed(struct scan *s, struct span piece);
int scan_end(struct scan *s);

/* scan_file - from..to of a file; -1 with errno. */
int scan_file(struct scan *s, int fd, uint64_t from, uint64_t to);

/* scan_digest - the digest of the header of the letter that r describes, as it
 * lies in the file now. Returns 0, or -1 when there is no such letter. */
int scan_digest(int fd, const struct ix_rec *r,
    uint8_t out[IX_DIGEST_OCTETS]);

#endif
