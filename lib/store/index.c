/*
 * lib/store/index.c - what a mailbox's index holds, in memory: the header, the
 * records of the mapped base and those that were read onto the heap. Nothing
 * here writes. Records stay in the map until a delta changes one of them.
 */
#include "lib/store/index.h"
#include "lib/store/index_in.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/crc32c.h"
#include "lib/mem.h"

#define IX_VERSION 1

static const uint8_t ix_magic[8] = { 'b', 'a', 'r', 'i', 'd', 'i', 'x', '\n' };

void
ix_rec_encode(const struct ix_rec *r, uint8_t out[IX_RECORD_OCTETS])
{
	put_u32(out, r->uid);
	put_u32(out + 4, r->flags);
	put_u32(out + 8, r->twin);
	put_u32(out + 12, r->from_octets);
	put_u32(out + 16, r->head_octets);
	put_u32(out + 20, 0);
	put_u64(out + 24, r->modseq);
	put_u64(out + 32, r->place);
	put_u64(out + 40, r->octets);
	put_u64(out + 48, r->wire);
	put_u64(out + 56, (uint64_t)r->arrived_s);
	memcpy(out + 64, r->digest, IX_DIGEST_OCTETS);
	memcpy(out + 80, r->token, STORE_TOKEN_OCTETS);
	memset(out + 90, 0, 6);
}

void
ix_rec_decode(const uint8_t in[IX_RECORD_OCTETS], struct ix_rec *r)
{
	r->uid = get_u32(in);
	r->flags = get_u32(in + 4);
	r->twin = get_u32(in + 8);
	r->from_octets = get_u32(in + 12);
	r->head_octets = get_u32(in + 16);
	r->modseq = get_u64(in + 24);
	r->place = get_u64(in + 32);
	r->octets = get_u64(in + 40);
	r->wire = get_u64(in + 48);
	r->arrived_s = (int64_t)get_u64(in + 56);
	memcpy(r->digest, in + 64, IX_DIGEST_OCTETS);
	memcpy(r->token, in + 80, STORE_TOKEN_OCTETS);
}

/* The header, as ix_header_decode reads it; wire: what the base sums up to. */
void
ix_header_encode(const struct index *ix, uint32_t base_n,
    uint8_t out[IX_HEADER_OCTETS])
{
	memset(out, 0, IX_HEADER_OCTETS);
	memcpy(out, ix_magic, sizeof(ix_magic));
	put_u32(out + 8, IX_VERSION);
	put_u32(out + 12, IX_RECORD_OCTETS);
	put_u32(out + 16, ix->uidvalidity);
	put_u32(out + 20, ix->generation);
	put_u32(out + 24, ix->uidnext);
	put_u32(out + 28, ix->uid_reserved);
	put_u64(out + 32, ix->modseq);
	put_u64(out + 40, ix->modseq_reserved);
	put_u32(out + 48, base_n);
	put_u64(out + 56, ix->seen.size);
	put_u64(out + 64, (uint64_t)ix->seen.mtime_ns);
	put_u64(out + 72, ix->seen.inode);
	put_u64(out + 80, ix->boot);
	put_u64(out + 88, ix->wire);
	memcpy(out + 96, ix->uuid, sizeof(ix->uuid));
	put_u32(out + 124, crc32c(0, out, 124));
}

int
ix_header_decode(struct index *ix, const uint8_t *p, uint64_t file_size,
    uint32_t *base_n)
{
	uint64_t end;

	if (file_size < IX_HEADER_OCTETS || memcmp(p, ix_magic, 8) != 0)
		return -1;
	/* Known even if the rest is damaged: the next must be above it. */
	ix->uidvalidity = get_u32(p + 16);
	if (get_u32(p + 8) != IX_VERSION ||
	    get_u32(p + 12) != IX_RECORD_OCTETS ||
	    get_u32(p + 124) != crc32c(0, p, 124))
		return -1;
	ix->generation = get_u32(p + 20);
	ix->uidnext = get_u32(p + 24);
	ix->uid_reserved = get_u32(p + 28);
	ix->modseq = get_u64(p + 32);
	ix->modseq_reserved = get_u64(p + 40);
	*base_n = get_u32(p + 48);
	ix->seen.size = get_u64(p + 56);
	ix->seen.mtime_ns = (int64_t)get_u64(p + 64);
	ix->seen.inode = get_u64(p + 72);
	ix->boot = get_u64(p + 80);
	ix->wire = get_u64(p + 88);
	memcpy(ix->uuid, p + 96, sizeof(ix->uuid));
	end = IX_HEADER_OCTETS + (uint64_t)*base_n * IX_RECORD_OCTETS;
	if (ix->uidnext == 0 || ix->uidvalidity == 0 ||
	    *base_n > IX_LETTERS_MAX || end > file_size)
		return -1;
	ix->log_begin = ix->log_end = end;
	ix->log_floor = ix->modseq;
	return 0;
}

/* Record i of the mapped base; i < ix->mapped. */
static const uint8_t *
base_rec(const struct index *ix, uint32_t i)
{
	return ix->map + IX_HEADER_OCTETS + (size_t)i * IX_RECORD_OCTETS;
}

uint32_t
index_count(const struct index *ix)
{
	return ix->mapped + ix->n_heap;
}

void
index_get(const struct index *ix, uint32_t i, struct ix_rec *out)
{
	if (i < ix->mapped)
		ix_rec_decode(base_rec(ix, i), out);
	else
		*out = ix->heap[i - ix->mapped];
}

static uint32_t
uid_at(const struct index *ix, uint32_t i)
{
	if (i < ix->mapped)
		return get_u32(base_rec(ix, i));
	return ix->heap[i - ix->mapped].uid;
}

uint32_t
index_find(const struct index *ix, uint32_t uid)
{
	uint32_t lo = 0, hi = index_count(ix), mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (uid_at(ix, mid) < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/*
 * A filter of 2^20 bits, two a digest: nearly every new letter is known to have
 * no twin without a look at all the others.
 */
#define FILTER_OCTETS ((size_t)1 << 17)

void
ix_filter_add(struct index *ix, const uint8_t *digest)
{
	uint32_t a = get_u32(digest) >> 12, b = get_u32(digest + 4) >> 12;

	if (ix->filter == NULL)
		return;
	ix->filter[a >> 3] |= (uint8_t)(1u << (a & 7));
	ix->filter[b >> 3] |= (uint8_t)(1u << (b & 7));
}

static bool
filter_has(const struct index *ix, const uint8_t *digest)
{
	uint32_t a = get_u32(digest) >> 12, b = get_u32(digest + 4) >> 12;

	return (ix->filter[a >> 3] & (1u << (a & 7))) != 0 &&
	    (ix->filter[b >> 3] & (1u << (b & 7))) != 0;
}

static void
filter_fill(struct index *ix)
{
	uint32_t i;

	ix->filter = xcalloc(1, FILTER_OCTETS);
	for (i = 0; i < ix->mapped; i++)
		ix_filter_add(ix, base_rec(ix, i) + 64);
	for (i = 0; i < ix->n_heap; i++)
		ix_filter_add(ix, ix->heap[i].digest);
}

uint32_t
ix_twin(struct index *ix, const uint8_t *digest)
{
	uint32_t i, next = 0;
	struct ix_rec r;

	if (ix->filter == NULL)
		filter_fill(ix);
	if (!filter_has(ix, digest))
		return 0;
	for (i = 0; i < index_count(ix); i++) {
		index_get(ix, i, &r);
		if (memcmp(r.digest, digest, IX_DIGEST_OCTETS) == 0 &&
		    r.twin >= next && r.twin < UINT32_MAX)
			next = r.twin + 1;
	}
	return next;
}

bool
index_token(const struct index *ix, const uint8_t *token, uint32_t *uid)
{
	static const uint8_t none[STORE_TOKEN_OCTETS];
	uint32_t i;

	if (memcmp(token, none, sizeof(none)) == 0)
		return false;
	for (i = 0; i < ix->mapped; i++)
		if (memcmp(base_rec(ix, i) + 80, token, sizeof(none)) == 0) {
			*uid = uid_at(ix, i);
			return true;
		}
	for (i = 0; i < ix->n_heap; i++)
		if (memcmp(ix->heap[i].token, token, sizeof(none)) == 0) {
			*uid = ix->heap[i].uid;
			return true;
		}
	*uid = 0;
	for (i = 0; i < ix->n_gone && i < IX_GONE_MAX; i++)
		if (memcmp(ix->gone[i], token, sizeof(none)) == 0)
			return true;
	return false;
}

void
ix_remember(struct index *ix, const uint8_t *token)
{
	static const uint8_t none[STORE_TOKEN_OCTETS];

	if (memcmp(token, none, sizeof(none)) == 0)
		return;
	if (ix->gone == NULL)
		ix->gone = xcalloc(IX_GONE_MAX, sizeof(*ix->gone));
	memcpy(ix->gone[ix->n_gone % IX_GONE_MAX], token, sizeof(none));
	ix->n_gone++;
	if (ix->n_gone == 2 * IX_GONE_MAX)
		ix->n_gone = IX_GONE_MAX; /* full stays full */
}

/*
 * Which start of the machine this is: what an earlier one wrote last may be
 * lost. Where /proc cannot be read, the time of the start, coarsely, serves.
 */
uint64_t
ix_boot(void)
{
	uint64_t v = 0;
	char id[36];
	int fd;
	size_t i;

	fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	if (fd != -1 && read(fd, id, sizeof(id)) == (ssize_t)sizeof(id))
		for (i = 0; i < sizeof(id); i++) /* FNV-1a */
			v = (v ^ (uint8_t)id[i]) * 0x100000001b3u;
	else
		v = (uint64_t)(clock_now_s() - clock_boot_ms() / 1000) / 128;
	if (fd != -1)
		close(fd);
	return v;
}
