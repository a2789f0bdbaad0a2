/*
 * pop3d/session.h - the TRANSACTION state of RFC 1939, in the process of the
 * mailbox's owner. It reads and writes one stream and may block: nobody else
 * waits for it.
 */
#ifndef POP3D_SESSION_H
#define POP3D_SESSION_H

#include "lib/store/store.h"

/* RFC 2449 section 4: a command has at most 255 octets; more is leniency. */
#define POP3_LINE_OCTETS 1024

/* RFC 1939 section 3: at least ten minutes. */
#define POP3_IDLE_S 600

/* Lines that are no command, in one session, before it ends. */
#define POP3_JUNK_MAX 50

/* What a letter is to this session, by its number. */
struct pop_letter {
	uint32_t uid;
	bool deleted; /* at QUIT */
	uint64_t octets;
};

struct pop_session {
	int fd;              /* borrowed */
	struct store *store; /* borrowed */
	int idle_ms;
	struct pop_letter *letters; /* owns */
	uint32_t n, n_left;
	uint64_t octets_left;
	unsigned junk;
	bool over;           /* the last answer was given */
	bool broken;         /* the stream takes no more: nothing follows */
	struct buf out, text;
	char in[8192];
	size_t in_begin, in_end;
};

/*
 * session_run - greets, serves until QUIT or the end of the stream. Letters
 * marked deleted go at QUIT alone. Returns 0 after a QUIT, else -1.
 */
int session_run(int fd, struct store *store, int idle_s);

/* session_refuse - says -ERR with this text instead: no session. */
void session_refuse(int fd, const char *text);

/* Inside: one command without its line end; output goes to s->out, and
 * session_flush (0 or -1) when much of it waits. */
void verb_run(struct pop_session *s, struct span line);
int session_flush(struct pop_session *s);

/* What waits before it is written: one write for many small answers. */
#define SESSION_OUT_OCTETS ((size_t)128 * 1024)

#endif
