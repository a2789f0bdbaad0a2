/*
 * ctl/sendmail_letter.c - the letter that sendmail is given: reading it, the
 * recipients in its header, and what is changed before it is sent.
 */
#include <err.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "ctl/sendmail.h"
#include "lib/mail/addr.h"
#include "lib/mail/address_list.h"
#include "lib/mail/header.h"
#include "lib/mem.h"

#define NAME_MAX_OCTETS 200 /* of a person's name in From */

static bool
is_line(const char *line, size_t len, const char *what)
{
	while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
		len--;
	return len == strlen(what) && memcmp(line, what, len) == 0;
}

/* What mail readers put before a letter in a mailbox is no part of it. */
static bool
is_separator(const char *line, size_t len)
{
	struct span s = span_make(line, len);

	return span_prefix(s, "From ") || span_prefix(s, ">From ");
}

int
letter_read(struct sendmail *m)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	int status = EX_OK;
	bool first = true;

	while ((len = getline(&line, &size, stdin)) != -1) {
		if (!m->ignore_dot && is_line(line, (size_t)len, "."))
			break;
		if (first && is_separator(line, (size_t)len))
			continue;
		first = false;
		if (buf_add(&m->letter, line, (size_t)len) == -1) {
			warnx("the letter is larger than %u octets",
			    LETTER_MAX);
			status = EX_DATAERR;
			break;
		}
	}
	if (ferror(stdin)) {
		warn("reading the letter");
		status = EX_IOERR;
	}
	free(line);
	return status;
}

/* -- recipients ------------------------------------------------------------ */

static int
rcpts_add(struct sendmail *m, char *text)
{
	if (m->nrcpts == RCPTS_MAX) {
		warnx("more than %d recipients", RCPTS_MAX);
		free(text);
		return EX_USAGE;
	}
	m->rcpts = xreallocarray(m->rcpts, m->nrcpts + 1, sizeof(char *));
	m->rcpts[m->nrcpts++] = text;
	return EX_OK;
}

/* A local part that stands alone gets its domain from the suite, later. */
static int
rcpts_take(struct sendmail *m, const struct address *a, struct span list)
{
	char text[ADDR_TEXT];
	const struct span nowhere = span_str("localhost");

	if (a->bad || addr_make(a->local, a->domain.len > 0 ? a->domain :
	    nowhere, text) == -1) {
		if (list.len > 60)
			list.len = 60;
		warnx("not an address in \"%.*s\"", SPAN_ARG(list));
		return EX_DATAERR;
	}
	if (a->domain.len == 0)
		*strrchr(text, '@') = '\0';
	return rcpts_add(m, xstrdup(text));
}

int
rcpts_parse(struct sendmail *m, struct span list)
{
	static struct address_list l;
	struct address a;
	int status = EX_OK;

	address_list_begin(&l, list);
	while (status == EX_OK && address_list_next(&l, &a))
		if (a.kind == ADDRESS_MAILBOX)
			status = rcpts_take(m, &a, list);
	return status;
}

static bool
is_rcpt_field(struct span name, bool resent)
{
	if (span_caseprefix(name, "Resent-") != resent)
		return false;
	if (resent)
		name = span_from(name, strlen("Resent-"));
	return span_caseeq(name, "To") || span_caseeq(name, "Cc") ||
	    span_caseeq(name, "Bcc");
}

static int
rcpts_of_fields(struct sendmail *m, bool resent)
{
	struct header_iter it;
	struct header_field f;
	int status = EX_OK;

	header_begin(&it, buf_span(&m->letter));
	while (status == EX_OK && header_next(&it, &f))
		if (is_rcpt_field(f.name, resent))
			status = rcpts_parse(m, f.value);
	return status;
}

int
letter_rcpts(struct sendmail *m)
{
	size_t before = m->nrcpts;
	int status = rcpts_of_fields(m, true);

	if (status == EX_OK && m->nrcpts == before)
		status = rcpts_of_fields(m, false);
	return status;
}

/* -- From ------------------------------------------------------------------ */

/* The person's name: -F, or the account's up to the first comma, with "&" for
 * the account's own name (passwd(5)). */
static void
own_name(const struct sendmail *m, char *out, size_t size)
{
	const struct passwd *pw;
	const char *p, *login;
	size_t n = 0;

	out[0] = '\0';
	if (m->name != NULL) {
		snprintf(out, size, "%s", m->name);
		return;
	}
	if ((pw = getpwuid(getuid())) == NULL)
		return;
	login = pw->pw_name;
	for (p = pw->pw_gecos; *p != '\0' && *p != ',' && n + 1 < size; p++) {
		if (*p != '&') {
			out[n++] = *p;
			continue;
		}
		n += (size_t)snprintf(out + n, size - n, "%s", login);
		if (n >= size)
			n = size - 1;
	}
	out[n] = '\0';
}

/* "Q" of RFC 2047 section 4.2, one word: names are short. */
static void
add_encoded_name(struct buf *b, const char *name)
{
	buf_add_str(b, "=?UTF-8?Q?");
	for (; *name != '\0'; name++) {
		unsigned char c = (unsigned char)*name;

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9'))
			buf_add_char(b, (char)c);
		else
			buf_addf(b, "=%02X", c);
	}
	buf_add_str(b, "?= ");
}

static void
add_name(struct buf *b, const char *name)
{
	const char *p;

	if (name[0] == '\0')
		return;
	if (!span_printable(span_str(name))) {
		add_encoded_name(b, name);
		return;
	}
	buf_add_char(b, '"');
	for (p = name; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			buf_add_char(b, '\\');
		buf_add_char(b, *p);
	}
	buf_add_str(b, "\" ");
}

static void
add_from(struct sendmail *m, const char *from)
{
	char name[NAME_MAX_OCTETS];

	own_name(m, name, sizeof(name));
	buf_add_str(&m->ready, "From: ");
	add_name(&m->ready, name);
	buf_addf(&m->ready, "<%s>\n", from);
}

void
letter_prepare(struct sendmail *m)
{
	struct header_iter it;
	struct header_field f;
	struct span letter = buf_span(&m->letter);
	bool has_from = false;

	buf_reset(&m->ready);
	header_begin(&it, letter);
	while (header_next(&it, &f)) {
		has_from = has_from || span_caseeq(f.name, "From");
		if (!span_caseeq(f.name, "Bcc") &&
		    !span_caseeq(f.name, "Resent-Bcc"))
			buf_add_span(&m->ready, f.whole);
	}
	if (!has_from)
		add_from(m, m->from != NULL && m->from[0] != '\0' ? m->from :
		    m->address);
	buf_add_span(&m->ready, span_from(letter, it.at));
}
