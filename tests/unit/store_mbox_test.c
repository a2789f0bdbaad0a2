/* lib/store: letters in and out of an mbox, and what others do to it. */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "lib/store/mbox_in.h"
#include "tests/unit/store_fixture.h"

#define HEAD_LF "From a@b.example Tue Nov 14 22:13:20 2023\n" \
	"Return-Path: <a@b.example>\nDelivered-To: box@c.example\n"
#define HEAD_CRLF "Return-Path: <a@b.example>\r\n" \
	"Delivered-To: box@c.example\r\n"

static void
check_box(struct fixture *f, const char *want)
{
	struct buf b = box_read(f);

	check_str(buf_str(&b), want);
	buf_clear(&b);
}

static void
check_fetch(struct store *s, uint32_t seq, const char *want)
{
	char *got = fetch(s, seq);

	check_str(got, want);
	mem_free(got);
}

static void
append_texts(struct store *s, unsigned token, const char *const *texts,
    size_t n)
{
	struct store_letter l[8];
	size_t i;

	for (i = 0; i < n; i++)
		l[i] = letter(token + (unsigned)i, texts[i]);
	check_int(store_append(s, l, n), 0);
	for (i = 0; i < n; i++) {
		check_int(l[i].error, 0);
		check_true(l[i].uid > 0);
	}
}

static void
append_text(struct store *s, unsigned token, const char *text)
{
	append_texts(s, token, &text, 1);
}

static void
test_stored_text(void)
{
	static const struct {
		const char *name, *in, *stored, *out;
	} cases[] = {
		{ "plain", "Subject: x\r\n\r\nhello\r\n",
		    "Subject: x\n\nhello\n\n",
		    "Subject: x\r\n\r\nhello\r\n" },
		{ "From lines", "S: x\r\n\r\nFrom a\r\n>From b\r\n>>From c\r\n"
		    ">Fromage\r\nFromage\r\n",
		    "S: x\n\n>From a\n>>From b\n>>>From c\n>Fromage\nFromage\n"
		    "\n",
		    "S: x\r\n\r\nFrom a\r\n>From b\r\n>>From c\r\n>Fromage\r\n"
		    "Fromage\r\n" },
		{ "state lines", "Status: RO\r\nX-STATUS : A\r\n B\r\nA: b\r\n"
		    "Content-Length: 3\r\nX-UID: 7\r\nX-IMAPbase: 1 2\r\n"
		    "X-Keywords: q\r\nStatusx: y\r\n\r\nStatus: RO\r\n",
		    "A: b\nStatusx: y\n\nStatus: RO\n\n",
		    "A: b\r\nStatusx: y\r\n\r\nStatus: RO\r\n" },
		{ "no line end", "A: b\r\n\r\nhello", "A: b\n\nhello\n\n",
		    "A: b\r\n\r\nhello\r\n" },
		{ "header alone", "A: b\r\n", "A: b\n\n", "A: b\r\n\r\n" },
		{ "no body", "A: b\r\n\r\n", "A: b\n\n\n", "A: b\r\n\r\n" },
		{ "empty lines at the end", "A: b\r\n\r\nx\r\n\r\n\r\n",
		    "A: b\n\nx\n\n\n\n", "A: b\r\n\r\nx\r\n\r\n\r\n" },
		{ "dots", "A: b\r\n\r\n.\r\n..\r\n", "A: b\n\n.\n..\n\n",
		    "A: b\r\n\r\n.\r\n..\r\n" },
	};
	char want[512];
	size_t i;

	for (i = 0; i < nitems(cases); i++) {
		struct fixture f;
		struct store *s;

		check_begin(cases[i].name);
		fixture_init(&f);
		s = fixture_open(&f);
		append_text(s, 1, cases[i].in);
		snprintf(want, sizeof(want), "%s%s", HEAD_LF, cases[i].stored);
		check_box(&f, want);
		snprintf(want, sizeof(want), "%s%s", HEAD_CRLF, cases[i].out);
		check_int(store_count(s), 1);
		check_fetch(s, 0, want);
		store_close(s);
		/* The same without an index. */
		unlinkat(f.index, "box.ix", 0);
		s = fixture_open(&f);
		check_int(store_count(s), 1);
		check_fetch(s, 0, want);
		store_close(s);
		fixture_clear(&f);
	}
}

static void
test_big_from_file(void)
{
	struct fixture f;
	struct store *s;
	struct store_letter l = letter(1, "");
	struct buf b = BUF_INIT((size_t)1 << 24);
	char *got;
	size_t i, size;
	int fd;

	check_begin("a big letter from a file, in pieces");
	fixture_init(&f);
	buf_add_str(&b, "junkA: b\r\n\r\n");
	for (i = 0; i < 30000; i++)
		buf_addf(&b, i % 7 == 0 ? "From %zu\r\n" : "line %zu .\r\n", i);
	for (i = 0; i < 700000; i++)
		buf_add_char(&b, 'x');
	buf_add_str(&b, "\r\nend\r\n");
	size = b.len;
	fd = openat(f.mail, "big", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	check_int(buf_write_all(&b, fd), 0);
	l.text_fd = fd;
	l.text_off = 4;
	l.text_len = size - 4;
	s = fixture_open(&f);
	check_int(store_append(s, &l, 1), 0);
	got = fetch(s, 0);
	check_int(strlen(got), strlen(HEAD_CRLF) + size - 4);
	check_true(strcmp(got + strlen(HEAD_CRLF), buf_str(&b) + 4) == 0);
	mem_free(got);
	/* A file that is shorter than promised leaves no octet behind. */
	l.text_len += 10;
	put_u32(l.token, 2);
	size = box_len(&f);
	check_int(store_append(s, &l, 1), -1);
	check_int(l.error, EIO);
	check_int(box_len(&f), size);
	store_close(s);
	close(fd);
	buf_clear(&b);
	fixture_clear(&f);
}

static void
test_tokens(void)
{
	struct fixture f;
	struct store *s;
	struct store_letter l;
	struct store_info info;
	size_t size;

	check_begin("exactly once by token");
	fixture_init(&f);
	s = fixture_open(&f);
	append_text(s, 1, "A: one\r\n\r\n1\r\n");
	append_text(s, 2, "A: two\r\n\r\n2\r\n");
	size = box_len(&f);
	l = letter(1, "A: one\r\n\r\n1\r\n");
	l.maybe_stored = true;
	check_int(store_append(s, &l, 1), 0);
	check_true(l.was_there);
	check_int(l.uid, 1);
	check_int(box_len(&f), size);

	check_begin("the index lost: found by its octets");
	store_close(s);
	unlinkat(f.index, "box.ix", 0);
	s = fixture_open(&f);
	check_int(store_append(s, &l, 1), 0);
	check_true(l.was_there);
	check_int(box_len(&f), size);
	l = letter(1, "A: one\r\n\r\n3\r\n");
	l.maybe_stored = true;
	l.token[9] = 1;
	check_int(store_append(s, &l, 1), 0);
	check_true(!l.was_there);
	check_int(store_count(s), 3);

	check_begin("known after it was fetched and deleted");
	l = letter(1, "A: one\r\n\r\n1\r\n");
	l.maybe_stored = true;
	check_int(store_get(s, 0, &info), 0);
	check_int(store_expunge(s, &info.uid, 1), 0);
	check_int(store_append(s, &l, 1), 0);
	check_true(l.was_there);
	check_int(store_count(s), 2);
	store_close(s);
	fixture_clear(&f);
}

/* A crash left part of the second letter, or NULs, behind the first. */
static void
test_torn(void)
{
	static const char *const texts[] = { "A: one\r\n\r\n1\r\n",
		"A: two\r\n\r\n2\r\n" };
	struct store_letter l[2];
	struct buf whole;
	struct fixture f;
	struct store *s;
	size_t begin, cut;
	static const char nuls[9000];
	int mode;

	check_begin("a torn batch is cut back and completed");
	fixture_init(&f);
	s = fixture_open(&f);
	append_text(s, 9, "A: zero\r\n\r\n0\r\n");
	begin = box_len(&f);
	append_texts(s, 1, texts, 1);
	append_texts(s, 2, texts + 1, 1);
	whole = box_read(&f);
	store_close(s);
	for (cut = begin; cut <= whole.len; cut++)
		for (mode = 0; mode < 4; mode++) {
			struct buf now;

			/* The index knows letter zero, or nothing. */
			unlinkat(f.index, "box.ix", 0);
			box_write(&f, buf_str(&whole), begin, O_TRUNC);
			s = fixture_open(&f);
			store_close(s);
			box_write(&f, buf_str(&whole), cut, O_TRUNC);
			if (mode & 1)
				box_write(&f, "\0\0\0\0\0\0", 6, O_APPEND);
			if (mode == 1 && cut % 7 == 0) {
				/* more of them, and a session looks first */
				box_write(&f, nuls, sizeof(nuls), O_APPEND);
				s = fixture_open(&f);
				store_close(s);
			}
			if (mode & 2)
				unlinkat(f.index, "box.ix", 0);
			s = fixture_open(&f);
			l[0] = letter(1, texts[0]);
			l[1] = letter(2, texts[1]);
			l[0].maybe_stored = l[1].maybe_stored = true;
			check_int(store_append(s, l, 2), 0);
			now = box_read(&f);
			check_mem(now.p, now.len, whole.p, whole.len);
			check_int(store_count(s), 3);
			buf_clear(&now);
			store_close(s);
		}
	buf_clear(&whole);
	fixture_clear(&f);
}

/* Behind another letter the torn one would not be found: that one waits. */
static void
test_torn_first(void)
{
	static const struct { const char *p; size_t len; } ends[] = {
		{ "From a@b.exam", 13 },
		{ "From a@b Sat Nov 21 12:00:00 2026\nReturn-Path: <a@", 50 },
		{ "x\0\0\0", 4 },
	};
	struct store_letter l;
	struct fixture f;
	struct store *s;
	size_t i;

	for (i = 0; i < nitems(ends); i++) {
		check_begin("a torn end keeps others waiting");
		fixture_init(&f);
		s = fixture_open(&f);
		append_text(s, 1, "A: one\r\n\r\n1\r\n");
		store_close(s);
		box_write(&f, ends[i].p, ends[i].len, O_APPEND);
		s = fixture_open(&f);
		l = letter(2, "A: two\r\n\r\n2\r\n");
		check_int(store_append(s, &l, 1), -1);
		check_int(l.error, EAGAIN);
		l.maybe_stored = true; /* the first end is a part of it */
		check_int(store_append(s, &l, 1), i == 0 ? 0 : -1);
		check_int(l.error, i == 0 ? 0 : EAGAIN);
		store_close(s);
		fixture_clear(&f);
	}
}

/* -- what others do to a mailbox, one after the other ---------------------- */

static void
foreign_edits(struct fixture *f, struct store *s)
{
	char uidl[STORE_UIDL_TEXT], again[STORE_UIDL_TEXT];
	struct store_info info;

	check_begin("procmail appends");
	append_text(s, 1, "Subject: one\r\n\r\n1\r\n");
	check_true(!store_changed(s));
	box_append(f, "From x Tue Nov 14 22:13:20 2023\nSubject: two\n\n2\n"
	    "\n");
	check_true(store_changed(s));
	check_int(store_sync(s), 0);
	check_int(store_count(s), 2);
	check_fetch(s, 1, "Subject: two\r\n\r\n2\r\n");
	append_text(s, 3, "Subject: three\r\n\r\n3\r\n");
	check_int(store_count(s), 3);
	check_int(store_get(s, 2, &info), 0);
	check_int(info.uid, 3);
	check_int(store_uidl(s, 1, uidl), 0);

	check_begin("mutt deletes the first and marks the second");
	box_put(f, "From x Tue Nov 14 22:13:20 2023\nSubject: two\n"
	    "Status: RO\nContent-Length: 2\nLines: 1\n\n2\n\n" HEAD_LF
	    "Subject: three\n\n3\n\n");
	check_int(store_sync(s), 0);
	check_int(store_count(s), 2);
	check_int(store_get(s, 0, &info), 0);
	check_int(info.uid, 2);
	check_int(store_uidl(s, 0, again), 0);
	check_str(again, uidl);
	check_fetch(s, 0, "Subject: two\r\nLines: 1\r\n\r\n2\r\n");
	check_int(store_get(s, 1, &info), 0);
	check_int(info.uid, 3);
}

static void
foreign_while_reading(struct fixture *f, struct store *s)
{
	struct store_reader r;
	struct buf out = BUF_INIT(100000);

	check_begin("between two pieces of a reading the letter moves");
	check_int(store_read_begin(s, 3, &r), 0);
	box_put(f, HEAD_LF "Subject: three\n\n3\n\n");
	check_int(store_read(s, &r, &out, 4096), 0);
	check_str(buf_str(&out), HEAD_CRLF "Subject: three\r\n\r\n3\r\n");
	box_put(f, "");
	check_int(store_read_begin(s, 3, &r), 0);
	check_int(store_read(s, &r, &out, 4096), -1);
	check_int(errno, ESTALE);
	buf_clear(&out);
}

static void
foreign_same_stat(struct fixture *f, struct store *s)
{
	struct timespec t[2];
	struct stat st;
	int fd;

	check_begin("rewritten behind our back, stat as before");
	box_put(f, "From x Tue Nov 14 22:13:20 2023\nS: aa\n\n1\n\n"
	    "From x Tue Nov 14 22:13:20 2023\nS: bbbb\n\n2\n\n");
	check_int(store_sync(s), 0);
	fd = openat(f->mail, "box", O_RDWR);
	fstat(fd, &st);
	box_put(f, "From x Tue Nov 14 22:13:20 2023\nS: bbbb\n\n2\n\n"
	    "From x Tue Nov 14 22:13:20 2023\nS: aa\n\n1\n\n");
	t[0] = st.st_atim;
	t[1] = st.st_mtim;
	futimens(fd, t);
	close(fd);
	check_true(!store_changed(s));
	check_fetch(s, 1, "S: bbbb\r\n\r\n2\r\n");
	check_fetch(s, 0, "S: aa\r\n\r\n1\r\n");
}

static void
foreign_ends(struct fixture *f, struct store *s)
{
	struct store_info info;

	check_begin("emptied, then removed");
	box_put(f, "");
	check_int(store_sync(s), 0);
	check_int(store_count(s), 0);
	append_text(s, 4, "Subject: four\r\n\r\n4\r\n");
	check_int(store_get(s, 0, &info), 0);
	check_int(info.uid, 6);
	unlinkat(f->mail, "box", 0);
	check_int(store_sync(s), 0);
	check_int(store_count(s), 0);
	append_text(s, 5, "Subject: five\r\n\r\n5\r\n");
	check_int(store_count(s), 1);

	check_begin("no empty line at the end");
	box_put(f, "From x Tue Nov 14 22:13:20 2023\nSubject: q\n\nlast");
	append_text(s, 6, "Subject: six\r\n\r\n6\r\n");
	check_box(f, "From x Tue Nov 14 22:13:20 2023\nSubject: q\n\nlast\n\n"
	    HEAD_LF "Subject: six\n\n6\n\n");
	check_fetch(s, 0, "Subject: q\r\n\r\nlast\r\n");
	check_fetch(s, 1, HEAD_CRLF "Subject: six\r\n\r\n6\r\n");
}

static void
foreign_twins(struct fixture *f, struct store *s)
{
	char uidl[STORE_UIDL_TEXT], again[STORE_UIDL_TEXT];
	struct store_info info;

	check_begin("equal letters have counters");
	box_put(f, "");
	for (int i = 0; i < 3; i++)
		box_append(f, "From x Tue Nov 14 22:13:20 2023\nS: q\n\nx\n"
		    "\n");
	check_int(store_sync(s), 0);
	check_int(store_uidl(s, 0, uidl), 0);
	check_true(strchr(uidl, '-') == NULL);
	check_int(store_uidl(s, 2, again), 0);
	check_str(strchr(again, '-'), "-2");
	check_int(store_get(s, 1, &info), 0);
	check_int(store_expunge(s, &info.uid, 1), 0);
	check_int(store_uidl(s, 1, uidl), 0);
	check_str(uidl, again);
	box_append(f, "From x Tue Nov 14 22:13:20 2023\nS: q\n\nx\n\n");
	check_int(store_sync(s), 0);
	check_int(store_uidl(s, 2, again), 0);
	check_str(strchr(again, '-'), "-3");
}

static void
foreign_forms(struct fixture *f, struct store *s)
{
	check_begin("CRLF line ends and a bare CR");
	box_put(f, "From x Tue Nov 14 22:13:20 2023\r\nS: q\r\n\r\nx\ry\r\n"
	    "\r\nFrom x Tue Nov 14 22:13:20 2023\r\nS: r\r\n\r\n\r\nz\r\n");
	check_int(store_sync(s), 0);
	check_int(store_count(s), 2);
	check_fetch(s, 0, "S: q\r\n\r\nxy\r\n");
	check_fetch(s, 1, "S: r\r\n\r\n\r\nz\r\n");

	check_begin("text that is no mbox");
	box_put(f, "hello\nFrom me to you\n");
	check_int(store_sync(s), 0);
	check_int(store_count(s), 0);
	append_text(s, 7, "Subject: 7\r\n\r\n7\r\n");
	check_int(store_count(s), 1);
	check_fetch(s, 0, HEAD_CRLF "Subject: 7\r\n\r\n7\r\n");
}

static void
test_foreign(void)
{
	struct fixture f;
	struct store *s;

	fixture_init(&f);
	s = fixture_open(&f);
	foreign_edits(&f, s);
	foreign_while_reading(&f, s);
	foreign_same_stat(&f, s);
	foreign_ends(&f, s);
	foreign_twins(&f, s);
	foreign_forms(&f, s);
	store_close(s);
	fixture_clear(&f);
}

/* -- a torn index, limits, locks ------------------------------------------- */

/* A batch of deltas of which a crash left a part, at every length. */
static void
test_torn_index(void)
{
	static const char *const texts[] = { "A: 1\r\n\r\n1\r\n",
		"A: 2\r\n\r\n2\r\n", "A: 3\r\n\r\n3\r\n" };
	struct store_info info;
	struct fixture f;
	struct store *s;
	struct stat st, old;
	char want[160];
	int fd;

	check_begin("a torn index");
	fixture_init(&f);
	s = fixture_open(&f);
	append_text(s, 9, "A: 0\r\n\r\n0\r\n");
	fstatat(f.index, "box.ix", &old, 0);
	append_texts(s, 1, texts, 3);
	store_close(s);
	fstatat(f.index, "box.ix", &st, 0);
	for (; st.st_size >= old.st_size; st.st_size -= 9) {
		fd = openat(f.index, "box.ix", O_RDWR);
		check_int(ftruncate(fd, st.st_size), 0);
		close(fd);
		s = fixture_open(&f);
		check_int(store_count(s), 4);
		for (uint32_t i = 0; i < 4; i++) {
			snprintf(want, sizeof(want), HEAD_CRLF
			    "A: %u\r\n\r\n%u\r\n", i, i);
			check_fetch(s, i, want);
			check_int(store_get(s, i, &info), 0);
		}
		store_close(s);
	}

	check_begin("an index cut under a mailbox that is open");
	s = fixture_open(&f);
	for (st.st_size = 200; st.st_size >= 0; st.st_size -= 40) {
		fd = openat(f.index, "box.ix", O_RDWR);
		check_int(ftruncate(fd, st.st_size), 0);
		close(fd);
		append_text(s, 20 + (unsigned)st.st_size, "A: 5\r\n\r\n5\r\n");
		check_int(store_count(s), 10 - st.st_size / 40);
	}
	store_close(s);
	fixture_clear(&f);
}

static void
test_limits(void)
{
	struct store_letter l = letter(1, "A: b\r\n\r\nhello hello hello\r\n");
	struct fixture f;
	struct store *s;
	struct rlimit old, low;
	struct buf big = BUF_INIT(1 << 22);
	struct store_letter two[2];

	check_begin("quota");
	fixture_init(&f);
	f.conf.quota_octets = 40;
	s = fixture_open(&f);
	check_int(store_append(s, &l, 1), -1);
	check_int(l.error, EDQUOT);
	check_int(box_len(&f), 0);
	store_close(s);

	check_begin("a failed write leaves whole letters alone");
	f.conf.quota_octets = 0;
	s = fixture_open(&f);
	buf_add_str(&big, "A: b\r\n\r\n");
	while (big.len < (2 << 20))
		buf_add_str(&big, "0123456789abcdef0123456789abcdef\r\n");
	two[0] = l;
	two[1] = letter(2, buf_str(&big));
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	low = old;
	low.rlim_cur = (rlim_t)3 << 19;
	setrlimit(RLIMIT_FSIZE, &low);
	check_int(store_append(s, two, 2), -1);
	setrlimit(RLIMIT_FSIZE, &old);
	check_int(two[0].error, 0);
	check_int(two[1].error, EFBIG);
	check_int(store_count(s), 1);
	check_fetch(s, 0, HEAD_CRLF "A: b\r\n\r\nhello hello hello\r\n");
	check_box(&f, HEAD_LF "A: b\n\nhello hello hello\n\n");
	check_true(!store_changed(s));
	check_int(store_append(s, two + 1, 1), 0);
	check_int(store_count(s), 2);
	store_close(s);
	buf_clear(&big);
	fixture_clear(&f);
}

static void
test_locks(void)
{
	struct store_letter l = letter(1, "A: b\r\n\r\nx\r\n");
	struct fixture f;
	struct store *s;
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct stat st;
	char link[160];
	int fd;

	check_begin("the dotlock is held by another");
	fixture_init(&f);
	s = fixture_open(&f);
	fd = openat(f.mail, "box.lock", O_CREAT | O_WRONLY, 0600);
	close(fd);
	check_int(store_append(s, &l, 1), -1);
	check_int(l.error, EAGAIN);
	unlinkat(f.mail, "box.lock", 0);

	check_begin("the fcntl lock is held by another");
	box_append(&f, "");
	fd = openat(f.mail, "box", O_RDWR);
	check_int(fcntl(fd, F_OFD_SETLK, &fl), 0);
	check_int(store_append(s, &l, 1), -1);
	check_int(l.error, EAGAIN);
	check_int(fstatat(f.mail, "box.lock", &st, 0), -1);
	close(fd);
	check_int(store_append(s, &l, 1), 0);
	check_int(fstatat(f.mail, "box.lock", &st, 0), -1);
	store_close(s);

	check_begin("links are refused");
	snprintf(link, sizeof(link), "%s/mail/box", f.path);
	check_int(linkat(f.mail, "box", f.mail, "other", 0), 0);
	check_int(store_open(&s, &f.conf), -1);
	check_int(errno, EPERM);
	unlinkat(f.mail, "box", 0);
	check_int(symlinkat("other", f.mail, "box"), 0);
	check_int(store_open(&s, &f.conf), -1);
	check_int(errno, EPERM);
	unlinkat(f.mail, "box", 0);
	check_int(mkfifoat(f.mail, "box", 0600), 0);
	check_int(store_open(&s, &f.conf), -1);
	check_int(errno, EPERM);
	unlinkat(f.mail, "box", 0);
	fixture_clear(&f);
}

static void
test_claim(void)
{
	struct fixture f;
	struct store *a, *b;

	check_begin("one session of a kind");
	fixture_init(&f);
	a = fixture_open(&f);
	b = fixture_open(&f);
	check_int(store_claim(a, "pop3"), 0);
	check_int(store_claim(b, "pop3"), -1);
	check_int(errno, EBUSY);
	store_close(a);
	check_int(store_claim(b, "pop3"), 0);
	store_close(b);
	fixture_clear(&f);
}

/* -- expunge --------------------------------------------------------------- */

static enum mbox_step die_at;

static void
die_hook(enum mbox_step at)
{
	if (at == die_at)
		_exit(0);
}

static void
fill(struct fixture *f, struct store *s, int n)
{
	char text[64];
	int i;

	(void)f;
	for (i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "A: %d\r\n\r\nbody %d\r\n", i, i);
		append_text(s, 100 + (unsigned)i, text);
	}
}

static void
check_left(struct store *s, int n, int extra)
{
	char want[160];
	int i;

	check_int(store_count(s), n / 2 + extra);
	for (i = 0; i < n / 2; i++) {
		snprintf(want, sizeof(want), HEAD_CRLF
		    "A: %d\r\n\r\nbody %d\r\n", 2 * i + 1, 2 * i + 1);
		check_fetch(s, (uint32_t)i, want);
	}
}

static void
test_expunge(int n, bool foreign)
{
	static uint32_t uids[64];
	struct fixture f;
	struct store *s;
	struct stat st;
	int i, status;
	pid_t pid;

	for (i = 0; i < n / 2; i++)
		uids[i] = (uint32_t)(2 * i + 1);
	for (die_at = STEP_SIDE_BEGUN; die_at <= STEP_MAX; die_at++) {
		fixture_init(&f);
		s = fixture_open(&f);
		fill(&f, s, n);
		fflush(stdout);
		if ((pid = fork()) == 0) {
			mbox_step_hook = die_hook;
			if (store_expunge(s, uids, (size_t)n / 2) == -1)
				_exit(1);
			_exit(0);
		}
		waitpid(pid, &status, 0);
		check_int(status, 0);
		store_close(s);
		/* What the dead one held is free, but for the lock file. */
		unlinkat(f.mail, "box.lock", 0);
		if (foreign)
			box_append(&f, "From x Tue Nov 14 22:13:20 2023\n"
			    "S: late\n\nlate\n\n");
		s = fixture_open(&f);
		if (die_at <= STEP_SIDE_WRITTEN)
			check_int(store_expunge(s, uids, (size_t)n / 2), 0);
		else
			append_text(s, 999, "A: z\r\n\r\nz\r\n");
		check_left(s, n, (die_at > STEP_SIDE_WRITTEN) + foreign);
		check_int(fstatat(f.index, "box.xp", &st, 0), -1);
		check_int(fstatat(f.index, "box.lost", &st, 0), -1);
		store_close(s);
		fixture_clear(&f);
	}
}

static void
test_expunge_all(void)
{
	uint32_t uids[4] = { 1, 2, 3, 4 };
	struct store_info info;
	struct fixture f;
	struct store *s;

	check_begin("the last ones, then all");
	fixture_init(&f);
	s = fixture_open(&f);
	fill(&f, s, 4);
	check_int(store_expunge(s, uids + 2, 2), 0);
	check_int(store_count(s), 2);
	check_int(store_expunge(s, uids, 4), 0);
	check_int(store_count(s), 0);
	check_int(store_octets(s), 0);
	check_box(&f, "");
	fill(&f, s, 1);
	check_int(store_get(s, 0, &info), 0);
	check_int(info.uid, 5);
	store_close(s);
	fixture_clear(&f);
}

int
main(void)
{
	test_stored_text();
	test_big_from_file();
	test_tokens();
	test_torn();
	test_torn_first();
	test_torn_index();
	test_foreign();
	test_limits();
	test_locks();
	test_claim();
	check_begin("expunge, a crash at each step");
	test_expunge(6, false);
	check_begin("expunge of many, a crash at each step");
	test_expunge(50, false);
	check_begin("expunge, a crash, and another appends");
	test_expunge(6, true);
	test_expunge_all();
	return check_end();
}
