/*
 * resolver/resolver.h - what the rooms of the resolver share: the program and
 * the questions that wait for the DNS.
 */
#ifndef RESOLVER_RESOLVER_H
#define RESOLVER_RESOLVER_H

#include "lib/ipc/daemon.h"
#include "resolver/dns.h"

/* Questions open at once, of all peers: beyond, the answer is DNS_TEMP at once.
 * A route holds up to 41 questions to libunbound and some 10 KiB. */
#define RESOLVER_OPEN_MAX 4000

/* Of one question about a route: MX and then all its hosts side by side. */
#define ROUTE_MS 30000

/* Answers stay below one frame; what a set holds beyond is left out. */
#define ANSWER_OCTETS_MAX 60000
#define ANSWER_RECORDS_MAX 1000

/* Who asked: enough to answer, or to know that nobody waits any more. */
struct asker {
	struct asker *next, **link; /* of resolver.askers */
	struct resolver *r;
	struct channel *ch;
	uint32_t request, session;
	void (*drop)(struct asker *a); /* the peer has gone: free it all */
};

struct resolver {
	struct daemon daemon;
	struct dns dns;
	struct asker *askers;
	size_t open;
	uint64_t answered, failed;
};

/*
 * asker_begin - notes who asked with m; false when too many are open.
 * asker_reply - begins the answer. asker_end - unhooks it (the owner frees).
 * asker_drop_all - the peer at the other end of ch has gone.
 */
bool asker_begin(struct asker *a, struct resolver *r,
    const struct ipc_msg *m, void (*drop)(struct asker *));
struct ipc_writer asker_reply(struct asker *a, enum ipc_type type);
void asker_end(struct asker *a);
void asker_drop_all(struct resolver *r, struct channel *ch);

/* ask_start - IPC_DNS_ASK: answers m in time. 0, or -1: not a lawful question.
 * route_start - the same for IPC_ROUTE_ASK. */
int ask_start(struct resolver *r, struct ipc_msg *m);
int route_start(struct resolver *r, struct ipc_msg *m);

#endif
