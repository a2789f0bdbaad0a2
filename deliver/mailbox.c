/*
 * deliver/mailbox.c - letters into the user's INBOX and into files that the
 * user named, through lib/store: one lock, one fsync for all that is there. A
 * full disk, a quota or a lock defers; nothing here fails a letter for good.
 */
#include "deliver/user.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/mem.h"
#include "lib/store/inbox.h"

#define HEAD_MAX (4 * IPC_PATH_MAX)

/* -- locks ----------------------------------------------------------------- */

static int
on_locked(void *arg, struct ipc_msg *m)
{
	struct deliver_user *u = arg;
	struct ipc_reader rd;
	struct span why;

	u->lock.done = true;
	u->lock.ok = false;
	u->lock.why[0] = '\0';
	if (m == NULL)
		return 0;
	rd = ipc_reader(m);
	u->lock.ok = ipc_get_u8(&rd) != 0;
	why = ipc_get_span(&rd, sizeof(u->lock.why) - 1);
	(void)span_copy(why, u->lock.why, sizeof(u->lock.why));
	return ipc_at_end(&rd) ? 0 : -1;
}

static void
remote_unlock(void *arg, const char *mailbox)
{
	struct deliver_user *u = arg;
	struct ipc_writer w = ipc_begin(&u->ch, IPC_UNLOCK, 0, 0);

	(void)mailbox;
	ipc_end(&w);
	channel_flush(&u->ch);
}

/* Asks deliver and waits; what else comes in is gathered for the next batch. */
static int
remote_lock(void *arg, const char *mailbox)
{
	struct deliver_user *u = arg;
	struct ipc_writer w;
	uint32_t request;

	if (u->over) {
		errno = EIO;
		return -1;
	}
	u->lock.done = false;
	request = channel_request(&u->ch, LOCK_ANSWER_MS, on_locked, u);
	w = ipc_begin(&u->ch, IPC_LOCK, request, 0);
	ipc_end(&w);
	while (!u->lock.done)
		loop_run_once(&u->loop, 1000);
	if (u->lock.ok)
		return 0;
	errno = u->over ? EIO : EAGAIN;
	if (u->lock.why[0] != '\0') {
		log_warnx("no lock for mailbox %s: %s", mailbox, u->lock.why);
		errno = EACCES;
	} else if (!u->over)
		remote_unlock(u, mailbox); /* an answer may be on its way */
	return -1;
}

/* A file of the user's in a folder that is not: then without a dotlock. */
static int
local_lock(void *arg, const char *mailbox)
{
	struct dotlock_local *l = arg;

	if (dotlock_take(l->dir, mailbox, &l->id) == 0 || errno == EACCES ||
	    errno == EPERM || errno == EROFS)
		return 0;
	return -1;
}

static void
local_locks(struct dotlock_local *l, int dir)
{
	dotlock_local_init(l, dir);
	l->locks.dotlock = local_lock;
}

/* -- folders --------------------------------------------------------------- */

/* Makes the folders that lead to path, as the user: 0700. */
static void
folders_make(const char *path)
{
	char up[IPC_PATH_MAX + 1];
	size_t i;

	(void)span_copy(span_str(path), up, sizeof(up));
	for (i = 1; up[i] != '\0'; i++)
		if (up[i] == '/') {
			up[i] = '\0';
			(void)mkdir(up, 0700); /* opening it will tell */
			up[i] = '/';
		}
}

void
mailbox_prepare(struct deliver_user *u)
{
	const struct account *a = u->account;

	u->mail_dir = u->index_dir = -1;
	if (a->index[0] != '\0')
		u->index_dir = open(a->index, O_RDONLY | O_DIRECTORY |
		    O_NOFOLLOW | O_CLOEXEC);
	if (a->mailbox[0] == '\0')
		return; /* a program account: commands, files, lists */
	if ((a->flags & CHILD_F_DOTLOCK) == 0)
		folders_make(a->mailbox);
	u->mail_dir = inbox_folder(a->mailbox, u->mailbox);
	if (u->mail_dir == -1) {
		log_warn("the folder of mailbox %s", a->mailbox);
		return;
	}
	if (a->flags & CHILD_F_DOTLOCK) {
		u->locks = (struct store_locks){ remote_lock, remote_unlock,
			u };
		if (store_create(u->mail_dir, u->mailbox) == -1)
			log_warn("making mailbox %s", a->mailbox);
	} else {
		local_locks(&u->local, u->mail_dir);
		u->locks = u->local.locks;
	}
}

void
mailbox_close(struct deliver_user *u)
{
	store_close(u->store);
	u->store = NULL;
}

/* -- outcomes -------------------------------------------------------------- */

static void
task_stored(struct task *t, int error, const char *where)
{
	if (error == 0)
		task_end(t, OUTCOME_DELIVERED, "2.1.5", "Delivered to %s",
		    where);
	else if (error == ENOSPC)
		task_end(t, OUTCOME_DEFERRED, "4.3.1",
		    "No space for mail now");
	else if (error == EDQUOT || error == EFBIG)
		task_end(t, OUTCOME_DEFERRED, "4.2.2", "The mailbox is full");
	else if (error == EAGAIN)
		task_end(t, OUTCOME_DEFERRED, "4.2.0",
		    "The mailbox is locked by another program");
	else if (error == EPERM)
		task_end(t, OUTCOME_DEFERRED, "4.2.0",
		    "The mailbox is not a regular file of its owner");
	else
		task_end(t, OUTCOME_DEFERRED, "4.2.0",
		    "The mailbox cannot be written now: %s", strerror(error));
}

static void
letter_of(const struct task *t, struct span head, struct store_letter *l)
{
	memset(l, 0, sizeof(*l));
	if (t->head.token.len == STORE_TOKEN_OCTETS)
		memcpy(l->token, t->head.token.p, STORE_TOKEN_OCTETS);
	l->maybe_stored = (t->head.flags & JOB_F_CHECK) != 0;
	l->from = t->head.from;
	l->arrived_s = (int64_t)t->head.arrival_s;
	l->head = head;
	l->text = buf_span(&t->body);
	l->text_fd = t->fd;
	l->text_len = t->head.size;
}

/* -- the INBOX ------------------------------------------------------------- */

static int
mailbox_open(struct deliver_user *u)
{
	const struct store_conf conf = { .mail_dir = u->mail_dir,
		.index_dir = u->index_dir, .name = u->mailbox,
		.owner = geteuid(), .quota_octets = u->account->quota,
		.locks = &u->locks };

	if (u->store != NULL)
		return 0;
	errno = ENOENT;
	if (u->mail_dir == -1 || u->index_dir == -1)
		return -1;
	return store_open(&u->store, &conf);
}

/* A mail program may remove a mailbox that is empty. Only a new child, which
 * has group mail for a moment, can make it again. */
static bool
inbox_is_gone(const struct deliver_user *u)
{
	return (u->account->flags & CHILD_F_DOTLOCK) && u->mail_dir != -1 &&
	    faccessat(u->mail_dir, u->mailbox, F_OK, AT_SYMLINK_NOFOLLOW) ==
	    -1 && errno == ENOENT;
}

void
mailbox_deliver(struct deliver_user *u, struct task *first, size_t n)
{
	struct store_letter *letters = xcalloc(n, sizeof(*letters));
	struct buf *heads = xcalloc(n, sizeof(*heads));
	struct task *t, *next;
	size_t i = 0;
	int error = 0;

	for (t = first; t != NULL; t = t->next, i++) {
		buf_init(&heads[i], HEAD_MAX);
		task_head_add(t, &heads[i]);
		letter_of(t, buf_span(&heads[i]), &letters[i]);
	}
	if (mailbox_open(u) == -1 || store_append(u->store, letters, n) == -1) {
		error = errno;
		if (error != EAGAIN && error != EDQUOT && !u->over)
			log_warn("mailbox %s of %s", u->account->mailbox,
			    u->account->user);
	}
	/* without an outcome deliver gives them to the next child */
	u->over = u->over || (error != 0 && inbox_is_gone(u));
	for (t = first, i = 0; t != NULL && !u->over; t = next, i++) {
		next = t->next;
		task_stored(t, u->store == NULL ? error : letters[i].error,
		    "mailbox");
	}
	for (i = 0; i < n; i++)
		buf_clear(&heads[i]);
	/* What could not be opened or is in doubt is looked at afresh. */
	if (error != 0)
		mailbox_close(u);
	x_free(&heads);
	x_free(&letters);
}

/* -- files ----------------------------------------------------------------- */

/* Files share the index folder with the INBOX: a name made of the path. */
static void
index_name(const char *path, char out[32])
{
	unsigned char md[EVP_MAX_MD_SIZE];
	size_t i;

	if (EVP_Digest(path, strlen(path), md, NULL, EVP_sha256(), NULL) != 1)
		fatalx("SHA-256");
	memcpy(out, "file-", 6);
	for (i = 0; i < 10; i++)
		snprintf(out + 5 + 2 * i, 3, "%02x", md[i]);
}

static int
file_append(struct deliver_user *u, struct task *t, const char *path)
{
	char name[STORE_NAME_MAX + 1], index[32];
	struct buf head = BUF_INIT(HEAD_MAX);
	struct dotlock_local local;
	struct store_letter letter;
	struct store *s = NULL;
	struct store_conf conf = { .index_dir = u->index_dir, .name = name,
		.index_name = index, .owner = geteuid(),
		.locks = &local.locks };
	int error = 0;

	conf.mail_dir = inbox_folder(path, name);
	if (conf.mail_dir == -1 || u->index_dir == -1)
		return errno;
	index_name(path, index);
	local_locks(&local, conf.mail_dir);
	task_head_add(t, &head);
	letter_of(t, buf_span(&head), &letter);
	if (store_open(&s, &conf) == -1 || store_append(s, &letter, 1) == -1)
		error = errno;
	store_close(s);
	close(conf.mail_dir);
	buf_clear(&head);
	return error;
}

void
mailbox_file(struct deliver_user *u, struct task *t)
{
	char path[IPC_PATH_MAX + 1];
	int error;

	if (span_copy(t->head.argument, path, sizeof(path)) == -1) {
		task_end(t, OUTCOME_FAILED, "5.3.5", "No path of a file");
		return;
	}
	if (strcmp(path, "/dev/null") == 0) {
		task_end(t, OUTCOME_DELIVERED, "2.1.5",
		    "Discarded, as wanted");
		return;
	}
	if ((error = file_append(u, t, path)) != 0 && error != EAGAIN &&
	    error != EDQUOT) {
		errno = error;
		log_warn("file %s of %s", path, u->account->user);
	}
	task_stored(t, error, path);
}
