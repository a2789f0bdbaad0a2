/* lib/net/listener.h - accepting, with limits, on a socket that master bound. */
#ifndef LIB_NET_LISTENER_H
#define LIB_NET_LISTENER_H

#include "lib/loop.h"
#include <sys/socket.h>

/* Connections accepted in one round before others get their turn. */
#define LISTENER_BATCH 64

struct listener {
	struct loop *loop;
	int fd;
	struct watch watch;
	struct timer rest;      /* after EMFILE: pause a little */
	/* a new connection, non-blocking, close-on-exec, TCP_NODELAY set */
	void (*fn)(void *arg, int fd, const struct sockaddr_storage *peer);
	void *arg;
};

/* listener_open - takes fd. On EMFILE/ENFILE it says so once, frees its spare
 * descriptor to answer nobody, and tries again after 100 ms. */
void listener_open(struct listener *l, struct loop *loop, int fd,
    void (*fn)(void *, int, const struct sockaddr_storage *), void *arg);
void listener_close(struct listener *l);

/* listener_bind - for master: a listening TCP socket (backlog 1024, SO_REUSEADDR,
 * V6ONLY), or a Unix socket at path with mode. -1 with errno. shared: beside
 * sockets of this user on the same port which are shared, too; whoever connects
 * gets the one whose address is the nearest. */
int listener_bind(const struct sockaddr *addr, socklen_t len, bool shared);
/* listener_share - makes a socket that is bound already a shared one. */
int listener_share(int fd);
int listener_bind_unix(const char *path, unsigned mode);

#endif
