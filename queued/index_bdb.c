/*
 * queued/index_bdb.c - the index in Berkeley DB: the only file that knows db.h,
 * called by the index thread alone. Transactions are not synced (DB_TXN_NOSYNC):
 * sync makes a checkpoint, and what is younger is replayed from our own log.
 *
 * Known to bite: after DB_RUNRECOVERY a close may crash (so it is left open);
 * a zeroed page ends a scan without a word (so the caller compares counts);
 * opening after a crash without DB_RECOVER works until it does not.
 */
#include <sys/stat.h>

#include <db.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/mem.h"
#include "queued/index.h"

#define HOME          "index"
#define CACHE_OCTETS  (32u << 20)
#define CHECKPOINT_KB (16u << 10)
/* Largest value of ours: see ENTRY_OCTETS_MAX in queued/entry.h. */
#define VALUE_MAX     (512u << 10)

struct index {
	DB_ENV *env;
	DB *db[INDEX_TABLES];
	DB_TXN *txn;
	bool panic;
	char value[VALUE_MAX];
};

static const char *const files[INDEX_TABLES] = { "meta", "q", "due", "dest" };

static int
fail(struct index *ix, const char *what, int error)
{
	if (error == DB_RUNRECOVERY)
		ix->panic = true;
	log_warnx("index: %s: %s", what, db_strerror(error));
	/* Berkeley DB's own codes are negative. */
	errno = error > 0 ? error : EIO;
	return -1;
}

static void
on_error(const DB_ENV *env, const char *prefix, const char *text)
{
	(void)env;
	(void)prefix;
	log_warnx("index: %s", text);
}

static void
bdb_close(struct index *ix)
{
	unsigned t;

	if (ix->txn != NULL && !ix->panic)
		ix->txn->abort(ix->txn);
	for (t = 0; t < INDEX_TABLES; t++)
		if (ix->db[t] != NULL && !ix->panic)
			ix->db[t]->close(ix->db[t], DB_NOSYNC);
	if (ix->env != NULL && !ix->panic)
		ix->env->close(ix->env, 0);
	free(ix);
}

/*
 * Berkeley DB knows only paths, and opens files at any time: an absolute one
 * does not depend on where the process stands later.
 */
static int
home_path(int rootfd, char *out, size_t size)
{
	size_t n;

	if (fchdir(rootfd) == -1 || getcwd(out, size) == NULL)
		return -1;
	n = strlen(out);
	if (n + sizeof("/" HOME) > size) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(out + n, "/" HOME, sizeof("/" HOME));
	return 0;
}

static int
env_open(struct index *ix, int rootfd)
{
	char home[PATH_MAX];
	int rv;

	if (home_path(rootfd, home, sizeof(home)) == -1)
		return errno;
	if ((rv = db_env_create(&ix->env, 0)) != 0)
		return rv;
	ix->env->set_errcall(ix->env, on_error);
	if ((rv = ix->env->set_cachesize(ix->env, 0, CACHE_OCTETS, 1)) != 0 ||
	    (rv = ix->env->log_set_config(ix->env, DB_LOG_AUTO_REMOVE, 1)) !=
	    0 || (rv = ix->env->set_flags(ix->env, DB_TXN_NOSYNC, 1)) != 0)
		return rv;
	return ix->env->open(ix->env, home, DB_CREATE | DB_PRIVATE |
	    DB_RECOVER | DB_INIT_TXN | DB_INIT_LOG | DB_INIT_MPOOL, 0600);
}

static int
table_open(struct index *ix, unsigned t)
{
	DB *db;
	int rv;

	if ((rv = db_create(&db, ix->env, 0)) != 0)
		return rv;
	ix->db[t] = db;
	if ((rv = db->set_flags(db, DB_CHKSUM)) != 0)
		return rv;
	return db->open(db, NULL, files[t], NULL, DB_BTREE,
	    DB_CREATE | DB_AUTO_COMMIT, 0600);
}

static struct index *
bdb_open(int rootfd)
{
	struct index *ix;
	unsigned t;
	int rv;

	if (mkdirat(rootfd, HOME, 0700) == -1 && errno != EEXIST)
		return NULL;
	ix = xcalloc(1, sizeof(*ix));
	rv = env_open(ix, rootfd);
	for (t = 0; rv == 0 && t < INDEX_TABLES; t++)
		rv = table_open(ix, t);
	if (rv != 0) {
		int error;

		fail(ix, "open", rv);
		error = errno;
		bdb_close(ix);
		errno = error;
		return NULL;
	}
	return ix;
}

static int
bdb_wipe(int rootfd)
{
	struct dirent *e;
	DIR *d;
	int fd;

	fd = openat(rootfd, HOME,
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	if ((d = fdopendir(fd)) == NULL) {
		close(fd);
		return -1;
	}
	while ((e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	return 0;
}

static int
bdb_begin(struct index *ix)
{
	int rv = ix->env->txn_begin(ix->env, NULL, &ix->txn, DB_TXN_NOSYNC);

	return rv == 0 ? 0 : fail(ix, "begin", rv);
}

static int
bdb_commit(struct index *ix)
{
	DB_TXN *txn = ix->txn;
	int rv;

	ix->txn = NULL;
	rv = txn->commit(txn, DB_TXN_NOSYNC);
	return rv == 0 ? 0 : fail(ix, "commit", rv);
}

static DBT
dbt(struct span s)
{
	DBT d;

	memset(&d, 0, sizeof(d));
	d.data = (void *)(uintptr_t)s.p;
	d.size = (u_int32_t)s.len;
	return d;
}

static int
bdb_get(struct index *ix, enum index_table t, struct span key,
    struct buf *value)
{
	DBT k = dbt(key), v = dbt(span_make(NULL, 0));
	int rv;

	v.data = ix->value;
	v.ulen = VALUE_MAX;
	v.flags = DB_DBT_USERMEM;
	rv = ix->db[t]->get(ix->db[t], ix->txn, &k, &v, 0);
	if (rv == DB_NOTFOUND)
		return 0;
	if (rv != 0)
		return fail(ix, "get", rv);
	buf_reset(value);
	return buf_add(value, v.data, v.size) == -1 ? -1 : 1;
}

static int
bdb_put(struct index *ix, enum index_table t, struct span key,
    struct span value)
{
	DBT k = dbt(key), v = dbt(value);
	int rv = ix->db[t]->put(ix->db[t], ix->txn, &k, &v, 0);

	return rv == 0 ? 0 : fail(ix, "put", rv);
}

static int
bdb_del(struct index *ix, enum index_table t, struct span key)
{
	DBT k = dbt(key);
	int rv = ix->db[t]->del(ix->db[t], ix->txn, &k, 0);

	return rv == 0 || rv == DB_NOTFOUND ? 0 : fail(ix, "del", rv);
}

static int
bdb_scan(struct index *ix, enum index_table t, struct span from, index_fn *fn,
    void *arg)
{
	DBT k = dbt(from), v = dbt(span_make(NULL, 0));
	bool more = true;
	DBC *c;
	int rv, closed;

	if ((rv = ix->db[t]->cursor(ix->db[t], ix->txn, &c, 0)) != 0)
		return fail(ix, "cursor", rv);
	rv = c->get(c, &k, &v, DB_SET_RANGE);
	while (rv == 0 && more) {
		more = fn(arg, span_make(k.data, k.size),
		    span_make(v.data, v.size));
		if (more)
			rv = c->get(c, &k, &v, DB_NEXT);
	}
	closed = c->close(c);
	if (rv != 0 && rv != DB_NOTFOUND)
		return fail(ix, "scan", rv);
	return closed == 0 ? 0 : fail(ix, "close cursor", closed);
}

static uint64_t
checkpoint_lsn(struct index *ix)
{
	DB_TXN_STAT *st;
	uint64_t lsn;

	if (ix->env->txn_stat(ix->env, &st, 0) != 0)
		return 0;
	lsn = (uint64_t)st->st_last_ckp.file << 32 | st->st_last_ckp.offset;
	free(st);
	return lsn;
}

static int
bdb_sync(struct index *ix, bool now)
{
	uint64_t before = checkpoint_lsn(ix);
	int rv;

	rv = ix->env->txn_checkpoint(ix->env, now ? 0 : CHECKPOINT_KB, 0,
	    now ? DB_FORCE : 0);
	if (rv != 0)
		return fail(ix, "checkpoint", rv);
	return now || checkpoint_lsn(ix) != before;
}

const struct index_ops index_bdb = {
	"bdb", bdb_open, bdb_close, bdb_wipe, bdb_begin, bdb_commit,
	bdb_get, bdb_put, bdb_del, bdb_scan, bdb_sync
};
