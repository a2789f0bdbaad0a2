/*
 * Fuzzes the reader of a mailbox index: the input is the file. Whatever it
 * says, it is read without harm, and what was read can be folded into a new
 * file that says the same.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/store/index.h"
#include "lib/store/index_in.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/tree.h"

static int dir = -1;
static char path[] = "/tmp/barid-fuzz-XXXXXX";

static void
leave(void)
{
	tree_remove(path);
}

static void
enter(void)
{
	hold(mkdtemp(path) != NULL);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	hold(dir != -1);
	atexit(leave);
}

static void
on_change(void *arg, uint32_t uid, uint32_t flags, uint64_t modseq, bool gone)
{
	uint64_t *n = arg;

	(void)uid;
	(void)flags;
	(void)modseq;
	(void)gone;
	(*n)++;
}

static void
look(struct index *ix)
{
	uint8_t token[IX_DIGEST_OCTETS] = { 1 };
	struct ix_rec r;
	uint64_t n = 0;
	uint32_t i, uid;

	for (i = 0; i < index_count(ix); i++)
		index_get(ix, i, &r);
	index_find(ix, 7);
	index_token(ix, token, &uid);
	ix_twin(ix, token);
	if (ix->uidnext < 100000)
		index_changes(ix, 0, on_change, &n);
}

static void
write_more(struct index *ix)
{
	struct ix_rec r = { .wire = 3, .octets = 4 };
	struct ix_seen seen = { 1, 2, 3 };
	uint32_t n;

	if (index_lock(ix, 0) == -1)
		return;
	n = index_count(ix);
	if (index_reserve(ix, 1) == 0) {
		index_add(ix, &r, 1);
		index_put_seen(ix, &seen);
		hold(index_commit(ix) == 0);
		look(ix);
	}
	n = index_count(ix);
	if (index_fold(ix) == 0)
		hold(index_count(ix) == n);
	index_unlock(ix);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct index ix;
	int fd;

	if (dir == -1)
		enter();
	fd = openat(dir, "f.ix", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
	    0600);
	hold(fd != -1 && write(fd, data, size) == (ssize_t)size);
	close(fd);
	if (index_open(&ix, dir, "f", geteuid()) == 0) {
		look(&ix);
		write_more(&ix);
	}
	index_close(&ix);
	/* The same without the header's checksum in the way. */
	if (size > IX_HEADER_OCTETS) {
		hold(index_open(&ix, dir, "none", geteuid()) == 0);
		ix.uidnext = 1;
		ix_replay(&ix, data + IX_HEADER_OCTETS,
		    size - IX_HEADER_OCTETS);
		look(&ix);
		index_close(&ix);
	}
	return 0;
}
