/*
 * tests/unit/master_files_test.c - which file goes to whom, when after a
 * change, and which keys go to nobody.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"
#include "master/master.h"
#include "tests/unit/check.h"
#include "tests/unit/tree.h"

enum { KEYD, SMTP1, SMTP2, POP, RELAY, AUTHW, QUEUED, NCHILDREN };

static const enum role roles[NCHILDREN] = { ROLE_KEYD, ROLE_SMTPD, ROLE_SMTPD,
	ROLE_POP3D, ROLE_RELAY, ROLE_AUTHW, ROLE_QUEUED };

/* %1$s: the folder */
static const char text[] =
    "config 1\nhost mx.here.test\ncontact postmaster@here.test\n"
    "tls main { cert %1$s/c1; key %1$s/k1; client-ca %1$s/ca1 }\n"
    "tls out { cert %1$s/c2; key %1$s/k2 }\n"
    "tls rest { cert %1$s/c3; key %1$s/k3 }\n"
    "listen mx { port 25; tls main, rest offered }\n"
    "listen submission { port 465; tls main immediate }\n"
    "listen pop3 { port 110; tls rest required }\n"
    "users u { file %1$s/users; store mbox %1$s/%%u }\n"
    "domain here.test { users u; default }\n"
    "relay { ca %1$s/ca2 }\n"
    "route { to any via mx { certificate out } }\n"
    "privileges none\n";

static struct {
	struct master m;
	struct child *c[NCHILDREN];
	int far[NCHILDREN];
	char dir[64], got[512];
	unsigned writes;
} t;

/* Another file in its place, of another length each time. */
static void
put(const char *name, mode_t mode)
{
	char path[128], to[128];
	int fd;

	snprintf(path, sizeof(path), "%s/new", t.dir);
	snprintf(to, sizeof(to), "%s/%s", t.dir, name);
	if ((fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600)) == -1 ||
	    ftruncate(fd, ++t.writes) == -1 || fchmod(fd, mode) == -1 ||
	    rename(path, to) == -1)
		exit(1);
	close(fd);
}

static void
configure(const char *format)
{
	struct conf_errors errors = { 0 };
	char full[4096];

	snprintf(full, sizeof(full), format, t.dir);
	conf_free(t.m.conf);
	t.m.conf = conf_parse(span_str(full), "test", true, &errors);
	if (t.m.conf == NULL) {
		printf("%s\n", errors.list[0].text);
		exit(1);
	}
	files_setup(&t.m);
}

static void
begin(const char *name)
{
	static const char *const files[] = { "c1", "c2", "c3", "k1", "k2",
		"k3", "ca1", "ca2", "users" };
	int sv[2], i;
	size_t k;

	check_begin(name);
	memset(&t, 0, sizeof(t));
	loop_init(&t.m.loop);
	timer_init(&t.m.poll, &t.m.loop, files_poll, &t.m);
	snprintf(t.dir, sizeof(t.dir), "/tmp/barid-files.XXXXXX");
	if (mkdtemp(t.dir) == NULL)
		exit(1);
	t.m.test_dir = t.dir;
	for (k = 0; k < nitems(files); k++)
		put(files[k], 0600);
	for (i = 0; i < NCHILDREN; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == -1)
			exit(1);
		t.c[i] = child_new(&t.m, roles[i]);
		t.c[i]->pid = 100000 + i;
		t.c[i]->ch.on_lost = NULL;
		channel_open(&t.c[i]->ch, sv[0]);
		t.far[i] = sv[1];
		fcntl(sv[1], F_SETFL, O_NONBLOCK);
	}
	configure(text);
}

static void
end(void)
{
	int i;

	timer_stop(&t.m.poll);
	files_clear(&t.m);
	for (i = 0; i < NCHILDREN; i++) {
		child_free(t.c[i]);
		close(t.far[i]);
	}
	conf_free(t.m.conf);
	loop_clear(&t.m.loop);
	tree_remove(t.dir);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Names of the files that came to a program, in the order of the alphabet. */
static const char *
got(int who)
{
	char data[8192], names[64][16];
	size_t at, n = 0, i;
	ssize_t len;

	channel_flush(&t.c[who]->ch);
	t.got[0] = '\0';
	while ((len = read(t.far[who], data, sizeof(data))) > 0)
		for (at = 0; at + IPC_HEAD <= (size_t)len && n < 64;
		    at += get_u32(data + at)) {
			const char *name = data + at + IPC_HEAD + 4 +
			    strlen(t.dir) + 1;

			if (get_u16(data + at + 4) == IPC_FILE)
				snprintf(names[n++], sizeof(names[0]), "%.*s",
				    (int)(get_u32(data + at) - IPC_HEAD - 4 -
				    strlen(t.dir) - 1), name);
		}
	qsort(names, n, sizeof(names[0]), by_name);
	for (i = 0; i < n; i++)
		snprintf(t.got + strlen(t.got), sizeof(t.got) - strlen(t.got),
		    "%s%s", i > 0 ? " " : "", names[i]);
	return t.got;
}

static void
nothing_more(void)
{
	int i;

	for (i = 0; i < NCHILDREN; i++)
		check_str(got(i), "");
}

static void
test_whom(void)
{
	int i;

	begin("to each what it reads, and nothing else");
	for (i = 0; i < NCHILDREN; i++)
		files_hand(t.c[i]);
	check_str(got(KEYD), "k1 k2 k3");
	check_str(got(SMTP1), "c1 c3 ca1");
	check_str(got(SMTP2), "c1 c3 ca1");
	check_str(got(POP), "c3");
	check_str(got(RELAY), "c2 ca2");
	check_str(got(AUTHW), "users");
	check_str(got(QUEUED), "");
	files_poll(&t.m);
	files_poll(&t.m);
	nothing_more();
	end();
}

static void
test_keys(void)
{
	begin("keys that others may read or change");
	put("k1", 0604);
	put("k2", 0620);
	put("k3", 0640);
	files_hand(t.c[KEYD]);
	check_str(got(KEYD), "k3");
	put("k1", 0600);
	files_poll(&t.m);
	files_poll(&t.m);
	check_str(got(KEYD), "k1 k3");
	end();

	if (getuid() != 0)
		return;
	begin("a key of somebody else's");
	{
		char path[128];

		snprintf(path, sizeof(path), "%s/k1", t.dir);
		check_int(chown(path, 12345, 12345), 0);
	}
	files_hand(t.c[KEYD]);
	check_str(got(KEYD), "k2 k3");
	end();
}

static void
test_change(void)
{
	begin("certificate and key together, when they stand still");
	put("c1", 0600);
	files_poll(&t.m);
	nothing_more();
	put("k1", 0600);
	files_poll(&t.m);
	nothing_more();
	files_poll(&t.m);
	check_str(got(KEYD), "k1");
	check_str(got(SMTP1), "c1");
	check_str(got(SMTP2), "c1");
	check_str(got(POP), "");
	files_poll(&t.m);
	nothing_more();
	end();

	begin("a table of accounts waits for nobody");
	put("users", 0600);
	put("c1", 0600);
	files_poll(&t.m);
	check_str(got(AUTHW), "users");
	check_str(got(SMTP1), "");
	end();

	begin("a program that starts meanwhile hides no change");
	put("c3", 0600);
	files_hand(t.c[SMTP2]);
	got(SMTP2);
	files_poll(&t.m);
	files_poll(&t.m);
	check_str(got(SMTP1), "c3");
	check_str(got(POP), "c3");
	end();

	begin("gone, and back again");
	{
		char path[128];

		snprintf(path, sizeof(path), "%s/c3", t.dir);
		check_int(unlink(path), 0);
	}
	files_poll(&t.m);
	files_poll(&t.m);
	nothing_more();
	put("c3", 0600);
	files_poll(&t.m);
	files_poll(&t.m);
	check_str(got(POP), "c3");
	end();
}

static void
test_reload(void)
{
	begin("what changed before a reload is still told");
	put("c3", 0600);
	configure(text);
	files_poll(&t.m);
	files_poll(&t.m);
	check_str(got(POP), "c3");
	end();

	begin("what is no longer named is no longer looked at");
	configure("config 1\nhost mx.here.test\n"
	    "contact postmaster@here.test\n"
	    "tls main { cert %1$s/c1; key %1$s/k1 }\n"
	    "listen mx { port 25; tls main offered }\n"
	    "users u { file %1$s/users; store mbox %1$s/%%u }\n"
	    "domain here.test { users u; default }\n"
	    "privileges none\n");
	files_hand(t.c[KEYD]);
	files_hand(t.c[RELAY]);
	files_hand(t.c[POP]);
	check_str(got(KEYD), "k1");
	check_str(got(RELAY), "");
	check_str(got(POP), "");
	end();
}

int
main(void)
{
	log_stderr_level(LOG_L_ERROR);
	test_whom();
	test_keys();
	test_change();
	test_reload();
	return check_end();
}
