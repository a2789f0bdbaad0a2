/*
 * lib/privsep/privmap_manual.c - the two tables of barid-privileges(7): who
 * each program is and what the kernel gives it; what an attacker gets who owns
 * it.
 */
#include <stdio.h>

#include "lib/privsep/privmap.h"

/* Filled in when the manual is installed. */
#define PREFIX "@USERPREFIX@"

static const char *
root_text(enum role_root root)
{
	static const char *const words[] = { [ROOT_HOST] = "/",
		[ROOT_EMPTY] = "empty", [ROOT_SPOOL] = "the spool",
		[ROOT_MAIL] = "the mail folder", [ROOT_LOG] = "the log" };

	return words[root];
}

static const char *
files_text(enum role_files files)
{
	static const char *const words[] = { [FILES_NONE] = "none",
		[FILES_ROOT] = "all below its root folder",
		[FILES_LOCKS] = "its root folder: makes and removes files",
		[FILES_LOOK] = "reads what its uid may, writes none",
		[FILES_BOX] = "one mailbox's folder and index",
		[FILES_OWN] = "what its uid may, but to run or make odd ones",
		[FILES_FREE] = "no Landlock" };

	return words[files];
}

static const char *
ports_text(enum role_ports ports)
{
	static const char *const words[] = { [TCP_NONE] = "none",
		[TCP_DNS] = "connects to name servers' ports",
		[TCP_OUT] = "connects to any, binds none",
		[TCP_FREE] = "any" };

	return words[ports];
}

static void
kernel_row(const struct role_row *row)
{
	char user[64], calls[128];

	privmap_user(row, PREFIX, user, sizeof(user));
	privmap_calls(row->calls, calls, sizeof(calls));
	printf(".It Sy %s\n", row->name);
	printf("User %s, root folder %s, capabilities: %s%s.\n", user,
	    root_text(row->root), privmap_caps(row),
	    row->no_new_privs ? ", no_new_privs" : "");
	printf(".br\nSystem calls: %s.\n", row->calls == 0 ? "no filter"
	    : calls);
	if (row->files != FILES_FREE)
		printf(".br\nFiles: %s.\nTCP ports: %s.\n%s",
		    files_text(row->files), ports_text(row->ports),
		    row->scoped ? "Signals and abstract sockets: within its "
		    "cell.\n" : "");
	printf(".br\nDescriptors: %u.\n", row->nofile);
	if (row->nproc == 0)
		printf("It cannot fork.\n");
}

static void
attack_row(const struct role_row *row)
{
	printf(".It Sy %s\n.Em gets :\n%s.\n.br\n.Em stopped by :\n%s.\n",
	    row->name, row->gets, row->stops);
}

void
privmap_manual(void)
{
	unsigned r;

	printf(".Ss What the kernel gives each\n.Bl -tag -width deliver-m\n");
	for (r = ROLE_NONE + 1; r < ROLE_CTL; r++)
		kernel_row(role_row((enum role)r));
	printf(".El\n.Ss What an attacker gets, and what stops him\n"
	    ".Bl -tag -width deliver-m\n");
	for (r = ROLE_NONE + 1; r < ROLE_CTL; r++)
		attack_row(role_row((enum role)r));
	printf(".El\n");
}
