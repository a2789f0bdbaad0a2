/*
 * authd/hashed.c - a users file in authd -w: the rows with their hashes, and
 * the rows without them on their way to authd.
 */
#include <errno.h>
#include <stdlib.h>

#include "lib/mail/usersfile.h"
#include "authd/worker.h"
#include "lib/buf.h"
#include "lib/log.h"
#include "lib/mail/verifier.h"
#include "lib/mem.h"

/* A USERS_ROW is ended once it holds this much: one more row fits. */
#define BATCH_OCTETS (IPC_BODY_MAX - 4096)

#define MODEL_STEPS 4096 /* rows without a password that are passed over */
#define HASH_HEAD 7 /* octets in front of each hash: see password_add */

/* A read under way. */
struct reading {
	struct hashed_users *u;
	bool has_owner, loud;
	uid_t uid_min;
};

void
hashed_clear(struct hashed_users *u)
{
	rows_clear(&u->rows);
	x_free(&u->hash_at);
	if (u->text != NULL)
		explicit_bzero(u->text, u->text_cap);
	x_free(&u->text);
	u->hash_cap = u->text_len = u->text_cap = u->npasswords = 0;
	u->loaded = false;
	u->complaints = 0;
}

/* Grown by hand: what realloc leaves behind would hold hashes. */
static void
text_add(struct hashed_users *u, struct span s)
{
	if (s.len > u->text_cap - u->text_len) {
		size_t cap = (u->text_cap + s.len + 65536) * 2;
		char *more = xmalloc(cap);

		if (u->text != NULL) {
			memcpy(more, u->text, u->text_len);
			explicit_bzero(u->text, u->text_cap);
		}
		x_free(&u->text);
		u->text = more;
		u->text_cap = cap;
	}
	memcpy(u->text + u->text_len, s.p, s.len);
	u->text_len += s.len;
}

/* One password: its scope, its last day, its length, itself with a NUL. */
static void
password_add(struct hashed_users *u, const struct users_hash *h)
{
	unsigned char head[HASH_HEAD];

	head[0] = (unsigned char)h->scope;
	put_u32(head + 1, h->until);
	put_u16(head + 5, (uint16_t)h->text.len);
	text_add(u, span_make(head, sizeof(head)));
	text_add(u, h->text);
	text_add(u, span_make("", 1));
}

/* A client that has SCRAM may use nothing else: then it must work with every
 * password of the account, for which they need one salt. */
static bool
all_scram(const struct users_line *line)
{
	struct verifier v, first;
	size_t i;

	for (i = 0; i < line->nhashes; i++) {
		if (verifier_parse(line->hashes[i].text, &v) == -1)
			return false;
		if (i == 0)
			first = v;
		if (v.iterations != first.iterations ||
		    !span_eq(span_make(v.salt, v.nsalt),
		    span_make(first.salt, first.nsalt)))
			return false;
	}
	return true;
}

static const char *
add_row(void *arg, const struct users_line *line)
{
	struct reading *rd = arg;
	struct hashed_users *u = rd->u;
	struct user_row row = { .quota = line->quota, .uid = line->uid,
	    .flags = (uint8_t)line->flags };
	size_t n = u->rows.names.n, i;

	if (line->uid == USERSFILE_NO_UID && !rd->has_owner)
		return "no uid, and the users block has no owner";
	if (line->uid != USERSFILE_NO_UID && line->uid < rd->uid_min)
		return "a uid below 1000 is the system's";
	if (u->text_len > UINT32_MAX / 2)
		return "the file is too big";
	if (rows_add(&u->rows, line->address, &row, line->home,
	    span_str(line->senders)) == -1)
		return errno == EEXIST ? "this address is there already" :
		    "no row can have this name";
	if (n == u->hash_cap) {
		u->hash_cap = u->hash_cap == 0 ? 64 : u->hash_cap * 2;
		u->hash_at = xreallocarray(u->hash_at, u->hash_cap,
		    sizeof(*u->hash_at));
	}
	u->hash_at[n] = (uint32_t)u->text_len;
	for (i = 0; i < line->nhashes; i++)
		password_add(u, &line->hashes[i]);
	if (line->nhashes > 0 && u->npasswords++ == 0)
		u->first_password = n;
	if ((line->flags & USER_F_NOLOGIN) == 0 && !all_scram(line))
		u->scram = false;
	return NULL;
}

static void
bad_line(void *arg, unsigned number, const char *complaint)
{
	struct reading *rd = arg;

	if (rd->loud && rd->u->complaints++ < WORKER_COMPLAINTS_MAX)
		log_warnx("%s:%u: %s; the line is left out", rd->u->file,
		    number, complaint);
}

int
hashed_read(struct hashed_users *u, int fd, bool has_owner, uid_t uid_min,
    bool loud)
{
	struct hashed_users fresh = { .name = u->name, .file = u->file,
	    .passwords = u->passwords, .scram = true };
	struct reading rd = { &fresh, has_owner, loud, uid_min };
	struct users_sink sink = { add_row, bad_line, &rd };

	if (usersfile_read(fd, &sink) == -1) {
		int error = errno;

		hashed_clear(&fresh);
		errno = error;
		return -1; /* what was known stays */
	}
	if (fresh.complaints > WORKER_COMPLAINTS_MAX)
		log_warnx("%s: %u lines are left out in all", u->file,
		    fresh.complaints);
	hashed_clear(u);
	*u = fresh;
	u->loaded = true;
	return 0;
}

static struct hashed_walk
walk_row(const struct hashed_users *u, size_t row)
{
	size_t end = row + 1 < u->rows.names.n ? u->hash_at[row + 1] :
	    u->text_len;

	return (struct hashed_walk){ span_make(u->text + u->hash_at[row],
	    end - u->hash_at[row]) };
}

bool
hashed_find(const struct hashed_users *u, struct span address,
    struct hashed_walk *out)
{
	uint32_t row;

	*out = (struct hashed_walk){ { NULL, 0 } };
	if (!table_find(&u->rows.names, address, &row))
		return false;
	*out = walk_row(u, row);
	return out->rest.len > 0;
}

/* From a place that the name alone decides, on to one that has a password. */
bool
hashed_model(const struct hashed_users *u, uint64_t place,
    struct hashed_walk *out)
{
	size_t n = u->rows.names.n, i;

	*out = (struct hashed_walk){ { NULL, 0 } };
	if (u->npasswords == 0)
		return false;
	for (i = 0; i < MODEL_STEPS && i < n; i++) {
		*out = walk_row(u, (size_t)((place + i) % n));
		if (out->rest.len > 0)
			return true;
	}
	*out = walk_row(u, u->first_password);
	return true;
}

bool
hashed_next(struct hashed_walk *w, struct hashed_one *out)
{
	const char *p = w->rest.p;

	if (w->rest.len < HASH_HEAD)
		return false;
	out->scope = (unsigned char)p[0];
	out->until = get_u32(p + 1);
	out->text = span_make(p + HASH_HEAD, get_u16(p + 5));
	w->rest = span_from(w->rest, HASH_HEAD + out->text.len + 1);
	return true;
}

static size_t
send_batch(const struct hashed_users *u, struct channel *ch, size_t first)
{
	struct ipc_writer w = ipc_begin(ch, IPC_USERS_ROW, 0, 0);
	size_t n, octets = 0, i;

	for (n = 0; first + n < u->rows.names.n && n < UINT16_MAX &&
	    octets < BATCH_OCTETS; n++)
		octets += 29 + table_name(&u->rows.names, first + n).len +
		    strlen(rows_home(&u->rows, first + n)) +
		    strlen(rows_senders(&u->rows, first + n));
	ipc_put_u16(&w, (uint16_t)n);
	for (i = first; i < first + n; i++) {
		const struct user_row *row = &u->rows.list[i];

		ipc_put_span(&w, table_name(&u->rows.names, i));
		ipc_put_u32(&w, row->uid);
		ipc_put_u32(&w, UINT32_MAX); /* gid: authd asks if it must */
		ipc_put_u64(&w, row->quota);
		ipc_put_u8(&w, row->flags);
		ipc_put_str(&w, rows_home(&u->rows, i));
		ipc_put_str(&w, rows_senders(&u->rows, i));
	}
	(void)ipc_end(&w);
	return first + n;
}

void
hashed_send(const struct hashed_users *u, struct channel *ch)
{
	struct ipc_writer w = ipc_begin(ch, IPC_USERS_BEGIN, 0, 0);
	size_t at = 0;

	ipc_put_str(&w, u->name);
	(void)ipc_end(&w);
	while (at < u->rows.names.n)
		at = send_batch(u, ch, at);
	w = ipc_begin(ch, IPC_USERS_END, 0, 0);
	ipc_put_u32(&w, (uint32_t)u->rows.names.n);
	ipc_put_u8(&w, u->scram);
	(void)ipc_end(&w);
}
