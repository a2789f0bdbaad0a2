/*
 * authd/nss.c - a bounded cache with the questions that wait in it. Entries
 * that somebody waits for stay; of the others the longest unused go first.
 */
#include "authd/nss.h"
#include "lib/clock.h"
#include "lib/mem.h"

static const struct nss_entry absent = { .state = NSS_ABSENT };
static const struct nss_entry failed = { .state = NSS_FAILED };

void
nss_init(struct nss *n, bool (*ask)(void *, struct nss_entry *), void *arg,
    struct jobs *jobs)
{
	memset(n, 0, sizeof(*n));
	n->nbuckets = 16384; /* at most three a bucket when full */
	n->buckets = xcalloc(n->nbuckets, sizeof(*n->buckets));
	n->ask = ask;
	n->arg = arg;
	n->jobs = jobs;
}

static void
entry_forget_facts(struct nss_entry *e)
{
	x_free(&e->account);
	x_free(&e->home);
	x_free(&e->gecos);
}

static void
entry_free(struct nss_entry *e)
{
	entry_forget_facts(e);
	x_free(&e->name);
	x_free(&e->waiting);
	x_free(&e);
}

static struct nss_entry **
bucket_of(struct nss *n, struct span name, uid_t uid)
{
	uint64_t hash = name.p != NULL ? span_hash(name) :
	    span_hash(span_make(&uid, sizeof(uid)));

	return &n->buckets[hash & (n->nbuckets - 1)];
}

static void
order_remove(struct nss *n, struct nss_entry *e)
{
	*(e->newer != NULL ? &e->newer->older : &n->newest) = e->older;
	*(e->older != NULL ? &e->older->newer : &n->oldest) = e->newer;
	e->newer = e->older = NULL;
}

static void
order_front(struct nss *n, struct nss_entry *e)
{
	e->newer = NULL;
	if ((e->older = n->newest) != NULL)
		e->older->newer = e;
	else
		n->oldest = e;
	n->newest = e;
}

static void
entry_remove(struct nss *n, struct nss_entry *e)
{
	struct span name = span_str(e->name);
	struct nss_entry **at = bucket_of(n, name, e->key_uid);

	while (*at != e)
		at = &(*at)->chain;
	*at = e->chain;
	order_remove(n, e);
	n->n--;
	entry_free(e);
}

void
nss_clear(struct nss *n)
{
	while (n->newest != NULL)
		entry_remove(n, n->newest);
	x_free(&n->buckets);
}

/* Room for one more; false when all that is there is being waited for. */
static bool
make_room(struct nss *n)
{
	struct nss_entry *e = n->oldest;

	if (n->n < NSS_ENTRIES_MAX)
		return true;
	while (e != NULL && e->state == NSS_ASKED)
		e = e->newer;
	if (e == NULL)
		return false;
	entry_remove(n, e);
	return true;
}

static struct nss_entry *
entry_get(struct nss *n, struct span name, uid_t uid)
{
	struct nss_entry **at = bucket_of(n, name, uid), *e;

	for (e = *at; e != NULL; e = e->chain) {
		bool same = name.p == NULL ?
		    e->name == NULL && e->key_uid == uid :
		    e->name != NULL && span_eqstr(name, e->name);

		if (same)
			break;
	}
	if (e != NULL) {
		order_remove(n, e);
		order_front(n, e);
		return e;
	}
	if (!make_room(n))
		return NULL;
	e = xcalloc(1, sizeof(*e));
	e->name = name.p == NULL ? NULL : span_dup(name);
	e->key_uid = uid;
	e->state = NSS_FAILED; /* until_ms 0: long ago, so asked for at once */
	at = bucket_of(n, name, uid);
	e->chain = *at;
	*at = e;
	order_front(n, e);
	n->n++;
	return e;
}

static const struct nss_entry *
look_up(struct nss *n, struct job *j, struct span name, uid_t uid)
{
	struct nss_entry *e = entry_get(n, name, uid);

	if (e == NULL)
		return &failed;
	if (e->state != NSS_ASKED && clock_boot_ms() < e->until_ms)
		return e;
	if (job_given_up(j))
		return &failed;
	if (e->state != NSS_ASKED) {
		if (!n->ask(n->arg, e))
			return &failed;
		e->state = NSS_ASKED;
	}
	if ((e->nwaiting & (e->nwaiting - 1)) == 0) /* grows by doubling */
		e->waiting = xreallocarray(e->waiting,
		    e->nwaiting == 0 ? 1 : e->nwaiting * 2,
		    sizeof(struct job *));
	e->waiting[e->nwaiting++] = j;
	j->waits++;
	return NULL;
}

/* Names as useradd makes them, and a little more; never what NSS modules read
 * as a pattern or a path. */
static bool
name_ok(struct span name)
{
	size_t i;

	if (name.len == 0 || name.len > NSS_NAME_MAX ||
	    strchr("-+.", *name.p) != NULL)
		return false;
	for (i = 0; i < name.len; i++) {
		char c = ascii_lower(name.p[i]);

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    (c == '\0' || strchr("._-", c) == NULL))
			return false;
	}
	return true;
}

const struct nss_entry *
nss_name(struct nss *n, struct job *j, struct span name)
{
	return name_ok(name) ? look_up(n, j, name, 0) : &absent;
}

const struct nss_entry *
nss_uid(struct nss *n, struct job *j, uid_t uid)
{
	return look_up(n, j, span_make(NULL, 0), uid);
}

void
nss_answer(struct nss *n, struct nss_entry *e, const struct nss_facts *f)
{
	struct job **waiting = e->waiting;
	size_t i, count = e->nwaiting;
	int64_t keep_s = NSS_FAILED_S;

	entry_forget_facts(e);
	e->state = f->state;
	if (f->state == NSS_FOUND) {
		keep_s = NSS_FOUND_S;
		e->account = span_dup(f->account);
		e->home = span_dup(f->home);
		e->gecos = span_dup(f->gecos);
		e->uid = f->uid;
		e->gid = f->gid;
	} else if (f->state == NSS_ABSENT) {
		keep_s = NSS_ABSENT_S;
	}
	e->until_ms = clock_boot_ms() + keep_s * 1000;
	/* Jobs that run may ask anew, for this very entry too. */
	e->waiting = NULL;
	e->nwaiting = 0;
	for (i = 0; i < count; i++)
		job_answer(n->jobs, waiting[i]);
	x_free(&waiting);
}
