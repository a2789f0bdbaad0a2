/*
 * queued/index.h - the seam behind which an index engine lies: four tables of
 * octet strings in the order of memcmp. The index is a cache of the log: after
 * any error (-1, errno set) the caller closes it, wipes it and fills it anew,
 * so that an engine needs no undo. One thread uses it.
 */
#ifndef QUEUED_INDEX_H
#define QUEUED_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/span.h"

enum index_table {
	INDEX_META, /* applied lsn, counts, live octets of each segment */
	INDEX_Q,    /* qid -> places, flags, counts, keys below */
	INDEX_DUE,  /* time, qid */
	INDEX_DEST, /* domain, account hash, time, qid */
	INDEX_TABLES
};

struct index;

/* A key and value during a scan, borrowed; false ends it. */
typedef bool index_fn(void *arg, struct span key, struct span value);

struct index_ops {
	const char *name;
	/* Opens what is there, or makes it, below the working directory. */
	struct index *(*open)(int rootfd);
	void (*close)(struct index *ix);
	int (*wipe)(int rootfd); /* of a closed index */
	/* A transaction around puts and dels; not durable until sync. */
	int (*begin)(struct index *ix);
	int (*commit)(struct index *ix);
	/* 1: found, value replaced; 0: absent. */
	int (*get)(struct index *ix, enum index_table t, struct span key,
	    struct buf *value);
	int (*put)(struct index *ix, enum index_table t, struct span key,
	    struct span value);
	int (*del)(struct index *ix, enum index_table t, struct span key);
	/* From the first key not below from; no change during it. */
	int (*scan)(struct index *ix, enum index_table t, struct span from,
	    index_fn *fn, void *arg);
	/* Makes all commits so far durable, if it is time or now is set.
	 * 1: they are; 0: it was not time. */
	int (*sync)(struct index *ix, bool now);
};

extern const struct index_ops index_mem, index_bdb;

#endif
