/*
 * check.h - what a unit test says. A test is one program:
 *
 *	int
 *	main(void)
 *	{
 *		check_begin("null path");
 *		check_int(addr_parse_path(span_str("<>"), &a), 0);
 *		return check_end();
 *	}
 *
 * Each check counts; one that fails prints file:line, the case that
 * check_begin() named, and both values, and the test goes on. Each gives true
 * if it held, for the test that must not go on. check_end() prints the closing
 * line and gives the exit status: 0 if all held and there was at least one.
 */
#ifndef TESTS_UNIT_CHECK_H
#define TESTS_UNIT_CHECK_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/span.h"

#ifndef nitems
#define nitems(a)	(sizeof(a) / sizeof((a)[0]))
#endif

static struct {
	const char	*name;	/* borrowed: the case at hand */
	unsigned	 cases, checks, failed;
} check_state = { "", 0, 0, 0 };

/* check_begin - names what comes next; NAME must stay valid. */
static inline void
check_begin(const char *name)
{
	check_state.name = name;
	check_state.cases++;
}

static inline bool
check_count(bool held, const char *file, int line, const char *what)
{
	check_state.checks++;
	if (held)
		return true;
	check_state.failed++;
	printf("%s:%d: [%s] %s", file, line, check_state.name, what);
	return false;
}

/* Octets as a person can read them. */
static inline void
check_print(const void *p, size_t len)
{
	const unsigned char *s = p;
	size_t i;

	putchar('"');
	for (i = 0; i < len; i++) {
		if (s[i] == '"' || s[i] == '\\')
			printf("\\%c", s[i]);
		else if (s[i] >= ' ' && s[i] <= '~')
			putchar(s[i]);
		else
			printf("\\x%02x", s[i]);
	}
	putchar('"');
}

static inline bool
check_true_at(bool v, const char *file, int line, const char *what)
{
	if (check_count(v, file, line, what))
		return true;
	printf(" is false\n");
	return false;
}

static inline bool
check_int_at(intmax_t got, intmax_t want, const char *file, int line,
    const char *what)
{
	if (check_count(got == want, file, line, what))
		return true;
	printf(" is %" PRIdMAX ", not %" PRIdMAX "\n", got, want);
	return false;
}

static inline bool
check_mem_at(const void *got, size_t got_len, const void *want,
    size_t want_len, const char *file, int line, const char *what)
{
	bool same = got_len == want_len &&
	    (want_len == 0 || memcmp(got, want, want_len) == 0);

	if (check_count(same, file, line, what))
		return true;
	printf(" is\n\t");
	check_print(got, got_len);
	printf(", not\n\t");
	check_print(want, want_len);
	printf("\n");
	return false;
}

/* Either may be NULL: NULL equals NULL alone. */
static inline bool
check_str_at(const char *got, const char *want, const char *file, int line,
    const char *what)
{
	if (got != NULL && want != NULL)
		return check_mem_at(got, strlen(got), want, strlen(want), file,
		    line, what);
	if (check_count(got == want, file, line, what))
		return true;
	printf(" is %s, not %s\n", got == NULL ? "NULL" : got,
	    want == NULL ? "NULL" : want);
	return false;
}

#define check_true(v)		check_true_at((v), __FILE__, __LINE__, #v)
#define check_int(got, want)	check_int_at((intmax_t)(got),		\
	(intmax_t)(want), __FILE__, __LINE__, #got)
#define check_str(got, want)	check_str_at((got), (want), __FILE__,	\
	__LINE__, #got)
#define check_mem(got, got_len, want, want_len)				\
	check_mem_at((got), (got_len), (want), (want_len), __FILE__,	\
	    __LINE__, #got)
/* check_span - WANT is a string */
#define check_span(got, want)						\
	check_span_at((got), (want), __FILE__, __LINE__, #got)

static inline bool
check_span_at(struct span got, const char *want, const char *file, int line,
    const char *what)
{
	return check_mem_at(got.p, got.len, want, strlen(want), file, line,
	    what);
}

static inline int
check_end(void)
{
	printf("%u cases, %u checks, %u failed\n", check_state.cases,
	    check_state.checks, check_state.failed);
	return check_state.failed == 0 && check_state.checks > 0 ? 0 : 1;
}

#endif /* TESTS_UNIT_CHECK_H */
