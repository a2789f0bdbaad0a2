/*
 * authd/dovecot_reply.c - lines of Dovecot's auth protocol, version 1: words
 * with tabs between. It is a program of this host, and read like a stranger.
 */
#include "authd/outside.h"

/* A failure that says nothing about the password. */
static bool
says_temp(struct span rest)
{
	struct span word;

	while (span_next(&rest, '\t', &word))
		if (span_eqstr(word, "temp") ||
		    span_eqstr(word, "code=temp_fail"))
			return true;
	return false;
}

int
dovecot_reply_parse(struct span line, struct dovecot_reply *out)
{
	static const struct {
		const char *word;
		enum dovecot_kind kind;
	} kinds[] = {
		{ "VERSION", DOVECOT_VERSION },
		{ "OK",      DOVECOT_OK },
		{ "FAIL",    DOVECOT_FAIL },
		{ "CONT",    DOVECOT_CONT },
	};
	struct span word, number, rest;
	uint64_t n;
	size_t i;

	memset(out, 0, sizeof(*out));
	if (memchr(line.p == NULL ? "" : line.p, '\0', line.len) != NULL)
		return -1;
	span_split(line, '\t', &word, &rest);
	if (word.len == 0)
		return -1;
	if (span_eqstr(line, "DONE")) {
		out->kind = DOVECOT_DONE;
		return 0;
	}
	for (i = 0; i < nitems(kinds); i++)
		if (span_eqstr(word, kinds[i].word))
			break;
	if (i == nitems(kinds))
		return 0; /* MECH, SPID, CUID, COOKIE and what may come */
	out->kind = kinds[i].kind;
	span_split(rest, '\t', &number, &rest);
	if (span_u64(number, UINT32_MAX, &n) == -1)
		return -1;
	out->id = (uint32_t)n;
	out->temp = out->kind == DOVECOT_FAIL && says_temp(rest);
	return 0;
}
