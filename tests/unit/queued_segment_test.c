/* tests/unit/queued_segment_test.c - seg/: spares, numbers, what a crash leaves. */
#include <errno.h>

#include "queued/io.h"
#include "queued/meta.h"
#include "queued/segment.h"
#include "tests/unit/check.h"
#include "tests/unit/spool_help.h"

enum { OCTETS = 4 << 20 };

static int
folder(const char *path)
{
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool
there(const char *path, const char *name)
{
	char *p = xasprintf("%s/%s", path, name);
	bool yes = access(p, F_OK) == 0;

	free(p);
	return yes;
}

static void
touch(const char *path, const char *name)
{
	char *p = xasprintf("%s/%s", path, name);

	close(open(p, O_WRONLY | O_CREAT, 0600));
	free(p);
}

static void
test_life(const char *path)
{
	struct segment_head h = { .number = 3, .epoch = 1 }, got;
	struct segments s;
	struct segment seg;
	size_t n;
	int fd;

	check_begin("half-made files go");
	touch(path, "new.7");
	touch(path, "spare.8"); /* of the wrong size */
	touch(path, "strange");
	check_int(segments_open(&s, folder(path), OCTETS), 0);
	check_true(!there(path, "new.7") && !there(path, "spare.8"));
	check_true(there(path, "strange"));
	check_int(s.n, 0);

	check_begin("spares");
	check_int(segments_add_spare(&s), 0);
	check_int(segments_add_spare(&s), 0);
	check_int(segments_add_spare(&s), 0);
	check_int(segments_spares(&s), SPARES_MIN);

	check_begin("begin");
	fd = segments_begin(&s, &h);
	check_true(fd != -1);
	close(fd);
	check_int(segments_spares(&s), SPARES_MIN - 1);
	check_true(there(path, "00000003.seg"));
	fd = segment_open(&s, 3, &got);
	check_true(fd != -1);
	check_int(got.salt, h.salt);
	check_int(got.octets, OCTETS);
	close(fd);
	h.number = 4;
	h.prev_end = LSN(3, 4096);
	close(segments_begin(&s, &h));
	check_int(segments_end(&s, 3), SEGMENT_HEAD);
	segments_set_end(&s, 4, 8192);
	check_int(segments_used(&s, &n), SEGMENT_HEAD + 8192);
	check_int(n, 2);

	check_begin("free: the oldest becomes a spare");
	check_int(segments_free_oldest(&s), 0);
	check_true(!there(path, "00000003.seg"));
	check_int(segments_spares(&s), 1);
	check_true(segments_oldest(&s, &seg));
	check_int(seg.number, 4);
	check_begin("one whose sync failed does not");
	segments_set_failed(&s, 4);
	check_int(segments_free_oldest(&s), 0);
	check_int(segments_spares(&s), 1);
	check_true(!segments_oldest(&s, &seg));
	segments_close(&s);

	check_begin("what is there is found again");
	check_int(segments_open(&s, folder(path), OCTETS), 0);
	check_int(segments_spares(&s), 1);
	h.number = 12;
	close(segments_begin(&s, &h));
	segments_close(&s);
	check_int(segments_open(&s, folder(path), OCTETS), 0);
	check_int(s.n, 1);
	check_int(s.list[0].number, 12);
	segments_close(&s);
}

static int
no_fsync(int fd)
{
	(void)fd;
	errno = EIO;
	return -1;
}

static void
test_failures(const char *path)
{
	struct segment_head h = { .number = 20 };
	struct segments s;
	struct io good = io;

	check_begin("nothing half-made is left when a sync fails");
	check_int(segments_open(&s, folder(path), OCTETS), 0);
	io.fsync = no_fsync;
	check_int(segments_begin(&s, &h), -1);
	io = good;
	check_true(!there(path, "00000020.seg"));
	segments_close(&s);
}

static void
test_meta(const char *path)
{
	struct meta m = { .epoch = 4, .clean = true, .start = { 10, 5 } }, got;
	char why[200];
	int fd = folder(path), lock, again;

	check_begin("meta");
	check_int(meta_read(fd, &got, why, sizeof(why)), 1);
	memset(m.uuid, 0x5a, sizeof(m.uuid));
	check_int(meta_write(fd, &m), 0);
	check_int(meta_read(fd, &got, why, sizeof(why)), 0);
	check_int(got.epoch, 4);
	check_true(got.clean && got.start[0] == 10 && got.start[1] == 5);
	check_mem(got.uuid, 16, m.uuid, 16);
	check_begin("a damaged meta is refused");
	char *p = xasprintf("%s/meta", path);
	int f = open(p, O_RDWR);
	check_int(pwrite(f, "7", 1, 60), 1);
	close(f);
	free(p);
	check_int(meta_read(fd, &got, why, sizeof(why)), -1);
	check_begin("one owner");
	lock = meta_lock(fd, why, sizeof(why));
	check_true(lock != -1);
	again = meta_lock(fd, why, sizeof(why));
	check_int(again, -1);
	close(lock);
	close(fd);
}

int
main(void)
{
	char path[256];

	log_init("test");
	help_folder(path);
	test_life(path);
	test_failures(path);
	test_meta(path);
	tree_remove(path);
	return check_end();
}
