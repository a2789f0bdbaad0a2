/*
 * deliver/runner.c - users' commands run as cron would run them, in no cell:
 * what is in one hands its cell on to all that it starts. So deliver -u asks
 * deliver -c, the same user's process, whose parent deliver -r never was in a
 * cell. The question is a file without a name; the answer comes through a pipe,
 * and when nobody reads that any more the command is killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "deliver/program.h"
#include "lib/ipc/wire.h"
#include "lib/log.h"
#include "lib/mem.h"

/* Descriptors of one question: who is told, the question, a big letter. */
#define ASK_FDS      3
/* A letter that is no file of its own, its head, the command, the names. */
#define ASK_MAX      (2u << 20)
#define HEAD_MAX     65536
#define REPORT_FD    3 /* in the process of one command */
#define BODY_FD      4

/* -- deliver -u: the question ---------------------------------------------- */

static void
put_str(struct buf *b, struct span s)
{
	buf_add_u32(b, (uint32_t)s.len);
	buf_add_span(b, s);
}

/* The question, in memory that has a descriptor; -1 with errno. */
static int
ask_file(const struct program_spec *s)
{
	struct buf b = BUF_INIT(ASK_MAX);
	int fd, rv;

	put_str(&b, span_str(s->text));
	put_str(&b, span_str(s->user));
	put_str(&b, span_str(s->home));
	put_str(&b, s->sender);
	put_str(&b, s->recipient);
	put_str(&b, s->original);
	put_str(&b, s->head);
	buf_add_u64(&b, (uint64_t)s->time_ms);
	buf_add_u64(&b, (uint64_t)s->grace_ms);
	buf_add_u64(&b, s->body_len);
	rv = buf_add_span(&b, s->body);
	fd = memfd_create("letter", MFD_CLOEXEC);
	if (fd != -1 && (rv == -1 || buf_write_all(&b, fd) == -1)) {
		rv = errno;
		close(fd);
		fd = -1;
		errno = rv;
	}
	buf_clear(&b);
	return fd;
}

static int
fds_send(int to, const int *fds, size_t n)
{
	union { struct cmsghdr h; char space[CMSG_SPACE(ASK_FDS *
	    sizeof(int))]; } control = { 0 };
	char one = 1;
	struct iovec iov = { &one, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(n * sizeof(int)) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	return sendmsg(to, &m, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 ? 0 : -1;
}

int
runner_ask(int to, const struct program_spec *spec)
{
	int fds[ASK_FDS] = { -1, -1, spec->body_fd }, report[2], saved;
	int rv = -1;

	if (pipe2(report, O_CLOEXEC) == -1)
		return -1;
	fds[0] = report[1];
	if ((fds[1] = ask_file(spec)) != -1)
		rv = fds_send(to, fds, spec->body_fd == -1 ? 2 : 3);
	saved = errno;
	if (fds[1] != -1)
		close(fds[1]);
	close(report[1]);
	if (rv == -1) {
		close(report[0]);
		errno = saved;
		return -1;
	}
	return report[0];
}

/* -- deliver -c: a process for each command -------------------------------- */

/* A question as it was read; its texts borrow from memory that stays. */
static int
ask_read(struct span in, struct program_spec *s)
{
	struct ipc_reader rd = ipc_reader_span(in);

	s->text = span_dup(ipc_get_span(&rd, IPC_PATH_MAX));
	s->user = span_dup(ipc_get_span(&rd, IPC_PATH_MAX));
	s->home = span_dup(ipc_get_span(&rd, IPC_PATH_MAX));
	s->sender = ipc_get_span(&rd, IPC_PATH_MAX);
	s->recipient = ipc_get_span(&rd, IPC_PATH_MAX);
	s->original = ipc_get_span(&rd, IPC_PATH_MAX);
	s->head = ipc_get_span(&rd, HEAD_MAX);
	s->time_ms = (int64_t)ipc_get_u64(&rd);
	s->grace_ms = (int64_t)ipc_get_u64(&rd);
	s->body_len = ipc_get_u64(&rd);
	s->body = ipc_get_rest(&rd);
	return ipc_ok(&rd) ? 0 : -1;
}

static struct span
file_whole(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	char *p;

	if (size <= 0 || size > ASK_MAX)
		return span_make("", 0);
	p = xmalloc((size_t)size);
	return span_make(p, pread(fd, p, (size_t)size, 0) == size
	    ? (size_t)size : 0);
}

/* Both on numbers that are known, all else closed. */
static void
descriptors_settle(int report, int *body)
{
	/* out of the way first: either may sit on the other's number */
	if (*body != -1 && (*body = fcntl(*body, F_DUPFD, 16)) == -1)
		_exit(71);
	if ((report = fcntl(report, F_DUPFD, 16)) == -1 ||
	    dup2(report, REPORT_FD) == -1 ||
	    (*body != -1 && dup2(*body, BODY_FD) == -1))
		_exit(71);
	*body = *body == -1 ? -1 : BODY_FD;
	closefrom(BODY_FD + (*body != -1));
}

static void __attribute__((noreturn))
command_process(const int *fds)
{
	struct program_spec spec = { .body_fd = fds[2] };
	struct program_result res = { .how = PROGRAM_FAILED, .code = EINVAL };
	struct buf b = BUF_INIT(PROGRAM_OUTPUT_MAX + 64);
	int bad = ask_read(file_whole(fds[1]), &spec);

	descriptors_settle(fds[0], &spec.body_fd);
	signal(SIGCHLD, SIG_DFL);
	if (bad == 0)
		program_run(&spec, REPORT_FD, &res);
	buf_add_u8(&b, (uint8_t)res.how);
	buf_add_u32(&b, (uint32_t)res.code);
	buf_add_str(&b, res.output);
	_exit(buf_write_all(&b, REPORT_FD) == -1 ? 71 : 0);
}

/* One question: its descriptors. false when nobody asks any more. */
static bool
fds_receive(int from, int fds[ASK_FDS])
{
	union { struct cmsghdr h; char space[CMSG_SPACE(ASK_FDS *
	    sizeof(int))]; } control = { 0 };
	char one;
	struct iovec iov = { &one, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	size_t n = 0;
	ssize_t got;

	fds[0] = fds[1] = fds[2] = -1;
	while ((got = recvmsg(from, &m, MSG_CMSG_CLOEXEC)) == -1 &&
	    errno == EINTR)
		;
	if (got <= 0)
		return false;
	if ((c = CMSG_FIRSTHDR(&m)) != NULL && c->cmsg_level == SOL_SOCKET &&
	    c->cmsg_type == SCM_RIGHTS && c->cmsg_len >= CMSG_LEN(0))
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	if (n > 0) /* at most ASK_FDS: there is no room for more */
		memcpy(fds, CMSG_DATA(c), n * sizeof(int));
	return true;
}

int
runner_main(const struct account *a, int peer, int lock, const char *host,
    bool test)
{
	int fds[ASK_FDS];
	size_t i;

	(void)lock;
	(void)host;
	(void)test;
	signal(SIGCHLD, SIG_IGN); /* nobody waits for them */
	while (fds_receive(peer, fds)) {
		if (fds[1] == -1)
			log_warnx("no command of %s came", a->user);
		else if (fork() == 0)
			command_process(fds);
		/* if fork failed, the pipe's end says that it did not run */
		for (i = 0; i < ASK_FDS; i++)
			if (fds[i] != -1)
				close(fds[i]);
	}
	return 0;
}
