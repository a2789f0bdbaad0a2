/*
 * authd/exchange.h - SASL exchanges under way: which client is at which
 * message. Named by the channel and the asker's session number; bounded for
 * each channel, so that one program under attack takes nothing from the others.
 */
#ifndef AUTHD_EXCHANGE_H
#define AUTHD_EXCHANGE_H

#include <netinet/in.h>

#include "authd/sasl.h"
#include "lib/conf.h"
#include "lib/ipc/daemon.h"
#include "lib/mail/addr.h"

/* Of one channel: 2.5 KiB each. Each belongs to a connection that has sent AUTH
 * and not gone on, and of those a program has few. */
#define EXCHANGES_MAX 2048

/* Between a challenge and its answer: people type through openssl s_client. */
#define EXCHANGE_S 300

struct login;

struct exchange {
	struct hash_node node;
	struct exchange *prev, *next; /* of those that wait for their client */
	struct channel *ch;
	uint32_t session;
	struct login *login;   /* what is being found out about it, or NULL */
	bool asleep;           /* in that list */
	bool dropped;          /* in no table; its login frees it */
	int64_t until_ms;
	uint8_t service;       /* enum conf_kind */
	char client[ADDR_TEXT];
	struct in6_addr address;
	/* from the first step that knows a name */
	bool found;            /* an account that may have this password */
	char block[CONF_LABEL_MAX + 1];  /* where it is looked up */
	char lookup[ADDR_TEXT];          /* and under which name */
	struct sasl sasl;
};

struct exchanges {
	struct hash table;
	struct exchange *first, *last; /* asleep, the longest first */
	struct timer expiry;
	struct { const struct channel *ch; size_t n; } of[DAEMON_PEERS_MAX];
};

struct authd;

void exchanges_init(struct authd *a);

/* exchange_new - NULL: this channel has as many as it may, all at work. */
struct exchange *exchange_new(struct authd *a, struct channel *ch,
    uint32_t session);
struct exchange *exchange_find(const struct authd *a, const struct channel *ch,
    uint32_t session);

/* exchange_sleep - it is the client's turn; exchange_wake: it has spoken. */
void exchange_sleep(struct authd *a, struct exchange *x);
void exchange_wake(struct authd *a, struct exchange *x);

/* exchange_end - over, and its login too; the question that is still open is
 * answered, for nobody to hear. */
void exchange_end(struct authd *a, struct exchange *x);

/* exchange_free - of one that was dropped, or that ends with its login. */
void exchange_free(struct authd *a, struct exchange *x);

/* exchanges_lost - the channel has gone. */
void exchanges_lost(struct authd *a, const struct channel *ch);

#endif
