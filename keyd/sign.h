/*
 * keyd/sign.h - the sign sockets: one for each program that speaks TLS, one
 * question at a time on each (lib/net/sign.h).
 */
#ifndef KEYD_SIGN_H
#define KEYD_SIGN_H

#include "keyd/keys.h"
#include "lib/loop.h"

/* What one asker may be refused before the log hears of it again. */
#define SIGN_TOLD_MS 60000

struct sign_counts { uint64_t signatures, refused; };

/* One asker; embedded, zeroed by sign_init. */
struct sign {
	const struct keys *keys;     /* borrowed */
	struct sign_counts *counts;  /* borrowed */
	enum role role;              /* of who asks */
	int fd;                      /* -1: none */
	struct watch watch;
	int64_t told_ms;             /* clock_boot_ms; 0: never */
};

void sign_init(struct sign *s, const struct keys *keys,
    struct sign_counts *counts, enum role role);

/* sign_open - serves fd (ours from now on) instead of an older one. 0, or -1:
 * it is no socket of the kind agreed on, and is closed. */
int sign_open(struct sign *s, struct loop *loop, int fd);
void sign_close(struct sign *s);

/*
 * sign_answer - judges one question and signs; the answer is added to out.
 * Returns 0, or -1: it is no question at all, and who sent it is not ours.
 */
int sign_answer(struct sign *s, struct span packet, struct buf *out);

#endif
