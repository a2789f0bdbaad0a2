/*
 * keyd/input.h - what a TLS handshake signs, and nothing else: the one judge of
 * the octets that keyd is asked to sign.
 */
#ifndef KEYD_INPUT_H
#define KEYD_INPUT_H

#include "lib/privsep/roles.h"
#include "lib/span.h"

enum input_kind {
	INPUT_NONE,            /* no part of a handshake: never signed */
	INPUT_SERVER_13,       /* CertificateVerify, RFC 8446 section 4.4.3 */
	INPUT_CLIENT_13,
	INPUT_SERVER_12,       /* ServerKeyExchange, RFC 8422 section 5.4 */
	INPUT_CLIENT_12,       /* CertificateVerify, RFC 5246 section 7.4.8 */
};

/* input_judge - what these octets are. All of them must fit: nothing may be
 * missing and nothing may follow. */
enum input_kind input_judge(struct span data);

/* input_role_may - servers prove who they are to clients, relay to servers. */
bool input_role_may(enum input_kind kind, enum role role);

/* input_is_13 - of TLS 1.3, where a scheme names digest and curve. */
bool input_is_13(enum input_kind kind);

#endif
