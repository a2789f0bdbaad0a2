/*
 * deliver/job.h - what deliver and its children say about one job: one letter
 * for one final recipient. The fields are those of lib/ipc/types.h.
 */
#ifndef DELIVER_JOB_H
#define DELIVER_JOB_H

#include "lib/ipc/channel.h"

/* Texts that go into an outcome; longer ones are cut. */
#define STATUS_MAX 16
#define REPLY_MAX  1500

/* A body that travels inline; bigger ones come as a descriptor. */
#define JOB_BODY_MAX (IPC_WINDOW + IPC_FRAME_MAX)

/* IPC_JOB_BEGIN; spans borrow from the message. */
struct job_head {
	uint64_t qid;
	uint8_t kind;          /* FINAL_ */
	uint32_t flags;        /* JOB_F_ */
	uint64_t size, arrival_s;
	uint16_t attempt;
	struct span from, address, orcpt, target, argument, token, envid;
	uint32_t number;       /* of the recipient */
};

/* Where flags lies in the body of the message. */
#define JOB_FLAGS_AT 9

/* job_head_read - 0, or -1: not as agreed. */
int job_head_read(struct span body, struct job_head *out);

/* One recipient's fate. */
struct outcome {
	uint32_t number;
	uint8_t what;          /* OUTCOME_ */
	struct span status, reply, host;
};

/* outcome_read - the rest of *rd; 0, or -1. outcome_put - the same, written;
 * texts are cut to their limits. */
int outcome_read(struct ipc_reader *rd, struct outcome *out);
void outcome_put(struct ipc_writer *w, const struct outcome *o);

/* A final recipient of an IPC_JOB_FORWARD; spans borrow. */
struct final {
	uint8_t kind;          /* FINAL_ */
	struct span address, target, argument;
};

/* final_read - the next one of *rd, sticky. final_put - writes it. */
void final_read(struct ipc_reader *rd, struct final *out);
void final_put(struct ipc_writer *w, const struct final *f);

#endif
