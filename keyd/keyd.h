/*
 * keyd/keyd.h - what the rooms of keyd share: the program, and each program
 * that asks it for signatures.
 */
#ifndef KEYD_KEYD_H
#define KEYD_KEYD_H

#include "keyd/keys.h"
#include "keyd/sign.h"
#include "keyd/tickets.h"
#include "lib/ipc/daemon.h"

/* One connected process of smtpd, pop3d or relay: channel.user. */
struct asker {
	struct keys_user user;
	struct sign sign;
};

/* Roles that seal tickets, by place; relay's are of its own sessions. */
enum { TICKETS_SMTPD, TICKETS_POP3D, TICKETS_RELAY, TICKETS_ROLES };

struct keyd {
	struct daemon daemon;
	struct keys keys;
	struct tickets tickets[TICKETS_ROLES];
	struct timer rotation;
	struct timer complaint;     /* certificates without a key here */
	struct sign_counts counts;
};

/* peers.c: handlers of IPC_SIGN_SOCKET and IPC_KEY_USED, coming and going. */
int on_sign_socket(void *arg, struct ipc_msg *m);
int on_key_used(void *arg, struct ipc_msg *m);
void on_asker_up(void *arg, struct channel *ch);
void on_asker_down(void *arg, struct channel *ch);

/* peers_start - fresh ticket keys, and their rotation. */
void peers_start(struct keyd *k);
/* peers_clear - at the end: forgets askers, wipes the keys of tickets. */
void peers_clear(struct keyd *k);

#endif
