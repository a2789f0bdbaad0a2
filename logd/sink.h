/* logd/sink.h - where the lines of the log go: syslog, stderr or a file. */
#ifndef LOGD_SINK_H
#define LOGD_SINK_H

#include "lib/conf.h"
#include "lib/ipc/channel.h"
#include "logd/line.h"

#define SINK_FILE    "barid.log"
#define SINK_BUFFER  (1u << 20)  /* lines that wait for a full disk */
#define SINK_STDERR_MAX (16u << 20) /* where standard error is a file */
#define SINK_AGAIN_MS 10000      /* until /dev/log is asked for again */

struct sink {
	enum conf_log_to to;
	bool json;
	int facility;
	int fd;                  /* of syslog or the file; -1: stderr */
	int dirfd;               /* of the file; -1 */
	int day;                 /* tm_yday of the file's lines; -1 */
	int64_t keep_s;
	struct channel *master;  /* borrowed: connects to /dev/log */
	struct timer again;
	struct buf out;          /* lines for the file */
	uint64_t lines, dropped;
	uint32_t request;        /* for /dev/log, under way; 0 */
	bool told;               /* that lines go to stderr instead */
	bool full;
};

/*
 * sink_init - from the configuration; root is a descriptor of the log folder
 * and root_path its name, within which the file must lie. Returns 0, or -1
 * with why.
 */
int sink_init(struct sink *s, const struct conf_log *conf, int root,
    const char *root_path, struct loop *loop, struct channel *master,
    char *why, size_t why_size);
void sink_clear(struct sink *s);

/* sink_write - one event; never blocks: what is not taken at once is dropped
 * and counted. */
void sink_write(struct sink *s, const struct record *r);

/* sink_flush - lines for the file go out; a new day begins a new file. */
void sink_flush(struct sink *s);

#endif
