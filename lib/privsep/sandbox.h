/*
 * lib/privsep/sandbox.h - the cell: what a program has of the kernel once it
 * has dropped its rights. Linux: system calls by seccomp, files, TCP ports,
 * signals and abstract sockets by Landlock. Another system puts its own behind
 * this.
 *
 *	sandbox_prepare(&s, ROLE_QUEUED, &options);   may allocate, open, wait
 *	privsep_drop(ROLE_QUEUED, &identity);
 *	sandbox_enter(&s, &where);    before the first thread, for good
 */
#ifndef LIB_PRIVSEP_SANDBOX_H
#define LIB_PRIVSEP_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/privsep/roles.h"

/* What the cells are to be; from master, the same for all programs. */
struct sandbox_options {
	bool log;              /* tell the kernel's log and let it pass */
	uint8_t landlock_max;  /* use no later Landlock ABI than this */
};

/* What the kernel offers. */
struct sandbox_kernel {
	bool seccomp;
	unsigned landlock;     /* its ABI; 0: none */
};

/* The folders and ports of this process; borrowed, "" or NULL: none. */
struct sandbox_where {
	const char *root;      /* of a role with a folder: "/" after chroot */
	const char *mailbox;   /* of a user's process */
	const char *index;
	bool dotlock;          /* it makes lock files beside the mailbox */
	const uint16_t *ports; /* TCP, that a TCP_DNS role may connect to */
	size_t nports;
};

struct sandbox {
	enum role role;
	struct sandbox_options options;
	struct sandbox_code {
		void *code;    /* struct sock_filter[]; owned */
		size_t n;
	} filter[2];           /* what is allowed; then of whom */
};

void sandbox_probe(struct sandbox_kernel *k);

/*
 * sandbox_prepare - makes the filters of a role, which costs about a
 * millisecond: a waiting process does it once for all of its children. The cell
 * of a child is that of its parent, which it is born in, and more walls.
 * fatal() when libseccomp refuses.
 */
void sandbox_prepare(struct sandbox *s, enum role r,
    const struct sandbox_options *o);

/*
 * sandbox_enter - for ever, for this process, all of its threads and all that
 * it forks. What the kernel lacks is left out; anything else that fails is
 * fatal(): a program without its cell must not run.
 */
void sandbox_enter(const struct sandbox *s, const struct sandbox_where *w);

void sandbox_clear(struct sandbox *s);

/* sandbox_seccomp.c, sandbox_landlock.c: 0, or -1 with errno */
int seccomp_make(struct sandbox *s);
int seccomp_enter(const struct sandbox *s);
bool seccomp_is_there(void);
int landlock_enter(const struct sandbox *s, const struct sandbox_where *w);
unsigned landlock_abi(void);

#endif
