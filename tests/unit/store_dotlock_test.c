/* lib/store/dotlock.c: whose lock is broken, and whose is not. */
#include <errno.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/unit/store_fixture.h"

static void
lock_put(struct fixture *f, const char *text, int64_t age_s)
{
	struct timespec t[2] = { { 0, 0 }, { 0, 0 } };
	int fd = openat(f->mail, "box.lock", O_WRONLY | O_CREAT | O_TRUNC,
	    0600);

	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		check_true(false);
	t[0].tv_sec = t[1].tv_sec = time(NULL) - (time_t)age_s;
	futimens(fd, t);
	close(fd);
}

/* The id of a process that has ended, as text. */
static void
dead_pid(char text[24])
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	snprintf(text, 24, "%ld", (long)pid);
}

static void
test_owners(struct fixture *f, struct dotlock_id *me)
{
	char text[200], dead[24], alive[24];
	size_t i;

	dead_pid(dead);
	snprintf(alive, sizeof(alive), "%ld", (long)getppid());

	const struct {
		const char *name, *machine, *boot, *pid;
		int64_t age_s;
		bool broken;
	} cases[] = {
		{ "a live process", me->machine, me->boot, alive, 0, false },
		{ "a dead one", me->machine, me->boot, dead, 0, true },
		{ "an earlier boot", me->machine, "earlier", alive, 0, true },
		{ "another machine", "other", "earlier", dead, 0, false },
		{ "another machine, old", "other", "earlier", dead, 2000,
		    true },
		{ "unknown boot", me->machine, "-", dead, 0, false },
		{ "no number", me->machine, me->boot, "x", 0, false },
		{ "pid 0", me->machine, me->boot, "0", 0, false },
	};

	for (i = 0; i < nitems(cases); i++) {
		check_begin(cases[i].name);
		snprintf(text, sizeof(text), "barid %s %s %llu %s\n",
		    cases[i].machine, cases[i].boot,
		    (unsigned long long)me->pid_ns, cases[i].pid);
		lock_put(f, text, cases[i].age_s);
		check_int(dotlock_take(f->mail, "box", me),
		    cases[i].broken ? 0 : -1);
		if (!cases[i].broken)
			check_int(errno, EAGAIN);
		unlinkat(f->mail, "box.lock", 0);
	}
}

static void
test_no_machine(struct fixture *f, struct dotlock_id *me)
{
	struct dotlock_id other;
	char text[200], dead[24];

	check_begin("a machine without an id: its boot id tells it");
	dead_pid(dead);
	other = *me;
	memcpy(other.machine, "-", 2);
	snprintf(text, sizeof(text), "barid - %s %llu %s\n", me->boot,
	    (unsigned long long)me->pid_ns, dead);
	lock_put(f, text, 0);
	check_int(dotlock_take(f->mail, "box", &other), 0);
	unlinkat(f->mail, "box.lock", 0);
	snprintf(text, sizeof(text), "barid - earlier %llu %s\n",
	    (unsigned long long)me->pid_ns, dead);
	lock_put(f, text, 0);
	check_int(dotlock_take(f->mail, "box", &other), -1);
	unlinkat(f->mail, "box.lock", 0);
}

static void
test_pid_namespace(struct fixture *f, struct dotlock_id *me)
{
	char text[200], dead[24];

	check_begin("another pid namespace");
	dead_pid(dead);
	snprintf(text, sizeof(text), "barid %s %s 1 %s\n", me->machine,
	    me->boot, dead);
	lock_put(f, text, 0);
	check_int(dotlock_take(f->mail, "box", me), -1);
	unlinkat(f->mail, "box.lock", 0);
}

static void
test_no_text(struct fixture *f, struct dotlock_id *me)
{
	check_begin("a lock of mutt, empty");
	lock_put(f, "", 10);
	check_int(dotlock_take(f->mail, "box", me), -1);
	lock_put(f, "", DOTLOCK_AGE_S + 10);
	check_int(dotlock_take(f->mail, "box", me), 0);
	unlinkat(f->mail, "box.lock", 0);

	check_begin("one of ours that was cut off before its text");
	lock_put(f, "", 0);
	check_int(fchmodat(f->mail, "box.lock", 0444, 0), 0);
	check_int(dotlock_take(f->mail, "box", me), -1);
	unlinkat(f->mail, "box.lock", 0);
	lock_put(f, "", 10);
	check_int(fchmodat(f->mail, "box.lock", 0444, 0), 0);
	check_int(dotlock_take(f->mail, "box", me), 0);
	dotlock_drop(f->mail, "box", me);
}

static void
test_owner_alone(struct fixture *f, struct dotlock_id *me)
{
	struct dotlock_id other;
	struct stat st;

	check_begin("refreshed and dropped by its owner alone");
	check_int(dotlock_take(f->mail, "box", me), 0);
	other = *me;
	other.pid++;
	check_int(dotlock_refresh(f->mail, "box", &other), -1);
	check_int(dotlock_refresh(f->mail, "box", me), 0);
	dotlock_drop(f->mail, "box", &other);
	check_int(fstatat(f->mail, "box.lock", &st, 0), 0);
	check_true(time(NULL) - st.st_mtime < 5);
	dotlock_drop(f->mail, "box", me);
	check_int(fstatat(f->mail, "box.lock", &st, 0), -1);
}

static void
test_links(struct fixture *f, struct dotlock_id *me)
{
	struct dotlock_id other = *me;
	struct stat st;

	other.pid++;
	check_begin("links to a common file");
	check_int(dotlock_common_open(f->mail, me), 0);
	check_int(dotlock_take(f->mail, "box", me), 0);
	check_int(dotlock_take(f->mail, "box2", me), 0);
	check_int(fstatat(f->mail, "box.lock", &st, 0), 0);
	check_int(st.st_ino, me->ino);
	check_int(st.st_nlink, 3);
	check_int(dotlock_take(f->mail, "box", me), -1);
	check_int(errno, EAGAIN);
	check_int(dotlock_refresh(f->mail, "box", me), 0);
	dotlock_drop(f->mail, "box", &other);
	check_int(fstatat(f->mail, "box.lock", &st, 0), 0);
	dotlock_drop(f->mail, "box", me);
	check_int(fstatat(f->mail, "box.lock", &st, 0), -1);

	check_begin("a later run finds what an earlier one left");
	lock_put(f, "", 0);
	dotlock_drop(f->mail, "box", me);
	check_int(fstatat(f->mail, "box.lock", &st, 0), 0);
	unlinkat(f->mail, "box.lock", 0);
	check_int(dotlock_common_open(f->mail, me), 0);
	check_int(dotlock_take(f->mail, "box2", me), -1);
	dotlock_drop(f->mail, "box2", me); /* the same text: ours */
	check_int(dotlock_take(f->mail, "box2", me), 0);
	dotlock_drop(f->mail, "box2", me);

	check_begin("without the common file each is its own");
	unlinkat(f->mail, DOTLOCK_COMMON, 0);
	check_int(dotlock_take(f->mail, "box", me), 0);
	dotlock_drop(f->mail, "box", me);
	check_int(fstatat(f->mail, "box.lock", &st, 0), -1);
	dotlock_common_close(f->mail, me);
}

int
main(void)
{
	struct dotlock_id me;
	struct fixture f;

	fixture_init(&f);
	me = f.dot.id;
	if (strcmp(me.machine, "-") == 0) /* a machine without an id */
		snprintf(me.machine, sizeof(me.machine), "0123");
	test_owners(&f, &me);
	test_no_machine(&f, &me);
	test_pid_namespace(&f, &me);
	test_no_text(&f, &me);
	test_owner_alone(&f, &me);
	test_links(&f, &me);

	check_begin("names");
	check_int(dotlock_take(f.mail, "../box", &me), -1);
	check_int(errno, EINVAL);
	fixture_clear(&f);
	return check_end();
}
