/*
 * tests/unit/queued_big_test.c - bodies in big/: the limit to the octet, errors
 * of the disk, files nobody names, many at once.
 */
#include <errno.h>
#include <stdatomic.h>

#include "queued/io.h"
#include "tests/unit/check.h"
#include "tests/unit/spool_help.h"

static atomic_int fail_sync;

static int
shaky_fdatasync(int fd)
{
	if (atomic_load(&fail_sync) > 0) {
		atomic_fetch_sub(&fail_sync, 1);
		errno = EIO;
		return -1;
	}
	return fdatasync(fd);
}

static unsigned
count_files(struct help *h)
{
	char *path = xasprintf("%s/big", h->path);
	DIR *d = opendir(path);
	struct dirent *e;
	unsigned n = 0;

	while (d != NULL && (e = readdir(d)) != NULL)
		n += e->d_name[0] != '.';
	if (d != NULL)
		closedir(d);
	free(path);
	return n;
}

static void
test_limit(struct help *h)
{
	enum spool_status st;
	struct letter *l;

	check_begin("the inline limit, and one octet more");
	l = help_accept(h, SPOOL_INLINE_MAX, 1, &st);
	check_int(st, SPOOL_OK);
	check_true(!l->big);
	check_true(help_text_ok(h, l, SPOOL_INLINE_MAX));
	spool_done(h->sp, l->qid);
	letter_free(l);
	l = help_accept(h, SPOOL_INLINE_MAX + 1, 1, &st);
	check_int(st, SPOOL_OK);
	check_true(l->big);
	check_true(help_text_ok(h, l, SPOOL_INLINE_MAX + 1));
	check_int(count_files(h), 1);
	spool_done(h->sp, l->qid);
	letter_free(l);
	help_run_ms(h, 100);
	check_int(count_files(h), 0);
}

static void
test_failed(struct help *h)
{
	enum spool_status st;
	struct spool_stats s;
	struct letter *l;

	check_begin("the sync of a big body fails");
	atomic_store(&fail_sync, 1);
	l = help_accept(h, 2000000, 1, &st);
	check_int(st, SPOOL_FAILED);
	letter_free(l);
	check_int(count_files(h), 0);
	spool_stats(h->sp, &s);
	check_int(s.bodies_octets, 0);
	check_int(s.failed_syncs, 0);
}

static void
test_dropped(struct help *h)
{
	struct spool_stats s;

	check_begin("a body that was given up");
	spool_body_free(help_body(h, spool_qids(h->sp, 1), 1000000));
	spool_body_free(help_body(h, spool_qids(h->sp, 1), 1000));
	spool_body_free(NULL);
	help_run_ms(h, 200);
	check_int(count_files(h), 0);
	spool_stats(h->sp, &s);
	check_int(s.bodies_octets, 0);
}

static void
test_memory(struct help *h)
{
	enum { N = 200 };
	static struct body *b[N];
	static char text[200000];
	struct spool_stats s;
	unsigned i;

	check_begin("beyond 32 MiB of unfinished bodies");
	for (i = 0; i < N; i++) {
		b[i] = spool_body_begin(h->sp, spool_qids(h->sp, 1), NULL,
		    NULL);
		spool_body_append(b[i], span_make(text, sizeof(text)));
	}
	help_run_ms(h, 300);
	spool_stats(h->sp, &s);
	check_true(s.bodies_octets <= SPOOL_BODIES_MAX + sizeof(text));
	check_true(count_files(h) > 0);
	for (i = 0; i < N; i++)
		spool_body_free(b[i]);
	help_run_ms(h, 300);
	check_int(count_files(h), 0);
	spool_stats(h->sp, &s);
	check_int(s.bodies_octets, 0);
}

static void
test_close(struct help *h)
{
	struct help_wait w = { 0 };
	uint64_t qid = spool_qids(h->sp, 1);
	struct letter *l = help_new_letter(qid, 1), *m;
	enum spool_status st;

	check_begin("an orderly end waits for a big body");
	spool_accept(h->sp, l, help_body(h, qid, 6000000), help_status, &w);
	help_close(h);
	check_true(w.done);
	check_int(w.status, SPOOL_OK);
	check_int(help_open(h), 0);
	m = help_get(h, qid, &st);
	if (check_true(m != NULL))
		check_true(help_text_ok(h, m, 6000000));
	letter_free(m);
	letter_free(l);
	spool_done(h->sp, qid);
	help_run_ms(h, 200);
}

static void
test_orphans(struct help *h)
{
	enum spool_status st;
	struct letter *l = help_accept(h, 400000, 1, &st);
	char *path, id[QID_TEXT];

	check_begin("files nobody names go at the start");
	help_close(h);
	path = xasprintf("%s/big/%s", h->path, qid_format(4711, id));
	close(open(path, O_WRONLY | O_CREAT, 0600));
	free(path);
	check_int(count_files(h), 2);
	check_int(help_open(h), 0);
	help_run_ms(h, 500);
	check_int(count_files(h), 1);
	check_true(help_text_ok(h, l, 400000));
	spool_done(h->sp, l->qid);
	help_run_ms(h, 200);
	check_int(count_files(h), 0);
	letter_free(l);
}

int
main(void)
{
	struct help h;

	log_init("test");
	log_stderr_level(LOG_L_ERROR);
	io.fdatasync = shaky_fdatasync;
	help_init(&h);
	if (help_open(&h) == -1) {
		printf("%s\n", h.why);
		return 1;
	}
	test_limit(&h);
	test_failed(&h);
	test_dropped(&h);
	test_memory(&h);
	test_close(&h);
	test_orphans(&h);
	help_clear(&h);
	return check_end();
}
