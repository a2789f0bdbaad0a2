/* conf_text.h - configurations for conf_test.c and conf_use_test.c. */
#ifndef TESTS_UNIT_CONF_TEXT_H
#define TESTS_UNIT_CONF_TEXT_H

#include "lib/conf.h"

/* Enough of a configuration for what a case adds to it; four lines. */
#define HEAD "config 1\nhost mx.example\ncontact me@isp.example\n" \
	"users u { system }; domain isp.example { users u }\n"

/* Something of everything. */
static const char *const full =
    "config 1 # the language\n"
    "host  MX1.isp.example\n"
    "contact Postmaster@isp.example\n"
    "tls main { cert /etc/barid/tls/mx1.pem; key /etc/barid/tls/mx1.key }\n"
    "tls home { cert /t/h.pem; key /t/h.key; client-ca /t/clients.pem }\n"
    "tls out  { cert /t/out.pem; key /t/out.key }\n"
    "listen mx     { port 25; size 40M; tls main offered\n"
    "  deny from 198.51.100.0/24, 2001:db8::/32 \"go away\"\n"
    "  deny sender *@spam.example, @worse.example; connections 2000 }\n"
    "listen device { port 25; address 192.0.2.1; from 192.0.2.0/24,\n"
    "  2001:db8:1::/48; to isp.example, partner.example; limit 100/hour }\n"
    "listen pop3   { port 110; client-connections 7; workers 2 }\n"
    "listen submission { port 587; tls main, home required; size 30M }\n"
    "listen submission { port 465; tls main immediate; senders any }\n"
    "listen pop3   { port 995; tls home immediate }\n"
    "users staff   { system; store mbox; passwords pam }\n"
    "users moving  { file /t/moving; passwords dovecot /run/auth }\n"
    "users virtual { file /etc/barid/users; owner vmail; quota 5G;\n"
    "  store mbox \"/var/v mail/%d/%u\" }\n"
    "domain isp.example, Home.example { users virtual; default\n"
    "  aliases /etc/barid/aliases; subaddress \"+\"\n"
    "  catchall postmaster@isp.example }\n"
    "domain unix.example { users staff; aliases /etc/aliases as nobody }\n"
    "domain partner.example { relay to mail.partner.example:2525;"
    " recipients any }\n"
    "domain list.example { relay to lmtp:/run/list.sock; recipients any }\n"
    "relay { source4 192.0.2.25; source6 2001:db8::25; helo out.isp.example\n"
    "  connections 10; ca /etc/ssl/ca.pem }\n"
    "route {\n"
    "  from @shop.example to any via smarthost relay.bulk.example:587\n"
    "  to gmail.com via mx { connections 8; ipv6 no; port 2500 }\n"
    "  to .dead.example, a@b.example refuse \"closed for good\"\n"
    "  to lm.example via lmtp [2001:db8::7]:2424 { tls verified; dane off\n"
    "    certificate out }\n"
    "  to any via mx\n"
    "}\n"
    "queue { keep 2d; warn after 90m; retry 1s 5m 1h; space reserve 5%\n"
    "  segment 4M; local 9 }\n"
    "accounts { letters 10/hour; recipients 0/hour, 99/day }\n"
    "dns { forward 127.0.0.1:53, [::1]:5353; records /t/records }\n"
    "log { file /var/log/barid; format json; keep 3d 100M }\n"
    "identity smtpd 2001:2002\nprivileges none\nlogin clear\n"
    "allow loopback\n";

static inline struct conf *
parse(const char *text, struct conf_errors *errors)
{
	return conf_parse(span_str(text), "t.conf", true, errors);
}

#endif
