/*
 * lib/privsep/sandbox_seccomp.c - the filters of system calls: libseccomp makes
 * them, once for each role; they are put in force by the kernel's own call, so
 * that a child of a waiting process pays for that alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/mem.h"
#include "lib/privsep/privsep.h"
#include "lib/privsep/sandbox.h"
#include "lib/privsep/sandbox_calls.h"

#define FILTER_OCTETS_MAX (BPF_MAXINSNS * sizeof(struct sock_filter))

bool
seccomp_is_there(void)
{
	uint32_t action = SECCOMP_RET_KILL_PROCESS;

	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

static int
rule_add(scmp_filter_ctx ctx, const struct call_row *c)
{
	int error = seccomp_rule_add_array(ctx,
	    c->answer == CALLS_ALLOW ? SCMP_ACT_ALLOW : c->answer, c->call,
	    c->nargs, c->arg);

	/* a call that this architecture lacks */
	return error == -EDOM || error == -EOPNOTSUPP ? 0 : error;
}

static bool
row_counts(const struct call_row *c, unsigned sets)
{
	return (c->sets & sets) != 0 && (c->unless & sets) == 0;
}

/* What is allowed; all else ends the process, or is told. */
static int
rules_of_role(scmp_filter_ctx ctx, unsigned sets)
{
	size_t i;
	int error;

	for (i = 0; i < sandbox_ncalls; i++) {
		const struct call_row *c = &sandbox_calls[i];

		if (!row_counts(c, sets))
			continue;
		if ((error = rule_add(ctx, c)) != 0)
			return error;
	}
	return 0;
}

/* How many rows give this call to these sets, and one of them. */
static unsigned
rows_of_call(int call, unsigned sets, const struct call_row **one)
{
	unsigned n = 0;
	size_t i;

	for (i = 0; i < sandbox_ncalls; i++)
		if (sandbox_calls[i].call == call &&
		    sandbox_calls[i].answer == CALLS_ALLOW &&
		    row_counts(&sandbox_calls[i], sets)) {
			*one = &sandbox_calls[i];
			n++;
		}
	return n;
}

/*
 * What a child has no more of its parent's cell, in which it was born: the
 * whole list once more would cost each fork ten times as much. A call with one
 * argument that must be is ended by any other argument; one with a choice of
 * them (prctl: no_new_privs, not dumpable) is no more than the child does.
 */
static int
rules_of_child(scmp_filter_ctx ctx, uint32_t end, unsigned sets,
    unsigned parent)
{
	const struct call_row *mine = NULL;
	struct scmp_arg_cmp other;
	unsigned n;
	size_t i;
	int error = 0;

	for (i = 0; i < sandbox_ncalls && error == 0; i++) {
		const struct call_row *c = &sandbox_calls[i];

		if (c->answer != CALLS_ALLOW || !row_counts(c, parent) ||
		    row_counts(c, sets))
			continue;
		n = rows_of_call(c->call, sets, &mine);
		if (n == 0) {
			error = seccomp_rule_add(ctx, end, c->call, 0);
		} else if (n == 1 && mine->nargs == 1 &&
		    mine->arg[0].op == SCMP_CMP_EQ) {
			other = mine->arg[0];
			other.op = SCMP_CMP_NE;
			error = seccomp_rule_add_array(ctx, end, c->call, 1,
			    &other);
		}
		if (error == -EEXIST || error == -EDOM ||
		    error == -EOPNOTSUPP)
			error = 0; /* it stood in two rows; not on this CPU */
	}
	return error;
}

/*
 * Whom a waiting process may become: nobody below UID_USER_MIN, no group 0. Ids
 * are 32 bits and a filter sees 64: what lies above must be empty, or else it
 * would hide a 0. EPERM, since a child tries itself whether it can go back.
 */
static int
rules_of_ids(scmp_filter_ctx ctx)
{
	unsigned i;
	int error = 0;

	for (i = 0; i < 3 && error == 0; i++) {
		const struct scmp_arg_cmp below = { i, SCMP_CMP_LT,
			UID_USER_MIN, 0 }, above = { i, SCMP_CMP_GT,
			UINT32_MAX, 0 }, zero = { i, SCMP_CMP_EQ, 0, 0 };

		if ((error = seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(EPERM),
		    SCMP_SYS(setresuid), 1, &below)) == 0 &&
		    (error = seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(EPERM),
		    SCMP_SYS(setresuid), 1, &above)) == 0 &&
		    (error = seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(EPERM),
		    SCMP_SYS(setresgid), 1, &zero)) == 0)
			error = seccomp_rule_add_array(ctx,
			    SCMP_ACT_ERRNO(EPERM), SCMP_SYS(setresgid), 1,
			    &above);
	}
	return error;
}

/* The filter as the kernel takes it. */
static int
filter_export(scmp_filter_ctx ctx, struct sandbox_code *out)
{
	int fd = memfd_create("filter", MFD_CLOEXEC), error;
	off_t size;

	if (fd == -1)
		return -errno;
	if ((error = seccomp_export_bpf(ctx, fd)) == 0) {
		size = lseek(fd, 0, SEEK_END);
		if (size <= 0 || (size_t)size > FILTER_OCTETS_MAX) {
			error = -EINVAL;
		} else {
			out->code = xmalloc((size_t)size);
			out->n = (size_t)size / sizeof(struct sock_filter);
			if (pread(fd, out->code, (size_t)size, 0) != size)
				error = -EIO;
		}
	}
	close(fd);
	return error;
}

enum filter_kind { FILTER_ROLE, FILTER_CHILD, FILTER_IDS };

static int
filter_make(enum filter_kind kind, const struct sandbox *s,
    struct sandbox_code *out)
{
	const struct role_row *row = role_row(s->role);
	uint32_t end = s->options.log ? SCMP_ACT_LOG
	    : SCMP_ACT_KILL_PROCESS;
	scmp_filter_ctx ctx = seccomp_init(kind == FILTER_ROLE ? end
	    : SCMP_ACT_ALLOW);
	int error;

	if (ctx == NULL)
		return -ENOMEM;
	if (kind == FILTER_ROLE)
		error = rules_of_role(ctx, row->calls);
	else if (kind == FILTER_CHILD)
		error = rules_of_child(ctx, end, row->calls,
		    role_row(row->parent)->calls);
	else
		error = rules_of_ids(ctx);
	if (error == 0)
		error = filter_export(ctx, out);
	seccomp_release(ctx);
	return error;
}

int
seccomp_make(struct sandbox *s)
{
	const struct role_row *row = role_row(s->role);
	int error = filter_make(row->parent != ROLE_NONE ? FILTER_CHILD
	    : FILTER_ROLE, s, &s->filter[0]);

	if (error == 0 && (row->calls & CALLS_FORK))
		error = filter_make(FILTER_IDS, s, &s->filter[1]);
	errno = -error;
	return error == 0 ? 0 : -1;
}

/* A process may send signals to itself, and learns now which one it is. */
static void
self_fill_in(struct sock_filter *code, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (code[i].code == (BPF_JMP | BPF_JEQ | BPF_K) &&
		    code[i].k == CALLS_SELF)
			code[i].k = (uint32_t)getpid();
}

/* All threads, or none: TSYNC fails when one cannot follow. */
static int
filter_load(const struct sandbox_code *f)
{
	struct sock_filter *code = xmalloc(f->n * sizeof(*code));
	struct sock_fprog prog = { (unsigned short)f->n, code };
	long rv;

	memcpy(code, f->code, f->n * sizeof(*code));
	self_fill_in(code, f->n);
	rv = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
	    SECCOMP_FILTER_FLAG_TSYNC, &prog);
	free(code);
	if (rv > 0)
		errno = ESRCH; /* the thread that has filters of its own */
	return rv == 0 ? 0 : -1;
}

int
seccomp_enter(const struct sandbox *s)
{
	/* The narrower one first: the other lets nothing more be added. */
	if (s->filter[1].code != NULL && filter_load(&s->filter[1]) == -1)
		return -1;
	return filter_load(&s->filter[0]);
}
