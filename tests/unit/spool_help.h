/*
 * spool_help.h - a spool in a folder of its own, and small steps for the tests
 * of queued's storage engine.
 */
#ifndef TESTS_UNIT_SPOOL_HELP_H
#define TESTS_UNIT_SPOOL_HELP_H

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "queued/spool.h"
#include "tests/unit/tree.h"

struct help {
	char path[256];
	struct loop loop;
	struct spool *sp;
	struct spool_options o;
	char why[200];
	unsigned moved, lost;
};

static inline void
help_moved(void *arg, uint64_t qid, struct place place)
{
	struct help *h = arg;

	(void)qid;
	(void)place;
	h->moved++;
}

static inline void
help_folder(char path[256])
{
	const char *tmp = getenv("TMPDIR");

	snprintf(path, 256, "%s/barid-test.XXXXXX", tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(path) == NULL) {
		perror(path);
		exit(1);
	}
}

static inline void
help_init(struct help *h)
{
	memset(h, 0, sizeof(*h));
	help_folder(h->path);
	loop_init(&h->loop);
	h->o.loop = &h->loop;
	h->o.segment_octets = SPOOL_SEGMENT_MIN;
	h->o.settle_ms = 50;
	h->o.moved = help_moved;
	h->o.arg = h;
}

static inline int
help_open(struct help *h)
{
	int rv;

	h->o.rootfd = open(h->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rv = spool_open(&h->sp, &h->o, h->why, sizeof(h->why));
	close(h->o.rootfd);
	return rv;
}

static inline void
help_close(struct help *h)
{
	spool_close(h->sp);
	h->sp = NULL;
}

static inline void
help_clear(struct help *h)
{
	if (h->sp != NULL)
		help_close(h);
	loop_clear(&h->loop);
	if (chdir("/") == 0)
		tree_remove(h->path);
}

/* Runs the loop until *done, at most for some seconds. */
static inline bool
help_run(struct help *h, const bool *done)
{
	int64_t end = clock_boot_ms() + 20000;

	while (!*done && clock_boot_ms() < end)
		loop_run_once(&h->loop, 50);
	return *done;
}

static inline void
help_run_ms(struct help *h, int64_t ms)
{
	int64_t end = clock_boot_ms() + ms;

	while (clock_boot_ms() < end)
		loop_run_once(&h->loop, 20);
}

/* Until the index holds n letters; a loaded machine may take its time. */
static inline void
help_indexed(struct help *h, uint64_t n)
{
	int64_t end = clock_boot_ms() + 20000;
	struct spool_stats st;

	do {
		help_run_ms(h, 50);
		spool_stats(h->sp, &st);
	} while ((!st.index_ready || st.indexed < n) && clock_boot_ms() < end);
}

struct help_wait {
	bool done;
	enum spool_status status;
	struct letter *letter;
};

static inline void
help_status(void *arg, enum spool_status status)
{
	struct help_wait *w = arg;

	w->status = status;
	w->done = true;
}

static inline void
help_letter(void *arg, enum spool_status status, struct letter *l)
{
	struct help_wait *w = arg;

	w->status = status;
	w->letter = l;
	w->done = true;
}

static inline struct letter *
help_new_letter(uint64_t qid, unsigned rcpts)
{
	struct letter *l = letter_new(qid);
	char addr[64];
	unsigned i;

	l->arrival_s = 1000;
	l->reverse_path = letter_dup(l, span_str("a@sender.example"));
	l->account = l->envid = span_make("", 0);
	l->client = letter_dup(l, span_str("192.0.2.1"));
	for (i = 0; i < rcpts; i++) {
		snprintf(addr, sizeof(addr), "user%u@d%u.example", i, i % 5);
		letter_add_rcpt(l, span_str(addr));
	}
	return l;
}

/* The text of a letter: told by its qid, so that every octet can be checked. */
static inline char *
help_text(uint64_t qid, size_t len)
{
	char *p = xmalloc(len + 1);
	size_t i;

	for (i = 0; i < len; i++)
		p[i] = (char)('a' + (qid * 7 + i * 31 + i / 97) % 26);
	return p;
}

static inline struct body *
help_body(struct help *h, uint64_t qid, size_t len)
{
	struct body *b = spool_body_begin(h->sp, qid, NULL, NULL);
	char *text = help_text(qid, len);
	size_t off = 0, n;

	for (; off < len; off += n) {
		n = len - off < 65000 ? len - off : 65000;
		while (spool_body_append(b, span_make(text + off, n)) >
		    (2u << 20)) {
			loop_run_once(&h->loop, 5);
			off += n;
			n = len - off < 65000 ? len - off : 65000;
		}
	}
	free(text);
	return b;
}

/* Accepts one and waits; the letter is the caller's. */
static inline struct letter *
help_accept(struct help *h, size_t len, unsigned rcpts,
    enum spool_status *status)
{
	struct help_wait w = { 0 };
	uint64_t qid = spool_qids(h->sp, 1);
	struct letter *l = help_new_letter(qid, rcpts);

	spool_accept(h->sp, l, help_body(h, qid, len), help_status, &w);
	help_run(h, &w.done);
	*status = w.status;
	return l;
}

static inline struct letter *
help_get(struct help *h, uint64_t qid, enum spool_status *status)
{
	struct help_wait w = { 0 };

	spool_get(h->sp, qid, help_letter, &w);
	help_run(h, &w.done);
	*status = w.status;
	return w.letter;
}

/* Is the text of the letter what help_text made? */
static inline bool
help_text_ok(struct help *h, const struct letter *l, size_t len)
{
	struct buf b = BUF_INIT(SPOOL_READ_MAX);
	char *want = help_text(l->qid, len), *got = NULL;
	struct span text;
	bool ok = false;
	int fd;

	if (spool_read(h->sp, l, &b, &text, &fd) == 0) {
		if (fd != -1) {
			got = xmalloc(len + 1);
			if (pread(fd, got, len + 1, 0) == (ssize_t)len)
				text = span_make(got, len);
			close(fd);
		}
		ok = text.len == len && memcmp(text.p, want, len) == 0;
	}
	free(got);
	free(want);
	buf_clear(&b);
	return ok;
}

static inline void
help_copy_file(const char *from, const char *to)
{
	static char block[1 << 20];
	int in = open(from, O_RDONLY), out;
	ssize_t n;

	out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	while (in != -1 && out != -1 && (n = read(in, block, sizeof(block))) > 0)
		if (write(out, block, (size_t)n) != n)
			break;
	if (in != -1)
		close(in);
	if (out != -1)
		close(out);
}

/* The spool as a crash would leave it: what is in the files at this moment. */
static inline void
help_copy_tree(const char *from, const char *to)
{
	char *source, *target;
	struct dirent *e;
	struct stat st;
	DIR *d = opendir(from);

	mkdir(to, 0700);
	while (d != NULL && (e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		source = xasprintf("%s/%s", from, e->d_name);
		target = xasprintf("%s/%s", to, e->d_name);
		if (lstat(source, &st) == 0 && S_ISDIR(st.st_mode))
			help_copy_tree(source, target);
		else
			help_copy_file(source, target);
		free(source);
		free(target);
	}
	if (d != NULL)
		closedir(d);
}

#endif
