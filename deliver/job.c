/*
 * deliver/job.c - reading and writing what is said about jobs, alike in deliver
 * and in its children. The router reads what a child says with the same
 * suspicion as a stranger's words.
 */
#include "deliver/job.h"

int
job_head_read(struct span body, struct job_head *out)
{
	struct ipc_reader rd = ipc_reader_span(body);

	out->qid = ipc_get_u64(&rd);
	out->kind = ipc_get_u8(&rd);
	out->flags = ipc_get_u32(&rd);
	out->size = ipc_get_u64(&rd);
	out->arrival_s = ipc_get_u64(&rd);
	out->attempt = ipc_get_u16(&rd);
	out->from = ipc_get_span(&rd, IPC_PATH_MAX);
	out->address = ipc_get_span(&rd, IPC_PATH_MAX);
	out->orcpt = ipc_get_span(&rd, IPC_PATH_MAX);
	out->target = ipc_get_span(&rd, 255);
	out->argument = ipc_get_span(&rd, IPC_PATH_MAX);
	out->token = ipc_get_span(&rd, 64);
	out->envid = ipc_get_span(&rd, IPC_PATH_MAX);
	out->number = ipc_get_u32(&rd);
	ipc_get_u16(&rd); /* recipients: one */
	return ipc_at_end(&rd) && out->target.len > 0 ? 0 : -1;
}

int
outcome_read(struct ipc_reader *rd, struct outcome *out)
{
	out->number = ipc_get_u32(rd);
	out->what = ipc_get_u8(rd);
	out->status = ipc_get_span(rd, STATUS_MAX);
	out->reply = ipc_get_span(rd, IPC_TEXT_MAX);
	out->host = ipc_get_span(rd, IPC_PATH_MAX);
	ipc_get_span(rd, IPC_TLS_MAX); /* no host, nothing encrypted */
	return ipc_at_end(rd) ? 0 : -1;
}

static struct span
cut(struct span s, size_t max)
{
	return span_make(s.p, s.len > max ? max : s.len);
}

void
outcome_put(struct ipc_writer *w, const struct outcome *o)
{
	ipc_put_u32(w, o->number);
	ipc_put_u8(w, o->what);
	ipc_put_span(w, cut(o->status, STATUS_MAX));
	ipc_put_span(w, cut(o->reply, REPLY_MAX));
	ipc_put_span(w, cut(o->host, IPC_PATH_MAX));
	ipc_put_str(w, "");
}

void
final_read(struct ipc_reader *rd, struct final *out)
{
	out->kind = ipc_get_u8(rd);
	out->address = ipc_get_span(rd, IPC_PATH_MAX);
	out->target = ipc_get_span(rd, 255);
	out->argument = ipc_get_span(rd, IPC_PATH_MAX);
}

void
final_put(struct ipc_writer *w, const struct final *f)
{
	ipc_put_u8(w, f->kind);
	ipc_put_span(w, f->address);
	ipc_put_span(w, f->target);
	ipc_put_span(w, f->argument);
}
