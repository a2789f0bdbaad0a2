/*
 * queued/logread.h - single records out of the log by their place. Each thread
 * that reads has a reader of its own (it keeps a few segments open).
 */
#ifndef QUEUED_LOGREAD_H
#define QUEUED_LOGREAD_H

#include "queued/segment.h"

#define LOGREAD_FDS 4

struct logread {
	const struct segments *segments;
	struct logread_fd {
		int fd; /* -1: free */
		uint32_t number, salt;
	} open[LOGREAD_FDS];
	unsigned next;
	struct buf raw; /* the record that was read last */
};

void logread_init(struct logread *r, const struct segments *s);
void logread_clear(struct logread *r);

/*
 * logread_record - the whole record at p, its crc checked. The payload borrows
 * from the reader until the next call.
 * Returns 0, or -1: errno EIO (damaged), ENOENT (no such segment) ...
 */
int logread_record(struct logread *r, struct place p, struct record_head *h,
    struct span *payload);

/* logread_record_to - the same into a buffer of the caller's. */
int logread_record_to(struct logread *r, struct place p, struct buf *raw,
    struct record_head *h, struct span *payload);

/* logread_envelope - of the MSG or COPY at p, without its text: for the most
 * part one read of a few KiB. 0 or -1 as above. */
int logread_envelope(struct logread *r, struct place p, uint64_t qid,
    struct letter **out, uint64_t *through);

#endif
