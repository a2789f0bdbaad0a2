/* lib/span.c - walking over borrowed octets, and the one number parser. */
#include "lib/span.h"

#include <stdlib.h>
#include <sys/types.h>

#include "lib/mem.h"

bool
span_eq(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

bool
span_eqstr(struct span a, const char *s)
{
	return span_eq(a, span_str(s));
}

bool
span_caseeq_span(struct span a, struct span b)
{
	size_t i;

	if (a.len != b.len)
		return false;
	for (i = 0; i < a.len; i++)
		if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
			return false;
	return true;
}

bool
span_caseeq(struct span a, const char *s)
{
	return span_caseeq_span(a, span_str(s));
}

bool
span_prefix(struct span a, const char *s)
{
	size_t n = strlen(s);

	return a.len >= n && (n == 0 || memcmp(a.p, s, n) == 0);
}

bool
span_caseprefix(struct span a, const char *s)
{
	size_t n = strlen(s);

	return a.len >= n && span_caseeq_span(span_make(a.p, n), span_str(s));
}

struct span
span_from(struct span a, size_t n)
{
	if (n > a.len)
		n = a.len;
	return n == 0 ? a : span_make(a.p + n, a.len - n);
}

ssize_t
span_find(struct span a, char c)
{
	const char *p = a.len == 0 ? NULL : memchr(a.p, c, a.len);

	return p == NULL ? -1 : p - a.p;
}

ssize_t
span_rfind(struct span a, char c)
{
	const char *p = a.len == 0 ? NULL : memrchr(a.p, c, a.len);

	return p == NULL ? -1 : p - a.p;
}

void
span_split(struct span in, char sep, struct span *head, struct span *tail)
{
	ssize_t at = span_find(in, sep);

	if (at == -1) {
		*head = in;
		*tail = span_from(in, in.len);
		return;
	}
	*head = span_make(in.p, (size_t)at);
	*tail = span_from(in, (size_t)at + 1);
}

bool
span_next(struct span *rest, char sep, struct span *word)
{
	while (rest->len > 0 && rest->p[0] == sep)
		*rest = span_from(*rest, 1);
	if (rest->len == 0)
		return false;
	span_split(*rest, sep, word, rest);
	return true;
}

struct span
span_trim(struct span a)
{
	while (a.len > 0 && (a.p[0] == ' ' || a.p[0] == '\t'))
		a = span_from(a, 1);
	while (a.len > 0 &&
	    (a.p[a.len - 1] == ' ' || a.p[a.len - 1] == '\t'))
		a.len--;
	return a;
}

int
span_u64(struct span a, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;
	size_t i;

	if (a.len == 0 || a.len > 20) /* 2^64-1 has 20 digits */
		return -1;
	for (i = 0; i < a.len; i++) {
		uint64_t d = (uint64_t)(unsigned char)a.p[i] - '0';

		if (d > 9 || v > (UINT64_MAX - d) / 10)
			return -1;
		v = v * 10 + d;
	}
	if (v > max)
		return -1;
	*out = v;
	return 0;
}

bool
span_printable(struct span a)
{
	size_t i;

	for (i = 0; i < a.len; i++)
		if (a.p[i] < 0x20 || a.p[i] > 0x7e)
			return false;
	return true;
}

char *
span_dup(struct span a)
{
	char *s = xmalloc(a.len + 1);

	if (a.len > 0)
		memcpy(s, a.p, a.len);
	s[a.len] = '\0';
	return s;
}

int
span_copy(struct span a, char *out, size_t size)
{
	if (size == 0)
		return -1;
	out[0] = '\0';
	if (a.len >= size || span_find(a, '\0') != -1)
		return -1;
	if (a.len > 0)
		memcpy(out, a.p, a.len);
	out[a.len] = '\0';
	return 0;
}

/*
 * SipHash-2-4 (Aumasson, Bernstein 2012): keys of hash tables come from
 * clients, so that the place in a table must not be foreseen (lesson 42).
 */
static uint64_t sip_key[2];
static bool sip_ready;

#define ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))

static void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = ROTL(v[1], 13) ^ v[0];
	v[3] = ROTL(v[3], 16) ^ v[2];
	v[0] = ROTL(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = ROTL(v[1], 17) ^ v[2];
	v[3] = ROTL(v[3], 21) ^ v[0];
	v[2] = ROTL(v[2], 32);
}

static void
sip_word(uint64_t v[4], uint64_t m)
{
	v[3] ^= m;
	sip_round(v);
	sip_round(v);
	v[0] ^= m;
}

static uint64_t
sip_hash(struct span a, bool lower)
{
	uint64_t v[4], m = 0;
	size_t i;

	if (!sip_ready) {
		arc4random_buf(sip_key, sizeof(sip_key));
		sip_ready = true;
	}
	v[0] = sip_key[0] ^ 0x736f6d6570736575;
	v[1] = sip_key[1] ^ 0x646f72616e646f6d;
	v[2] = sip_key[0] ^ 0x6c7967656e657261;
	v[3] = sip_key[1] ^ 0x7465646279746573;
	for (i = 0; i < a.len; i++) {
		char c = lower ? ascii_lower(a.p[i]) : a.p[i];

		m |= (uint64_t)(unsigned char)c << (8 * (i % 8));
		if (i % 8 == 7) {
			sip_word(v, m);
			m = 0;
		}
	}
	sip_word(v, m | (uint64_t)(a.len & 0xff) << 56);
	v[2] ^= 0xff;
	for (i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t
span_hash(struct span a)
{
	return sip_hash(a, false);
}

uint64_t
span_hash_lower(struct span a)
{
	return sip_hash(a, true);
}
