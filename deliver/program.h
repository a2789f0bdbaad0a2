/*
 * deliver/program.h - a user's command, run as cron would run it: /bin/sh -c
 * with a clean environment, the letter on descriptor 0, its output caught, a
 * session and process group of its own that ends with it.
 *
 * A process is forked for each by deliver -c, outside any cell, which does
 * nothing else and may therefore wait; deliver -u hears of the end through a
 * pipe. When that pipe's reader is gone, the command is killed.
 */
#ifndef DELIVER_PROGRAM_H
#define DELIVER_PROGRAM_H

#include <sys/types.h>

#include "lib/buf.h"
#include "lib/ipc/waiting.h"
#include "lib/loop.h"
#include "lib/span.h"

#define PROGRAM_TIME_MS    600000 /* procmail filters may call slow scanners */
#define PROGRAM_GRACE_MS   5000   /* between SIGTERM and SIGKILL */
#define PROGRAM_OUTPUT_MAX 1000   /* octets kept of what it says */

struct program_spec {
	const char *text;         /* the command */
	const char *user, *home;
	struct span sender, recipient, original; /* for the environment */
	struct span head;         /* From_ line and our fields, LF */
	struct span body;         /* the letter, CRLF, when body_fd is -1 */
	int body_fd;
	uint64_t body_len;        /* where body_fd is used */
	int64_t time_ms, grace_ms;
};

enum program_end {
	PROGRAM_FAILED,  /* it could not be run: code is an errno */
	PROGRAM_EXITED,  /* code is its exit status */
	PROGRAM_KILLED,  /* code is a signal */
	PROGRAM_TIMEOUT
};

struct program_result {
	enum program_end how;
	int code;
	char output[PROGRAM_OUTPUT_MAX + 1]; /* printable, one line */
};

/*
 * program_run - runs it and waits. report: a pipe whose reader's end also ends
 * the command, or -1. Uses SIGCHLD of this process.
 */
void program_run(const struct program_spec *spec, int report,
    struct program_result *out);

/* One command under way; embedded, zeroed. */
struct program {
	struct watch watch;
	int fd;
	bool runs;
	struct buf in;
	void (*done)(void *arg, const struct program_result *r);
	void *arg;
};

/* program_start - done is called from the loop, once. runner: the channel to
 * this user's deliver -c. 0, or -1 with errno. */
int program_start(struct program *p, struct loop *loop, int runner,
    const struct program_spec *spec,
    void (*done)(void *arg, const struct program_result *r), void *arg);

/* program_stop - kills it; done is not called. May be called at any time. */
void program_stop(struct program *p);

/* runner.c: between deliver -u and deliver -c */
/* runner_ask - has a command run; the pipe that will tell of its end, or -1. */
int runner_ask(int runner, const struct program_spec *spec);
/* runner_main - the life of deliver -c: see struct waiting_spec. */
int runner_main(const struct account *a, int peer, int lock,
    const char *host, bool test);

/* program_clean - a value as it may stand in the environment: letters, digits
 * and !@%-_=+:,./ stay, anything else becomes "_". Cut to fit. */
void program_clean(struct span in, char *out, size_t size);

#endif
