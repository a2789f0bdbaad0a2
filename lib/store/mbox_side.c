/*
 * lib/store/mbox_side.c - the crash-safe half of an expunge: the surviving text
 * is copied aside and synced, then the mailbox is overwritten, synced, cut and
 * synced. Whoever locks the mailbox next finds the side file and repeats it.
 */
#include "lib/store/mbox_side.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/crc32c.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/store/file.h"

#define SIDE_HEADER 128
#define SIDE_BLOCK  ((size_t)1 << 20)
#define SIDE_NAME   (STORE_NAME_MAX + 16)

static const uint8_t side_magic[8] = { 'b', 'a', 'r', 'i', 'd', 'x', 'p', 1 };

void (*mbox_step_hook)(enum mbox_step step);

static void
step(enum mbox_step at)
{
	if (mbox_step_hook != NULL)
		mbox_step_hook(at);
}

static void
side_name(const struct store *s, const char *suffix, char out[SIDE_NAME])
{
	snprintf(out, SIDE_NAME, "%s.%s", s->index_name, suffix);
}

static void
side_encode(const struct side *side, uint8_t out[SIDE_HEADER])
{
	memset(out, 0, SIDE_HEADER);
	memcpy(out, side_magic, sizeof(side_magic));
	put_u64(out + 8, side->old_length);
	put_u64(out + 16, side->offset);
	put_u64(out + 24, side->len);
	put_u64(out + 32, side->inode);
	memcpy(out + 40, side->digest, SIDE_DIGEST);
	memcpy(out + 72, side->tail, SIDE_DIGEST);
	put_u32(out + 124, crc32c(0, out, 124));
}

static int
side_decode(const uint8_t in[SIDE_HEADER], struct side *side)
{
	if (memcmp(in, side_magic, sizeof(side_magic)) != 0 ||
	    get_u32(in + 124) != crc32c(0, in, 124))
		return -1;
	side->old_length = get_u64(in + 8);
	side->offset = get_u64(in + 16);
	side->len = get_u64(in + 24);
	side->inode = get_u64(in + 32);
	memcpy(side->digest, in + 40, SIDE_DIGEST);
	memcpy(side->tail, in + 72, SIDE_DIGEST);
	return side->offset <= side->old_length &&
	    side->len < side->old_length - side->offset ? 0 : -1;
}

/*
 * Octets from one place to another, or (to -1) nowhere, into a digest on the
 * way. Returns 0, or -1 with errno; EIO when there are fewer of them.
 */
static int
copy(int from, uint64_t at, uint64_t len, int to, uint64_t to_at,
    EVP_MD_CTX *ctx, bool hook)
{
	char *block = xmalloc(SIDE_BLOCK);
	size_t want;
	int rv = -1;

	while (len > 0) {
		want = len < SIDE_BLOCK ? (size_t)len : SIDE_BLOCK;
		if (hook && want > 1 && want == len)
			want /= 2; /* so that a test can stop in between */
		errno = EIO;
		if (file_read(from, block, want, at) != (ssize_t)want)
			goto done;
		if (ctx != NULL && EVP_DigestUpdate(ctx, block, want) != 1)
			goto done;
		if (to != -1 && file_write(to, block, want, to_at) == -1)
			goto done;
		at += want;
		to_at += want;
		len -= want;
		if (hook) {
			step(STEP_HALF_WRITTEN);
			hook = false;
		}
	}
	rv = 0;
done:
	mem_free(block);
	return rv;
}

static int
digest_range(int fd, uint64_t at, uint64_t len, uint8_t out[SIDE_DIGEST])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int rv = -1;

	if (ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
	    copy(fd, at, len, -1, 0, ctx, false) == 0 &&
	    EVP_DigestFinal_ex(ctx, out, NULL) == 1)
		rv = 0;
	EVP_MD_CTX_free(ctx);
	return rv;
}

static int
side_fill(struct store *s, struct side *side, const struct range *keep,
    size_t n, int fd)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint64_t at = SIDE_HEADER;
	uint8_t head[SIDE_HEADER];
	size_t i;
	int rv = -1;

	if (ctx == NULL || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1)
		goto done;
	for (i = 0; i < n; at += keep[i++].len)
		if (copy(keep[i].fd, keep[i].at, keep[i].len, fd, at, ctx,
		    false) == -1)
			goto done;
	side->len = at - SIDE_HEADER;
	step(STEP_SIDE_BEGUN);
	if (EVP_DigestFinal_ex(ctx, side->digest, NULL) != 1 ||
	    digest_range(s->fd, side->offset + side->len, side->old_length -
	    side->offset - side->len, side->tail) == -1)
		goto done;
	side_encode(side, head);
	rv = file_write(fd, head, sizeof(head), 0);
	step(STEP_SIDE_WRITTEN);
done:
	EVP_MD_CTX_free(ctx);
	return rv;
}

int
side_write(struct store *s, struct side *side, const struct range *keep,
    size_t n)
{
	int fd, dir = s->conf.index_dir, saved;
	char tmp[SIDE_NAME], name[SIDE_NAME];

	side_name(s, "xp", name);
	side_name(s, "xp.new", tmp);
	if (unlinkat(dir, tmp, 0) == -1 && errno != ENOENT)
		return -1;
	fd = openat(dir, tmp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0600);
	if (fd == -1)
		return -1;
	if (side_fill(s, side, keep, n, fd) == -1 || fsync(fd) == -1 ||
	    renameat(dir, tmp, dir, name) == -1 || fsync(dir) == -1) {
		saved = errno;
		close(fd);
		unlinkat(dir, tmp, 0);
		errno = saved;
		return -1;
	}
	close(fd);
	step(STEP_SIDE_SYNCED);
	return 0;
}

int
side_apply(struct store *s, const struct side *side)
{
	char name[SIDE_NAME];
	int fd, rv = -1;

	side_name(s, "xp", name);
	fd = file_open(s->conf.index_dir, name, O_RDONLY, s->conf.owner);
	if (fd == -1 || copy(fd, SIDE_HEADER, side->len, s->fd, side->offset,
	    NULL, true) == -1)
		goto done;
	step(STEP_WRITTEN);
	if (fsync(s->fd) == -1)
		goto done;
	step(STEP_SYNCED);
	if (ftruncate(s->fd, (off_t)(side->offset + side->len)) == -1)
		goto done;
	step(STEP_TRUNCATED);
	if (fsync(s->fd) == -1 || unlinkat(s->conf.index_dir, name, 0) == -1)
		goto done;
	step(STEP_UNLINKED);
	rv = 0;
done:
	if (fd != -1)
		close(fd);
	return rv;
}

/* -- recovery -------------------------------------------------------------- */

/* Does this stretch of a file have that digest? */
static bool
range_is(int fd, uint64_t at, uint64_t len, const uint8_t want[SIDE_DIGEST])
{
	uint8_t got[SIDE_DIGEST];

	return digest_range(fd, at, len, got) == 0 &&
	    memcmp(got, want, SIDE_DIGEST) == 0;
}

/* Others appended between the crash and us: their letters move along, which
 * takes a side file of its own in the place of the first. */
static int
side_extend(struct store *s, struct side *side, int fd, uint64_t size)
{
	struct range keep[2] = {
		{ fd, SIDE_HEADER, side->len },
		{ s->fd, side->old_length, size - side->old_length }
	};

	side->old_length = size;
	return side_write(s, side, keep, nitems(keep));
}

static int
side_repeat(struct store *s, struct side *side, int fd, uint64_t size)
{
	if (size > side->old_length && side_extend(s, side, fd, size) == -1)
		return -1;
	log_info("mailbox %s: finishing an expunge that was cut off", s->name);
	return side_apply(s, side);
}

/* The mailbox is no longer what the side file was made for. */
static int
side_set_aside(struct store *s, const struct side *side, uint64_t inode)
{
	char name[SIDE_NAME], lost[SIDE_NAME];

	side_name(s, "xp", name);
	side_name(s, "lost", lost);
	if (side->inode == inode && range_is(s->fd, side->offset, side->len,
	    side->digest))
		return unlinkat(s->conf.index_dir, name, 0); /* it was done */
	log_warnx("mailbox %s was changed while an expunge was cut off; "
	    "its text is kept in %s", s->name, lost);
	return renameat(s->conf.index_dir, name, s->conf.index_dir, lost);
}

int
mbox_recover(struct store *s)
{
	uint8_t head[SIDE_HEADER];
	struct ix_seen now;
	char name[SIDE_NAME];
	struct side side;
	int fd, rv = -1;

	side_name(s, "xp", name);
	fd = file_open(s->conf.index_dir, name, O_RDONLY, s->conf.owner);
	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	if (mbox_seen(s, &now) == -1)
		goto done;
	if (file_read(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
	    side_decode(head, &side) == -1 ||
	    !range_is(fd, SIDE_HEADER, side.len, side.digest))
		rv = unlinkat(s->conf.index_dir, name, 0);
	else if (now.inode == side.inode && now.size >= side.old_length &&
	    range_is(s->fd, side.offset + side.len, side.old_length -
	    side.offset - side.len, side.tail))
		rv = side_repeat(s, &side, fd, now.size);
	else
		rv = side_set_aside(s, &side, now.inode);
done:
	close(fd);
	return rv;
}
