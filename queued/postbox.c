/* queued/postbox.c - notes from threads to the loop; see postbox.h. */
#include "queued/postbox.h"

#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/log.h"

static void
on_ready(void *arg, unsigned what)
{
	struct postbox *b = arg;
	uint64_t n;

	(void)what;
	if (read(b->fd, &n, sizeof(n)) == sizeof(n))
		postbox_run(b);
}

int
postbox_init(struct postbox *b, struct loop *l)
{
	b->first = NULL;
	b->last = &b->first;
	if ((b->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) == -1)
		return -1;
	pthread_mutex_init(&b->lock, NULL);
	watch_init(&b->watch, l, b->fd, on_ready, b);
	watch_set(&b->watch, LOOP_READ);
	return 0;
}

void
postbox_clear(struct postbox *b)
{
	watch_clear(&b->watch);
	close(b->fd);
	pthread_mutex_destroy(&b->lock);
}

void
postbox_post(struct postbox *b, struct note *n)
{
	const uint64_t one = 1;
	bool first;

	n->next = NULL;
	pthread_mutex_lock(&b->lock);
	first = b->first == NULL;
	*b->last = n;
	b->last = &n->next;
	pthread_mutex_unlock(&b->lock);
	/* One wake-up covers all that gathers until the loop comes. */
	if (first && write(b->fd, &one, sizeof(one)) != sizeof(one))
		fatal("eventfd");
}

void
postbox_wait(struct postbox *b)
{
	struct pollfd p = { .fd = b->fd, .events = POLLIN };

	if (poll(&p, 1, -1) == 1)
		on_ready(b, LOOP_READ);
}

void
postbox_run(struct postbox *b)
{
	struct note *n, *next;

	pthread_mutex_lock(&b->lock);
	n = b->first;
	b->first = NULL;
	b->last = &b->first;
	pthread_mutex_unlock(&b->lock);
	for (; n != NULL; n = next) {
		next = n->next;
		n->fn(n);
	}
}
