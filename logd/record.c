/*
 * logd/record.c - events of a daily file encoded, checked and read back; the
 * filters of its blocks. What is read may be damaged: nothing is believed.
 */
#include "logd/record.h"

#include "lib/ipc/event.h"

/* FNV-1a: it has to notice a torn end and a bad sector, not an enemy. */
static uint32_t
check_sum(struct span s)
{
	uint32_t h = 2166136261u;
	size_t i;

	for (i = 0; i < s.len; i++)
		h = (h ^ (unsigned char)s.p[i]) * 16777619u;
	return h;
}

int
record_encode(const struct record *r, struct buf *out)
{
	size_t len = RECORD_HEAD + r->fields.len;
	char *p;

	if (len > RECORD_MAX || (p = buf_reserve(out, len)) == NULL)
		return -1;
	put_u32(p, (uint32_t)len);
	put_u64(p + 8, r->time_us);
	put_u64(p + 16, r->qid);
	put_u64(p + 24, r->sid);
	put_u16(p + 32, (uint16_t)r->code);
	p[34] = (char)r->role;
	p[35] = (char)r->instance;
	if (r->fields.len > 0)
		memcpy(p + RECORD_HEAD, r->fields.p, r->fields.len);
	put_u32(p + 4, check_sum(span_make(p + 8, len - 8)));
	buf_grow(out, len);
	return 0;
}

int
record_next(struct span block, size_t *at, struct record *r)
{
	struct span rest = span_from(block, *at);
	uint32_t len;

	if (rest.len < 4)
		return rest.len == 0 || block.len == DAY_BLOCK ? 0 : -1;
	if ((len = get_u32(rest.p)) == 0)
		return 0;
	if (len < RECORD_HEAD || len > RECORD_MAX || len > rest.len ||
	    get_u32(rest.p + 4) != check_sum(span_make(rest.p + 8, len - 8)))
		return -1;
	r->time_us = get_u64(rest.p + 8);
	r->qid = get_u64(rest.p + 16);
	r->sid = get_u64(rest.p + 24);
	r->code = get_u16(rest.p + 32);
	r->role = (unsigned char)rest.p[34];
	r->instance = (unsigned char)rest.p[35];
	r->fields = span_make(rest.p + RECORD_HEAD, len - RECORD_HEAD);
	*at += len;
	return 1;
}

struct span
record_field(const struct record *r, unsigned key)
{
	struct span rest = r->fields;
	struct event_field f;

	while (event_next(&rest, &f))
		if (f.key == key && !f.is_number)
			return f.text;
	return span_make("", 0);
}

/* The same in every run: neighbours among ids go far apart. */
static uint64_t
mix(uint64_t v)
{
	v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9u;
	v = (v ^ (v >> 27)) * 0x94d049bb133111ebu;
	return v ^ (v >> 31);
}

/* Four bits of the filter, 13 bits of the hash for each. */
static size_t
filter_bit(uint64_t hash, unsigned i)
{
	return (hash >> 13 * i) & (FILTER_OCTETS * 8 - 1);
}

void
filter_add(unsigned char filter[FILTER_OCTETS], uint64_t id)
{
	uint64_t hash = mix(id);
	unsigned i;

	for (i = 0; id != 0 && i < 4; i++)
		filter[filter_bit(hash, i) / 8] |=
		    (unsigned char)(1u << filter_bit(hash, i) % 8);
}

bool
filter_has(const unsigned char filter[FILTER_OCTETS], uint64_t id)
{
	uint64_t hash = mix(id);
	unsigned i;

	for (i = 0; i < 4; i++)
		if ((filter[filter_bit(hash, i) / 8] &
		    1u << filter_bit(hash, i) % 8) == 0)
			return false;
	return true;
}

void
filter_block(unsigned char filter[FILTER_OCTETS], struct span block)
{
	struct record r;
	size_t at = 0;

	memset(filter, 0, FILTER_OCTETS);
	if (span_prefix(block, DAY_MAGIC))
		at = MAGIC_OCTETS;
	while (record_next(block, &at, &r) == 1) {
		filter_add(filter, r.qid);
		filter_add(filter, r.sid);
	}
}
