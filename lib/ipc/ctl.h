/*
 * lib/ipc/ctl.h - what an admin's command asks and how it is answered: the
 * verbs, the words behind them, the keys of the records that come back. Shared
 * by ctl/ and by those who answer: master, queued, logd.
 *
 * A question is one IPC_CTL with a request number: words, the verb first. The
 * answer is any number of IPC_CTL_RECORD and then one IPC_CTL_END with an exit
 * status of sysexits(3) and a sentence (may be empty when the status is 0),
 * all with the number of the question. A second question waits for the end of
 * the first.
 *
 * To master (records, one a line, and what they hold)
 *	status			one a program: program, pid, state, uptime
 *				(seconds), then its own numbers
 *	reload			none; 78 (EX_CONFIG): complaints, a line each
 *	stop			none; the end comes when it has begun
 * To queued
 *	queue list SELECTOR...	one for each recipient that is not settled,
 *				those of a letter one behind the other (at most
 *				CTL_RCPTS_MAX of one)
 *	queue show qid=ID	one for each recipient, settled or not; then
 *				the header in pieces: header (text with LF, the
 *				key "header" alone)
 *	queue flush|hold|release|delete SELECTOR...
 *				done (number): progress, so far, at will; the
 *				last one before the end tells how many letters
 *	spool verify		done and total (numbers, segments) as it goes;
 *				at last one with the counts: letters, segments,
 *				damaged, lost (numbers). The status is 65
 *				(EX_DATAERR) when damaged or lost is not 0
 *	spool rebuild		done and total (numbers) as it goes
 * To logd
 *	trace WORD [since=S]	one for each event, oldest first; WORD is an id,
 *				an address or a Message-ID; since: seconds since
 *				1970, else all days that are kept
 *
 * SELECTOR, all of which must fit; flush, hold, release and delete want at
 * least one: all, qid=ID, from=ADDRESS (empty: the null reverse-path),
 * to=ADDRESS, domain=NAME (of a recipient that is not settled), account=NAME,
 * state=held|deferred|active. Other words are refused with 64 (EX_USAGE), a qid
 * that is not there with 66 (EX_NOINPUT).
 *
 * Keys of queue list and show. Letter: qid (qid), arrival (time), size
 * (number), from (text, empty: the null reverse-path), account (text, if there
 * is one), state (text: held, deferred, active), rcpts (number: not settled).
 * Recipient: to (text), attempt (number), next (time; absent when held or under
 * way), host (text), reply (text: the last one, with its enhanced status),
 * route (text: the destination: a domain, a host or "local"); with show also
 * outcome (text: waiting, delivered, relayed, expanded, failed, expired,
 * deleted).
 *
 * Keys of trace: time_us (number, since 1970), program (text, with its number
 * if it has one: "smtpd", "smtpd-2"), event (text), qid, sid (qid; absent when
 * 0), then the event's fields by their names in lib/events.def.
 *
 * `barid spool adopt` runs while barid does not: it execs `queued --adopt
 * FOLDER` itself, which becomes the owner of that folder, calls spool_adopt()
 * and exits 0, or prints a sentence and exits 1.
 */
#ifndef LIB_IPC_CTL_H
#define LIB_IPC_CTL_H

#include "lib/ipc/channel.h"

#define CTL_WORDS_MAX 64    /* words of one question */
#define CTL_WORD_MAX  1024  /* octets of one word */
#define CTL_RCPTS_MAX 50    /* recipients of one letter in queue list */
#define CTL_REPLY_MS  5000  /* to begin with an answer */

/*
 * Whoever answers with many records stops while more than this waits unsent
 * (channel_queued), and goes on a little later: a terminal that is not read
 * must not fill our memory.
 */
#define CTL_QUEUED_MAX (1u << 20)

/*
 * ctl_words - the words of a question, borrowed from it. Returns how many, or
 * -1: not a question as it must be (the handler closes the channel).
 */
int ctl_words(struct ipc_msg *m, struct span words[CTL_WORDS_MAX]);

/*
 * ctl_word_is - is this "key=value" with that key? Then value is set.
 */
bool ctl_word_is(struct span word, const char *key, struct span *value);

/* One record being put together; a field that does not fit is left out. */
struct ctl_record {
	struct buf body;
	unsigned n;
};

void ctl_record_init(struct ctl_record *r);
void ctl_record_clear(struct ctl_record *r);
void ctl_text(struct ctl_record *r, const char *key, struct span value);
void ctl_str(struct ctl_record *r, const char *key, const char *value);
void ctl_number(struct ctl_record *r, const char *key, uint64_t value);
void ctl_qid(struct ctl_record *r, const char *key, uint64_t qid);
void ctl_time(struct ctl_record *r, const char *key, int64_t time_s);

/* ctl_send - the record goes out, r is empty again. */
void ctl_send(struct ctl_record *r, struct channel *ch, uint32_t request);

/* ctl_end - the end of an answer; status of sysexits(3). */
void ctl_end(struct channel *ch, uint32_t request, int status,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* One field of a record that came in. */
struct ctl_field {
	struct span key;
	unsigned kind;      /* CTL_TEXT ... */
	struct span text;   /* of CTL_TEXT, else empty */
	uint64_t number;    /* of all others */
};

/*
 * ctl_fields - reads a record; borrowed from it. Returns how many fields (at
 * most max are kept), or -1: not a record as it must be.
 */
int ctl_fields(struct ipc_msg *m, struct ctl_field *out, size_t max);

#endif
