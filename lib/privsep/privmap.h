/* lib/privsep/privmap.h - the forms in which the table of roles is told. */
#ifndef LIB_PRIVSEP_PRIVMAP_H
#define LIB_PRIVSEP_PRIVMAP_H

#include <stddef.h>

#include "lib/privsep/roles.h"

#ifndef nitems
#define nitems(a) (sizeof(a) / sizeof((a)[0]))
#endif

/* privmap.c: a row in words */
const char *privmap_root(const struct role_row *row);
const char *privmap_caps(const struct role_row *row);
const char *privmap_files(enum role_files files);
const char *privmap_ports(enum role_ports ports);
void privmap_user(const struct role_row *row, const char *prefix, char *out,
    size_t size);
void privmap_calls(unsigned calls, char *out, size_t size);

/* privmap_manual.c: the tables of barid-privileges(7), mdoc */
void privmap_manual(void);

/* privmap_systemd.c: units, users and folders for systemd */
void privmap_service(void);
void privmap_virtual(void);
void privmap_socket(void);
void privmap_sysusers(void);
void privmap_tmpfiles(void);

#endif
