/* lib/clock.h - the two clocks: what the wall says, and what has passed. */
#ifndef LIB_CLOCK_H
#define LIB_CLOCK_H

#include <stdint.h>

/* clock_now_s, clock_now_us - realtime since 1970, for people and headers. */
int64_t clock_now_s(void);
int64_t clock_now_us(void);

/* clock_boot_ms - CLOCK_BOOTTIME: never jumps, counts suspend; for deadlines. */
int64_t clock_boot_ms(void);

#endif
