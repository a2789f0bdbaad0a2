/*
 * queued/catalog.h - what the index thread owns: the index engine, the letters
 * that wait to enter it, and how both are made from the log. No thread and no
 * lock of its own: the thread around it is index_thread.c.
 */
#ifndef QUEUED_CATALOG_H
#define QUEUED_CATALOG_H

#include <stdbool.h>
#include <stdint.h>

#include "queued/entry.h"
#include "queued/index.h"
#include "queued/logread.h"
#include "queued/pending.h"
#include "queued/qidset.h"
#include "queued/spool.h"

/* Of one segment: how many octets of its records still matter. */
struct live {
	uint32_t number;
	uint64_t octets;
	bool changed;
};

struct catalog {
	const struct index_ops *ops;
	struct index *ix; /* NULL: none at the moment */
	int rootfd, baddir; /* borrowed */
	struct segments *segments;
	unsigned char uuid[16];
	struct logread reader;
	struct pending pending;
	uint64_t applied; /* records below are in the index */
	uint64_t seen;    /* records below were noticed */
	uint64_t synced;  /* what of applied survives a crash */
	struct live *live;
	size_t nlive, live_cap;
	uint64_t rows[INDEX_TABLES]; /* keys in q, due, dest */
	uint64_t indexed, lost_letters;
	bool rebuilding;
	struct qidset long_tails; /* letters with very many records: to be
	                           * copied even though their segment is new */
	struct buf value, key;    /* scratch */
	void (*lost)(void *arg, uint64_t qid);
	void *arg;
};

struct catalog_config {
	const struct index_ops *ops;
	int rootfd, baddir;
	struct segments *segments;
	const unsigned char *uuid;
	void (*lost)(void *arg, uint64_t qid);
	void *arg;
};

void catalog_init(struct catalog *c, const struct catalog_config *config);
void catalog_clear(struct catalog *c);

/*
 * catalog_open - opens the index (wipe: an empty one) and replays the log from
 * where it stopped. An index that is damaged, foreign or too old is wiped and
 * made anew. 0, or -1 with errno: there is none, letters are accepted all the
 * same, try again later.
 */
int catalog_open(struct catalog *c, bool wipe);

/* catalog_note - records that became durable; end: lsn behind them. */
void catalog_note(struct catalog *c, const struct notice *n, size_t count,
    uint64_t end, int64_t now_ms);

/*
 * catalog_flush - into the index with what waits since before_ms or longer
 * (INT64_MAX: all). Any error wipes the index and makes it anew; -1 when that
 * fails too.
 */
int catalog_flush(struct catalog *c, int64_t before_ms);

/* catalog_sync - makes what is applied durable, if it is time, or now. */
int catalog_sync(struct catalog *c, bool now);

/* catalog_find - index and what waits taken together; 1, 0 or -1. */
int catalog_find(struct catalog *c, uint64_t qid, struct entry *e);

/* catalog_load - the letter with its state. 1; 0: none such; -1 errno. */
int catalog_load(struct catalog *c, uint64_t qid, struct letter **out);
int catalog_fold(struct catalog *c, uint64_t qid, const struct entry *e,
    struct letter **out);

/* catalog_lost - says that a letter is lost, and forgets it. */
void catalog_lost(struct catalog *c, uint64_t qid, uint64_t lsn);

/* catalog_quarantine - a copy of a damaged segment goes to bad/. */
void catalog_quarantine(struct catalog *c, uint32_t number);

uint64_t catalog_live(const struct catalog *c, uint32_t number);
uint64_t catalog_live_total(const struct catalog *c);
/* catalog_forget - a segment was freed. */
void catalog_forget(struct catalog *c, uint32_t number);

/* -- between catalog.c and catalog_replay.c ---------------------------------- */

struct scan_visitor;
struct scan_result;

/* catalog_replay - the log from c->applied on; at most so many letters wait
 * in memory. */
int catalog_replay(struct catalog *c, size_t most);
int catalog_scan_segment(struct catalog *c, const struct segment *seg,
    const struct scan_visitor *v, struct scan_result *r);
/* Without repair: -1 means that the index must be made anew. */
int catalog_flush_plain(struct catalog *c);
int catalog_drop(struct catalog *c, uint64_t qid);

/* -- catalog_scan.c: what spool.h asks. 0, or -1: no index. ------------------ */

int catalog_due(struct catalog *c, int64_t from_s, uint64_t from_qid,
    int64_t until_s, uint32_t limit, struct spool_slice *s);
int catalog_dest(struct catalog *c, struct span domain, uint32_t from_hash,
    uint32_t limit, struct spool_slice *s);
int catalog_list(struct catalog *c, uint64_t from_qid,
    const struct spool_filter *f, struct spool_slice *s);
int catalog_verify(struct catalog *c, struct spool_report *r);

/* catalog_big_clean - unlinks files of big/ that no letter of an earlier
 * epoch names. */
void catalog_big_clean(struct catalog *c, int bigdir, uint32_t epoch);

/*
 * catalog_living - the letters whose MSG or COPY lies in a segment and is the
 * one that counts; with long_tails those too. qids is the caller's (free).
 */
int catalog_living(struct catalog *c, uint32_t number, bool long_tails,
    uint64_t **qids, size_t *n);

#endif
