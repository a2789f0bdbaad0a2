/*
 * master/files.c - the files that the configuration names: opened here, passed on
 * unread, and again whenever they have changed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/ipc/types.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "master/master.h"

#define POLL_MS 10000 /* design.md section 7 */

static void
file_add(struct master *m, const char *path, enum role reader)
{
	struct named_file *f;

	for (f = m->files; f != NULL; f = f->next)
		if (f->reader == reader && strcmp(f->path, path) == 0)
			return;
	f = xcalloc(1, sizeof(*f));
	f->path = xstrdup(path);
	f->reader = reader;
	f->next = m->files;
	m->files = f;
}

void
files_clear(struct master *m)
{
	struct named_file *f;

	while ((f = m->files) != NULL) {
		m->files = f->next;
		free(f->path);
		free(f);
	}
}

void
files_setup(struct master *m)
{
	size_t i;

	files_clear(m);
	for (i = 0; i < m->conf->nusers; i++)
		if (m->conf->users[i].file != NULL)
			file_add(m, m->conf->users[i].file, ROLE_AUTHW);
	for (i = 0; i < m->conf->ndomains; i++)
		if (m->conf->domains[i].aliases != NULL)
			file_add(m, m->conf->domains[i].aliases, ROLE_AUTHD);
}

/* A regular file that only its owner or root may write; -1 says why once. */
static int
file_open(struct named_file *f, struct stat *st)
{
	const char *wrong = NULL;
	int fd;

	if ((fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) == -1 ||
	    fstat(fd, st) == -1)
		wrong = strerror(errno);
	else if (!S_ISREG(st->st_mode))
		wrong = "not a regular file";
	else if (st->st_mode & S_IWOTH)
		wrong = "anybody may write it: chmod o-w";
	if (wrong == NULL) {
		f->missing = false;
		return fd;
	}
	if (!f->missing)
		log_warnx("%s: %s; what was read before stays in force",
		    f->path, wrong);
	f->missing = true;
	if (fd != -1)
		close(fd);
	return -1;
}

/* An own open for each reader: duplicates would share one file offset. */
static void
file_send(struct child *c, struct named_file *f)
{
	struct ipc_writer w;
	struct stat st;
	int fd;

	if ((fd = file_open(f, &st)) == -1)
		return;
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	f->size = st.st_size;
	f->mtime = st.st_mtim;
	f->ctime = st.st_ctim;
	w = ipc_begin(&c->ch, IPC_FILE, 0, 0);
	ipc_put_str(&w, f->path);
	ipc_put_fd(&w, fd);
	ipc_end(&w);
}

void
files_hand(struct child *c)
{
	struct named_file *f;

	for (f = c->m->files; f != NULL; f = f->next)
		if (f->reader == c->role)
			file_send(c, f);
}

static bool
same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool
file_changed(const struct named_file *f)
{
	struct stat st;

	if (stat(f->path, &st) == -1)
		return !f->missing;
	return f->missing || st.st_dev != f->dev || st.st_ino != f->ino ||
	    st.st_size != f->size || !same_time(st.st_mtim, f->mtime) ||
	    !same_time(st.st_ctim, f->ctime);
}

void
files_poll(void *arg)
{
	struct master *m = arg;
	struct named_file *f;
	struct child *c;

	for (f = m->files; f != NULL; f = f->next)
		if (file_changed(f))
			for (c = m->children; c != NULL; c = c->next)
				if (c->role == f->reader && c->pid != 0)
					file_send(c, f);
	timer_set_ms(&m->poll, POLL_MS);
}
