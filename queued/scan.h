/*
 * queued/scan.h - one segment read from its front along the chain of COMMITs:
 * what start-up, rebuild, compaction and verification all stand on.
 */
#ifndef QUEUED_SCAN_H
#define QUEUED_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/span.h"
#include "queued/record.h"

struct scan_visitor {
	/* A record that verified and belongs to a batch (or was saved out of a
	 * damaged one); COMMITs are not shown. Payload and head are borrowed. */
	void (*record)(void *arg, const struct record_head *h,
	    struct span payload);
	/* A record whose header verifies and whose payload does not. */
	void (*lost)(void *arg, const struct record_head *h);
	void *arg;
};

struct scan_result {
	uint32_t end;         /* offset behind the last good COMMIT */
	uint64_t last_commit; /* its lsn */
	uint64_t next_batch;
	uint64_t batches, records;
	uint64_t bad_records; /* damaged ones that could be told */
	bool damaged;         /* within what had been acknowledged */
};

/*
 * scan_segment - end: where the segment is known to end (its successor says
 * so), or 0 for the last one. In that one a bad batch with no later chained
 * COMMIT is a torn tail: it was never acknowledged, and the scan ends before
 * it. Anywhere else it is damage: what verifies by itself is shown, and the
 * scan goes on behind the next COMMIT. Nothing beyond end is read.
 * Returns 0, or -1 with errno when the file cannot be read or memory is out.
 */
int scan_segment(int fd, const struct segment_head *head, uint32_t end,
    const struct scan_visitor *v, struct scan_result *out);

#endif
