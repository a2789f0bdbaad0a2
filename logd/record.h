/*
 * logd/record.h - one event as it lies in a daily file, and the filters by
 * which blocks without a letter are skipped. The only writer and reader of
 * both formats.
 *
 * A daily file is blocks of DAY_BLOCK octets; block 0 begins with DAY_MAGIC. No
 * record crosses a block: where the next one does not fit, octets of zero go
 * to the end. A record, little-endian:
 *	u32 its octets, u32 check sum over all that follows,
 *	u64 time_us, u64 qid, u64 sid, u16 event, u8 role, u8 instance, fields
 * The index beside it is INDEX_MAGIC and a filter of FILTER_OCTETS for each
 * whole block; it can be made again from the daily file.
 */
#ifndef LOGD_RECORD_H
#define LOGD_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/span.h"

#define DAY_BLOCK     65536
#define DAY_MAGIC     "barid events 1\n" /* and its NUL: 16 octets */
#define INDEX_MAGIC   "barid filter 1\n"
#define MAGIC_OCTETS  16
#define FILTER_OCTETS 1024 /* some 400 letters a block: 1 of 1000 is wrong */
#define RECORD_HEAD   36
#define RECORD_MAX    (RECORD_HEAD + 4000)

struct record {
	uint64_t time_us, qid, sid;
	unsigned code;       /* EV_ */
	unsigned role;       /* ROLE_: who said it */
	unsigned instance;
	struct span fields;  /* as in lib/ipc/event.h */
};

/* record_encode - adds it to out; 0, or -1 (ENOBUFS). */
int record_encode(const struct record *r, struct buf *out);

/*
 * record_next - the record at *at of a block (of what there is of it), and *at
 * behind it. Returns 1; 0 at the end of the block; -1 when what is there is no
 * record: damage, or one that was not written to its end. r borrows.
 */
int record_next(struct span block, size_t *at, struct record *r);

/* record_field - what an event says under this key; empty if nothing. */
struct span record_field(const struct record *r, unsigned key);

void filter_add(unsigned char filter[FILTER_OCTETS], uint64_t id);
bool filter_has(const unsigned char filter[FILTER_OCTETS], uint64_t id);

/* filter_block - all ids of a block. */
void filter_block(unsigned char filter[FILTER_OCTETS], struct span block);

#endif
