/*
 * lib/net/sign.c - the wire of the sign socket, for those who ask
 * (lib/net/tls*) and for keyd, which answers. Only encoding: nothing here
 * signs.
 */
#include "lib/net/sign.h"

#include <errno.h>

#define QUESTION_HEAD (4 + SIGN_KEY + 2)
#define ANSWER_HEAD   (4 + 1)

bool
sign_scheme_known(uint16_t scheme)
{
	switch (scheme) {
	case SIGN_RSA_PKCS1_SHA256:
	case SIGN_RSA_PKCS1_SHA384:
	case SIGN_RSA_PKCS1_SHA512:
	case SIGN_ECDSA_SHA256:
	case SIGN_ECDSA_SHA384:
	case SIGN_ECDSA_SHA512:
	case SIGN_RSA_PSS_SHA256:
	case SIGN_RSA_PSS_SHA384:
	case SIGN_RSA_PSS_SHA512:
	case SIGN_ED25519:
		return true;
	default:
		return false;
	}
}

static bool
question_lawful(const struct sign_question *q)
{
	return sign_scheme_known(q->scheme) && q->data.len > 0 &&
	    q->data.len <= SIGN_DATA_MAX;
}

static bool
answer_lawful(const struct sign_answer *a)
{
	return a->status <= SIGN_FAILED &&
	    (a->status == SIGN_OK) == (a->signature.len > 0) &&
	    a->signature.len <= SIGN_SIGNATURE_MAX;
}

/* Head and rest, or nothing at all. */
static int
packet_add(struct buf *out, const char *head, size_t len, struct span rest)
{
	char *to = buf_reserve(out, len + rest.len);

	if (to == NULL)
		return -1;
	memcpy(to, head, len);
	if (rest.len > 0)
		memcpy(to + len, rest.p, rest.len);
	buf_grow(out, len + rest.len);
	return 0;
}

int
sign_question_encode(const struct sign_question *q, struct buf *out)
{
	char head[QUESTION_HEAD];

	if (!question_lawful(q)) {
		errno = EINVAL;
		return -1;
	}
	put_u32(head, q->id);
	memcpy(head + 4, q->key, SIGN_KEY);
	put_u16(head + 4 + SIGN_KEY, q->scheme);
	return packet_add(out, head, sizeof(head), q->data);
}

int
sign_answer_encode(const struct sign_answer *a, struct buf *out)
{
	char head[ANSWER_HEAD];

	if (!answer_lawful(a)) {
		errno = EINVAL;
		return -1;
	}
	put_u32(head, a->id);
	head[4] = (char)a->status;
	return packet_add(out, head, sizeof(head), a->signature);
}

int
sign_question_decode(struct span packet, struct sign_question *q)
{
	if (packet.len < QUESTION_HEAD)
		return -1;
	q->id = get_u32(packet.p);
	memcpy(q->key, packet.p + 4, SIGN_KEY);
	q->scheme = get_u16(packet.p + 4 + SIGN_KEY);
	q->data = span_from(packet, QUESTION_HEAD);
	return question_lawful(q) ? 0 : -1;
}

int
sign_answer_decode(struct span packet, struct sign_answer *a)
{
	if (packet.len < ANSWER_HEAD)
		return -1;
	a->id = get_u32(packet.p);
	a->status = (uint8_t)packet.p[4];
	a->signature = span_from(packet, ANSWER_HEAD);
	return answer_lawful(a) ? 0 : -1;
}
