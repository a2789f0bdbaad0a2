/*
 * authd/nss.h - what the host says about its accounts, cached: found 60 s,
 * absent 10 s. The asking itself is authd -w's.
 */
#ifndef AUTHD_NSS_H
#define AUTHD_NSS_H

#include <sys/types.h>

#include "authd/job.h"

#define NSS_FOUND_S     60
#define NSS_ABSENT_S    10
#define NSS_FAILED_S    1       /* long enough for those who wait to see it */
#define NSS_ENTRIES_MAX 50000u  /* 100 octets each, and their texts */
#define NSS_NAME_MAX    64u

enum nss_state { NSS_ASKED, NSS_FOUND, NSS_ABSENT, NSS_FAILED };

struct nss_entry {
	struct nss_entry *chain;       /* same bucket */
	struct nss_entry *newer, *older; /* by last use */
	char *name;                    /* NULL: asked by uid */
	uid_t key_uid;
	enum nss_state state;
	int64_t until_ms;              /* boot clock */
	struct job **waiting;
	size_t nwaiting;
	char *account;                 /* when found */
	uid_t uid;
	gid_t gid;
	char *home, *gecos;
};

struct nss {
	struct nss_entry **buckets;
	size_t nbuckets, n;
	struct nss_entry *newest, *oldest;
	/* asks for e, answered by nss_answer() later; false: cannot now */
	bool (*ask)(void *arg, struct nss_entry *e);
	void *arg;
	struct jobs *jobs;
};

void nss_init(struct nss *n, bool (*ask)(void *, struct nss_entry *),
    void *arg, struct jobs *jobs);
void nss_clear(struct nss *n);

/*
 * nss_name, nss_uid - the entry, never in state NSS_ASKED; or NULL: j now waits
 * for it (j->waits) and must look again when it is run anew. The entry is
 * borrowed until the next call. A name that no host would have is absent
 * without being asked for.
 */
const struct nss_entry *nss_name(struct nss *n, struct job *j,
    struct span name);
const struct nss_entry *nss_uid(struct nss *n, struct job *j, uid_t uid);

/* What has been found out; strings are copied. */
struct nss_facts {
	enum nss_state state;
	struct span account, home, gecos;
	uid_t uid;
	gid_t gid;
};
void nss_answer(struct nss *n, struct nss_entry *e,
    const struct nss_facts *facts);

#endif
