/*
 * master/files.c - the files that the configuration names: opened here, passed
 * on unread, and again whenever they have changed.
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

static struct file_state
file_look(const char *path)
{
	struct file_state now = { 0 };
	struct stat st;

	if (stat(path, &st) == -1)
		return now;
	now.dev = st.st_dev;
	now.ino = st.st_ino;
	now.size = st.st_size;
	now.mtime = st.st_mtim;
	now.ctime = st.st_ctim;
	return now;
}

static bool
same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool
same_state(const struct file_state *a, const struct file_state *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	    same_time(a->mtime, b->mtime) && same_time(a->ctime, b->ctime);
}

/* -- which files, for whom ------------------------------------------------- */

/* One that is known already keeps its state: of what changed meanwhile those
 * must still hear who do not begin anew. */
static void
file_add(struct master *m, const char *path, enum role reader, bool tls)
{
	struct named_file *f;

	if (path == NULL)
		return;
	for (f = m->files; f != NULL; f = f->next)
		if (f->reader == reader && strcmp(f->path, path) == 0) {
			f->wanted = true;
			return;
		}
	f = xcalloc(1, sizeof(*f));
	f->path = xstrdup(path);
	f->reader = reader;
	f->tls = tls;
	f->wanted = true;
	f->seen = f->sent = file_look(path);
	f->next = m->files;
	m->files = f;
}

static void
files_drop(struct master *m, bool all)
{
	struct named_file **at, *f;

	for (at = &m->files; (f = *at) != NULL;)
		if (f->wanted && !all) {
			at = &f->next;
		} else {
			*at = f->next;
			free(f->path);
			free(f);
		}
}

void
files_clear(struct master *m)
{
	files_drop(m, true);
}

/* Certificates are for whoever shows them, keys for keyd alone. */
static void
files_tls(struct master *m)
{
	const struct conf *c = m->conf;
	const struct conf_listen *l;
	const struct conf_tls *t;
	size_t i, k;

	for (i = 0; i < c->ntls; i++)
		file_add(m, c->tls[i].key, ROLE_KEYD, true);
	for (i = 0; i < c->nlistens; i++)
		for (k = 0; k < c->listens[i].tls.n; k++) {
			enum role role;

			l = &c->listens[i];
			if ((t = conf_tls_find(c, l->tls.words[k])) == NULL)
				continue;
			role = l->kind == LISTEN_POP3 ? ROLE_POP3D : ROLE_SMTPD;
			file_add(m, t->cert, role, true);
			file_add(m, t->client_ca, role, true);
		}
	for (i = 0; i < c->nroutes; i++)
		if (c->routes[i].certificate != NULL &&
		    (t = conf_tls_find(c, c->routes[i].certificate)) != NULL)
			file_add(m, t->cert, ROLE_RELAY, true);
	file_add(m, c->relay.ca, ROLE_RELAY, true);
}

void
files_setup(struct master *m)
{
	struct named_file *f;
	size_t i;

	for (f = m->files; f != NULL; f = f->next)
		f->wanted = false;
	for (i = 0; i < m->conf->nusers; i++)
		file_add(m, m->conf->users[i].file, ROLE_AUTHW, false);
	for (i = 0; i < m->conf->ndomains; i++)
		file_add(m, m->conf->domains[i].aliases, ROLE_AUTHD, false);
	if (!conf_ca_default(m->conf))
		log_warnx("no file of authorities on this system: routes with "
		    "\"tls verified\" need \"ca\" in relay { }");
	files_tls(m);
	files_drop(m, false);
}

/* -- passing them on ------------------------------------------------------- */

/* Of a private key: what nobody but root may have had a hand in. */
static const char *
why_no_key(const struct master *m, const struct stat *st)
{
	if (st->st_uid != 0 && (m->test_dir == NULL ||
	    st->st_uid != geteuid()))
		return "a private key must belong to root: chown root";
	if ((st->st_mode & S_IWGRP) != 0)
		return "others may change this private key: chmod g-w";
	if ((st->st_mode & S_IROTH) != 0)
		return "anybody may read this private key: chmod o-rwx, and "
		    "make a new one";
	return NULL;
}

/* A regular file that only its owner or root may write; -1 says why once. */
static int
file_open(const struct master *m, struct named_file *f)
{
	const char *wrong = NULL;
	struct stat st;
	int fd;

	if ((fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) == -1 ||
	    fstat(fd, &st) == -1)
		wrong = strerror(errno);
	else if (!S_ISREG(st.st_mode))
		wrong = "not a regular file";
	else if (st.st_mode & S_IWOTH)
		wrong = "anybody may write it: chmod o-w";
	else if (f->reader == ROLE_KEYD)
		wrong = why_no_key(m, &st);
	if (wrong == NULL) {
		f->told = false;
		return fd;
	}
	if (!f->told)
		log_warnx("%s: %s; what was read before stays in force",
		    f->path, wrong);
	f->told = true;
	if (fd != -1)
		close(fd);
	return -1;
}

/* An own open for each reader: duplicates would share one file offset. */
static void
file_send(struct child *c, struct named_file *f)
{
	struct ipc_writer w;
	int fd = file_open(c->m, f);

	if (fd == -1)
		return;
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

/* -- changes --------------------------------------------------------------- */

/* To all who read it, if it is another than they have. */
static void
file_renew(struct master *m, struct named_file *f)
{
	struct child *c;

	if (same_state(&f->seen, &f->sent))
		return;
	f->sent = f->seen;
	f->told = false;
	for (c = m->children; c != NULL; c = c->next)
		if (c->role == f->reader && c->pid != 0)
			file_send(c, f);
}

/*
 * A certificate and its key are two files, and nobody changes both at once.
 * They are passed on when none has changed since the last look, and keys first,
 * so that no certificate is shown that nobody can sign for.
 */
void
files_poll(void *arg)
{
	struct master *m = arg;
	struct named_file *f;
	struct file_state now;
	bool moving = false;

	for (f = m->files; f != NULL; f = f->next) {
		now = file_look(f->path);
		if (f->tls && !same_state(&now, &f->seen))
			moving = true;
		f->seen = now;
		if (!f->tls)
			file_renew(m, f);
	}
	for (f = m->files; f != NULL && !moving; f = f->next)
		if (f->reader == ROLE_KEYD)
			file_renew(m, f);
	for (f = m->files; f != NULL && !moving; f = f->next)
		if (f->tls)
			file_renew(m, f);
	timer_set_ms(&m->poll, POLL_MS);
}
