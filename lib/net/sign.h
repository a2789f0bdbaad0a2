/*
 * lib/net/sign.h - what passes over the sign socket: a program that speaks TLS
 * asks keyd, one question at a time, to sign a part of a handshake.
 *
 * The socket is a SOCK_SEQPACKET pair made by the asker (IPC_SIGN_SOCKET), so
 * each packet is one whole question or answer. Numbers are little-endian:
 *
 *	question  u32 id, 32 octets key, u16 scheme, then the data
 *	answer    u32 id, u8 status, then the signature (empty unless SIGN_OK)
 *
 * key: SHA-256 of the SubjectPublicKeyInfo. scheme: TLS SignatureScheme, RFC
 * 8446 section 4.2.3; in TLS 1.2 the same numbers, where an ECDSA one says only
 * the digest and leaves the curve open. The data is the input of the signature
 * itself and no digest of it, so that keyd sees what it signs:
 *
 *	TLS 1.3  the content of RFC 8446 section 4.4.3 (130 or 146 octets)
 *	TLS 1.2  a server: both randoms and ServerECDHParams (RFC 8422 5.4);
 *	         a client: all handshake messages so far (RFC 5246 7.4.8)
 *
 * After a question without an answer in time the asker gives up the socket:
 * an answer never belongs to an earlier question.
 */
#ifndef LIB_NET_SIGN_H
#define LIB_NET_SIGN_H

#include "lib/buf.h"

#define SIGN_KEY           32
#define SIGN_DATA_MAX      65536 /* a client's TLS 1.2 handshake with long
                                  * chains on both sides */
#define SIGN_SIGNATURE_MAX 1024  /* RSA-8192 */
#define SIGN_QUESTION_MAX  (4 + SIGN_KEY + 2 + SIGN_DATA_MAX)
#define SIGN_ANSWER_MAX    (4 + 1 + SIGN_SIGNATURE_MAX)

enum sign_scheme {
	SIGN_RSA_PKCS1_SHA256 = 0x0401,
	SIGN_RSA_PKCS1_SHA384 = 0x0501,
	SIGN_RSA_PKCS1_SHA512 = 0x0601,
	SIGN_ECDSA_SHA256     = 0x0403,
	SIGN_ECDSA_SHA384     = 0x0503,
	SIGN_ECDSA_SHA512     = 0x0603,
	SIGN_RSA_PSS_SHA256   = 0x0804,
	SIGN_RSA_PSS_SHA384   = 0x0805,
	SIGN_RSA_PSS_SHA512   = 0x0806,
	SIGN_ED25519          = 0x0807,
};

enum sign_status {
	SIGN_OK,
	SIGN_NO_KEY,  /* no such key, or none that the asker's role may use */
	SIGN_REFUSED, /* not what a TLS handshake signs, or not with that key */
	SIGN_FAILED,
};

struct sign_question {
	uint32_t id;
	uint8_t key[SIGN_KEY];
	uint16_t scheme;
	struct span data;      /* borrows from the packet */
};

struct sign_answer {
	uint32_t id;
	uint8_t status;
	struct span signature; /* borrows from the packet */
};

/* sign_scheme_known - one of those above, in either version of TLS? */
bool sign_scheme_known(uint16_t scheme);

/* sign_..._encode - adds one packet to out. 0, or -1: too long, an unknown
 * scheme or status, a signature beside a refusal or none beside SIGN_OK. */
int sign_question_encode(const struct sign_question *q, struct buf *out);
int sign_answer_encode(const struct sign_answer *a, struct buf *out);

/* sign_..._decode - reads one packet, all of it, by the same rules. 0 or -1. */
int sign_question_decode(struct span packet, struct sign_question *q);
int sign_answer_decode(struct span packet, struct sign_answer *a);

#endif
