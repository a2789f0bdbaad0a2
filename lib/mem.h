/* lib/mem.h - allocation that exits when memory is out; sizes are bounded. */
#ifndef LIB_MEM_H
#define LIB_MEM_H

#include <stddef.h>

/* Never NULL. No size may come from a client unbounded. */
void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
void *xreallocarray(void *p, size_t n, size_t size);
char *xstrdup(const char *s);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* x_free(&p) - frees, sets NULL, accepts NULL. */
#define x_free(pp) (mem_free(*(pp)), *(pp) = NULL, (void)0)
void mem_free(void *p);

#endif
