/* queued/crc32c.h - the checksum lives with the base: mailboxes use it too. */
#ifndef QUEUED_CRC32C_H
#define QUEUED_CRC32C_H

#include "lib/crc32c.h"

#endif
