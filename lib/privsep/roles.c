/*
 * lib/privsep/roles.c - the table of design.md section 1, once. Everything about
 * uids, roots, groups, capabilities and edges is read from here: by master, by
 * each program as it drops its rights, by `make privmap` and by the tests.
 */
#include "lib/privsep/roles.h"

#include <stddef.h>
#include <string.h>

#define B(r) ROLE_BIT(ROLE_##r)

/* Descriptors: a session is one, and each channel, listener and file one. */
#define FILES_MANY 65536 /* connections: the configuration sets the real limit */
#define FILES_SOME 4096
#define FILES_FEW  256

/* Processes and threads of one uid; 0: it may not fork at all. */
#define PROCESSES_ANY  UINT32_MAX
#define PROCESSES_SOME 256 /* several processes may share a uid */

static const struct role_row rows[ROLE_MAX] = {
	[ROLE_MASTER] = {
		"master", "master", NULL, NULL, NULL, ROOT_HOST, CAPS_ALL,
		false, B(SMTPD) | B(QUEUED) | B(RESOLVER) | B(RELAY) |
		B(DELIVER) | B(DFORK) | B(DRUN) | B(AUTHD) | B(AUTHW) |
		B(AUTHP) | B(KEYD) | B(LOGD) | B(POP3D) | B(PFORK) | B(CTL),
		FILES_SOME,
		"binds listeners, reads nothing",
		"configuration, folders of mailbox indexes",
		"the right to start programs",
		.nproc = PROCESSES_ANY,
		.calls = 0,
		.files = FILES_FREE, .ports = TCP_FREE, .scoped = false,
		.gets = "the host: it is root",
		.stops = "it reads nothing that anybody sent: its peers say "
		    "numbers, names and tickets of bounded length, each "
		    "checked against the table" },
	[ROLE_SMTPD] = {
		"smtpd", "smtpd", NULL, "smtp", NULL, ROOT_EMPTY, CAPS_NONE,
		true, B(AUTHD) | B(QUEUED) | B(RESOLVER) | B(KEYD) | B(LOGD),
		FILES_MANY,
		"in: 25, 465, 587, submit.sock", "nothing on disk",
		"letters and passwords in flight, ticket keys of its role",
		.nproc = 0,
		.calls = CALLS_BASE | CALLS_ACCEPT,
		.files = FILES_NONE, .ports = TCP_NONE, .scoped = true,
		.gets = "letters and passwords that pass through this worker "
		    "while it lives, the ticket keys of SMTP; it can hand in "
		    "letters in anybody's name",
		.stops = "no file, no connection of its own, no program, no "
		    "private key; the queue, other workers' sessions, "
		    "mailboxes and verifiers are in other processes" },
	[ROLE_QUEUED] = {
		"queued", "queued", NULL, "queue", NULL, ROOT_SPOOL, CAPS_NONE,
		true, B(SMTPD) | B(AUTHD) | B(DELIVER) | B(RELAY) | B(LOGD) |
		B(CTL), FILES_SOME,
		"none", "the spool", "accepted mail",
		.nproc = PROCESSES_SOME,
		.calls = CALLS_BASE | CALLS_NAMES | CALLS_DISK |
		    CALLS_THREADS,
		.files = FILES_ROOT, .ports = TCP_NONE, .scoped = true,
		.gets = "all letters that wait, to read, change or lose; it "
		    "can send letters in anybody's name",
		.stops = "no network, nothing outside the spool, no program; "
		    "what is delivered it cannot reach again" },
	[ROLE_RESOLVER] = {
		"resolver", "resolver", NULL, "dns", NULL, ROOT_EMPTY,
		CAPS_NONE, true, B(SMTPD) | B(RELAY) | B(LOGD), FILES_SOME,
		"out: DNS", "nothing on disk", "a DNS cache",
		.nproc = PROCESSES_SOME,
		.calls = CALLS_BASE | CALLS_INET | CALLS_THREADS,
		.files = FILES_NONE, .ports = TCP_DNS, .scoped = true,
		.gets = "the answers: it can send outgoing mail to a wrong "
		    "host, or say that it is DNSSEC's word",
		.stops = "no letter, no password, no file; TCP to name "
		    "servers' ports alone; a route with `tls verified` still "
		    "asks for the right certificate" },
	[ROLE_RELAY] = {
		"relay", "relay", NULL, "relay", NULL, ROOT_EMPTY, CAPS_NONE,
		true, B(QUEUED) | B(RESOLVER) | B(KEYD) | B(LOGD), FILES_SOME,
		"out: SMTP, LMTP", "nothing on disk", "letters in flight",
		.nproc = 0,
		.calls = CALLS_BASE | CALLS_INET,
		.files = FILES_NONE, .ports = TCP_OUT, .scoped = true,
		.gets = "letters that go out through this worker, and what "
		    "smarthosts are logged in with; it can connect to any "
		    "host",
		.stops = "no file, no listening port, no program, no private "
		    "key; letters that are not sent now are in the queue" },
	[ROLE_DELIVER] = {
		"deliver", "deliver", NULL, "mail", "mail", ROOT_MAIL,
		CAPS_NONE, true, B(QUEUED) | B(DUSER) | B(PUSER) | B(LOGD),
		FILES_SOME,
		"none", "lock files beside mailboxes; opens no mailbox",
		"dotlocks held for others",
		.nproc = 0,
		.calls = CALLS_BASE | CALLS_NAMES | CALLS_DISK | CALLS_LOCKS,
		.files = FILES_LOCKS, .ports = TCP_NONE, .scoped = true,
		.gets = "letters under way to local mailboxes, the INBOXes "
		    "in the mail folder, which its group may open, and lock "
		    "files; it can say of a letter that it was delivered",
		.stops = "no network, no program, nothing outside the mail "
		    "folder; of commands it can start those alone that a "
		    ".forward names, or any as the user of a table of "
		    "aliases" },
	[ROLE_DFORK] = {
		"deliver-s", "deliver", "-s", "dfork", NULL, ROOT_HOST,
		CAPS_SETID, true, 0, FILES_FEW,
		"none", "nothing", "CAP_SETUID, CAP_SETGID",
		.nproc = PROCESSES_ANY,
		.calls = CALLS_BASE | CALLS_NAMES | CALLS_DISK | CALLS_LOCKS |
		    CALLS_GROUP | CALLS_MEMFD | CALLS_FORK,
		.files = FILES_OWN, .ports = TCP_NONE, .scoped = true,
		.gets = "any user from uid 1000 on",
		.stops = "only master speaks to it; uid 0, uids below 1000 "
		    "and group 0 are refused by its filter; no network, no "
		    "program" },
	[ROLE_DUSER] = {
		"deliver-u", NULL, NULL, NULL, NULL, ROOT_HOST, CAPS_NONE,
		true, B(DELIVER), FILES_FEW,
		"none", "one user's mailboxes, .forward, files",
		"one user's rights, a minute long",
		.nproc = 0,
		.calls = CALLS_BASE | CALLS_NAMES | CALLS_DISK | CALLS_LOCKS |
		    CALLS_GROUP | CALLS_MEMFD,
		.files = FILES_OWN, .ports = TCP_NONE, .scoped = true,
		.parent = ROLE_DFORK,
		.gets = "one user's rights: that user's files, letters and, "
		    "through deliver-c, commands",
		.stops = "that user's rights: no other user's mailbox or "
		    "process; by itself it runs no program and has no "
		    "network" },
	[ROLE_AUTHD] = {
		"authd", "authd", NULL, "auth", NULL, ROOT_EMPTY, CAPS_NONE,
		true, B(SMTPD) | B(QUEUED) | B(POP3D) | B(AUTHW) | B(AUTHP) |
		B(LOGD), FILES_FEW,
		"none", "nothing on disk: tables come as descriptors",
		"who exists",
		.nproc = 0,
		.calls = CALLS_BASE,
		.files = FILES_NONE, .ports = TCP_NONE, .scoped = true,
		.gets = "who has a mailbox, passwords as they are being "
		    "checked; it can let anybody in as any user but root",
		.stops = "no verifier, no file, no network, no program; uids "
		    "below 1000 are refused further on" },
	[ROLE_AUTHW] = {
		"authd-w", "authd", "-w", "pass", "shadow", ROOT_HOST,
		CAPS_NONE, true, B(AUTHD) | B(LOGD), FILES_FEW,
		"none (NSS modules: theirs)", "NSS, shadow, users file",
		"password hashes",
		.nproc = PROCESSES_SOME,
		.calls = CALLS_BASE | CALLS_NAMES | CALLS_LOCKS |
		    CALLS_MODULES,
		.files = FILES_LOOK, .ports = TCP_FREE, .scoped = false,
		.gets = "the password hashes of the host and of users files; "
		    "a network connection, since modules of NSS may need one",
		.stops = "its own uid with group shadow; writes no file, "
		    "runs no program" },
	[ROLE_AUTHP] = {
		"authd-p", "authd", "-p", "pass", "shadow", ROOT_HOST,
		CAPS_NONE, false, B(AUTHD) | B(LOGD), FILES_FEW,
		"none (PAM modules: theirs)", "PAM", "passwords in flight",
		.nproc = PROCESSES_ANY,
		.calls = 0,
		.files = FILES_LOOK, .ports = TCP_FREE, .scoped = false,
		.gets = "passwords that PAM checks, and what PAM's modules "
		    "can do as an ordinary user",
		.stops = "its own uid; writes no file where the kernel has "
		    "Landlock; only where a users block has PAM or Dovecot "
		    "asked" },
	[ROLE_KEYD] = {
		"keyd", "keyd", NULL, "key", NULL, ROOT_EMPTY, CAPS_NONE, true,
		B(SMTPD) | B(RELAY) | B(POP3D) | B(LOGD), FILES_SOME,
		"none", "nothing on disk: keys come as descriptors",
		"TLS private keys",
		.nproc = 0,
		.calls = CALLS_BASE,
		.files = FILES_NONE, .ports = TCP_NONE, .scoped = true,
		.gets = "the private keys of TLS",
		.stops = "no network, no file, no program; network processes "
		    "reach it with questions of one form alone" },
	[ROLE_LOGD] = {
		"logd", "logd", NULL, "log", NULL, ROOT_LOG, CAPS_NONE, true,
		B(SMTPD) | B(QUEUED) | B(RESOLVER) | B(RELAY) | B(DELIVER) |
		B(AUTHD) | B(AUTHW) | B(AUTHP) | B(KEYD) | B(POP3D) | B(CTL),
		FILES_FEW,
		"none", "the log", "what happened",
		.nproc = 0,
		.calls = CALLS_BASE | CALLS_NAMES | CALLS_DISK,
		.files = FILES_ROOT, .ports = TCP_NONE, .scoped = true,
		.gets = "the log: who wrote to whom and when; it can falsify "
		    "it",
		.stops = "no letter's text, no network, nothing outside the "
		    "log's folder, no program" },
	[ROLE_POP3D] = {
		"pop3d", "pop3d", NULL, "pop", NULL, ROOT_EMPTY, CAPS_NONE,
		true, B(AUTHD) | B(KEYD) | B(LOGD), FILES_MANY,
		"in: 110, 995", "nothing on disk",
		"plaintext in flight, ticket keys of its role",
		.nproc = 0,
		.calls = CALLS_BASE | CALLS_ACCEPT,
		.files = FILES_NONE, .ports = TCP_NONE, .scoped = true,
		.gets = "passwords and letters that pass through this worker "
		    "while it lives, the ticket keys of POP3",
		.stops = "no mailbox without a ticket that authd granted to "
		    "this worker, once, within 30 s; no file, no connection "
		    "of its own, no program, no private key" },
	[ROLE_PFORK] = {
		"pop3d-s", "pop3d", "-s", "pfork", NULL, ROOT_HOST,
		CAPS_SETID, true, 0, FILES_FEW,
		"none", "nothing", "CAP_SETUID, CAP_SETGID",
		.nproc = PROCESSES_ANY,
		.calls = CALLS_BASE | CALLS_NAMES | CALLS_DISK | CALLS_LOCKS |
		    CALLS_GROUP | CALLS_FORK,
		.files = FILES_OWN, .ports = TCP_NONE, .scoped = true,
		.gets = "any user from uid 1000 on",
		.stops = "only master speaks to it; uid 0, uids below 1000 "
		    "and group 0 are refused by its filter; no network, no "
		    "program" },
	[ROLE_PUSER] = {
		"pop3d-u", NULL, NULL, NULL, NULL, ROOT_HOST, CAPS_NONE,
		true, B(DELIVER), FILES_FEW,
		"none", "one user's mailboxes",
		"one user's rights, one login long",
		.nproc = 0,
		.calls = CALLS_BASE | CALLS_NAMES | CALLS_DISK | CALLS_LOCKS |
		    CALLS_GROUP,
		.files = FILES_BOX, .ports = TCP_NONE, .scoped = true,
		.parent = ROLE_PFORK,
		.gets = "one user's mailbox, while that user is logged in",
		.stops = "no other file of the user or of anybody else, no "
		    "network, no program" },
	[ROLE_DRUN] = {
		"deliver-r", "deliver", "-r", "drun", NULL, ROOT_HOST,
		CAPS_SETID, false, 0, FILES_SOME,
		"none", "nothing", "CAP_SETUID, CAP_SETGID",
		.nproc = PROCESSES_ANY,
		.calls = 0,
		.files = FILES_FREE, .ports = TCP_FREE, .scoped = false,
		.gets = "any user, and from there what a setuid program "
		    "gives away",
		.stops = "it reads from master alone, and no letter: users' "
		    "commands need a parent that is in no cell, and this is "
		    "all that it does" },
	[ROLE_DCMD] = {
		"deliver-c", NULL, NULL, NULL, NULL, ROOT_HOST, CAPS_NONE,
		false, 0, FILES_FEW,
		"the user's", "what the user's commands touch",
		"one user's rights, while a command runs",
		.nproc = PROCESSES_ANY,
		.calls = 0,
		.files = FILES_FREE, .ports = TCP_FREE, .scoped = false,
		.parent = ROLE_DRUN,
		.gets = "one user's rights, as a line in that user's crontab",
		.stops = "that user's rights" },
	[ROLE_CTL] = {
		"barid", NULL, NULL, NULL, NULL, ROOT_HOST, CAPS_NONE, false,
		B(MASTER) | B(QUEUED) | B(LOGD), FILES_FEW,
		"none", "the terminal", "the admin's wishes",
		.nproc = PROCESSES_ANY,
		.calls = 0,
		.files = FILES_FREE, .ports = TCP_FREE, .scoped = false,
		.gets = "what its caller has",
		.stops = "it is a command, not a service" },
};

const struct role_row *
role_row(enum role r)
{
	return &rows[r > ROLE_NONE && r < ROLE_MAX ? r : ROLE_CTL];
}

const char *
role_name(unsigned r)
{
	return r > ROLE_NONE && r < ROLE_MAX ? rows[r].name : "?";
}

enum role
role_find(const char *name)
{
	unsigned r;

	for (r = ROLE_NONE + 1; r < ROLE_MAX; r++)
		if (strcmp(rows[r].name, name) == 0)
			return (enum role)r;
	return ROLE_NONE;
}
