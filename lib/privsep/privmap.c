/*
 * lib/privsep/privmap.c - the table of roles, told to others: `make privmap`
 * prints it for people, and it is what tests, systemd and the manual are given.
 * Each form is made of what the programs themselves run by.
 */
#include <stdio.h>
#include <string.h>
#include <sys/param.h>

#include "config.h"
#include "lib/ipc/types.h"
#include "lib/privsep/privmap.h"

const char *
privmap_root(const struct role_row *row)
{
	switch (row->root) {
	case ROOT_EMPTY:
		return "empty";
	case ROOT_SPOOL:
		return PATH_SPOOL;
	case ROOT_MAIL:
		return PATH_MAIL;
	case ROOT_LOG:
		return PATH_LOG;
	case ROOT_HOST:
		break;
	}
	return "-";
}

const char *
privmap_caps(const struct role_row *row)
{
	static const char *const caps[] = { [CAPS_NONE] = "none",
		[CAPS_SETID] = "CAP_SETUID CAP_SETGID", [CAPS_ALL] = "all" };

	return caps[row->caps];
}

void
privmap_user(const struct role_row *row, const char *prefix, char *out,
    size_t size)
{
	if (row->user != NULL)
		snprintf(out, size, "%s%s%s%s", prefix, row->user,
		    row->group == NULL ? "" : ":",
		    row->group == NULL ? "" : row->group);
	else
		snprintf(out, size, "%s", row->caps == CAPS_ALL ? "root"
		    : "the user's own");
}

const char *
privmap_files(enum role_files files)
{
	static const char *const words[] = { [FILES_NONE] = "none",
		[FILES_ROOT] = "its folder", [FILES_LOCKS] = "lock files",
		[FILES_LOOK] = "reads", [FILES_BOX] = "one mailbox",
		[FILES_OWN] = "its uid's", [FILES_FREE] = "free" };

	return words[files];
}

const char *
privmap_ports(enum role_ports ports)
{
	static const char *const words[] = { [TCP_NONE] = "none",
		[TCP_DNS] = "to DNS", [TCP_OUT] = "out", [TCP_FREE] = "free" };

	return words[ports];
}

void
privmap_calls(unsigned calls, char *out, size_t size)
{
	static const char *const names[] = { "base", "accept", "inet",
		"threads", "names", "disk", "locks", "group", "memfd",
		"modules", "fork" };
	size_t i, n = 0;

	snprintf(out, size, "all");
	for (i = 0; i < nitems(names) && n < size; i++)
		if (calls & (1u << i))
			n += (size_t)snprintf(out + n, size - n, "%s%s",
			    n == 0 ? "" : " ", names[i]);
}

static void
row_print(const struct role_row *row)
{
	char user[64], calls[128], processes[16];

	privmap_user(row, USER_PREFIX, user, sizeof(user));
	privmap_calls(row->calls, calls, sizeof(calls));
	snprintf(processes, sizeof(processes), "%u", row->nproc);
	printf("%-10s %-20s %-18s %-22s %s\n", row->name, user,
	    privmap_root(row), privmap_caps(row),
	    row->no_new_privs ? "no_new_privs" : "-");
	printf("%-10s   network: %s\n%-10s   touches: %s\n"
	    "%-10s   holds: %s\n", "", row->network, "", row->touches, "",
	    row->holds);
	printf("%-10s   system calls: %s\n%-10s   Landlock: files %s, TCP %s, "
	    "signals and abstract sockets %s\n%-10s   limits: %u descriptors, "
	    "%s processes, no core file\n", "", calls, "",
	    privmap_files(row->files), privmap_ports(row->ports),
	    row->scoped ? "within" : "free", "", row->nofile,
	    row->nproc == 0 ? "no new" : row->nproc == UINT32_MAX ? "any"
	    : processes);
	printf("%-10s   who owns it gets: %s\n%-10s   what stops him: %s\n", "",
	    row->gets, "", row->stops);
}

static void
roles_print(uint32_t roles)
{
	const char *comma = "";
	unsigned r;

	for (r = ROLE_NONE + 1; r < ROLE_MAX; r++)
		if (roles & ROLE_BIT(r)) {
			printf("%s%s", comma, role_name(r));
			comma = ",";
		}
}

static void
for_people(void)
{
	unsigned i;

	printf("%-10s %-20s %-18s %-22s %s\n", "program", "user", "root",
	    "capabilities", "");
	for (i = ROLE_NONE + 1; i < ROLE_CTL; i++)
		row_print(role_row((enum role)i));
	printf("\nmessage, from, to, octets of its body, descriptor\n");
	for (i = IPC_NONE + 1; i < IPC_TYPE_MAX; i++) {
		const struct ipc_rule *r = ipc_rule(i);

		printf("%-14s ", ipc_type_name(i));
		roles_print(r->from);
		printf(" -> ");
		roles_print(r->to);
		printf("  %u-%u%s\n", r->min, r->max, r->fd ? "  fd" : "");
	}
}

/* For tests: a line for each role, tabs between the columns. */
static void
for_tests(void)
{
	char user[64], calls[128];
	unsigned i;

	for (i = ROLE_NONE + 1; i < ROLE_CTL; i++) {
		const struct role_row *row = role_row((enum role)i);

		privmap_user(row, USER_PREFIX, user, sizeof(user));
		privmap_calls(row->calls, calls, sizeof(calls));
		printf("%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%d\t%u\t%u\n",
		    row->name, user, privmap_root(row), privmap_caps(row),
		    row->no_new_privs, row->calls == 0 ? "-" : calls,
		    privmap_files(row->files), privmap_ports(row->ports),
		    row->scoped, row->nofile, row->nproc);
	}
}

int
main(int argc, char *argv[])
{
	static const struct { const char *name; void (*print)(void); }
	    forms[] = {
		{ "table", for_people }, { "tests", for_tests },
		{ "manual", privmap_manual }, { "service", privmap_service },
		{ "virtual", privmap_virtual }, { "socket", privmap_socket },
		{ "sysusers", privmap_sysusers },
		{ "tmpfiles", privmap_tmpfiles },
	};
	size_t i;

	for (i = 0; i < nitems(forms); i++)
		if (strcmp(argc > 1 ? argv[1] : "table", forms[i].name) == 0) {
			forms[i].print();
			return fflush(stdout) == 0 ? 0 : 1;
		}
	fprintf(stderr, "usage: privmap [table|tests|manual|service|virtual|"
	    "socket|sysusers|tmpfiles]\n");
	return 64;
}
