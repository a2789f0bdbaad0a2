/*
 * lib/store/store.h - a mailbox behind one seam: deliver -u puts letters in,
 * sessions list, read and expunge them. The caller is the owner of the mailbox
 * and nobody else; everything here may block (locks, disk) and belongs into a
 * process of one user, never into an event loop that others wait for.
 *
 * The caller ignores SIGXFSZ, so that a file size limit arrives as EFBIG.
 */
#ifndef LIB_STORE_STORE_H
#define LIB_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/buf.h"
#include "lib/span.h"

/* First 80 bits of SHA-256 over spool uuid, qid and final address. */
#define STORE_TOKEN_OCTETS 10

/* Digest in base 32, a dash and a counter, NUL; RFC 1939 allows 70. */
#define STORE_UIDL_TEXT 48

/* A mailbox file's name: one component, without '/', not "." or "..". */
#define STORE_NAME_MAX 200

/* How long an operation waits for others' locks before it gives EAGAIN. */
#define STORE_LOCK_WAIT_MS 20000

/* Letters of one store_append: one lock, one fsync. */
#define STORE_BATCH_MAX 1000

/* Flags of a letter, as RFC 9051 section 2.3.2 has them. */
enum {
	STORE_SEEN     = 1 << 0,
	STORE_ANSWERED = 1 << 1,
	STORE_FLAGGED  = 1 << 2,
	STORE_DELETED  = 1 << 3,
	STORE_DRAFT    = 1 << 4,
	STORE_FLAGS    = (1 << 5) - 1
};

/*
 * The second lock beside an mbox, MAILBOX.lock, is made by whoever may write
 * to that directory: in deliver -u and in sessions that is the deliver process.
 * dotlock returns 0, or -1 with EAGAIN (another has it: we shall ask again) or
 * any other errno (it cannot be had: the operation fails with it).
 */
struct store_locks {
	int (*dotlock)(void *arg, const char *mailbox);
	void (*dotunlock)(void *arg, const char *mailbox);
	void *arg;
};

/* Which mailbox. All is borrowed and must outlive the store. */
struct store_conf {
	int mail_dir;     /* opened for reading, so that it can be fsynced */
	int index_dir;    /* the same: .ix, side file and session lock */
	const char *name; /* the mbox in mail_dir, e.g. "alice" */
	const char *index_name; /* base name in index_dir; NULL: as name */
	uid_t owner;            /* who must own all files */
	uint64_t quota_octets;  /* most the mailbox may hold; 0: no limit */
	int lock_wait_ms;       /* 0: STORE_LOCK_WAIT_MS */
	const struct store_locks *locks; /* NULL: no dotlock wanted */
};

struct store;

/*
 * store_open - looks at the mailbox and its index, takes in what others have
 * changed since. A mailbox that does not exist is an empty one. *out is to be
 * closed with store_close, which accepts NULL.
 * Returns 0, or -1 with errno: EAGAIN when the locks could not be had in time,
 * EPERM when a file is not what it must be (regular, its owner's, one link).
 */
int store_open(struct store **out, const struct store_conf *conf);
void store_close(struct store *s);

/*
 * store_create - makes an empty mbox of mode 0660 if there is none; for
 * deliver -u while it still has group mail. Returns 0, also if there is one,
 * or -1 with errno.
 */
int store_create(int mail_dir, const char *name);

/*
 * One letter to be stored, and what became of it. The text is stored as
 * From_ line, head, letter, empty line: CRLF becomes LF, lines that begin with
 * "From " behind any number of '>' get one more (mboxrd), and lines of the
 * letter's header that claim to be a mailbox's state are left out.
 */
struct store_letter {
	uint8_t token[STORE_TOKEN_OCTETS]; /* all zero: no exactly-once */
	bool maybe_stored; /* an earlier attempt may have got through: look */
	struct span from;  /* reverse-path without <>; empty is the null one */
	int64_t arrived_s; /* of the From_ line: the same at each attempt */
	struct span head;  /* whole lines: Return-Path: ... Delivered-To: ... */
	struct span text;  /* header and body when text_fd is -1 */
	int text_fd;       /* else the text lies here, borrowed */
	uint64_t text_off, text_len; /* octets, where text_fd is used */

	/* Answers. */
	int error;     /* 0: durable in the mailbox; else an errno */
	bool was_there; /* found by token or octets, not written again */
	uint32_t uid;
};

/*
 * store_append - puts n letters (at most STORE_BATCH_MAX) into the mailbox
 * under one lock and with one fsync; creates an mbox that is missing (0600).
 * Each letter's error says what became of it: 0, EDQUOT (quota; the file
 * system's as well), ENOSPC, EFBIG, EIO, EAGAIN (locked) ... A letter that
 * failed has left no octet behind.
 * Returns 0 when every error is 0, else -1 with errno the first of them.
 */
int store_append(struct store *s, struct store_letter *letters, size_t n);

/*
 * store_sync - takes in what others have changed. Sequence numbers may change
 * with this call, store_append, store_expunge and store_read: a session keeps
 * UIDs. Returns 0, or -1 with
 * errno as store_open. store_changed - would it find anything? Two stat calls,
 * no lock: what a session asks while it idles (the watch of this back end).
 */
int store_sync(struct store *s);
bool store_changed(struct store *s);

/* What the index knows of one letter. */
struct store_info {
	uint32_t uid;
	uint32_t flags;      /* STORE_SEEN ... */
	uint64_t modseq;
	uint64_t octets;     /* with CRLF line ends, as store_read gives it */
	int64_t arrived_s;
};

/*
 * store_count - letters; store_octets - the sum of their octets. store_get
 * tells of letter seq, 0 the first, in ascending order of UID; returns 0, or -1
 * when there is no such letter. store_find - sequence of a UID, or -1.
 */
uint32_t store_count(const struct store *s);
uint64_t store_octets(const struct store *s);
int store_get(const struct store *s, uint32_t seq, struct store_info *out);
ssize_t store_find(const struct store *s, uint32_t uid);

/* store_uidl - unique-id of letter seq (RFC 1939 section 7), the same with and
 * without the index. Returns 0, or -1 when there is no such letter. */
int store_uidl(const struct store *s, uint32_t seq, char out[STORE_UIDL_TEXT]);

/* UIDVALIDITY, UIDNEXT, and the highest modseq given (RFC 7162). */
uint32_t store_uidvalidity(const struct store *s);
uint32_t store_uidnext(const struct store *s);
uint64_t store_modseq(const struct store *s);

/*
 * Reading one letter in pieces. The mailbox is locked (shared) only inside the
 * calls; if others moved the letter between two pieces it is found again.
 */
struct store_reader {
	uint32_t uid;
	uint64_t at;     /* octets of the stored letter already passed */
	uint64_t octets; /* of the stored letter: a change ends the reading */
	bool in_header;  /* state lines are still to be left out */
	bool in_line;    /* the last piece was cut inside a line */
	bool skipping;   /* that line is one to be left out */
};

/*
 * store_read_begin - sets r to the first octet of the letter with this UID.
 * Returns 0, or -1 with errno ESTALE: there is none.
 * store_read - adds the next piece to out, whole lines out of `want` octets (at
 * most 256 KiB, or less: a longer line comes in pieces); CRLF line ends, mboxrd
 * quoting undone, without state lines. out needs room
 * for 2 * want + 2 octets.
 * Returns 1 when more is to come, 0 at the letter's end, -1 with errno: ESTALE
 * when the letter is no longer there (as it was).
 */
int store_read_begin(struct store *s, uint32_t uid, struct store_reader *r);
int store_read(struct store *s, struct store_reader *r, struct buf *out,
    size_t want);

/*
 * store_flags - for each UID of first..last: (flags & ~remove) | add.
 * Returns 0, or -1 with errno.
 */
int store_flags(struct store *s, uint32_t first, uint32_t last, uint32_t add,
    uint32_t remove);

/*
 * store_expunge - removes the letters with these UIDs (ascending; those that
 * are gone already do not matter). All or nothing, also when the machine stops.
 * Returns 0, or -1 with errno: nothing was removed then, or, after EIO, the
 * next one to lock the mailbox completes it.
 */
int store_expunge(struct store *s, const uint32_t *uids, size_t n);

/*
 * store_changes - calls fn for every letter whose modseq is above since, and,
 * with gone set, for UIDs expunged since. Returns 0; 1 when since is older than
 * what is remembered of expunged letters: then only those present were told.
 */
int store_changes(struct store *s, uint64_t since,
    void (*fn)(void *arg, uint32_t uid, uint32_t flags, uint64_t modseq,
    bool gone), void *arg);

/*
 * store_claim - one session of this kind at a time (RFC 1939 section 4 wants
 * the maildrop locked against other POP3 sessions; deliveries and mail readers
 * go on). Waits a second for one that is just ending. Returns 0; -1 with errno
 * EBUSY while another has it. Held until store_unclaim, store_close or the end
 * of the process.
 */
int store_claim(struct store *s, const char *kind);
void store_unclaim(struct store *s);

#endif
