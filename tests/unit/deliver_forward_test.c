/*
 * deliver_forward_test.c - which .forward is believed, and what is read in it:
 * files in a folder of the test's own.
 */
#include "deliver/forward.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/log.h"
#include "tests/unit/check.h"
#include "tests/unit/tree.h"

static char folder[] = "/tmp/barid-forward-XXXXXX";
static int dir;

static void
put(const char *name, const char *text, size_t len, mode_t mode)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd == -1 || write(fd, text, len) != (ssize_t)len ||
	    fchmod(fd, mode) == -1)
		exit(1);
	close(fd);
}

static int
take(const char *name, struct forward *f, char why[256])
{
	return forward_read(dir, name, geteuid(), false, FORWARD_TARGETS_MAX,
	    f, why, 256);
}

static void
test_syntax(void)
{
	static const struct {
		const char *name, *text;
		int n; /* targets, -1: no list */
		enum alias_kind kind;
		const char *first;
	} cases[] = {
		{ "address", "a@b.example\n", 1, ALIAS_ADDRESS,
		    "a@b.example" },
		{ "no line end", "a@b.example", 1, ALIAS_ADDRESS,
		    "a@b.example" },
		{ "list", "a@b.example, bob\n\\user1\n", 3, ALIAS_ADDRESS,
		    "a@b.example" },
		{ "own", "\\user1", 1, ALIAS_DIRECT, "user1" },
		{ "comments", "# one\n\n  # two\n|cat\n", 1, ALIAS_COMMAND,
		    "cat" },
		{ "quoted command", "\"|exec procmail -f- || exit 75 #u\"\n",
		    1, ALIAS_COMMAND, "exec procmail -f- || exit 75 #u" },
		{ "comma in a command", "\"|a, b\", c@d.example", 2,
		    ALIAS_COMMAND, "a, b" },
		{ "file", "/home/u/mail/x\r\n", 1, ALIAS_FILE,
		    "/home/u/mail/x" },
		{ "include", ":include:/home/u/list", 1, ALIAS_INCLUDE,
		    "/home/u/list" },
		{ "nothing", "\n\n# nobody\n", 0, ALIAS_ADDRESS, NULL },
		{ "empty", "", 0, ALIAS_ADDRESS, NULL },
		{ "bare words", "a b c", -1, ALIAS_ADDRESS, NULL },
		{ "control", "a\001b", -1, ALIAS_ADDRESS, NULL },
		{ "open quotes", "\"|cat", -1, ALIAS_ADDRESS, NULL },
		{ "empty command", "|", -1, ALIAS_ADDRESS, NULL },
		{ "relative include", ":include:list", -1, ALIAS_ADDRESS,
		    NULL },
	};
	struct forward f;
	char why[256];
	size_t i;

	for (i = 0; i < nitems(cases); i++) {
		check_begin(cases[i].name);
		put("f", cases[i].text, strlen(cases[i].text), 0600);
		if (take("f", &f, why) == -1) {
			check_int(-1, cases[i].n);
			check_int(errno, EINVAL);
			check_true(why[0] != '\0');
			continue;
		}
		check_int(f.n, cases[i].n);
		if (f.n > 0 && cases[i].first != NULL) {
			check_int(f.targets[0].kind, cases[i].kind);
			check_span(f.targets[0].text, cases[i].first);
		}
		forward_clear(&f);
	}
}

static void
refused(const char *name, int error)
{
	struct forward f;
	char why[256];

	check_int(take(name, &f, why), -1);
	check_int(errno, error);
	check_true(why[0] != '\0');
}

static void
test_safety(void)
{
	static const char text[] = "a@b.example\n";
	struct forward f;
	char why[256];

	check_begin("others may read");
	put("s", text, sizeof(text) - 1, 0644);
	check_int(take("s", &f, why), 0);
	forward_clear(&f);
	check_begin("group may write");
	put("s", text, sizeof(text) - 1, 0620);
	refused("s", EPERM);
	check_begin("anybody may write");
	put("s", text, sizeof(text) - 1, 0602);
	refused("s", EPERM);
	put("s", text, sizeof(text) - 1, 0600);
	check_begin("two links");
	check_int(linkat(dir, "s", dir, "s2", 0), 0);
	refused("s", EPERM);
	unlinkat(dir, "s2", 0);
	check_begin("a symbolic link");
	check_int(symlinkat("s", dir, "l"), 0);
	refused("l", EPERM);
	check_begin("a folder");
	check_int(mkdirat(dir, "d", 0700), 0);
	refused("d", EPERM);
	check_begin("a FIFO does not hold us");
	check_int(mkfifoat(dir, "p", 0600), 0);
	refused("p", EPERM);
	check_begin("none");
	refused("none", ENOENT);
	check_begin("somebody else's");
	check_int(forward_read(dir, "s", geteuid() + 1, false, 100, &f, why,
	    sizeof(why)), -1);
	check_int(errno, EPERM);
}

static void
test_limits(void)
{
	static char big[FORWARD_OCTETS_MAX + 1];
	struct forward f;
	char why[256];
	size_t i, n = 0;

	check_begin("as long as may be");
	memset(big, '\n', sizeof(big));
	memcpy(big, "a@b.example", 11);
	put("s", big, FORWARD_OCTETS_MAX, 0600);
	check_int(take("s", &f, why), 0);
	check_int(f.n, 1);
	forward_clear(&f);
	check_begin("one octet more");
	put("s", big, FORWARD_OCTETS_MAX + 1, 0600);
	refused("s", EPERM);
	check_begin("as many as may be");
	for (i = 0; i < FORWARD_TARGETS_MAX; i++)
		n += (size_t)snprintf(big + n, sizeof(big) - n, "u%zu\n", i);
	put("s", big, n, 0600);
	check_int(take("s", &f, why), 0);
	check_int(f.n, FORWARD_TARGETS_MAX);
	check_span(f.targets[99].text, "u99");
	forward_clear(&f);
	check_begin("one more");
	n += (size_t)snprintf(big + n, sizeof(big) - n, "more\n");
	put("s", big, n, 0600);
	refused("s", EINVAL);
}

static void
test_home(void)
{
	struct forward_cache c = { .known = false };
	const struct forward *f;
	char path[128], text[256];

	check_begin("no .forward");
	check_int(forward_get(&c, folder, geteuid(), &f), -1);
	check_int(errno, ENOENT);
	check_begin("still believed");
	put(".forward", "x@y.example", 11, 0600);
	check_int(forward_get(&c, folder, geteuid(), &f), -1);
	check_begin("looked at again");
	c.until_ms = 0;
	if (check_int(forward_get(&c, folder, geteuid(), &f), 0))
		check_int(f->n, 1);
	check_begin("no home");
	c.until_ms = 0;
	check_int(forward_get(&c, "/nonexistent", geteuid(), &f), -1);
	check_int(errno, ENOENT);
	forward_clear(&c.list);

	check_begin("named");
	snprintf(path, sizeof(path), "%s/inc", folder);
	snprintf(text, sizeof(text), "|one\n:include:%s\n", path);
	put(".forward", text, strlen(text), 0600);
	snprintf(text, sizeof(text), "|two\n:include:%s\n", path);
	put("inc", text, strlen(text), 0600);
	check_true(forward_names(folder, geteuid(), ALIAS_COMMAND,
	    span_str("one")));
	check_begin("named by an include");
	check_true(forward_names(folder, geteuid(), ALIAS_COMMAND,
	    span_str("two")));
	check_begin("not named");
	check_true(!forward_names(folder, geteuid(), ALIAS_COMMAND,
	    span_str("three")));
	check_true(!forward_names(folder, geteuid(), ALIAS_FILE,
	    span_str("one")));
	check_true(!forward_names("", geteuid(), ALIAS_FILE,
	    span_str("one")));
}

static void
test_hostile(void)
{
	struct buf b = BUF_INIT(FORWARD_OCTETS_MAX);
	struct forward f;
	char why[256];
	int i;

	check_begin("a NUL is no blank");
	put("f", "user1\n\0\n", 8, 0600);
	check_int(take("f", &f, why), -1);
	put("f", "user1\0", 6, 0600);
	check_int(take("f", &f, why), -1);

	/* each line reads the file again, which does so again */
	check_begin("lists that name each other ever again");
	for (i = 0; i < INCLUDE_TARGETS_MAX; i++)
		buf_addf(&b, ":include:%s/inc\n", folder);
	put("inc", buf_str(&b), b.len, 0600);
	put(".forward", buf_str(&b), b.len / 20, 0600);
	check_true(!forward_names(folder, geteuid(), ALIAS_COMMAND,
	    span_str("four")));
	buf_clear(&b);
}

int
main(void)
{
	log_init("test");
	log_stderr_level(LOG_L_ERROR);
	if (mkdtemp(folder) == NULL ||
	    (dir = open(folder, O_RDONLY | O_DIRECTORY)) == -1)
		return 1;
	test_syntax();
	test_safety();
	test_limits();
	test_home();
	test_hostile();
	tree_remove(folder);
	return check_end();
}
