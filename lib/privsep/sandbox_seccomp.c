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

/* What is allowed; all else ends the process, or is told. */
static int
rules_of_role(scmp_filter_ctx ctx, unsigned sets)
{
	size_t i;
	int error;

	for (i = 0; i < sandbox_ncalls; i++) {
		const struct call_row *c = &sandbox_calls[i];

		if ((c->sets & sets) == 0 || (c->unless & sets) != 0)
			continue;
		if ((error = rule_add(ctx, c)) != 0)
			return error;
	}
	return 0;
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

static int
filter_make(uint32_t otherwise, unsigned sets, struct sandbox_code *out)
{
	scmp_filter_ctx ctx = seccomp_init(otherwise);
	int error;

	if (ctx == NULL)
		return -ENOMEM;
	error = sets == 0 ? rules_of_ids(ctx) : rules_of_role(ctx, sets);
	if (error == 0)
		error = filter_export(ctx, out);
	seccomp_release(ctx);
	return error;
}

int
seccomp_make(struct sandbox *s)
{
	unsigned sets = role_row(s->role)->calls;
	int error = filter_make(s->options.log ? SCMP_ACT_LOG
	    : SCMP_ACT_KILL_PROCESS, sets, &s->filter[0]);

	if (error == 0 && (sets & CALLS_FORK))
		error = filter_make(SCMP_ACT_ALLOW, 0, &s->filter[1]);
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
