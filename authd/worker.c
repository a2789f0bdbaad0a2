/*
 * authd/worker.c - authd -w: look-ups that may block, one at a time, in a
 * process that can do nothing else. Rows of users files go to authd without
 * their hashes; the first worker sends them.
 */
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "authd/directory.h"
#include "authd/worker.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/mem.h"

#define NSS_ROOM_MAX (1024u * 1024) /* one passwd entry, whoever wrote it */
#define PASSWORD_MAX 1000
#define GECOS_MAX    200

/* NSS modules leak, hold descriptors of servers that have gone, and know users
 * that have been deleted: a worker lives for so long, then begins anew. */
#define LIFE_QUESTIONS 10000
#define LIFE_MIN_MS    (60 * 1000)  /* whoever asks a lot, as guessers do */
#define LIFE_MS        (6 * 3600 * 1000)
#define LIFE_APART_MS  (600 * 1000) /* not all of them at once */
#define LEFT_OCTETS    16384        /* an answer on its way; no table */

/* -- users files -- */

/* Says what is wrong with lines, and sends the rows: one of us is enough. */
static bool
is_first(const struct worker *w)
{
	return w->daemon.instance == 0;
}

static void
send_one(struct worker *w, const struct hashed_users *u)
{
	struct channel *ch = daemon_peer(&w->daemon, ROLE_AUTHD, 0);

	if (is_first(w) && u->loaded && channel_is_open(ch))
		hashed_send(u, ch);
}

static void
send_all(struct worker *w)
{
	size_t i;

	for (i = 0; i < w->nusers; i++)
		send_one(w, &w->users[i]);
}

static void
on_authd_up(void *arg, struct channel *ch)
{
	(void)ch;
	send_all(arg);
}

static void
worker_file(void *arg, const char *name, int fd)
{
	struct worker *w = arg;
	uid_t uid_min = w->daemon.id.none ? 1 : SYSTEM_UID_MIN;
	size_t i;

	for (i = 0; i < w->nusers; i++) {
		struct hashed_users *u = &w->users[i];

		if (u->file == NULL || strcmp(u->file, name) != 0)
			continue;
		if (hashed_read(u, fd, w->daemon.conf->users[i].owner != NULL,
		    uid_min, is_first(w)) == -1)
			log_warn("%s", name);
		else
			send_one(w, u);
	}
	close(fd);
}

/* Tables whose file is the same are kept. */
static void
adopt(struct worker *w)
{
	const struct conf *c = w->daemon.conf;
	struct hashed_users *old = w->users;
	size_t i, k, nold = w->nusers;

	w->nusers = c->nusers;
	w->users = xcalloc(w->nusers + 1, sizeof(*w->users));
	for (i = 0; i < w->nusers; i++) {
		struct hashed_users *u = &w->users[i];
		const char *file = c->users[i].system ? NULL :
		    c->users[i].file;

		for (k = 0; k < nold && file != NULL; k++) {
			if (old[k].file == NULL ||
			    strcmp(old[k].file, file) != 0)
				continue;
			x_free(&old[k].name);
			x_free(&old[k].file);
			*u = old[k];
			memset(&old[k], 0, sizeof(old[k]));
		}
		u->name = xstrdup(c->users[i].name);
		u->file = file == NULL ? NULL : xstrdup(file);
		u->passwords = c->users[i].passwords;
	}
	for (k = 0; k < nold; k++) {
		hashed_clear(&old[k]);
		x_free(&old[k].name);
		x_free(&old[k].file);
	}
	x_free(&old);
}

static void
worker_start(void *arg)
{
	struct worker *w = arg;

	w->started_ms = clock_boot_ms();
	secret_init(&w->secret);
	adopt(w);
}

static int
worker_reload(void *arg, const struct conf *old)
{
	(void)old;
	adopt(arg);
	send_all(arg);
	return 0;
}

/* -- the end, and a new beginning -- */

/*
 * Called with each answer. What authd asks before it has noticed goes to
 * another worker; a table that is on its way is sent to its end first.
 */
static void
served(struct worker *w, struct channel *authd)
{
	int64_t life_ms = LIFE_MS + LIFE_APART_MS * (int64_t)w->daemon.instance;
	int64_t lived_ms = clock_boot_ms() - w->started_ms;
	struct ipc_writer out;

	w->questions++;
	if (lived_ms < LIFE_MIN_MS ||
	    (w->questions < LIFE_QUESTIONS && lived_ms < life_ms))
		return;
	if (w->leaving || channel_queued(authd) > LEFT_OCTETS)
		return;
	w->leaving = true;
	out = ipc_begin(&w->daemon.master, IPC_RENEW, 0, 0);
	(void)ipc_end(&out);
	daemon_exit(&w->daemon);
}

/* -- the host's accounts -- */

/* By name, or by uid if name is NULL. The entry's strings lie in *room, which
 * the caller frees. Returns PW_OK, PW_NONE or PW_TEMP. */
static uint8_t
look_up(const char *name, uid_t uid, struct passwd *pw, char **room)
{
	struct passwd *found = NULL;
	size_t size = 4096;
	int error;

	*room = xmalloc(size);
	for (;;) {
		error = name != NULL ?
		    getpwnam_r(name, pw, *room, size, &found) :
		    getpwuid_r(uid, pw, *room, size, &found);
		if (error == EINTR)
			continue;
		if (error != ERANGE || size >= NSS_ROOM_MAX)
			break;
		size *= 2;
		*room = xreallocarray(*room, size, 1);
	}
	if (found != NULL)
		return PW_OK;
	/* Some modules say "none" by an error; all others are no answer, and
	 * mail for an account that is only out of reach must not bounce. */
	return error == 0 || error == ENOENT || error == ESRCH ? PW_NONE :
	    PW_TEMP;
}

/* The name of the person: up to the first comma, in printable octets. */
static struct span
full_name(const char *gecos)
{
	struct span s = span_str(gecos), rest;
	size_t i;

	span_split(s, ',', &s, &rest);
	if (s.len > GECOS_MAX)
		s.len = GECOS_MAX;
	for (i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			s.len = i;
	return s;
}

static void
answer_account(struct ipc_msg *m, const char *name, uid_t uid)
{
	struct ipc_writer w = ipc_reply_begin(m->ch, m, IPC_PW);
	struct passwd pw;
	char *room;
	uint8_t status = look_up(name, uid, &pw, &room);
	bool ok = status == PW_OK;

	ipc_put_u8(&w, status);
	ipc_put_str(&w, ok ? pw.pw_name : "");
	ipc_put_u32(&w, ok ? (uint32_t)pw.pw_uid : 0);
	ipc_put_u32(&w, ok ? (uint32_t)pw.pw_gid : 0);
	ipc_put_str(&w, ok && strlen(pw.pw_dir) < IPC_PATH_MAX ? pw.pw_dir :
	    "");
	ipc_put_span(&w, ok ? full_name(pw.pw_gecos) : span_make(NULL, 0));
	(void)ipc_end(&w);
	x_free(&room);
}

static int
on_pw_name(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);
	struct span name = ipc_get_span(&rd, 255);
	char text[256];

	if (!ipc_at_end(&rd) || span_copy(name, text, sizeof(text)) == -1)
		return -1;
	answer_account(m, text, 0);
	served(arg, m->ch);
	return 0;
}

static int
on_pw_uid(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);
	uint32_t uid = ipc_get_u32(&rd);

	if (!ipc_at_end(&rd))
		return -1;
	answer_account(m, NULL, (uid_t)uid);
	served(arg, m->ch);
	return 0;
}

static int
on_pw_check(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);
	struct span block = ipc_get_span(&rd, CONF_LABEL_MAX);
	struct span address = ipc_get_span(&rd, ADDR_PATH_MAX);
	struct span password = ipc_get_span(&rd, PASSWORD_MAX);
	uint8_t service = ipc_get_u8(&rd);
	char text[PASSWORD_MAX + 1];
	struct ipc_writer w;
	uint8_t status;

	(void)ipc_get_span(&rd, ADDR_PATH_MAX); /* the client */
	if (!ipc_at_end(&rd) || service > LISTEN_SUBMIT)
		return -1;
	(void)span_copy(password, text, sizeof(text));
	explicit_bzero((void *)(uintptr_t)password.p, password.len);
	status = password_check(arg, block, address, text, service);
	explicit_bzero(text, sizeof(text));
	w = ipc_reply_begin(m->ch, m, IPC_PW_CHECKED);
	ipc_put_u8(&w, status);
	(void)ipc_end(&w);
	served(arg, m->ch);
	return 0;
}

static size_t
worker_status(void *arg, struct daemon_status *out, size_t max)
{
	const struct worker *w = arg;
	uint64_t rows = 0;
	size_t i;

	for (i = 0; i < w->nusers; i++)
		rows += w->users[i].rows.names.n;
	if (max == 0)
		return 0;
	out[0] = (struct daemon_status){ "rows", rows };
	return 1;
}

int
worker_main(void)
{
	static const struct ipc_handler authd_handlers[] = {
		{ IPC_PW_NAME,  on_pw_name },
		{ IPC_PW_UID,   on_pw_uid },
		{ IPC_PW_CHECK, on_pw_check },
		{ IPC_PW_SCRAM, on_pw_scram },
		{ IPC_PW_PROOF, on_pw_proof },
		IPC_HANDLERS_END
	};
	static const struct daemon_peer peers[] = {
		{ ROLE_AUTHD, authd_handlers, on_authd_up, NULL },
		{ ROLE_LOGD,  NULL,           NULL,        NULL },
		{ ROLE_NONE,  NULL,           NULL,        NULL },
	};
	static const struct daemon_spec spec = {
		.role = ROLE_AUTHW,
		.peers = peers,
		.start = worker_start,
		.reload = worker_reload,
		.file = worker_file,
		.status = worker_status,
	};
	static struct worker w; /* crypt_data is too big for a stack */

	return daemon_main(&spec, &w.daemon, &w);
}
