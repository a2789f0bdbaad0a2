/*
 * master/hung.c - a program that another one waits for in vain is ended, and started
 * again as after any death. Only queued may ask for it, and only for those whose
 * outcomes it waits for: as long as one of them lives, what it does is not known,
 * and no attempt may be repeated.
 */
#include <signal.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "master/master.h"

/* queued has waited for longer than that: who is younger is not meant, or the
 * one who asks has been taken over and wants everything ended all the time. */
#define HUNG_MIN_MS 20000

int
on_hung(void *arg, struct ipc_msg *msg)
{
	struct child *c = arg, *o;
	struct ipc_reader rd = ipc_reader(msg);
	uint8_t role = ipc_get_u8(&rd);
	uint16_t instance = ipc_get_u16(&rd);

	if (!ipc_at_end(&rd) || (role != ROLE_DELIVER && role != ROLE_RELAY))
		return -1;
	o = child_find(c->m, (enum role)role, instance);
	if (o == NULL || o->pid == 0 ||
	    clock_boot_ms() - o->started_ms < HUNG_MIN_MS)
		return 0;
	log_warnx("%s %u does not answer %s: it is ended", role_name(role),
	    instance, role_name(c->role));
	kill(o->pid, SIGKILL);
	return 0;
}
