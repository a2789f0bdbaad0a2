/*
 * logd/days.h - the daily files of events: DATE.events, and DATE.index beside
 * each. Appended to, kept for so many days or octets, never changed.
 */
#ifndef LOGD_DAYS_H
#define LOGD_DAYS_H

#include "logd/record.h"

#define DAY_NAME       11          /* 2026-01-31 and a NUL; UTC */
#define DAYS_BUFFER    (1u << 20)  /* unwritten events while the disk is full */
#define DAYS_FLUSH     (64u << 10) /* written as soon as so much waits */
#define DAYS_LIST_MAX  4000        /* ten years */

struct days {
	int dirfd;                 /* borrowed */
	int64_t day;               /* since 1970; -1: nothing is open */
	int fd, index;
	uint64_t size;             /* octets of the file, all of them good */
	struct buf out;            /* what follows them */
	unsigned char filter[FILTER_OCTETS]; /* of the block being filled */
	uint64_t filtered;         /* filters in the index file */
	uint64_t written, dropped; /* events */
	bool full;                 /* said already */
};

void days_init(struct days *d, int dirfd);
void days_clear(struct days *d);

/* days_add - one event; now_s decides the day. It is dropped and counted when
 * too much waits for a disk that takes nothing. */
void days_add(struct days *d, const struct record *r, int64_t now_s);

/* days_flush - what waits goes to the file; -1 with errno when it does not. */
int days_flush(struct days *d);

/* days_expire - removes what is older than keep_s, then the oldest while all
 * together are above keep_octets; today stays. */
void days_expire(struct days *d, int64_t now_s, int64_t keep_s,
    uint64_t keep_octets);

/* days_list - the days there are, oldest first; the caller frees *out. */
size_t days_list(int dirfd, int64_t **out);
void day_name(int64_t day, char out[DAY_NAME]);
/* day_open - the file (suffix "events" or "index") to be read, or -1. */
int day_open(int dirfd, int64_t day, const char *suffix);

#endif
