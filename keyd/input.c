/*
 * keyd/input.c - is this the input of a signature of a TLS handshake? Whoever
 * took over a program that may ask gets handshakes signed and nothing else: no
 * certificate request, no letter, no digest of he knows what.
 */
#include "keyd/input.h"

/* RFC 8446 section 4.4.3: 64 spaces, a context of 33 octets, a zero. */
#define PAD_13     64
#define CONTEXT_13 33
#define HEAD_13    (PAD_13 + CONTEXT_13 + 1)

/* RFC 8422 section 5.4: two randoms, named_curve, the curve, the point. */
#define RANDOMS_12     64
#define NAMED_CURVE    3
#define SERVER_HEAD_12 (RANDOMS_12 + 4)

/* RFC 5246 section 7.4: type, length. */
#define MESSAGE_HEAD 4

enum handshake {
	CLIENT_HELLO = 1, SERVER_HELLO = 2, CERTIFICATE = 11,
	SERVER_KEY_EXCHANGE = 12, CERTIFICATE_REQUEST = 13,
	SERVER_HELLO_DONE = 14, CLIENT_KEY_EXCHANGE = 16,
	CERTIFICATE_STATUS = 22,
};

static uint8_t
octet(struct span s, size_t i)
{
	return (uint8_t)s.p[i];
}

static enum input_kind
judge_13(struct span data)
{
	struct span context;
	size_t i;

	/* SHA-256 or SHA-384 of the handshake so far: no other suites exist. */
	if (data.len != HEAD_13 + 32 && data.len != HEAD_13 + 48)
		return INPUT_NONE;
	for (i = 0; i < PAD_13; i++)
		if (data.p[i] != 0x20)
			return INPUT_NONE;
	context = span_make(data.p + PAD_13, CONTEXT_13);
	if (data.p[HEAD_13 - 1] != '\0')
		return INPUT_NONE;
	if (span_eqstr(context, "TLS 1.3, server CertificateVerify"))
		return INPUT_SERVER_13;
	if (span_eqstr(context, "TLS 1.3, client CertificateVerify"))
		return INPUT_CLIENT_13;
	return INPUT_NONE;
}

/* A point of the named curve, by its length and form. */
static bool
point_ok(unsigned curve, struct span point)
{
	static const struct { unsigned curve; size_t len; bool form; } all[] = {
		{ 23, 65,  true },  /* secp256r1, uncompressed (5.4.1) */
		{ 24, 97,  true },  /* secp384r1 */
		{ 25, 133, true },  /* secp521r1 */
		{ 29, 32,  false }, /* x25519 */
		{ 30, 56,  false }, /* x448 */
	};
	size_t i;

	for (i = 0; i < nitems(all); i++)
		if (all[i].curve == curve)
			return point.len == all[i].len &&
			    (!all[i].form || octet(point, 0) == 4);
	return false;
}

static bool
is_server_12(struct span data)
{
	struct span ec = span_from(data, RANDOMS_12);

	if (data.len <= SERVER_HEAD_12 || octet(ec, 0) != NAMED_CURVE ||
	    octet(ec, 3) != data.len - SERVER_HEAD_12)
		return false;
	return point_ok((unsigned)octet(ec, 1) << 8 | octet(ec, 2),
	    span_from(ec, 4));
}

/* The next message of *rest; false at its end or where it is cut off. */
static bool
message_next(struct span *rest, unsigned *type, struct span *body)
{
	size_t len;

	if (rest->len < MESSAGE_HEAD)
		return false;
	*type = octet(*rest, 0);
	len = (size_t)octet(*rest, 1) << 16 | (size_t)octet(*rest, 2) << 8 |
	    octet(*rest, 3);
	if (rest->len - MESSAGE_HEAD < len)
		return false;
	*body = span_make(rest->p + MESSAGE_HEAD, len);
	*rest = span_from(*rest, MESSAGE_HEAD + len);
	return true;
}

/* Version 3.3, a random, a session id, and more behind them. */
static bool
hello_ok(struct span body)
{
	return body.len > 2 + 32 + 1 && octet(body, 0) == 3 &&
	    octet(body, 1) == 3 && octet(body, 34) <= 32 &&
	    body.len > 2 + 32 + 1 + (size_t)octet(body, 34);
}

/* A list of certificates that fills the message (it may be empty). */
static bool
certificates_ok(struct span body)
{
	return body.len >= 3 && ((size_t)octet(body, 0) << 16 |
	    (size_t)octet(body, 1) << 8 | octet(body, 2)) == body.len - 3;
}

static bool
message_ok(unsigned type, struct span body)
{
	switch (type) {
	case CLIENT_HELLO:
	case SERVER_HELLO:
		return hello_ok(body);
	case CERTIFICATE:
		return certificates_ok(body);
	case SERVER_HELLO_DONE:
		return body.len == 0;
	case CLIENT_KEY_EXCHANGE:
		return body.len > 1 && octet(body, 0) == body.len - 1;
	default:
		return body.len > 0;
	}
}

/* The whole handshake of RFC 5246 section 7.3 with ephemeral curves and a
 * client's certificate, from ClientHello to ClientKeyExchange. */
static bool
is_client_12(struct span data)
{
	static const struct { unsigned type; bool optional; } order[] = {
		{ CLIENT_HELLO, false }, { SERVER_HELLO, false },
		{ CERTIFICATE, false }, { CERTIFICATE_STATUS, true },
		{ SERVER_KEY_EXCHANGE, false }, { CERTIFICATE_REQUEST, false },
		{ SERVER_HELLO_DONE, false }, { CERTIFICATE, false },
		{ CLIENT_KEY_EXCHANGE, false },
	};
	struct span body;
	unsigned type;
	size_t at = 0;

	while (at < nitems(order)) {
		if (!message_next(&data, &type, &body))
			return false;
		if (order[at].type != type && order[at].optional)
			at++;
		if (order[at].type != type || !message_ok(type, body))
			return false;
		at++;
	}
	return data.len == 0;
}

enum input_kind
input_judge(struct span data)
{
	enum input_kind kind = judge_13(data);

	/* The three cannot be mistaken for one another: behind 64 octets TLS
	 * 1.3 has a T and ServerECDHParams a 3, and the randoms of the latter
	 * would have to be a handshake of their own. */
	if (kind != INPUT_NONE)
		return kind;
	if (is_server_12(data))
		return INPUT_SERVER_12;
	return is_client_12(data) ? INPUT_CLIENT_12 : INPUT_NONE;
}

bool
input_role_may(enum input_kind kind, enum role role)
{
	switch (role) {
	case ROLE_SMTPD:
	case ROLE_POP3D:
		return kind == INPUT_SERVER_13 || kind == INPUT_SERVER_12;
	case ROLE_RELAY:
		return kind == INPUT_CLIENT_13 || kind == INPUT_CLIENT_12;
	default:
		return false;
	}
}

bool
input_is_13(enum input_kind kind)
{
	return kind == INPUT_SERVER_13 || kind == INPUT_CLIENT_13;
}
