/* ipc_fuzz.c - frames from a peer that was taken over: the reader of a channel. */
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/ipc/channel.h"
#include "lib/ipc/event.h"
#include "lib/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
on_event(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);
	struct event_field f;
	struct span rest;

	(void)arg;
	ipc_get_u64(&rd);
	ipc_get_u16(&rd);
	ipc_get_u64(&rd);
	ipc_get_u64(&rd);
	rest = ipc_get_rest(&rd);
	while (event_next(&rest, &f))
		;
	return ipc_at_end(&rd) && rest.len == 0 ? 0 : -1;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ipc_handler logd_side[] = {
		{ IPC_EVENT, on_event }, IPC_HANDLERS_END
	};
	static struct loop loop;
	static struct channel ch;
	int sv[2];

	log_stderr_level(LOG_L_ERROR + 1);
	if (loop.base == NULL) {
		loop_init(&loop);
		channel_init(&ch, &loop, ROLE_LOGD, ROLE_SMTPD, logd_side,
		    NULL);
	}
	if (size > 100000 || socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == -1)
		return 0;
	channel_open(&ch, sv[1]);
	if (write(sv[0], data, size) == (ssize_t)size) {
		loop_run_once(&loop, 0);
		loop_run_once(&loop, 0);
	}
	close(sv[0]);
	channel_close(&ch);
	return 0;
}
