/* lib/net/listener.c - binding (in master) and accepting (in the daemons). */
#include "lib/net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/log.h"

#define BACKLOG  1024 /* bursts wait in the kernel rather than for a retry */
#define REST_MS  100  /* out of descriptors: let some sessions end first */

/* One spare descriptor, so that a refusal is possible when all are in use. */
static int spare = -1;

static void
spare_take(void)
{
	if (spare == -1)
		spare = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
}

static void
on_rested(void *arg)
{
	struct listener *l = arg;

	watch_set(&l->watch, LOOP_READ);
}

/* EMFILE: the next client in line is closed rather than kept waiting. */
static void
out_of_descriptors(struct listener *l)
{
	int fd;

	log_warn("accept: raise RLIMIT_NOFILE or lower 'connections'");
	if (spare != -1) {
		close(spare);
		spare = -1;
		if ((fd = accept(l->fd, NULL, NULL)) != -1)
			close(fd);
		spare_take();
	}
	watch_set(&l->watch, 0);
	timer_set_ms(&l->rest, REST_MS);
}

static void
on_ready(void *arg, unsigned what)
{
	struct listener *l = arg;
	int i, fd, one = 1;

	(void)what;
	for (i = 0; i < LISTENER_BATCH && l->fd != -1; i++) {
		struct sockaddr_storage ss = { 0 };
		socklen_t len = sizeof(ss);

		fd = accept4(l->fd, (struct sockaddr *)&ss, &len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd == -1) {
			if (errno == EMFILE || errno == ENFILE)
				out_of_descriptors(l);
			else if (errno != EAGAIN && errno != EINTR &&
			    errno != ECONNABORTED)
				log_warn("accept");
			return;
		}
		if (ss.ss_family == AF_INET || ss.ss_family == AF_INET6)
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
			    sizeof(one));
		l->fn(l->arg, fd, &ss);
	}
}

void
listener_open(struct listener *l, struct loop *loop, int fd,
    void (*fn)(void *, int, const struct sockaddr_storage *), void *arg)
{
	*l = (struct listener){ .loop = loop, .fd = fd, .fn = fn, .arg = arg };
	spare_take();
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	watch_init(&l->watch, loop, fd, on_ready, l);
	timer_init(&l->rest, loop, on_rested, l);
	watch_set(&l->watch, LOOP_READ);
}

void
listener_close(struct listener *l)
{
	if (l->fd == -1)
		return;
	watch_clear(&l->watch);
	timer_stop(&l->rest);
	close(l->fd);
	l->fd = -1;
}

static int
close_with(int fd, int error)
{
	close(fd);
	errno = error;
	return -1;
}

int
listener_share(int fd)
{
	int one = 1;

	return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
}

int
listener_bind(const struct sockaddr *addr, socklen_t len, bool shared)
{
	int fd, one = 1;

	fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0);
	if (fd == -1)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (addr->sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (shared && listener_share(fd) == -1)
		return close_with(fd, errno);
	if (bind(fd, addr, len) == -1 || listen(fd, BACKLOG) == -1)
		return close_with(fd, errno);
	return fd;
}

int
listener_bind_unix(const char *path, unsigned mode)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	mode_t old;
	int fd, rv;

	if (strlen(path) >= sizeof(un.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(un.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	if (unlink(path) == -1 && errno != ENOENT)
		return close_with(fd, errno);
	old = umask(~mode & 0777);
	rv = bind(fd, (struct sockaddr *)&un, sizeof(un));
	umask(old);
	if (rv == -1 || listen(fd, BACKLOG) == -1)
		return close_with(fd, errno);
	return fd;
}
