/*
 * queued/limits.h - how much each account has sent in the last hour and the last
 * day. In memory alone: after a restart of queued all begin with nothing.
 */
#ifndef QUEUED_LIMITS_H
#define QUEUED_LIMITS_H

#include <stdint.h>

#include "lib/conf.h"
#include "lib/hash.h"
#include "lib/span.h"

/* Accounts that are remembered, some 400 octets each. Of more, those that sent
 * longest ago are forgotten: smtpd names them, and it may name any number. */
#define LIMITS_ACCOUNTS_MAX 20000

struct limits_account;

/* Zeroed: nobody has sent anything. */
struct limits {
	struct hash accounts;
	struct limits_account *first, *last; /* who sent longest ago, who last */
};

/*
 * limits_take - may this account send one more letter to so many recipients?
 * HELD_NO, and it is counted; else which limit is in its way (HELD_LETTERS_HOUR
 * ...), and it is not counted: a limit says how much goes out. now_s may step back,
 * which counts as standing still.
 */
uint8_t limits_take(struct limits *all, const struct conf_accounts *conf,
    struct span account, uint32_t rcpts, int64_t now_s);

void limits_clear(struct limits *all);

#endif
