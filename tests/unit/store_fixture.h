/* A mailbox in a folder of its own, for the tests of lib/store. */
#ifndef TESTS_UNIT_STORE_FIXTURE_H
#define TESTS_UNIT_STORE_FIXTURE_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/mem.h"
#include "lib/store/dotlock.h"
#include "lib/store/store.h"
#include "tests/unit/check.h"
#include "tests/unit/tree.h"

struct fixture {
	char path[64];
	int mail, index;
	struct dotlock_local dot;
	struct store_conf conf;
};

static inline void
fixture_init(struct fixture *f)
{
	const char *tmp = getenv("TMPDIR");
	char sub[96];

	memset(f, 0, sizeof(*f));
	snprintf(f->path, sizeof(f->path), "%s/barid-store-XXXXXX",
	    tmp != NULL && strlen(tmp) < 30 ? tmp : "/tmp");
	if (mkdtemp(f->path) == NULL)
		exit(99);
	snprintf(sub, sizeof(sub), "%s/mail", f->path);
	mkdir(sub, 0700);
	f->mail = open(sub, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(sub, sizeof(sub), "%s/index", f->path);
	mkdir(sub, 0700);
	f->index = open(sub, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dotlock_local_init(&f->dot, f->mail);
	f->conf = (struct store_conf){ .mail_dir = f->mail,
		.index_dir = f->index, .name = "box", .owner = geteuid(),
		.lock_wait_ms = 300, .locks = &f->dot.locks };
}

static inline void
fixture_clear(struct fixture *f)
{
	close(f->mail);
	close(f->index);
	if (tree_remove(f->path) == -1)
		printf("%s stays\n", f->path);
}

static inline struct store *
fixture_open(struct fixture *f)
{
	struct store *s = NULL;

	if (!check_int(store_open(&s, &f->conf), 0)) {
		perror("store_open");
		exit(1);
	}
	return s;
}

/* The mailbox file, or what is put in its place. */
static inline struct buf
box_read(struct fixture *f)
{
	struct buf b = BUF_INIT((size_t)1 << 30);
	int fd = openat(f->mail, "box", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	while (fd != -1 && (n = read(fd, buf_reserve(&b, 65536), 65536)) > 0)
		buf_grow(&b, (size_t)n);
	if (fd != -1)
		close(fd);
	return b;
}

static inline size_t
box_len(struct fixture *f)
{
	struct stat st;

	return fstatat(f->mail, "box", &st, 0) == 0 ? (size_t)st.st_size : 0;
}

static inline void
box_write(struct fixture *f, const char *text, size_t len, int flags)
{
	int fd = openat(f->mail, "box", O_WRONLY | O_CREAT | O_CLOEXEC | flags,
	    0600);

	if (write(fd, text, len) != (ssize_t)len)
		check_true(false);
	close(fd);
}

static inline void
box_append(struct fixture *f, const char *text)
{
	box_write(f, text, strlen(text), O_APPEND);
}

static inline void
box_put(struct fixture *f, const char *text)
{
	box_write(f, text, strlen(text), O_TRUNC);
}

/* A letter with a token made of a number; its strings are borrowed. */
static inline struct store_letter
letter(unsigned token, const char *text)
{
	struct store_letter l = { .text_fd = -1, .arrived_s = 1700000000 };

	put_u32(l.token, token);
	l.from = span_str("a@b.example");
	l.head = span_str("Return-Path: <a@b.example>\r\n"
	    "Delivered-To: box@c.example\r\n");
	l.text = span_str(text);
	return l;
}

/* All of one letter as RETR would send it; on the heap. */
static inline char *
fetch(struct store *s, uint32_t seq)
{
	struct buf b = BUF_INIT((size_t)1 << 30);
	struct store_reader r;
	struct store_info info;
	char *p;
	int rv;

	if (store_get(s, seq, &info) == -1 ||
	    store_read_begin(s, info.uid, &r) == -1)
		return xstrdup("no letter");
	while ((rv = store_read(s, &r, &b, 4096)) == 1)
		;
	if (rv == -1)
		return xstrdup("not read");
	check_int(b.len, info.octets);
	p = xstrdup(buf_str(&b));
	buf_clear(&b);
	return p;
}

#endif
