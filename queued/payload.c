/*
 * queued/payload.c - what the payloads of a letter's records hold: MSG and
 * COPY (envelope, then the text or a word that it lies in big/), EXPAND, STATE,
 * CTRL. Octets in and out, no file; the framing is record.c.
 */
#include <errno.h>
#include <string.h>

#include "lib/crc32c.h"
#include "queued/record.h"
#include "queued/tlv.h"

static int
encode_rcpt(struct buf *b, const struct rcpt *r)
{
	size_t at = tlv_open(b, TLV_RCPT);

	if (at == SIZE_MAX || buf_add_u32(b, r->number) == -1 ||
	    buf_add_u32(b, r->parent) == -1 || buf_add_u8(b, r->state) == -1 ||
	    buf_add_u8(b, r->notify) == -1 || buf_add_u8(b, r->depth) == -1 ||
	    buf_add_u8(b, r->kind) == -1 || buf_add_u16(b, r->flags) == -1 ||
	    buf_add_u16(b, r->attempt) == -1 ||
	    buf_add_u64(b, (uint64_t)r->next_s) == -1 ||
	    tlv_text(b, r->addr, LETTER_TEXT_MAX) == -1 ||
	    tlv_text(b, r->user, LETTER_TEXT_MAX) == -1 ||
	    tlv_text(b, r->orcpt, LETTER_TEXT_MAX) == -1 ||
	    tlv_text(b, r->status, LETTER_TEXT_MAX) == -1 ||
	    tlv_text(b, r->host, LETTER_TEXT_MAX) == -1 ||
	    tlv_text(b, r->reply, LETTER_TEXT_MAX) == -1)
		return -1;
	tlv_close(b, at);
	return 0;
}

static int
encode_fixed(struct buf *b, const struct letter *l, uint64_t through)
{
	size_t at = tlv_open(b, TLV_FIXED);

	if (at == SIZE_MAX || buf_add_u32(b, l->flags) == -1 ||
	    buf_add_u64(b, (uint64_t)l->arrival_s) == -1 ||
	    buf_add_u64(b, l->size) == -1 || buf_add_u64(b, l->sid) == -1 ||
	    buf_add_u64(b, through) == -1 || buf_add_u8(b, l->held) == -1 ||
	    buf_add_u8(b, l->big) == -1)
		return -1;
	tlv_close(b, at);
	return 0;
}

static bool
texts_fit(const struct letter *l)
{
	return l->reverse_path.len <= LETTER_TEXT_MAX &&
	    l->envid.len <= LETTER_TEXT_MAX &&
	    l->account.len <= LETTER_TEXT_MAX &&
	    l->client.len <= LETTER_TEXT_MAX;
}

int
record_encode_letter(struct buf *b, const struct letter *l, uint64_t through,
    uint32_t text_octets)
{
	size_t at;
	uint32_t i;

	if (!texts_fit(l)) {
		errno = EINVAL;
		return -1;
	}
	if ((at = tlv_open(b, TLV_ENVELOPE)) == SIZE_MAX ||
	    buf_add_u32(b, 0) == -1 || encode_fixed(b, l, through) == -1 ||
	    tlv_span(b, TLV_REVERSE_PATH, l->reverse_path) == -1 ||
	    tlv_span(b, TLV_ENVID, l->envid) == -1 ||
	    tlv_span(b, TLV_ACCOUNT, l->account) == -1 ||
	    tlv_span(b, TLV_CLIENT, l->client) == -1)
		return -1;
	for (i = 0; i < l->nrcpts; i++)
		if (encode_rcpt(b, &l->rcpts[i]) == -1)
			return -1;
	tlv_close(b, at);
	put_u32(b->p + b->off + at,
	    crc32c(0, b->p + b->off + at + 4, b->len - at - 4));
	return tlv_head(b, l->big ? TLV_BIG : TLV_TEXT,
	    l->big ? 0 : text_octets);
}

uint64_t
record_envelope_octets(struct span prefix)
{
	if (prefix.len < RECORD_ENVELOPE_MIN ||
	    get_u16(prefix.p) != TLV_ENVELOPE)
		return 0;
	return TLV_HEAD + (uint64_t)get_u32(prefix.p + 2);
}

static void
decode_fixed(struct letter *l, struct cursor *v, uint64_t *through)
{
	l->flags = cursor_u32(v);
	l->arrival_s = (int64_t)cursor_u64(v);
	l->size = cursor_u64(v);
	l->sid = cursor_u64(v);
	*through = cursor_u64(v);
	l->held = cursor_u8(v);
	l->big = cursor_u8(v) != 0;
}

static void
decode_rcpt(struct letter *l, struct cursor *v)
{
	struct rcpt *r = letter_place_rcpt(l, cursor_u32(v));

	if (r == NULL) {
		v->bad = true;
		return;
	}
	r->parent = cursor_u32(v);
	r->state = cursor_u8(v);
	r->notify = cursor_u8(v);
	r->depth = cursor_u8(v);
	r->kind = cursor_u8(v);
	r->flags = cursor_u16(v);
	r->attempt = cursor_u16(v);
	r->next_s = (int64_t)cursor_u64(v);
	r->addr = letter_dup(l, cursor_text(v));
	r->user = letter_dup(l, cursor_text(v));
	r->orcpt = letter_dup(l, cursor_text(v));
	r->status = letter_dup(l, cursor_text(v));
	r->host = letter_dup(l, cursor_text(v));
	r->reply = letter_dup(l, cursor_text(v));
	if (r->state >= RCPT_STATE_MAX)
		v->bad = true;
}

static void
decode_element(struct letter *l, uint16_t tag, struct cursor *v,
    uint64_t *through)
{
	struct span all = { v->p, v->len };

	switch (tag) {
	case TLV_FIXED:
		decode_fixed(l, v, through);
		break;
	case TLV_REVERSE_PATH:
		l->reverse_path = letter_dup(l, all);
		break;
	case TLV_ENVID:
		l->envid = letter_dup(l, all);
		break;
	case TLV_ACCOUNT:
		l->account = letter_dup(l, all);
		break;
	case TLV_CLIENT:
		l->client = letter_dup(l, all);
		break;
	case TLV_RCPT:
		decode_rcpt(l, v);
		break;
	default:
		break;
	}
}

int
record_decode_envelope(struct span payload, uint64_t qid, struct letter **out,
    uint64_t *through)
{
	struct cursor c = cursor_make(payload), env, v;
	struct letter *l;
	uint64_t seen = 0;
	uint32_t crc;
	uint16_t tag;

	if (!cursor_tlv(&c, &tag, &env) || tag != TLV_ENVELOPE)
		return -1;
	crc = cursor_u32(&env);
	if (env.bad || crc32c(0, env.p, env.len) != crc)
		return -1;
	l = letter_new(qid);
	l->reverse_path = l->envid = span_make("", 0);
	l->account = l->client = l->envid;
	while (cursor_tlv(&env, &tag, &v)) {
		decode_element(l, tag, &v, &seen);
		if (v.bad)
			env.bad = true;
	}
	if (env.bad) {
		letter_free(l);
		return -1;
	}
	if (through != NULL)
		*through = seen;
	*out = l;
	return 0;
}

int
record_decode_text(struct span payload, struct span *text, bool *big)
{
	struct cursor c = cursor_make(payload), v;
	uint16_t tag;

	while (cursor_tlv(&c, &tag, &v)) {
		if (tag != TLV_TEXT && tag != TLV_BIG)
			continue;
		*big = tag == TLV_BIG;
		*text = span_make(v.p, v.len);
		return 0;
	}
	return -1;
}

int
record_encode_expand(struct buf *b, const uint32_t *parents, size_t n,
    const struct final *finals, size_t nfinals)
{
	size_t at, i;

	if ((at = tlv_open(b, TLV_PARENTS)) == SIZE_MAX)
		return -1;
	for (i = 0; i < n; i++)
		if (buf_add_u32(b, parents[i]) == -1)
			return -1;
	tlv_close(b, at);
	for (i = 0; i < nfinals; i++) {
		const struct final *f = &finals[i];

		if ((at = tlv_open(b, TLV_FINAL)) == SIZE_MAX ||
		    buf_add_u32(b, f->number) == -1 ||
		    buf_add_u32(b, f->parent) == -1 ||
		    buf_add_u8(b, f->depth) == -1 ||
		    buf_add_u8(b, f->kind) == -1 ||
		    buf_add_u8(b, f->notify) == -1 ||
		    tlv_text(b, f->addr, LETTER_TEXT_MAX) == -1 ||
		    tlv_text(b, f->user, LETTER_TEXT_MAX) == -1 ||
		    tlv_text(b, f->orcpt, LETTER_TEXT_MAX) == -1)
			return -1;
		tlv_close(b, at);
	}
	return 0;
}

/* What others said is cut, not refused: an outcome must be written. */
static int
text_cut(struct buf *b, struct span s)
{
	if (s.len > LETTER_TEXT_MAX)
		s.len = LETTER_TEXT_MAX;
	return tlv_text(b, s, LETTER_TEXT_MAX);
}

int
record_encode_state(struct buf *b, const struct outcome *o, size_t n)
{
	size_t at, i;

	for (i = 0; i < n; i++, o++) {
		if ((at = tlv_open(b, TLV_OUTCOME)) == SIZE_MAX ||
		    buf_add_u32(b, o->number) == -1 ||
		    buf_add_u8(b, o->state) == -1 ||
		    buf_add_u16(b, o->flags) == -1 ||
		    buf_add_u16(b, o->attempt) == -1 ||
		    buf_add_u64(b, (uint64_t)o->next_s) == -1 ||
		    text_cut(b, o->status) == -1 ||
		    text_cut(b, o->host) == -1 ||
		    text_cut(b, o->reply) == -1)
			return -1;
		tlv_close(b, at);
	}
	return 0;
}

int
record_encode_ctrl(struct buf *b, const struct control *c)
{
	size_t at = tlv_open(b, TLV_CONTROL);

	if (at == SIZE_MAX || buf_add_u8(b, c->verb) == -1 ||
	    buf_add_u32(b, c->number) == -1 ||
	    buf_add_u64(b, (uint64_t)c->time_s) == -1 ||
	    text_cut(b, c->operator) == -1 ||
	    tlv_text(b, c->addr, LETTER_TEXT_MAX) == -1)
		return -1;
	tlv_close(b, at);
	return 0;
}

static void
apply_parents(struct letter *l, struct cursor *v)
{
	while (v->len >= 4)
		letter_expand_parent(l, cursor_u32(v));
	if (v->len > 0)
		v->bad = true;
}

static void
apply_final(struct letter *l, struct cursor *v)
{
	struct final f;

	f.number = cursor_u32(v);
	f.parent = cursor_u32(v);
	f.depth = cursor_u8(v);
	f.kind = cursor_u8(v);
	f.notify = cursor_u8(v);
	f.addr = cursor_text(v);
	f.user = cursor_text(v);
	f.orcpt = cursor_text(v);
	if (!v->bad)
		letter_expand_final(l, &f);
}

static void
apply_outcome(struct letter *l, struct cursor *v)
{
	struct outcome o;

	o.number = cursor_u32(v);
	o.state = cursor_u8(v);
	o.flags = cursor_u16(v);
	o.attempt = cursor_u16(v);
	o.next_s = (int64_t)cursor_u64(v);
	o.status = cursor_text(v);
	o.host = cursor_text(v);
	o.reply = cursor_text(v);
	if (!v->bad)
		letter_apply_outcome(l, &o);
}

static void
apply_control(struct letter *l, struct cursor *v)
{
	struct control c;

	c.verb = cursor_u8(v);
	c.number = cursor_u32(v);
	c.time_s = (int64_t)cursor_u64(v);
	c.operator = cursor_text(v);
	c.addr = cursor_text(v);
	if (c.verb >= CTRL_VERB_MAX)
		v->bad = true;
	if (!v->bad)
		letter_apply_control(l, &c);
}

int
record_apply(struct letter *l, uint16_t type, struct span payload)
{
	struct cursor c = cursor_make(payload), v;
	uint16_t tag;

	while (cursor_tlv(&c, &tag, &v)) {
		if (type == REC_EXPAND && tag == TLV_PARENTS)
			apply_parents(l, &v);
		else if (type == REC_EXPAND && tag == TLV_FINAL)
			apply_final(l, &v);
		else if (type == REC_STATE && tag == TLV_OUTCOME)
			apply_outcome(l, &v);
		else if (type == REC_CTRL && tag == TLV_CONTROL)
			apply_control(l, &v);
		if (v.bad)
			return -1;
	}
	return c.bad ? -1 : 0;
}
