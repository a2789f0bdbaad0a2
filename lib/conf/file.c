/*
 * lib/conf/file.c - a configuration from files: who may have written them,
 * what they include.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/conf/parser.h"

/*
 * What master obeys must be out of others' reach. In tests the files belong to
 * whoever wrote them.
 */
static const char *
why_unsafe(const struct stat *st, bool test)
{
	if (!S_ISREG(st->st_mode))
		return "is not a regular file";
	if (test)
		return NULL;
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return "belongs to neither root nor you";
	if ((st->st_mode & 022) != 0)
		return "can be changed by others: chmod go-w";
	return NULL;
}

/* Below --test the configuration itself lies there, links followed. */
static bool
is_outside(const struct conf_parser *p, const char *path)
{
	char full[PATH_MAX], dir[PATH_MAX];
	size_t len;

	if (p->test_dir == NULL || realpath(path, full) == NULL ||
	    realpath(p->test_dir, dir) == NULL)
		return false; /* what cannot be found is said elsewhere */
	len = strlen(dir);
	return strncmp(full, dir, len) != 0 || full[len] != '/';
}

/* The text of a file in *b. Complaints are about the statement that named it,
 * or about the file itself when there is none. */
static bool
read_file(struct conf_parser *p, const char *path, const struct conf_node *by,
    struct buf *b)
{
	const char *why = NULL;
	struct stat st;
	ssize_t n = 0;
	char *room;
	int fd;

	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) == -1 ||
	    fstat(fd, &st) == -1)
		why = strerror(errno);
	else if (is_outside(p, path))
		why = "is not below the folder of --test";
	else if ((why = why_unsafe(&st, p->test)) == NULL) {
		while ((room = buf_reserve(b, 16384)) != NULL &&
		    (n = read(fd, room, 16384)) > 0)
			buf_grow(b, (size_t)n);
		if (room == NULL)
			why = "is too large";
		else if (n == -1)
			why = strerror(errno);
	}
	if (fd != -1)
		close(fd);
	if (why != NULL && by != NULL)
		conf_bad(p, by, 1, "%s: %s", path, why);
	else if (why != NULL)
		conf_bad_at(p, path, 0, 0, "%s", why);
	return why == NULL;
}

static void
read_one(struct conf_parser *p, const char *path, const struct conf_node *by)
{
	struct buf b = BUF_INIT(CONF_TEXT_OCTETS_MAX - p->octets);

	if (read_file(p, path, by, &b)) {
		p->octets += buf_span(&b).len;
		conf_read_text(p, arena_dup(&p->tree, span_str(path)),
		    buf_span(&b));
	}
	buf_clear(&b);
}

/* A pattern without a leading slash is looked for beside the file it is in. */
static bool
include_pattern(const struct conf_node *n, char *out, size_t size)
{
	const char *slash = strrchr(n->file, '/');
	int dir = slash == NULL ? 0 : (int)(slash - n->file) + 1;

	if (n->words[1].text[0] == '/')
		dir = 0;
	return (size_t)snprintf(out, size, "%.*s%s", dir, n->file,
	    n->words[1].text) < size;
}

void
conf_parse_include(struct conf_parser *p, const struct conf_node *n,
    void *into)
{
	char pattern[PATH_MAX];
	glob_t found;
	size_t i;
	int rv;

	(void)into;
	if (n->nwords != 2) {
		conf_bad(p, n, 2, "include wants one word: a file name or "
		    "pattern");
		return;
	}
	if (!p->loading || p->depth == CONF_INCLUDE_MAX) {
		conf_bad(p, n, 0, p->loading ? "files include one another too "
		    "deeply" : "nothing can be included here");
		return;
	}
	if (!include_pattern(n, pattern, sizeof(pattern))) {
		conf_bad(p, n, 1, "the path is too long");
		return;
	}
	rv = glob(pattern, 0, NULL, &found);
	if (rv == GLOB_NOMATCH && strpbrk(pattern, "*?[") == NULL)
		conf_bad(p, n, 1, "%s: there is no such file", pattern);
	else if (rv != 0 && rv != GLOB_NOMATCH)
		conf_bad(p, n, 1, "%s: the folder cannot be read", pattern);
	p->depth++;
	for (i = 0; rv == 0 && i < found.gl_pathc; i++)
		read_one(p, found.gl_pathv[i], n);
	p->depth--;
	if (rv == 0)
		globfree(&found);
}

/* The folder of --test as paths are compared with it. */
static void
set_test_dir(struct conf_parser *p, const char *dir)
{
	char full[PATH_MAX];
	struct span s;

	if (dir[0] != '/' && realpath(dir, full) != NULL)
		dir = full;
	s = span_str(dir);
	while (s.len > 1 && s.p[s.len - 1] == '/')
		s.len--;
	p->test = true;
	p->test_dir = arena_dup(&p->tree, s);
}

struct conf *
conf_load(const char *path, const char *test_dir, struct conf_errors *errors)
{
	struct conf_parser p;

	conf_begin(&p, errors, path);
	p.loading = true;
	if (test_dir != NULL)
		set_test_dir(&p, test_dir);
	read_one(&p, path, NULL);
	if (errors->n == 0 || p.seen_config)
		return conf_end(&p);
	arena_free(&p.tree); /* unread: nothing more to complain about */
	conf_free(p.c);
	return NULL;
}
