/*
 * master/bind.c - the listening sockets: bound here, kept over reloads, read by
 * the programs that get duplicates of them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/mem.h"
#include "lib/net/conn.h"
#include "master/master.h"

#define LISTEN_FDS_START 3 /* sd_listen_fds(3) */

static socklen_t
addr_set(struct sockaddr_storage *ss, const char *text, uint16_t port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ss;

	memset(ss, 0, sizeof(*ss));
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		return sizeof(*v4);
	}
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		return sizeof(*v6);
	}
	return 0;
}

static struct bound *
bound_find(struct master *m, const struct sockaddr_storage *ss, socklen_t len)
{
	struct bound *b;

	for (b = m->bounds; b != NULL; b = b->next)
		if (memcmp(&b->addr, ss, len) == 0)
			return b;
	return NULL;
}

/*
 * A listener with an address beside one without, on the same port: the system
 * allows it to sockets that say so. Only where our own are in the way, so that
 * another mail server is still noticed.
 */
static int
bind_beside(struct master *m, const struct sockaddr_storage *ss, socklen_t len)
{
	struct bound *b;
	bool ours = false;

	for (b = m->bounds; b != NULL; b = b->next)
		if (b->addr.ss_family == ss->ss_family &&
		    addr_port(&b->addr) == addr_port(ss))
			ours = listener_share(b->fd) == 0 || ours;
	if (!ours) {
		errno = EADDRINUSE;
		return -1;
	}
	return listener_bind((const struct sockaddr *)ss, len, true);
}

/* optional: an address family that this host may lack */
static int
bind_one(struct master *m, const struct conf_listen *l, const char *text,
    bool optional, struct buf *err)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_set(&ss, text, l->port);
	struct bound *b;
	int fd;

	if ((b = bound_find(m, &ss, len)) != NULL) {
		b->wanted = true;
		return 0;
	}
	fd = listener_bind((struct sockaddr *)&ss, len, false);
	if (fd == -1 && errno == EADDRINUSE)
		fd = bind_beside(m, &ss, len);
	if (fd == -1) {
		if (optional && (errno == EAFNOSUPPORT ||
		    errno == EADDRNOTAVAIL))
			return 0;
		buf_addf(err, "listen on %s port %u: %s%s\n", text, l->port,
		    strerror(errno), errno == EADDRINUSE
		    ? " (is another mail server running?)" : "");
		return -1;
	}
	b = xcalloc(1, sizeof(*b));
	*b = (struct bound){ m->bounds, fd, l->kind, ss, UINT16_MAX, true };
	m->bounds = b;
	return 0;
}

static int
bind_listen(struct master *m, const struct conf_listen *l, struct buf *err)
{
	size_t i;
	int rv = 0;

	if (l->addresses.n == 0) {
		rv |= bind_one(m, l, "0.0.0.0", false, err);
		rv |= bind_one(m, l, "::", true, err);
	}
	for (i = 0; i < l->addresses.n; i++)
		rv |= bind_one(m, l, l->addresses.words[i], false, err);
	return rv == 0 ? 0 : -1;
}

int
bind_all(struct master *m, const struct conf *c, struct buf *err)
{
	struct bound *b;
	size_t i;
	int rv = 0;

	for (b = m->bounds; b != NULL; b = b->next)
		b->wanted = false;
	for (i = 0; i < c->nlistens; i++)
		if (c->listens[i].kind != LISTEN_SUBMIT)
			rv |= bind_listen(m, &c->listens[i], err);
	return rv == 0 ? 0 : -1;
}

/* Is this a socket that takes connections at a Unix path? */
static bool
is_unix_listener(int fd)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss), size = sizeof(int);
	int listens = 0;

	return getsockname(fd, (struct sockaddr *)&ss, &len) == 0 &&
	    ss.ss_family == AF_UNIX &&
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 &&
	    listens;
}

int
bind_submit_inherited(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	uint64_t n;
	int fd = -1;

	if (pid != NULL && fds != NULL &&
	    span_u64(span_str(pid), INT32_MAX, &n) == 0 &&
	    n == (uint64_t)getpid() &&
	    span_u64(span_str(fds), INT32_MAX, &n) == 0 && n == 1 &&
	    is_unix_listener(LISTEN_FDS_START)) {
		/* out of the way: programs find their channel at that place */
		fd = fcntl(LISTEN_FDS_START, F_DUPFD_CLOEXEC, 16);
		close(LISTEN_FDS_START);
		if (fd == -1 || fcntl(fd, F_SETFL, O_NONBLOCK) == -1)
			fatal("the socket of systemd");
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return fd;
}

static void
bounds_drop(struct master *m, bool (*goes)(const struct bound *))
{
	struct bound **at, *b;

	for (at = &m->bounds; (b = *at) != NULL;)
		if (goes(b)) {
			*at = b->next;
			close(b->fd);
			free(b);
		} else
			at = &b->next;
}

static bool
not_wanted(const struct bound *b)
{
	return !b->wanted;
}

static bool
brand_new(const struct bound *b)
{
	return b->index == UINT16_MAX;
}

/* Which listen statement a socket now belongs to. */
static void
bound_assign(struct bound *b, const struct conf *c)
{
	struct sockaddr_storage ss;
	const char *any = b->addr.ss_family == AF_INET ? "0.0.0.0" : "::";
	socklen_t len;
	size_t i, k;

	for (i = 0; i < c->nlistens; i++) {
		const struct conf_listen *l = &c->listens[i];

		for (k = 0; k == 0 || k < l->addresses.n; k++) {
			len = addr_set(&ss, l->addresses.n == 0 ? any
			    : l->addresses.words[k], l->port);
			if (memcmp(&ss, &b->addr, len) == 0) {
				b->index = (unsigned)i;
				b->kind = l->kind;
				return;
			}
		}
	}
}

void
bind_commit(struct master *m)
{
	struct bound *b;

	bounds_drop(m, not_wanted);
	for (b = m->bounds; b != NULL; b = b->next)
		bound_assign(b, m->conf);
}

void
bind_rollback(struct master *m)
{
	bounds_drop(m, brand_new);
}

static bool
any(const struct bound *b)
{
	(void)b;
	return true;
}

void
bind_clear(struct master *m)
{
	bounds_drop(m, any);
}
