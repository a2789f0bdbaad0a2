/* lib/span.h - octets that somebody else owns, and how to walk over them. */
#ifndef LIB_SPAN_H
#define LIB_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>
#include <sys/types.h>

#define nitems(a) (sizeof(a) / sizeof((a)[0]))

/* A borrowed run of octets: never NUL-terminated, valid as long as its owner. */
struct span {
	const char *p;
	size_t len;
};

/* For printf's "%.*s": the caller knows that the octets are printable. */
#define SPAN_ARG(s) (int)(s).len, (s).p

static inline struct span
span_make(const void *p, size_t len)
{
	return (struct span){ p, len };
}

static inline struct span
span_str(const char *s)
{
	return (struct span){ s, s == NULL ? 0 : strlen(s) };
}

/* span_eq, span_eqstr - the same octets; span_caseeq - ASCII case aside. */
bool span_eq(struct span a, struct span b);
bool span_eqstr(struct span a, const char *s);
bool span_caseeq(struct span a, const char *s);
bool span_caseeq_span(struct span a, struct span b);

/* span_prefix, span_caseprefix - does a begin with s? */
bool span_prefix(struct span a, const char *s);
bool span_caseprefix(struct span a, const char *s);

/* span_from - what follows the first n octets (n is cut to the length). */
struct span span_from(struct span a, size_t n);

/* span_find - offset of the first octet c, or -1 (rfind: of the last). */
ssize_t span_find(struct span a, char c);
ssize_t span_rfind(struct span a, char c);

/* span_split - head: up to sep; tail: behind it, empty if sep is absent. */
void span_split(struct span in, char sep, struct span *head, struct span *tail);

/*
 * span_next - the next word of *rest, words being separated by runs of sep.
 * Returns false at the end; word borrows from rest.
 */
bool span_next(struct span *rest, char sep, struct span *word);

/* span_trim - without blanks (space, tab) at both ends. */
struct span span_trim(struct span a);

/*
 * span_u64 - the one checked number parser of all protocols: digits alone,
 * at least one, at most 20, no sign and no blank; out is written on success.
 * Returns 0, or -1 when a is no number or exceeds max.
 */
int span_u64(struct span a, uint64_t max, uint64_t *out);

/* span_printable - only 0x20..0x7e. */
bool span_printable(struct span a);

/* span_dup - a NUL-terminated copy on the heap; the caller frees it. */
char *span_dup(struct span a);

/*
 * span_copy - into a char array with a NUL.
 * Returns 0, or -1 if it does not fit or holds a NUL (out is then "").
 */
int span_copy(struct span a, char *out, size_t size);

/* span_hash - SipHash-2-4 keyed once per process; lower: ASCII case aside. */
uint64_t span_hash(struct span a);
uint64_t span_hash_lower(struct span a);

/* ascii_lower - without a locale. */
static inline char
ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

#endif
