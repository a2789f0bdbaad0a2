/*
 * queued/catalog_scan.c - the questions that spool.h lets the scheduler ask of
 * the index, in slices; and the checks that look at everything. Index thread.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/mem.h"
#include "queued/catalog.h"
#include "queued/scan.h"

/* qids of a slice: collected first, loaded after the cursor is closed. */
struct picked {
	uint64_t qids[SPOOL_SLICE];
	size_t n, limit;
	int64_t until_s, next_s;
	uint64_t next_qid;
	struct span domain;
	uint32_t hash;
	bool more;
};

static size_t
limit_of(uint32_t limit)
{
	return limit == 0 || limit > SPOOL_SLICE ? SPOOL_SLICE : limit;
}

static void
slice_add(struct spool_slice *s, struct letter *l)
{
	s->letters[s->n++] = l;
}

/* Loads what was picked; keep says which letters are meant after all. */
static int
load_picked(struct catalog *c, const struct picked *p, struct spool_slice *s,
    bool (*keep)(const struct letter *l, const void *arg), const void *arg)
{
	struct letter *l;
	size_t i;
	int rv;

	s->letters = xcalloc(p->n + 1, sizeof(struct letter *));
	for (i = 0; i < p->n; i++) {
		rv = catalog_load(c, p->qids[i], &l);
		if (rv == -1 && (errno == EIO || errno == ENOENT)) {
			/* It is told as lost when its entry is next changed or
			 * its segment is compacted. */
			log_warnx("a waiting letter cannot be read");
			continue;
		}
		if (rv == -1)
			return -1;
		if (rv == 0)
			continue;
		if (keep(l, arg))
			slice_add(s, l);
		else
			letter_free(l);
	}
	s->more = p->more;
	s->next_qid = p->next_qid;
	s->next_s = p->next_s;
	return 0;
}

static bool
pick_due(void *arg, struct span key, struct span value)
{
	struct picked *p = arg;

	(void)value;
	if (key.len != KEY_DUE_OCTETS)
		return true;
	p->next_s = (int64_t)key_u64(key.p);
	p->next_qid = key_u64(key.p + 8);
	if (p->next_s > p->until_s)
		return false;
	if (p->n == p->limit) {
		p->more = true;
		return false;
	}
	p->qids[p->n++] = p->next_qid;
	p->next_s = LETTER_NEVER;
	return true;
}

static bool
is_due(const struct letter *l, const void *arg)
{
	const int64_t *until_s = arg;
	int64_t due = letter_due_s(l);

	/* Settled, and its DONE missing: the scheduler writes it. */
	return due <= *until_s || (!l->held && letter_open_rcpts(l) == 0);
}

int
catalog_due(struct catalog *c, int64_t from_s, uint64_t from_qid,
    int64_t until_s, uint32_t limit, struct spool_slice *s)
{
	struct picked *p = xcalloc(1, sizeof(*p));
	char from[KEY_DUE_OCTETS];
	int rv = -1;

	p->limit = limit_of(limit);
	p->until_s = until_s;
	p->next_s = LETTER_NEVER;
	if (c->ix != NULL && c->ops->scan(c->ix, INDEX_DUE,
	    key_due(from_s, from_qid, from), pick_due, p) == 0)
		rv = load_picked(c, p, s, is_due, &until_s);
	free(p);
	return rv;
}

static bool
pick_dest(void *arg, struct span key, struct span value)
{
	struct picked *p = arg;

	(void)value;
	if (key.len != p->domain.len + 21 || key.p[p->domain.len] != '\0' ||
	    !span_caseeq_span(span_make(key.p, p->domain.len), p->domain))
		return false;
	if (p->n == p->limit) {
		p->more = true;
		return false;
	}
	p->hash = key_u32(key.p + p->domain.len + 1);
	p->qids[p->n++] = key_u64(key.p + key.len - 8);
	return true;
}

static bool
has_domain(const struct letter *l, struct span domain)
{
	uint32_t i;

	for (i = 0; i < l->nrcpts; i++)
		if (!rcpt_is_settled(&l->rcpts[i]) && span_caseeq_span(
		    letter_domain(l->rcpts[i].addr), domain))
			return true;
	return false;
}

static bool
is_for_domain(const struct letter *l, const void *arg)
{
	const struct span *domain = arg;

	return !l->held && has_domain(l, *domain);
}

int
catalog_dest(struct catalog *c, struct span domain, uint32_t from_hash,
    uint32_t limit, struct spool_slice *s)
{
	struct picked *p = xcalloc(1, sizeof(*p));
	char from[KEY_DEST_MAX];
	int rv = -1;

	p->limit = limit_of(limit);
	p->domain = domain;
	p->next_s = LETTER_NEVER;
	if (c->ix != NULL && domain.len <= DOMAIN_MAX &&
	    c->ops->scan(c->ix, INDEX_DEST, key_dest(domain, from_hash, 0, 0,
	    from), pick_dest, p) == 0)
		rv = load_picked(c, p, s, is_for_domain, &domain);
	s->skip_hash = p->hash;
	free(p);
	return rv;
}

static bool
pick_list(void *arg, struct span key, struct span value)
{
	struct picked *p = arg;

	(void)value;
	if (key.len != KEY_Q_OCTETS)
		return true;
	p->next_qid = key_u64(key.p);
	if (p->n == p->limit) {
		p->more = true;
		return false;
	}
	p->qids[p->n++] = p->next_qid++;
	return true;
}

static bool
matches(const struct letter *l, const void *arg)
{
	const struct spool_filter *f = arg;
	bool rcpt = f->rcpt.len == 0, deferred = !f->deferred;
	uint32_t i;

	for (i = 0; i < l->nrcpts; i++) {
		if (span_caseeq_span(l->rcpts[i].addr, f->rcpt))
			rcpt = true;
		if (l->rcpts[i].state == RCPT_DEFERRED)
			deferred = true;
	}
	if (!rcpt || !deferred || (f->held && !l->held))
		return false;
	if (f->domain.len > 0 && !has_domain(l, f->domain))
		return false;
	if (f->account.len > 0 && !span_eq(f->account, l->account))
		return false;
	if (f->reverse_path.len == 0)
		return true;
	if (span_eqstr(f->reverse_path, "<>"))
		return l->reverse_path.len == 0;
	return span_caseeq_span(f->reverse_path, l->reverse_path);
}

int
catalog_list(struct catalog *c, uint64_t from_qid,
    const struct spool_filter *f, struct spool_slice *s)
{
	struct picked *p = xcalloc(1, sizeof(*p));
	char from[KEY_Q_OCTETS];
	int rv = -1;

	p->limit = SPOOL_SLICE;
	p->next_s = LETTER_NEVER;
	/* Who lists the queue wants to see the youngest too. */
	if (catalog_flush(c, INT64_MAX) == 0 && c->ops->scan(c->ix, INDEX_Q,
	    key_q(from_qid, from), pick_list, p) == 0)
		rv = load_picked(c, p, s, matches, f);
	free(p);
	return rv;
}

/* -- what lives in one segment ----------------------------------------------- */

struct living {
	struct catalog *c;
	uint64_t *qids;
	size_t n, cap;
	int rv;
};

static void
living_add(struct living *v, uint64_t qid)
{
	if (v->n == v->cap) {
		v->cap = v->cap == 0 ? 64 : v->cap * 2;
		v->qids = xreallocarray(v->qids, v->cap, sizeof(*v->qids));
	}
	v->qids[v->n++] = qid;
}

static void
living_check(struct living *v, const struct record_head *h)
{
	struct entry e;
	int rv;

	if (h->type != REC_MSG && h->type != REC_COPY)
		return;
	rv = catalog_find(v->c, h->qid, &e);
	if (rv == -1)
		v->rv = -1;
	else if (rv == 1 && e.base.lsn == h->lsn)
		living_add(v, h->qid);
	entry_clear(&e);
}

static void
living_record(void *arg, const struct record_head *h, struct span payload)
{
	(void)payload;
	living_check(arg, h);
}

static void
living_lost(void *arg, const struct record_head *h)
{
	living_check(arg, h); /* who copies it will find it unreadable */
}

int
catalog_living(struct catalog *c, uint32_t number, bool long_tails,
    uint64_t **qids, size_t *n)
{
	struct living v = { .c = c };
	const struct scan_visitor visitor = { living_record, living_lost, &v };
	struct scan_result r = { 0 };
	struct segment seg;
	size_t i;

	if (number != 0 && segments_next(c->segments, number, &seg) &&
	    seg.number == number &&
	    catalog_scan_segment(c, &seg, &visitor, &r) == -1)
		v.rv = -1;
	for (i = 0; long_tails && i < c->long_tails.cap; i++)
		if (c->long_tails.slots[i] != 0)
			living_add(&v, c->long_tails.slots[i]);
	if (v.rv == -1) {
		free(v.qids);
		return -1;
	}
	*qids = v.qids;
	*n = v.n;
	return 0;
}

/* -- spool verify ------------------------------------------------------------ */

struct verify {
	struct spool_report *r;
	struct qidset live;
};

static void
verify_record(void *arg, const struct record_head *h, struct span payload)
{
	struct verify *v = arg;

	(void)payload;
	v->r->records++;
	if (h->type == REC_MSG || h->type == REC_COPY)
		qidset_add(&v->live, h->qid);
	else if (h->type == REC_DONE)
		qidset_del(&v->live, h->qid);
}

static void
verify_lost(void *arg, const struct record_head *h)
{
	(void)arg;
	(void)h; /* counted by the scan */
}

static bool
verify_key(void *arg, struct span key, struct span value)
{
	struct verify *v = arg;

	(void)value;
	if (key.len == KEY_Q_OCTETS && !qidset_del(&v->live, key_u64(key.p)))
		v->r->index_extra++;
	return true;
}

int
catalog_verify(struct catalog *c, struct spool_report *r)
{
	struct verify v = { .r = r };
	const struct scan_visitor visitor = { verify_record, verify_lost, &v };
	struct scan_result one;
	struct segment seg;
	uint32_t number = 0;
	int rv = catalog_flush(c, INT64_MAX);

	while (rv == 0 && segments_next(c->segments, number, &seg)) {
		/* What came after the flush is not in the index yet. */
		if (seg.number == LSN_SEGMENT(c->seen))
			seg.end = LSN_OFFSET(c->seen);
		else if (seg.number > LSN_SEGMENT(c->seen))
			break;
		memset(&one, 0, sizeof(one));
		rv = catalog_scan_segment(c, &seg, &visitor, &one);
		r->segments++;
		r->bad_segments += one.damaged;
		r->batches += one.batches;
		r->bad_records += one.bad_records;
		number = seg.number + 1;
	}
	if (rv == 0) {
		r->letters = v.live.n;
		rv = c->ops->scan(c->ix, INDEX_Q, span_make("", 0), verify_key,
		    &v);
		r->index_missing = v.live.n;
	}
	qidset_clear(&v.live);
	return rv;
}

/* -- big/ -------------------------------------------------------------------- */

static bool
big_is_dead(struct catalog *c, uint64_t qid)
{
	struct entry e;
	int rv = catalog_find(c, qid, &e);

	entry_clear(&e);
	return rv == 0;
}

void
catalog_big_clean(struct catalog *c, int bigdir, uint32_t epoch)
{
	struct dirent *e;
	uint64_t qid;
	DIR *d;
	int fd;

	fd = openat(bigdir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1 || (d = fdopendir(fd)) == NULL) {
		if (fd != -1)
			close(fd);
		return;
	}
	while ((e = readdir(d)) != NULL)
		if (qid_parse(span_str(e->d_name), &qid) == 0 &&
		    qid >> 40 != epoch && big_is_dead(c, qid))
			unlinkat(bigdir, e->d_name, 0);
	closedir(d);
}
