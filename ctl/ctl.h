/* ctl/ctl.h - what the rooms of the admin's command share. */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include <stdbool.h>
#include <stdio.h>
#include <sysexits.h>

#include "lib/conf.h"
#include "lib/ipc/ctl.h"

#define CTL_FIELDS_MAX 80 /* of one record: the longest is a status */

/* What was said on the command line, and what follows from it. */
struct ctl {
	const char *test_dir;    /* absolute, or NULL */
	char conf[1100];         /* the configuration's path */
	char run[1100];          /* the folder of control.sock */
	char spool[1100];
	bool conf_given;
	bool json;
	bool sandbox_log;        /* run, start: tell, do not end */
	bool terminal;           /* standard error shows progress */
	int argc;                /* words behind the verb */
	char **argv;
};

/* One conversation with master, and through it with another program. */
struct talk {
	const struct ctl *ctl;
	struct loop loop;
	struct channel master, peer;
	bool open;
	bool quiet;              /* a status other than 0 needs no word */
};

/* A record as it came: borrowed until the callback returns. */
struct fields {
	struct ctl_field list[CTL_FIELDS_MAX];
	size_t n;
};
typedef void record_fn(void *arg, const struct fields *f);

/*
 * talk_open - connects to master; complains and returns an EX_ status when that
 * cannot be (quiet: without a word). 0 when it can.
 */
int talk_open(struct talk *t, const struct ctl *ctl, bool quiet);
void talk_close(struct talk *t);

/*
 * talk_ask - one question, to master or through it to queued or logd; every
 * record goes to fn. Returns the status of the answer; when it is not 0 its
 * text has been told on standard error.
 */
int talk_ask(struct talk *t, enum role role, const struct span *words,
    size_t n, record_fn *fn, void *arg);

/* talk_wait_end - until master has closed the conversation: true, or false
 * after so many milliseconds. */
bool talk_wait_end(struct talk *t, int64_t ms);

/* field - the one of that key, or NULL; the others with a standard. */
const struct ctl_field *field(const struct fields *f, const char *key);
struct span field_text(const struct fields *f, const char *key);
uint64_t field_number(const struct fields *f, const char *key);

/* -- print.c --------------------------------------------------------------- */

/* put_safe - text of strangers on a terminal: controls and other octets beyond
 * ASCII as \xHH; put_lines lets the ends of lines pass. put_json - as a JSON
 * string with its quotes. */
void put_safe(FILE *f, struct span s);
void put_lines(FILE *f, struct span s);
void put_json(FILE *f, struct span s);

/* put_record - a record as one JSON object and LF. */
void put_record(FILE *f, const struct fields *r);

/* Numbers as people say them: "3 min", "4.2K". Each takes its own array. */
#define HUMAN_MAX 32
const char *human_time(int64_t seconds, char out[HUMAN_MAX]);
const char *human_octets(uint64_t octets, char out[HUMAN_MAX]);
/* 2026-11-21 11:04:02, or as JSON wants it with zone */
const char *human_date(int64_t time_s, char out[HUMAN_MAX]);

/* complain - one line on standard error, "barid: " in front. */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* progress - done of total on a terminal, in place; NULL ends the line. */
void progress(const struct ctl *c, const char *what, uint64_t done,
    uint64_t total);

/* -- verbs: each returns an exit status ------------------------------------ */

int verb_run(struct ctl *c);
int verb_start(struct ctl *c);
int verb_stop(struct ctl *c);
int verb_reload(struct ctl *c);
int verb_status(struct ctl *c);
int verb_check(struct ctl *c);
int verb_queue(struct ctl *c);
int verb_spool(struct ctl *c);
int verb_trace(struct ctl *c);
int verb_user(struct ctl *c);

/* check.c: 0, or EX_CONFIG with every complaint on out, a line each; those
 * about the files that it names are told, and leave 0. */
int check_configuration(const struct ctl *c, FILE *out);

/* selector.c: words of the command line as those of ctl.h. 0, or EX_USAGE. */
struct selectors {
	char *words[CTL_WORDS_MAX];
	size_t n;
	bool any;                /* at least one that selects */
	const char *by;          /* route, reason or NULL */
};
int selectors_parse(struct selectors *s, int argc, char **argv);
void selectors_clear(struct selectors *s);

/* story.c: an event of a letter's life as a sentence without its time. */
void story_sentence(const struct fields *f, struct buf *out);
/* What a letter waits for, from a record of "queue show". */
void story_waiting(const struct fields *f, int64_t now_s, struct buf *out);

#endif
