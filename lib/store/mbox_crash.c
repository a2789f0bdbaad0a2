/*
 * lib/store/mbox_crash.c - after a crash: does the text of a letter already lie
 * in the mailbox, whole or in part? What we would write is made from the record
 * alone, so octets are compared; nothing that a letter says of itself counts.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/mem.h"
#include "lib/store/file.h"
#include "lib/store/mbox_in.h"
#include "lib/store/scan.h"

/* No From_ line of ours is longer. */
#define CUT_FROM_MAX 1024

enum same { SAME_NOT, SAME_WHOLE, SAME_TORN };

static bool
all_nul(const char *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (p[i] != '\0')
			return false;
	return true;
}

/* Only NULs from here to the end of the file? A crash can leave that where the
 * length was written and the blocks were not. */
static bool
nul_to_end(int fd, uint64_t at)
{
	char block[4096];
	ssize_t n;

	while ((n = file_read(fd, block, sizeof(block), at)) > 0) {
		if (!all_nul(block, (size_t)n))
			return false;
		at += (size_t)n;
	}
	return n == 0;
}

static size_t
common(const char *a, const char *b, size_t len)
{
	size_t i;

	if (memcmp(a, b, len) == 0)
		return len;
	for (i = 0; a[i] == b[i]; i++)
		;
	return i;
}

/*
 * Does the text of this letter lie at that place of the file? Whole: *octets
 * is its length. Torn: a part of it, or NULs, and then the file ends.
 */
static enum same
text_compare(struct store *s, const struct store_letter *l, uint64_t place,
    uint64_t *octets)
{
	struct buf b = BUF_INIT(4 * MBOX_BLOCK);
	enum same rv = SAME_WHOLE;
	struct letter_text t;
	char *p = xmalloc(4 * MBOX_BLOCK);
	uint64_t at = place;
	size_t same;
	ssize_t n;
	int more;

	letter_begin(&t, l);
	while (rv == SAME_WHOLE && (more = letter_next(&t, &b)) != 0) {
		n = more == -1 ? -1 : file_read(s->fd, p, b.len, at);
		if (n == -1) {
			rv = SAME_NOT;
			break;
		}
		same = common(p, buf_span(&b).p, (size_t)n);
		if (same < b.len)
			rv = nul_to_end(s->fd, at + same) ? SAME_TORN
			    : SAME_NOT;
		at += same;
		buf_reset(&b);
	}
	*octets = at - place;
	letter_clear(&t);
	buf_clear(&b);
	mem_free(p);
	return rv;
}

/* Digest and length that the letter would have; -1 when it cannot be made. */
static int
rec_found(void *arg, struct ix_rec *rec)
{
	*(struct ix_rec *)arg = *rec;
	return 0;
}

static int
letter_record(const struct store_letter *l, struct ix_rec *out)
{
	struct buf b = BUF_INIT(4 * MBOX_BLOCK);
	struct letter_text t;
	struct scan sc;
	int more, rv = -1;

	memset(out, 0, sizeof(*out));
	scan_init(&sc, rec_found, out);
	scan_start(&sc, 0);
	letter_begin(&t, l);
	while ((more = letter_next(&t, &b)) == 1) {
		if (scan_feed(&sc, buf_span(&b)) == -1)
			break;
		buf_reset(&b);
	}
	if (more == 0)
		rv = scan_end(&sc);
	letter_clear(&t);
	scan_clear(&sc);
	buf_clear(&b);
	return rv;
}

static bool
has_token(const struct ix_rec *r)
{
	static const uint8_t none[STORE_TOKEN_OCTETS];

	return memcmp(r->token, none, sizeof(none)) != 0;
}

/* Is this the letter? Then its record gets the token. */
static bool
settle(struct store *s, struct store_letter *l, const struct ix_rec *r)
{
	uint64_t octets;

	if (has_token(r) ||
	    text_compare(s, l, r->place, &octets) != SAME_WHOLE)
		return false;
	index_put_token(&s->ix, r->uid, l->token);
	l->was_there = true;
	l->error = 0;
	l->uid = r->uid;
	return true;
}

/* Among letters that came in by a scan, and so without a token. */
static int
find_letter(struct store *s, struct store_letter *l)
{
	struct ix_rec want, r;
	uint32_t i;

	if (letter_record(l, &want) == -1)
		return -1;
	for (i = index_count(&s->ix); i-- > 0;) {
		index_get(&s->ix, i, &r);
		if (r.octets >= want.octets && memcmp(r.digest, want.digest,
		    IX_DIGEST_OCTETS) == 0 && settle(s, l, &r))
			return index_commit(&s->ix);
	}
	return 0;
}

/* A part of one of the letters, or NULs, from place to the end: cut it off.
 * 1: done; 0: it is something else; -1 with errno. */
static int
cut_torn(struct store *s, const struct store_letter *l, size_t n,
    uint64_t place)
{
	uint64_t octets;
	size_t i;

	for (i = 0; i < n; i++)
		if (l[i].maybe_stored && !l[i].was_there &&
		    text_compare(s, &l[i], place, &octets) == SAME_TORN)
			return ftruncate(s->fd, (off_t)place) == -1 ? -1 : 1;
	return 0;
}

/* The end of the file without NULs behind it. */
static int
end_of_text(int fd, uint64_t *size)
{
	char block[4096];
	size_t len;

	while (*size > 0) {
		len = *size < sizeof(block) ? (size_t)*size : sizeof(block);
		if (file_read(fd, block, len, *size - len) != (ssize_t)len)
			return -1;
		while (len > 0 && block[len - 1] == '\0') {
			len--;
			(*size)--;
		}
		if (len > 0)
			break;
	}
	return 0;
}

/* A From_ line cut in the middle is none: its place is behind an empty line
 * near the end of the file. */
static int
cut_end(struct store *s, const struct store_letter *l, size_t n, uint64_t size)
{
	char end[CUT_FROM_MAX];
	size_t i, len;
	int rv;

	if (end_of_text(s->fd, &size) == -1)
		return -1;
	len = size < sizeof(end) ? (size_t)size : sizeof(end);
	if (file_read(s->fd, end, len, size - len) != (ssize_t)len)
		return -1;
	for (i = 0; i + 2 <= len; i++) {
		if (end[i] != '\n' || end[i + 1] != '\n')
			continue;
		if ((rv = cut_torn(s, l, n, size - len + i + 2)) != 0)
			return rv;
	}
	return 0;
}

/* NULs behind letters that got through whole. */
static int
cut_nuls(struct store *s, const struct store_letter *l, size_t n)
{
	struct ix_rec r;
	uint64_t octets;
	uint32_t i;
	size_t k;

	for (k = 0; k < n; k++) {
		i = index_find(&s->ix, l[k].uid);
		if (!l[k].was_there || l[k].uid == 0 ||
		    i == index_count(&s->ix))
			continue;
		index_get(&s->ix, i, &r);
		if (text_compare(s, &l[k], r.place, &octets) == SAME_WHOLE &&
		    octets < r.octets && nul_to_end(s->fd, r.place + octets))
			return ftruncate(s->fd, (off_t)(r.place + octets));
	}
	return 0;
}

/* The letter that comes last in the file; false: there is none. */
static bool
last_letter(struct store *s, struct ix_rec *last)
{
	struct ix_rec r;
	uint32_t i;

	memset(last, 0, sizeof(*last));
	for (i = 0; i < index_count(&s->ix); i++) {
		index_get(&s->ix, i, &r);
		if (last->uid == 0 || r.place > last->place)
			*last = r;
	}
	return last->uid != 0;
}

/* What is torn at the end, be it seen as a letter or as part of the last. */
static int
cut_last(struct store *s, const struct store_letter *l, size_t n)
{
	struct ix_seen now;
	struct ix_rec last;
	int rv;

	if (cut_nuls(s, l, n) == -1 || mbox_seen(s, &now) == -1)
		return -1;
	if (last_letter(s, &last) && !has_token(&last) && last.place < now.size &&
	    (rv = cut_torn(s, l, n, last.place)) != 0)
		return rv;
	return cut_end(s, l, n, now.size);
}

/* Does the last letter begin as ours do, with no token to show that it came
 * through whole? Or is a From_ line cut off, and so taken as part of it? */
static bool
last_is_ours(struct store *s, uint64_t size)
{
	char text[CUT_FROM_MAX];
	struct span rest, line;
	struct ix_rec last;
	size_t len, i;
	ssize_t n;

	if (!last_letter(s, &last))
		return false;
	if (!has_token(&last)) {
		n = file_read(s->fd, text, sizeof(text), last.place);
		span_split(span_make(text, n > 0 ? (size_t)n : 0), '\n',
		    &line, &rest);
		if (span_prefix(rest, "Return-Path: <"))
			return true;
	}
	len = size < sizeof(text) ? (size_t)size : sizeof(text);
	if (file_read(s->fd, text, len, size - len) != (ssize_t)len)
		return false;
	for (i = len; i > 0 && text[i - 1] != '\n'; i--)
		;
	len -= i;
	return i > 1 && text[i - 2] == '\n' &&
	    memcmp(text + i, "From ", len < 5 ? len : 5) == 0;
}

/*
 * Did a crash lately tear a letter at the end? Only that letter itself can tell
 * what of it is ours to cut off, and behind another it would be found no more.
 */
static bool
end_is_torn(struct store *s)
{
	struct ix_seen now;
	char end[2];

	if (mbox_seen(s, &now) == -1 || now.size < sizeof(end) ||
	    file_read(s->fd, end, sizeof(end), now.size - sizeof(end)) !=
	    (ssize_t)sizeof(end))
		return false;
	if ((end[0] == '\n' && end[1] == '\n') ||
	    time(NULL) - now.mtime_ns / 1000000000 >= MBOX_TORN_WAIT_S)
		return false;
	return end[1] == '\0' || last_is_ours(s, now.size);
}

/* Looks for those that may be there, and cuts off what is torn of them. */
static int
search(struct store *s, struct store_letter *l, size_t n)
{
	const struct ix_seen *seen = &s->ix.seen;
	struct ix_seen now;
	bool any = false;
	uint32_t uid;
	size_t i;

	if (index_refresh(&s->ix) == -1 || mbox_seen(s, &now) == -1)
		return -1;
	for (i = 0; i < n; i++) {
		if (!l[i].maybe_stored)
			continue;
		if (index_token(&s->ix, l[i].token, &uid)) {
			l[i].was_there = true;
			l[i].error = 0;
			l[i].uid = uid;
		} else
			any = true;
	}
	if (any && seen->inode == now.inode && now.size > seen->size &&
	    cut_torn(s, l, n, seen->size) == -1)
		return -1;
	if (mbox_sync(s) == -1)
		return -1;
	if (!any)
		return 0;
	if (index_lock(&s->ix, s->conf.lock_wait_ms) == -1)
		return -1;
	for (i = 0; i < n; i++)
		if (l[i].maybe_stored && !l[i].was_there &&
		    find_letter(s, &l[i]) == -1)
			break;
	index_unlock(&s->ix);
	if (i < n || cut_last(s, l, n) == -1)
		return -1;
	return mbox_sync(s);
}

int
mbox_crash_check(struct store *s, struct store_letter *l, size_t n)
{
	bool any = false;
	size_t i;

	for (i = 0; i < n && !any; i++)
		any = l[i].maybe_stored; /* hardly ever */
	if ((any ? search(s, l, n) : mbox_sync(s)) == -1)
		return -1;
	if (!end_is_torn(s))
		return 0;
	errno = EAGAIN;
	return -1;
}
