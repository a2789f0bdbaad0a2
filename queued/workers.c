/* queued/workers.c - the pool of blocking threads; see workers.h. */
#include "queued/workers.h"

#include <errno.h>

static struct job *
job_next(struct workers *w)
{
	struct job *j;

	pthread_mutex_lock(&w->lock);
	while (w->first == NULL && !w->stop)
		pthread_cond_wait(&w->more, &w->lock);
	if ((j = w->first) != NULL && (w->first = j->next) == NULL)
		w->last = &w->first;
	pthread_mutex_unlock(&w->lock);
	return j;
}

static void *
worker_main(void *arg)
{
	struct workers *w = arg;
	struct job *j;

	while ((j = job_next(w)) != NULL) {
		j->work(j);
		postbox_post(w->box, &j->note);
	}
	return NULL;
}

int
workers_start(struct workers *w, struct postbox *box)
{
	int error;

	w->first = NULL;
	w->last = &w->first;
	w->box = box;
	w->stop = false;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->more, NULL);
	for (w->n = 0; w->n < WORKERS; w->n++) {
		error = pthread_create(&w->threads[w->n], NULL, worker_main, w);
		if (error != 0) {
			workers_stop(w);
			errno = error;
			return -1;
		}
	}
	return 0;
}

void
workers_stop(struct workers *w)
{
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_broadcast(&w->more);
	pthread_mutex_unlock(&w->lock);
	while (w->n > 0)
		pthread_join(w->threads[--w->n], NULL);
	pthread_cond_destroy(&w->more);
	pthread_mutex_destroy(&w->lock);
}

void
workers_ask(struct workers *w, struct job *j)
{
	j->next = NULL;
	pthread_mutex_lock(&w->lock);
	*w->last = j;
	w->last = &j->next;
	pthread_cond_signal(&w->more);
	pthread_mutex_unlock(&w->lock);
}
