/* barid_usersedit_test - lines of a users file are changed, all else stays. */
#include <unistd.h>

#include "ctl/usersedit.h"
#include "tests/unit/check.h"
#include "tests/unit/tree.h"

static struct usersedit e;

static void
text(const char *s)
{
	buf_wipe(&e.text);
	buf_init(&e.text, USERSEDIT_MAX);
	(void)buf_add_str(&e.text, s);
}

#define V(n) "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo" \
	"7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2d" n

static const struct {
	const char *name, *before, *account, *label, *hash, *words;
	int rv;
	const char *after;
} cases[] = {
	{ "in place of the old one", "#x\na : $6$a : 5\nb : * : 6\n", "a", "",
	    "$6$b", "", 0, "#x\na : $6$b : 5\nb : * : 6\n" },
	{ "an account without one", "a:*:5:7", "a", "", "$6$b", "", 0,
	    "a:$6$b:5:7" },
	{ "a locked one", "a:!" V("U=") ":5", "a", "", "$6$b", "", 0,
	    "a:$6$b:5" },
	{ "an empty field", "a: : 5", "a", "", "$6$b", "", 0, "a: $6$b: 5" },
	{ "at the end of the line", "a : *\nb : *", "b", "", "$6$b", "", 0,
	    "a : *\nb : $6$b" },
	{ "the line end of others", "a : *\r\nb : *\r\n", "a", "", "$6$b", "",
	    0, "a : $6$b\r\nb : *\r\n" },
	{ "app passwords stay", "a : $6$a label=p, $6$b, " V("U=")
	    "  scope=pop3  label=q : 5", "a", "", "$6$c", "", 0,
	    "a : $6$a label=p, $6$c, " V("U=") "  scope=pop3  label=q : 5" },
	{ "one more app password", "a : $6$a : 5", "a", "p", V("U="),
	    " label=p until=2027-01-31", 0,
	    "a : $6$a, " V("U=") " label=p until=2027-01-31 : 5" },
	{ "another in its place", "a : $6$a, $6$b label=p, $6$c : 5", "a", "p",
	    "$6$d", " label=p", 0, "a : $6$a, $6$d label=p, $6$c : 5" },
	{ "the first app password", "a:*", "a", "p", "$6$d", " label=p", 0,
	    "a:$6$d label=p" },
	{ "one goes", "a : $6$a, $6$b label=p : 5", "a", "p", "", "", 0,
	    "a : $6$a : 5" },
	{ "the last goes", "a : $6$b label=p : 5", "a", "p", "", "", 0,
	    "a : * : 5" },
	{ "none to go", "a : $6$b label=p : 5", "a", "q", "", "", 1,
	    "a : $6$b label=p : 5" },
	{ "the ninth", "a : $1,$2,$3,$4,$5,$6,$7,$8 : 5", "a", "q", "$9",
	    " label=q", -1, NULL },
	{ "blanks in front", "  a\t:  $6$b  : 5", "a", "", "$6$c", "", 0,
	    "  a\t: $6$c : 5" },
	{ "domains are one", "a@B.Example : *", "a@b.example", "", "$6$c", "",
	    0, "a@B.Example : $6$c" },
	{ "the first line holds", "a : *\na : $6$a", "a", "", "$6$c", "", 0,
	    "a : $6$c\na : $6$a" },
};

static void
test_passwords(void)
{
	struct usersedit_line line;
	const char *complaint;
	size_t i;

	for (i = 0; i < nitems(cases); i++) {
		check_begin(cases[i].name);
		text(cases[i].before);
		if (!check_int(usersedit_find(&e, span_str(cases[i].account),
		    &line, &complaint), 1))
			continue;
		check_int(usersedit_password(&e, &line,
		    span_str(cases[i].label), span_str(cases[i].hash),
		    cases[i].words, &complaint), cases[i].rv);
		if (cases[i].after != NULL)
			check_str(buf_str(&e.text), cases[i].after);
	}
}

static void
test_lines(void)
{
	struct usersedit_line line;
	const char *complaint;
	struct verifier v;

	check_begin("no such account");
	text("# a : *\nab : *\nb\n");
	check_int(usersedit_find(&e, span_str("a"), &line, &complaint), 0);
	check_begin("its line is wrong");
	text("x\na : secret\n");
	check_int(usersedit_find(&e, span_str("a"), &line, &complaint), -1);
	check_int(line.number, 2);
	check_true(complaint != NULL);
	check_begin("away with a line");
	text("a : *\nb : *\r\nc : *");
	check_int(usersedit_find(&e, span_str("b"), &line, &complaint), 1);
	usersedit_remove(&e, &line);
	check_str(buf_str(&e.text), "a : *\nc : *");
	check_int(usersedit_find(&e, span_str("c"), &line, &complaint), 1);
	usersedit_remove(&e, &line);
	check_str(buf_str(&e.text), "a : *\n");
	check_begin("one more, behind a line without an end");
	text("a : *");
	check_int(usersedit_append(&e, span_str("b : *")), 0);
	check_str(buf_str(&e.text), "a : *\nb : *\n");
	check_begin("whose salt is shared");
	text("a : $6$a, " V("U=") " label=p, " V("U=") "\n");
	check_int(usersedit_find(&e, span_str("a"), &line, &complaint), 1);
	check_true(usersedit_verifier(&e, &line, span_str(""), &v));
	check_int(v.iterations, 4096);
	text("a : $6$a, " V("U=") "\n");
	check_int(usersedit_find(&e, span_str("a"), &line, &complaint), 1);
	check_true(!usersedit_verifier(&e, &line, span_str(""), &v));
	check_begin("a long line");
	text("a : * : 5 : : home=/");
	while (e.text.len < USERSFILE_HOME_MAX)
		(void)buf_add_char(&e.text, 'x');
	while (e.text.len < USERSFILE_LINE_MAX - 100)
		(void)buf_add_char(&e.text, ',');
	check_int(usersedit_find(&e, span_str("a"), &line, &complaint), 1);
	check_int(usersedit_password(&e, &line, span_str("p"), span_str(
	    V("U=")), " label=p", &complaint), -1);
}

/* What stood there, before and after, on the disk. */
static void
test_files(void)
{
	char dir[] = "/tmp/barid-usersedit.XXXXXX", path[64], link_to[64];
	struct usersedit f;
	struct stat st;

	check_begin("a new file in the old one's place");
	if (mkdtemp(dir) == NULL)
		exit(1);
	snprintf(path, sizeof(path), "%s/users", dir);
	snprintf(link_to, sizeof(link_to), "%s/link", dir);
	check_int(usersedit_open(&f, path, true), 0);
	check_int(usersedit_append(&f, span_str("a : *")), 0);
	check_int(usersedit_commit(&f), 0);
	usersedit_close(&f);
	check_int(stat(path, &st), 0);
	check_int(st.st_mode & 07777, 0600);
	check_begin("mode and links stay");
	check_int(chmod(path, 0640), 0);
	check_int(symlink("users", link_to), 0);
	check_int(usersedit_open(&f, link_to, false), 0);
	check_str(buf_str(&f.text), "a : *\n");
	check_int(usersedit_append(&f, span_str("b : *")), 0);
	check_int(usersedit_commit(&f), 0);
	usersedit_close(&f);
	check_int(stat(path, &st), 0);
	check_int(st.st_mode & 07777, 0640);
	check_int(st.st_size, 12);
	check_int(lstat(link_to, &st), 0);
	check_true(S_ISLNK(st.st_mode));
	tree_remove(dir);
}

int
main(void)
{
	e.lock = -1;
	test_passwords();
	test_lines();
	test_files();
	usersedit_close(&e);
	return check_end();
}
