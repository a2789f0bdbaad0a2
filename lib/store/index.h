/*
 * lib/store/index.h - the index of one mailbox, NAME.ix: a header, a sorted
 * base of fixed records, a log of small deltas. It is a cache of the mailbox
 * except for UIDs, flags and tokens. Readers map the base and replay the log
 * without a lock; whoever writes holds index_lock. Folding log and base makes
 * a new file and renames it.
 *
 * Numbers are little-endian. Nothing in the file is believed: every length is
 * held against the file's size, every delta against its checksum.
 */
#ifndef LIB_STORE_INDEX_H
#define LIB_STORE_INDEX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/buf.h"
#include "lib/store/store.h"

#define IX_HEADER_OCTETS 128
#define IX_RECORD_OCTETS 96
#define IX_DIGEST_OCTETS 16
#define IX_NAME_MAX      (STORE_NAME_MAX + 16)

/* UIDs and modseqs are promised on disk in steps of this many. */
#define IX_RESERVE_STEP 1000

/* Letters of one mailbox: 96 MiB of records; beyond, EFBIG. */
#define IX_LETTERS_MAX 1000000

/* Tokens of letters that are gone, remembered against a late second try. */
#define IX_GONE_MAX 1024

/* One letter. place counts octets from the begin of the mailbox file. */
struct ix_rec {
	uint32_t uid;
	uint32_t flags;       /* STORE_SEEN ..., IX_BLANK_LF ... */
	uint32_t twin;        /* how many equal digests came before */
	uint32_t from_octets; /* the From_ line with its line end */
	uint32_t head_octets; /* the header with the empty line behind it */
	uint64_t modseq;
	uint64_t place;
	uint64_t octets;      /* up to the next From_ line or the file's end */
	uint64_t wire;        /* as RETR sends it */
	int64_t arrived_s;
	uint8_t digest[IX_DIGEST_OCTETS];
	uint8_t token[STORE_TOKEN_OCTETS];
};

/* In flags, above those of store.h: the letter ends in an empty line, of one
 * octet or with a CR, which separates it from the next. */
#define IX_BLANK_LF   (1u << 16)
#define IX_BLANK_CRLF (1u << 17)
#define IX_BLANK      (IX_BLANK_LF | IX_BLANK_CRLF)

/* How the mailbox looked when the index last agreed with it. */
struct ix_seen {
	uint64_t size;
	int64_t mtime_ns;
	uint64_t inode;
};

struct index {
	int dir;                 /* borrowed */
	uid_t owner;
	char name[IX_NAME_MAX];
	int fd;                  /* -1: there is no (usable) index yet */
	const uint8_t *map;
	size_t map_len;
	uint32_t mapped;         /* records that are read from the map */
	struct ix_rec *heap;     /* owns: those behind them */
	uint32_t n_heap, cap_heap;
	uint64_t log_begin, log_end; /* offsets of the valid log */
	uint64_t file_size;      /* when it was last looked at */
	uint64_t boot_now;       /* which start of the machine this is */
	uint64_t log_floor;      /* the log tells expunges above this modseq */
	uint32_t uidvalidity, generation, uidnext, uid_reserved;
	uint64_t modseq, modseq_reserved, boot;
	uint64_t wire;           /* sum over all letters */
	struct ix_seen seen;
	uint8_t uuid[16];
	uint8_t (*gone)[STORE_TOKEN_OCTETS]; /* owns: a ring */
	uint32_t n_gone;         /* ever put in */
	uint8_t *filter;         /* owns: which digests may be here; or NULL */
	bool locked;
	struct buf batch;        /* deltas not yet written */
	bool overflow;           /* more than it holds: index_commit refuses */
};

/*
 * index_open - reads NAME.ix below dir if it is there and sound; an index that
 * is missing or odd leaves an empty one (fd -1). Returns 0, or -1 with errno
 * (EPERM: not a regular file of its owner with one link).
 */
int index_open(struct index *ix, int dir, const char *name, uid_t owner);
void index_close(struct index *ix);

/* index_refresh - takes in what others appended or folded since. 0 or -1. */
int index_refresh(struct index *ix);

/*
 * index_lock - the writers' lock (waits at most wait_ms), then a refresh;
 * creates the file when it is missing (the mailbox's own lock makes sure that
 * only one does so). Returns 0 or -1 with errno.
 */
int index_lock(struct index *ix, int wait_ms);
void index_unlock(struct index *ix);

/* index_count, index_get - the letters, by ascending UID; index_find - the
 * first letter whose UID is at least uid (index_count: none). */
uint32_t index_count(const struct index *ix);
void index_get(const struct index *ix, uint32_t i, struct ix_rec *out);
uint32_t index_find(const struct index *ix, uint32_t uid);

/* index_token - is the token of a letter here, or one that was? Its UID is
 * written to *uid (0: gone). An all-zero token is never known. */
bool index_token(const struct index *ix, const uint8_t *token, uint32_t *uid);

/*
 * Writing, with the lock held: put deltas together, then index_commit writes
 * them at once and takes them in. Not synced: what a crash takes away is read
 * from the mailbox again, and UIDs were promised durably before. index_add
 * sets the UIDs and twins of n records. index_reserve comes before it.
 */
int index_reserve(struct index *ix, uint32_t n);
void index_add(struct index *ix, struct ix_rec *recs, uint32_t n);
void index_put_flags(struct index *ix, uint32_t first, uint32_t last,
    uint32_t add, uint32_t remove);
void index_put_expunge(struct index *ix, uint32_t first, uint32_t last);
void index_put_shift(struct index *ix, uint64_t behind, uint64_t by);
void index_put_seen(struct index *ix, const struct ix_seen *seen);
void index_put_token(struct index *ix, uint32_t uid, const uint8_t *token);
int index_commit(struct index *ix);

/*
 * index_replace - the letters are now these n (ascending UIDs, modseqs set);
 * index_fold - the same letters. Both write a new file and rename it.
 * Returns 0, or -1 with errno: the old index stays.
 */
int index_replace(struct index *ix, const struct ix_rec *recs, uint32_t n,
    const struct ix_seen *seen);
int index_fold(struct index *ix);

/* index_next_uid - for index_replace: gives the next UID. */
uint32_t index_next_uid(struct index *ix);

/* Changes since a modseq, as store_changes says. */
int index_changes(struct index *ix, uint64_t since,
    void (*fn)(void *arg, uint32_t uid, uint32_t flags, uint64_t modseq,
    bool gone), void *arg);

#endif
