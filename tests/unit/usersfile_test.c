/* usersfile_test - lines of a users file, and whole files. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/mail/usersfile.h"
#include "lib/buf.h"
#include "lib/ipc/types.h"
#include "tests/unit/check.h"

#define NO_UID   ((intmax_t)USERSFILE_NO_UID)
#define NO_QUOTA USERSFILE_NO_QUOTA

#define SCRAM "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$" \
	"WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:" \
	"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

static const struct {
	const char *name, *in;
	int rv;
	const char *address;
	size_t nhashes;
	intmax_t uid;
	uint64_t quota;
	unsigned flags;
	const char *home;
} cases[] = {
	{ "all fields", "a@b.example : $6$x$y : 20001 : 5G : home=/home/a", 1,
	    "a@b.example", 1, 20001, 5ull << 30, 0, "/home/a" },
	{ "close together", "a@b.example:$6$x$y:20001:7:nologin,nomail", 1,
	    "a@b.example", 1, 20001, 7, USER_F_NOLOGIN | USER_F_NOMAIL, "" },
	{ "two fields", "a@b.example : $6$x$y", 1, "a@b.example", 1, NO_UID,
	    NO_QUOTA, 0, "" },
	{ "empty fields", "a@b.example : $6$x : : - :", 1, "a@b.example", 1,
	    NO_UID, NO_QUOTA, 0, "" },
	{ "two hashes", "a@b.example : $6$x$y, $y$z : 5", 1, "a@b.example", 2,
	    5, NO_QUOTA, 0, "" },
	{ "locked", "a@b.example : * : 5", 1, "a@b.example", 0, 5, NO_QUOTA,
	    0, "" },
	{ "locked as by passwd -l", "a@b.example : !$6$x : 5", 1,
	    "a@b.example", 0, 5, NO_QUOTA, 0, "" },
	{ "domain in lower case", "A.b@B.EXAMPLE : * : 5", 1, "A.b@b.example",
	    0, 5, NO_QUOTA, 0, "" },
	{ "without a domain", "alice : * : 5", 1, "alice", 0, 5, NO_QUOTA, 0,
	    "" },
	{ "quota in K", "a : * : 5 : 3K", 1, "a", 0, 5, 3072, 0, "" },
	{ "no quota", "a : * : 5 : 0", 1, "a", 0, 5, 0, 0, "" },
	{ "a verifier", "a : " SCRAM " : 5 : 7", 1, "a", 1, 5, 7, 0, "" },
	{ "a verifier, close together", "a:" SCRAM ":5:7", 1, "a", 1, 5, 7, 0,
	    "" },
	{ "a verifier at the end", "a:" SCRAM, 1, "a", 1, NO_UID, NO_QUOTA,
	    0, "" },
	{ "verifiers and hashes", "a:" SCRAM "," SCRAM ",$6$x," SCRAM ":5", 1,
	    "a", 4, 5, NO_QUOTA, 0, "" },
	{ "a locked verifier", "a : !" SCRAM " : 5", 1, "a", 0, 5, NO_QUOTA,
	    0, "" },
	{ "a locked app password", "a : !" SCRAM " label=x, $6$y : 5", 1, "a",
	    1, 5, NO_QUOTA, 0, "" },
	{ "app passwords", "a : $6$x, " SCRAM " label=phone scope=pop3|imap "
	    "until=2027-01-31, $6$z label=tv : 5", 1, "a", 3, 5, NO_QUOTA, 0,
	    "" },
	{ "senders", "a : * : 5 : : sender=b@C.example, nomail, sender=@D.e",
	    1, "a", 0, 5, NO_QUOTA, USER_F_NOMAIL, "" },
	{ "half a verifier", "a : SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ== "
	    ": 5", -1, NULL, 0, 0, 0, 0, NULL },
	{ "few iterations", "a : SCRAM-SHA-256$1:W22ZaJ0SNY7soEsUEjb6gQ==$"
	    "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
	    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU= : 5", -1, NULL, 0, 0,
	    0, 0, NULL },
	{ "a word behind a verifier", "a : " SCRAM "x : 5", -1, NULL, 0, 0, 0,
	    0, NULL },
	{ "unknown word", "a : $6$x colour=red : 5", -1, NULL, 0, 0, 0, 0,
	    NULL },
	{ "unknown scope", "a : $6$x scope=pop3|ftp : 5", -1, NULL, 0, 0, 0,
	    0, NULL },
	{ "empty scope", "a : $6$x scope= : 5", -1, NULL, 0, 0, 0, 0, NULL },
	{ "no such day", "a : $6$x until=2027-02-29 : 5", -1, NULL, 0, 0, 0,
	    0, NULL },
	{ "no day", "a : $6$x until=soon : 5", -1, NULL, 0, 0, 0, 0, NULL },
	{ "no label", "a : $6$x label= : 5", -1, NULL, 0, 0, 0, 0, NULL },
	{ "odd label", "a : $6$x label=a/b : 5", -1, NULL, 0, 0, 0, 0, NULL },
	{ "nine hashes", "a : $1,$2,$3,$4,$5,$6,$7,$8,$9 : 5", -1, NULL, 0, 0,
	    0, 0, NULL },
	{ "sender without a domain", "a : * : 5 : : sender=b", -1, NULL, 0, 0,
	    0, 0, NULL },
	{ "sender in quotes", "a : * : 5 : : sender=\"b c\"@d.example", -1,
	    NULL, 0, 0, 0, 0, NULL },
	{ "sender of no domain", "a : * : 5 : : sender=@", -1, NULL, 0, 0, 0,
	    0, NULL },
	{ "comment", "# a : * : 5", 0, NULL, 0, 0, 0, 0, NULL },
	{ "empty", "", 0, NULL, 0, 0, 0, 0, NULL },
	{ "blank", " \t ", 0, NULL, 0, 0, 0, 0, NULL },
	{ "one field", "a@b.example", -1, NULL, 0, 0, 0, 0, NULL },
	{ "six fields", "a : * : 5 : 6 : nomail : x", -1, NULL, 0, 0, 0, 0,
	    NULL },
	{ "no address", " : * : 5", -1, NULL, 0, 0, 0, 0, NULL },
	{ "no domain", "a@ : * : 5", -1, NULL, 0, 0, 0, 0, NULL },
	{ "path in the name", "../a@b.example : * : 5", -1, NULL, 0, 0, 0, 0,
	    NULL },
	{ "slash in the name", "a/b@b.example : * : 5", -1, NULL, 0, 0, 0, 0,
	    NULL },
	{ "password in clear", "a : secret : 5", -1, NULL, 0, 0, 0, 0, NULL },
	{ "negative uid", "a : * : -5", -1, NULL, 0, 0, 0, 0, NULL },
	{ "uid -1", "a : * : 4294967295", -1, NULL, 0, 0, 0, 0, NULL },
	{ "bad quota", "a : * : 5 : 5X", -1, NULL, 0, 0, 0, 0, NULL },
	{ "quota past 63 bits", "a : * : 5 : 9999999999T", -1, NULL, 0, 0, 0,
	    0, NULL },
	{ "unknown flag", "a : * : 5 : : nolgin", -1, NULL, 0, 0, 0, 0, NULL },
	{ "home that is no path", "a : * : 5 : : home=x", -1, NULL, 0, 0, 0,
	    0, NULL },
};

static void
test_lines(void)
{
	struct users_line line;
	const char *complaint;
	size_t i;

	for (i = 0; i < nitems(cases); i++) {
		check_begin(cases[i].name);
		complaint = NULL;
		check_int(users_line_parse(span_str(cases[i].in), &line,
		    &complaint), cases[i].rv);
		check_true((complaint != NULL) == (cases[i].rv == -1));
		if (cases[i].rv != 1)
			continue;
		check_span(line.address, cases[i].address);
		check_int(line.nhashes, cases[i].nhashes);
		check_int((intmax_t)line.uid, cases[i].uid);
		check_true(line.quota == cases[i].quota);
		check_int(line.flags, cases[i].flags);
		check_span(line.home, cases[i].home);
	}
	check_begin("a NUL");
	check_int(users_line_parse(span_make("a\0b : * : 5", 11), &line,
	    &complaint), -1);
}

static void
test_app_passwords(void)
{
	char text[USERS_SCOPE_TEXT], day[USERS_DAY_TEXT];
	struct users_line line;
	const char *complaint;
	uint32_t n;

	check_begin("label, scope and until");
	check_int(users_line_parse(span_str("a : $6$x, " SCRAM
	    " until=2027-01-31 scope=imap|pop3 label=my.phone-1_b : 5"),
	    &line, &complaint), 1);
	check_span(line.hashes[0].label, "");
	check_int(line.hashes[0].scope, 0);
	check_int(line.hashes[0].until, USERSFILE_NO_UNTIL);
	check_span(line.hashes[1].text, SCRAM);
	check_span(line.hashes[1].label, "my.phone-1_b");
	users_scope_format(line.hashes[1].scope, text);
	check_str(text, "pop3|imap");
	users_day_format(line.hashes[1].until, day);
	check_str(day, "2027-01-31");
	users_scope_format(0, text);
	check_str(text, "");

	check_begin("grants");
	check_int(users_line_parse(span_str("a : * : 5 : : sender=b@C.example,"
	    "sender=@D.e"), &line, &complaint), 1);
	check_str(line.senders, "b@c.example,@d.e");

	check_begin("days");
	check_int(users_day_parse(span_str("1970-01-01"), &n), 0);
	check_int(n, 0);
	check_int(users_day_parse(span_str("2000-02-29"), &n), 0);
	check_int(n, 11016);
	check_int(users_day_parse(span_str("2026-11-21"), &n), 0);
	check_int(n, 20778);
	check_int(users_day_parse(span_str("1969-12-31"), &n), -1);
	check_int(users_day_parse(span_str("2026-13-01"), &n), -1);
	check_int(users_day_parse(span_str("2026-00-01"), &n), -1);
	check_int(users_day_parse(span_str("2026-04-31"), &n), -1);
	check_int(users_day_parse(span_str("2026-4-3"), &n), -1);
	for (n = 0; n < 60000; n++) {
		uint32_t back = 0;

		users_day_format(n, day);
		if (users_day_parse(span_str(day), &back) == -1 || back != n)
			break;
	}
	check_int(n, 60000);
}

static void
test_many_senders(void)
{
	struct buf text = BUF_INIT(8192);
	struct users_line line;
	const char *complaint = NULL;
	unsigned i;

	check_begin("one grant too many");
	(void)buf_add_str(&text, "a : * : 5 : : ");
	for (i = 0; i < USERSFILE_SENDERS; i++)
		(void)buf_addf(&text, "%ssender=u%u@b.example",
		    i == 0 ? "" : ",", i);
	check_int(users_line_parse(buf_span(&text), &line, &complaint), 1);
	check_int(line.nsenders, USERSFILE_SENDERS);
	(void)buf_add_str(&text, ",sender=one@b.example");
	check_int(users_line_parse(buf_span(&text), &line, &complaint), -1);
	check_str(complaint, "too many sender=");
	buf_clear(&text);
}

struct seen {
	struct buf rows, bad;
};

static const char *
on_row(void *arg, const struct users_line *row)
{
	struct seen *s = arg;

	if (span_eqstr(row->address, "refused"))
		return "not wanted";
	(void)buf_addf(&s->rows, "%.*s ", SPAN_ARG(row->address));
	return NULL;
}

static void
on_bad(void *arg, unsigned line, const char *complaint)
{
	struct seen *s = arg;

	(void)complaint;
	(void)buf_addf(&s->bad, "%u ", line);
}

static int
file_of(struct span text)
{
	int fd = memfd_create("users", MFD_CLOEXEC);

	if (fd == -1 || write(fd, text.p, text.len) != (ssize_t)text.len) {
		perror("memfd_create");
		exit(1);
	}
	return fd; /* its offset is at the end: the reader must not care */
}

static void
read_file(struct span text, const char *rows, const char *bad)
{
	struct seen s = { BUF_INIT(1 << 20), BUF_INIT(1 << 20) };
	struct users_sink sink = { on_row, on_bad, &s };
	int fd = file_of(text);

	check_int(usersfile_read(fd, &sink), 0);
	check_str(s.rows.len == 0 ? "" : buf_str(&s.rows), rows);
	check_str(s.bad.len == 0 ? "" : buf_str(&s.bad), bad);
	close(fd);
	buf_clear(&s.rows);
	buf_clear(&s.bad);
}

static void
test_files(void)
{
	struct buf text = BUF_INIT(1 << 20);
	struct users_sink sink = { on_row, on_bad, NULL };
	int i, fd;

	check_begin("a file");
	read_file(span_str("a : * : 1\n# x\nb : * : 2\r\n\nc : * : 3"),
	    "a b c ", "");
	check_begin("bad lines by number");
	read_file(span_str("a : * : 1\nx\nrefused : * : 1\nb : * : 2\ny"),
	    "a b ", "2 3 5 ");
	check_begin("an empty file");
	read_file(span_str(""), "", "");

	check_begin("a line without an end");
	(void)buf_add_str(&text, "a : * : 1\n");
	for (i = 0; i < 500000; i++)
		(void)buf_add_char(&text, 'x');
	(void)buf_add_str(&text, "\nb : * : 2\nz\n");
	read_file(buf_span(&text), "a b ", "2 4 ");
	check_begin("a long line that ends the file");
	buf_drop(&text, 10);
	text.len = 300000;
	read_file(buf_span(&text), "", "1 ");
	buf_clear(&text);

	check_begin("no regular file");
	if ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) != -1) {
		check_int(usersfile_read(fd, &sink), -1);
		close(fd);
	}
}

int
main(void)
{
	test_lines();
	test_app_passwords();
	test_many_senders();
	test_files();
	return check_end();
}
