/* authd/job.c - parks questions until what they miss has come. */
#include "authd/job.h"
#include "lib/mem.h"

static void
park(struct jobs *jobs, struct job *j)
{
	if (j->parked)
		return;
	j->parked = true;
	j->prev = NULL;
	if ((j->next = jobs->first) != NULL)
		j->next->prev = j;
	jobs->first = j;
	jobs->n++;
}

static void
unpark(struct jobs *jobs, struct job *j)
{
	if (!j->parked)
		return;
	j->parked = false;
	if (j->prev != NULL)
		j->prev->next = j->next;
	else
		jobs->first = j->next;
	if (j->next != NULL)
		j->next->prev = j->prev;
	jobs->n--;
}

static void
finish(struct jobs *jobs, struct job *j)
{
	unpark(jobs, j);
	if (j->free != NULL)
		j->free(j);
	x_free(&j);
}

static void
step(struct jobs *jobs, struct job *j)
{
	j->passes++;
	j->wants_tables = false;
	if (j->dead || j->run(j))
		finish(jobs, j);
	else
		park(jobs, j);
}

void
job_from(struct job *j, struct authd *a, const struct ipc_msg *m,
    bool (*run)(struct job *))
{
	j->run = run;
	j->authd = a;
	j->ch = m->ch;
	j->request = m->request;
	j->session = m->session;
}

void
job_start(struct jobs *jobs, struct job *j)
{
	step(jobs, j);
}

void
job_wake(struct jobs *jobs, struct job *j)
{
	step(jobs, j);
}

bool
job_given_up(const struct job *j)
{
	return j->passes >= JOB_PASSES_MAX;
}

void
job_answer(struct jobs *jobs, struct job *j)
{
	if (--j->waits == 0 && !j->wants_tables)
		step(jobs, j);
}

/* The list changes while it is walked: who ran is not looked at again. */
void
jobs_tables(struct jobs *jobs)
{
	struct job *j, *next, *again = NULL;

	for (j = jobs->first; j != NULL; j = next) {
		next = j->next;
		if (!j->wants_tables)
			continue;
		j->wants_tables = false;
		if (j->waits > 0)
			continue; /* the last account wakes it */
		unpark(jobs, j);
		j->next = again;
		again = j;
	}
	for (j = again; j != NULL; j = next) {
		next = j->next;
		step(jobs, j);
	}
}

/* One that still waits is freed by the last account's answer. */
void
job_forget(struct jobs *jobs, struct job *j)
{
	j->dead = true;
	j->wants_tables = false;
	if (j->waits == 0)
		finish(jobs, j);
}

void
jobs_lost(struct jobs *jobs, const struct channel *ch)
{
	struct job *j, *next;

	for (j = jobs->first; j != NULL; j = next) {
		next = j->next;
		if (j->ch == ch)
			job_forget(jobs, j);
	}
}

struct ipc_msg
job_msg(const struct job *j)
{
	return (struct ipc_msg){ .request = j->request,
	    .session = j->session, .fd = -1 };
}
