/* lib/ipc/early.c - see early.h. */
#include <string.h>
#include <unistd.h>

#include "lib/ipc/early.h"
#include "lib/log.h"
#include "lib/mem.h"

void
early_keep(struct early *e, const char *name, int fd)
{
	unsigned i;

	for (i = 0; i < e->n; i++) {
		if (strcmp(e->files[i].name, name) != 0)
			continue;
		close(e->files[i].fd);
		e->files[i].fd = fd;
		return;
	}
	if (e->n == EARLY_MAX) {
		log_warnx("%s: too many files", name);
		close(fd);
		return;
	}
	e->files[e->n++] = (struct early_file){ xstrdup(name), fd };
}

void
early_take(struct early *e, void (*fn)(void *arg, const char *name, int fd),
    void *arg)
{
	unsigned i;

	for (i = 0; i < e->n; i++) {
		fn(arg, e->files[i].name, e->files[i].fd);
		x_free(&e->files[i].name);
	}
	e->n = 0;
}
