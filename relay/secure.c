/*
 * relay/secure.c - STARTTLS with other hosts: who must encrypt, whom to
 * believe, and what happens when it does not come about. A letter leaves in
 * clear only where nobody promised otherwise: not the route, not the DNS, not
 * the host's own past.
 */
#include <stdio.h>
#include <string.h>

#include "lib/log.h"
#include "relay/relay.h"

/* -- the program ------------------------------------------------------------*/

void
secure_file(void *arg, const char *name, int fd)
{
	struct relay *r = arg;

	tls_file(r->tls, name, fd);
}

void
secure_init(struct relay *r)
{
	r->tls = tls_new(&r->daemon.loop, r->daemon.conf, ROLE_RELAY,
	    daemon_peer(&r->daemon, ROLE_KEYD, 0));
}

int
secure_reload(void *arg, const struct conf *old)
{
	struct relay *r = arg;

	(void)old;
	tls_reload(r->tls, r->daemon.conf);
	return 0;
}

/* -- what is wanted ---------------------------------------------------------*/

/* Why this host gets nothing in clear; NULL: nobody minds. */
static const char *
must_encrypt(const struct session *s)
{
	const struct mailhost *h = nexthop_host(s);

	if (s->hop.tls == TLS_OUT_REQUIRED || s->hop.tls == TLS_OUT_VERIFIED)
		return "this route demands encryption";
	if (h->dane != DANE_NONE)
		return "its TLSA records (DANE) demand encryption";
	if (known_is(&s->relay->known, h->name, s->hop.port))
		return "it has encrypted before";
	return NULL;
}

static void
tell(struct session *s, const char *why)
{
	struct event_out e;

	event_begin(&e, EV_TLS_FAILED, s->job != NULL ? s->job->qid : 0, 0);
	event_str(&e, KEY_HOST, s->host);
	event_str(&e, KEY_TEXT, why);
	event_send(&e);
}

static void
next_host(struct session *s, const char *enhanced, const char *what,
    const char *because)
{
	char words[RELAY_TEXT_MAX], text[RELAY_TEXT_MAX + RELAY_HOST_TEXT];

	snprintf(words, sizeof(words), "%s%s%s", what,
	    because[0] != '\0' ? ", and " : "", because);
	tell(s, words);
	snprintf(text, sizeof(text), "%s %s", s->host, words);
	session_next(s, enhanced, text);
}

bool
secure_may_connect(struct session *s)
{
	if (nexthop_host(s)->dane != DANE_WAIT)
		return true;
	next_host(s, "4.7.5", "is not spoken to: its TLSA records (DANE) "
	    "cannot be had or were forged", "");
	return false;
}

static void
go_on_in_clear(struct session *s)
{
	snprintf(s->tls, sizeof(s->tls), "none");
	transaction_begin(s);
}

void
secure_greeted(struct session *s)
{
	const char *why;

	if (s->encrypted) {
		transaction_begin(s);
	} else if (s->hop.tls == TLS_OUT_NO || s->relay->tls == NULL) {
		go_on_in_clear(s);
	} else if (s->caps.starttls && !s->clear) {
		session_enter(s, S_STARTTLS);
		conn_writef(&s->conn, "STARTTLS\r\n");
	} else if ((why = must_encrypt(s)) != NULL) {
		next_host(s, "4.7.4", "does not offer STARTTLS", why);
	} else {
		go_on_in_clear(s);
	}
}

/* -- the handshake ----------------------------------------------------------*/

/* "[192.0.2.1]" and "[IPv6:2001:db8::1]" as an address alone. */
static const char *
without_brackets(const char *name, char out[256])
{
	struct span in = span_str(name);

	if (in.len < 2 || in.p[0] != '[')
		return name;
	in = span_make(in.p + 1, in.len - 2);
	if (span_caseprefix(in, "IPv6:"))
		in = span_from(in, 5);
	span_copy(in, out, 256);
	return out;
}

/* Names that prove it beside the first: with DANE the host's own and the
 * domain whose MX it is (RFC 7672 section 3.2.2); else, via mx, the latter. */
static void
start(struct session *s)
{
	const struct mailhost *h = nexthop_host(s);
	bool dane = h->dane == DANE_USABLE;
	const char *names[3] = { NULL };
	char address[256];
	struct tls_wish w = { .names = names, .verify = !dane &&
		s->hop.tls == TLS_OUT_VERIFIED };
	size_t n = 0;

	w.host = dane ? h->base : without_brackets(h->name, address);
	if (dane && strcmp(h->base, h->name) != 0)
		names[n++] = h->name;
	if (s->hop.via == VIA_MX && strcmp(s->hop.host, h->name) != 0)
		names[n++] = s->hop.host;
	if (dane) {
		w.tlsa = h->tlsa;
		w.ntlsa = h->ntlsa;
	}
	if (s->hop.certificate[0] != '\0')
		w.certificate = s->hop.certificate;
	session_enter(s, S_HANDSHAKE);
	conn_tls_connect(&s->conn, s->relay->tls, &w);
}

/* RFC 3207 section 4: what other answer than 220 is a refusal. */
void
secure_reply(struct session *s)
{
	char text[RELAY_TEXT_MAX];
	const char *why;

	if (s->reply.code == 220) {
		start(s);
		return;
	}
	if ((why = must_encrypt(s)) != NULL) {
		snprintf(text, sizeof(text), "refuses STARTTLS (%s)",
		    s->reply.text);
		next_host(s, "4.7.4", text, why);
		return;
	}
	snprintf(text, sizeof(text), "STARTTLS refused, going on in clear: "
	    "%s", s->reply.text);
	tell(s, text);
	go_on_in_clear(s);
}

static const char *
level(const struct session *s, const struct tls_info *info)
{
	if (info->dane)
		return "dane";
	if (info->verified)
		return "verified";
	return s->hop.tls == TLS_OUT_MAY &&
	    nexthop_host(s)->dane == DANE_NONE ? "opportunistic" : "required";
}

void
secure_done(void *arg)
{
	struct session *s = arg;
	const struct mailhost *h = nexthop_host(s);
	struct tls_info info;

	/* TLS ends a handshake that proves too little; here it is held again */
	if (!conn_tls_info(&s->conn, &info) ||
	    (h->dane == DANE_USABLE && !info.dane) ||
	    (s->hop.tls == TLS_OUT_VERIFIED && !info.verified && !info.dane)) {
		next_host(s, "4.7.5", "could not be verified", "");
		return;
	}
	snprintf(s->tls, sizeof(s->tls), "%s,%s", info.version,
	    level(s, &info));
	s->encrypted = true;
	known_add(&s->relay->known, h->name, s->hop.port);
	reply_init(&s->reply);
	session_hello(s); /* RFC 3207 section 4.2: all anew */
}

void
secure_failed(struct session *s, enum conn_end how, const char *error)
{
	char text[RELAY_TEXT_MAX];
	const char *why = must_encrypt(s);
	const char *what = how == CONN_TLS ? conn_tls_error(&s->conn) : error;

	/* perhaps it was our own part that failed: keyd, or the file */
	if (why == NULL && s->hop.certificate[0] != '\0')
		why = "this route shows a certificate";
	if (why != NULL) {
		snprintf(text, sizeof(text), "cannot encrypt (%s)", what);
		next_host(s, "4.7.5", text, why);
		return;
	}
	snprintf(text, sizeof(text), "no encryption, once more in clear: %s",
	    what);
	tell(s, text);
	session_again_in_clear(s);
}
