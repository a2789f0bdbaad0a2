/*
 * conf_test.c - the configuration language: what it takes, what it complains
 * about and where, what it writes, how it answers.
 */
#include "lib/conf.h"
#include "tests/unit/check.h"
#include "tests/unit/conf_text.h"

static void
test_full(void)
{
	struct conf_errors errors;
	struct conf *c = parse(full, &errors);
	size_t i;

	check_begin("a full configuration");
	for (i = 0; i < errors.n; i++)
		printf("%u:%u: %s\n", errors.list[i].line,
		    errors.list[i].column, errors.list[i].text);
	check_int(errors.n, 0);
	if (!check_true(c != NULL))
		return;
	check_str(c->host, "mx1.isp.example");
	check_int(c->nlistens, 6);
	check_int(c->listens[0].size, 40 << 20);
	check_int(c->listens[0].ndenies, 4);
	check_str(c->listens[0].denies[1].text, "go away");
	check_int(c->listens[0].denies[0].net.prefix, 96 + 24);
	check_true(c->listens[0].denies[2].is_sender);
	check_int(c->listens[0].client_connections, 50);
	check_int(c->listens[1].nfrom, 2);
	check_int(c->listens[1].to.n, 2);
	check_int(c->listens[1].limit.count, 100);
	check_int(c->listens[1].limit.per_s, 3600);
	check_int(c->listens[2].client_connections, 7);
	check_str(c->users[2].path, "/var/v mail/%d/%u");
	check_int(c->users[2].quota, (intmax_t)5 << 30);
	check_str(c->domains[0].names.words[1], "home.example");
	check_str(c->domains[1].aliases_as, "nobody");
	check_int(c->nroutes, 7);
	check_true(c->routes[0].implied && c->routes[1].implied);
	check_int(c->routes[0].port, 2525);
	check_str(c->routes[1].path, "/run/list.sock");
	check_int(c->routes[3].port, 2500);
	check_int(c->mx_port, 2500);
	check_str(c->routes[5].host, "2001:db8::7");
	check_int(c->queue.nretry, 3);
	check_int(c->queue.warn_s, 5400);
	check_int(c->log.keep_octets, 100 << 20);
	check_true(c->log.json && c->log.to == LOG_TO_FILE);
	conf_free(c);
}

static void
test_tls(void)
{
	struct conf_errors errors;
	struct conf *c = parse(full, &errors);
	const struct conf_route *r;

	check_begin("TLS and accounts");
	if (!check_true(c != NULL))
		return;
	check_int(c->ntls, 3);
	check_str(c->tls[1].client_ca, "/t/clients.pem");
	check_true(conf_tls_find(c, "main") == &c->tls[0]);
	check_true(conf_tls_find(c, "mai") == NULL);
	check_int(c->listens[0].tls_mode, TLS_OFFERED);
	check_int(c->listens[1].tls_mode, TLS_NONE);
	check_int(c->listens[3].kind, LISTEN_SUBMISSION);
	check_int(c->listens[3].tls_mode, TLS_REQUIRED);
	check_int(c->listens[3].tls.n, 2);
	check_str(c->listens[3].tls.words[1], "home");
	check_true(!c->listens[3].senders_any && c->listens[4].senders_any);
	check_int(c->listens[4].tls_mode, TLS_IMMEDIATE);
	check_int(c->listens[5].tls_mode, TLS_IMMEDIATE);
	check_int(c->users[0].passwords, PASSWORDS_PAM);
	check_str(c->users[0].pam, "barid");
	check_str(c->users[1].dovecot, "/run/auth");
	check_int(c->users[2].passwords, PASSWORDS_FILE);
	check_str(c->relay.ca, "/etc/ssl/ca.pem");
	r = &c->routes[5];
	check_true(r->tls == TLS_OUT_VERIFIED && r->no_dane);
	check_str(r->certificate, "out");
	check_true(c->routes[6].tls == TLS_OUT_MAY && !c->routes[6].no_dane);
	check_int(c->accounts.letters_hour, 10);
	check_int(c->accounts.letters_day, 5000);
	check_int(c->accounts.recipients_hour, 0);
	check_int(c->accounts.recipients_day, 99);
	conf_free(c);
}

static void
test_standards(void)
{
	struct conf_errors errors;
	struct conf *c = parse(HEAD "listen mx { port 25 }\n"
	    "login clear; listen pop3 { port 110 }\n", &errors);

	check_begin("standards");
	if (!check_true(c != NULL))
		return;
	check_int(c->listens[0].size, 50 << 20);
	check_int(c->listens[0].connections, 10000);
	check_int(c->listens[0].client_connections, 50);
	check_int(c->listens[1].client_connections, 20);
	check_int(c->listens[0].recipients, 1000);
	check_int(c->listens[0].errors, 20);
	check_int(c->listens[0].junk, 20);
	check_int(c->listens[0].hops, 50);
	check_int(c->listens[0].workers, 1);
	check_int(c->listens[0].tls_mode, TLS_NONE);
	check_int(c->users[0].passwords, PASSWORDS_SHADOW);
	check_int(c->accounts.letters_hour, 1000);
	check_int(c->accounts.letters_day, 5000);
	check_int(c->accounts.recipients_hour, 5000);
	check_int(c->accounts.recipients_day, 20000);
	check_true(c->relay.ca == NULL);
	check_int(c->routes[0].tls, TLS_OUT_MAY);
	check_int(c->relay.connections, 20);
	check_int(c->relay.limit, 500);
	check_int(c->queue.keep_s, 5 * 86400);
	check_int(c->queue.warn_s, 4 * 3600);
	check_int(c->queue.nretry, 7);
	check_int(c->queue.reserve_percent, 10);
	check_int(c->queue.segment, 64 << 20);
	check_int(c->queue.local, 50);
	check_str(c->log.facility, "mail");
	check_int(c->log.keep_s, 30 * 86400);
	check_int(c->log.keep_octets, 1 << 30);
	check_int(c->nroutes, 1);
	check_int(c->routes[0].via, VIA_MX);
	check_int(c->routes[0].port, 25);
	conf_free(c);
}

#define TLS "tls main { cert /c; key /k }\n"

/* HEAD is four lines; what a case adds begins in line 5. */
static const struct {
	const char *text, *complaint; /* "line:column: part of the text" */
} bad[] = {
	{ HEAD "lsiten mx { port 25 }", "5:1: do you mean \"listen\"?" },
	{ HEAD "listen mx { prot 25 }", "5:13: do you mean \"port\"?" },
	{ HEAD "listen m { port 25 }", "5:8: do you mean \"mx\"?" },
	{ HEAD "listen webmail { port 25 }", "5:8: it is one of: mx, " },
	{ HEAD "listen mx { port 0 }", "5:18: out of range" },
	{ HEAD "listen mx { port 65536 }", "5:18: out of range" },
	{ HEAD "listen mx { port 26; size 63K }", "5:27: 64K to 1T" },
	{ HEAD "queue { keep 366d }", "5:14: 1s to 365d" },
	{ HEAD "dns { builtin; forward 127.0.0.1 }", "5:16: either" },
	{ HEAD "dns { forward 127.0.0.1; builtin }", "5:26: either" },
	{ HEAD "listen mx { port 2x }", "5:18: is not a number" },
	{ HEAD "listen mx { port }", "5:13: a number is missing" },
	{ HEAD "listen mx { port 1 2 }", "5:20: one word too many" },
	{ HEAD "listen mx { port 1; port 2 }", "5:21: stands here twice" },
	{ HEAD "listen mx { size 1M }", "5:1: needs a port" },
	{ HEAD "listen mx", "5:1: needs a block: listen KIND" },
	{ HEAD "listen mx { port 25 { } }", "5:13: has no block" },
	{ HEAD "listen mx { port 25; tls main offered }",
	  "5:26: there is no tls block \"main\"" },
	{ HEAD TLS "listen mx { port 25; tls mian offered }",
	  "6:26: do you mean \"main\"?" },
	{ HEAD TLS "listen mx { port 25; tls main, main offered }",
	  "6:32: main stands here twice" },
	{ HEAD TLS "listen mx { port 25; tls main }",
	  "6:26: a word is missing" },
	{ HEAD TLS "listen mx { port 25; tls main oferred }",
	  "6:31: do you mean \"offered\"?" },
	{ HEAD TLS "listen mx { port 25; tls main immediate }",
	  "6:31: other hosts begin in the clear" },
	{ HEAD TLS "listen submission { port 587; tls main offered }",
	  "6:40: always wants encryption" },
	{ HEAD TLS "listen submission { port 587 }",
	  "6:8: tls main required, or tls main immediate" },
	{ HEAD "listen submission { port 587 }", "5:8: and a tls block" },
	{ HEAD TLS "listen mx { port 25; senders any }",
	  "6:22: means nothing in listen mx" },
	{ HEAD TLS "listen submission { port 1; tls main required; "
	  "senders all }", "6:56: it is one of: own, any" },
	{ HEAD TLS "listen submission { port 1; tls main required; "
	  "deny from ::1 }", "6:48: means nothing in listen submission" },
	{ HEAD "tls main { cert /c }", "5:1: needs the key" },
	{ HEAD "tls main { key /k }", "5:1: needs a certificate" },
	{ HEAD "tls main { cert c.pem; key /k }",
	  "5:17: is not an absolute path" },
	{ HEAD "tls { cert /c; key /k }", "5:1: a name is missing" },
	{ HEAD "tls a/b { cert /c; key /k }", "5:5: is not a name" },
	{ HEAD "listen imap { port 143 }", "5:8: not part of this" },
	{ HEAD "listen pop3 { port 110 }", "5:8: nobody could log in" },
	{ HEAD TLS "listen pop3 { port 110 }", "6:8: add tls main required" },
	{ HEAD "users x { system; passwords file }",
	  "5:29: no users file: say shadow" },
	{ HEAD "users x { file /f; passwords shadow }",
	  "5:30: system users alone" },
	{ HEAD "users x { file /f; passwords dovecot }",
	  "5:30: a path is missing" },
	{ HEAD "users x { system; passwords pam a b }",
	  "5:35: one word too many" },
	{ HEAD "accounts { letters 5/minute }", "5:20: NUMBER/hour or" },
	{ HEAD "accounts { letters 5/hour, 6/hour }",
	  "5:28: by hour stands here twice" },
	{ HEAD "accounts { recipients }", "5:12: wants limits" },
	{ HEAD "route { to any via mx { certificate main } }",
	  "5:37: there is no tls block" },
	{ HEAD TLS "route { to any via mx { tls no; certificate main } }",
	  "6:33: a certificate beside it" },
	{ HEAD "route { to any via mx { tls verifed } }",
	  "5:29: do you mean \"verified\"?" },
	{ HEAD "route { to any via mx { dane no } }", "5:30: do you mean \"on\"?" },
	{ HEAD "route { to any via lmtp /s { tls required } }",
	  "5:30: there is no TLS on the socket" },
	{ HEAD "login clear; listen pop3 { port 110; size 1M }",
	  "5:38: means nothing in listen pop3" },
	{ HEAD "listen mx { port 25; size 50X }", "5:27: is not a size" },
	{ HEAD "listen mx { port 25; size 99999999999T }",
	  "5:27: is not a size" },
	{ HEAD "listen mx { port 25; deny from 10.0.0.1/8 }",
	  "5:32: bits set behind its prefix" },
	{ HEAD "listen mx { port 25; deny from 10.0.0/8 }",
	  "5:32: is not an address or network" },
	{ HEAD "listen mx { port 25; deny from 10.0.0.0/33 }",
	  "5:32: is not a prefix length" },
	{ HEAD "listen mx { port 25; deny sender spam }",
	  "5:34: is neither an address nor @domain" },
	{ HEAD "listen mx { port 25; from 10.0.0.0/8 }",
	  "5:22: means nothing in listen mx" },
	{ HEAD "listen device { port 25; from 0.0.0.0/0; to any }",
	  "5:31: is too wide" },
	{ HEAD "listen device { port 25; from ::/0; to any }",
	  "5:31: is too wide" },
	{ HEAD "listen device { port 25; from ::ffff:0:0/96; to any }",
	  "5:31: is too wide" },
	{ HEAD "listen device { port 25; from 10.0.0.0/8 }",
	  "5:1: the domains it may send to" },
	{ HEAD "listen device { port 25; to any }",
	  "5:1: needs the networks" },
	{ HEAD "listen device { port 25; from 10.0.0.0/8; to any; "
	  "limit 5/year }", "5:57: is not a rate" },
	{ HEAD "listen mx { port 25; address 10.0.0.1 }\n"
	  "listen device { port 25; address 10.0.0.1; from 10.0.0.0/8; "
	  "to any }", "6:22: has port 25 of 10.0.0.1 already" },
	{ HEAD "listen mx { port 25 }\nlisten device { port 25; "
	  "from 10.0.0.0/8; to any }", "6:22: has port 25 already" },
	{ HEAD "listen mx { port 25; address a.example }",
	  "5:30: is not an IP address" },
	{ HEAD "users x { store maildir /m; system }",
	  "5:17: Maildir is not part" },
	{ HEAD "users x { store mbox /m/%x; system }", "5:22: u, d or h" },
	{ HEAD "users x { store mbox %h/../m; system }", "5:22: \"..\"" },
	{ HEAD "users x { store mbox m; system }",
	  "5:22: is not an absolute path" },
	{ HEAD "users x { system; file /etc/x/../y }",
	  "5:24: \"..\" in a path" },
	{ HEAD "users x { system; file /f }", "5:1: has both" },
	{ HEAD "users x { quota 1G }", "5:1: needs to know its accounts" },
	{ HEAD "users x { system; owner vmail }", "5:19: belong to those" },
	{ HEAD "domain b.example { users uu }",
	  "5:26: there is no users block" },
	{ HEAD "domain b.example { }", "5:1: nobody could get mail" },
	{ HEAD "domain b..example { users u }", "5:8: is not a domain" },
	{ HEAD "domain b.example, b.example { users u }",
	  "5:1: b.example stands here twice" },
	{ HEAD "domain b.example { users u; default }\n"
	  "domain c.example { users u; default }",
	  "6:29: is the default already" },
	{ HEAD "domain b.example { relay to h.example }",
	  "5:1: recipients any" },
	{ HEAD "domain b.example { relay h.example; recipients any }",
	  "5:26: it is one of: to" },
	{ HEAD "domain b.example { users u; recipients any }",
	  "5:29: needs \"relay to" },
	{ HEAD "domain b.example { users u; aliases /a es root }",
	  "5:40: do you mean \"as\"?" },
	{ HEAD "domain b.example { users u; subaddress x }",
	  "5:40: a separator is one of" },
	{ HEAD "domain b.example { users u; catchall me }",
	  "5:38: is not a mail address" },
	{ HEAD "route { to any via mx { port 25; auth bulk } }",
	  "5:34: not part of this release" },
	{ HEAD "route { via mx }", "5:9: begins with" },
	{ HEAD "route { to any fia mx }", "5:16: do you mean \"via\"?" },
	{ HEAD "route { to any via smarthst h }",
	  "5:20: do you mean \"smarthost\"?" },
	{ HEAD "route { to any via smarthost }", "5:20: a host is missing" },
	{ HEAD "route { to any via smarthost h.example:0 }",
	  "5:30: is not a port" },
	{ HEAD "route { to any via smarthost [::1]x }",
	  "5:30: is not HOST or HOST:PORT" },
	{ HEAD "route { to any via smarthost [:25 }",
	  "5:30: is not HOST or HOST:PORT" },
	{ HEAD "route { from shop.example to any via mx }",
	  "5:14: is not any, @domain" },
	{ HEAD "route { to any refuse \"a\xc3\xa4\" }", "5:23: ASCII" },
	{ HEAD "route { to any }", "5:12: is missing" },
	{ HEAD "queue { keep 5 }", "5:14: is not a time" },
	{ HEAD "queue { keep 5y }", "5:14: is not a time" },
	{ HEAD "queue { retry 1 2 3 }", "5:15: is not a time" },
	{ HEAD "queue { space reserve 101% }", "5:23: from 0% to 90%" },
	{ HEAD "queue { warn before 1h }", "5:14: it is one of: after" },
	{ HEAD "dns { forward resolver.example }", "5:15: is not ADDRESS" },
	{ HEAD "dns { forward 127.0.0.1; builtin }", "5:26: either" },
	{ HEAD "log { syslog mail; stderr }", "5:20: one of syslog" },
	{ HEAD "log { syslog mial }", "5:14: do you mean \"mail\"?" },
	{ HEAD "log { format xml }", "5:14: it is one of: text, json" },
	{ HEAD "include \"x.conf\"", "5:1: nothing can be included" },
	{ HEAD "identity smptd 1:1", "5:10: do you mean \"smtpd\"?" },
	{ HEAD "identity smtpd 0:0", "5:16: or it is root" },
	{ HEAD "contact me@ips.example",
	  "5:9: do you mean \"isp.example\"?" },
	{ HEAD "host mx_", NULL },
	{ HEAD "host -x", "5:6: is not a host name" },
	{ HEAD "listen mx { port 25", "5:11: block that opens here" },
	{ HEAD "}", "5:1: closing brace" },
	{ HEAD "{ a }", "5:1: a word is expected" },
	{ HEAD "log { syslog \"mail }\n}", "5:14: not closed in this line" },
	{ HEAD "log { syslog ma\"il }", "5:16: a quote in the middle" },
	{ HEAD "domain a.example,, b.example { users u }",
	  "5:18: a comma without a word" },
	{ HEAD "domain a.example, { users u }",
	  "5:8: a word is missing behind the comma" },
	{ HEAD "a { b { c { d { e { f } } } } }", "5:19: nested deeper" },
	{ HEAD "config 2", "5:8: version 2 is not known" },
	{ HEAD "config 1 for smtpd", "5:10: one word too many" },
	{ "host a.example", "1:1: the first statement must be: config 1" },
	{ "", "1:1: the first statement must be: config 1" },
	{ "config 1\ncontact a@b.example", "1:1: \"host\" is missing" },
	{ "config 1\nhost a.example", "1:1: \"contact\" is missing" },
};

/* Is a complaint at that place, with that text, among them? */
static bool
has_complaint(const struct conf_errors *errors, const char *want)
{
	const char *part = strchr(want, ' ') + 1;
	char place[40];
	size_t i;

	for (i = 0; i < errors->n; i++) {
		snprintf(place, sizeof(place), "%u:%u: ",
		    errors->list[i].line, errors->list[i].column);
		if (strncmp(want, place, strlen(place)) == 0 &&
		    strstr(errors->list[i].text, part) != NULL)
			return true;
	}
	return false;
}

static void
test_bad(void)
{
	struct conf_errors errors;
	struct conf *c;
	size_t i, k;

	for (i = 0; i < nitems(bad); i++) {
		check_begin(bad[i].text + (strlen(bad[i].text) > strlen(HEAD) ?
		    strlen(HEAD) : 0));
		c = parse(bad[i].text, &errors);
		if (bad[i].complaint == NULL) {
			check_true(c != NULL);
		} else if (!check_true(c == NULL) ||
		    !check_true(has_complaint(&errors, bad[i].complaint))) {
			for (k = 0; k < errors.n; k++)
				printf("\tgot %u:%u: %s\n",
				    errors.list[k].line,
				    errors.list[k].column,
				    errors.list[k].text);
			printf("\twanted %s\n", bad[i].complaint);
		}
		conf_free(c);
		conf_errors_clear(&errors);
	}
}

/* Only below --test. */
static void
test_test_only(void)
{
	static const char *const only[] = { "identity smtpd 1:1",
		"privileges none", "login clear", "allow loopback",
		"route { to any via mx { port 2525 } }",
		"dns { records /tmp/r }", "dns { anchor /tmp/k }" };
	struct conf_errors errors;
	char text[400];
	struct conf *c;
	size_t i;

	for (i = 0; i < nitems(only); i++) {
		check_begin(only[i]);
		snprintf(text, sizeof(text), "%s%s", HEAD, only[i]);
		c = conf_parse(span_str(text), "t", false, &errors);
		check_true(c == NULL);
		check_int(errors.n, 1);
		if (errors.n > 0)
			check_true(strstr(errors.list[0].text,
			    "for tests alone") != NULL);
		conf_errors_clear(&errors);
		c = conf_parse(span_str(text), "t", true, &errors);
		check_true(c != NULL);
		conf_free(c);
		conf_errors_clear(&errors);
	}
}

static void
test_all_errors(void)
{
	struct conf_errors errors;
	struct conf *c;
	char text[4000] = HEAD;
	int i;

	check_begin("all errors at once");
	c = parse(HEAD "x\nlisten mx { port x; size y; z }\nq { }", &errors);
	check_true(c == NULL);
	check_int(errors.n, 5);
	if (errors.n == 5) {
		check_int(errors.list[4].line, 7);
		check_str(errors.list[0].file, "t.conf");
	}
	conf_errors_clear(&errors);
	check_begin("but not without end");
	for (i = 0; i < 500; i++)
		strlcat(text, "q\n", sizeof(text));
	c = parse(text, &errors);
	check_true(c == NULL);
	check_int(errors.n, 101);
	conf_errors_clear(&errors);
}

static void
test_later_wins(void)
{
	struct conf_errors errors;
	struct conf *c = parse(HEAD
	    "domain a.example, b.example { users u }\n"
	    "listen mx { port 2525; address 127.0.0.1; size 1M }\n"
	    "queue { keep 1d; local 5 }\nroute { to any refuse \"no\" }\n"
	    "host other.example\nlisten mx { port 2525; size 2M }\n"
	    "listen mx { port 26; address 10.0.0.1 }\n"
	    "listen mx { port 26; address 10.0.0.2 }\n"
	    "queue { keep 2d }\nroute { to any via mx }\n"
	    "users u { file /f }\ndomain b.example, isp.example { users u;"
	    " default }\n", &errors);
	const struct conf_domain *d;

	check_begin("a later statement wins");
	if (!check_true(c != NULL)) {
		printf("%s\n", errors.list[0].text);
		return;
	}
	check_str(c->host, "other.example");
	check_int(c->nlistens, 3);
	check_int(c->listens[0].size, 2 << 20);
	check_int(c->listens[0].addresses.n, 0);
	check_int(c->listens[2].index, 2);
	check_int(c->queue.keep_s, 2 * 86400);
	check_int(c->queue.local, 50);
	check_int(c->nroutes, 1);
	check_int(c->routes[0].via, VIA_MX);
	check_int(c->nusers, 1);
	check_str(c->users[0].file, "/f");
	check_int(c->ndomains, 2);
	d = conf_domain_find(c, span_str("B.Example"));
	check_true(d != NULL && d->is_default);
	d = conf_domain_find(c, span_str("a.example"));
	check_true(d != NULL && !d->is_default && d->names.n == 1);
	check_true(conf_domain_find(c, span_str("a.exampl")) == NULL);
	check_true(conf_domain_find(c, span_str("a.examplee")) == NULL);
	check_true(conf_domain_find(c, span_str("")) == NULL);
	conf_free(c);
}

int
main(void)
{
	test_full();
	test_tls();
	test_standards();
	test_bad();
	test_test_only();
	test_all_errors();
	test_later_wins();
	return check_end();
}
