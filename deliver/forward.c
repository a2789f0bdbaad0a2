/*
 * deliver/forward.c - a user's lists, read by deliver -u with that user's
 * rights. None is believed before the open file was checked.
 */
#include "deliver/forward.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/mem.h"

void
forward_clear(struct forward *f)
{
	x_free(&f->targets);
	x_free(&f->text);
	memset(f, 0, sizeof(*f));
}

/* NULL, or why nobody can know who wrote this file. */
static const char *
unsafe(const struct stat *st, uid_t owner, bool root_too)
{
	if (!S_ISREG(st->st_mode))
		return "it is no regular file";
	if (st->st_uid != owner && !(root_too && st->st_uid == 0))
		return "it belongs to somebody else";
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return "others may write it";
	if (st->st_nlink != 1)
		return "it has more than one link";
	if (st->st_size > FORWARD_OCTETS_MAX)
		return "it is too long";
	return NULL;
}

static int
open_checked(int dir, const char *name, uid_t owner, bool root_too,
    const char **why)
{
	struct stat st;
	int saved, fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
	    O_NOCTTY | O_CLOEXEC);

	*why = NULL;
	if (fd == -1) {
		if (errno == ELOOP)
			*why = "it is a symbolic link";
		else if (errno == ENXIO)
			*why = "it is no regular file";
		if (*why != NULL)
			errno = EPERM;
		return -1;
	}
	if (fstat(fd, &st) == 0 &&
	    (*why = unsafe(&st, owner, root_too)) == NULL)
		return fd;
	saved = *why != NULL ? EPERM : errno;
	close(fd);
	errno = saved;
	return -1;
}

/* All of it, or -1; it may have grown since it was looked at. */
static ssize_t
read_all(int fd, char *to, size_t size)
{
	size_t done = 0;
	ssize_t n;

	while (done < size) {
		n = read(fd, to + done, size - done);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		if (n == 0)
			return (ssize_t)done;
		done += (size_t)n;
	}
	errno = EPERM;
	return -1;
}

static void
target_add(struct forward *f, const struct alias_target *t)
{
	struct alias_target *new;

	if ((f->n & (f->n - 1)) == 0) /* grows by doubling */
		f->targets = xreallocarray(f->targets,
		    f->n == 0 ? 1 : f->n * 2, sizeof(*f->targets));
	new = &f->targets[f->n++];
	*new = *t;
	/* what is meant is never longer than how it was written */
	memcpy(f->text + f->text_len, t->text.p, t->text.len);
	new->text.p = f->text + f->text_len;
	f->text_len += t->text.len;
}

static int
parse(struct forward *f, struct span text, size_t max, char *why, size_t size)
{
	struct span line, rest = text;
	struct alias_value v;
	struct alias_target t;
	const char *complaint;
	unsigned number = 0;
	int more;

	while (rest.len > 0) {
		span_split(rest, '\n', &line, &rest);
		number++;
		line = span_trim(line);
		if (span_prefix(line, "#"))
			continue;
		while ((more = alias_list_next(&line, &v, &t,
		    &complaint)) == 1) {
			if (f->n == max) {
				complaint = "too many targets";
				more = -1;
				break;
			}
			target_add(f, &t);
		}
		if (more == -1) {
			snprintf(why, size, "line %u: %s", number, complaint);
			errno = EINVAL;
			return -1;
		}
	}
	return 0;
}

int
forward_read(int dir, const char *name, uid_t owner, bool root_too,
    size_t max, struct forward *out, char *why, size_t size)
{
	const char *complaint;
	ssize_t n = -1;
	char *text;
	int rv = -1, saved, fd;

	memset(out, 0, sizeof(*out));
	why[0] = '\0';
	if ((fd = open_checked(dir, name, owner, root_too, &complaint)) ==
	    -1) {
		saved = errno;
		snprintf(why, size, "%s", complaint != NULL ? complaint
		    : strerror(saved));
		errno = saved;
		return -1;
	}
	text = xmalloc(FORWARD_OCTETS_MAX + 1);
	out->text = xmalloc(FORWARD_OCTETS_MAX + 1);
	if ((n = read_all(fd, text, FORWARD_OCTETS_MAX + 1)) == -1)
		snprintf(why, size, "it cannot be read");
	else
		rv = parse(out, span_make(text, (size_t)n), max, why, size);
	saved = errno;
	close(fd);
	x_free(&text);
	if (rv == -1)
		forward_clear(out);
	errno = saved;
	return rv;
}

/* Below the home: a home that is not there has no .forward. */
static int
home_read(const char *home, uid_t owner, struct forward *out, char *why,
    size_t size)
{
	int rv, saved, dir = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	memset(out, 0, sizeof(*out));
	if (dir == -1) {
		snprintf(why, size, "%s: %s", home, strerror(errno));
		/* not ours to enter: then there is nothing of ours in it */
		if (errno == ENOTDIR || errno == EACCES)
			errno = ENOENT;
		return -1;
	}
	rv = forward_read(dir, ".forward", owner, false, FORWARD_TARGETS_MAX,
	    out, why, size);
	saved = errno;
	close(dir);
	errno = saved;
	return rv;
}

int
forward_get(struct forward_cache *c, const char *home, uid_t owner,
    const struct forward **out)
{
	char why[256];

	if (!c->known || clock_boot_ms() >= c->until_ms) {
		forward_clear(&c->list);
		c->error = 0;
		if (home_read(home, owner, &c->list, why, sizeof(why)) == -1)
			c->error = errno;
		if (c->error == EPERM || c->error == EACCES ||
		    c->error == EINVAL)
			log_warnx("%s/.forward is not used: %s", home, why);
		c->known = true;
		c->until_ms = clock_boot_ms() + FORWARD_CACHE_MS;
	}
	*out = &c->list;
	errno = c->error;
	return c->error == 0 ? 0 : -1;
}

/* Lists may name each other many times over: *left is how many more are read,
 * lest a user keeps a processor busy with a question of one line. */
static bool
list_names(const struct forward *f, uid_t owner, enum alias_kind kind,
    struct span text, unsigned depth, unsigned *left)
{
	char path[ALIAS_TARGET_MAX + 1], why[256];
	struct forward inner;
	size_t i;

	for (i = 0; i < f->n; i++)
		if (f->targets[i].kind == kind &&
		    span_eq(f->targets[i].text, text))
			return true;
	for (i = 0; i < f->n && depth < FORWARD_DEPTH_MAX; i++) {
		bool found;

		if (f->targets[i].kind != ALIAS_INCLUDE || *left == 0)
			continue;
		(*left)--;
		if (span_copy(f->targets[i].text, path, sizeof(path)) == -1 ||
		    forward_read(AT_FDCWD, path, owner, true,
		    INCLUDE_TARGETS_MAX, &inner, why, sizeof(why)) == -1)
			continue;
		found = list_names(&inner, owner, kind, text, depth + 1, left);
		forward_clear(&inner);
		if (found)
			return true;
	}
	return false;
}

bool
forward_names(const char *home, uid_t owner, enum alias_kind kind,
    struct span text)
{
	unsigned left = FORWARD_LISTS_MAX;
	struct forward f;
	char why[256];
	bool found;

	if (home[0] == '\0' ||
	    home_read(home, owner, &f, why, sizeof(why)) == -1)
		return false;
	found = list_names(&f, owner, kind, text, 0, &left);
	forward_clear(&f);
	return found;
}
