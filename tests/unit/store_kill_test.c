/* lib/store: processes that are killed while they append and expunge; every
 * letter is there once in the end. */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/unit/store_fixture.h"

#define ROUNDS  60
#define BATCH   15
#define LETTERS 20000

static void
nap_us(long us)
{
	struct timespec ts = { 0, us * 1000 };

	nanosleep(&ts, NULL);
}

/* Texts that differ in length, some longer than a block that is written. */
static void
text_make(struct buf *b, unsigned n)
{
	unsigned i, lines = n % 97 == 0 ? 5000 : n % 13;

	buf_reset(b);
	buf_addf(b, "Subject: letter %u.\r\nStatus: RO\r\n\r\n", n);
	for (i = 0; i < lines; i++)
		buf_addf(b, "From line %u of %u, a little longer than that\r\n",
		    i, n);
}

/* Appends batches from number `from` on, tells each, until it is killed. */
static void
appender(struct fixture *f, unsigned from, int tell)
{
	struct store_letter l[BATCH];
	struct buf texts[BATCH];
	struct store *s;
	unsigned i, n;

	for (i = 0; i < BATCH; i++)
		buf_init(&texts[i], 1 << 20);
	if (store_open(&s, &f->conf) == -1)
		_exit(1);
	for (n = from;; n++) {
		for (i = 0; i < BATCH; i++) {
			text_make(&texts[i], n * BATCH + i);
			l[i] = letter(1 + n * BATCH + i, "");
			l[i].text = buf_span(&texts[i]);
			l[i].maybe_stored = n == from;
		}
		if (store_append(s, l, BATCH) == -1)
			_exit(2);
		if (write(tell, &n, sizeof(n)) != (ssize_t)sizeof(n))
			_exit(3);
	}
}

/* Runs one until it is killed; returns the batch to begin with next. */
static unsigned
append_round(struct fixture *f, unsigned from)
{
	unsigned n;
	int p[2], status;
	pid_t pid;

	if (pipe(p) == -1)
		exit(99);
	fflush(stdout);
	if ((pid = fork()) == 0) {
		close(p[0]);
		dotlock_identify(&f->dot.id);
		appender(f, from, p[1]);
	}
	close(p[1]);
	nap_us(1000 + (long)arc4random_uniform(12000));
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	check_true(WIFSIGNALED(status));
	while (read(p[0], &n, sizeof(n)) == (ssize_t)sizeof(n))
		from = n + 1;
	close(p[0]);
	return from;
}

static unsigned
number_of(struct store *s, uint32_t seq)
{
	char *text = fetch(s, seq), *at = strstr(text, "Subject: letter ");
	uint64_t n = LETTERS;

	if (at != NULL) {
		struct span rest = span_str(at + 16), word, tail;

		span_split(rest, '.', &word, &tail);
		if (span_u64(word, LETTERS, &n) == -1)
			n = LETTERS;
	}
	mem_free(text);
	return (unsigned)n;
}

static void
test_append(void)
{
	static unsigned char seen[LETTERS + 1];
	struct fixture f;
	struct store *s;
	unsigned i, n = 0, missing = 0, twice = 0;

	check_begin("appending, killed again and again");
	fixture_init(&f);
	f.conf.lock_wait_ms = 5000;
	for (i = 0; i < ROUNDS && n * BATCH < LETTERS - 5000; i++) {
		n = append_round(&f, n);
		if (i % 5 == 0) /* what a stop of the machine can take away */
			unlinkat(f.index, "box.ix", 0);
		if (i % 7 == 0) {
			s = fixture_open(&f); /* a session looks in between */
			store_close(s);
		}
	}
	s = fixture_open(&f);
	for (i = 0; i < store_count(s); i++) {
		unsigned k = number_of(s, i);

		if (seen[k]++)
			twice++;
	}
	for (i = 0; i < n * BATCH; i++)
		missing += !seen[i];
	check_int(missing, 0);
	check_int(twice, 0);
	check_true(n > 0);
	store_close(s);
	fixture_clear(&f);
}

static void
test_expunge(void)
{
	struct fixture f;
	struct store *s;
	uint32_t uids[200];
	unsigned i, round, k, left;
	pid_t pid;

	check_begin("expunging, killed again and again");
	fixture_init(&f);
	f.conf.lock_wait_ms = 5000;
	s = fixture_open(&f);
	for (i = 0; i < 400; i++) {
		struct buf b = BUF_INIT(1 << 20);
		struct store_letter l = letter(i + 1, "");

		text_make(&b, i);
		l.text = buf_span(&b);
		check_int(store_append(s, &l, 1), 0);
		buf_clear(&b);
	}
	store_close(s);
	for (i = 0; i < 200; i++)
		uids[i] = 2 * i + 1;
	for (round = 0; round < 40; round++) {
		fflush(stdout);
		if ((pid = fork()) == 0) {
			dotlock_identify(&f.dot.id);
			/* a part of them each time, and all in the end */
			k = round < 30 ? 5 * (round + 1) : 200;
			_exit(store_open(&s, &f.conf) == -1 ||
			    store_expunge(s, uids, k) == -1);
		}
		nap_us((long)arc4random_uniform(6000));
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	dotlock_identify(&f.dot.id);
	s = fixture_open(&f);
	check_int(store_expunge(s, uids, 200), 0);
	left = store_count(s);
	check_int(left, 200);
	for (i = 0; i < left; i++)
		check_int(number_of(s, i), 2 * i + 1);
	store_close(s);
	fixture_clear(&f);
}

int
main(void)
{
	test_append();
	test_expunge();
	return check_end();
}
