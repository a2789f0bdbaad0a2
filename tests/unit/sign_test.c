/* sign_test.c - the wire of the sign socket: there and back, and its limits. */
#include "tests/unit/check.h"

#include "lib/net/sign.h"

static const uint16_t schemes[] = {
	SIGN_RSA_PKCS1_SHA256, SIGN_RSA_PKCS1_SHA384, SIGN_RSA_PKCS1_SHA512,
	SIGN_ECDSA_SHA256, SIGN_ECDSA_SHA384, SIGN_ECDSA_SHA512,
	SIGN_RSA_PSS_SHA256, SIGN_RSA_PSS_SHA384, SIGN_RSA_PSS_SHA512,
	SIGN_ED25519
};

static char octets[SIGN_DATA_MAX + 1];

static void
test_questions(void)
{
	struct sign_question q = { .id = 0x01020304 }, got;
	struct buf b = BUF_INIT(SIGN_QUESTION_MAX);
	size_t i;

	memset(q.key, 0xa5, sizeof(q.key));
	q.data = span_str("handshake");
	check_begin("a question, there and back, with each scheme");
	for (i = 0; i < nitems(schemes); i++) {
		q.scheme = schemes[i];
		buf_reset(&b);
		check_int(sign_question_encode(&q, &b), 0);
		check_int(sign_question_decode(buf_span(&b), &got), 0);
		check_int(got.id, q.id);
		check_int(got.scheme, q.scheme);
		check_mem(got.key, sizeof(got.key), q.key, sizeof(q.key));
		check_span(got.data, "handshake");
	}

	check_begin("the octets on the wire");
	check_int(b.len, 4 + 32 + 2 + 9);
	check_mem(buf_span(&b).p, 5, "\x04\x03\x02\x01\xa5", 5);
	check_mem(buf_span(&b).p + 36, 3, "\x07\x08h", 3);

	check_begin("a question cut anywhere in its head, and without data");
	for (i = 0; i <= 4 + 32 + 2; i++)
		check_int(sign_question_decode(span_make(buf_span(&b).p, i),
		    &got), -1);

	check_begin("an unknown scheme");
	q.scheme = 0x0201; /* rsa_pkcs1_sha1 */
	check_int(sign_question_encode(&q, &b), -1);
	memcpy(b.p + b.off + 36, "\x01\x02", 2);
	check_int(sign_question_decode(buf_span(&b), &got), -1);

	check_begin("as much data as there may be, and one octet more");
	q.scheme = SIGN_ED25519;
	q.data = span_make(octets, SIGN_DATA_MAX);
	buf_reset(&b);
	check_int(sign_question_encode(&q, &b), 0);
	check_int(b.len, SIGN_QUESTION_MAX);
	check_int(sign_question_decode(buf_span(&b), &got), 0);
	q.data.len++;
	buf_clear(&b);
	b.max = SIGN_QUESTION_MAX + 1;
	check_int(sign_question_encode(&q, &b), -1);
	check_int(b.len, 0);
	check_int(sign_question_decode(span_make(octets,
	    SIGN_QUESTION_MAX - SIGN_DATA_MAX + 1), &got), -1);
	buf_clear(&b);
}

static void
test_answers(void)
{
	struct sign_answer a = { .id = 7, .status = SIGN_OK }, got;
	struct buf b = BUF_INIT(SIGN_ANSWER_MAX + 1);
	size_t i;

	check_begin("a signature, there and back");
	a.signature = span_str("signed");
	check_int(sign_answer_encode(&a, &b), 0);
	check_mem(buf_span(&b).p, b.len, "\x07\0\0\0\0signed", 11);
	check_int(sign_answer_decode(buf_span(&b), &got), 0);
	check_int(got.id, 7);
	check_int(got.status, SIGN_OK);
	check_span(got.signature, "signed");
	for (i = 0; i <= 5; i++)
		check_int(sign_answer_decode(span_make(buf_span(&b).p, i),
		    &got), -1);

	check_begin("a refusal carries no signature");
	a.status = SIGN_REFUSED;
	check_int(sign_answer_encode(&a, &b), -1);
	a.signature.len = 0;
	buf_reset(&b);
	check_int(sign_answer_encode(&a, &b), 0);
	check_int(sign_answer_decode(buf_span(&b), &got), 0);
	check_int(got.status, SIGN_REFUSED);
	buf_add_char(&b, 'x');
	check_int(sign_answer_decode(buf_span(&b), &got), -1);
	check_int(sign_answer_decode(span_make("\0\0\0\0\x04", 5), &got), -1);

	check_begin("the longest signature, and one octet more");
	a.status = SIGN_OK;
	a.signature = span_make(octets, SIGN_SIGNATURE_MAX);
	buf_reset(&b);
	check_int(sign_answer_encode(&a, &b), 0);
	check_int(b.len, SIGN_ANSWER_MAX);
	buf_add_char(&b, 'x');
	check_int(sign_answer_decode(buf_span(&b), &got), -1);
	a.signature.len++;
	check_int(sign_answer_encode(&a, &b), -1);
	buf_clear(&b);
}

int
main(void)
{
	test_questions();
	test_answers();
	return check_end();
}
