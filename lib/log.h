/*
 * lib/log.h - what happened, told to logd: events with ids and typed fields.
 * Before logd's channel exists, and in tests, lines go to stderr instead. A
 * sender never blocks: when logd is slow, events are dropped and counted.
 */
#ifndef LIB_LOG_H
#define LIB_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/span.h"

enum log_level { LOG_L_DEBUG, LOG_L_INFO, LOG_L_WARN, LOG_L_ERROR };

/* The most octets of one field's text and of one event (barid-log(5)). */
#define EVENT_TEXT_MAX 1000
#define EVENT_MAX      4000

/*
 * One event being put together. The name is one of lib/events.def, keys are
 * those listed there; the text is escaped by the sender and again by logd.
 */
struct event_out {
	char data[EVENT_MAX]; /* encoded fields: see lib/ipc/event.h */
	size_t len;
	uint16_t code;
	uint64_t qid, sid;
};

/* Codes EV_... and keys KEY_... come from lib/events.def. */
enum event_code {
#define EVENT(code, name, level, text) code,
#define KEY(code, name, text)
#include "lib/events.def"
#undef EVENT
#undef KEY
	EV_MAX
};

enum event_key {
#define EVENT(code, name, level, text)
#define KEY(code, name, text) code,
#include "lib/events.def"
#undef EVENT
#undef KEY
	KEY_MAX
};

const char *event_name(unsigned code);          /* "?" when unknown */
enum log_level event_level(unsigned code);
const char *event_key_name(unsigned key);

/*
 * event_begin - starts an event about a letter (qid) in a session (sid); 0
 * where there is none. Fields follow, event_send ends it. A field that does not
 * fit is cut; nothing here fails or blocks.
 */
void event_begin(struct event_out *e, enum event_code code, uint64_t qid,
    uint64_t sid);
void event_text(struct event_out *e, enum event_key key, struct span value);
void event_str(struct event_out *e, enum event_key key, const char *value);
void event_num(struct event_out *e, enum event_key key, uint64_t value);
void event_send(struct event_out *e);

/* log_init - once, first in main(): the name in front of lines on stderr. */
void log_init(const char *name);

/* log_attach - from now on events go through send (the channel to logd);
 * NULL: to stderr again. send returns false when it had to drop. */
void log_attach(bool (*send)(void *arg, const struct event_out *e), void *arg);

/* log_stderr_level - what stderr shows below its default (LOG_L_INFO). */
void log_stderr_level(enum log_level level);

/*
 * Free text for what has no event of its own: EV_NOTE, EV_WARNING, EV_ERROR.
 * log_warn adds strerror(errno), log_warnx does not; log_info is for rare
 * milestones. fatal and fatalx log and exit 1:
 * for start-up and our own bugs alone, never for what a client sent.
 */
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warnx(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void fatal(const char *fmt, ...)
    __attribute__((format(printf, 1, 2), noreturn));
void fatalx(const char *fmt, ...)
    __attribute__((format(printf, 1, 2), noreturn));

/* log_escape - text as one printable ASCII word run: controls, quotes and
 * octets past 0x7e become \xHH. Writes at most size, NUL included. */
void log_escape(struct span in, char *out, size_t size);

/* qid_format - 13 characters of base 32 and a NUL; qid_parse: 0 or -1. */
#define QID_TEXT 14
const char *qid_format(uint64_t qid, char out[QID_TEXT]);
int qid_parse(struct span in, uint64_t *out);

#endif
