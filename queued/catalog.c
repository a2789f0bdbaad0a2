/*
 * queued/catalog.c - keeps the index in step with the log; see catalog.h.
 *
 * The index may lag, never lead: a batch reaches it after its sync. What is
 * stored with each transaction is `applied`, the lsn below which everything is
 * in; a transaction that did not survive a crash takes its applied with it, and
 * the log is replayed from the older one. Keys in table meta: "state", and
 * "s" with a segment's number.
 */
#include "queued/catalog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "queued/scan.h"

/* Letters a transaction: with their keys below 1000 operations. */
#define TXN_LETTERS  250
/* Replay: so many letters wait in memory before they go in. */
#define REPLAY_LETTERS 20000
/* A letter with more records than this, and a quarter of its recipients, is
 * copied to the head so that its state is in one record again. */
#define LONG_TAIL 64
#define STATE_OCTETS (16 + 8 + 8 * INDEX_TABLES)

void
catalog_init(struct catalog *c, const struct catalog_config *config)
{
	memset(c, 0, sizeof(*c));
	c->ops = config->ops;
	c->rootfd = config->rootfd;
	c->baddir = config->baddir;
	c->segments = config->segments;
	memcpy(c->uuid, config->uuid, sizeof(c->uuid));
	c->lost = config->lost;
	c->arg = config->arg;
	logread_init(&c->reader, c->segments);
	pending_init(&c->pending);
	buf_init(&c->value, ENTRY_OCTETS_MAX);
	buf_init(&c->key, 64);
}

static void
index_shut(struct catalog *c)
{
	if (c->ix != NULL)
		c->ops->close(c->ix);
	c->ix = NULL;
}

void
catalog_clear(struct catalog *c)
{
	index_shut(c);
	logread_clear(&c->reader);
	pending_clear(&c->pending);
	qidset_clear(&c->long_tails);
	x_free(&c->live);
	buf_clear(&c->value);
	buf_clear(&c->key);
}

/* -- live octets ------------------------------------------------------------- */

static struct live *
live_find(struct catalog *c, uint32_t number)
{
	size_t i;

	for (i = c->nlive; i-- > 0;)
		if (c->live[i].number == number)
			return &c->live[i];
	if (c->nlive == c->live_cap) {
		c->live_cap = c->live_cap == 0 ? 16 : c->live_cap * 2;
		c->live = xreallocarray(c->live, c->live_cap,
		    sizeof(*c->live));
	}
	c->live[c->nlive] = (struct live){ number, 0, true };
	return &c->live[c->nlive++];
}

static void
live_count(struct catalog *c, const struct entry *e, bool add)
{
	struct live *l;
	size_t i;

	for (i = 0; i <= e->n; i++) {
		struct place p = i < e->n ? e->places[i] : e->base;

		if (p.lsn == 0)
			continue;
		l = live_find(c, LSN_SEGMENT(p.lsn));
		l->changed = true;
		if (add)
			l->octets += p.octets;
		else
			l->octets -= l->octets < p.octets ? l->octets :
			    p.octets;
	}
}

uint64_t
catalog_live(const struct catalog *c, uint32_t number)
{
	size_t i;

	for (i = 0; i < c->nlive; i++)
		if (c->live[i].number == number)
			return c->live[i].octets;
	return 0;
}

uint64_t
catalog_live_total(const struct catalog *c)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < c->nlive; i++)
		sum += c->live[i].octets;
	return sum;
}

static struct span
live_key(uint32_t number, char out[5])
{
	out[0] = 's';
	put_u32(out + 1, number);
	return span_make(out, 5);
}

void
catalog_forget(struct catalog *c, uint32_t number)
{
	char key[5];
	size_t i;

	for (i = 0; i < c->nlive; i++)
		if (c->live[i].number == number) {
			c->live[i] = c->live[--c->nlive];
			break;
		}
	if (c->ix != NULL)
		(void)c->ops->del(c->ix, INDEX_META, live_key(number, key));
}

/* -- one letter -------------------------------------------------------------- */

void
catalog_lost(struct catalog *c, uint64_t qid, uint64_t lsn)
{
	struct event_out ev;

	c->lost_letters++;
	event_begin(&ev, EV_SPOOL_DAMAGE, qid, 0);
	event_str(&ev, KEY_TEXT, "a letter is lost: its record is damaged");
	event_num(&ev, KEY_COUNT, LSN_SEGMENT(lsn));
	event_send(&ev);
	if (c->lost != NULL)
		c->lost(c->arg, qid);
}

int
catalog_fold(struct catalog *c, uint64_t qid, const struct entry *e,
    struct letter **out)
{
	struct record_head h;
	struct span payload;
	size_t i;

	if (logread_envelope(&c->reader, e->base, qid, out, NULL) == -1)
		return -1;
	for (i = 0; i < e->n; i++) {
		/* A damaged outcome is less than a lost letter: go on. */
		if (logread_record(&c->reader, e->places[i], &h, &payload) ==
		    -1 || h.qid != qid ||
		    record_apply(*out, h.type, payload) == -1)
			log_warnx("segment %u: a record of a waiting letter "
			    "is damaged", LSN_SEGMENT(e->places[i].lsn));
	}
	return 0;
}

static int
entry_get(struct catalog *c, uint64_t qid, struct entry *e)
{
	char key[KEY_Q_OCTETS];
	int rv;

	memset(e, 0, sizeof(*e));
	if (c->ix == NULL) {
		errno = EAGAIN;
		return -1;
	}
	rv = c->ops->get(c->ix, INDEX_Q, key_q(qid, key), &c->value);
	if (rv == 1 && entry_decode(buf_span(&c->value), e) == -1) {
		errno = EIO;
		return -1;
	}
	return rv;
}

int
catalog_find(struct catalog *c, uint64_t qid, struct entry *e)
{
	struct pend *d = pending_find(&c->pending, qid);
	int rv = 0;

	memset(e, 0, sizeof(*e));
	if (d != NULL && d->done)
		return 0;
	if ((d == NULL || !d->fresh) && (rv = entry_get(c, qid, e)) == -1)
		return -1;
	if (d != NULL && entry_merge(e, d) == -1) {
		entry_clear(e);
		return -1;
	}
	if (e->base.lsn != 0)
		return 1;
	entry_clear(e);
	return 0;
}

int
catalog_load(struct catalog *c, uint64_t qid, struct letter **out)
{
	struct entry e;
	int rv = catalog_find(c, qid, &e);

	if (rv == 1 && catalog_fold(c, qid, &e, out) == -1)
		rv = -1;
	entry_clear(&e);
	return rv;
}

static int
keys_change(struct catalog *c, uint64_t qid, const struct entry *e, bool add)
{
	char due[KEY_DUE_OCTETS], dest[KEY_DEST_MAX];
	struct span none = span_make("", 0), key;
	size_t i;
	int rv = 0;

	if (e->due_s != LETTER_NEVER) {
		key = key_due(e->due_s, qid, due);
		rv = add ? c->ops->put(c->ix, INDEX_DUE, key, none) :
		    c->ops->del(c->ix, INDEX_DUE, key);
		c->rows[INDEX_DUE] += add ? 1 : (uint64_t)-1;
	}
	for (i = 0; rv == 0 && i < e->ndests; i++) {
		const struct dest *d = &e->dests[i];

		key = key_dest(span_make(d->domain, d->len), e->account_hash,
		    d->next_s, qid, dest);
		rv = add ? c->ops->put(c->ix, INDEX_DEST, key, none) :
		    c->ops->del(c->ix, INDEX_DEST, key);
		c->rows[INDEX_DEST] += add ? 1 : (uint64_t)-1;
	}
	return rv;
}

static int
entry_remove(struct catalog *c, uint64_t qid, const struct entry *old)
{
	char key[KEY_Q_OCTETS];

	if (old->base.lsn != 0 && keys_change(c, qid, old, false) == -1)
		return -1;
	live_count(c, old, false);
	c->rows[INDEX_Q]--;
	return c->ops->del(c->ix, INDEX_Q, key_q(qid, key));
}

static int
entry_store(struct catalog *c, uint64_t qid, const struct entry *e, bool new)
{
	char key[KEY_Q_OCTETS];

	buf_reset(&c->value);
	if (entry_encode(e, &c->value) == -1 ||
	    c->ops->put(c->ix, INDEX_Q, key_q(qid, key),
	    buf_span(&c->value)) == -1)
		return -1;
	if (e->base.lsn != 0 && keys_change(c, qid, e, true) == -1)
		return -1;
	live_count(c, e, true);
	c->rows[INDEX_Q]++;
	c->indexed += new;
	if (e->n > LONG_TAIL)
		qidset_add(&c->long_tails, qid);
	return 0;
}

/* Makes e's keys from the letter; 1, 0: it is lost, -1. */
static int
entry_refresh(struct catalog *c, uint64_t qid, struct entry *e)
{
	struct letter *l;

	if (e->base.lsn == 0)
		return c->rebuilding; /* its COPY may follow */
	if (catalog_fold(c, qid, e, &l) == -1) {
		if (errno != EIO && errno != ENOENT)
			return -1;
		catalog_quarantine(c, LSN_SEGMENT(e->base.lsn));
		catalog_lost(c, qid, e->base.lsn);
		return 0;
	}
	if (e->n <= LONG_TAIL + l->nrcpts / 4)
		qidset_del(&c->long_tails, qid);
	entry_keys(e, l);
	letter_free(l);
	return 1;
}

static int
apply_one(struct catalog *c, const struct pend *d)
{
	struct entry e;
	int found = 0, rv = -1, good;

	if ((found = entry_get(c, d->qid, &e)) == -1)
		return -1;
	if (found && entry_remove(c, d->qid, &e) == -1)
		goto done;
	rv = 0;
	if (d->done) {
		qidset_del(&c->long_tails, d->qid);
		goto done;
	}
	if (entry_merge(&e, d) == -1 ||
	    (good = entry_refresh(c, d->qid, &e)) == -1)
		rv = -1;
	else if (good)
		rv = entry_store(c, d->qid, &e, !found);
done:
	entry_clear(&e);
	return rv;
}

/* -- transactions ------------------------------------------------------------ */

static int
state_store(struct catalog *c)
{
	char key[5], value[8];
	unsigned t;
	size_t i;

	buf_reset(&c->value);
	if (buf_add(&c->value, c->uuid, sizeof(c->uuid)) == -1 ||
	    buf_add_u64(&c->value, c->applied) == -1)
		return -1;
	for (t = 0; t < INDEX_TABLES; t++)
		if (buf_add_u64(&c->value, c->rows[t]) == -1)
			return -1;
	for (i = 0; i < c->nlive; i++) {
		if (!c->live[i].changed)
			continue;
		put_u64(value, c->live[i].octets);
		if (c->ops->put(c->ix, INDEX_META,
		    live_key(c->live[i].number, key),
		    span_make(value, sizeof(value))) == -1)
			return -1;
		c->live[i].changed = false;
	}
	return c->ops->put(c->ix, INDEX_META, span_str("state"),
	    buf_span(&c->value));
}

static int
flush_txn(struct catalog *c, int64_t before_ms)
{
	struct pend *d;
	unsigned n;

	if (c->ops->begin(c->ix) == -1)
		return -1;
	for (n = 0; n < TXN_LETTERS && (d = c->pending.first) != NULL &&
	    d->since_ms <= before_ms; n++) {
		if (apply_one(c, d) == -1)
			return -1;
		pending_drop(&c->pending, d);
	}
	d = c->pending.first;
	c->applied = d != NULL ? d->first_lsn : c->seen;
	if (state_store(c) == -1)
		return -1;
	return c->ops->commit(c->ix);
}

static int
flush_all(struct catalog *c, int64_t before_ms)
{
	while (c->pending.first != NULL &&
	    c->pending.first->since_ms <= before_ms)
		if (flush_txn(c, before_ms) == -1)
			return -1;
	return 0;
}

int
catalog_flush(struct catalog *c, int64_t before_ms)
{
	if (c->ix == NULL)
		return -1;
	if (flush_all(c, before_ms) == -1 ||
	    (c->pending.first == NULL && c->applied < c->seen &&
	    flush_txn(c, before_ms) == -1)) {
		log_warn("the index is wiped and made anew from the log");
		return catalog_open(c, true);
	}
	return 0;
}

int
catalog_sync(struct catalog *c, bool now)
{
	uint64_t applied = c->applied;
	int rv;

	if (c->ix == NULL)
		return -1;
	if ((rv = c->ops->sync(c->ix, now)) == -1) {
		log_warn("the index is wiped and made anew from the log");
		return catalog_open(c, true);
	}
	if (rv == 1)
		c->synced = applied;
	return 0;
}

void
catalog_note(struct catalog *c, const struct notice *n, size_t count,
    uint64_t end, int64_t now_ms)
{
	size_t i;

	for (i = 0; c->ix != NULL && i < count; i++)
		if (n[i].place.lsn >= c->seen)
			pending_note(&c->pending, &n[i], now_ms);
	if (end > c->seen)
		c->seen = end;
}

/* -- opening and replay: catalog_replay.c has the log's side ----------------- */

struct count {
	uint64_t n;
};

static bool
count_key(void *arg, struct span key, struct span value)
{
	struct count *k = arg;

	(void)key;
	(void)value;
	k->n++;
	return true;
}

static bool
live_load(void *arg, struct span key, struct span value)
{
	struct catalog *c = arg;
	struct live *l;

	if (key.len != 5 || key.p[0] != 's' || value.len != 8)
		return key.len > 0 && key.p[0] <= 's';
	l = live_find(c, get_u32(key.p + 1));
	l->octets = get_u64(value.p);
	l->changed = false;
	return true;
}

/* Is what the tables hold what the state says? A lost page tells nobody. */
static bool
rows_agree(struct catalog *c)
{
	struct count k;
	unsigned t;

	for (t = INDEX_Q; t < INDEX_TABLES; t++) {
		k.n = 0;
		if (c->ops->scan(c->ix, (enum index_table)t, span_make("", 0),
		    count_key, &k) == -1 || k.n != c->rows[t])
			return false;
	}
	return true;
}

/* 1: usable; 0: empty; -1: not to be believed. */
static int
state_load(struct catalog *c)
{
	struct segment oldest;
	const char *p;
	unsigned t;
	int rv;

	rv = c->ops->get(c->ix, INDEX_META, span_str("state"), &c->value);
	if (rv != 1)
		return rv;
	if (c->value.len != STATE_OCTETS)
		return -1;
	p = buf_span(&c->value).p;
	if (memcmp(p, c->uuid, sizeof(c->uuid)) != 0)
		return -1;
	c->applied = get_u64(p + 16);
	for (t = 0; t < INDEX_TABLES; t++)
		c->rows[t] = get_u64(p + 24 + 8 * t);
	if (!segments_oldest(c->segments, &oldest) ||
	    LSN_SEGMENT(c->applied) < oldest.number)
		return -1;
	if (c->ops->scan(c->ix, INDEX_META, span_str("s"), live_load, c) == -1)
		return -1;
	return rows_agree(c) ? 1 : -1;
}

static void
forget_all(struct catalog *c)
{
	pending_clear(&c->pending);
	pending_init(&c->pending);
	qidset_clear(&c->long_tails);
	c->nlive = 0;
	c->applied = c->synced = c->seen = 0;
	memset(c->rows, 0, sizeof(c->rows));
}

static int
index_open(struct catalog *c, bool wipe)
{
	int state = wipe ? -1 : 0;

	index_shut(c);
	forget_all(c);
	if (!wipe && (c->ix = c->ops->open(c->rootfd)) != NULL)
		state = state_load(c);
	if (c->ix == NULL || state == -1) {
		if (!wipe)
			log_warnx("the index is of no use; it is made anew "
			    "from the log");
		index_shut(c);
		forget_all(c);
		if (c->ops->wipe(c->rootfd) == -1 ||
		    (c->ix = c->ops->open(c->rootfd)) == NULL)
			return -1;
		state = 0;
	}
	c->rebuilding = state == 0;
	c->synced = c->seen = c->applied;
	return 0;
}

int
catalog_open(struct catalog *c, bool wipe)
{
	int tries;

	for (tries = 0; tries < 2; tries++, wipe = true) {
		if (index_open(c, wipe) == -1)
			break;
		if (catalog_replay(c, REPLAY_LETTERS) == 0 &&
		    c->ops->sync(c->ix, true) == 1) {
			c->rebuilding = false;
			c->synced = c->applied;
			return 0;
		}
		log_warn("replaying the log into the index failed");
	}
	index_shut(c);
	forget_all(c);
	return -1;
}

int
catalog_flush_plain(struct catalog *c)
{
	return flush_all(c, INT64_MAX);
}

int
catalog_drop(struct catalog *c, uint64_t qid)
{
	struct entry e;
	int rv = entry_get(c, qid, &e);

	if (rv == 1) {
		if ((rv = c->ops->begin(c->ix)) == 0 &&
		    (rv = entry_remove(c, qid, &e)) == 0 &&
		    (rv = state_store(c)) == 0)
			rv = c->ops->commit(c->ix);
	}
	entry_clear(&e);
	return rv;
}
