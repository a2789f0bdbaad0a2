/*
 * lib/store/mbox_text.c - the text of a letter as it is stored, made anew from
 * what the queue gave, block by block.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/mem.h"
#include "lib/store/file.h"
#include "lib/store/mbox_in.h"

enum { TEXT_HEAD, TEXT_BODY, TEXT_END, TEXT_DONE };

void
letter_begin(struct letter_text *t, const struct store_letter *l)
{
	memset(t, 0, sizeof(*t));
	t->l = l;
	t->stage = TEXT_HEAD;
}

void
letter_clear(struct letter_text *t)
{
	x_free(&t->in);
}

uint64_t
letter_octets(const struct store_letter *l)
{
	return l->head.len + (l->text_fd == -1 ? l->text.len : l->text_len);
}

/* From memory: a block, cut behind its last line end. */
static struct span
piece_of_span(struct letter_text *t)
{
	struct span s = span_from(t->l->text, (size_t)t->at);
	const char *nl;

	if (s.len > MBOX_BLOCK) {
		nl = memrchr(s.p, '\n', MBOX_BLOCK);
		s.len = nl != NULL ? (size_t)(nl + 1 - s.p) : MBOX_BLOCK;
	}
	t->at += s.len;
	return s;
}

/* From the file; what follows the last line end waits for the next block. */
static int
piece_of_file(struct letter_text *t, struct buf *out)
{
	uint64_t left = t->l->text_len - t->at;
	size_t want, cut;
	const char *nl;
	ssize_t n;

	if (t->in == NULL)
		t->in = xmalloc(MBOX_BLOCK);
	want = MBOX_BLOCK - t->held;
	if (want > left)
		want = (size_t)left;
	n = file_read(t->l->text_fd, t->in + t->held, want,
	    t->l->text_off + t->at);
	if (n != (ssize_t)want) {
		if (n != -1)
			errno = EIO; /* the file is shorter than promised */
		return -1;
	}
	t->at += want;
	t->held += want;
	nl = want < left ? memrchr(t->in, '\n', t->held) : NULL;
	cut = nl != NULL ? (size_t)(nl + 1 - t->in) : t->held;
	if (mbox_put(&t->put, span_make(t->in, cut), out) == -1)
		return -1;
	t->held -= cut;
	memmove(t->in, t->in + cut, t->held);
	return 0;
}

/* The From_ line and our own lines, not filtered as a stranger's are. */
static int
head_add(struct buf *out, const struct store_letter *l)
{
	struct span rest = l->head, line;
	struct addr sender;

	if (addr_parse_text(l->from, &sender) == -1)
		memset(&sender, 0, sizeof(sender));
	if (mbox_from_add(out, &sender, (time_t)l->arrived_s) == -1)
		return -1;
	while (rest.len > 0) {
		span_split(rest, '\n', &line, &rest);
		if (line.len > 0 && line.p[line.len - 1] == '\r')
			line.len--;
		if (line.len > 0 && (buf_add_span(out, line) == -1 ||
		    buf_add_char(out, '\n') == -1))
			return -1;
	}
	return 0;
}

int
letter_next(struct letter_text *t, struct buf *out)
{
	const struct store_letter *l = t->l;
	bool more;

	switch (t->stage) {
	case TEXT_HEAD:
		t->stage = TEXT_BODY;
		return head_add(out, l) == -1 ? -1 : 1;
	case TEXT_BODY:
		more = l->text_fd == -1 ? t->at < l->text.len
		    : t->at < l->text_len || t->held > 0;
		if (more && (l->text_fd == -1
		    ? mbox_put(&t->put, piece_of_span(t), out)
		    : piece_of_file(t, out)) == -1)
			return -1;
		if (more)
			return 1;
		t->stage = TEXT_END;
		/* FALLTHROUGH */
	case TEXT_END:
		t->stage = TEXT_DONE;
		return mbox_put_end(&t->put, out) == -1 ? -1 : 1;
	}
	return 0;
}
