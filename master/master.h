/*
 * master/master.h - what the rooms of the only root process share. It starts the
 * programs, hands each what its row of the table allows, and reads nothing
 * that anybody sent.
 */
#ifndef MASTER_MASTER_H
#define MASTER_MASTER_H

#include "lib/conf.h"
#include "lib/ipc/channel.h"
#include "lib/ipc/types.h"
#include "lib/loop.h"
#include "lib/net/listener.h"
#include "lib/privsep/privsep.h"

#define CHILDREN_MAX   64
#define SUBMIT_INDEX   0xffff /* IPC_LISTENER index of submit.sock */
#define TICKET_OCTETS  16
#define GRANT_MS       30000  /* design.md section 3: a grant lives 30 s */
#define GRANTS_MAX     4096

enum child_state { CHILD_DOWN, CHILD_STARTING, CHILD_UP, CHILD_DRAINING };

/* One process of one role, and how it has fared. */
struct child {
	struct master *m;
	enum role role;
	uint16_t instance;
	unsigned place;         /* among those that do not drain: 0.. */
	enum child_state state;
	pid_t pid;              /* 0: none */
	struct channel ch;
	struct timer backoff;
	int64_t started_ms;     /* clock_boot_ms */
	unsigned deaths;        /* in a row; cleared after a minute's life */
	unsigned restarts;
	bool renew;             /* it ends in order, to be started anew */
	struct child *next;
};

/* One bound socket, kept over reloads; passed on as duplicates. */
struct bound {
	struct bound *next;
	int fd;
	enum conf_kind kind;
	struct sockaddr_storage addr;
	unsigned index;         /* in conf.listens, of the newest configuration */
	bool wanted;
};

/* What a change of a file shows in. All zero: there is none. */
struct file_state {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime, ctime;
};

/* A file that the configuration names, for one role. */
struct named_file {
	struct named_file *next;
	char *path;
	enum role reader;
	bool tls;               /* certificates and keys change together */
	bool wanted;            /* by the newest configuration */
	bool told;              /* why it is of no use, already */
	struct file_state seen; /* at the last look */
	struct file_state sent; /* when last passed on to all */
};

struct grant {
	struct grant *next;
	char ticket[TICKET_OCTETS];
	enum role role;
	uint16_t worker;
	int64_t until_ms;
	struct buf account;     /* as in IPC_FORK, to be completed */
};

struct paths {
	char conf[1024], libexec[1024];
	char run[512], spool[256], mail[256], index[512], log[256], empty[256];
};

struct master {
	struct loop loop;
	const char *test_dir;   /* NULL, or the folder of --test */
	struct paths path;
	struct conf *conf;
	struct identity ids[ROLE_MAX];
	struct sandbox_options sandbox;
	struct sandbox_kernel kernel;
	struct child *children;
	struct bound *bounds;
	struct named_file *files;
	struct grant *grants;
	size_t ngrants;
	struct listener control;
	int submit;             /* bound socket, -1 if none */
	struct timer poll;      /* named files */
	struct timer patience;  /* of the stop's current phase */
	unsigned stop_phase;    /* 0: not stopping */
	bool ready_told;
	int64_t started_s;
};

/* children.c */
void children_start(struct master *m);
/* ends those that the configuration has no more use for */
void children_retire(struct master *m);
int on_renew(void *arg, struct ipc_msg *msg);
void children_clear(struct master *m);
struct child *child_find(struct master *m, enum role role, unsigned instance);
struct child *child_new(struct master *m, enum role role);
void child_start(struct child *c);
void child_free(struct child *c);
void children_reap(void *arg);
unsigned role_count(const struct master *m, enum role role);
/* true when every program has said that it works */
bool children_ready(const struct master *m);

/* handout.c: everything that a fresh program gets, then IPC_START */
void handout(struct child *c);
void handout_conf(struct child *c);
void handout_listeners(struct child *c);
/* channels between c and every program that the table pairs it with */
void handout_wire(struct child *c);
const struct ipc_handler *master_handlers(enum role role);

/* bind.c: 0, or -1 after having told every failure in err */
int bind_all(struct master *m, const struct conf *c, struct buf *err);
void bind_commit(struct master *m);
void bind_rollback(struct master *m);
void bind_clear(struct master *m);
/* submit.sock as systemd holds it for us (sd_listen_fds(3)), or -1 */
int bind_submit_inherited(void);

/* files.c */
void files_setup(struct master *m);
void files_clear(struct master *m);
void files_hand(struct child *c);
void files_poll(void *arg);

/* folders.c: identities, folders and their owners; fatal() when wrong */
void identities_resolve(struct master *m);
void folders_prepare(struct master *m);
/* what the kernel has for cells; what is missing is said once, in the log */
void cells_probe(struct master *m);
void cells_tell(const struct master *m);
/* a user's index folder: 0, or -1 with why in complaint */
int folder_index(struct master *m, const char *user, uid_t uid, gid_t gid,
    char *path, size_t size, char *complaint, size_t csize);

/* grants.c */
int on_child_ask(void *arg, struct ipc_msg *msg);
int on_grant(void *arg, struct ipc_msg *msg);
int on_session(void *arg, struct ipc_msg *msg);
int on_unix_ask(void *arg, struct ipc_msg *msg);
int on_child_exit(void *arg, struct ipc_msg *msg);
void grants_clear(struct master *m);

/* hung.c */
int on_hung(void *arg, struct ipc_msg *msg);

/* control.c */
void control_open(struct master *m);
void control_close(struct master *m);

/* reload.c: 0, or -1 with one complaint a line in err */
int master_reload(struct master *m, struct buf *err);
/* stop in order: those that take mail in, those that send it out, the rest */
void master_stop(struct master *m);
void stop_child_gone(struct master *m);

/* notify.c: sd_notify(3)'s protocol; without NOTIFY_SOCKET nothing happens */
void notify(const char *state);

#endif
