/*
 * queued/now.c - the time as the queue counts it: the wall clock, as long as that
 * does not jump. Due times and ages stay sane when somebody sets it wrong.
 */
#include "lib/clock.h"
#include "lib/log.h"
#include "queued/queued.h"

#define DRIFT_MAX_S 3600 /* design.md section 5, Clock */

int64_t
queue_now(struct queued *q)
{
	int64_t real = clock_now_s(), boot = clock_boot_ms() / 1000;
	int64_t expected = q->base_real_s + boot - q->base_boot_s;
	int64_t drift = real - expected;

	if (q->base_real_s == 0 ||
	    (drift <= DRIFT_MAX_S && drift >= -DRIFT_MAX_S)) {
		q->base_real_s = real;
		q->base_boot_s = boot;
		q->clock_told = false;
		return real;
	}
	if (!q->clock_told)
		log_warnx("the clock jumped by %lld s; the queue goes on "
		    "by the time that really passed", (long long)drift);
	q->clock_told = true;
	return expected;
}
