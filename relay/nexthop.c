/*
 * relay/nexthop.c - from "where to" to a list of addresses: asks the resolver,
 * reads literals, has master connect Unix sockets; and sees to it that mail is
 * never sent to this very machine (RFC 5321 section 5.1, 5.4.6).
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/mem.h"
#include "relay/relay.h"

#define SMTP_PORT  25
#define ROUTE_MS   45000 /* the resolver's own limit is 30 s */
#define CONNECT_MS 30000 /* of a Unix socket, by master */

static void
key_set(struct nexthop *h)
{
	static const char *const kinds[] = { [VIA_MX] = "mx",
		[VIA_SMARTHOST] = "host", [VIA_LMTP] = "lmtp",
		[VIA_REFUSE] = "refuse" };
	static const char *const wishes[] = { [TLS_OUT_MAY] = "may",
		[TLS_OUT_REQUIRED] = "required", [TLS_OUT_VERIFIED] =
		"verified", [TLS_OUT_NO] = "no" };
	char *p;

	for (p = h->host; *p != '\0'; p++)
		*p = ascii_lower(*p);
	snprintf(h->key, sizeof(h->key), "%s %s%s:%u%s tls %s%s %s",
	    kinds[h->via], h->path, h->host, h->port, h->ipv6 ? "" : " ipv4",
	    wishes[h->tls], h->dane ? " dane" : "", h->certificate);
}

void
nexthop_set(struct nexthop *h, const struct conf *c, uint32_t route,
    const char *target)
{
	const struct conf_route *r = route < c->nroutes ? &c->routes[route] :
	    NULL;

	memset(h, 0, sizeof(*h));
	h->via = VIA_MX;
	h->port = c->mx_port != 0 ? c->mx_port : SMTP_PORT;
	h->ipv6 = true;
	h->connections = c->relay.connections;
	if (r != NULL) {
		h->via = r->via;
		h->ipv6 = r->ipv6;
		if (r->connections != 0)
			h->connections = r->connections;
		if (r->text != NULL)
			span_copy(span_str(r->text), h->refusal,
			    sizeof(h->refusal));
		if (r->path != NULL)
			span_copy(span_str(r->path), h->path, sizeof(h->path));
		h->tls = r->tls;
		if (r->certificate != NULL)
			span_copy(span_str(r->certificate), h->certificate,
			    sizeof(h->certificate));
	}
	h->dane = (h->via == VIA_MX || h->via == VIA_SMARTHOST) &&
	    h->tls != TLS_OUT_NO && (r == NULL || !r->no_dane);
	if (r != NULL && r->port != 0)
		h->port = r->port;
	if (h->path[0] == '\0')
		span_copy(span_str(h->via == VIA_MX || r->host == NULL ?
		    target : r->host), h->host, sizeof(h->host));
	key_set(h);
}

/* -- ourselves -------------------------------------------------------------*/

static bool
can_bind(const struct sockaddr_storage *ss, socklen_t len)
{
	struct sockaddr_storage any = *ss;
	int fd = socket(ss->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), rv;

	if (fd == -1)
		return false;
	if (any.ss_family == AF_INET6)
		((struct sockaddr_in6 *)&any)->sin6_port = 0;
	else
		((struct sockaddr_in *)&any)->sin_port = 0;
	rv = bind(fd, (const struct sockaddr *)&any, len);
	close(fd);
	return rv == 0;
}

/* An address of documentation is nobody's: where it can be bound, everything
 * can (ip_nonlocal_bind), and binding proves nothing. */
static bool
bind_tells(sa_family_t family)
{
	struct sockaddr_storage ss = { .ss_family = family };
	struct sockaddr_in *four = (struct sockaddr_in *)&ss;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&ss;

	if (family == AF_INET) {
		four->sin_addr.s_addr = htonl(0xc0000201); /* 192.0.2.1 */
		return !can_bind(&ss, sizeof(*four));
	}
	memcpy(six->sin6_addr.s6_addr, "\x20\x01\x0d\xb8", 4);
	return !can_bind(&ss, sizeof(*six));
}

/* 0.0.0.0 and :: are whoever asks, and never an address to go to. */
static bool
is_unspecified(const struct address *a)
{
	struct in6_addr in6 = addr_in6(&a->ss);

	return IN6_IS_ADDR_UNSPECIFIED(&in6) ||
	    (IN6_IS_ADDR_V4MAPPED(&in6) && in6.s6_addr[12] == 0);
}

static bool
is_ours(const struct address *a)
{
	struct in6_addr in6 = addr_in6(&a->ss);

	if (IN6_IS_ADDR_LOOPBACK(&in6) ||
	    (IN6_IS_ADDR_V4MAPPED(&in6) && in6.s6_addr[12] == 127))
		return true;
	return bind_tells(a->ss.ss_family) && can_bind(&a->ss, a->len);
}

static unsigned
preference(const struct session *s, size_t i)
{
	return s->hosts[s->addrs[i].host].preference;
}

/*
 * RFC 5321 section 5.1: hosts that are no better than ourselves are left out. A
 * smarthost or LMTP host on this machine is the admin's own wish, unless it
 * is the very port where strangers' mail comes in.
 */
static void
drop_ours(struct session *s)
{
	const struct conf *c = s->relay->daemon.conf;
	bool may = c->allow_loopback || s->hop.via == VIA_LMTP ||
	    s->hop.port != SMTP_PORT;
	unsigned cut = UINT16_MAX + 1u;
	size_t i, n = 0;

	for (i = 0; i < s->naddrs && !may; i++)
		if (preference(s, i) < cut && is_ours(&s->addrs[i]))
			cut = preference(s, i);
	for (i = 0; i < s->naddrs; i++)
		if (preference(s, i) < cut && !is_unspecified(&s->addrs[i]))
			s->addrs[n++] = s->addrs[i];
	s->naddrs = n;
}

/* -- addresses -------------------------------------------------------------*/

/* The n records behind the head of a host; they live as long as the session. */
static int
tlsa_read(struct mailhost *h, size_t n, struct ipc_reader *rd)
{
	size_t len = 0, i;
	struct span one;

	h->tlsa = xcalloc(n + 1, sizeof(*h->tlsa));
	h->octets = xmalloc(NEXTHOP_TLSA_MAX);
	for (i = 0; i < n; i++) {
		one = ipc_get_span(rd, NEXTHOP_TLSA_MAX);
		if (!ipc_ok(rd) || one.len > NEXTHOP_TLSA_MAX - len)
			return -1;
		memcpy(h->octets + len, one.p, one.len);
		h->tlsa[h->ntlsa++] = span_make(h->octets + len, one.len);
		len += one.len;
	}
	return 0;
}

static int
host_read(struct mailhost *h, struct ipc_reader *rd)
{
	struct span name = ipc_get_span(rd, 255), base;
	size_t n;

	h->preference = ipc_get_u16(rd);
	h->dane = ipc_get_u8(rd);
	base = ipc_get_span(rd, 255);
	n = ipc_get_u8(rd);
	if (!ipc_ok(rd) || h->dane > DANE_WAIT ||
	    (h->dane == DANE_USABLE) != (n > 0) ||
	    span_copy(name, h->name, sizeof(h->name)) == -1 ||
	    span_copy(base, h->base, sizeof(h->base)) == -1)
		return -1;
	return n > 0 ? tlsa_read(h, n, rd) : 0;
}

/* in6: v4 as ::ffff:a.b.c.d */
static void
addr_add(struct session *s, uint8_t host, const struct in6_addr *in6)
{
	struct address *a = &s->addrs[s->naddrs];
	struct sockaddr_in *four = (struct sockaddr_in *)&a->ss;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&a->ss;

	if (s->naddrs == NEXTHOP_ADDRS_MAX)
		return;
	memset(a, 0, sizeof(*a));
	a->host = host;
	if (IN6_IS_ADDR_V4MAPPED(in6)) {
		four->sin_family = AF_INET;
		four->sin_port = htons(s->hop.port);
		memcpy(&four->sin_addr, in6->s6_addr + 12, 4);
		a->len = sizeof(*four);
	} else {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons(s->hop.port);
		six->sin6_addr = *in6;
		a->len = sizeof(*six);
	}
	s->naddrs++;
}

static void
addrs_ready(struct session *s)
{
	drop_ours(s);
	if (s->naddrs == 0) {
		session_give_up(s, s->hop.via == VIA_MX ? OUTCOME_FAILED :
		    OUTCOME_DEFERRED, s->hop.via == VIA_MX ? "5.4.6" : "4.4.6",
		    "mail for this destination would come back to this host");
		return;
	}
	dead_sort(s->relay, s->addrs, s->naddrs);
	session_connect(s);
}

static const struct { uint8_t outcome; const char *enhanced; } failures[] = {
	[DNS_NXDOMAIN] = { OUTCOME_FAILED, "5.1.2" },
	[DNS_NODATA]   = { OUTCOME_FAILED, "5.4.4" },
	[DNS_TEMP]     = { OUTCOME_DEFERRED, "4.4.3" },
	[DNS_BOGUS]    = { OUTCOME_DEFERRED, "4.4.3" },
	[DNS_NULLMX]   = { OUTCOME_FAILED, "5.1.10" }, /* RFC 7505 4.1 */
	[DNS_LOOP]     = { OUTCOME_FAILED, "5.4.6" },
};

/* A domain may fail for good; a next hop that the admin named is only away. */
static void
route_failed(struct session *s, unsigned status, struct span why)
{
	char text[IPC_TEXT_MAX];

	if (why.len > 500)
		why.len = 500;
	if (span_caseprefix(why, s->hop.host)) /* the resolver named it */
		snprintf(text, sizeof(text), "%.*s", SPAN_ARG(why));
	else
		snprintf(text, sizeof(text), "%s: %.*s", s->hop.host,
		    SPAN_ARG(why));
	if (status >= nitems(failures) || failures[status].enhanced == NULL)
		status = DNS_TEMP;
	if (s->hop.via == VIA_MX)
		session_give_up(s, failures[status].outcome,
		    failures[status].enhanced, text);
	else
		session_give_up(s, OUTCOME_DEFERRED, "4.4.3", text);
}

static int
route_read(struct session *s, struct ipc_reader *rd)
{
	struct in6_addr in6;
	struct span octets;
	uint16_t n = ipc_get_u8(rd);
	uint8_t family, host;

	if (!ipc_ok(rd) || n > NEXTHOP_HOSTS_MAX)
		return -1;
	for (; n > 0; n--)
		if (host_read(&s->hosts[s->nhosts++], rd) == -1)
			return -1;
	for (n = ipc_get_u16(rd); n > 0 && ipc_ok(rd); n--) {
		host = ipc_get_u8(rd);
		ipc_get_u8(rd);
		family = ipc_get_u8(rd);
		octets = ipc_get_octets(rd, family == 6 ? 16 : 4);
		if (!ipc_ok(rd) || host >= s->nhosts)
			return -1;
		memset(&in6, 0, sizeof(in6));
		in6.s6_addr[10] = in6.s6_addr[11] = 0xff;
		memcpy(in6.s6_addr + (family == 6 ? 0 : 12), octets.p,
		    octets.len);
		addr_add(s, host, &in6);
	}
	return ipc_at_end(rd) ? 0 : -1;
}

static int
on_route(void *arg, struct ipc_msg *m)
{
	struct session *s = arg;
	struct ipc_reader rd;
	unsigned status;
	struct span text;

	s->request = 0;
	if (m == NULL) {
		route_failed(s, DNS_TEMP, span_str("no answer from the "
		    "resolver"));
		return 0;
	}
	rd = ipc_reader(m);
	status = ipc_get_u8(&rd);
	ipc_get_u8(&rd);
	text = ipc_get_span(&rd, IPC_TEXT_MAX);
	if (route_read(s, &rd) == -1) {
		route_failed(s, DNS_TEMP, span_str("no sense in the "
		    "resolver's answer"));
		return -1;
	}
	if (status != DNS_OK)
		route_failed(s, status, text);
	else
		addrs_ready(s);
	return 0;
}

static int
on_unix(void *arg, struct ipc_msg *m)
{
	struct session *s = arg;
	char text[IPC_TEXT_MAX];
	struct ipc_reader rd;
	struct span why = span_str("no answer from master");
	bool ok = false;

	s->request = 0;
	if (m != NULL) {
		rd = ipc_reader(m);
		ok = ipc_get_u8(&rd) != 0;
		why = ipc_get_span(&rd, 500);
		if (!ipc_at_end(&rd))
			ok = false;
	}
	if (ok && m->fd != -1) {
		session_connected_fd(s, ipc_take_fd(m));
		return 0;
	}
	snprintf(text, sizeof(text), "connect to %s: %.*s", s->hop.path,
	    SPAN_ARG(why));
	session_give_up(s, OUTCOME_DEFERRED, "4.4.1", text);
	return 0;
}

static void
ask_route(struct session *s)
{
	unsigned flags = s->hop.via == VIA_MX ? ROUTE_F_MX : ROUTE_F_HOST;
	struct ipc_writer w;

	if (!s->hop.ipv6)
		flags |= ROUTE_F_NO_IPV6;
	if (s->hop.dane)
		flags |= ROUTE_F_DANE;
	s->asked = daemon_peer(&s->relay->daemon, ROLE_RESOLVER, 0);
	s->request = channel_request(s->asked, ROUTE_MS, on_route, s);
	w = ipc_begin(s->asked, IPC_ROUTE_ASK, s->request, 0);
	ipc_put_u8(&w, (uint8_t)flags);
	ipc_put_u16(&w, s->hop.port);
	ipc_put_str(&w, s->hop.host);
	ipc_end(&w);
}

static void
ask_unix(struct session *s)
{
	struct ipc_writer w;

	s->asked = &s->relay->daemon.master;
	s->request = channel_request(s->asked, CONNECT_MS, on_unix, s);
	w = ipc_begin(s->asked, IPC_UNIX_ASK, s->request, 0);
	ipc_put_str(&w, s->hop.path);
	ipc_end(&w);
}

/* "[192.0.2.1]" of an address, or an address alone as admins write it. */
static bool
read_literal(const char *host, struct in6_addr *in6)
{
	char text[300];

	if (literal_parse(span_str(host), in6) == 0)
		return true;
	snprintf(text, sizeof(text), "[%s]", host);
	if (literal_parse(span_str(text), in6) == 0)
		return true;
	snprintf(text, sizeof(text), "[IPv6:%s]", host);
	return strchr(host, ':') != NULL &&
	    literal_parse(span_str(text), in6) == 0;
}

const struct mailhost *
nexthop_host(const struct session *s)
{
	return &s->hosts[s->addrs[s->at].host];
}

void
nexthop_clear(struct session *s)
{
	size_t i;

	for (i = 0; i < s->nhosts; i++) {
		free(s->hosts[i].tlsa);
		free(s->hosts[i].octets);
	}
	x_free(&s->hosts);
	x_free(&s->addrs);
	s->nhosts = s->naddrs = 0;
}

void
nexthop_ask(struct session *s)
{
	struct in6_addr in6;

	s->hosts = xcalloc(NEXTHOP_HOSTS_MAX, sizeof(*s->hosts));
	s->addrs = xcalloc(NEXTHOP_ADDRS_MAX, sizeof(*s->addrs));
	s->nhosts = s->naddrs = s->at = 0;
	if (s->hop.via == VIA_REFUSE) {
		session_give_up(s, OUTCOME_FAILED, "5.7.1",
		    s->hop.refusal[0] != '\0' ? s->hop.refusal :
		    "mail to this destination is refused here");
	} else if (s->hop.path[0] != '\0') {
		ask_unix(s);
	} else if (read_literal(s->hop.host, &in6)) {
		span_copy(span_str(s->hop.host), s->hosts[0].name,
		    sizeof(s->hosts[0].name));
		s->nhosts = 1;
		addr_add(s, 0, &in6);
		addrs_ready(s);
	} else {
		ask_route(s);
	}
}
