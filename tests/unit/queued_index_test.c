/* tests/unit/queued_index_test.c - both index engines, one table of tests. */
#include "config.h"
#include "queued/entry.h"
#include "queued/index.h"
#include "tests/unit/check.h"
#include "tests/unit/spool_help.h"

struct walk {
	char keys[64][16];
	size_t n, stop;
};

static bool
on_key(void *arg, struct span key, struct span value)
{
	struct walk *w = arg;

	(void)value;
	(void)span_copy(key, w->keys[w->n++], sizeof(w->keys[0]));
	return w->n < w->stop;
}

static void
test_order(const struct index_ops *ops, struct index *ix)
{
	static const char *const keys[] = { "m", "a", "zz", "ab", "z", "mm" };
	struct buf v = BUF_INIT(4096);
	struct walk w = { .stop = 64 };
	size_t i;

	check_begin("put, get, order");
	check_int(ops->begin(ix), 0);
	for (i = 0; i < nitems(keys); i++)
		check_int(ops->put(ix, INDEX_Q, span_str(keys[i]),
		    span_str(keys[i])), 0);
	check_int(ops->put(ix, INDEX_Q, span_str("m"), span_str("new")), 0);
	check_int(ops->get(ix, INDEX_Q, span_str("ab"), &v), 1);
	check_span(buf_span(&v), "ab");
	check_int(ops->commit(ix), 0);
	check_int(ops->get(ix, INDEX_Q, span_str("m"), &v), 1);
	check_span(buf_span(&v), "new");
	check_int(ops->get(ix, INDEX_Q, span_str("no"), &v), 0);
	check_int(ops->get(ix, INDEX_DUE, span_str("m"), &v), 0);
	check_int(ops->scan(ix, INDEX_Q, span_str("ab"), on_key, &w), 0);
	check_int(w.n, 5);
	check_str(w.keys[0], "ab");
	check_str(w.keys[1], "m");
	check_str(w.keys[4], "zz");
	w.n = 0;
	w.stop = 2;
	check_int(ops->scan(ix, INDEX_Q, span_make("", 0), on_key, &w), 0);
	check_int(w.n, 2);
	check_begin("del");
	check_int(ops->begin(ix), 0);
	check_int(ops->del(ix, INDEX_Q, span_str("m")), 0);
	check_int(ops->del(ix, INDEX_Q, span_str("never")), 0);
	check_int(ops->commit(ix), 0);
	check_int(ops->get(ix, INDEX_Q, span_str("m"), &v), 0);
	w.n = 0;
	w.stop = 64;
	check_int(ops->scan(ix, INDEX_Q, span_str("zzz"), on_key, &w), 0);
	check_int(w.n, 0);
	check_int(ops->sync(ix, true), 1);
	buf_clear(&v);
}

static bool
on_count(void *arg, struct span key, struct span value)
{
	size_t *n = arg;

	(void)key;
	(void)value;
	++*n;
	return true;
}

static void
test_many(const struct index_ops *ops, struct index *ix)
{
	enum { N = 20000 };
	struct buf v = BUF_INIT(4096);
	char key[KEY_DUE_OCTETS];
	size_t n = 0, i;

	check_begin("many");
	for (i = 0; i < N; i++) {
		if (i % 250 == 0)
			check_int(ops->begin(ix), 0);
		if (ops->put(ix, INDEX_DUE, key_due((int64_t)(i * 7919 % N), i,
		    key), span_make("", 0)) == -1)
			check_true(false);
		if (i % 250 == 249)
			check_int(ops->commit(ix), 0);
	}
	check_int(ops->scan(ix, INDEX_DUE, span_make("", 0), on_count, &n), 0);
	check_int(n, N);
	check_int(ops->begin(ix), 0);
	for (i = 0; i < N; i += 2)
		if (ops->del(ix, INDEX_DUE, key_due((int64_t)(i * 7919 % N), i,
		    key)) == -1)
			check_true(false);
	check_int(ops->commit(ix), 0);
	n = 0;
	check_int(ops->scan(ix, INDEX_DUE, span_make("", 0), on_count, &n), 0);
	check_int(n, N / 2);
	check_int(ops->get(ix, INDEX_DUE, key_due(7919, 1, key), &v), 1);
	buf_clear(&v);
}

static void
test_entry(void)
{
	struct place adds[] = { { 50, 8 }, { 60, 8 } };
	struct pend d = { .qid = 1, .base = { 40, 100 }, .adds = adds, .n = 2 };
	struct buf b = BUF_INIT(ENTRY_OCTETS_MAX);
	struct entry e = { 0 }, f = { 0 };
	struct letter *l = help_new_letter(1, 7);
	size_t n;

	check_begin("entry");
	check_int(entry_merge(&e, &d), 0);
	check_int(e.n, 2);
	check_int(entry_merge(&e, &d), 0); /* twice changes nothing */
	check_int(e.n, 2);
	entry_keys(&e, l);
	check_int(e.ndests, 5);
	check_int(e.due_s, 1000);
	check_int(entry_encode(&e, &b), 0);
	check_int(entry_decode(buf_span(&b), &f), 0);
	check_int(f.n, 2);
	check_true(f.places[1].lsn == 60 && f.base.lsn == 40);
	check_int(f.ndests, 5);
	check_span(span_make(f.dests[4].domain, f.dests[4].len), "d4.example");
	entry_clear(&f);
	for (n = 0; n < b.len; n++)
		check_int(entry_decode(span_make(b.p + b.off, n), &f), -1);
	check_begin("a COPY keeps what came after its snapshot");
	d.base = (struct place){ 70, 100 };
	d.through = 50;
	d.n = 0;
	check_int(entry_merge(&e, &d), 0);
	check_int(e.n, 1);
	check_true(e.base.lsn == 70 && e.places[0].lsn == 60);
	check_begin("an older base changes nothing");
	d.base = (struct place){ 40, 100 };
	d.through = 0;
	check_int(entry_merge(&e, &d), 0);
	check_true(e.base.lsn == 70);
	entry_clear(&e);
	letter_free(l);
	buf_clear(&b);
}

int
main(void)
{
	const struct index_ops *engines[] = {
#ifdef HAVE_DB
		&index_bdb,
#endif
		&index_mem
	};
	char path[256];
	struct index *ix;
	size_t i;
	int fd;

	log_init("test");
	test_entry();
	for (i = 0; i < nitems(engines); i++) {
		const struct index_ops *ops = engines[i];

		help_folder(path);
		fd = open(path, O_RDONLY | O_DIRECTORY);
		if (chdir(path) == -1 || (ix = ops->open(fd)) == NULL)
			return 1;
		test_order(ops, ix);
		test_many(ops, ix);
		ops->close(ix);
		if (ops != &index_mem) {
			size_t n = 0;

			check_begin("still there");
			if ((ix = ops->open(fd)) == NULL)
				return 1;
			ops->scan(ix, INDEX_DUE, span_make("", 0), on_count,
			    &n);
			check_int(n, 10000);
			ops->close(ix);
		}
		check_begin("wipe");
		check_int(ops->wipe(fd), 0);
		if ((ix = ops->open(fd)) == NULL)
			return 1;
		size_t n = 0;
		check_int(ops->scan(ix, INDEX_DUE, span_make("", 0), on_count,
		    &n), 0);
		check_int(n, 0);
		ops->close(ix);
		close(fd);
		tree_remove(path);
	}
	return check_end();
}
