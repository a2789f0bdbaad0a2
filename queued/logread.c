/* queued/logread.c - reads records at known places; see logread.h. */
#include "queued/logread.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "lib/crc32c.h"
#include "queued/io.h"

/* Most envelopes fit behind the header in the first page read. */
#define PREFIX_OCTETS 2048

void
logread_init(struct logread *r, const struct segments *s)
{
	unsigned i;

	r->segments = s;
	r->next = 0;
	buf_init(&r->raw, (size_t)RECORD_OCTETS(RECORD_PAYLOAD_MAX));
	for (i = 0; i < LOGREAD_FDS; i++)
		r->open[i].fd = -1;
}

void
logread_clear(struct logread *r)
{
	unsigned i;

	for (i = 0; i < LOGREAD_FDS; i++)
		if (r->open[i].fd != -1) {
			close(r->open[i].fd);
			r->open[i].fd = -1;
		}
	buf_clear(&r->raw);
}

static struct logread_fd *
fd_open(struct logread *r, uint32_t number)
{
	struct logread_fd *o;
	struct segment_head head;
	unsigned i;
	int fd;

	for (i = 0; i < LOGREAD_FDS; i++)
		if (r->open[i].fd != -1 && r->open[i].number == number)
			return &r->open[i];
	if ((fd = segment_open(r->segments, number, &head)) == -1)
		return NULL;
	o = &r->open[r->next++ % LOGREAD_FDS];
	if (o->fd != -1)
		close(o->fd);
	o->fd = fd;
	o->number = number;
	o->salt = head.salt;
	return o;
}

/* The first len octets of the record at p into raw, the header checked. */
static int
read_front(struct logread *r, struct place p, uint32_t len, struct buf *raw,
    struct record_head *h)
{
	struct logread_fd *o = fd_open(r, LSN_SEGMENT(p.lsn));
	char *to;

	if (o == NULL)
		return -1;
	if (len < RECORD_HEAD) {
		errno = EIO;
		return -1;
	}
	buf_reset(raw);
	if ((to = buf_reserve(raw, len)) == NULL ||
	    io_read_at(o->fd, to, len, LSN_OFFSET(p.lsn)) == -1)
		return -1;
	buf_grow(raw, len);
	if (record_head_decode(to, o->salt, p.lsn, h) == -1 ||
	    RECORD_OCTETS(h->payload_octets) != p.octets) {
		/* A segment that was recycled meanwhile looks like this too. */
		close(o->fd);
		o->fd = -1;
		errno = EIO;
		return -1;
	}
	return 0;
}

int
logread_record_to(struct logread *r, struct place p, struct buf *raw,
    struct record_head *h, struct span *payload)
{
	if (read_front(r, p, p.octets, raw, h) == -1)
		return -1;
	*payload = span_make(raw->p + raw->off + RECORD_HEAD,
	    h->payload_octets);
	if (crc32c(0, payload->p, payload->len) != h->payload_crc) {
		errno = EIO;
		return -1;
	}
	return 0;
}

int
logread_record(struct logread *r, struct place p, struct record_head *h,
    struct span *payload)
{
	return logread_record_to(r, p, &r->raw, h, payload);
}

int
logread_envelope(struct logread *r, struct place p, uint64_t qid,
    struct letter **out, uint64_t *through)
{
	uint32_t len = p.octets < PREFIX_OCTETS ? p.octets : PREFIX_OCTETS;
	struct record_head h;
	struct span payload;
	uint64_t want;

	if (read_front(r, p, len, &r->raw, &h) == -1)
		return -1;
	want = record_envelope_octets(span_from(buf_span(&r->raw),
	    RECORD_HEAD)) + RECORD_HEAD;
	if (want > len && want <= p.octets) {
		len = (uint32_t)want;
		if (read_front(r, p, len, &r->raw, &h) == -1)
			return -1;
	}
	payload = span_from(buf_span(&r->raw), RECORD_HEAD);
	if (payload.len > h.payload_octets)
		payload.len = h.payload_octets;
	/* The envelope has a crc of its own within the payload. */
	if ((h.type != REC_MSG && h.type != REC_COPY) || h.qid != qid ||
	    record_decode_envelope(payload, qid, out, through) == -1) {
		errno = EIO;
		return -1;
	}
	(*out)->place = p;
	return 0;
}
