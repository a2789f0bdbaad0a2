/*
 * queued/letter.c - a letter in memory and the changes that records make to
 * it. Reads and writes nothing; used on the loop's thread and on the index
 * thread, never with the same letter. Texts lie in blocks that go together.
 */
#include "queued/letter.h"

#include <stdlib.h>

#include "lib/mem.h"

/* Enough for an ordinary envelope with one recipient. */
#define BLOCK_OCTETS 512

struct letter_block {
	struct letter_block *next;
	size_t used, size;
	char data[];
};

struct letter *
letter_new(uint64_t qid)
{
	struct letter *l = xcalloc(1, sizeof(*l));

	l->qid = qid;
	return l;
}

void
letter_free(struct letter *l)
{
	struct letter_block *b;

	if (l == NULL)
		return;
	while ((b = l->mem) != NULL) {
		l->mem = b->next;
		free(b);
	}
	free(l->rcpts);
	free(l);
}

struct span
letter_dup(struct letter *l, struct span s)
{
	struct letter_block *b = l->mem;
	char *p;

	if (s.len == 0)
		return span_make("", 0);
	if (b == NULL || b->size - b->used < s.len) {
		size_t size = s.len > BLOCK_OCTETS ? s.len : BLOCK_OCTETS;

		b = xmalloc(sizeof(*b) + size);
		b->used = 0;
		b->size = size;
		b->next = l->mem;
		l->mem = b;
	}
	p = b->data + b->used;
	memcpy(p, s.p, s.len);
	b->used += s.len;
	return span_make(p, s.len);
}

static struct rcpt *
rcpt_new(struct letter *l, uint32_t number)
{
	struct rcpt *r;

	if (l->nrcpts == LETTER_RCPTS_MAX || number == 0)
		return NULL;
	/* Ascending numbers keep letter_rcpt a binary search. */
	if (l->nrcpts > 0 && l->rcpts[l->nrcpts - 1].number >= number)
		return NULL;
	if (l->nrcpts == l->cap) {
		l->cap = l->cap == 0 ? 2 : l->cap * 2;
		l->rcpts = xreallocarray(l->rcpts, l->cap, sizeof(*r));
	}
	r = &l->rcpts[l->nrcpts++];
	memset(r, 0, sizeof(*r));
	r->number = number;
	r->user = r->orcpt = r->status = span_make("", 0);
	r->host = r->reply = r->addr = r->user;
	return r;
}

struct rcpt *
letter_add_rcpt(struct letter *l, struct span addr)
{
	uint32_t last = l->nrcpts == 0 ? 0 : l->rcpts[l->nrcpts - 1].number;
	struct rcpt *r;

	if (last == UINT32_MAX || (r = rcpt_new(l, last + 1)) == NULL)
		return NULL;
	r->addr = letter_dup(l, addr);
	r->next_s = l->arrival_s;
	return r;
}

struct rcpt *
letter_place_rcpt(struct letter *l, uint32_t number)
{
	return rcpt_new(l, number);
}

struct rcpt *
letter_rcpt(const struct letter *l, uint32_t number)
{
	uint32_t lo = 0, hi = l->nrcpts;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (l->rcpts[mid].number == number)
			return &l->rcpts[mid];
		if (l->rcpts[mid].number < number)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

bool
rcpt_is_settled(const struct rcpt *r)
{
	return r->state >= RCPT_EXPANDED;
}

uint32_t
letter_open_rcpts(const struct letter *l)
{
	uint32_t i, n = 0;

	for (i = 0; i < l->nrcpts; i++)
		n += !rcpt_is_settled(&l->rcpts[i]);
	return n;
}

int64_t
letter_due_s(const struct letter *l)
{
	int64_t due = LETTER_NEVER;
	uint32_t i;

	if (l->held)
		return due;
	for (i = 0; i < l->nrcpts; i++)
		if (!rcpt_is_settled(&l->rcpts[i]) && l->rcpts[i].next_s < due)
			due = l->rcpts[i].next_s;
	return due;
}

const char *
letter_held_text(const struct letter *l)
{
	static const char *const texts[HELD_MAX] = {
		[HELD_NO] = "", [HELD_OPERATOR] = "operator",
		[HELD_LETTERS_HOUR] = "letters/hour",
		[HELD_LETTERS_DAY] = "letters/day",
		[HELD_RCPTS_HOUR] = "recipients/hour",
		[HELD_RCPTS_DAY] = "recipients/day",
	};

	return texts[l->held < HELD_MAX ? l->held : HELD_OPERATOR];
}

/* Attempt after attempt says the same: no memory for what is there already. */
static void
text_replace(struct letter *l, struct span *old, struct span new)
{
	if (!span_eq(*old, new))
		*old = letter_dup(l, new);
}

void
letter_apply_outcome(struct letter *l, const struct outcome *o)
{
	struct rcpt *r = letter_rcpt(l, o->number);

	if (r == NULL || o->state >= RCPT_STATE_MAX)
		return;
	r->state = o->state;
	r->flags = o->flags;
	r->attempt = o->attempt;
	r->next_s = o->next_s;
	text_replace(l, &r->status, o->status);
	text_replace(l, &r->host, o->host);
	text_replace(l, &r->reply, o->reply);
}

void
letter_expand_parent(struct letter *l, uint32_t number)
{
	struct rcpt *r = letter_rcpt(l, number);

	if (r != NULL)
		r->state = RCPT_EXPANDED;
}

void
letter_expand_final(struct letter *l, const struct final *f)
{
	struct rcpt *parent, *r = rcpt_new(l, f->number);

	if (r == NULL)
		return;
	parent = letter_rcpt(l, f->parent);
	r->parent = f->parent;
	r->depth = f->depth;
	r->kind = f->kind;
	r->notify = f->notify;
	r->next_s = parent != NULL ? parent->next_s : l->arrival_s;
	r->addr = letter_dup(l, f->addr);
	r->user = letter_dup(l, f->user);
	r->orcpt = letter_dup(l, f->orcpt);
}

void
letter_apply_expand(struct letter *l, const uint32_t *parents, size_t n,
    const struct final *finals, size_t nfinals)
{
	size_t i;

	for (i = 0; i < n; i++)
		letter_expand_parent(l, parents[i]);
	for (i = 0; i < nfinals; i++)
		letter_expand_final(l, &finals[i]);
}

static void
rcpt_control(struct letter *l, struct rcpt *r, const struct control *c)
{
	if (rcpt_is_settled(r))
		return;
	switch (c->verb) {
	case CTRL_EXPEDITE:
		r->next_s = c->time_s;
		break;
	case CTRL_REDIRECT:
		r->addr = letter_dup(l, c->addr);
		r->state = RCPT_NEW;
		r->kind = 0;
		r->user = span_make("", 0);
		r->next_s = c->time_s;
		break;
	case CTRL_DELETE:
		r->state = RCPT_DELETED;
		break;
	default:
		break;
	}
}

void
letter_apply_control(struct letter *l, const struct control *c)
{
	uint32_t i;

	if (c->verb == CTRL_HOLD || c->verb == CTRL_RELEASE) {
		l->held = c->verb == CTRL_HOLD ? HELD_OPERATOR : HELD_NO;
		return;
	}
	for (i = 0; i < l->nrcpts; i++)
		if (c->number == 0 || c->number == l->rcpts[i].number)
			rcpt_control(l, &l->rcpts[i], c);
}

struct span
letter_domain(struct span addr)
{
	ssize_t at = span_rfind(addr, '@');

	return at == -1 ? span_make("", 0) : span_from(addr, (size_t)at + 1);
}

uint32_t
letter_account_hash(const struct letter *l)
{
	struct span s = l->account.len > 0 ? l->account : l->reverse_path;
	uint32_t h = 2166136261u; /* FNV-1a: stable, and no one's secret */
	size_t i;

	for (i = 0; i < s.len; i++)
		h = (h ^ (unsigned char)ascii_lower(s.p[i])) * 16777619u;
	return h;
}
