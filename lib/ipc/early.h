/* lib/ipc/early.h - descriptors of files that came before the configuration that
 * names them: at the start, and with a reload. For spec.file until the start. */
#ifndef LIB_IPC_EARLY_H
#define LIB_IPC_EARLY_H

#define EARLY_MAX 256 /* files; more than one configuration names */

struct early {
	struct early_file { char *name; int fd; } files[EARLY_MAX];
	unsigned n;
};

/* early_keep - takes fd; one of the same name is replaced. */
void early_keep(struct early *e, const char *name, int fd);

/* early_take - gives each to fn, which owns the fd then, and forgets all. */
void early_take(struct early *e, void (*fn)(void *arg, const char *name,
    int fd), void *arg);

#endif
