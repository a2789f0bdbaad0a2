/*
 * fake_peer.h - what the tests that play another program have in common: a pair
 * of ends, and what is said of a job.
 */
#ifndef TESTS_UNIT_FAKE_PEER_H
#define TESTS_UNIT_FAKE_PEER_H

#include <stdlib.h>
#include <sys/socket.h>

#include "lib/ipc/channel.h"

/* What the other side may say and is of no interest here. */
static inline int
on_nothing(void *arg, struct ipc_msg *m)
{
	(void)arg;
	(void)m;
	return 0;
}

/* Handlers for exactly what PEER may say to SELF, most of it of no interest: one
 * table for each SELF. */
static inline const struct ipc_handler *
peer_handlers(enum role self, enum role peer, const struct ipc_handler *own)
{
	static struct ipc_handler tables[ROLE_MAX][IPC_TYPE_MAX + 1];
	struct ipc_handler *all = tables[self];
	const struct ipc_handler *h;
	size_t n = 0;
	unsigned t;

	for (t = IPC_NONE + 1; t < IPC_TYPE_MAX; t++) {
		const struct ipc_rule *r = ipc_rule(t);

		if (r->reply || t == IPC_CREDITS ||
		    !ipc_admit(t, peer, self, r->min, r->fd))
			continue;
		all[n].type = (uint16_t)t;
		all[n].fn = on_nothing;
		for (h = own; h->type != IPC_NONE; h++)
			if (h->type == t)
				all[n].fn = h->fn;
		n++;
	}
	return all;
}

/* Two ends of one stream. Without them there is no test. */
static inline void
peer_pair(int sv[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == -1)
		exit(1);
}

/* A message that is its type alone. */
static inline void
peer_say(struct channel *ch, enum ipc_type type, uint32_t session)
{
	struct ipc_writer w = ipc_begin(ch, type, 0, session);

	ipc_end(&w);
}

/* What deliver learns of a job for one recipient; see IPC_JOB_BEGIN. */
struct peer_job {
	uint64_t qid;
	uint8_t kind;
	uint32_t flags;
	uint64_t octets, received_s;
	const char *to, *orcpt, *target, *argument, *token;
	uint32_t number;
};

static inline void
peer_job_begin(struct channel *ch, uint32_t session, const struct peer_job *j)
{
	struct ipc_writer w = ipc_begin(ch, IPC_JOB_BEGIN, 0, session);

	ipc_put_u64(&w, j->qid);
	ipc_put_u8(&w, j->kind);
	ipc_put_u32(&w, j->flags);
	ipc_put_u64(&w, j->octets);
	ipc_put_u64(&w, j->received_s);
	ipc_put_u16(&w, 1);
	ipc_put_str(&w, "s@b.example");
	ipc_put_str(&w, j->to);
	ipc_put_str(&w, j->orcpt);
	ipc_put_str(&w, j->target);
	ipc_put_str(&w, j->argument);
	ipc_put_str(&w, j->token);
	ipc_put_str(&w, "");
	ipc_put_u32(&w, j->number);
	ipc_put_u16(&w, 1);
	ipc_end(&w);
}

static inline void
peer_job_body(struct channel *ch, uint32_t session, const char *text)
{
	struct ipc_writer w = ipc_begin(ch, IPC_JOB_BODY, 0, session);

	ipc_put_octets(&w, span_str(text));
	ipc_end(&w);
}

/* FD goes with it. */
static inline void
peer_job_big(struct channel *ch, uint32_t session, int fd)
{
	struct ipc_writer w = ipc_begin(ch, IPC_JOB_BIG, 0, session);

	ipc_put_fd(&w, fd);
	ipc_end(&w);
}

#endif /* TESTS_UNIT_FAKE_PEER_H */
