/*
 * resolver/dane.c - asks for TLSA records at the end of a host's CNAMEs, then
 * at its own name, and judges them. What cannot be had or was forged makes the
 * host wait: to take that for "none" would be what an attacker is after.
 */
#include "resolver/dane.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { USAGE_DANE_TA = 2, USAGE_DANE_EE = 3 };
enum { MATCH_FULL, MATCH_SHA256, MATCH_SHA512 };

bool
tlsa_usable(struct span rdata)
{
	size_t data;

	if (rdata.len < 4)
		return false;
	data = rdata.len - 3;
	if ((rdata.p[0] != USAGE_DANE_TA && rdata.p[0] != USAGE_DANE_EE) ||
	    (rdata.p[1] != 0 && rdata.p[1] != 1))
		return false;
	return rdata.p[2] == MATCH_FULL ||
	    (rdata.p[2] == MATCH_SHA256 && data == 32) ||
	    (rdata.p[2] == MATCH_SHA512 && data == 64);
}

static void
end(struct dane *d, uint8_t state)
{
	d->state = state;
	d->done(d->arg);
}

/* There are records. A usable one that had no room keeps its host from being
 * one of "none usable", which anybody could then be. */
static void
judge(struct dane *d, const struct dns_answer *a)
{
	struct span one;
	bool usable = false;
	size_t i;

	for (i = 0; i < a->n; i++) {
		one = span_make(a->data[i], (size_t)a->len[i]);
		if (!tlsa_usable(one))
			continue;
		usable = true;
		if (one.len + 4 > d->records.max - d->records.len ||
		    d->n == UINT8_MAX)
			continue;
		buf_add_u32(&d->records, (uint32_t)one.len);
		buf_add_span(&d->records, one);
		d->n++;
	}
	end(d, d->n > 0 ? DANE_USABLE : usable ? DANE_WAIT : DANE_UNUSABLE);
}

static void on_tlsa(void *arg, const struct dns_answer *a);

/* A name that is too long for its prefix has no such record. */
static bool
ask_tlsa(struct dane *d, const char *base)
{
	char name[DNS_NAME_TEXT + 20];

	snprintf(name, sizeof(name), "_%u._tcp.%s", d->port, base);
	if (!dns_name_ok(span_str(name)))
		return false;
	span_copy(span_str(base), d->base, sizeof(d->base));
	d->query = dns_ask(d->dns, name, RR_TLSA, on_tlsa, d);
	return true;
}

static void
on_tlsa(void *arg, const struct dns_answer *a)
{
	struct dane *d = arg;

	d->query = NULL;
	if (a->status == DNS_BOGUS || a->status == DNS_TEMP)
		end(d, DANE_WAIT);
	else if (a->status == DNS_OK && a->secure)
		judge(d, a);
	else if (strcasecmp(d->base, d->host) == 0 || !ask_tlsa(d, d->host))
		end(d, DANE_NONE);
}

/* Its addresses lie in a zone that is not signed: is its own name in one? */
static void
on_cname(void *arg, const struct dns_answer *a)
{
	struct dane *d = arg;

	d->query = NULL;
	if (a->status == DNS_BOGUS || a->status == DNS_TEMP)
		end(d, DANE_WAIT);
	else if (a->status != DNS_OK || !a->secure || !ask_tlsa(d, d->host))
		end(d, DANE_NONE);
}

bool
dane_ask(struct dane *d, struct dns *dns, const char *host, const char *canon,
    bool secure, uint16_t port, void (*done)(void *arg), void *arg)
{
	struct span name = span_str(canon);
	bool alias;

	if (name.len > 0 && name.p[name.len - 1] == '.')
		name.len--;
	alias = !span_caseeq(name, host) &&
	    span_copy(name, d->canon, sizeof(d->canon)) == 0;
	buf_init(&d->records, DANE_OCTETS_MAX);
	d->dns = dns;
	d->host = host;
	d->port = port;
	d->done = done;
	d->arg = arg;
	d->state = DANE_WAIT;
	if (!secure && alias) {
		d->query = dns_ask(dns, host, RR_CNAME, on_cname, d);
		return true;
	}
	if (secure && ((alias && ask_tlsa(d, d->canon)) ||
	    ask_tlsa(d, host)))
		return true;
	d->state = DANE_NONE;
	return false;
}

void
dane_clear(struct dane *d)
{
	dns_cancel(d->query);
	d->query = NULL;
	buf_clear(&d->records);
}
