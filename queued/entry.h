/*
 * queued/entry.h - what table q holds about a letter: where its records lie,
 * and the keys that the other tables have for it.
 */
#ifndef QUEUED_ENTRY_H
#define QUEUED_ENTRY_H

#include "lib/buf.h"
#include "queued/letter.h"
#include "queued/pending.h"

/* A letter of 10,000 recipients, each settled by a record of its own. */
#define ENTRY_PLACES_MAX 20000
/* Destinations beyond are found by table due alone. */
#define ENTRY_DESTS_MAX  64
#define ENTRY_OCTETS_MAX (400u << 10)
#define DOMAIN_MAX       255

struct dest {
	int64_t next_s; /* the earliest attempt there */
	uint8_t len;
	char domain[DOMAIN_MAX]; /* lower case */
};

struct entry {
	struct place base; /* MSG or COPY; lsn 0: not seen (during a rebuild) */
	uint64_t through;
	int64_t due_s;
	uint32_t account_hash;
	struct place *places; /* EXPAND, STATE, CTRL, ascending */
	size_t n, cap;
	struct dest *dests;
	size_t ndests;
};

void entry_clear(struct entry *e);
int entry_encode(const struct entry *e, struct buf *b);

/* entry_decode - into a cleared entry; -1: not an entry (it stays cleared). */
int entry_decode(struct span in, struct entry *e);

/* entry_merge - what waits for the index goes in; done twice it changes
 * nothing. -1 with EOVERFLOW when there are too many records. */
int entry_merge(struct entry *e, const struct pend *d);

/* entry_through - the highest lsn of its records. */
uint64_t entry_through(const struct entry *e);

/* entry_keys - sets due, account hash and destinations from the letter. A
 * letter with nothing left unsettled is due at once: its DONE is missing. */
void entry_keys(struct entry *e, const struct letter *l);

/* Keys; big-endian, so that octets sort as numbers do. */
#define KEY_Q_OCTETS   8
#define KEY_DUE_OCTETS 16
#define KEY_DEST_MAX   (DOMAIN_MAX + 1 + 4 + 8 + 8)
struct span key_q(uint64_t qid, char out[KEY_Q_OCTETS]);
struct span key_due(int64_t due_s, uint64_t qid, char out[KEY_DUE_OCTETS]);
struct span key_dest(struct span domain, uint32_t hash, int64_t next_s,
    uint64_t qid, char out[KEY_DEST_MAX]);
uint64_t key_u64(const char *p);
uint32_t key_u32(const char *p);

#endif
