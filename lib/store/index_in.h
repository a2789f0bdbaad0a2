/* lib/store/index_in.h - what the parts of the index share, and its tests. */
#ifndef LIB_STORE_INDEX_IN_H
#define LIB_STORE_INDEX_IN_H

#include "lib/store/index.h"

enum ix_delta {
	IX_APPEND = 1, /* a record */
	IX_FLAGS,      /* u32 first, last, add, remove */
	IX_EXPUNGE,    /* u32 first, last */
	IX_SHIFT,      /* u64 behind, u64 by: places above behind, minus by */
	IX_SEEN,       /* u64 size, i64 mtime_ns, u64 inode */
	IX_RESERVE,    /* u32 uid, u32 0, u64 modseq */
	IX_BOOT,       /* u64 boot, u32 uidnext, u32 0, u64 modseq */
	IX_GONE,       /* a token, 6 zero octets */
	IX_TOKEN       /* u32 uid, a token, 2 zero octets */
};

/* A delta: u32 crc over the rest, u16 length in all, u8 type, u8 0. Each
 * counts one in the modseq, IX_BOOT sets it. */
#define IX_DELTA_HEAD 8
#define IX_DELTA_MAX  (IX_DELTA_HEAD + IX_RECORD_OCTETS)

void ix_rec_encode(const struct ix_rec *r, uint8_t out[IX_RECORD_OCTETS]);
void ix_rec_decode(const uint8_t in[IX_RECORD_OCTETS], struct ix_rec *r);
void ix_header_encode(const struct index *ix, uint32_t base_n,
    uint8_t out[IX_HEADER_OCTETS]);

/* ix_header_decode - 0, or -1 when it is no header of a file of that size. */
int ix_header_decode(struct index *ix, const uint8_t *p, uint64_t file_size,
    uint32_t *base_n);

/* ix_replay - takes in deltas; returns the octets of those that were sound. */
size_t ix_replay(struct index *ix, const uint8_t *p, size_t len);

/* ix_boot_check - UIDs an earlier start of the machine may have given, and
 * whose records it lost, are skipped. With the lock held; 0 or -1. */
int ix_boot_check(struct index *ix);
uint64_t ix_boot(void);

/* ix_twin - the counter for a letter of this digest that is now added: one
 * above the highest of those that are here. */
uint32_t ix_twin(struct index *ix, const uint8_t *digest);

/* ix_filter_add - this digest is here now (if there is a filter yet). */
void ix_filter_add(struct index *ix, const uint8_t *digest);

void ix_remember(struct index *ix, const uint8_t *token);
void ix_put_gone(struct index *ix, const uint8_t *token);

#endif
