/*
 * lib/mail/usershash.c - one password in a line of the users file: what
 * crypt(3) or SCRAM keep of it, and the words of an app password behind.
 */
#include <stdio.h>

#include "lib/mail/usersfile.h"
#include "lib/conf.h"
#include "lib/mail/verifier.h"

#define YEAR_MIN 1970
#define YEAR_MAX 9999

static const struct { const char *word; enum conf_kind kind; } services[] = {
	{ "submission", LISTEN_SUBMISSION },
	{ "pop3",       LISTEN_POP3 },
	{ "imap",       LISTEN_IMAP },
};

/* -- the words behind a hash -- */

bool
users_label_ok(struct span label)
{
	size_t i;

	for (i = 0; i < label.len; i++) {
		char c = ascii_lower(label.p[i]);

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    c != '.' && c != '-' && c != '_')
			return false;
	}
	return label.len > 0 && label.len <= USERSFILE_LABEL_MAX;
}

int
users_scope_parse(struct span in, unsigned *out)
{
	struct span rest = in, word;
	size_t i;

	*out = 0;
	while (span_next(&rest, '|', &word)) {
		for (i = 0; i < nitems(services); i++)
			if (span_eqstr(word, services[i].word))
				break;
		if (i == nitems(services))
			return -1;
		*out |= USERS_SCOPE(services[i].kind);
	}
	return *out == 0 ? -1 : 0;
}

void
users_scope_format(unsigned scope, char out[USERS_SCOPE_TEXT])
{
	size_t i;

	out[0] = '\0';
	for (i = 0; i < nitems(services); i++)
		if ((scope & USERS_SCOPE(services[i].kind)) != 0) {
			if (out[0] != '\0')
				strlcat(out, "|", USERS_SCOPE_TEXT);
			strlcat(out, services[i].word, USERS_SCOPE_TEXT);
		}
}

static unsigned
month_days(unsigned year, unsigned month)
{
	static const unsigned char days[] = { 31, 28, 31, 30, 31, 30, 31, 31,
	    30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[month - 1];
}

int
users_day_parse(struct span in, uint32_t *day)
{
	uint64_t y, m, d;
	unsigned i;

	if (in.len != 10 || in.p[4] != '-' || in.p[7] != '-' ||
	    span_u64(span_make(in.p, 4), YEAR_MAX, &y) == -1 ||
	    span_u64(span_make(in.p + 5, 2), 12, &m) == -1 ||
	    span_u64(span_make(in.p + 8, 2), 31, &d) == -1 || y < YEAR_MIN ||
	    m == 0 || d == 0 || d > month_days((unsigned)y, (unsigned)m))
		return -1;
	*day = (uint32_t)d - 1;
	for (i = YEAR_MIN; i < y; i++)
		*day += month_days(i, 2) + 337;
	for (i = 1; i < m; i++)
		*day += month_days((unsigned)y, i);
	return 0;
}

void
users_day_format(uint32_t day, char out[USERS_DAY_TEXT])
{
	unsigned y = YEAR_MIN, m = 1, n;

	for (; y < YEAR_MAX; y++, day -= n)
		if (day < (n = month_days(y, 2) + 337))
			break;
	for (; m < 12; m++, day -= n)
		if (day < (n = month_days(y, m)))
			break;
	snprintf(out, USERS_DAY_TEXT, "%04u-%02u-%02u", y, m,
	    (unsigned)day + 1);
}

static const char *
parse_word(struct span word, struct users_hash *out)
{
	if (span_prefix(word, "label=")) {
		out->label = span_from(word, 6);
		if (!users_label_ok(out->label))
			return "a label has letters, digits, dot, dash and _";
	} else if (span_prefix(word, "scope=")) {
		if (users_scope_parse(span_from(word, 6), &out->scope) == -1)
			return "scope= knows submission, pop3 and imap, "
			    "with | between";
	} else if (span_prefix(word, "until=")) {
		if (users_day_parse(span_from(word, 6), &out->until) == -1)
			return "until= wants a day as 2027-01-31";
	} else {
		return "behind a hash stands only label=, scope= or until=";
	}
	return NULL;
}

/* -- the hash -- */

static bool
ends_hash(char c)
{
	return c == ',' || c == ':' || c == ' ' || c == '\t';
}

/* One word: a verifier has colons of its own, also behind a lock. */
static struct span
take_word(struct span *rest)
{
	size_t n = 0, locks = 0;

	while (locks < rest->len && (rest->p[locks] == '!' ||
	    rest->p[locks] == '*'))
		locks++;
	n = locks + verifier_length(span_from(*rest, locks));
	while (n < rest->len && !ends_hash(rest->p[n]))
		n++;
	*rest = span_from(*rest, n);
	return span_make(rest->p - n, n);
}

static const char *
check_hash(struct span h)
{
	struct verifier v;

	if (span_prefix(h, VERIFIER_PREFIX))
		return verifier_parse(h, &v) == 0 ? NULL :
		    "no SCRAM-SHA-256 verifier as in RFC 5803, or one of less "
		    "than 4096 iterations";
	if (*h.p != '$' || !span_printable(h) || h.len > USERSFILE_HASH_MAX)
		return "a hash that crypt(3) does not know";
	return NULL;
}

int
users_hash_parse(struct span *rest, struct users_hash *out,
    const char **complaint)
{
	struct span all = span_trim(*rest), word;
	bool locked;

	*rest = all;
	*out = (struct users_hash){ .until = USERSFILE_NO_UNTIL };
	out->text = take_word(rest);
	locked = out->text.len == 0 || *out->text.p == '*' ||
	    *out->text.p == '!';
	if (!locked && (*complaint = check_hash(out->text)) != NULL)
		return -1;
	for (;;) {
		*rest = span_trim(*rest);
		if (rest->len == 0 || *rest->p == ',' || *rest->p == ':')
			return locked ? 0 : 1;
		word = take_word(rest);
		if ((*complaint = parse_word(word, out)) != NULL)
			return -1;
	}
}
