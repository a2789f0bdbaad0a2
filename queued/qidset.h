/* queued/qidset.h - a set of qids; 0 is never a member. */
#ifndef QUEUED_QIDSET_H
#define QUEUED_QIDSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct qidset {
	uint64_t *slots; /* open addressing; 0: free */
	size_t n, cap;   /* cap: 0 or a power of two */
};

void qidset_clear(struct qidset *s);
void qidset_add(struct qidset *s, uint64_t qid);
bool qidset_has(const struct qidset *s, uint64_t qid);
/* qidset_del - true if it was a member. */
bool qidset_del(struct qidset *s, uint64_t qid);

#endif
