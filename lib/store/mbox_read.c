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

/*
 * The next block of the stored text, cut behind a line end (or, in a very long
 * line, anywhere). Returns its length, 0 at the end, -1.
 */
static ssize_t
block_read(struct store *s, const struct store_reader *r, size_t want,
    bool *last)
{
	struct ix_rec rec;
	uint64_t left;
	const char *nl;
	ssize_t n;

	if (letter_locate(s, r, &rec) == -1)
		return -1;
	left = text_end(&rec) > r->at ? text_end(&rec) - r->at : 0;
	*last = left <= want;
	if (*last)
		want = (size_t)left;
	n = file_read(s->fd, s->block, want, rec.place + r->at);
	/* An index that lies about places must not show another's text. */
	if (n >= 0 && r->at == rec.from_octets) {
		char from[5];

		if (file_read(s->fd, from, 5, rec.place) != 5 ||
		    memcmp(from, "From ", 5) != 0) {
			errno = ESTALE;
			n = -1;
		}
	}
	file_unlock(s->fd);
	if (n == -1)
		return -1;
	if ((size_t)n < want) {
		errno = ESTALE;
		return -1;
	}
	if (!*last && (nl = memrchr(s->block, '\n', (size_t)n)) != NULL)
		n = nl + 1 - s->block;
	return n;
}

int
store_read(struct store *s, struct store_reader *r, struct buf *out,
    size_t want)
{
	struct mbox_decoder d = { r->in_header, r->in_line, r->skipping };
	bool last;
	ssize_t n;

	if (want < 2 * MBOX_PIECE_MIN)
		want = 2 * MBOX_PIECE_MIN;
	if (want > MBOX_BLOCK)
		want = MBOX_BLOCK;
	if (s->block_size < want) {
		x_free(&s->block);
		s->block = xmalloc(want);
		s->block_size = want;
	}
	if ((n = block_read(s, r, want, &last)) == -1 ||
	    mbox_decode(&d, span_make(s->block, (size_t)n), out) == -1)
		return -1;
	r->at += (uint64_t)n;
	if (last && mbox_decode_end(&d, out) == -1)
		return -1;
	r->in_header = d.in_header;
	r->in_line = d.in_line;
	r->skipping = d.skipping;
	return last ? 0 : 1;
}
