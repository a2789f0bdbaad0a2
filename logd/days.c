/*
 * logd/days.c - writing the daily files of events. A crash may cost the last
 * fraction of a second: this is the log, not the mail. A full disk costs what
 * comes after the buffer is full; nothing here waits.
 */
#include "logd/days.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/mem.h"

#define DAY_S 86400

void
days_init(struct days *d, int dirfd)
{
	*d = (struct days){ .dirfd = dirfd, .day = -1, .fd = -1, .index = -1 };
	buf_init(&d->out, DAYS_BUFFER);
}

static void
file_name(int64_t day, const char *suffix, char out[32])
{
	char name[DAY_NAME];

	day_name(day, name);
	snprintf(out, 32, "%s.%s", name, suffix);
}

void
day_name(int64_t day, char out[DAY_NAME])
{
	time_t t = (time_t)(day * DAY_S);
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(out, DAY_NAME, "%Y-%m-%d", &tm) == 0)
		snprintf(out, DAY_NAME, "1970-01-01");
}

int
day_open(int dirfd, int64_t day, const char *suffix)
{
	char name[32];

	file_name(day, suffix, name);
	return openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

/* All of it at that place, or -1. */
static int
write_at(int fd, struct span s, uint64_t at)
{
	ssize_t n;

	while (s.len > 0) {
		n = pwrite(fd, s.p, s.len, (off_t)at);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		s = span_from(s, (size_t)n);
		at += (uint64_t)n;
	}
	return 0;
}

static ssize_t
read_block(int fd, uint64_t number, char block[DAY_BLOCK])
{
	return pread(fd, block, DAY_BLOCK, (off_t)(number * DAY_BLOCK));
}

/* Filters for blocks that have none: after a crash, or with a lost index. */
static void
index_complete(struct days *d)
{
	static const char magic[MAGIC_OCTETS] = INDEX_MAGIC;
	uint64_t whole = d->size / DAY_BLOCK;
	char block[DAY_BLOCK], head[MAGIC_OCTETS];
	struct stat st;

	d->filtered = 0;
	if (d->index == -1 || fstat(d->index, &st) == -1)
		return;
	if (pread(d->index, head, sizeof(head), 0) != sizeof(head) ||
	    memcmp(head, magic, sizeof(head)) != 0) {
		if (ftruncate(d->index, 0) == -1 || write_at(d->index,
		    span_make(magic, sizeof(magic)), 0) == -1)
			return;
	} else
		d->filtered = (uint64_t)(st.st_size - MAGIC_OCTETS) /
		    FILTER_OCTETS;
	if (d->filtered > whole)
		d->filtered = whole;
	while (d->filtered < whole) {
		unsigned char filter[FILTER_OCTETS];

		if (read_block(d->fd, d->filtered, block) != DAY_BLOCK)
			return;
		filter_block(filter, span_make(block, DAY_BLOCK));
		if (write_at(d->index, span_make(filter, FILTER_OCTETS),
		    MAGIC_OCTETS + d->filtered * FILTER_OCTETS) == -1)
			return;
		d->filtered++;
	}
}

/* Where the good records of the last block end; its ids into the filter. */
static void
tail_recover(struct days *d, uint64_t octets)
{
	char block[DAY_BLOCK];
	uint64_t last = octets / DAY_BLOCK;
	ssize_t n = read_block(d->fd, last, block);
	size_t at = last == 0 ? MAGIC_OCTETS : 0;
	struct record r;
	struct span s = span_make(block, n < 0 ? 0 : (size_t)n);

	memset(d->filter, 0, sizeof(d->filter));
	if (last == 0 && !span_eq(span_make(block, s.len < MAGIC_OCTETS ? 0 :
	    MAGIC_OCTETS), span_make(DAY_MAGIC, MAGIC_OCTETS))) {
		d->size = 0;
		return;
	}
	while (record_next(s, &at, &r) == 1) {
		filter_add(d->filter, r.qid);
		filter_add(d->filter, r.sid);
	}
	d->size = last * DAY_BLOCK + at;
}

static int
day_begin(struct days *d, int64_t day)
{
	char name[32];
	struct stat st;

	file_name(day, "events", name);
	d->fd = openat(d->dirfd, name, O_RDWR | O_CREAT | O_CLOEXEC |
	    O_NOFOLLOW, 0640);
	if (d->fd == -1 || fstat(d->fd, &st) == -1 || !S_ISREG(st.st_mode))
		return -1;
	file_name(day, "index", name);
	d->index = openat(d->dirfd, name, O_RDWR | O_CREAT | O_CLOEXEC |
	    O_NOFOLLOW, 0640);
	tail_recover(d, (uint64_t)st.st_size);
	if ((uint64_t)st.st_size > d->size &&
	    ftruncate(d->fd, (off_t)d->size) == -1)
		return -1;
	index_complete(d);
	if (d->size == 0)
		buf_add(&d->out, DAY_MAGIC, MAGIC_OCTETS);
	d->day = day;
	return 0;
}

static void
day_end(struct days *d)
{
	if (d->fd != -1)
		close(d->fd);
	if (d->index != -1)
		close(d->index);
	d->fd = d->index = -1;
	d->day = -1;
	buf_reset(&d->out);
}

void
days_clear(struct days *d)
{
	if (d->fd != -1)
		days_flush(d);
	day_end(d);
	buf_clear(&d->out);
}

/* Once; what is said becomes an event itself, and comes back here. */
static void
say_full(struct days *d, const char *what)
{
	bool said = d->full;

	d->full = true;
	if (!said)
		log_warn("%s", what);
}

int
days_flush(struct days *d)
{
	struct span s = buf_span(&d->out);

	if (d->fd == -1 || s.len == 0)
		return 0;
	if (write_at(d->fd, s, d->size) == -1) {
		say_full(d, "the files of events cannot be written");
		return -1; /* kept, and written again at the same place */
	}
	d->full = false;
	d->size += s.len;
	buf_reset(&d->out);
	return 0;
}

/* The block is over: zeros to its end, its filter into the index. */
static int
block_end(struct days *d, size_t left)
{
	static const char zeros[RECORD_MAX];

	if (left > sizeof(zeros) || buf_add(&d->out, zeros, left) == -1 ||
	    days_flush(d) == -1)
		return -1;
	if (d->filtered + 1 != d->size / DAY_BLOCK)
		index_complete(d); /* a full disk has left gaps */
	else if (d->index != -1 && write_at(d->index, span_make(d->filter,
	    FILTER_OCTETS), MAGIC_OCTETS + d->filtered * FILTER_OCTETS) == 0)
		d->filtered++;
	memset(d->filter, 0, sizeof(d->filter));
	return 0;
}

static int
add(struct days *d, const struct record *r)
{
	uint64_t at = d->size + buf_span(&d->out).len;
	size_t left = DAY_BLOCK - (size_t)(at % DAY_BLOCK);

	if (left < RECORD_HEAD + r->fields.len && left < DAY_BLOCK &&
	    block_end(d, left) == -1)
		return -1;
	if (record_encode(r, &d->out) == -1)
		return -1;
	filter_add(d->filter, r->qid);
	filter_add(d->filter, r->sid);
	return 0;
}

void
days_add(struct days *d, const struct record *r, int64_t now_s)
{
	int64_t day = now_s / DAY_S;

	if (day != d->day) {
		days_flush(d);
		day_end(d);
		if (day_begin(d, day) == -1) {
			day_end(d);
			d->dropped++;
			say_full(d, "no file for the events of today");
			return;
		}
	}
	if (add(d, r) == -1)
		d->dropped++;
	else
		d->written++;
	if (buf_span(&d->out).len >= DAYS_FLUSH)
		days_flush(d);
}

/* -- what is there, what goes ---------------------------------------------- */

static int
compare_days(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* A name as file_name() makes it, or -1. */
static int64_t
day_of_name(const char *name)
{
	struct tm tm = { 0 };
	char again[32];
	const char *end = strptime(name, "%Y-%m-%d", &tm);
	int64_t day;

	if (end == NULL || strcmp(end, ".events") != 0)
		return -1;
	day = (int64_t)timegm(&tm) / DAY_S;
	file_name(day, "events", again);
	return strcmp(again, name) == 0 ? day : -1;
}

size_t
days_list(int dirfd, int64_t **out)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	struct dirent *e;
	int64_t day;
	size_t n = 0;

	*out = NULL;
	if (dir == NULL) {
		if (fd != -1)
			close(fd);
		return 0;
	}
	while (n < DAYS_LIST_MAX && (e = readdir(dir)) != NULL) {
		if ((day = day_of_name(e->d_name)) == -1)
			continue;
		*out = xreallocarray(*out, n + 1, sizeof(**out));
		(*out)[n++] = day;
	}
	closedir(dir);
	if (n > 1)
		qsort(*out, n, sizeof(**out), compare_days);
	return n;
}

static void
day_remove(int dirfd, int64_t day)
{
	char name[32];

	file_name(day, "events", name);
	if (unlinkat(dirfd, name, 0) == -1)
		log_warn("%s", name);
	file_name(day, "index", name);
	unlinkat(dirfd, name, 0);
}

static uint64_t
day_octets(int dirfd, int64_t day)
{
	char name[32];
	struct stat st;

	file_name(day, "events", name);
	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == -1 ? 0 :
	    (uint64_t)st.st_size;
}

void
days_expire(struct days *d, int64_t now_s, int64_t keep_s,
    uint64_t keep_octets)
{
	int64_t *list, oldest = (now_s - keep_s) / DAY_S;
	size_t n = days_list(d->dirfd, &list), i;
	uint64_t octets = 0;

	for (i = 0; i < n; i++)
		octets += day_octets(d->dirfd, list[i]);
	for (i = 0; i < n && list[i] != d->day; i++) {
		if (list[i] >= oldest && octets <= keep_octets)
			break;
		octets -= day_octets(d->dirfd, list[i]);
		day_remove(d->dirfd, list[i]);
	}
	mem_free(list);
}
