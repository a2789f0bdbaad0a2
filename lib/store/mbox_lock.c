/*
 * lib/store/mbox_lock.c - the mbox file opened and locked. First the fcntl lock
 * (as an open file description lock, which conflicts with those of mutt and
 * procmail), then MAILBOX.lock; whoever does not get the second lets go of the
 * first, so that two programs with another order cannot wait for one another.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/store/file.h"
#include "lib/store/mbox_in.h"

/* Longest nap between two tries. */
#define LOCK_NAP_MS 150

int
store_create(int mail_dir, const char *name)
{
	int fd;

	if (!file_name_ok(name)) {
		errno = EINVAL;
		return -1;
	}
	fd = openat(mail_dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0660);
	if (fd == -1)
		return errno == EEXIST ? 0 : -1;
	/* The group must be able to lock it, whatever the umask is. */
	if (fchmod(fd, 0660) == -1 || fsync(mail_dir) == -1) {
		close(fd);
		return -1;
	}
	close(fd);
	return 0;
}

int
mbox_open(struct store *s, bool create, bool *created)
{
	const struct store_conf *c = &s->conf;
	int fd, stands = 0;

	if (created != NULL)
		*created = false;
	if (s->fd != -1)
		stands = file_stands(c->mail_dir, c->name, s->fd, c->owner);
	if (stands != 0)
		return stands == 1 ? 0 : -1;
	if (s->fd != -1)
		close(s->fd);
	s->fd = file_open(c->mail_dir, c->name, O_RDWR, c->owner);
	if (s->fd != -1)
		return 0;
	if (errno != ENOENT)
		return -1;
	if (!create)
		return 0;
	fd = openat(c->mail_dir, c->name, O_RDWR | O_CREAT | O_EXCL |
	    O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		return -1;
	s->fd = fd;
	if (created != NULL)
		*created = true;
	return 0;
}

/* One try. 0, or -1 with EAGAIN: again after a nap. */
static int
lock_once(struct store *s, bool create, bool *created)
{
	const struct store_locks *locks = s->conf.locks;
	bool made = false;
	int stands;

	if (mbox_open(s, create, &made) == -1)
		return -1;
	if (made && created != NULL)
		*created = true;
	if (s->fd == -1)
		return 0;
	if (file_lock(s->fd, F_WRLCK, 0) == -1)
		return -1;
	if (locks != NULL && locks->dotlock(locks->arg, s->name) == -1) {
		file_unlock(s->fd);
		return -1;
	}
	s->locked = true;
	/* While we waited, the name may have come to stand for another file. */
	stands = file_stands(s->conf.mail_dir, s->name, s->fd, s->conf.owner);
	if (stands == 1)
		return 0;
	mbox_unlock(s);
	if (stands == 0)
		errno = EAGAIN;
	return -1;
}

int
mbox_lock(struct store *s, bool create, bool *created)
{
	int64_t until = clock_boot_ms() + s->conf.lock_wait_ms;

	if (created != NULL)
		*created = false;
	while (lock_once(s, create, created) == -1) {
		if (s->locked)
			mbox_unlock(s);
		if (errno != EAGAIN && errno != EEXIST && errno != EINTR)
			return -1;
		if (clock_boot_ms() >= until) {
			errno = EAGAIN;
			return -1;
		}
		file_nap(LOCK_NAP_MS);
	}
	if (s->fd != -1 && mbox_recover(s) == -1) {
		mbox_unlock(s);
		return -1;
	}
	return 0;
}

void
mbox_unlock(struct store *s)
{
	const struct store_locks *locks = s->conf.locks;
	int saved = errno;

	if (!s->locked)
		return;
	s->locked = false;
	if (locks != NULL)
		locks->dotunlock(locks->arg, s->name);
	file_unlock(s->fd);
	errno = saved;
}

int
mbox_seen(struct store *s, struct ix_seen *out)
{
	struct stat st;

	*out = (struct ix_seen){ 0, 0, 0 };
	if (s->fd == -1)
		return 0;
	if (fstat(s->fd, &st) == -1)
		return -1;
	out->size = (uint64_t)st.st_size;
	out->inode = (uint64_t)st.st_ino;
	out->mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 +
	    st.st_mtim.tv_nsec;
	return 0;
}

bool
mbox_seen_same(const struct ix_seen *a, const struct ix_seen *b)
{
	return a->size == b->size && a->mtime_ns == b->mtime_ns &&
	    a->inode == b->inode;
}
