/* queued/entry.c - entries of table q and the keys of all tables. */
#include "queued/entry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "queued/tlv.h"

void
entry_clear(struct entry *e)
{
	free(e->places);
	free(e->dests);
	memset(e, 0, sizeof(*e));
}

int
entry_encode(const struct entry *e, struct buf *b)
{
	size_t i;

	if (buf_add_u64(b, e->base.lsn) == -1 ||
	    buf_add_u32(b, e->base.octets) == -1 ||
	    buf_add_u64(b, e->through) == -1 ||
	    buf_add_u64(b, (uint64_t)e->due_s) == -1 ||
	    buf_add_u32(b, e->account_hash) == -1 ||
	    buf_add_u32(b, (uint32_t)e->n) == -1 ||
	    buf_add_u32(b, (uint32_t)e->ndests) == -1)
		return -1;
	for (i = 0; i < e->n; i++)
		if (buf_add_u64(b, e->places[i].lsn) == -1 ||
		    buf_add_u32(b, e->places[i].octets) == -1)
			return -1;
	for (i = 0; i < e->ndests; i++)
		if (buf_add_u64(b, (uint64_t)e->dests[i].next_s) == -1 ||
		    buf_add_u8(b, e->dests[i].len) == -1 ||
		    buf_add(b, e->dests[i].domain, e->dests[i].len) == -1)
			return -1;
	return 0;
}

static struct place
cursor_place(struct cursor *c)
{
	struct place p;

	p.lsn = cursor_u64(c);
	p.octets = cursor_u32(c);
	return p;
}

static void
decode_dest(struct cursor *c, struct dest *d)
{
	struct span s;

	d->next_s = (int64_t)cursor_u64(c);
	d->len = cursor_u8(c);
	s = cursor_take(c, d->len);
	if (!c->bad && s.len > 0)
		memcpy(d->domain, s.p, s.len);
}

int
entry_decode(struct span in, struct entry *e)
{
	struct cursor c = cursor_make(in);
	size_t i;

	e->base = cursor_place(&c);
	e->through = cursor_u64(&c);
	e->due_s = (int64_t)cursor_u64(&c);
	e->account_hash = cursor_u32(&c);
	e->n = e->cap = cursor_u32(&c);
	e->ndests = cursor_u32(&c);
	if (c.bad || e->n > ENTRY_PLACES_MAX || e->ndests > ENTRY_DESTS_MAX ||
	    c.len < e->n * 12) {
		memset(e, 0, sizeof(*e));
		return -1;
	}
	e->places = xcalloc(e->n + 1, sizeof(*e->places));
	for (i = 0; i < e->n; i++)
		e->places[i] = cursor_place(&c);
	e->dests = xcalloc(e->ndests + 1, sizeof(*e->dests));
	for (i = 0; i < e->ndests; i++)
		decode_dest(&c, &e->dests[i]);
	if (c.bad || c.len != 0) {
		entry_clear(e);
		return -1;
	}
	return 0;
}

static int
add_place(struct entry *e, struct place p)
{
	if (e->n == ENTRY_PLACES_MAX) {
		errno = EOVERFLOW;
		return -1;
	}
	if (e->n >= e->cap) {
		e->cap = e->cap < 4 ? 8 : e->cap * 2;
		e->places = xreallocarray(e->places, e->cap,
		    sizeof(*e->places));
	}
	e->places[e->n++] = p;
	return 0;
}

int
entry_merge(struct entry *e, const struct pend *d)
{
	uint64_t last;
	size_t i, kept = 0;

	if (d->base.lsn > e->base.lsn) {
		e->base = d->base;
		e->through = d->through;
		for (i = 0; i < e->n; i++)
			if (e->places[i].lsn > e->through)
				e->places[kept++] = e->places[i];
		e->n = kept;
	}
	for (i = 0; i < d->n; i++) {
		last = e->n == 0 ? 0 : e->places[e->n - 1].lsn;
		if (d->adds[i].lsn > last && d->adds[i].lsn > e->through &&
		    add_place(e, d->adds[i]) == -1)
			return -1;
	}
	return 0;
}

uint64_t
entry_through(const struct entry *e)
{
	uint64_t last = e->n == 0 ? 0 : e->places[e->n - 1].lsn;

	return last > e->base.lsn ? last : e->base.lsn;
}

static void
add_dest(struct entry *e, struct span domain, int64_t next_s)
{
	struct dest *d;
	size_t i;

	if (domain.len == 0 || domain.len > DOMAIN_MAX)
		return;
	for (i = 0; i < e->ndests; i++) {
		d = &e->dests[i];
		if (span_caseeq_span(span_make(d->domain, d->len), domain)) {
			if (next_s < d->next_s)
				d->next_s = next_s;
			return;
		}
	}
	if (e->ndests == ENTRY_DESTS_MAX)
		return;
	d = &e->dests[e->ndests++];
	d->next_s = next_s;
	d->len = (uint8_t)domain.len;
	for (i = 0; i < domain.len; i++)
		d->domain[i] = ascii_lower(domain.p[i]);
}

void
entry_keys(struct entry *e, const struct letter *l)
{
	uint32_t i;

	e->account_hash = letter_account_hash(l);
	e->due_s = letter_due_s(l);
	if (e->due_s == LETTER_NEVER && !l->held)
		e->due_s = 0;
	free(e->dests);
	e->dests = xcalloc(ENTRY_DESTS_MAX, sizeof(*e->dests));
	e->ndests = 0;
	for (i = 0; i < l->nrcpts && !l->held; i++)
		if (!rcpt_is_settled(&l->rcpts[i]))
			add_dest(e, letter_domain(l->rcpts[i].addr),
			    l->rcpts[i].next_s);
}

static void
key_put(char *p, uint64_t v, size_t octets)
{
	while (octets-- > 0) {
		p[octets] = (char)(v & 0xff);
		v >>= 8;
	}
}

uint64_t
key_u64(const char *p)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < 8; i++)
		v = v << 8 | (unsigned char)p[i];
	return v;
}

uint32_t
key_u32(const char *p)
{
	uint32_t v = 0;
	size_t i;

	for (i = 0; i < 4; i++)
		v = v << 8 | (unsigned char)p[i];
	return v;
}

struct span
key_q(uint64_t qid, char out[KEY_Q_OCTETS])
{
	key_put(out, qid, 8);
	return span_make(out, KEY_Q_OCTETS);
}

struct span
key_due(int64_t due_s, uint64_t qid, char out[KEY_DUE_OCTETS])
{
	key_put(out, due_s < 0 ? 0 : (uint64_t)due_s, 8);
	key_put(out + 8, qid, 8);
	return span_make(out, KEY_DUE_OCTETS);
}

struct span
key_dest(struct span domain, uint32_t hash, int64_t next_s, uint64_t qid,
    char out[KEY_DEST_MAX])
{
	size_t len = domain.len < DOMAIN_MAX ? domain.len : DOMAIN_MAX, i;

	for (i = 0; i < len; i++)
		out[i] = ascii_lower(domain.p[i]);
	out[len++] = '\0'; /* no domain is a prefix of another's keys */
	key_put(out + len, hash, 4);
	key_put(out + len + 4, next_s < 0 ? 0 : (uint64_t)next_s, 8);
	key_put(out + len + 12, qid, 8);
	return span_make(out, len + 20);
}
