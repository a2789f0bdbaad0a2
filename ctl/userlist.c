/*
 * ctl/userlist.c - barid user list: accounts and what their passwords open,
 * never what is kept of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "ctl/user.h"
#include "lib/clock.h"
#include "lib/ipc/types.h"
#include "lib/mail/addr.h"
#include "lib/mail/usersfile.h"

#define DAY_S 86400

struct listing {
	const struct ctl *ctl;
	const char *path;
	char only[ADDR_TEXT + ADDR_DOMAIN_TEXT]; /* "": all; or @domain */
	size_t shown, bad;
};

static const char *
kind_of(const struct users_hash *h)
{
	return span_prefix(h->text, VERIFIER_PREFIX) ? "scram-sha-256" :
	    "crypt";
}

static bool
is_expired(const struct users_hash *h)
{
	return h->until != USERSFILE_NO_UNTIL &&
	    clock_now_s() / DAY_S > h->until;
}

/* -- JSON -- */

static void
put_member(const char *key, struct span value)
{
	printf(",\"%s\":", key);
	put_json(stdout, value);
}

static void
put_list(const char *key, const char *text, char sep)
{
	struct span rest = span_str(text), word;
	size_t n = 0;

	printf(",\"%s\":[", key);
	while (span_next(&rest, sep, &word)) {
		if (n++ > 0)
			putchar(',');
		put_json(stdout, word);
	}
	putchar(']');
}

static void
put_password(const struct users_hash *h)
{
	char scope[USERS_SCOPE_TEXT], day[USERS_DAY_TEXT];

	printf("{\"kind\":\"%s\"", kind_of(h));
	if (h->label.len > 0)
		put_member("label", h->label);
	users_scope_format(h->scope, scope);
	if (h->scope != 0)
		put_list("scope", scope, '|');
	if (h->until != USERSFILE_NO_UNTIL) {
		users_day_format(h->until, day);
		printf(",\"until\":\"%s\",\"expired\":%s", day,
		    is_expired(h) ? "true" : "false");
	}
	putchar('}');
}

static void
show_json(const struct listing *l, const struct users_line *row)
{
	size_t i;

	fputs("{\"address\":", stdout);
	put_json(stdout, row->address);
	put_member("file", span_str(l->path));
	if (row->uid != USERSFILE_NO_UID)
		printf(",\"uid\":%u", (unsigned)row->uid);
	if (row->quota != USERSFILE_NO_QUOTA)
		printf(",\"quota\":%ju", (uintmax_t)row->quota);
	if (row->home.len > 0)
		put_member("home", row->home);
	printf(",\"login\":%s,\"mail\":%s",
	    (row->flags & USER_F_NOLOGIN) != 0 ? "false" : "true",
	    (row->flags & USER_F_NOMAIL) != 0 ? "false" : "true");
	if (row->senders[0] != '\0')
		put_list("senders", row->senders, ',');
	fputs(",\"passwords\":[", stdout);
	for (i = 0; i < row->nhashes; i++) {
		if (i > 0)
			putchar(',');
		put_password(&row->hashes[i]);
	}
	fputs("]}\n", stdout);
}

/* -- for people -- */

static void
show_password(const struct users_hash *h, size_t i)
{
	char scope[USERS_SCOPE_TEXT], day[USERS_DAY_TEXT];

	printf("%s%.*s%s%s", i > 0 ? ", " : "", SPAN_ARG(h->label),
	    h->label.len > 0 ? " " : "", kind_of(h));
	users_scope_format(h->scope, scope);
	if (h->scope != 0)
		printf(" for %s", scope);
	if (h->until != USERSFILE_NO_UNTIL) {
		users_day_format(h->until, day);
		printf(" %s %s", is_expired(h) ? "until (over)" : "until", day);
	}
}

static void
show_text(const struct users_line *row)
{
	char human[HUMAN_MAX];
	size_t i;

	put_safe(stdout, row->address);
	fputs(": ", stdout);
	for (i = 0; i < row->nhashes; i++)
		show_password(&row->hashes[i], i);
	if (row->nhashes == 0)
		fputs("no password", stdout);
	if (row->uid != USERSFILE_NO_UID)
		printf("; uid %u", (unsigned)row->uid);
	if (row->quota != USERSFILE_NO_QUOTA)
		printf("; quota %s", row->quota == 0 ? "none" :
		    human_octets(row->quota, human));
	if ((row->flags & USER_F_NOLOGIN) != 0)
		fputs("; no login", stdout);
	if ((row->flags & USER_F_NOMAIL) != 0)
		fputs("; no mail", stdout);
	if (row->home.len > 0) {
		fputs("; home ", stdout);
		put_safe(stdout, row->home);
	}
	if (row->senders[0] != '\0')
		printf("; sends as %s", row->senders);
	putchar('\n');
}

/* -- the file -- */

static bool
is_wanted(const struct listing *l, struct span address)
{
	ssize_t at = span_rfind(address, '@');

	if (l->only[0] == '@')
		return at != -1 && span_eqstr(span_from(address, (size_t)at),
		    l->only);
	return l->only[0] == '\0' || span_eqstr(address, l->only);
}

static const char *
on_row(void *arg, const struct users_line *row)
{
	struct listing *l = arg;

	if (!is_wanted(l, row->address))
		return NULL;
	l->shown++;
	if (l->ctl->json)
		show_json(l, row);
	else
		show_text(row);
	return NULL;
}

static void
on_bad(void *arg, unsigned line, const char *complaint)
{
	struct listing *l = arg;

	l->bad++;
	complain("%s:%u: %s", l->path, line, complaint);
}

/* "domain" and "@domain" alike, in lower case; else an account's name. */
static void
set_only(struct listing *l, const char *only)
{
	char domain[ADDR_DOMAIN_TEXT];
	const char *sign = strrchr(only, '@'), *name;

	name = sign == NULL ? only : sign + 1;
	if (sign == NULL && strchr(only, '.') == NULL) {
		(void)strlcpy(l->only, only, sizeof(l->only));
	} else if (domain_canon(span_str(name), domain) == 0) {
		if (sign != NULL)
			(void)span_copy(span_make(only, (size_t)(sign -
			    only)), l->only, ADDR_TEXT);
		(void)strlcat(l->only, "@", sizeof(l->only));
		(void)strlcat(l->only, domain, sizeof(l->only));
	} else {
		(void)strlcpy(l->only, only, sizeof(l->only));
	}
}

int
user_list(const struct ctl *c, const char *path, const char *only)
{
	struct listing l = { .ctl = c, .path = path };
	struct users_sink sink = { on_row, on_bad, &l };
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), status = 0;

	if (only != NULL)
		set_only(&l, only);
	if (fd == -1 || usersfile_read(fd, &sink) == -1) {
		status = errno == EACCES ? EX_NOPERM : EX_NOINPUT;
		complain("%s: %s", path, strerror(errno));
	} else if (l.bad > 0) {
		status = EX_DATAERR;
	}
	if (fd != -1)
		close(fd);
	return status;
}
