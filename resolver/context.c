/*
 * resolver/context.c - sets up libunbound: whom to ask, which keys to trust,
 * how much memory to use; or, in a test, which answers to give.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unbound.h>
#include <unistd.h>

#include "config.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "resolver/dns.h"

/* A name of our own, answered from local data: no packet is read for it. */
#define WARM_UP_NAME "warm-up.barid.invalid"
#define WARM_UP_DATA WARM_UP_NAME ". 60 IN A 192.0.2.1"

/* The anchor as the admin, then as Debian's dns-root-data keeps it. */
static const char *const root_keys[] = {
	PATH_SYSCONFDIR "/root.key",
	"/usr/share/dns/root.key",
};

/* Names that libunbound knows by itself; a test may want them otherwise. */
#define ZEROS_15 "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
static const char *const own_zones[] = { "localhost.", "127.in-addr.arpa.",
	("1.0." ZEROS_15 ZEROS_15 "ip6.arpa."), "test.", "invalid.", "onion.",
	"home.arpa." };

static const struct {
	const char *name, *value;
} options[] = {
	{ "outgoing-range:", "512" },          /* sockets, below nofile */
	{ "num-queries-per-thread:", "1024" }, /* then the slowest goes */
	{ "msg-cache-size:", "8m" },
	{ "rrset-cache-size:", "16m" },
	{ "key-cache-size:", "4m" },
	{ "val-log-level:", "0" },  /* the log has what was bogus from us */
	{ "unblock-lan-zones:", "yes" }, /* private networks have names too */
	{ "insecure-lan-zones:", "yes" },
	{ "do-not-query-localhost:", "no" }, /* a forwarder lives there often */
	{ "qname-minimisation:", "yes" },
};

static int
context_options(struct ub_ctx *ctx)
{
	size_t i;
	int err = ub_ctx_async(ctx, 1); /* a thread, not a forked process */

	for (i = 0; i < nitems(options) && err == 0; i++)
		err = ub_ctx_set_option(ctx, options[i].name, options[i].value);
	if (err != 0)
		log_warnx("libunbound: %s", ub_strerror(err));
	return err == 0 ? 0 : -1;
}

static int
context_anchor_file(struct ub_ctx *ctx, const char *path)
{
	int err = ub_ctx_add_ta_file(ctx, path);

	if (err != 0)
		log_warnx("%s: %s", path, ub_strerror(err));
	return err == 0 ? 0 : -1;
}

/* Without an anchor answers are insecure, never bogus: said loudly, once. */
static int
context_anchor(struct ub_ctx *ctx)
{
	size_t i;

	for (i = 0; i < nitems(root_keys); i++)
		if (access(root_keys[i], R_OK) == 0)
			return context_anchor_file(ctx, root_keys[i]);
	log_warnx("no trust anchor for the DNS root in %s or %s: DNSSEC is not "
	    "checked", root_keys[0], root_keys[1]);
	return 0;
}

/* "192.0.2.1:53" or "[2001:db8::1]:53" as libunbound wants it: address@port */
static int
context_forward(struct ub_ctx *ctx, const char *word)
{
	struct span in = span_str(word), addr;
	struct buf b = BUF_INIT(100);
	ssize_t colon = span_rfind(in, ':');
	int err = UB_SYNTAX;

	if (colon > 0 && (in.p[0] != '[' || in.p[colon - 1] == ']') &&
	    (in.p[0] == '[' || span_find(in, ':') == colon)) {
		addr = span_make(in.p, (size_t)colon);
		in = span_from(in, (size_t)colon + 1);
	} else {
		addr = in;
		in = span_str("53");
	}
	if (addr.len > 2 && addr.p[0] == '[' && addr.p[addr.len - 1] == ']')
		addr = span_make(addr.p + 1, addr.len - 2);
	if (buf_addf(&b, "%.*s@%.*s", SPAN_ARG(addr), SPAN_ARG(in)) == 0)
		err = ub_ctx_set_fwd(ctx, buf_str(&b));
	buf_clear(&b);
	if (err != 0)
		log_warnx("dns forward %s: %s", word, ub_strerror(err));
	return err == 0 ? 0 : -1;
}

static int
context_sources(struct ub_ctx *ctx, const struct conf_dns *conf, bool test)
{
	size_t i;

	if (conf->records != NULL)
		return 0;
	for (i = 0; i < conf->forward.n; i++)
		if (context_forward(ctx, conf->forward.words[i]) == -1)
			return -1;
	if (conf->anchor != NULL)
		return context_anchor_file(ctx, conf->anchor);
	/* A test's server has zones that no chain of trust leads to. */
	if (test && conf->forward.n > 0)
		return 0;
	return context_anchor(ctx);
}

static int
record_add(void *arg, const char *record)
{
	struct ub_ctx *ctx = arg;

	return ub_ctx_data_add(ctx, record) == 0 ? 0 : -1;
}

static int
read_all(const char *path, struct buf *out)
{
	int fd, rv = -1;
	ssize_t n;
	char *p;

	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return -1;
	while ((p = buf_reserve(out, 8192)) != NULL) {
		if ((n = read(fd, p, 8192)) <= 0) {
			rv = (int)n;
			break;
		}
		buf_grow(out, (size_t)n);
	}
	close(fd);
	return rv;
}

/* After the zones that libunbound brings along everything is ours to answer. */
static int
context_records(struct dns *d, const char *path)
{
	struct buf text = BUF_INIT(RECORDS_FILE_MAX);
	unsigned line;
	int rv = -1;

	if (read_all(path, &text) == -1) {
		log_warn("%s", path);
	} else if (ub_ctx_zone_add(d->ctx, ".", "static") != 0) {
		log_warnx("libunbound: no zone for test records");
	} else if (records_parse(buf_span(&text), &d->records, record_add,
	    d->ctx, &line) == -1) {
		log_warnx("%s:%u: not a record", path, line);
	} else {
		rv = 0;
	}
	buf_clear(&text);
	return rv;
}

/* The first question opens what libunbound needs: randomness, modules, keys. */
static int
context_warm_up(struct ub_ctx *ctx)
{
	struct ub_result *r = NULL;
	int err;

	if ((err = ub_ctx_data_add(ctx, WARM_UP_DATA)) == 0 &&
	    (err = ub_resolve(ctx, WARM_UP_NAME, RR_A, 1, &r)) == 0 &&
	    !r->havedata)
		err = UB_INITFAIL;
	ub_resolve_free(r);
	if (err != 0)
		log_warnx("libunbound: %s", ub_strerror(err));
	return err == 0 ? 0 : -1;
}

int
dns_open(struct dns *d, const struct conf *conf, bool test)
{
	size_t i;

	d->query_ms = conf->dns.records != NULL ? DNS_QUERY_TEST_MS :
	    DNS_QUERY_MS;
	if ((d->ctx = ub_ctx_create()) == NULL)
		fatalx("libunbound: out of memory");
	if (context_options(d->ctx) == -1 ||
	    context_sources(d->ctx, &conf->dns, test) == -1)
		goto fail;
	for (i = 0; test && i < nitems(own_zones); i++)
		ub_ctx_zone_remove(d->ctx, own_zones[i]);
	if (conf->dns.records != NULL &&
	    context_records(d, conf->dns.records) == -1)
		goto fail;
	if (context_warm_up(d->ctx) == -1)
		goto fail;
	return 0;
fail:
	dns_close(d);
	return -1;
}

void
dns_close(struct dns *d)
{
	if (d->loop != NULL)
		watch_clear(&d->watch);
	if (d->ctx != NULL)
		ub_ctx_delete(d->ctx);
	d->ctx = NULL;
	records_clear(&d->records);
}
