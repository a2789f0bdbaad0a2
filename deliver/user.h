/*
 * deliver/user.h - deliver -u: one user's process, with that user's rights. It
 * takes jobs from deliver, puts letters into the user's mailbox, reads the
 * user's .forward, runs the user's commands. It sees no other user's letters.
 */
#ifndef DELIVER_USER_H
#define DELIVER_USER_H

#include "deliver/forward.h"
#include "deliver/job.h"
#include "deliver/program.h"
#include "lib/hash.h"
#include "lib/ipc/waiting.h"
#include "lib/store/dotlock.h"
#include "lib/store/store.h"

/* Letters of one append: what one fsync is shared by. */
#define BATCH_MAX        256
/* Before an append what has arrived is read, up to so many octets of text. */
#define BATCH_OCTETS     (8u << 20)
/* A user's commands at once; more wait. */
#define PROGRAMS_MAX     10
/* deliver answers a lock within a fraction of a second, or is gone. */
#define LOCK_ANSWER_MS   10000

/* One letter for this user. */
struct task {
	struct hash_node node; /* by job number, until it is whole */
	struct task *next;     /* in the list of its kind */
	struct deliver_user *u;
	uint32_t session;
	struct job_head head;  /* its spans borrow from begin */
	struct buf begin, body;
	int fd;                /* the body when big, or -1 */
	struct program program;
	struct task **at;      /* among those under way */
};

struct task_list {
	struct task *first, *last;
	size_t n;
};

struct deliver_user {
	const struct account *account;
	struct loop loop;
	struct channel ch;     /* to deliver */
	int runner;            /* to our deliver -c, -1 if none */
	struct hash tasks;     /* being gathered */
	struct task_list letters; /* for the mailbox: the next batch */
	struct task_list files; /* to be appended to */
	struct task_list commands; /* waiting for their turn */
	struct task *programs; /* commands under way */
	unsigned running;
	uint64_t frames;       /* messages about jobs so far */
	uint64_t octets;       /* of letters */
	struct forward_cache forward;
	int mail_dir, index_dir;
	char mailbox[STORE_NAME_MAX + 1]; /* name in mail_dir */
	struct store_locks locks;
	struct dotlock_local local; /* where deliver does not lock for us */
	struct store *store;
	struct lock_wait { bool done, ok; char why[256]; } lock;
	bool over;
};

/* user.c */
int deliver_user_main(const struct account *a, int peer, int lock,
    const char *host, bool test);
/* task_end - tells the outcome and forgets the task. */
void task_end(struct task *t, uint8_t what, const char *status,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* task_end_list - the same for a list: finals, then "forwarded". */
void task_end_list(struct task *t, const struct forward *f);

/* letter.c */
/* task_head_add - what goes in front of each copy: Return-Path, X-Original-To,
 * Delivered-To, as lines that end with LF. */
void task_head_add(const struct task *t, struct buf *out);
/* task_loops - was this letter at this address before (RFC 5321 6.3)? */
bool task_loops(const struct task *t);

/* mailbox.c: the INBOX, and files of a .forward or alias */
/* mailbox_prepare - still with group mail: opens folders, makes the INBOX. */
void mailbox_prepare(struct deliver_user *u);
/* mailbox_deliver - n letters in one append; tells their outcomes. */
void mailbox_deliver(struct deliver_user *u, struct task *first, size_t n);
void mailbox_file(struct deliver_user *u, struct task *t);
void mailbox_close(struct deliver_user *u);

/* command.c */
void command_start(struct deliver_user *u, struct task *t);
void commands_stop(struct deliver_user *u);

#endif
