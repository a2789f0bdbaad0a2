/*
 * authd/job.h - a question that may have to wait for accounts or tables. Its
 * run function is pure: it is called anew, from its beginning, once everything
 * that was missing at its last call is there.
 */
#ifndef AUTHD_JOB_H
#define AUTHD_JOB_H

#include "lib/ipc/channel.h"

/* Each call asks for all that it misses at once, so that a few are enough; more
 * would mean that the cache forgets faster than we ask. */
#define JOB_PASSES_MAX 16

struct authd;

struct job {
	struct job *next, *prev; /* in jobs, while parked */
	bool parked, dead;
	bool (*run)(struct job *j); /* true: answered, free it */
	void (*free)(struct job *j); /* NULL: only j itself */
	struct authd *authd;     /* NULL in unit tests */
	struct channel *ch;      /* who asked */
	uint32_t request, session;
	unsigned waits;          /* accounts that were asked for */
	bool wants_tables;
	unsigned passes;
};

struct jobs { struct job *first; size_t n; };

/* job_from - fills j, zeroed, from the question m. */
void job_from(struct job *j, struct authd *a, const struct ipc_msg *m,
    bool (*run)(struct job *));

/* job_start - for a zeroed, filled job from xcalloc: runs it now. */
void job_start(struct jobs *jobs, struct job *j);

/* job_given_up - its last pass: what is missing now counts as a failure. */
bool job_given_up(const struct job *j);

/* job_answer - one of the accounts is there; may run and free the job. */
void job_answer(struct jobs *jobs, struct job *j);

/* job_wake - what else it waited for (a check, a grant) is there: runs it. */
void job_wake(struct jobs *jobs, struct job *j);

/* jobs_tables - a table has come or is given up: who waits for one runs. */
void jobs_tables(struct jobs *jobs);

/* job_forget - nobody waits for its answer any more: it ends unanswered, now or
 * when what it waits for has come. */
void job_forget(struct jobs *jobs, struct job *j);

/* jobs_lost - the asker's channel is gone: its questions die unanswered. */
void jobs_lost(struct jobs *jobs, const struct channel *ch);

/* job_msg - m as ipc_reply_begin() wants it. */
struct ipc_msg job_msg(const struct job *j);

#endif
