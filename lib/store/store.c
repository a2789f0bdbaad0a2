/*
 * lib/store/store.c - the front of the seam: one mailbox opened, what its index
 * says of it, flags. The mbox itself is read and written next door (mbox_*.c).
 */
#include "lib/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/mem.h"
#include "lib/store/file.h"
#include "lib/store/mbox_in.h"

/* A client that lost its connection may be back before its session noticed. */
#define CLAIM_WAIT_MS 1000

static int
names_set(struct store *s, const struct store_conf *conf)
{
	const char *ix = conf->index_name != NULL ? conf->index_name
	    : conf->name;

	if (!file_name_ok(conf->name) || !file_name_ok(ix) ||
	    span_copy(span_str(conf->name), s->name, sizeof(s->name)) == -1 ||
	    span_copy(span_str(ix), s->index_name,
	    sizeof(s->index_name)) == -1) {
		errno = EINVAL;
		return -1;
	}
	s->conf.name = s->name;
	s->conf.index_name = s->index_name;
	return 0;
}

int
store_open(struct store **out, const struct store_conf *conf)
{
	struct store *s = xcalloc(1, sizeof(*s));
	int saved;

	s->conf = *conf;
	s->fd = s->claim = s->ix.fd = -1;
	if (s->conf.lock_wait_ms == 0)
		s->conf.lock_wait_ms = STORE_LOCK_WAIT_MS;
	if (names_set(s, conf) == 0 && index_open(&s->ix, conf->index_dir,
	    s->index_name, conf->owner) == 0 && store_sync(s) == 0) {
		*out = s;
		return 0;
	}
	saved = errno;
	store_close(s);
	errno = saved;
	return -1;
}

void
store_close(struct store *s)
{
	if (s == NULL)
		return;
	mbox_unlock(s);
	index_close(&s->ix);
	if (s->fd != -1)
		close(s->fd);
	store_unclaim(s);
	x_free(&s->block);
	mem_free(s);
}

/* Both locks are needed only when there is something to take in. */
int
store_sync(struct store *s)
{
	int rv;

	if (index_refresh(&s->ix) == 0 && !s->doubt && !store_changed(s))
		return 0;
	if (mbox_lock(s, false, NULL) == -1)
		return -1;
	rv = mbox_sync(s);
	mbox_unlock(s);
	return rv;
}

bool
store_changed(struct store *s)
{
	struct ix_seen seen;

	return mbox_open(s, false, NULL) == -1 || mbox_seen(s, &seen) == -1 ||
	    !mbox_seen_same(&seen, &s->ix.seen);
}

uint32_t
store_count(const struct store *s)
{
	return index_count(&s->ix);
}

uint64_t
store_octets(const struct store *s)
{
	return s->ix.wire;
}

int
store_get(const struct store *s, uint32_t seq, struct store_info *out)
{
	struct ix_rec r;

	if (seq >= index_count(&s->ix))
		return -1;
	index_get(&s->ix, seq, &r);
	out->uid = r.uid;
	out->flags = r.flags & STORE_FLAGS;
	out->modseq = r.modseq;
	out->octets = r.wire;
	out->arrived_s = r.arrived_s;
	return 0;
}

ssize_t
store_find(const struct store *s, uint32_t uid)
{
	uint32_t i = index_find(&s->ix, uid);
	struct ix_rec r;

	if (i == index_count(&s->ix))
		return -1;
	index_get(&s->ix, i, &r);
	return r.uid == uid ? (ssize_t)i : -1;
}

/* Digits and lower case letters only: some clients make file names of it. */
int
store_uidl(const struct store *s, uint32_t seq, char out[STORE_UIDL_TEXT])
{
	static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
	struct ix_rec r;
	unsigned acc = 0, bits = 0;
	size_t i, o = 0;

	if (seq >= index_count(&s->ix))
		return -1;
	index_get(&s->ix, seq, &r);
	for (i = 0; i < IX_DIGEST_OCTETS; i++) {
		acc = (acc << 8 | r.digest[i]) & 0xfff;
		for (bits += 8; bits >= 5; bits -= 5)
			out[o++] = digits[acc >> (bits - 5) & 31];
	}
	out[o++] = digits[acc << (5 - bits) & 31];
	out[o] = '\0';
	if (r.twin > 0)
		snprintf(out + o, STORE_UIDL_TEXT - o, "-%u", r.twin);
	return 0;
}

uint32_t
store_uidvalidity(const struct store *s)
{
	return s->ix.uidvalidity;
}

uint32_t
store_uidnext(const struct store *s)
{
	return s->ix.uidnext;
}

uint64_t
store_modseq(const struct store *s)
{
	return s->ix.modseq;
}

int
store_flags(struct store *s, uint32_t first, uint32_t last, uint32_t add,
    uint32_t remove)
{
	int rv = -1;

	if (s->ix.fd == -1 || first > last)
		return 0; /* an index that is not there has no letters */
	if (index_lock(&s->ix, s->conf.lock_wait_ms) == -1)
		return -1;
	if (index_reserve(&s->ix, 0) == 0) {
		index_put_flags(&s->ix, first, last, add & STORE_FLAGS,
		    remove & STORE_FLAGS);
		rv = index_commit(&s->ix);
	}
	index_unlock(&s->ix);
	return rv;
}

int
store_changes(struct store *s, uint64_t since,
    void (*fn)(void *arg, uint32_t uid, uint32_t flags, uint64_t modseq,
    bool gone), void *arg)
{
	return index_changes(&s->ix, since, fn, arg);
}

void
store_unclaim(struct store *s)
{
	if (s->claim != -1)
		close(s->claim);
	s->claim = -1;
}

int
store_claim(struct store *s, const char *kind)
{
	char name[STORE_NAME_MAX + 32];
	int fd, saved;

	if (!file_name_ok(kind) || snprintf(name, sizeof(name), "%s.%s",
	    s->index_name, kind) >= (int)sizeof(name)) {
		errno = EINVAL;
		return -1;
	}
	fd = openat(s->conf.index_dir, name, O_RDWR | O_CREAT | O_NOFOLLOW |
	    O_CLOEXEC | O_NONBLOCK, 0600);
	if (fd == -1)
		return -1;
	if (file_check(fd, s->conf.owner) == 0 &&
	    file_lock(fd, F_WRLCK, CLAIM_WAIT_MS) == 0) {
		store_unclaim(s);
		s->claim = fd;
		return 0;
	}
	if (errno == EAGAIN)
		errno = EBUSY;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}
