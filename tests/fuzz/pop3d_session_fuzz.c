/*
 * Fuzzes what a POP3 client says after the login: all of a session, over a
 * socketpair, with three small letters. Every line that comes back ends in CRLF,
 * and only a QUIT changes the mailbox.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pop3d/pop3d.h"
#include "pop3d/session.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/tree.h"

/* What fits into a socket at once, its answers as well: nobody reads while the
 * session runs. */
#define IN_MAX  4096
#define OUT_MAX (1 << 20)

static char path[] = "/tmp/barid-fuzz-XXXXXX";
static int dir = -1;

static const char mailbox[] =
    "From x Tue Nov 14 22:13:20 2023\nSubject: one\n\n.\n\n"
    "From x Tue Nov 14 22:13:20 2023\nSubject: two\n\n>From y\n..\n\n"
    "From x Tue Nov 14 22:13:20 2023\nSubject: three\n\n";

static void
leave(void)
{
	tree_remove(path);
}

static void
box_put(void)
{
	int fd = openat(dir, "box", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ssize_t len = (ssize_t)sizeof(mailbox) - 1;
	off_t had = -1;

	hold(fd != -1 && (had = lseek(fd, 0, SEEK_END)) != -1);
	if (had != len)
		hold(ftruncate(fd, 0) == 0 &&
		    pwrite(fd, mailbox, (size_t)len, 0) == len);
	close(fd);
}

static void
enter(void)
{
	hold(mkdtemp(path) != NULL);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	hold(dir != -1);
	atexit(leave);
}

static void
check_lines(struct span out)
{
	ssize_t at;

	hold(span_prefix(out, "+OK "));
	while (out.len > 0) {
		at = span_find(out, '\n');
		hold(at > 0 && out.p[at - 1] == '\r');
		hold(span_find(span_make(out.p, (size_t)at - 1), '\r') == -1);
		out = span_from(out, (size_t)at + 1);
	}
}

static void
session_fuzz(const uint8_t *data, size_t size)
{
	struct store_conf conf = { .mail_dir = dir, .index_dir = dir,
		.name = "box", .owner = geteuid() };
	static char out[OUT_MAX];
	struct store *s;
	size_t len = 0;
	ssize_t n;
	int sv[2], rv;

	box_put();
	hold(store_open(&s, &conf) == 0 && store_count(s) == 3);
	hold(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0);
	hold(send(sv[0], data, size, MSG_DONTWAIT) == (ssize_t)size);
	shutdown(sv[0], SHUT_WR);
	rv = session_run(sv[1], s, 1);
	close(sv[1]);
	while ((n = read(sv[0], out + len, sizeof(out) - len)) > 0)
		len += (size_t)n;
	close(sv[0]);
	check_lines(span_make(out, len));
	hold(store_sync(s) == 0 && (rv == 0 || store_count(s) == 3));
	store_close(s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (dir == -1)
		enter();
	if (size > 0 && size <= IN_MAX)
		session_fuzz(data, size);
	return 0;
}
