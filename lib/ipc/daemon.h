/*
 * lib/ipc/daemon.h - what every program under master does alike: hello, its
 * configuration, its channels and listeners, dropping privileges, start, stop.
 *
 *	int
 *	main(int argc, char *argv[])
 *	{
 *		static const struct daemon_spec spec = { ... };
 *		struct smtpd s = { 0 };
 *
 *		return daemon_main(&spec, &s.daemon, &s);
 *	}
 */
#ifndef LIB_IPC_DAEMON_H
#define LIB_IPC_DAEMON_H

#include "lib/conf.h"
#include "lib/ipc/channel.h"
#include "lib/privsep/privsep.h"

#define DAEMON_MASTER_FD 3
#define DAEMON_PEERS_MAX 64 /* processes of one role that we talk to */

struct daemon;

/* One kind of peer: its handlers, and what to do when one comes or goes. */
struct daemon_peer {
	enum role role;
	const struct ipc_handler *handlers;
	/* a new channel end is open (first time or after a restart); may be NULL */
	void (*on_up)(void *arg, struct channel *ch);
	/* it is gone; requests have been answered with NULL; may be NULL */
	void (*on_down)(void *arg, struct channel *ch);
};

struct daemon_status { const char *key; uint64_t value; };

struct daemon_spec {
	enum role role;
	/* beyond those of daemon.c; their arg is the struct daemon */
	const struct ipc_handler *master_handlers;
	const struct daemon_peer *peers;           /* ends with ROLE_NONE */
	/* before privileges are dropped, with the configuration there but no
	 * byte of the network read: open what needs names or rights. NULL or
	 * 0/-1 */
	int (*prepare)(void *arg);
	/* dropped, all first peers and listeners there: begin work */
	void (*start)(void *arg);
	/* a new configuration is in daemon.conf (the old one still in old);
	 * NULL: keep as is. Returns -1 with complaint set to refuse it. */
	int (*reload)(void *arg, const struct conf *old);
	/* a fresh listener, before start or with a reload; NULL if none wanted */
	void (*listener)(void *arg, unsigned index, enum conf_kind kind, int fd);
	/* a fresh descriptor of a named file (read-only), the program's from now
	 * on; NULL if none wanted. Those that come with a configuration are given
	 * right after start() or reload(), before the first peers, in the order
	 * of arrival; those that changed later at once. Also after a refused
	 * reload: the configuration in force may not name it */
	void (*file)(void *arg, const char *name, int fd);
	/* accept nothing new; call daemon_exit() when the last one is finished */
	void (*drain)(void *arg);
	/* orderly stop: finish what is at hand, then daemon_exit(); NULL: at once */
	void (*stop)(void *arg);
	/* fills at most max numbers for `barid status`; NULL if none */
	size_t (*status)(void *arg, struct daemon_status *out, size_t max);
};

struct daemon {
	const struct daemon_spec *spec;
	void *arg;
	struct loop loop;
	struct conf *conf;
	struct identity id;
	bool test;               /* below --test DIR */
	unsigned instance;       /* which process of this role: 0.. */
	struct channel master;
	struct channel *peers[DAEMON_PEERS_MAX]; /* by slot, NULL when unused */
	size_t npeers;
	bool started, draining, stopping;
	/* private */
	struct sandbox sandbox;
	struct waiting_peer *waiting;
	struct waiting_file *files; /* of a configuration not in force yet */
	bool conf_coming;        /* from its first piece to IPC_START */
	struct ipc_handler *handlers;
	struct conf *next_conf;
	char complaint[IPC_TEXT_MAX];
	struct buf conf_text;
};

/*
 * daemon_main - the whole life of a program: returns its exit status. Runs the
 * loop. Ends when master says stop or its channel closes.
 */
int daemon_main(const struct daemon_spec *spec, struct daemon *d, void *arg);

/* daemon_exit - leave the loop: everything that had to be finished is. */
void daemon_exit(struct daemon *d);

/* daemon_peer - the channel to the (instance-th) process of a role. Never NULL for
 * a role of the spec; closed when that program is away: requests on it are
 * answered with NULL. */
struct channel *daemon_peer(struct daemon *d, enum role role, unsigned instance);

/* daemon_peer_count - how many processes of that role were ever announced. */
unsigned daemon_peer_count(const struct daemon *d, enum role role);

/*
 * daemon_root_open - a descriptor of the folder that is this role's root: after
 * the drop "/" of the chroot, under "privileges none" the folder itself.
 * Returns -1 with errno. Only for roles with a folder (queued, deliver, logd).
 */
int daemon_root_open(const struct daemon *d);

#endif
