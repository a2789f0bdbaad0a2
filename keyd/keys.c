/*
 * keyd/keys.c - key files, and which key is held for which tls block and role.
 * Certificates and keys change one after the other, in each program at another
 * moment: between them both keys are held.
 */
#include "keyd/keys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/mem.h"

/* Blocks that one program can ever name between two restarts of it: those of an
 * old and of a new configuration, each of at most 100. */
#define WORDS_MAX 256

#define HEX 17 /* of a name as it is logged: its first 8 octets */

static const char *
name_hex(const uint8_t name[SIGN_KEY], char out[HEX])
{
	size_t i;

	for (i = 0; i < (HEX - 1) / 2; i++)
		snprintf(out + 2 * i, 3, "%02x", name[i]);
	return out;
}

static bool
same_name(const uint8_t a[SIGN_KEY], const uint8_t b[SIGN_KEY])
{
	return memcmp(a, b, SIGN_KEY) == 0;
}

/* -- files ----------------------------------------------------------------- */

static struct key_file *
file_find(const struct keys *k, const char *path)
{
	struct key_file *f;

	for (f = k->files; f != NULL; f = f->next)
		if (strcmp(f->path, path) == 0)
			return f;
	return NULL;
}

static struct key_file *
file_add(struct keys *k, const char *path)
{
	struct key_file *f = file_find(k, path);

	if (f != NULL)
		return f;
	f = xcalloc(1, sizeof(*f));
	f->path = xstrdup(path);
	f->next = k->files;
	return k->files = f;
}

static void
file_free(struct key_file *f)
{
	key_drop(f->key);
	free(f->path);
	free(f);
}

/* All of it, at most KEY_FILE_MAX octets. 0, or -1 with why. */
static int
file_read(int fd, struct buf *out, char *why, size_t size)
{
	ssize_t n = 1;
	size_t room;
	char *p;

	while (n != 0 && (room = out->max - out->len) > 0) {
		/* All of it at once: a buffer that grows leaves copies. */
		if ((p = buf_reserve(out, room)) == NULL)
			break;
		n = pread(fd, p, room, (off_t)out->len);
		if (n == -1 && errno != EINTR) {
			snprintf(why, size, "%s", strerror(errno));
			return -1;
		}
		if (n > 0)
			buf_grow(out, (size_t)n);
	}
	if (out->len <= KEY_FILE_MAX)
		return 0;
	snprintf(why, size, "longer than %d octets", KEY_FILE_MAX);
	return -1;
}

void
keys_file(struct keys *k, const char *path, int fd)
{
	struct key_file *f = file_add(k, path);
	struct buf text = BUF_INIT(KEY_FILE_MAX + 1);
	struct key *key = NULL;
	char why[256] = "";

	if (file_read(fd, &text, why, sizeof(why)) == 0)
		key = key_parse(buf_span(&text), why, sizeof(why));
	buf_wipe(&text);
	if (key == NULL) {
		log_warnx("%s: %s; %s", path, why, f->key == NULL
		    ? "there is no key for it yet"
		    : "the key that was read before stays in force");
		return;
	}
	if (f->key != NULL && same_name(key->name, f->key->name)) {
		key_drop(key);
		return;
	}
	key_drop(f->key);
	f->key = key;
}

/* -- who may use what ------------------------------------------------------ */

static enum role
role_of_kind(enum conf_kind kind)
{
	return kind == LISTEN_POP3 ? ROLE_POP3D : kind == LISTEN_IMAP
	    ? ROLE_NONE : ROLE_SMTPD;
}

static bool
list_has(const struct conf_list *l, const char *word)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (strcmp(l->words[i], word) == 0)
			return true;
	return false;
}

/* Does the configuration let this role use that tls block? */
static bool
block_serves(const struct conf *c, const char *block, enum role role)
{
	size_t i;

	for (i = 0; i < c->nlistens; i++)
		if (role_of_kind(c->listens[i].kind) == role &&
		    list_has(&c->listens[i].tls, block))
			return true;
	for (i = 0; role == ROLE_RELAY && i < c->nroutes; i++)
		if (c->routes[i].certificate != NULL &&
		    strcmp(c->routes[i].certificate, block) == 0)
			return true;
	return false;
}

static bool
hold_is(const struct hold *h, const char *block, enum role role)
{
	return h->role == role && strcmp(h->block, block) == 0;
}

static void
hold_free(struct hold *h)
{
	key_drop(h->key);
	free(h);
}

static bool
key_held(const struct keys *k, const struct key *key)
{
	const struct hold *h;

	for (h = k->holds; h != NULL; h = h->next)
		if (same_name(h->key->name, key->name))
			return true;
	return false;
}

/* Takes *at out of the list; says so when its key goes with it. */
static void
hold_remove(struct keys *k, struct hold **at)
{
	struct hold *h = *at;
	char hex[HEX];

	*at = h->next;
	if (!key_held(k, h->key))
		log_info("tls %s: nobody uses the key %s any more: wiped",
		    h->block, name_hex(h->key->name, hex));
	hold_free(h);
}

/* That key for that block and role, from now on. */
static void
hold_set(struct keys *k, const char *block, enum role role, struct key *key)
{
	struct hold **at, *h;
	char hex[HEX], what[32];

	for (at = &k->holds; (h = *at) != NULL;) {
		if (!hold_is(h, block, role)) {
			at = &h->next;
			continue;
		}
		if (!same_name(h->key->name, key->name)) {
			if (h->state == HOLD_CURRENT)
				h->state = HOLD_REPLACED;
			at = &h->next;
			continue;
		}
		if (h->state == HOLD_CURRENT)
			return;
		*at = h->next; /* back again, as a new one */
		hold_free(h);
	}
	h = xcalloc(1, sizeof(*h));
	strlcpy(h->block, block, sizeof(h->block));
	h->role = role;
	h->state = HOLD_CURRENT;
	h->key = key_share(key);
	h->next = k->holds;
	k->holds = h;
	log_info("tls %s: %s signs with the key %s (%s)", block,
	    role_name(role), name_hex(key->name, hex),
	    key_describe(key, what, sizeof(what)));
}

/* The newest ones of that block and role stay. */
static void
holds_bound(struct keys *k, const char *block, enum role role)
{
	struct hold **at;
	unsigned n = 0;

	for (at = &k->holds; *at != NULL;)
		if (hold_is(*at, block, role) && n++ > KEYS_OLD_MAX)
			hold_remove(k, at);
		else
			at = &(*at)->next;
}

static const struct keys_word *
word_find(const struct keys_user *u, const char *block)
{
	const struct keys_word *w;

	for (w = u->words; w != NULL; w = w->next)
		if (strcmp(w->block, block) == 0)
			return w;
	return NULL;
}

/*
 * Nobody needs it any more: of a key that was replaced all who are connected
 * have said that they use another (who has not spoken may be about to load
 * its certificate); of a block that is gone nobody says that he uses it.
 */
static bool
hold_idle(const struct keys *k, const struct hold *h)
{
	const struct keys_user *u;
	const struct keys_word *w;
	unsigned moved = 0;

	if (h->state == HOLD_CURRENT)
		return false;
	for (u = k->users; u != NULL; u = u->next) {
		if (u->role != h->role)
			continue;
		w = word_find(u, h->block);
		if (w != NULL && same_name(w->name, h->key->name))
			return false;
		if (w == NULL && h->state == HOLD_REPLACED)
			return false;
		moved++;
	}
	return moved > 0 || h->state == HOLD_DROPPED;
}

static void
holds_sweep(struct keys *k)
{
	struct hold **at;

	for (at = &k->holds; *at != NULL;)
		if (hold_idle(k, *at))
			hold_remove(k, at);
		else
			at = &(*at)->next;
}

static bool
file_named(const struct conf *c, const char *path)
{
	size_t i;

	for (i = 0; i < c->ntls; i++)
		if (c->tls[i].key != NULL &&
		    strcmp(c->tls[i].key, path) == 0)
			return true;
	return false;
}

static void
files_prune(struct keys *k, const struct conf *c)
{
	struct key_file **at, *f;

	for (at = &k->files; (f = *at) != NULL;)
		if (file_named(c, f->path)) {
			at = &f->next;
		} else {
			*at = f->next;
			file_free(f);
		}
}

void
keys_apply(struct keys *k, const struct conf *conf)
{
	static const enum role roles[] = { ROLE_SMTPD, ROLE_POP3D, ROLE_RELAY };
	struct key_file *f;
	struct hold *h;
	size_t i, r;

	for (h = k->holds; h != NULL; h = h->next)
		if (h->state != HOLD_DROPPED &&
		    !block_serves(conf, h->block, h->role))
			h->state = HOLD_DROPPED;
	for (i = 0; i < conf->ntls; i++) {
		f = conf->tls[i].key == NULL ? NULL
		    : file_find(k, conf->tls[i].key);
		for (r = 0; r < nitems(roles); r++) {
			if (f == NULL || f->key == NULL || !block_serves(conf,
			    conf->tls[i].name, roles[r]))
				continue;
			hold_set(k, conf->tls[i].name, roles[r], f->key);
			holds_bound(k, conf->tls[i].name, roles[r]);
		}
	}
	files_prune(k, conf);
	holds_sweep(k);
}

const struct key *
keys_find(const struct keys *k, enum role role, const uint8_t name[SIGN_KEY])
{
	const struct hold *h;

	for (h = k->holds; h != NULL; h = h->next)
		if (h->role == role && same_name(h->key->name, name))
			return h->key;
	return NULL;
}

size_t
keys_count(const struct keys *k)
{
	const struct hold *h, *o;
	size_t n = 0;

	for (h = k->holds; h != NULL; h = h->next) {
		for (o = h->next; o != NULL; o = o->next)
			if (same_name(o->key->name, h->key->name))
				break;
		n += o == NULL;
	}
	return n;
}

/* -- what the programs say ------------------------------------------------- */

void
keys_user_add(struct keys *k, struct keys_user *u)
{
	u->next = k->users;
	k->users = u;
}

void
keys_user_remove(struct keys *k, struct keys_user *u)
{
	struct keys_user **at;
	struct keys_word *w;

	for (at = &k->users; *at != NULL; at = &(*at)->next)
		if (*at == u) {
			*at = u->next;
			break;
		}
	while ((w = u->words) != NULL) {
		u->words = w->next;
		free(w);
	}
	u->nwords = 0;
	holds_sweep(k);
}

int
keys_used(struct keys *k, struct keys_user *u, struct span block,
    const uint8_t name[SIGN_KEY])
{
	char text[CONF_LABEL_MAX + 1];
	struct keys_word *w;

	if (span_copy(block, text, sizeof(text)) == -1)
		return -1;
	for (w = u->words; w != NULL && strcmp(w->block, text) != 0;)
		w = w->next;
	if (w == NULL) {
		if (u->nwords == WORDS_MAX)
			return -1;
		w = xcalloc(1, sizeof(*w));
		strlcpy(w->block, text, sizeof(w->block));
		w->next = u->words;
		u->words = w;
		u->nwords++;
	}
	if (!same_name(w->name, name))
		w->told = false;
	memcpy(w->name, name, SIGN_KEY);
	holds_sweep(k);
	return 0;
}

static bool
block_known(const struct keys *k, const char *block, enum role role)
{
	const struct hold *h;

	for (h = k->holds; h != NULL; h = h->next)
		if (h->state == HOLD_CURRENT && hold_is(h, block, role))
			return true;
	return false;
}

void
keys_complain(struct keys *k)
{
	const struct keys_user *u;
	struct keys_word *w;

	for (u = k->users; u != NULL; u = u->next)
		for (w = u->words; w != NULL; w = w->next) {
			if (w->told || !block_known(k, w->block, u->role) ||
			    keys_find(k, u->role, w->name) != NULL)
				continue;
			w->told = true;
			log_warnx("tls %s: the certificate that %s uses does "
			    "not belong to the key", w->block,
			    role_name(u->role));
		}
}

void
keys_clear(struct keys *k)
{
	struct key_file *f;
	struct hold *h;

	while ((h = k->holds) != NULL) {
		k->holds = h->next;
		hold_free(h);
	}
	while ((f = k->files) != NULL) {
		k->files = f->next;
		file_free(f);
	}
}
