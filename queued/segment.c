/* queued/segment.c - the files of seg/; see segment.h for their names. */
#include "queued/segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/mem.h"
#include "queued/io.h"

#define ZERO_OCTETS (256u << 10)

void
segment_name(uint32_t number, char out[SEGMENT_NAME])
{
	snprintf(out, SEGMENT_NAME, "%08u.seg", number);
}

static void
list_add(struct segments *s, uint32_t number)
{
	if (s->n == s->cap) {
		s->cap = s->cap == 0 ? 16 : s->cap * 2;
		s->list = xreallocarray(s->list, s->cap, sizeof(*s->list));
	}
	s->list[s->n++] = (struct segment){ number, 0, false };
}

static int
by_number(const void *a, const void *b)
{
	const struct segment *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

/* The number before suffix, or 0. */
static uint32_t
name_number(const char *name, const char *prefix, const char *suffix)
{
	struct span s = span_str(name);
	size_t p = strlen(prefix), q = strlen(suffix);
	uint64_t n;

	if (s.len <= p + q || strncmp(name, prefix, p) != 0 ||
	    strcmp(name + s.len - q, suffix) != 0)
		return 0;
	if (span_u64(span_make(name + p, s.len - p - q), UINT32_MAX, &n) == -1)
		return 0;
	return (uint32_t)n;
}

static void
on_name(struct segments *s, const char *name)
{
	struct stat st;
	uint32_t n;

	if ((n = name_number(name, "", ".seg")) != 0)
		list_add(s, n);
	else if (name_number(name, "new.", "") != 0)
		unlinkat(s->dir, name, 0);
	else if ((n = name_number(name, "spare.", "")) != 0) {
		if (fstatat(s->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    st.st_size == s->octets && s->spares < s->spares_max) {
			s->spares++;
			if (n >= s->serial)
				s->serial = n + 1;
		} else
			unlinkat(s->dir, name, 0);
	}
}

int
segments_open(struct segments *s, int dir, uint32_t octets)
{
	struct dirent *e;
	DIR *d;
	int fd;

	memset(s, 0, sizeof(*s));
	s->dir = dir;
	s->octets = octets;
	s->serial = 1;
	s->spares_max = SPARES_OCTETS / octets > SPARES_MIN ?
	    SPARES_OCTETS / octets : SPARES_MIN;
	pthread_mutex_init(&s->lock, NULL);
	if ((fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		return -1;
	if ((d = fdopendir(fd)) == NULL) {
		close(fd);
		return -1;
	}
	while ((e = readdir(d)) != NULL)
		on_name(s, e->d_name);
	closedir(d);
	if (s->n > 0)
		qsort(s->list, s->n, sizeof(*s->list), by_number);
	return 0;
}

void
segments_close(struct segments *s)
{
	close(s->dir);
	x_free(&s->list);
	pthread_mutex_destroy(&s->lock);
}

int
segment_open(const struct segments *s, uint32_t number,
    struct segment_head *head)
{
	unsigned char raw[SEGMENT_HEAD];
	char name[SEGMENT_NAME];
	int fd;

	segment_name(number, name);
	fd = openat(s->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -1)
		return -1;
	if (io_read_at(fd, raw, sizeof(raw), 0) == -1 ||
	    segment_head_decode(raw, head) != 0 || head->number != number) {
		close(fd);
		errno = EIO;
		return -1;
	}
	return fd;
}

static int
fill_zeros(int fd, uint32_t octets)
{
	char *zeros = xcalloc(1, ZERO_OCTETS);
	uint32_t done = 0;
	int rv = 0;

	while (done < octets && rv == 0) {
		uint32_t n = octets - done < ZERO_OCTETS ? octets - done :
		    ZERO_OCTETS;
		struct iovec iov = { zeros, n };

		rv = io_write_at(fd, &iov, 1, done);
		done += n;
	}
	free(zeros);
	/* Sizes and extents as well: later writes find nothing to change. */
	return rv == 0 ? io.fsync(fd) : -1;
}

static void
number_name(const char *prefix, unsigned n, char out[SEGMENT_NAME])
{
	snprintf(out, SEGMENT_NAME, "%s.%u", prefix, n);
}

static int
make_spare(struct segments *s)
{
	char new[SEGMENT_NAME], spare[SEGMENT_NAME];
	unsigned n;
	int fd, rv;

	pthread_mutex_lock(&s->lock);
	n = s->serial++;
	pthread_mutex_unlock(&s->lock);
	number_name("new", n, new);
	number_name("spare", n, spare);
	fd = openat(s->dir, new,
	    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd == -1)
		return -1;
	if ((rv = fill_zeros(fd, s->octets)) == 0)
		rv = renameat(s->dir, new, s->dir, spare);
	if (rv == -1) {
		int error = errno;

		unlinkat(s->dir, new, 0);
		errno = error;
	}
	close(fd);
	if (rv == 0) {
		pthread_mutex_lock(&s->lock);
		s->spares++;
		pthread_mutex_unlock(&s->lock);
	}
	return rv;
}

int
segments_add_spare(struct segments *s)
{
	bool enough;

	pthread_mutex_lock(&s->lock);
	enough = s->spares >= SPARES_MIN;
	pthread_mutex_unlock(&s->lock);
	return enough ? 0 : make_spare(s);
}

/* Takes a spare out of the pool under the name that it gets for now. */
static int
take_spare(struct segments *s, char name[SEGMENT_NAME])
{
	unsigned i;
	int fd = -1;

	pthread_mutex_lock(&s->lock);
	for (i = s->serial; i-- > 1 && s->spares > 0 && fd == -1;) {
		number_name("spare", i, name);
		fd = openat(s->dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		if (fd != -1)
			s->spares--;
	}
	pthread_mutex_unlock(&s->lock);
	return fd;
}

int
segments_begin(struct segments *s, struct segment_head *head)
{
	unsigned char raw[SEGMENT_HEAD];
	char spare[SEGMENT_NAME], name[SEGMENT_NAME];
	struct iovec iov = { raw, sizeof(raw) };
	int fd;

	head->octets = s->octets;
	if (getrandom(&head->salt, sizeof(head->salt), 0) !=
	    sizeof(head->salt))
		return -1;
	segment_head_encode(head, raw);
	segment_name(head->number, name);
	while ((fd = take_spare(s, spare)) == -1)
		if (make_spare(s) == -1)
			return -1;
	if (io_write_at(fd, &iov, 1, 0) == -1 || io.fsync(fd) == -1 ||
	    renameat(s->dir, spare, s->dir, name) == -1 ||
	    io.fsync(s->dir) == -1) {
		int error = errno;

		/* Its name, if it has one by now, would be in the way. */
		unlinkat(s->dir, name, 0);
		unlinkat(s->dir, spare, 0);
		close(fd);
		errno = error;
		return -1;
	}
	pthread_mutex_lock(&s->lock);
	list_add(s, head->number);
	s->list[s->n - 1].end = SEGMENT_HEAD;
	pthread_mutex_unlock(&s->lock);
	return fd;
}

int
segments_free_oldest(struct segments *s)
{
	char name[SEGMENT_NAME], spare[SEGMENT_NAME];
	struct stat st;
	int rv;

	pthread_mutex_lock(&s->lock);
	segment_name(s->list[0].number, name);
	number_name("spare", s->serial++, spare);
	if (s->spares < s->spares_max && !s->list[0].failed &&
	    fstatat(s->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_size == s->octets) {
		if ((rv = renameat(s->dir, name, s->dir, spare)) == 0)
			s->spares++;
	} else
		rv = unlinkat(s->dir, name, 0);
	if (rv == 0) {
		s->n--;
		memmove(s->list, s->list + 1, s->n * sizeof(*s->list));
	}
	pthread_mutex_unlock(&s->lock);
	return rv == 0 ? io.fsync(s->dir) : -1;
}

/* Under the lock: the first whose number is at least number, or n. */
static size_t
list_at(const struct segments *s, uint32_t number)
{
	size_t i = 0;

	while (i < s->n && s->list[i].number < number)
		i++;
	return i;
}

void
segments_set_end(struct segments *s, uint32_t number, uint32_t end)
{
	size_t i;

	pthread_mutex_lock(&s->lock);
	i = list_at(s, number);
	if (i < s->n && s->list[i].number == number)
		s->list[i].end = end;
	pthread_mutex_unlock(&s->lock);
}

void
segments_set_failed(struct segments *s, uint32_t number)
{
	size_t i;

	pthread_mutex_lock(&s->lock);
	i = list_at(s, number);
	if (i < s->n && s->list[i].number == number)
		s->list[i].failed = true;
	pthread_mutex_unlock(&s->lock);
}

bool
segments_next(struct segments *s, uint32_t number, struct segment *out)
{
	bool found;
	size_t i;

	pthread_mutex_lock(&s->lock);
	i = list_at(s, number);
	if ((found = i < s->n))
		*out = s->list[i];
	pthread_mutex_unlock(&s->lock);
	return found;
}

bool
segments_oldest(struct segments *s, struct segment *out)
{
	return segments_next(s, 0, out);
}

uint32_t
segments_end(struct segments *s, uint32_t number)
{
	struct segment seg;

	if (!segments_next(s, number, &seg) || seg.number != number)
		return 0;
	return seg.end;
}

uint64_t
segments_used(struct segments *s, size_t *n)
{
	uint64_t sum = 0;
	size_t i;

	pthread_mutex_lock(&s->lock);
	for (i = 0; i < s->n; i++)
		sum += s->list[i].end;
	*n = s->n;
	pthread_mutex_unlock(&s->lock);
	return sum;
}

unsigned
segments_spares(struct segments *s)
{
	unsigned n;

	pthread_mutex_lock(&s->lock);
	n = s->spares;
	pthread_mutex_unlock(&s->lock);
	return n;
}
