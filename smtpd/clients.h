/* smtpd/clients.h - the table of addresses lives with lib/net: pop3d too. */
#ifndef SMTPD_CLIENTS_H
#define SMTPD_CLIENTS_H

#include "lib/net/clients.h"

#endif
