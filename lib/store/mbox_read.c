/*
 * lib/store/mbox_read.c - letters read in big blocks and turned into CRLF text.
 * A shared lock keeps others from rewriting the file during one read, not for
 * as long as a client takes; a letter that moved meanwhile is found by its UID.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/mem.h"
#include "lib/store/file.h"
#include "lib/store/mbox_in.h"

/* "From " of the letter behind the one that is read. */
#define FROM_OCTETS 5

/* For a From_ line in front, an empty line and that behind. */
#define BLOCK_EXTRA (MBOX_BLOCK / 4)

int
store_read_begin(struct store *s, uint32_t uid, struct store_reader *r)
{
	uint32_t i = index_find(&s->ix, uid);
	struct ix_rec rec = { 0 };

	if (i < index_count(&s->ix))
		index_get(&s->ix, i, &rec);
	if (rec.uid != uid || uid == 0) {
		errno = ESTALE;
		return -1;
	}
	r->uid = uid;
	r->at = rec.from_octets;
	r->octets = rec.octets;
	r->in_header = true;
	r->in_line = r->skipping = false;
	return 0;
}

/*
 * A shared lock on a file that looks as the index says, and the letter's place
 * in it. Only when others wrote is the mailbox locked and looked at again.
 */
static int
letter_locate(struct store *s, const struct store_reader *r,
    struct ix_rec *rec)
{
	struct ix_seen now;
	uint32_t i;
	int tries;

	for (tries = 0; tries < 5; tries++) {
		if (mbox_open(s, false, NULL) == -1)
			return -1;
		errno = ESTALE;
		if (s->fd == -1 ||
		    file_lock(s->fd, F_RDLCK, s->conf.lock_wait_ms) == -1)
			return -1;
		if (mbox_seen(s, &now) == -1)
			break;
		if (!mbox_seen_same(&now, &s->ix.seen) &&
		    (index_refresh(&s->ix) == -1 ||
		    !mbox_seen_same(&now, &s->ix.seen))) {
			file_unlock(s->fd);
			if (store_sync(s) == -1)
				return -1;
			continue;
		}
		i = index_find(&s->ix, r->uid);
		errno = ESTALE;
		if (i >= index_count(&s->ix))
			break;
		index_get(&s->ix, i, rec);
		if (rec->uid == r->uid && rec->octets == r->octets)
			return 0;
		break;
	}
	file_unlock(s->fd);
	return -1;
}

/* Octets of the letter's text, the empty line behind it not included. */
static uint64_t
text_end(const struct ix_rec *rec)
{
	uint64_t blank = rec->flags & IX_BLANK_CRLF ? 2
	    : rec->flags & IX_BLANK_LF ? 1 : 0;

	return rec->octets < blank ? 0 : rec->octets - blank;
}

static bool
is_from(const char *p, size_t len)
{
	return mbox_is_from(span_make(p, len));
}

/*
 * One read that includes, at the begin, the From_ line and, at the end, the
 * next one (or the line end that store_append put between them): where they are
 * not, the index is wrong about this letter.
 * Sets *text within s->block. 0, or -1 with errno EUCLEAN: in doubt.
 */
static int
text_read(struct store *s, const struct store_reader *r,
    const struct ix_rec *rec, size_t want, bool last, struct span *text)
{
	size_t front = r->at == rec->from_octets ? rec->from_octets : 0;
	uint64_t at = rec->place + r->at - front;
	size_t back = last ? (size_t)(rec->octets - r->at) - want : 0;
	size_t len = front + want + back, extra = last ? FROM_OCTETS : 0;
	ssize_t n;

	if (len + extra > s->block_size) { /* a From_ line or end that is odd */
		errno = EUCLEAN;
		return -1;
	}
	if ((n = file_read(s->fd, s->block, len + extra, at)) == -1)
		return -1;
	errno = EUCLEAN;
	if ((size_t)n < len || (front > 0 && !is_from(s->block, len)) ||
	    (last && (size_t)n > len && s->block[len] != '\n' &&
	    !is_from(s->block + len, (size_t)n - len)))
		return -1;
	*text = span_make(s->block + front, want);
	return 0;
}

/*
 * The next block of the stored text, cut behind a line end (or, in a very long
 * line, anywhere), empty at the end.
 */
static int
block_read(struct store *s, const struct store_reader *r, size_t want,
    bool *last, struct span *text)
{
	struct ix_rec rec;
	uint64_t left;
	const char *nl;
	int rv;

	if (letter_locate(s, r, &rec) == -1)
		return -1;
	left = text_end(&rec) > r->at ? text_end(&rec) - r->at : 0;
	*last = left <= want;
	rv = text_read(s, r, &rec, *last ? (size_t)left : want, *last, text);
	file_unlock(s->fd);
	if (rv == -1)
		return -1;
	if (!*last && (nl = memrchr(text->p, '\n', text->len)) != NULL)
		text->len = (size_t)(nl + 1 - text->p);
	return 0;
}

/* In doubt the whole mailbox is read anew; the letter may still be there. */
static int
block_read_again(struct store *s, const struct store_reader *r, size_t want,
    bool *last, struct span *text)
{
	if (block_read(s, r, want, last, text) == 0)
		return 0;
	if (errno != EUCLEAN)
		return -1;
	s->doubt = true;
	if (store_sync(s) == -1)
		return -1;
	if (block_read(s, r, want, last, text) == 0)
		return 0;
	if (errno == EUCLEAN)
		errno = ESTALE;
	return -1;
}

int
store_read(struct store *s, struct store_reader *r, struct buf *out,
    size_t want)
{
	struct mbox_decoder d = { r->in_header, r->in_line, r->skipping };
	struct span text;
	bool last;

	if (want < 2 * MBOX_PIECE_MIN)
		want = 2 * MBOX_PIECE_MIN;
	if (want > MBOX_BLOCK)
		want = MBOX_BLOCK;
	if (s->block == NULL) {
		s->block_size = MBOX_BLOCK + BLOCK_EXTRA;
		s->block = xmalloc(s->block_size);
	}
	if (block_read_again(s, r, want, &last, &text) == -1 ||
	    mbox_decode(&d, text, out) == -1)
		return -1;
	r->at += text.len;
	if (last && mbox_decode_end(&d, out) == -1)
		return -1;
	r->in_header = d.in_header;
	r->in_line = d.in_line;
	r->skipping = d.skipping;
	return last ? 0 : 1;
}
