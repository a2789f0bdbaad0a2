/* lib/privsep/sandbox_calls.h - which system call is in which set. */
#ifndef LIB_PRIVSEP_SANDBOX_CALLS_H
#define LIB_PRIVSEP_SANDBOX_CALLS_H

#include <seccomp.h>
#include <stddef.h>

#include "lib/privsep/roles.h"

/* Stands for the process's own number until the filter is put in force. */
#define CALLS_SELF 0x7ffffff1u

#define CALLS_ALLOW 0
#define CALLS_DENY(error) SCMP_ACT_ERRNO(error)

struct call_row {
	unsigned sets;     /* in any of these */
	unsigned unless;   /* but not where one of these is given, too */
	int call;          /* SCMP_SYS(name) */
	uint32_t answer;   /* CALLS_ALLOW, or an error instead of the end */
	unsigned nargs;
	struct scmp_arg_cmp arg[3];
};

extern const struct call_row sandbox_calls[];
extern const size_t sandbox_ncalls;

#endif
