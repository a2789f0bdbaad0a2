/*
 * resolver/route.c - where a letter for a domain goes: its MX records, or the
 * domain itself (RFC 5321 section 5.1), then every address of each host, put in
 * the order in which relay tries them.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "resolver/dane.h"
#include "resolver/mx.h"
#include "resolver/punycode.h"
#include "resolver/resolver.h"

#define ROUTE_TEXT_MAX 400

struct route;

struct route_host {
	struct route *route;
	struct mx_host mx;
	struct dns_query *q4, *q6;
	struct dane dane;
	bool temp;               /* a question about it failed for now */
	bool secure;             /* DNSSEC proved an address of it */
	char canon[DNS_NAME_TEXT + 1]; /* where that was found */
	struct mx_addr *addrs;   /* IPv6 and IPv4 as they came */
	size_t naddrs;
};

struct route {
	struct asker asker;
	uint8_t flags;           /* ROUTE_F_ */
	uint16_t port;
	char domain[DNS_NAME_TEXT + 1];
	struct dns_query *mx_query;
	bool secure;             /* the MX set, or the absence of one */
	bool refused;            /* an address was loopback or unspecified */
	struct route_host hosts[MX_HOSTS_MAX];
	size_t nhosts, waiting;
	struct timer deadline;
};

static void
route_free(struct asker *asker)
{
	struct route *ro = (struct route *)asker;
	size_t i;

	dns_cancel(ro->mx_query);
	for (i = 0; i < ro->nhosts; i++) {
		dns_cancel(ro->hosts[i].q4);
		dns_cancel(ro->hosts[i].q6);
		dane_clear(&ro->hosts[i].dane);
		x_free(&ro->hosts[i].addrs);
	}
	timer_stop(&ro->deadline);
	asker_end(asker);
	free(ro);
}

static void
head_write(struct ipc_writer *w, int status, bool secure, const char *text)
{
	struct span t = span_str(text);

	if (t.len > ROUTE_TEXT_MAX)
		t.len = ROUTE_TEXT_MAX;
	ipc_put_u8(w, (uint8_t)status);
	ipc_put_u8(w, secure);
	ipc_put_span(w, t);
}

static void
failure_write(struct ipc_writer *w, int status, bool secure, const char *text)
{
	head_write(w, status, secure, text);
	ipc_put_u8(w, 0);
	ipc_put_u16(w, 0);
	ipc_end(w);
}

static void
host_write(struct ipc_writer *w, const struct route_host *h)
{
	ipc_put_str(w, h->mx.name);
	ipc_put_u16(w, h->mx.preference);
	ipc_put_u8(w, h->dane.state);
	ipc_put_str(w, h->dane.base);
	ipc_put_u8(w, h->dane.n);
	ipc_put_octets(w, buf_span(&h->dane.records));
}

static void
route_write(struct ipc_writer *w, const struct route *ro,
    const struct mx_addr *addrs, size_t n)
{
	size_t i;

	head_write(w, DNS_OK, ro->secure, "");
	ipc_put_u8(w, (uint8_t)ro->nhosts);
	for (i = 0; i < ro->nhosts; i++)
		host_write(w, &ro->hosts[i]);
	ipc_put_u16(w, (uint16_t)n);
	for (i = 0; i < n; i++) {
		ipc_put_u8(w, addrs[i].host);
		ipc_put_u8(w, addrs[i].secure);
		ipc_put_u8(w, addrs[i].family);
		ipc_put_octets(w, span_make(addrs[i].addr,
		    addrs[i].family == 6 ? 16 : 4));
	}
	ipc_end(w);
}

static void
route_fail(struct route *ro, int status, const char *text)
{
	struct ipc_writer w = asker_reply(&ro->asker, IPC_ROUTE_ANSWER);
	struct buf b = BUF_INIT(ROUTE_TEXT_MAX);

	buf_addf(&b, "%s: ", ro->domain);
	if (strlen(text) < b.max - b.len)
		buf_add_str(&b, text);
	failure_write(&w, status, ro->secure, buf_str(&b));
	buf_clear(&b);
	ro->asker.r->failed++;
	route_free(&ro->asker);
}

/* DANE is for hosts that a proved answer named, or the admin himself (RFC 7672
 * sections 2.2.1 and 2.2.3). */
static bool
wants_dane(const struct route *ro)
{
	return (ro->flags & ROUTE_F_DANE) &&
	    (ro->secure || (ro->flags & ROUTE_F_HOST));
}

/* Every host has been asked for, or the time is up. */
static void
route_finish(struct route *ro)
{
	struct mx_addr all[MX_ADDRS_MAX];
	struct route_host *h;
	struct ipc_writer w;
	bool temp = false;
	size_t n = 0, i, j;

	for (i = 0; i < ro->nhosts; i++) {
		h = &ro->hosts[i];
		temp = temp || h->temp || h->q4 != NULL || h->q6 != NULL;
		if ((h->q4 != NULL || h->q6 != NULL) && wants_dane(ro))
			h->dane.state = DANE_WAIT; /* was not asked yet */
		for (j = 0; j < h->naddrs && n < MX_ADDRS_MAX; j++)
			all[n++] = h->addrs[j];
	}
	if (n == 0 && temp) {
		route_fail(ro, DNS_TEMP, "no address of its mail hosts could "
		    "be found for now");
	} else if (n == 0 && ro->refused) {
		route_fail(ro, DNS_LOOP, "its mail hosts have addresses of "
		    "this very machine only");
	} else if (n == 0) {
		route_fail(ro, DNS_NODATA, "none of its mail hosts has an "
		    "address");
	} else {
		mx_interleave(all, n);
		w = asker_reply(&ro->asker, IPC_ROUTE_ANSWER);
		route_write(&w, ro, all, n);
		route_free(&ro->asker);
	}
}

static void
on_deadline(void *arg)
{
	struct route *ro = arg;

	if (ro->nhosts == 0)
		route_fail(ro, DNS_TEMP, "the DNS did not answer in time");
	else
		route_finish(ro);
}

static void
host_addr(struct route_host *h, uint8_t family, const struct dns_answer *dns)
{
	struct route *ro = h->route;
	size_t len = family == 6 ? 16 : 4, i;
	struct mx_addr *a;

	h->addrs = xreallocarray(h->addrs, h->naddrs + dns->n + 1,
	    sizeof(*h->addrs));
	for (i = 0; i < dns->n && h->naddrs < MX_ADDRS_MAX; i++) {
		if ((size_t)dns->len[i] != len)
			continue;
		a = &h->addrs[h->naddrs];
		memset(a, 0, sizeof(*a));
		a->host = (uint8_t)(h - ro->hosts);
		a->preference = h->mx.preference;
		a->secure = dns->secure;
		a->family = family;
		memcpy(a->addr, dns->data[i], len);
		if ((ro->flags & ROUTE_F_MX) && mx_addr_refused(a,
		    ro->asker.r->daemon.conf->allow_loopback))
			ro->refused = true;
		else
			h->naddrs++;
	}
	if (dns->secure || !h->secure)
		span_copy(span_str(dns->name), h->canon, sizeof(h->canon));
	h->secure = h->secure || dns->secure;
}

static void
host_done(void *arg)
{
	struct route_host *h = arg;

	if (--h->route->waiting == 0)
		route_finish(h->route);
}

/* Its addresses are known: false when there is nothing to ask. */
static bool
host_dane(struct route_host *h)
{
	struct route *ro = h->route;

	return wants_dane(ro) && h->naddrs > 0 && dane_ask(&h->dane,
	    &ro->asker.r->dns, h->mx.name, h->canon, h->secure, ro->port,
	    host_done, h);
}

static void
host_answer(struct route_host *h, uint8_t family, const struct dns_answer *dns)
{
	if (dns->status == DNS_OK)
		host_addr(h, family, dns);
	else if (dns->status == DNS_TEMP || dns->status == DNS_BOGUS)
		h->temp = true;
	if (h->q4 == NULL && h->q6 == NULL && !host_dane(h))
		host_done(h);
}

static void
on_a(void *arg, const struct dns_answer *dns)
{
	struct route_host *h = arg;

	h->q4 = NULL;
	host_answer(h, 4, dns);
}

static void
on_aaaa(void *arg, const struct dns_answer *dns)
{
	struct route_host *h = arg;

	h->q6 = NULL;
	host_answer(h, 6, dns);
}

/* hosts: sorted; at least one. */
static void
route_hosts(struct route *ro, const struct mx_host *hosts, size_t n)
{
	struct dns *dns = &ro->asker.r->dns;
	struct route_host *h;

	if (n > MX_HOSTS_MAX)
		n = MX_HOSTS_MAX;
	for (ro->nhosts = 0; ro->nhosts < n; ro->nhosts++) {
		h = &ro->hosts[ro->nhosts];
		h->route = ro;
		h->mx = hosts[ro->nhosts];
		ro->waiting++;
		h->q4 = dns_ask(dns, h->mx.name, RR_A, on_a, h);
		if (ro->flags & ROUTE_F_NO_IPV6)
			continue;
		h->q6 = dns_ask(dns, h->mx.name, RR_AAAA, on_aaaa, h);
	}
}

/* The domain itself: no MX there, or a host was asked for. */
static void
route_self(struct route *ro)
{
	struct mx_host self = { .preference = 0 };
	struct span name = span_str(ro->domain);

	if (name.p[name.len - 1] == '.')
		name.len--;
	span_copy(name, self.name, sizeof(self.name));
	if ((ro->flags & ROUTE_F_MX) && mx_cut_ours(&self, 1,
	    ro->asker.r->daemon.conf->host) == 0)
		route_fail(ro, DNS_LOOP, "this domain is this very host");
	else
		route_hosts(ro, &self, 1);
}

static void
route_mx(struct route *ro, const struct dns_answer *dns)
{
	struct mx_host *hosts = xcalloc(dns->n + 1, sizeof(*hosts));
	size_t n = 0, nulls = 0, left, i;

	for (i = 0; i < dns->n; i++) {
		if (rdata_mx(span_make(dns->data[i], (size_t)dns->len[i]),
		    &hosts[n].preference, hosts[n].name) == -1 ||
		    mx_is_address(hosts[n].name))
			continue;
		if (strcmp(hosts[n].name, ".") == 0)
			nulls++;
		else
			n++;
	}
	mx_sort(hosts, n);
	left = mx_cut_ours(hosts, n, ro->asker.r->daemon.conf->host);
	if (n == 0 && nulls > 0)
		route_fail(ro, DNS_NULLMX, "this domain takes no mail "
		    "(RFC 7505)");
	else if (n == 0)
		route_fail(ro, DNS_NODATA, "none of its MX records names a "
		    "host");
	else if (left == 0)
		route_fail(ro, DNS_LOOP, "its best MX is this very host");
	else
		route_hosts(ro, hosts, left);
	free(hosts);
}

static void
on_mx(void *arg, const struct dns_answer *dns)
{
	struct route *ro = arg;

	ro->mx_query = NULL;
	ro->secure = dns->secure;
	if (dns->status == DNS_OK)
		route_mx(ro, dns);
	else if (dns->status == DNS_NODATA)
		route_self(ro); /* RFC 5321 section 5.1: the implicit MX */
	else
		route_fail(ro, dns->status, dns->text);
}

static void
refuse_now(struct ipc_msg *m, int status, const char *text)
{
	struct ipc_writer w = ipc_reply_begin(m->ch, m, IPC_ROUTE_ANSWER);

	failure_write(&w, status, false, text);
}

int
route_start(struct resolver *r, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);
	uint8_t flags = ipc_get_u8(&rd);
	uint16_t port = ipc_get_u16(&rd);
	struct span name = ipc_get_span(&rd, IPC_PATH_MAX);
	char ascii[DNS_NAME_TEXT + 1];
	struct route *ro;

	if (!ipc_at_end(&rd) || port == 0 ||
	    !(flags & ROUTE_F_MX) == !(flags & ROUTE_F_HOST))
		return -1;
	if (punycode_domain(name, ascii) == -1 ||
	    !dns_name_ok(span_str(ascii))) {
		refuse_now(m, DNS_NXDOMAIN, "not a name of the DNS");
		return 0;
	}
	ro = xcalloc(1, sizeof(*ro));
	if (!asker_begin(&ro->asker, r, m, route_free)) {
		free(ro);
		refuse_now(m, DNS_TEMP, "too many questions at once");
		return 0;
	}
	ro->flags = flags;
	ro->port = port;
	memcpy(ro->domain, ascii, sizeof(ro->domain));
	timer_init(&ro->deadline, &r->daemon.loop, on_deadline, ro);
	timer_set_ms(&ro->deadline, ROUTE_MS);
	if (flags & ROUTE_F_MX)
		ro->mx_query = dns_ask(&r->dns, ro->domain, RR_MX, on_mx, ro);
	else
		route_self(ro);
	return 0;
}
