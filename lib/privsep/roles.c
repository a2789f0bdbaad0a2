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

static const struct role_row rows[ROLE_MAX] = {
	[ROLE_MASTER] = {
		"master", "master", NULL, NULL, NULL, ROOT_HOST, CAPS_ALL,
		false, B(SMTPD) | B(QUEUED) | B(RESOLVER) | B(RELAY) |
		B(DELIVER) | B(DFORK) | B(AUTHD) | B(AUTHW) | B(AUTHP) |
		B(KEYD) | B(LOGD) | B(POP3D) | B(PFORK) | B(CTL), FILES_SOME,
		"binds listeners, reads nothing",
		"configuration, folders of mailbox indexes",
		"the right to start programs" },
	[ROLE_SMTPD] = {
		"smtpd", "smtpd", NULL, "smtp", NULL, ROOT_EMPTY, CAPS_NONE,
		true, B(AUTHD) | B(QUEUED) | B(RESOLVER) | B(KEYD) | B(LOGD),
		FILES_MANY,
		"in: 25, 465, 587, submit.sock", "nothing on disk",
		"letters and passwords in flight, ticket keys of its role" },
	[ROLE_QUEUED] = {
		"queued", "queued", NULL, "queue", NULL, ROOT_SPOOL, CAPS_NONE,
		true, B(SMTPD) | B(AUTHD) | B(DELIVER) | B(RELAY) | B(LOGD) |
		B(CTL), FILES_SOME,
		"none", "the spool", "accepted mail" },
	[ROLE_RESOLVER] = {
		"resolver", "resolver", NULL, "dns", NULL, ROOT_EMPTY,
		CAPS_NONE, true, B(SMTPD) | B(RELAY) | B(LOGD), FILES_SOME,
		"out: DNS", "nothing on disk", "a DNS cache" },
	[ROLE_RELAY] = {
		"relay", "relay", NULL, "relay", NULL, ROOT_EMPTY, CAPS_NONE,
		true, B(QUEUED) | B(RESOLVER) | B(KEYD) | B(LOGD), FILES_SOME,
		"out: SMTP, LMTP", "nothing on disk", "letters in flight" },
	[ROLE_DELIVER] = {
		"deliver", "deliver", NULL, "mail", "mail", ROOT_MAIL,
		CAPS_NONE, true, B(QUEUED) | B(DUSER) | B(PUSER) | B(LOGD),
		FILES_SOME,
		"none", "lock files beside mailboxes; opens no mailbox",
		"dotlocks held for others" },
	[ROLE_DFORK] = {
		"deliver-s", "deliver", "-s", "dfork", NULL, ROOT_HOST,
		CAPS_SETID, false, 0, FILES_FEW,
		"none", "nothing", "CAP_SETUID, CAP_SETGID" },
	[ROLE_DUSER] = {
		"deliver-u", NULL, NULL, NULL, NULL, ROOT_HOST, CAPS_NONE,
		false, B(DELIVER), FILES_FEW,
		"none", "one user's mailboxes, .forward, commands",
		"one user's rights, a minute long" },
	[ROLE_AUTHD] = {
		"authd", "authd", NULL, "auth", NULL, ROOT_EMPTY, CAPS_NONE,
		true, B(SMTPD) | B(QUEUED) | B(POP3D) | B(AUTHW) | B(AUTHP) |
		B(LOGD), FILES_FEW,
		"none", "nothing on disk: tables come as descriptors",
		"who exists" },
	[ROLE_AUTHW] = {
		"authd-w", "authd", "-w", "pass", "shadow", ROOT_HOST,
		CAPS_NONE, true, B(AUTHD) | B(LOGD), FILES_FEW,
		"none (NSS modules: theirs)", "NSS, shadow, users file",
		"password hashes" },
	[ROLE_AUTHP] = {
		"authd-p", "authd", "-p", "pass", "shadow", ROOT_HOST,
		CAPS_NONE, false, B(AUTHD) | B(LOGD), FILES_FEW,
		"none (PAM modules: theirs)", "PAM", "passwords in flight" },
	[ROLE_KEYD] = {
		"keyd", "keyd", NULL, "key", NULL, ROOT_EMPTY, CAPS_NONE, true,
		B(SMTPD) | B(RELAY) | B(POP3D) | B(LOGD), FILES_SOME,
		"none", "nothing on disk: keys come as descriptors",
		"TLS private keys" },
	[ROLE_LOGD] = {
		"logd", "logd", NULL, "log", NULL, ROOT_LOG, CAPS_NONE, true,
		B(SMTPD) | B(QUEUED) | B(RESOLVER) | B(RELAY) | B(DELIVER) |
		B(AUTHD) | B(AUTHW) | B(AUTHP) | B(KEYD) | B(POP3D) | B(CTL),
		FILES_FEW,
		"none", "the log", "what happened" },
	[ROLE_POP3D] = {
		"pop3d", "pop3d", NULL, "pop", NULL, ROOT_EMPTY, CAPS_NONE,
		true, B(AUTHD) | B(KEYD) | B(LOGD), FILES_MANY,
		"in: 110, 995", "nothing on disk",
		"plaintext in flight, ticket keys of its role" },
	[ROLE_PFORK] = {
		"pop3d-s", "pop3d", "-s", "pfork", NULL, ROOT_HOST,
		CAPS_SETID, false, 0, FILES_FEW,
		"none", "nothing", "CAP_SETUID, CAP_SETGID" },
	[ROLE_PUSER] = {
		"pop3d-u", NULL, NULL, NULL, NULL, ROOT_HOST, CAPS_NONE,
		true, B(DELIVER), FILES_FEW,
		"none", "one user's mailboxes",
		"one user's rights, one login long" },
	[ROLE_CTL] = {
		"barid", NULL, NULL, NULL, NULL, ROOT_HOST, CAPS_NONE, false,
		B(MASTER) | B(QUEUED) | B(LOGD), FILES_FEW,
		"none", "the terminal", "the admin's wishes" },
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
