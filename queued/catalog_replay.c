/*
 * queued/catalog_replay.c - reads the log back: into the index after a start
 * or a wipe, and for spool verify. Index thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"
#include "queued/catalog.h"
#include "queued/io.h"
#include "queued/scan.h"

#define COPY_OCTETS (256u << 10)

struct replay {
	struct catalog *c;
	size_t most;    /* letters that may wait in memory */
	uint64_t from;  /* records below are in the index already */
	bool failed;
};

static void
replay_record(void *arg, const struct record_head *h, struct span payload)
{
	struct replay *r = arg;
	struct notice n = { h->type, h->qid, 0, { h->lsn, 0 } };
	struct letter *l;

	if (h->lsn < r->from || r->failed)
		return;
	n.place.octets = (uint32_t)RECORD_OCTETS(h->payload_octets);
	if (h->type == REC_COPY) {
		if (record_decode_envelope(payload, h->qid, &l, &n.through) ==
		    -1)
			return;
		letter_free(l);
	}
	pending_note(&r->c->pending, &n, 0);
	/* The next record is the first that is not in. */
	r->c->seen = h->lsn + n.place.octets;
	if (r->c->pending.n >= r->most && catalog_flush_plain(r->c) == -1)
		r->failed = true;
}

static void
replay_lost(void *arg, const struct record_head *h)
{
	struct replay *r = arg;
	struct event_out ev;

	if (h->type == REC_MSG || h->type == REC_COPY) {
		catalog_lost(r->c, h->qid, h->lsn);
		return;
	}
	event_begin(&ev, EV_SPOOL_DAMAGE, h->qid, 0);
	event_str(&ev, KEY_TEXT, "an outcome of a letter is lost");
	event_num(&ev, KEY_COUNT, LSN_SEGMENT(h->lsn));
	event_send(&ev);
}

static int
copy_file(int from, int to)
{
	static const size_t size = COPY_OCTETS;
	char *p = malloc(size);
	off_t off = 0;
	ssize_t n = -1;

	while (p != NULL && (n = pread(from, p, size, off)) > 0) {
		struct iovec iov = { p, (size_t)n };

		if (io_write_at(to, &iov, 1, off) == -1)
			break;
		off += n;
	}
	free(p);
	return n == 0 ? io.fsync(to) : -1;
}

/* Once for each segment: the first copy is the one that tells most. */
void
catalog_quarantine(struct catalog *c, uint32_t number)
{
	char name[SEGMENT_NAME];
	int from, to;

	segment_name(number, name);
	from = openat(c->segments->dir, name,
	    O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (from == -1)
		return;
	to = openat(c->baddir, name,
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (to != -1) {
		struct event_out ev;

		if (copy_file(from, to) == -1 || io.fsync(c->baddir) == -1)
			log_warn("copy to bad/%s", name);
		close(to);
		event_begin(&ev, EV_SPOOL_DAMAGE, 0, 0);
		event_str(&ev, KEY_TEXT, "a segment is damaged; a copy is kept");
		event_str(&ev, KEY_FILE, name);
		event_send(&ev);
	}
	close(from);
}

/* One segment; a header that is gone takes all of it along. */
int
catalog_scan_segment(struct catalog *c, const struct segment *seg,
    const struct scan_visitor *v, struct scan_result *r)
{
	struct segment_head head;
	int fd, rv;

	fd = segment_open(c->segments, seg->number, &head);
	if (fd == -1) {
		if (errno != EIO)
			return -1;
		r->damaged = true;
	} else {
		rv = scan_segment(fd, &head, seg->end, v, r);
		close(fd);
		if (rv == -1)
			r->damaged = true;
	}
	if (r->damaged) {
		log_warnx("segment %u is damaged", seg->number);
		catalog_quarantine(c, seg->number);
	}
	return 0;
}

static bool
orphan_key(void *arg, struct span key, struct span value)
{
	struct qidset *orphans = arg;

	if (key.len == KEY_Q_OCTETS && value.len >= 8 && get_u64(value.p) == 0)
		qidset_add(orphans, key_u64(key.p));
	return true;
}

/* Records of letters whose MSG went long ago, and no COPY came. */
static int
drop_orphans(struct catalog *c)
{
	struct qidset orphans = { 0 };
	size_t i;
	int rv;

	rv = c->ops->scan(c->ix, INDEX_Q, span_make("", 0), orphan_key,
	    &orphans);
	for (i = 0; rv == 0 && i < orphans.cap; i++)
		if (orphans.slots[i] != 0)
			rv = catalog_drop(c, orphans.slots[i]);
	qidset_clear(&orphans);
	return rv;
}

int
catalog_replay(struct catalog *c, size_t most)
{
	struct replay r = { c, most, c->applied, false };
	const struct scan_visitor v = { replay_record, replay_lost, &r };
	struct scan_result result;
	struct segment seg;
	uint32_t number = LSN_SEGMENT(c->applied);

	while (segments_next(c->segments, number, &seg)) {
		result.damaged = false;
		if (catalog_scan_segment(c, &seg, &v, &result) == -1 ||
		    r.failed)
			return -1;
		if (LSN(seg.number, seg.end) > c->seen)
			c->seen = LSN(seg.number, seg.end);
		if (seg.number == UINT32_MAX)
			break;
		number = seg.number + 1;
	}
	if (catalog_flush_plain(c) == -1)
		return -1;
	return c->rebuilding ? drop_orphans(c) : 0;
}
