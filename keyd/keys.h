/*
 * keyd/keys.h - which key serves which tls block, and who may use it. A key
 * that was replaced stays until every program that used it has said that it
 * uses another; no longer.
 */
#ifndef KEYD_KEYS_H
#define KEYD_KEYS_H

#include "keyd/key.h"
#include "lib/conf.h"
#include "lib/privsep/roles.h"

/* Keys that were replaced and are still in use, per tls block and role: beyond,
 * the oldest goes. An admin changes a key a few times a year. */
#define KEYS_OLD_MAX 8

/* What one program said last: the certificate of that block has this key. */
struct keys_word {
	struct keys_word *next;
	char block[CONF_LABEL_MAX + 1];
	uint8_t name[SIGN_KEY];
	bool told;             /* that no such key is here */
};

/* One program that speaks TLS and is connected. */
struct keys_user {
	struct keys_user *next;
	enum role role;
	struct keys_word *words;
	size_t nwords;
};

/* In force; replaced by another one; of a block or listener that is gone. */
enum hold_state { HOLD_CURRENT, HOLD_REPLACED, HOLD_DROPPED };

/* A key in the service of one block for one role. */
struct hold {
	struct hold *next;     /* newest first */
	char block[CONF_LABEL_MAX + 1];
	enum role role;
	enum hold_state state;
	struct key *key;       /* counted */
};

/* A file that master gave us, and the last good key that was in it. */
struct key_file {
	struct key_file *next;
	char *path;
	struct key *key;       /* counted; NULL: none yet */
};

/* Zeroed: nothing yet. */
struct keys {
	struct key_file *files;
	struct hold *holds;
	struct keys_user *users; /* borrowed: see keys_user_add */
};

/* keys_file - what a file of that name holds now (fd stays the caller's).
 * Without a good key in it the one before stays, and the log says why. */
void keys_file(struct keys *k, const char *path, int fd);

/* keys_apply - the configuration, or a key, is new: decides who may use
 * what. */
void keys_apply(struct keys *k, const struct conf *conf);

/* keys_find - that key, if this role may use it; else NULL. Borrowed. */
const struct key *keys_find(const struct keys *k, enum role role,
    const uint8_t name[SIGN_KEY]);

/* keys_count - different keys in memory. */
size_t keys_count(const struct keys *k);

/* keys_user_add, keys_user_remove - a program connected, or has gone. The
 * struct is the caller's; remove frees what it said. */
void keys_user_add(struct keys *k, struct keys_user *u);
void keys_user_remove(struct keys *k, struct keys_user *u);

/* keys_used - IPC_KEY_USED. 0, or -1: more blocks than there can be. */
int keys_used(struct keys *k, struct keys_user *u, struct span block,
    const uint8_t name[SIGN_KEY]);

/* keys_complain - logs, once each, certificates in use whose key is not
 * here. */
void keys_complain(struct keys *k);

/* keys_clear - wipes all. */
void keys_clear(struct keys *k);

#endif
