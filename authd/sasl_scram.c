/*
 * authd/sasl_scram.c - SCRAM-SHA-256 and -PLUS (RFC 5802, RFC 7677): the four
 * messages, read strictly. Keys and verifiers are authd -w's: what is gathered
 * here is the AuthMessage and the client's proof.
 */
#include "authd/sasl.h"
#include "lib/mail/base64.h"

/* Below the least of RFC 7677 a guess is cheap; above this a client would hang.
 * Both come from the users file. */
#define ITERATIONS_MIN 4096u
#define ITERATIONS_MAX 10000000u

/* The value of the attribute that *rest must begin with; *rest: what follows
 * its comma. Returns 0, or -1. */
static int
attribute(struct span *rest, char name, struct span *value)
{
	if (rest->len < 2 || rest->p[0] != name || rest->p[1] != '=')
		return -1;
	span_split(span_from(*rest, 2), ',', value, rest);
	return 0;
}

/* -- client-first-message -- */

/* saslname: "=2C" a comma, "=3D" an equals sign, and no other of either. */
static int
name_decode(struct span in, char out[SASL_NAME_MAX + 1])
{
	size_t i, n = 0;

	for (i = 0; i < in.len; i++) {
		if (n == SASL_NAME_MAX || in.p[i] == '\0')
			return -1;
		if (in.p[i] != '=') {
			out[n++] = in.p[i];
			continue;
		}
		if (span_prefix(span_from(in, i), "=2C"))
			out[n++] = ',';
		else if (span_prefix(span_from(in, i), "=3D"))
			out[n++] = '=';
		else
			return -1;
		i += 2;
	}
	out[n] = '\0';
	return 0;
}

/* printable, without the comma that ends it: 0x21-0x2b, 0x2d-0x7e */
static bool
is_nonce(struct span s)
{
	return s.len > 0 && s.len <= SASL_NONCE_MAX && span_printable(s) &&
	    span_find(s, ' ') == -1;
}

/* Optional extensions, of which none is known: "x=value", in the order of
 * RFC 5802 section 7. "m=" would have stood in front. */
static bool
are_extensions(struct span rest)
{
	struct span one;

	while (rest.len > 0) {
		bool more = span_find(rest, ',') != -1;

		span_split(rest, ',', &one, &rest);
		if (one.len < 3 || one.p[1] != '=' || one.p[0] == 'm' ||
		    !(ascii_lower(*one.p) >= 'a' &&
		    ascii_lower(*one.p) <= 'z') ||
		    memchr(one.p, '\0', one.len) != NULL ||
		    (more && rest.len == 0))
			return false;
	}
	return true;
}

/*
 * gs2-cbind-flag: p=NAME for -PLUS alone, with a binding that this connection
 * has; n: the client knows none. y: it does and believes that we don't, which
 * is an attack if we offered it (RFC 5802 section 6).
 */
static int
binding_flag(struct sasl *s, struct span flag)
{
	const struct sasl_facts *f = &s->facts;

	if ((s->mechanism->flags & SASL_F_PLUS) == 0)
		return span_eqstr(flag, "n") ||
		    (span_eqstr(flag, "y") && !f->plus) ? 0 : -1;
	if (span_eqstr(flag, "p=tls-exporter") && f->nexporter > 0)
		return buf_add(&s->scram.binding, f->exporter, f->nexporter);
	if (span_eqstr(flag, "p=tls-server-end-point") && f->nend_point > 0)
		return buf_add(&s->scram.binding, f->end_point,
		    f->nend_point);
	return -1;
}

/* gs2-header: flag "," [ "a=" authzid ] ","; *rest is what stands behind. */
static int
header(struct sasl *s, struct span in, struct span *rest, char *authzid)
{
	struct span flag, who;
	size_t len;

	*rest = in;
	span_split(*rest, ',', &flag, rest);
	authzid[0] = '\0';
	if (span_find(*rest, ',') == -1)
		return -1;
	if (*rest->p == ',')
		*rest = span_from(*rest, 1);
	else if (attribute(rest, 'a', &who) == -1 || who.len == 0 ||
	    name_decode(who, authzid) == -1)
		return -1;
	len = (size_t)(rest->p - in.p);
	return rest->len == 0 ||
	    buf_add(&s->scram.binding, in.p, len) == -1 ? -1 :
	    binding_flag(s, flag);
}

static enum sasl_next
first_message(struct sasl *s, struct span in)
{
	char authzid[SASL_NAME_MAX + 1], name[SASL_NAME_MAX + 1];
	struct span bare, rest, who, nonce;

	if (header(s, in, &bare, authzid) == -1)
		return SASL_BAD;
	rest = bare;
	if (attribute(&rest, 'n', &who) == -1 ||
	    name_decode(who, name) == -1 ||
	    sasl_name(s, span_str(name)) == -1 ||
	    (authzid[0] != '\0' && strcmp(authzid, name) != 0) ||
	    attribute(&rest, 'r', &nonce) == -1 || !is_nonce(nonce) ||
	    !are_extensions(rest) || bare.p[bare.len - 1] == ',')
		return SASL_BAD;
	if (buf_add_span(&s->scram.auth, bare) == -1 ||
	    buf_add_str(&s->scram.auth, ",r=") == -1)
		return SASL_BAD;
	s->scram.whole_at = s->scram.auth.len;
	s->scram.whole_len = nonce.len + strlen(s->scram.nonce);
	if (buf_add_span(&s->scram.auth, nonce) == -1 ||
	    buf_add_str(&s->scram.auth, s->scram.nonce) == -1)
		return SASL_BAD;
	s->scram.begun = true;
	return SASL_SALT;
}

/* -- server-first-message -- */

enum sasl_next
scram_salted(struct sasl *s, struct span salt, uint32_t iterations,
    struct buf *out)
{
	char text[BASE64_TEXT(SASL_SALT_MAX) + 1];
	struct scram *c = &s->scram;
	struct span whole;

	buf_reset(out);
	if (salt.len == 0 || salt.len > sizeof(c->salt) ||
	    iterations < ITERATIONS_MIN || iterations > ITERATIONS_MAX ||
	    base64_encode(salt, text, sizeof(text)) == -1)
		return SASL_BAD;
	memcpy(c->salt, salt.p, salt.len);
	c->nsalt = salt.len;
	if (buf_addf(&c->auth, ",s=%s,i=%u", text, iterations) == -1)
		return SASL_BAD;
	/* "r=" and all behind it is the message. */
	whole = span_from(buf_span(&c->auth), c->whole_at - 2);
	return buf_add_span(out, whole) == -1 ? SASL_BAD : SASL_CHALLENGE;
}

/* -- client-final-message -- */

/* c=: the header as it came first, and the binding. */
static bool
is_bound(const struct scram *c, struct span text)
{
	char octets[2048];
	ssize_t n = base64_decode(text, octets, sizeof(octets));

	return n != -1 && span_eq(span_make(octets, (size_t)n),
	    buf_span(&c->binding));
}

static enum sasl_next
final_message(struct sasl *s, struct span in)
{
	struct scram *c = &s->scram;
	struct span rest = in, binding, nonce, proof, without, whole;
	ssize_t at = span_rfind(in, ',');

	if (at == -1)
		return SASL_BAD;
	without = span_make(in.p, (size_t)at);
	proof = span_from(in, (size_t)at + 1);
	rest = without;
	whole = span_make(buf_span(&c->auth).p + c->whole_at, c->whole_len);
	if (attribute(&rest, 'c', &binding) == -1 || !is_bound(c, binding) ||
	    attribute(&rest, 'r', &nonce) == -1 || !span_eq(nonce, whole) ||
	    !are_extensions(rest) || without.p[without.len - 1] == ',' ||
	    !span_prefix(proof, "p=") ||
	    base64_decode(span_from(proof, 2), c->proof, sizeof(c->proof)) !=
	    (ssize_t)sizeof(c->proof))
		return SASL_BAD;
	if (buf_add_char(&c->auth, ',') == -1 ||
	    buf_add_span(&c->auth, without) == -1)
		return SASL_BAD;
	return SASL_PROOF;
}

/* -- server-final-message -- */

enum sasl_next
scram_proved(struct sasl *s, struct span signature, struct buf *out)
{
	char text[BASE64_TEXT(SASL_DIGEST) + 1];

	buf_reset(out);
	if (!s->scram.answered || signature.len != SASL_DIGEST ||
	    base64_encode(signature, text, sizeof(text)) == -1 ||
	    buf_addf(out, "v=%s", text) == -1)
		return SASL_BAD;
	s->scram.proved = true;
	return SASL_CHALLENGE;
}

/*
 * The stages: an empty challenge if the client's first message did not come at
 * once, then that, its final one, and an empty answer to our own last.
 */
enum sasl_next
sasl_scram(struct sasl *s, struct span in, struct buf *out)
{
	if (!s->scram.begun) {
		if (s->stage == 0 && in.p == NULL) {
			buf_reset(out);
			return SASL_CHALLENGE;
		}
		return s->stage > 1 ? SASL_BAD : first_message(s, in);
	}
	if (s->scram.nsalt == 0)
		return SASL_BAD;
	if (!s->scram.answered) {
		s->scram.answered = true;
		return final_message(s, in);
	}
	return in.len == 0 && s->scram.proved ? SASL_DONE : SASL_BAD;
}
