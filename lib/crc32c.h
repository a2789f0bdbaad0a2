/* lib/crc32c.h - CRC-32C (Castagnoli; RFC 3720 appendix B.4). */
#ifndef LIB_CRC32C_H
#define LIB_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* crc32c - goes on from crc; begin with 0 or with a seed. */
uint32_t crc32c(uint32_t crc, const void *p, size_t len);

/* crc32c_table - the same without the machine's instruction; for the test. */
uint32_t crc32c_table(uint32_t crc, const void *p, size_t len);

#endif
