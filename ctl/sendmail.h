/* ctl/sendmail.h - what the rooms of sendmail share. It runs as whoever calls
 * it and has no right of its own. */
#ifndef CTL_SENDMAIL_H
#define CTL_SENDMAIL_H

#include <stdbool.h>

#include "lib/buf.h"
#include "lib/span.h"

/* A letter is held in memory, so that it can be sent again when the suite
 * restarts under way; no listener takes one so big. */
#define LETTER_MAX (256u << 20)
#define RCPTS_MAX  10000

struct sendmail {
	/* from the command line; all borrow */
	const char *test_dir;   /* --test: the suite below this folder */
	const char *from;       /* -f, -r; NULL: the caller's own address */
	const char *name;       /* -F; NULL: the account's */
	const char *envid;      /* -V */
	const char *ret;        /* -R: "FULL", "HDRS" or NULL */
	const char *notify;     /* -N: as in NOTIFY=, or NULL */
	bool from_header;       /* -t */
	bool ignore_dot;        /* -i, -oi */

	char **rcpts;           /* own: as written, until qualified */
	size_t nrcpts;
	struct buf letter;      /* as it was read */
	struct buf ready;       /* as it is sent, CRLF lines, not stuffed */
	char *address;          /* owns: what the suite calls the caller */
	int64_t deadline_ms;    /* when waiting for the suite ends */
};

/* -- sendmail_letter.c ----------------------------------------------------- */

/* letter_read - from stdin, up to its end or a line with a dot alone. Returns
 * EX_OK or what to exit with. */
int letter_read(struct sendmail *m);

/* letter_rcpts - adds those of To, Cc and Bcc, or of their Resent- kin when
 * there are any. Returns EX_OK or what to exit with. */
int letter_rcpts(struct sendmail *m);

/* letter_prepare - fills ready: without Bcc, with From. address is known. */
void letter_prepare(struct sendmail *m);

/* rcpts_parse - adds those of a list with commas. Returns EX_OK or what to exit
 * with; so do the others. */
int rcpts_parse(struct sendmail *m, struct span list);

/* -- sendmail_smtp.c ------------------------------------------------------- */

/* submit_letter - over submit.sock, waiting while the suite is away. Returns
 * the exit status; what went wrong is on stderr. */
int submit_letter(struct sendmail *m);

/* submit_dialogue - -bs: SMTP on stdin and stdout. */
int submit_dialogue(struct sendmail *m);

#endif
