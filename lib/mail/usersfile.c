/*
 * lib/mail/usersfile.c - reads the users file, in authd -w. A bad line is told
 * with its number and left out; the rest stands.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/mail/usersfile.h"
#include "lib/buf.h"
#include "lib/ipc/types.h"
#include "lib/mail/addr.h"

#define FORM "not of the form address : hash : uid : quota : flags"

enum { F_UID, F_QUOTA, F_FLAGS, F_MAX }; /* behind the hashes */

bool
account_name_ok(struct span name)
{
	size_t i;

	if (name.len == 0 || name.len > USERSFILE_ADDR_MAX || *name.p == '.')
		return false;
	for (i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.p[i];

		if (c <= ' ' || c == 0x7f || c == '/')
			return false;
	}
	return true;
}

/* "user" or "user@domain", the domain in lower case. */
static const char *
parse_address(struct span in, struct users_line *out)
{
	char text[ADDR_TEXT];
	struct addr a;

	if (in.len > USERSFILE_ADDR_MAX)
		return "the address is too long";
	if (span_find(in, '@') == -1) {
		(void)span_copy(in, out->name, sizeof(out->name));
	} else {
		if (addr_parse_mailbox(in, &a) == -1 || a.literal)
			return "no address of the form user@domain";
		if (span_copy(addr_canon(&a, text), out->name,
		    sizeof(out->name)) == -1)
			return "the address is too long";
	}
	out->address = span_str(out->name);
	if (!account_name_ok(out->address))
		return "this address cannot name a mailbox";
	return NULL;
}

static const char *
parse_hashes(struct span *rest, struct users_line *out)
{
	const char *complaint = NULL;
	struct users_hash h;

	for (;;) {
		int rv = users_hash_parse(rest, &h, &complaint);

		if (rv == -1)
			return complaint;
		if (rv == 1 && out->nhashes == USERSFILE_HASHES)
			return "too many hashes";
		if (rv == 1)
			out->hashes[out->nhashes++] = h;
		if (rest->len == 0 || *rest->p != ',')
			return NULL;
		*rest = span_from(*rest, 1);
	}
}

static const char *
parse_uid(struct span in, struct users_line *out)
{
	uint64_t uid;

	if (in.len == 0)
		return NULL;
	if (span_u64(in, UINT32_MAX - 2, &uid) == -1)
		return "the uid is no number";
	out->uid = (uid_t)uid;
	return NULL;
}

static const char *
parse_quota(struct span in, struct users_line *out)
{
	static const char units[] = "KMGT";
	unsigned shift = 0;
	const char *u;
	uint64_t v;

	if (in.len == 0 || span_eqstr(in, "-"))
		return NULL;
	if ((u = strchr(units, in.p[in.len - 1])) != NULL && *u != '\0') {
		shift = 10 * ((unsigned)(u - units) + 1);
		in.len--;
	}
	if (span_u64(in, (UINT64_MAX >> 1) >> shift, &v) == -1)
		return "the quota is no size";
	out->quota = v << shift;
	return NULL;
}

/* An address without quotes, or @domain: what MAIL may say, and From. */
static const char *
add_sender(struct span in, struct users_line *out)
{
	char text[ADDR_TEXT], domain[ADDR_DOMAIN_TEXT];
	size_t used = strlen(out->senders), room = sizeof(out->senders) - used;
	struct addr a;
	int n;

	if (in.len > 0 && *in.p == '@') {
		if (domain_canon(span_from(in, 1), domain) == -1)
			return "sender= without a domain behind the @";
		n = snprintf(out->senders + used, room, "%s@%s",
		    used == 0 ? "" : ",", domain);
	} else {
		if (addr_parse_mailbox(in, &a) == -1 || a.literal ||
		    span_find(in, '"') != -1)
			return "sender= is no user@domain and no @domain";
		in = addr_canon(&a, text);
		n = snprintf(out->senders + used, room, "%s%.*s",
		    used == 0 ? "" : ",", SPAN_ARG(in));
	}
	if (n < 0 || (size_t)n >= room ||
	    ++out->nsenders > USERSFILE_SENDERS)
		return "too many sender=";
	return NULL;
}

static const char *
parse_flags(struct span in, struct users_line *out)
{
	const char *complaint;
	struct span rest = in, f;

	while (span_next(&rest, ',', &f)) {
		f = span_trim(f);
		if (f.len == 0)
			continue;
		if (span_prefix(f, "sender=")) {
			complaint = add_sender(span_from(f, 7), out);
			if (complaint != NULL)
				return complaint;
		} else if (span_eqstr(f, "nologin")) {
			out->flags |= USER_F_NOLOGIN;
		} else if (span_eqstr(f, "nomail")) {
			out->flags |= USER_F_NOMAIL;
		} else if (span_prefix(f, "home=/") && span_printable(f) &&
		    f.len - 5 <= USERSFILE_HOME_MAX) {
			out->home = span_from(f, 5);
		} else {
			return "a flag that is not nologin, nomail, home=/path "
			    "or sender=";
		}
	}
	return NULL;
}

/* uid, quota and flags: what stands behind the hashes, a colon in front. */
static const char *
parse_tail(struct span rest, struct users_line *out)
{
	struct span field[F_MAX] = { { NULL, 0 } };
	const char *complaint;
	size_t n;

	for (n = 0; n < F_MAX && rest.len > 0; n++) {
		ssize_t colon;

		rest = span_from(rest, 1);
		colon = span_find(rest, ':');
		field[n] = colon == -1 ? rest :
		    span_make(rest.p, (size_t)colon);
		rest = span_from(rest, field[n].len);
		field[n] = span_trim(field[n]);
	}
	if (rest.len > 0)
		return FORM;
	if ((complaint = parse_uid(field[F_UID], out)) == NULL &&
	    (complaint = parse_quota(field[F_QUOTA], out)) == NULL)
		complaint = parse_flags(field[F_FLAGS], out);
	return complaint;
}

int
users_line_parse(struct span line, struct users_line *out,
    const char **complaint)
{
	struct span rest = span_trim(line), address;
	ssize_t colon;

	memset(out, 0, sizeof(*out));
	out->uid = USERSFILE_NO_UID;
	out->quota = USERSFILE_NO_QUOTA;
	if (rest.len == 0 || *rest.p == '#')
		return 0;
	if (memchr(rest.p, '\0', rest.len) != NULL) {
		*complaint = "a NUL octet";
		return -1;
	}
	if ((colon = span_find(rest, ':')) == -1) {
		*complaint = FORM;
		return -1;
	}
	address = span_trim(span_make(rest.p, (size_t)colon));
	rest = span_from(rest, (size_t)colon + 1);
	if ((*complaint = parse_address(address, out)) != NULL ||
	    (*complaint = parse_hashes(&rest, out)) != NULL ||
	    (*complaint = parse_tail(rest, out)) != NULL)
		return -1;
	return 1;
}

/* Where a read of the file stands. */
struct usersfile {
	const struct users_sink *sink;
	unsigned line, rows;
	bool skipping; /* within a line that is too long */
};

static void
take_line(struct usersfile *f, struct span line)
{
	struct users_line row;
	const char *complaint = NULL;
	int rv;

	f->line++;
	if (f->skipping) {
		f->skipping = false;
		return;
	}
	if (line.len > 0 && line.p[line.len - 1] == '\r')
		line.len--;
	if (line.len > USERSFILE_LINE_MAX) {
		f->sink->bad(f->sink->arg, f->line, "the line is too long");
		return;
	}
	rv = users_line_parse(line, &row, &complaint);
	if (rv == 1 && f->rows >= USERSFILE_ROWS_MAX)
		complaint = "too many rows";
	else if (rv == 1)
		complaint = f->sink->row(f->sink->arg, &row);
	if (complaint != NULL)
		f->sink->bad(f->sink->arg, f->line, complaint);
	else if (rv == 1)
		f->rows++;
}

/* All whole lines of b, and at the end of the file what is left of it. */
static void
take_lines(struct usersfile *f, struct buf *b, bool at_end)
{
	struct span all = buf_span(b), line, tail;

	while (all.len > 0) {
		ssize_t nl = span_find(all, '\n');

		if (nl == -1 && !at_end && all.len <= USERSFILE_LINE_MAX)
			break;
		if (nl == -1 && !at_end) {
			if (!f->skipping)
				f->sink->bad(f->sink->arg, f->line + 1,
				    "the line is too long");
			f->skipping = true;
			all.len = 0;
			break;
		}
		span_split(all, '\n', &line, &tail);
		take_line(f, line);
		all = nl == -1 ? span_from(all, all.len) : tail;
	}
	buf_drop(b, b->len - all.len);
}

int
usersfile_read(int fd, const struct users_sink *sink)
{
	struct usersfile f = { .sink = sink };
	struct buf b = BUF_INIT(256 * 1024);
	struct stat st;
	off_t at = 0;
	ssize_t n = 0;

	if (fstat(fd, &st) == -1)
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	do {
		char *p = buf_reserve(&b, 128 * 1024);

		if ((n = pread(fd, p, 128 * 1024, at)) > 0) {
			buf_grow(&b, (size_t)n);
			at += n;
		}
		if (n >= 0)
			take_lines(&f, &b, n == 0);
	} while (n > 0 || (n == -1 && errno == EINTR));
	buf_wipe(&b);
	return n == -1 ? -1 : 0;
}
