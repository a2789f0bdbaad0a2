/*
 * queued/spool.h - the spool: what the scheduler may ask of the storage
 * engine. Every function is called on the loop's thread; every callback runs
 * on it too, never from within the call that asked. What is written is decided
 * by the order of the calls: records of one letter keep it.
 */
#ifndef QUEUED_SPOOL_H
#define QUEUED_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/loop.h"
#include "lib/span.h"
#include "queued/letter.h"

#define SPOOL_UUID_OCTETS 16
/* A body at most so long lies in the log, a longer one is big/QID. */
#define SPOOL_INLINE_MAX  (256u << 10)
/* Memory for all unfinished bodies; beyond, a body goes to big/QID. */
#define SPOOL_BODIES_MAX  (32u << 20)
#define SPOOL_SEGMENT_OCTETS (64u << 20)
#define SPOOL_SEGMENT_MIN    (4u << 20)
/* mailq and the due-scan read so many keys at a time. */
#define SPOOL_SLICE 500

/* The max of a buffer for spool_read: the largest record. */
#define SPOOL_READ_MAX ((3u << 20) + 64)

struct spool;
struct body;

/* What a callback is told. */
enum spool_status {
	SPOOL_OK,      /* durable (or: found) */
	SPOOL_FAILED,  /* not stored: answer 451 4.3.0 */
	SPOOL_FULL,    /* not stored: answer 452 4.3.1 */
	SPOOL_TOO_BIG, /* the envelope does not fit a record: 552 5.3.4 */
	SPOOL_ABSENT,  /* no such letter */
	SPOOL_BUSY     /* no index at the moment: ask again in a second */
};

enum spool_engine { SPOOL_INDEX_BDB, SPOOL_INDEX_MEM };

struct spool_options {
	int rootfd;             /* the spool; stays the caller's */
	struct loop *loop;
	uint32_t segment_octets; /* 0: SPOOL_SEGMENT_OCTETS */
	unsigned reserve_percent; /* of the file system; 0: none */
	enum spool_engine engine;
	uint32_t settle_ms;     /* a letter reaches the index only when it is
	                         * older than this; 0: 1000 */
	/* a letter was moved by compaction: give your struct letter the new
	 * place; the old one is not read after this call (may be NULL) */
	void (*moved)(void *arg, uint64_t qid, struct place place);
	/* a letter was lost to damage; logged already (may be NULL) */
	void (*lost)(void *arg, uint64_t qid);
	void *arg;
};

/*
 * spool_open - takes the lock, bumps the epoch (durably), finds the end of the
 * log, opens a new segment and starts the threads; the index catches up behind
 * it, and scans wait for that. Call it after privsep_drop and sandbox_enter:
 * threads are made here. The working directory of the process becomes the
 * spool, to learn its path: Berkeley DB knows only paths.
 * Returns 0, or -1 with a sentence in why (owner alive, meta missing, newer
 * format, no space ...).
 */
int spool_open(struct spool **out, const struct spool_options *o, char *why,
    size_t why_size);

/* spool_close - writes what is pending, checkpoints the index, joins the
 * threads. Callbacks of pending records run before it returns; those of scans
 * do not. Bodies must have been freed or accepted before. */
void spool_close(struct spool *sp);

/* spool_adopt - for a restored backup, without spool_open: a new uuid, meta
 * made if it is missing. 0, or -1 with a sentence. */
int spool_adopt(int rootfd, char *why, size_t why_size);

uint32_t spool_epoch(const struct spool *sp);
const unsigned char *spool_uuid(const struct spool *sp); /* 16 octets */

/* spool_qids - n fresh ids, the first is returned; never given twice. */
uint64_t spool_qids(struct spool *sp, uint32_t n);

/* spool_intake - SPOOL_OK, SPOOL_FULL (below the soft limit) or SPOOL_FAILED
 * (the disk refuses writes): ask before MAIL is answered. */
enum spool_status spool_intake(const struct spool *sp);

/*
 * A body as it comes. Up to SPOOL_INLINE_MAX it stays in memory, then writer
 * threads put it into big/QID. spool_body_append takes a copy and returns the
 * octets that wait to be written: stop reading above a window of yours; drain
 * is called when they have fallen to zero. An error on disk shows at
 * spool_accept. spool_body_free drops a body that was not accepted (its file
 * too); NULL is accepted.
 */
struct body *spool_body_begin(struct spool *sp, uint64_t qid,
    void (*drain)(void *arg), void *arg);
size_t spool_body_append(struct body *b, struct span octets);
uint64_t spool_body_octets(const struct body *b);
void spool_body_free(struct body *b);

/* status: what became of it. */
typedef void spool_fn(void *arg, enum spool_status status);

/*
 * spool_accept - makes a letter ours. Takes the body over; the letter stays
 * the caller's and must live until cb: its place, size and big are set then.
 * SPOOL_OK means that record and body are on the disk.
 */
void spool_accept(struct spool *sp, struct letter *l, struct body *body,
    spool_fn *cb, void *arg);

/*
 * The records of a letter's life. Arguments are copied before the call
 * returns; cb may be NULL. SPOOL_FAILED never comes: after a failed sync they
 * are written again, in order, until they are durable.
 * spool_expand and spool_ctrl: wait for cb before acting on them. spool_state
 * and spool_done are outcomes: nobody needs to wait.
 */
void spool_expand(struct spool *sp, uint64_t qid, const uint32_t *parents,
    size_t n, const struct final *finals, size_t nfinals, spool_fn *cb,
    void *arg);
void spool_state(struct spool *sp, uint64_t qid, const struct outcome *o,
    size_t n, spool_fn *cb, void *arg);
void spool_ctrl(struct spool *sp, uint64_t qid, const struct control *c,
    spool_fn *cb, void *arg);

/*
 * spool_bounce - outcomes of qid and the DSN that tells of them, in one batch.
 * dsn (its body taken over, at most SPOOL_INLINE_MAX octets) is treated as in
 * spool_accept; never refused for space.
 */
void spool_bounce(struct spool *sp, uint64_t qid, const struct outcome *o,
    size_t n, struct letter *dsn, struct body *body, spool_fn *cb, void *arg);

/* spool_done - all recipients are settled: the letter and its body go. */
void spool_done(struct spool *sp, uint64_t qid);

/*
 * spool_read - the text of a letter. In the log (l->big false): *text borrows
 * from *out (whose max must be SPOOL_READ_MAX); checked against its crc.
 * big: out stays empty and *fd is a read-only descriptor that the caller closes
 * (-1 otherwise).
 * Returns 0, or -1: errno EIO (unreadable or damaged) or ENOENT.
 */
int spool_read(struct spool *sp, const struct letter *l, struct buf *out,
    struct span *text, int *fd);

/*
 * The reads below go through the index thread, behind all records asked for so
 * far: what they tell is durable. Letters handed to a callback become the
 * callee's (letter_free) with all their state folded in.
 */

/* spool_get - one letter; l is NULL unless SPOOL_OK. */
void spool_get(struct spool *sp, uint64_t qid,
    void (*cb)(void *arg, enum spool_status status, struct letter *l),
    void *arg);

/* What a scan hands over; the array itself goes after the call. */
struct spool_slice {
	enum spool_status status; /* SPOOL_OK or SPOOL_BUSY */
	struct letter **letters;
	size_t n;
	bool more;       /* the limit ended it, not the table */
	int64_t next_s;  /* due scan: the due time behind the slice, or
	                  * LETTER_NEVER */
	uint64_t next_qid; /* due scan: go on from (next_s, next_qid);
	                    * list: from here */
	uint32_t skip_hash; /* dest scan: account hash of the last letter */
};
typedef void spool_slice_fn(void *arg, struct spool_slice *s);

/*
 * spool_scan_due - letters due between (from_s, from_qid), inclusive, and
 * until_s, in order of time; at most limit (SPOOL_SLICE at most). Letters that
 * are in the caller's memory come too: look them up by qid. A letter with all
 * recipients settled comes as due since time 0: the last run ended between its
 * STATE and its DONE, so call spool_done. Asked behind all records given so far,
 * which the answer knows; those given later it may not.
 */
void spool_scan_due(struct spool *sp, int64_t from_s, uint64_t from_qid,
    int64_t until_s, uint32_t limit, spool_slice_fn *cb, void *arg);

/*
 * spool_scan_dest - letters with an unsettled recipient at domain, by account
 * and time. from_hash names the account to begin with: to skip to the next
 * account ask again with skip_hash + 1.
 */
void spool_scan_dest(struct spool *sp, struct span domain, uint32_t from_hash,
    uint32_t limit, spool_slice_fn *cb, void *arg);

/* Selectors of mailq; empty ones match all. */
struct spool_filter {
	struct span reverse_path; /* caseless; "<>" for the null path */
	struct span rcpt;         /* caseless whole address */
	struct span domain;       /* of an unsettled recipient */
	struct span account;
	bool held;                /* only held ones */
	bool deferred;            /* only with a deferred recipient */
};

/*
 * spool_list - the next slice, by qid, of letters from from_qid on that match;
 * at most SPOOL_SLICE keys are looked at, so n may be 0 with more set. Asked
 * behind all records given so far, as spool_scan_due is.
 */
void spool_list(struct spool *sp, uint64_t from_qid,
    const struct spool_filter *f, spool_slice_fn *cb, void *arg);

struct spool_stats {
	uint64_t letters;         /* in the index or on the way to it */
	uint64_t log_octets, live_octets;
	uint32_t segments, spares;
	uint64_t batches, records, syncs, failed_syncs;
	uint64_t bodies_octets;   /* memory of unfinished bodies */
	uint64_t free_octets;     /* of the file system */
	uint64_t indexed;         /* letters that ever reached the index */
	uint64_t copied;          /* moved by compaction */
	bool index_ready;         /* the index has caught up */
};
void spool_stats(struct spool *sp, struct spool_stats *out);

/* What spool_verify saw; the log is read whole, in the index thread. */
struct spool_report {
	enum spool_status status;
	uint32_t segments, bad_segments;
	uint64_t batches, records, letters;
	uint64_t bad_records;  /* that did not verify */
	uint64_t index_missing; /* live in the log, not in the index */
	uint64_t index_extra;   /* in the index, not live in the log */
};
void spool_verify(struct spool *sp,
    void (*cb)(void *arg, const struct spool_report *r), void *arg);

/* spool_rebuild - wipes the index and makes it anew from the log. */
void spool_rebuild(struct spool *sp, spool_fn *cb, void *arg);

#endif
