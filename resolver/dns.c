/*
 * resolver/dns.c - questions on their way: started, followed along CNAMEs,
 * ended by an answer, by their deadline or by whoever asked. How the context
 * is set up is context.c's business.
 */
#include "resolver/dns.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unbound.h>

#include "lib/log.h"
#include "lib/mem.h"

#define CLASS_IN 1

struct dns_query {
	struct dns *dns;
	char name[DNS_NAME_TEXT + 1]; /* a last dot may be there */
	uint16_t type;
	bool running;            /* libunbound has it under id */
	int id;
	unsigned hops;
	bool secure;             /* every link of the chain so far */
	bool marked_secure;      /* by the test's records */
	struct timer deadline;
	struct timer soon;       /* an answer that needs no question */
	struct dns_answer now;
	void (*fn)(void *, const struct dns_answer *);
	void *arg;
};

static void query_run(struct dns_query *q);

static void
query_free(struct dns_query *q)
{
	timer_stop(&q->deadline);
	timer_stop(&q->soon);
	if (q->running)
		ub_cancel(q->dns->ctx, q->id);
	free(q);
}

static void
query_end(struct dns_query *q, const struct dns_answer *a)
{
	q->fn(q->arg, a);
	query_free(q);
}

/* The answer is known, but nobody is to be called from within his question. */
static void
query_end_soon(struct dns_query *q, int status, const char *text)
{
	q->now = (struct dns_answer){ .status = status, .text = text };
	timer_set_ms(&q->soon, 0);
}

static void
on_soon(void *arg)
{
	struct dns_query *q = arg;

	query_end(q, &q->now);
}

static void
on_deadline(void *arg)
{
	struct dns_query *q = arg;
	struct dns_answer a = { .status = DNS_TEMP,
		.text = "the DNS did not answer in time" };

	query_end(q, &a);
}

/* Local data does not follow its CNAMEs, and a chain may end in nothing: where
 * libunbound names another name without data, that one is asked. */
static bool
query_follow(struct dns_query *q, const struct ub_result *r)
{
	struct span to;

	if (r->havedata || r->nxdomain || r->rcode != 0 || r->bogus ||
	    r->canonname == NULL || q->type == RR_CNAME)
		return false;
	to = span_str(r->canonname);
	if (strcasecmp(r->canonname, r->qname) == 0 || !dns_name_ok(to) ||
	    span_copy(to, q->name, sizeof(q->name)) == -1)
		return false;
	if (++q->hops > DNS_CNAMES_MAX) {
		query_end_soon(q, DNS_TEMP, "too many CNAMEs in a row");
		return true;
	}
	q->secure = q->secure && (r->secure || q->marked_secure);
	query_run(q);
	return true;
}

/* A forwarder that does not recurse: nothing has been learnt. */
static bool
is_referral(const struct ub_result *r)
{
	return r->answer_len > 0 && packet_is_referral(
	    span_make(r->answer_packet, (size_t)r->answer_len));
}

static struct dns_answer
answer_of(const struct dns_query *q, const struct ub_result *r)
{
	struct dns_answer a = { .text = "" };

	/* The status first: bogus data arrives with rcode 0 and all of it. */
	a.secure = (r->secure || q->marked_secure) && q->secure;
	if (r->bogus) {
		a.status = DNS_BOGUS;
		a.secure = false;
		a.text = r->why_bogus != NULL ? r->why_bogus :
		    "DNSSEC validation failed";
	} else if (r->nxdomain) {
		a.status = DNS_NXDOMAIN;
		a.text = "the name does not exist";
	} else if (r->rcode != 0) {
		a.status = DNS_TEMP;
		a.text = "the name servers failed";
	} else if (!r->havedata && is_referral(r)) {
		a.status = DNS_TEMP;
		a.text = "the name server only names others";
	} else if (!r->havedata) {
		a.status = DNS_NODATA;
		a.text = "the name has no such record";
	} else {
		a.status = DNS_OK;
		a.name = r->canonname != NULL ? r->canonname : q->name;
		a.data = r->data;
		a.len = r->len;
		while (r->data[a.n] != NULL)
			a.n++;
	}
	return a;
}

static void
on_result(void *arg, int err, struct ub_result *r)
{
	struct dns_query *q = arg;
	struct dns_answer a;

	q->running = false;
	if (err != 0 || r == NULL) {
		a = (struct dns_answer){ .status = DNS_TEMP,
			.text = ub_strerror(err) };
		query_end(q, &a);
		ub_resolve_free(r);
		return;
	}
	if (!query_follow(q, r)) {
		a = answer_of(q, r);
		query_end(q, &a);
	}
	ub_resolve_free(r);
}

static bool
query_special(struct dns_query *q)
{
	bool secure;

	switch (records_find(&q->dns->records, q->name, q->type, &secure)) {
	case SPECIAL_NXDOMAIN:
		query_end_soon(q, DNS_NXDOMAIN, "the name does not exist");
		return true;
	case SPECIAL_SERVFAIL:
		query_end_soon(q, DNS_TEMP, "the name servers failed");
		return true;
	case SPECIAL_BOGUS:
		query_end_soon(q, DNS_BOGUS, "DNSSEC validation failed");
		return true;
	case SPECIAL_TIMEOUT:
		return true; /* until its deadline */
	case SPECIAL_NONE:
	case SPECIAL_SECURE:
		break;
	}
	q->marked_secure = secure;
	return false;
}

static void
query_run(struct dns_query *q)
{
	int err;

	if (query_special(q))
		return;
	err = ub_resolve_async(q->dns->ctx, q->name, q->type, CLASS_IN, q,
	    on_result, &q->id);
	if (err != 0)
		query_end_soon(q, DNS_TEMP, ub_strerror(err));
	else
		q->running = true;
}

struct dns_query *
dns_ask(struct dns *d, const char *name, uint16_t type,
    void (*fn)(void *, const struct dns_answer *), void *arg)
{
	struct dns_query *q = xcalloc(1, sizeof(*q));

	q->dns = d;
	q->type = type;
	q->secure = true;
	q->fn = fn;
	q->arg = arg;
	timer_init(&q->deadline, d->loop, on_deadline, q);
	timer_init(&q->soon, d->loop, on_soon, q);
	timer_set_ms(&q->deadline, d->query_ms);
	if (span_copy(span_str(name), q->name, sizeof(q->name)) == -1)
		query_end_soon(q, DNS_NXDOMAIN, "the name is too long");
	else
		query_run(q);
	return q;
}

void
dns_cancel(struct dns_query *q)
{
	if (q != NULL)
		query_free(q);
}

static void
on_readable(void *arg, unsigned what)
{
	struct dns *d = arg;
	int err;

	(void)what;
	if ((err = ub_process(d->ctx)) != 0)
		fatalx("libunbound: %s", ub_strerror(err));
}

void
dns_start(struct dns *d, struct loop *loop)
{
	d->loop = loop;
	watch_init(&d->watch, loop, ub_fd(d->ctx), on_readable, d);
	watch_set(&d->watch, LOOP_READ);
}
