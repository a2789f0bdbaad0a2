/*
 * queued/letter.h - one letter in memory: its envelope and the fate of each
 * recipient, folded from the MSG (or COPY), EXPAND, STATE and CTRL records of
 * the log. No descriptor, no thread: a letter belongs to whoever holds it.
 */
#ifndef QUEUED_LETTER_H
#define QUEUED_LETTER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/span.h"

/* Recipients of one letter, expanded ones included: a COPY must hold them. */
#define LETTER_RCPTS_MAX 10000
/* Octets of any one text below: address, host, reply ... */
#define LETTER_TEXT_MAX  2000
/* "no attempt is due": held or settled. */
#define LETTER_NEVER     INT64_MAX

/* Stored in records: numbers are never reused. */
enum rcpt_state {
	RCPT_NEW,       /* as accepted or expanded; nothing tried yet */
	RCPT_DEFERRED,  /* tried; again at next_s */
	RCPT_EXPANDED,  /* settled: others stand in its place */
	RCPT_DELIVERED, /* settled: in a mailbox or command */
	RCPT_RELAYED,   /* settled: another host has it */
	RCPT_FAILED,    /* settled: a DSN tells */
	RCPT_EXPIRED,   /* settled: given up after its time */
	RCPT_DELETED,   /* settled: by an operator, without a DSN */
	RCPT_STATE_MAX
};

/* DSN NOTIFY (RFC 3461 section 4.1); 0: the parameter was absent. */
enum {
	NOTIFY_NEVER = 1 << 0,
	NOTIFY_SUCCESS = 1 << 1,
	NOTIFY_FAILURE = 1 << 2,
	NOTIFY_DELAY = 1 << 3
};

/* Envelope flags, kept in the record. */
enum {
	LETTER_SMTPUTF8 = 1 << 0,
	LETTER_8BITMIME = 1 << 1,
	LETTER_RET_FULL = 1 << 2,
	LETTER_RET_HDRS = 1 << 3,
	LETTER_DSN = 1 << 4,    /* made by us, reverse-path <> */
	LETTER_LOCAL = 1 << 5,  /* came over submit.sock */
	LETTER_DOUBLE = 1 << 6  /* a bounce of a bounce, to contact */
};

/* Why a letter is held, stored in records: an operator's wish, or that it came
 * when its account had sent as much as it may. */
enum held {
	HELD_NO,
	HELD_OPERATOR,
	HELD_LETTERS_HOUR,
	HELD_LETTERS_DAY,
	HELD_RCPTS_HOUR,
	HELD_RCPTS_DAY,
	HELD_MAX
};

/* Flags of a recipient; the engine stores them and gives them no meaning. */
enum {
	RCPT_WARNED = 1 << 0 /* the delay warning has been sent */
};

struct rcpt {
	uint32_t number;  /* 1.. , unique within the letter */
	uint32_t parent;  /* the number it was expanded from; 0: envelope */
	uint8_t state;    /* enum rcpt_state */
	uint8_t notify;   /* NOTIFY_... */
	uint8_t depth;    /* 0: envelope */
	uint8_t kind;     /* the scheduler's: mailbox, remote, command ... */
	uint16_t flags;   /* RCPT_... */
	uint16_t attempt; /* attempts made so far */
	int64_t next_s;   /* realtime of the next attempt */
	struct span addr;   /* address, or text that kind explains */
	struct span user;   /* the scheduler's: owner, "as USER" */
	struct span orcpt;  /* ORCPT as given, type included; may be empty */
	struct span status; /* enhanced status code of the last outcome */
	struct span host;   /* remote host of the last outcome */
	struct span reply;  /* its printable reply text */
};

/* Where a record lies: lsn = segment << 32 | offset, and its whole length. */
struct place {
	uint64_t lsn;
	uint32_t octets;
};

struct letter_block;

/* All spans borrow from the letter's own memory and live as long as it. */
struct letter {
	uint64_t qid, sid;
	uint32_t flags;    /* LETTER_... */
	int64_t arrival_s; /* realtime */
	uint64_t size;     /* octets of the message text */
	uint8_t held;      /* HELD_: why nothing of it is tried */
	bool big;          /* the text is the file big/QID */
	struct place place; /* of the MSG or COPY record; set once durable */
	struct span reverse_path; /* without brackets; empty: null path */
	struct span envid;        /* ENVID (RFC 3461 section 4.4) */
	struct span account;      /* who submitted it; empty: a stranger */
	struct span client;       /* address, HELO ... as smtpd tells it */
	struct rcpt *rcpts;       /* ascending by number */
	uint32_t nrcpts, cap;
	struct letter_block *mem;
};

struct letter *letter_new(uint64_t qid);
void letter_free(struct letter *l);

/* letter_dup - a copy of s that lives as long as the letter. */
struct span letter_dup(struct letter *l, struct span s);

/*
 * letter_add_rcpt - one more recipient, numbered behind the others; texts are
 * copied into the letter. Set the other members through the pointer, which is
 * valid until the next call. NULL when LETTER_RCPTS_MAX is reached.
 */
struct rcpt *letter_add_rcpt(struct letter *l, struct span addr);

/* letter_rcpt - by number; NULL when there is none. */
struct rcpt *letter_rcpt(const struct letter *l, uint32_t number);

bool rcpt_is_settled(const struct rcpt *r);

/* letter_open_rcpts - how many are not settled; 0: the letter is done. */
uint32_t letter_open_rcpts(const struct letter *l);

/* letter_due_s - the earliest next_s of an unsettled recipient;
 * LETTER_NEVER when held or settled. */
int64_t letter_due_s(const struct letter *l);

/* letter_held_text - why it is held, in a word or two; "" when it is not. */
const char *letter_held_text(const struct letter *l);

/* One outcome of a STATE record. */
struct outcome {
	uint32_t number; /* of the recipient */
	uint8_t state;   /* enum rcpt_state */
	uint16_t flags;  /* replaces the recipient's flags */
	uint16_t attempt;
	int64_t next_s;
	struct span status, host, reply;
	struct span tls; /* how it went, for the log: not kept */
};

/* A recipient that EXPAND adds; its number must be above all others of the
 * letter, those of earlier EXPANDs included: numbers ascend in order of calls. */
struct final {
	uint32_t number, parent;
	uint8_t depth, kind, notify;
	struct span addr, user, orcpt;
};

enum ctrl_verb {
	CTRL_HOLD,
	CTRL_RELEASE,
	CTRL_EXPEDITE, /* all unsettled recipients are due at time_s */
	CTRL_REDIRECT, /* unsettled recipients become addr, as new ones */
	CTRL_DELETE,   /* unsettled recipients become RCPT_DELETED */
	CTRL_VERB_MAX
};

struct control {
	uint8_t verb;    /* enum ctrl_verb */
	uint32_t number; /* one recipient, or 0: all */
	int64_t time_s;
	struct span operator; /* who asked */
	struct span addr;     /* of CTRL_REDIRECT */
};

/*
 * The same changes that the records make when they are read back. The
 * scheduler applies them to its letter when (or after) it has them written.
 * An unknown recipient number is skipped, and a final whose number is not above
 * the others.
 */
void letter_apply_outcome(struct letter *l, const struct outcome *o);
void letter_apply_expand(struct letter *l, const uint32_t *parents, size_t n,
    const struct final *finals, size_t nfinals);
void letter_apply_control(struct letter *l, const struct control *c);

/* The steps of the above, for the reader of records. letter_place_rcpt: a
 * recipient with a number above all others, else NULL. */
void letter_expand_parent(struct letter *l, uint32_t number);
void letter_expand_final(struct letter *l, const struct final *f);
struct rcpt *letter_place_rcpt(struct letter *l, uint32_t number);

/* letter_domain - the part behind the last "@" of an address, or empty. */
struct span letter_domain(struct span addr);

/* letter_account_hash - of the account, else of the reverse-path; the same in
 * every run: a part of the key of table dest. */
uint32_t letter_account_hash(const struct letter *l);

#endif
