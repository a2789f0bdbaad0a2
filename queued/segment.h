/*
 * queued/segment.h - the folder seg/: which segments there are, where each
 * ends, opening a new one, freeing the oldest, and the pool of spares.
 * A segment is NNNNNNNN.seg; a spare is a file of the right size, written
 * before (so that no write into it changes metadata), named spare.N; what is
 * being filled with zeros is new.N and means nothing after a crash.
 */
#ifndef QUEUED_SEGMENT_H
#define QUEUED_SEGMENT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queued/record.h"

#define SEGMENT_NAME 24
/* Spares that are kept: one to open, one for the failed sync after that; of
 * small segments as many as make up SPARES_OCTETS. */
#define SPARES_MIN    2
#define SPARES_OCTETS (64u << 20)

struct segment {
	uint32_t number;
	uint32_t end; /* offset behind the last batch; of the head: so far */
	bool failed;  /* a write or sync of it did: it is not recycled */
};

/* Shared by all threads; list, n and spares only under the lock. */
struct segments {
	int dir;
	uint32_t octets; /* of a new segment */
	pthread_mutex_t lock;
	struct segment *list; /* ascending */
	size_t n, cap;
	unsigned spares, spares_max, serial;
};

void segment_name(uint32_t number, char out[SEGMENT_NAME]);

/*
 * segments_open - lists what is there (ends are 0: not yet known) and removes
 * half-made files. dir becomes its own. 0, or -1 with errno.
 */
int segments_open(struct segments *s, int dir, uint32_t octets);
void segments_close(struct segments *s);

/* segment_open - a descriptor for reading; -1 with errno. The header too:
 * -1 with EIO if it is damaged. */
int segment_open(const struct segments *s, uint32_t number,
    struct segment_head *head);

/*
 * segments_begin - opens segment head->number for writing: a spare (or a new
 * file) gets the header and its name. Durable before it returns: the zeros and
 * the header by fsync of the file, the name by fsync of seg/.
 * Sets head->octets and head->salt. The descriptor, or -1 with errno.
 */
int segments_begin(struct segments *s, struct segment_head *head);

/* segments_add_spare - makes one if there are fewer than SPARES_MIN; slow. */
int segments_add_spare(struct segments *s);

/*
 * segments_free_oldest - it becomes a spare, or goes when there are enough.
 * The name is gone durably (fsync of seg/) before it returns. 0 or -1.
 */
int segments_free_oldest(struct segments *s);

/* The head is the last one. */
void segments_set_end(struct segments *s, uint32_t number, uint32_t end);
void segments_set_failed(struct segments *s, uint32_t number);
uint32_t segments_end(struct segments *s, uint32_t number);
bool segments_oldest(struct segments *s, struct segment *out);
/* segments_next - the first whose number is at least number. */
bool segments_next(struct segments *s, uint32_t number, struct segment *out);
/* segments_used - octets of the log, and how many segments it has. */
uint64_t segments_used(struct segments *s, size_t *n);
unsigned segments_spares(struct segments *s);

#endif
