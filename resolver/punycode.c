/*
 * resolver/punycode.c - the encoder of RFC 3492 for the labels of a domain. The
 * way back is not needed: what the DNS answers stays ASCII.
 */
#include "resolver/punycode.h"

#include <string.h>

/* RFC 3492 section 5: the parameters of IDNA. */
enum { BASE = 36, TMIN = 1, TMAX = 26, SKEW = 38, DAMP = 700, BIAS = 72,
	INITIAL = 128 };

#define LABEL_MAX  63
#define POINTS_MAX LABEL_MAX /* more code points never fit a label */

/* The next code point of in, or -1; only the shortest form, no surrogates. */
static int32_t
next_point(struct span *in)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = (const unsigned char *)in->p;
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 :
	    p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0, i;
	uint32_t c;

	if (n == 0 || n > in->len)
		return -1;
	c = n == 1 ? p[0] : p[0] & (0x7fu >> n);
	for (i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return -1;
		c = c << 6 | (p[i] & 0x3fu);
	}
	if (c < least[n] || (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff)
		return -1;
	*in = span_from(*in, n);
	return (int32_t)c;
}

static char
digit(uint32_t d)
{
	return (char)(d < 26 ? 'a' + d : '0' + d - 26);
}

static uint32_t
adapt(uint32_t delta, uint32_t points, bool first)
{
	uint32_t k;

	delta = first ? delta / DAMP : delta / 2;
	delta += delta / points;
	for (k = 0; delta > ((BASE - TMIN) * TMAX) / 2; k += BASE)
		delta /= BASE - TMIN;
	return k + (BASE - TMIN + 1) * delta / (delta + SKEW);
}

/* One delta as a number of variable length (RFC 3492 section 3.3). */
static int
delta_put(struct buf *out, uint32_t q, uint32_t bias)
{
	uint32_t k, t;

	for (k = BASE;; k += BASE) {
		t = k <= bias ? TMIN : k >= bias + TMAX ? TMAX : k - bias;
		if (q < t)
			return buf_add_char(out, digit(q));
		if (buf_add_char(out, digit(t + (q - t) % (BASE - t))) == -1)
			return -1;
		q = (q - t) / (BASE - t);
	}
}

/* in: n code points, of which the ASCII ones are in out already. No overflow:
 * at most 63 points below 0x110000. */
static int
deltas_put(const uint32_t *in, uint32_t n, uint32_t basic, struct buf *out)
{
	uint32_t done = basic, delta = 0, bias = BIAS, now = INITIAL, least, i;

	while (done < n) {
		for (least = UINT32_MAX, i = 0; i < n; i++)
			if (in[i] >= now && in[i] < least)
				least = in[i];
		delta += (least - now) * (done + 1);
		now = least;
		for (i = 0; i < n; i++) {
			if (in[i] < now)
				delta++;
			if (in[i] != now)
				continue;
			if (delta_put(out, delta, bias) == -1)
				return -1;
			bias = adapt(delta, done + 1, done == basic);
			delta = 0;
			done++;
		}
		delta++;
		now++;
	}
	return 0;
}

static int
label_put(struct span label, struct buf *out)
{
	uint32_t points[POINTS_MAX], n = 0, basic = 0, i;
	size_t start = out->len;
	int32_t c;

	while (label.len > 0) {
		if (n == POINTS_MAX || (c = next_point(&label)) == -1)
			return -1;
		points[n++] = (uint32_t)c;
		basic += c < 0x80;
	}
	if (basic < n && buf_add_str(out, "xn--") == -1)
		return -1;
	for (i = 0; i < n; i++)
		if (points[i] < 0x80 &&
		    buf_add_char(out, (char)points[i]) == -1)
			return -1;
	if (basic < n && ((basic > 0 && buf_add_char(out, '-') == -1) ||
	    deltas_put(points, n, basic, out) == -1))
		return -1;
	return out->len - start <= LABEL_MAX ? 0 : -1;
}

int
punycode_domain(struct span in, char out[DNS_NAME_TEXT + 1])
{
	struct buf b = BUF_INIT(DNS_NAME_TEXT);
	ssize_t dot;
	int rv = -1;

	for (;;) {
		dot = span_find(in, '.');
		if (label_put(span_make(in.p, dot == -1 ? in.len :
		    (size_t)dot), &b) == -1 ||
		    (dot != -1 && buf_add_char(&b, '.') == -1))
			goto done;
		if (dot == -1)
			break;
		in = span_from(in, (size_t)dot + 1);
	}
	rv = span_copy(buf_span(&b), out, DNS_NAME_TEXT + 1);
done:
	buf_clear(&b);
	return rv;
}
