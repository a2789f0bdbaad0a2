/*
 * lib/store/scan.c - reads mbox text once, a line at a time with memchr, and
 * tells of each letter. The first scan of a mailbox and every delivery go
 * through the same code, so that both give the same sizes and digests.
 */
#include "lib/store/scan.h"

#include <errno.h>
#include <string.h>

#include "lib/log.h"
#include "lib/mail/mbox.h"
#include "lib/mem.h"
#include "lib/store/file.h"

/* A header beyond this is not looked at again to recognise a letter. */
#define HEAD_CHECK_MAX ((size_t)4 << 20)

void
scan_init(struct scan *s, int (*found)(void *arg, struct ix_rec *rec),
    void *arg)
{
	memset(s, 0, sizeof(*s));
	s->found = found;
	s->arg = arg;
	s->ctx = EVP_MD_CTX_new();
	s->md = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (s->ctx == NULL || s->md == NULL)
		fatalx("SHA-256 is missing");
}

void
scan_clear(struct scan *s)
{
	EVP_MD_CTX_free(s->ctx);
	EVP_MD_free(s->md);
	s->ctx = NULL;
	s->md = NULL;
}

void
scan_start(struct scan *s, uint64_t at)
{
	s->at = at;
	s->in_letter = s->in_line = false;
}

static void
digest_add(struct scan *s, const char *p, size_t len)
{
	if (EVP_DigestUpdate(s->ctx, p, len) != 1)
		fatalx("SHA-256 failed");
}

static void
letter_begin(struct scan *s, size_t from_octets, int64_t arrived_s)
{
	memset(&s->rec, 0, sizeof(s->rec));
	s->rec.place = s->at;
	s->rec.from_octets = (uint32_t)from_octets;
	s->rec.arrived_s = arrived_s;
	s->body = 0;
	s->blank = 0;
	s->in_letter = s->in_header = true;
	s->skipping = s->skip_digest = false;
	if (EVP_DigestInit_ex2(s->ctx, s->md, NULL) != 1)
		fatalx("SHA-256 failed");
}

static void
header_end(struct scan *s, uint64_t end)
{
	unsigned char md[EVP_MAX_MD_SIZE];
	uint64_t head = end - s->rec.place - s->rec.from_octets;
	unsigned len;

	s->in_header = false;
	s->rec.head_octets = head > UINT32_MAX ? UINT32_MAX : (uint32_t)head;
	if (EVP_DigestFinal_ex(s->ctx, md, &len) != 1)
		fatalx("SHA-256 failed");
	memcpy(s->rec.digest, md, IX_DIGEST_OCTETS);
}

static int
letter_end(struct scan *s)
{
	if (!s->in_letter)
		return 0;
	if (s->in_header)
		header_end(s, s->at);
	s->in_letter = false;
	s->rec.octets = s->at - s->rec.place;
	/* The empty line behind a letter is not part of it. */
	if (s->blank > 0) {
		s->rec.wire -= 2;
		s->rec.flags |= s->blank == 1 ? IX_BLANK_LF : IX_BLANK_CRLF;
	}
	return s->found(s->arg, &s->rec);
}

static uint64_t
count_cr(const char *p, size_t len)
{
	const char *end = p + len;
	uint64_t n = 0;

	while ((p = memchr(p, '\r', (size_t)(end - p))) != NULL) {
		n++;
		if (++p == end)
			break;
	}
	return n;
}

/* What one line of a letter is on the wire; whole: with its LF. */
static uint64_t
line_wire(const char *p, size_t len, bool begins, bool whole, bool has_cr)
{
	uint64_t n = len;

	if (begins && len > 0 && *p == '>' &&
	    mbox_is_quoted(span_make(p, len)))
		n--;
	if (has_cr)
		n -= count_cr(p, len);
	return n + (whole ? 2 : 0);
}

static void
header_line(struct scan *s, const char *p, size_t len, bool whole, bool has_cr)
{
	struct span line = span_make(p, len);
	bool begins = !s->in_line;

	if (begins && (len == 0 || (len == 1 && *p == '\r')) && whole) {
		header_end(s, s->at + len + 1);
		s->rec.wire += 2;
		return;
	}
	if (begins && len > 0 && *p != ' ' && *p != '\t') {
		s->skipping = mbox_is_state_line(line);
		/* mutt writes Lines beside them. */
		s->skip_digest = s->skipping || span_caseprefix(line, "Lines:");
	}
	if (!s->skipping)
		s->rec.wire += line_wire(p, len, begins, whole, has_cr);
	if (!s->skip_digest)
		digest_add(s, p, len + (whole ? 1 : 0));
}

static void
body_line(struct scan *s, const char *p, size_t len, bool whole, bool has_cr)
{
	if (!s->in_line && whole && (len == 0 || (len == 1 && *p == '\r')))
		s->blank = (unsigned)len + 1;
	else
		s->blank = 0;
	s->rec.wire += line_wire(p, len, !s->in_line, whole, has_cr);
}

static bool
is_from(struct scan *s, const char *p, size_t len, int64_t *when)
{
	return !s->in_line && len >= 5 && *p == 'F' &&
	    mbox_is_separator(span_make(p, len), when);
}

int
scan_feed(struct scan *s, struct span piece)
{
	const char *p = piece.p, *end = p + piece.len, *nl;
	bool has_cr, whole;
	int64_t when = 0;
	size_t len;

	has_cr = piece.len > 0 && memchr(p, '\r', piece.len) != NULL;
	for (; p < end; p += len + (whole ? 1 : 0)) {
		nl = memchr(p, '\n', (size_t)(end - p));
		whole = nl != NULL;
		len = (size_t)((whole ? nl : end) - p);
		if (is_from(s, p, len, &when)) {
			if (letter_end(s) == -1)
				return -1;
			letter_begin(s, len + (whole ? 1 : 0), when);
		} else if (s->in_letter && s->in_header)
			header_line(s, p, len, whole, has_cr);
		else if (s->in_letter)
			body_line(s, p, len, whole, has_cr);
		s->at += len + (whole ? 1 : 0);
		s->in_line = !whole;
	}
	return 0;
}

int
scan_end(struct scan *s)
{
	if (s->in_letter && s->in_line && !(s->in_header && s->skipping) &&
	    s->at - s->rec.place > s->rec.from_octets)
		s->rec.wire += 2; /* mbox_decode_end gives it a line end */
	s->in_line = false;
	return letter_end(s);
}

int
scan_file(struct scan *s, int fd, uint64_t from, uint64_t to)
{
	char *block = xmalloc(SCAN_BLOCK), *nl;
	size_t held = 0, cut, want;
	ssize_t n;
	int rv = -1;

	scan_start(s, from);
	while (from < to || held > 0) {
		want = SCAN_BLOCK - held;
		if (want > to - from)
			want = (size_t)(to - from);
		n = file_read(fd, block + held, want, from);
		if (n == -1)
			goto done;
		if ((size_t)n < want)
			to = from + (size_t)n; /* another cut it */
		from += (size_t)n;
		held += (size_t)n;
		nl = from < to ? memrchr(block, '\n', held) : NULL;
		cut = nl != NULL ? (size_t)(nl + 1 - block) : held;
		if (scan_feed(s, span_make(block, cut)) == -1)
			goto done;
		held -= cut;
		memmove(block, block + cut, held);
	}
	rv = scan_end(s);
done:
	mem_free(block);
	return rv;
}

static int
digest_found(void *arg, struct ix_rec *rec)
{
	memcpy(arg, rec->digest, IX_DIGEST_OCTETS);
	return 0;
}

int
scan_digest(int fd, const struct ix_rec *r, uint8_t out[IX_DIGEST_OCTETS])
{
	size_t len = (size_t)r->from_octets + r->head_octets;
	uint64_t place = r->place;
	struct scan s;
	char *p;
	int rv = -1;

	if (len > HEAD_CHECK_MAX || len > r->octets) {
		errno = EFBIG;
		return -1;
	}
	p = xmalloc(len + 1);
	scan_init(&s, digest_found, out);
	scan_start(&s, place);
	if (file_read(fd, p, len, place) == (ssize_t)len &&
	    scan_feed(&s, span_make(p, len)) == 0 && s.in_letter &&
	    s.rec.place == place)
		rv = scan_end(&s);
	scan_clear(&s);
	mem_free(p);
	return rv;
}
