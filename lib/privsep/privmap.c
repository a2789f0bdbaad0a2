/*
 * lib/privsep/privmap.c - `make privmap`: the table of roles as people read it, and
 * the contract between them. Prints what the programs themselves run by.
 */
#include <stdio.h>

#include "config.h"
#include "lib/ipc/types.h"

static const char *
root_text(enum role_root root)
{
	switch (root) {
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

static void
row_print(const struct role_row *row)
{
	static const char *const caps[] = { [CAPS_NONE] = "none",
		[CAPS_SETID] = "CAP_SETUID CAP_SETGID", [CAPS_ALL] = "all" };
	char user[64];

	if (row->user != NULL)
		snprintf(user, sizeof(user), "%s%s%s%s", USER_PREFIX, row->user,
		    row->group == NULL ? "" : ":",
		    row->group == NULL ? "" : row->group);
	else
		snprintf(user, sizeof(user), "%s", row->caps == CAPS_ALL
		    ? "root" : "the user's own");
	printf("%-10s %-20s %-18s %-22s %s\n", row->name, user,
	    root_text(row->root), caps[row->caps],
	    row->no_new_privs ? "no_new_privs" : "-");
	printf("%-10s   network: %s\n%-10s   touches: %s\n"
	    "%-10s   holds: %s\n", "", row->network, "", row->touches, "",
	    row->holds);
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

int
main(void)
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
	return 0;
}
