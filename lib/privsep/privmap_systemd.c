/*
 * lib/privsep/privmap_systemd.c - what systemd is told: the service, harder
 * rules for hosts where no user runs anything, the socket of `sendmail`, users,
 * folders.
 */
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "lib/privsep/privmap.h"

#define MADE "# Made from lib/privsep/roles.c: see `make privmap`.\n"

/* What master does as root, and nothing else of root's rights. */
static const struct { const char *cap, *why; } master_caps[] = {
	{ "CAP_SETUID", "gives each program its own uid" },
	{ "CAP_SETGID", "and gid" },
	{ "CAP_SETPCAP", "empties their bounding sets" },
	{ "CAP_SYS_CHROOT", "their root folders" },
	{ "CAP_NET_BIND_SERVICE", "ports below 1024" },
	{ "CAP_CHOWN", "gives users their folders of indexes" },
	{ "CAP_KILL", "ends programs that hang" },
};

void
privmap_service(void)
{
	printf(MADE
	    "[Unit]\n"
	    "Description=barid mail suite\n"
	    "Documentation=man:barid(8) man:barid-privileges(7)\n"
	    "After=network-online.target nss-user-lookup.target\n"
	    "Wants=network-online.target\n"
	    "\n"
	    "[Service]\n"
	    "Type=notify\n"
	    "ExecStart=%s run\n"
	    "ExecReload=%s reload\n"
	    "# master ends the others in the order in which letters flow.\n"
	    "KillMode=mixed\n"
	    "TimeoutStartSec=10min\n"
	    "TimeoutStopSec=90\n"
	    "Restart=on-failure\n"
	    "Sockets=barid-submit.socket\n"
	    "LimitNOFILE=1048576\n"
	    "LimitCORE=0\n"
	    "OOMPolicy=continue\n"
	    "# Users' commands inherit all that stands here, setuid programs\n"
	    "# that they call as well: only what no mail command needs is\n"
	    "# taken away. barid's own programs shut themselves in further.\n"
	    "KeyringMode=private\n"
	    "LockPersonality=yes\n"
	    "ProtectClock=yes\n"
	    "ProtectControlGroups=yes\n"
	    "ProtectKernelLogs=yes\n"
	    "ProtectKernelModules=yes\n"
	    "ProtectKernelTunables=yes\n"
	    "RestrictRealtime=yes\n"
	    "\n"
	    "[Install]\n"
	    "WantedBy=multi-user.target\n"
	    "Also=barid-submit.socket\n", PATH_BARID, PATH_BARID);
}

void
privmap_virtual(void)
{
	size_t i;

	printf(MADE
	    "# For a host whose mailboxes all belong to virtual users, and\n"
	    "# where nobody has letters handed to commands: copy it to\n"
	    "# /etc/systemd/system/barid.service.d/. Other folders of\n"
	    "# mailboxes than /var/vmail must be named in ReadWritePaths;\n"
	    "# configuration, certificates and keys must belong to root.\n"
	    "[Service]\n"
	    "NoNewPrivileges=yes\n"
	    "CapabilityBoundingSet=");
	for (i = 0; i < nitems(master_caps); i++)
		printf("%s%s", i == 0 ? "" : " ", master_caps[i].cap);
	printf("\n"
	    "MemoryDenyWriteExecute=yes\n"
	    "PrivateDevices=yes\n"
	    "PrivateMounts=yes\n"
	    "PrivateTmp=yes\n"
	    "ProtectHome=yes\n"
	    "ProtectHostname=yes\n"
	    "ProtectProc=invisible\n"
	    "ProtectSystem=strict\n"
	    "ReadWritePaths=%s %s %s %s -%s -/var/vmail\n"
	    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6\n"
	    "RestrictNamespaces=yes\n"
	    "RestrictSUIDSGID=yes\n"
	    "SystemCallArchitectures=native\n"
	    "SystemCallErrorNumber=EPERM\n"
	    "SystemCallFilter=@system-service chroot seccomp "
	    "landlock_create_ruleset landlock_add_rule "
	    "landlock_restrict_self\n"
	    "SystemCallFilter=~@aio @keyring @resources\n"
	    "UMask=0077\n",
	    PATH_RUN, PATH_SPOOL, PATH_INDEX, PATH_LOG, PATH_MAIL);
}

void
privmap_socket(void)
{
	printf(MADE
	    "# sendmail(8) hands letters in here: it outlives restarts.\n"
	    "[Unit]\n"
	    "Description=barid mail suite: local submission\n"
	    "Documentation=man:sendmail(8)\n"
	    "\n"
	    "[Socket]\n"
	    "ListenStream=%s/submit.sock\n"
	    "SocketMode=0666\n"
	    "DirectoryMode=0755\n"
	    "Backlog=1024\n"
	    "FileDescriptorName=submit\n"
	    "Service=barid.service\n"
	    "\n"
	    "[Install]\n"
	    "WantedBy=sockets.target\n", PATH_RUN);
}

/* Has an earlier row the same user? authd -w and -p share one. */
static bool
user_was_there(unsigned role)
{
	const char *user = role_row((enum role)role)->user;
	unsigned r;

	for (r = ROLE_NONE + 1; r < role; r++)
		if (role_row((enum role)r)->user != NULL &&
		    strcmp(role_row((enum role)r)->user, user) == 0)
			return true;
	return false;
}

void
privmap_sysusers(void)
{
	unsigned r;

	printf(MADE);
	for (r = ROLE_NONE + 1; r < ROLE_CTL; r++) {
		const struct role_row *row = role_row((enum role)r);

		if (row->user != NULL && !user_was_there(r))
			printf("u %s%s - \"barid: %s\" / /usr/sbin/nologin\n",
			    USER_PREFIX, row->user, row->name);
	}
}

void
privmap_tmpfiles(void)
{
	const char *slash = strrchr(PATH_INDEX, '/');

	printf(MADE
	    "d %s 0755 root root -\n"
	    "d %s/empty 0555 root root -\n"
	    "d %s 0700 %s%s %s%s -\n"
	    "d %.*s 0755 root root -\n"
	    "d %s 0711 root root -\n"
	    "d %s 0750 %s%s %s%s -\n", PATH_RUN, PATH_RUN, PATH_SPOOL,
	    USER_PREFIX, role_row(ROLE_QUEUED)->user, USER_PREFIX,
	    role_row(ROLE_QUEUED)->user, (int)(slash - PATH_INDEX),
	    PATH_INDEX, PATH_INDEX, PATH_LOG, USER_PREFIX,
	    role_row(ROLE_LOGD)->user, USER_PREFIX,
	    role_row(ROLE_LOGD)->user);
}
