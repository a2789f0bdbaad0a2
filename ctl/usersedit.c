/*
 * ctl/usersedit.c - see usersedit.h. The lock is a file beside the users file:
 * the users file itself is another one after each change.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "ctl/usersedit.h"

#define LOCK_TRIES 300 /* tenths of a second that others may take */
#define READ_PIECE (256u * 1024)

/* -- the file -- */

static int
fail(const char *path)
{
	int error = errno;

	complain("%s: %s", path, strerror(error));
	return error == EACCES || error == EPERM ? EX_NOPERM :
	    error == ENOENT ? EX_NOINPUT : EX_IOERR;
}

static int
lock(struct usersedit *e)
{
	char name[PATH_MAX + 8];
	int tries;

	snprintf(name, sizeof(name), "%s.lock", e->path);
	e->lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (e->lock == -1)
		return fail(name);
	for (tries = 0; flock(e->lock, LOCK_EX | LOCK_NB) == -1; tries++) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return fail(name);
		if (tries == LOCK_TRIES) {
			complain("%s: somebody else is changing it", e->path);
			return EX_TEMPFAIL;
		}
		(void)usleep(100000);
	}
	return 0;
}

static int
read_all(struct usersedit *e, int fd)
{
	ssize_t n;
	char *p;

	do {
		if ((p = buf_reserve(&e->text, READ_PIECE)) == NULL)
			return -1;
		if ((n = read(fd, p, READ_PIECE)) > 0)
			buf_grow(&e->text, (size_t)n);
	} while (n > 0 || (n == -1 && errno == EINTR));
	return n == -1 ? -1 : 0;
}

static int
load(struct usersedit *e, bool create)
{
	int fd = open(e->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), status = 0;

	if (fd == -1 && errno == ENOENT && create) {
		e->fresh = true;
		return 0;
	}
	if (fd == -1)
		return fail(e->path);
	if (fstat(fd, &e->st) == -1 || read_all(e, fd) == -1) {
		status = fail(e->path);
	} else if (!S_ISREG(e->st.st_mode)) {
		complain("%s: not a regular file", e->path);
		status = EX_NOINPUT;
	}
	close(fd);
	return status;
}

int
usersedit_open(struct usersedit *e, const char *path, bool create)
{
	int status;

	memset(e, 0, sizeof(*e));
	e->lock = -1;
	buf_init(&e->text, USERSEDIT_MAX);
	if (realpath(path, e->path) == NULL) {
		if (errno != ENOENT || !create)
			return fail(path);
		if (strlcpy(e->path, path, sizeof(e->path)) >=
		    sizeof(e->path))
			return EX_USAGE;
	}
	if ((status = lock(e)) == 0)
		status = load(e, create);
	return status;
}

static int
sync_folder(const char *path)
{
	char copy[PATH_MAX];
	int fd, rv;

	(void)strlcpy(copy, path, sizeof(copy));
	if ((fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) ==
	    -1)
		return -1;
	rv = fsync(fd);
	close(fd);
	return rv;
}

/* A crash leaves the old file or the new one, and perhaps the name .new. */
int
usersedit_commit(struct usersedit *e)
{
	char fresh[PATH_MAX + 8];
	int fd, status = 0;

	snprintf(fresh, sizeof(fresh), "%s.new", e->path);
	if (unlink(fresh) == -1 && errno != ENOENT)
		return fail(fresh);
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
	    0600);
	if (fd == -1)
		return fail(fresh);
	if ((!e->fresh && (fchown(fd, e->st.st_uid, e->st.st_gid) == -1 ||
	    fchmod(fd, e->st.st_mode & 07777) == -1)) ||
	    buf_write_all(&e->text, fd) == -1 || fsync(fd) == -1 ||
	    rename(fresh, e->path) == -1 || sync_folder(e->path) == -1) {
		status = fail(fresh);
		(void)unlink(fresh);
	}
	close(fd);
	return status;
}

void
usersedit_close(struct usersedit *e)
{
	if (e->lock != -1)
		close(e->lock);
	e->lock = -1;
	buf_wipe(&e->text);
}

/* -- its lines -- */

/* The account of a line, whether or not the rest of it can be read. */
static bool
line_is(struct span line, struct span account)
{
	struct users_line row;
	char stub[USERSFILE_ADDR_MAX + 8];
	const char *complaint;
	struct span name, rest;
	int n;

	span_split(line, ':', &name, &rest);
	n = snprintf(stub, sizeof(stub), "%.*s:*", (int)(name.len >
	    USERSFILE_ADDR_MAX ? 0 : name.len), name.p);
	return n > 0 && (size_t)n < sizeof(stub) &&
	    users_line_parse(span_make(stub, (size_t)n), &row, &complaint) ==
	    1 && span_eq(row.address, account);
}

/* Where its hashes begin and end; they can all be read. */
static void
mark_hashes(struct span line, struct usersedit_line *out)
{
	size_t at = (size_t)span_find(line, ':') + 1;
	struct span field = span_from(line, at), rest = field;
	const char *complaint;
	struct users_hash h;

	while (users_hash_parse(&rest, &h, &complaint) != -1 && rest.len > 0 &&
	    *rest.p == ',')
		rest = span_from(rest, 1);
	out->hashes_at = out->at + at;
	out->hashes_len = rest.len == 0 ? field.len :
	    (size_t)(rest.p - field.p);
}

int
usersedit_find(const struct usersedit *e, struct span account,
    struct usersedit_line *out, const char **complaint)
{
	struct users_line row;
	struct span all = buf_span(&e->text), line, rest = all;
	unsigned number = 0;

	while (rest.len > 0) {
		ssize_t nl = span_find(rest, '\n');

		number++;
		line = nl == -1 ? rest : span_make(rest.p, (size_t)nl);
		rest = nl == -1 ? span_from(rest, rest.len) :
		    span_from(rest, (size_t)nl + 1);
		if (line.len > 0 && line.p[line.len - 1] == '\r')
			line.len--;
		if (!line_is(line, account))
			continue;
		*out = (struct usersedit_line){ .number = number,
		    .at = (size_t)(line.p - all.p), .len = line.len };
		*complaint = NULL;
		if (users_line_parse(line, &row, complaint) != 1)
			return -1;
		mark_hashes(line, out);
		return 1;
	}
	return 0;
}

/* Octets of the text in place of others. */
static int
replace(struct usersedit *e, size_t at, size_t len, struct span by)
{
	struct buf fresh = BUF_INIT(USERSEDIT_MAX);
	struct span all = buf_span(&e->text);

	if (buf_add_span(&fresh, span_make(all.p, at)) == -1 ||
	    buf_add_span(&fresh, by) == -1 ||
	    buf_add_span(&fresh, span_from(all, at + len)) == -1) {
		buf_wipe(&fresh);
		return -1;
	}
	buf_wipe(&e->text);
	e->text = fresh;
	return 0;
}

void
usersedit_remove(struct usersedit *e, const struct usersedit_line *line)
{
	struct span all = buf_span(&e->text);
	size_t end = line->at + line->len;

	while (end < all.len && all.p[end] != '\n')
		end++;
	if (end < all.len)
		end++;
	(void)replace(e, line->at, end - line->at, span_make(NULL, 0));
}

int
usersedit_append(struct usersedit *e, struct span line)
{
	struct span all = buf_span(&e->text);

	if (all.len > 0 && all.p[all.len - 1] != '\n' &&
	    buf_add_char(&e->text, '\n') == -1)
		return -1;
	return buf_add_span(&e->text, line) == -1 ||
	    buf_add_char(&e->text, '\n') == -1 ? -1 : 0;
}

/* -- the passwords of a line -- */

static int
add_item(struct buf *b, struct span item, const char *words)
{
	return (b->len > 0 && buf_add_str(b, ", ") == -1) ||
	    buf_add_span(b, item) == -1 || buf_add_str(b, words) == -1 ? -1 :
	    0;
}

/* All passwords of the field but those that go; the new one stands where the
 * first of them stood, or last. Returns how many went, or -1. */
static int
field_build(struct span field, struct span label, struct span hash,
    const char *words, struct buf *out)
{
	struct span rest = field;
	const char *complaint;
	struct users_hash h;
	int gone = 0;

	for (;;) {
		struct span item = span_trim(rest);
		const char *begin = item.p;

		if (users_hash_parse(&rest, &h, &complaint) == -1)
			return -1;
		item = span_trim(span_make(begin, (size_t)(rest.p - begin)));
		if (item.len > 0 && !span_eqstr(item, "*") &&
		    !span_eq(h.label, label) &&
		    add_item(out, item, "") == -1)
			return -1;
		if (item.len > 0 && span_eq(h.label, label) && gone++ == 0 &&
		    hash.len > 0 && add_item(out, hash, words) == -1)
			return -1;
		if (rest.len == 0 || *rest.p != ',')
			break;
		rest = span_from(rest, 1);
	}
	if (gone == 0 && hash.len > 0 && add_item(out, hash, words) == -1)
		return -1;
	return gone;
}

bool
usersedit_verifier(const struct usersedit *e,
    const struct usersedit_line *line, struct span label, struct verifier *out)
{
	struct span rest = span_make(buf_span(&e->text).p + line->hashes_at,
	    line->hashes_len);
	const char *complaint;
	struct users_hash h;
	int rv;

	for (;;) {
		if ((rv = users_hash_parse(&rest, &h, &complaint)) == -1)
			return false;
		if (rv == 1 && !span_eq(h.label, label) &&
		    verifier_parse(h.text, out) == 0)
			return true;
		if (rest.len == 0 || *rest.p != ',')
			return false;
		rest = span_from(rest, 1);
	}
}

/* A field as the old one stood: with blanks around, or close together. */
static int
field_pad(struct span old, struct span field, struct buf *out)
{
	bool front = old.len > 0 && *old.p == ' ';
	bool behind = old.len > 1 && old.p[old.len - 1] == ' ';

	return (front && buf_add_char(out, ' ') == -1) ||
	    buf_add_span(out, field.len == 0 ? span_str("*") : field) == -1 ||
	    (behind && buf_add_char(out, ' ') == -1) ? -1 : 0;
}

int
usersedit_password(struct usersedit *e, const struct usersedit_line *line,
    struct span label, struct span hash, const char *words,
    const char **complaint)
{
	struct buf field = BUF_INIT(2 * USERSFILE_LINE_MAX);
	struct buf padded = BUF_INIT(2 * USERSFILE_LINE_MAX);
	struct span all = buf_span(&e->text), old;
	struct users_line row;
	size_t len;
	int gone, rv = -1;

	*complaint = "the line would be too long";
	old = span_make(all.p + line->hashes_at, line->hashes_len);
	gone = field_build(old, label, hash, words, &field);
	if (gone == 0 && hash.len == 0)
		rv = 1;
	if (gone == -1 || rv == 1 ||
	    field_pad(old, buf_span(&field), &padded) == -1)
		goto done;
	len = line->len - line->hashes_len + padded.len;
	if (len > USERSFILE_LINE_MAX || replace(e, line->hashes_at,
	    line->hashes_len, buf_span(&padded)) == -1)
		goto done;
	all = buf_span(&e->text);
	if (users_line_parse(span_make(all.p + line->at, len), &row,
	    complaint) == 1)
		rv = 0;
done:
	buf_wipe(&field);
	buf_wipe(&padded);
	return rv;
}
