/*
 * queued/body.h - texts on their way in: in memory while they are short, then
 * by the writer threads into big/QID.
 */
#ifndef QUEUED_BODY_H
#define QUEUED_BODY_H

#include "queued/qidset.h"
#include "queued/spool.h"
#include "queued/workers.h"

/* What all bodies share; the loop's thread. */
struct bodies {
	struct workers *workers;
	int bigdir;          /* borrowed */
	uint64_t octets;     /* in memory, until durable */
	unsigned finishing;  /* big ones between body_finish and its end */
	struct qidset files; /* the qids that have a file in big/ */
};

#define BIG_NAME 16

struct body *body_begin(struct bodies *all, uint64_t qid,
    void (*drain)(void *arg), void *arg);
size_t body_append(struct body *b, struct span octets);
uint64_t body_octets(const struct body *b);
bool body_is_big(const struct body *b);

/* body_take - the text of a body in memory, moved; the body goes. all->octets
 * still counts it. */
void body_take(struct body *b, struct buf *out);

/*
 * body_finish - of a big one: the rest is written, then fdatasync of the file
 * (its octets and length) and fsync of big/ (its name); then cb on the loop,
 * error 0 or an errno. The body goes with body_keep or body_free.
 */
void body_finish(struct body *b, void (*cb)(void *arg, int error), void *arg);

/* body_keep - the letter is ours: the file stays. */
void body_keep(struct body *b);
void body_free(struct body *b);

/* big_unlink - after a durable DONE. */
void big_unlink(struct bodies *all, uint64_t qid);
/* big_open - for reading; -1 with errno. */
int big_open(const struct bodies *all, uint64_t qid);
/* bodies_load - the names that are there. */
void bodies_load(struct bodies *all);

#endif
