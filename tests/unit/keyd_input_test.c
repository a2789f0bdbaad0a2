/*
 * tests/unit/keyd_input_test.c - what keyd takes for the input of a signature
 * of TLS, and everything that comes near and is none.
 */
#include "keyd/input.h"
#include "lib/buf.h"
#include "tests/unit/check.h"

#define SERVER "TLS 1.3, server CertificateVerify"
#define CLIENT "TLS 1.3, client CertificateVerify"
#define MAX    70000

static void
add(struct buf *b, int octet, size_t n)
{
	while (n-- > 0)
		buf_add_char(b, (char)octet);
}

static void
judge(const char *name, struct buf *b, enum input_kind want)
{
	check_begin(name);
	check_int(input_judge(buf_span(b)), want);
	buf_reset(b);
}

/* -- TLS 1.3 --------------------------------------------------------------- */

static void
put_13(struct buf *b, size_t pad, int with, const char *context, int end,
    size_t hash)
{
	add(b, with, pad);
	buf_add_str(b, context);
	add(b, end, 1);
	add(b, 0xab, hash);
}

static void
test_13(struct buf *b)
{
	static const struct {
		const char *name;
		size_t pad;
		int with;
		const char *context;
		int end;
		size_t hash;
		enum input_kind want;
	} cases[] = {
		{ "server", 64, ' ', SERVER, 0, 32, INPUT_SERVER_13 },
		{ "server, SHA-384", 64, ' ', SERVER, 0, 48, INPUT_SERVER_13 },
		{ "client", 64, ' ', CLIENT, 0, 32, INPUT_CLIENT_13 },
		{ "client, SHA-384", 64, ' ', CLIENT, 0, 48, INPUT_CLIENT_13 },
		{ "no hash", 64, ' ', SERVER, 0, 0, INPUT_NONE },
		{ "short hash", 64, ' ', SERVER, 0, 31, INPUT_NONE },
		{ "long hash", 64, ' ', SERVER, 0, 33, INPUT_NONE },
		{ "SHA-1", 64, ' ', SERVER, 0, 20, INPUT_NONE },
		{ "SHA-512", 64, ' ', SERVER, 0, 64, INPUT_NONE },
		{ "63 spaces", 63, ' ', SERVER, 0, 33, INPUT_NONE },
		{ "65 spaces", 65, ' ', SERVER, 0, 31, INPUT_NONE },
		{ "tabs", 64, '\t', SERVER, 0, 32, INPUT_NONE },
		{ "no zero", 64, ' ', SERVER, 1, 32, INPUT_NONE },
		{ "another context", 64, ' ',
		    "TLS 1.3, server CertificateVerifx", 0, 32, INPUT_NONE },
		{ "delegated credentials", 64, ' ',
		    "TLS, server delegated credentials", 0, 32, INPUT_NONE },
		{ "lower case", 64, ' ',
		    "tls 1.3, server certificateverify", 0, 32, INPUT_NONE },
	};
	size_t i;

	for (i = 0; i < nitems(cases); i++) {
		put_13(b, cases[i].pad, cases[i].with, cases[i].context,
		    cases[i].end, cases[i].hash);
		judge(cases[i].name, b, cases[i].want);
	}
}

/* -- ServerKeyExchange of TLS 1.2 ------------------------------------------ */

static void
put_ske(struct buf *b, size_t randoms, int type, unsigned curve, size_t said,
    int form, size_t point)
{
	add(b, 0x5a, randoms);
	add(b, type, 1);
	add(b, (int)(curve >> 8), 1);
	add(b, (int)(curve & 0xff), 1);
	add(b, (int)said, 1);
	if (point > 0) {
		add(b, form, 1);
		add(b, 0x77, point - 1);
	}
}

static void
test_ske(struct buf *b)
{
	static const struct {
		const char *name;
		size_t randoms;
		int type;
		unsigned curve;
		size_t said;
		int form;
		size_t point;
		enum input_kind want;
	} cases[] = {
		{ "x25519", 64, 3, 29, 32, 9, 32, INPUT_SERVER_12 },
		{ "x448", 64, 3, 30, 56, 9, 56, INPUT_SERVER_12 },
		{ "P-256", 64, 3, 23, 65, 4, 65, INPUT_SERVER_12 },
		{ "P-384", 64, 3, 24, 97, 4, 97, INPUT_SERVER_12 },
		{ "P-521", 64, 3, 25, 133, 4, 133, INPUT_SERVER_12 },
		{ "a compressed point", 64, 3, 23, 33, 2, 33, INPUT_NONE },
		{ "a hybrid point", 64, 3, 23, 65, 6, 65, INPUT_NONE },
		{ "another length", 64, 3, 29, 33, 9, 33, INPUT_NONE },
		{ "the length of another curve", 64, 3, 23, 97, 4, 97,
		    INPUT_NONE },
		{ "no point", 64, 3, 29, 0, 0, 0, INPUT_NONE },
		{ "cut short", 64, 3, 29, 32, 9, 31, INPUT_NONE },
		{ "more behind", 64, 3, 29, 32, 9, 33, INPUT_NONE },
		{ "explicit prime", 64, 1, 29, 32, 9, 32, INPUT_NONE },
		{ "explicit char2", 64, 2, 29, 32, 9, 32, INPUT_NONE },
		{ "sect283r1", 64, 3, 9, 65, 4, 65, INPUT_NONE },
		{ "secp256k1", 64, 3, 22, 65, 4, 65, INPUT_NONE },
		{ "brainpool", 64, 3, 26, 65, 4, 65, INPUT_NONE },
		{ "a prime field (ffdhe2048)", 64, 3, 256, 65, 4, 65,
		    INPUT_NONE },
		{ "no such curve", 64, 3, 0, 65, 4, 65, INPUT_NONE },
		{ "one random", 32, 3, 29, 32, 9, 32, INPUT_NONE },
		{ "63 octets in front", 63, 3, 29, 32, 9, 32, INPUT_NONE },
	};
	size_t i;

	for (i = 0; i < nitems(cases); i++) {
		put_ske(b, cases[i].randoms, cases[i].type, cases[i].curve,
		    cases[i].said, cases[i].form, cases[i].point);
		judge(cases[i].name, b, cases[i].want);
	}
}

/* -- CertificateVerify of a client, TLS 1.2 -------------------------------- */

static void
message(struct buf *b, int type, const void *body, size_t len)
{
	add(b, type, 1);
	add(b, (int)(len >> 16), 1);
	add(b, (int)(len >> 8 & 0xff), 1);
	add(b, (int)(len & 0xff), 1);
	buf_add(b, body, len);
}

/* One message after the letters of story; '<' cuts the last octet off. */
static void
put_story(struct buf *b, const char *story)
{
	char hello[64] = { 3, 3 }, point[33] = { 32 };
	static const char certs[] = "\0\0\3abc", none[] = "\0\0\0",
	    bad_certs[] = "\0\0\2abc";

	for (; *story != '\0'; story++)
		switch (*story) {
		case 'C': message(b, 1, hello, sizeof(hello)); break;
		case 'S': message(b, 2, hello, sizeof(hello)); break;
		case 'c': message(b, 11, certs, 6); break;
		case 'n': message(b, 11, none, 3); break;
		case 'b': message(b, 11, bad_certs, 6); break;
		case 'o': message(b, 22, "\1..", 3); break;
		case 'k': message(b, 12, "key", 3); break;
		case 'r': message(b, 13, "request", 7); break;
		case 'd': message(b, 14, "", 0); break;
		case 'D': message(b, 14, "x", 1); break;
		case 'x': message(b, 16, point, sizeof(point)); break;
		case 'X': message(b, 16, point, sizeof(point) - 1); break;
		case 'v': message(b, 15, "verify", 6); break;
		case 'f': message(b, 20, "finished", 8); break;
		case 'h': message(b, 0, "", 0); break;
		case 't': message(b, 4, "ticket", 6); break;
		case '3': hello[1] = 1; break;      /* TLS 1.0 */
		case 'l': hello[34] = 33; break;    /* too long a session id */
		case 'z': hello[34] = 32; break;    /* the longest */
		case '<': b->len--; break;
		case '>': add(b, 0, 1); break;
		}
}

static void
test_client_12(struct buf *b)
{
	static const struct { const char *story; bool good; } cases[] = {
		{ "CSckrdcx", true }, { "CScokrdcx", true },
		{ "CSckrdnx", true }, { "CScokrdnx", true },
		{ "CzSckrdcx", false /* 64 octets hold no more */ },
		{ "CSckrdcx>", false }, { "CSckrdcx<", false },
		{ "CSckrdcX", false }, { "CSckrDcx", false },
		{ "CSckrdbx", false }, { "CSbkrdcx", false },
		{ "", false }, { "C", false }, { "CS", false },
		{ "Sckrdcx", false }, { "CSckrdc", false },
		{ "CSckdcx", false /* nobody asked for a certificate */ },
		{ "CScrdcx", false /* RSA key exchange */ },
		{ "CSkrdcx", false }, { "CSckrcx", false },
		{ "CSckrdx", false }, { "CSCckrdcx", false },
		{ "hCSckrdcx", false }, { "CScookrdcx", false },
		{ "CSckrdocx", false }, { "CSckrdcxv", false },
		{ "CSckrdcxf", false }, { "tCSckrdcx", false },
		{ "CSckrdcxx", false }, { "CSckrdcxCSckrdcx", false },
		{ "C3Sckrdcx", false }, { "3CSckrdcx", false },
		{ "lCSckrdcx", false }, { "CSokrdcx", false },
	};
	size_t i;

	for (i = 0; i < nitems(cases); i++) {
		put_story(b, cases[i].story);
		judge(cases[i].story, b, cases[i].good ? INPUT_CLIENT_12
		    : INPUT_NONE);
	}
	check_begin("each way to cut a good one");
	put_story(b, "CScokrdcx");
	for (i = 0; i < b->len; i++)
		check_int(input_judge(span_make(buf_span(b).p, i)),
		    INPUT_NONE);
	buf_reset(b);
}

/* What an attacker would like to have signed. */
static void
test_foreign(struct buf *b)
{
	static const char der[] = "0\x82\x01\x0a\x02\x01\x00" "0\x1b";
	size_t n;

	judge("nothing", b, INPUT_NONE);
	buf_add(b, der, sizeof(der) - 1);
	add(b, 0x30, 260);
	judge("a certificate", b, INPUT_NONE);
	buf_add_str(b, "SSH-2.0-x");
	judge("SSH", b, INPUT_NONE);
	add(b, 0xd5, 32);
	judge("a bare digest", b, INPUT_NONE);
	put_13(b, 64, ' ', SERVER, 0, 32);
	add(b, 'x', 1);
	judge("one octet behind", b, INPUT_NONE);
	check_begin("zeros and spaces of every length");
	for (n = 0; n < 400; n++) {
		add(b, 0, n);
		check_int(input_judge(buf_span(b)), INPUT_NONE);
		buf_reset(b);
		add(b, ' ', n);
		check_int(input_judge(buf_span(b)), INPUT_NONE);
		buf_reset(b);
	}
}

static void
test_roles(void)
{
	static const enum role servers[] = { ROLE_SMTPD, ROLE_POP3D };
	size_t i;
	int kind;

	for (i = 0; i < nitems(servers); i++) {
		check_begin(role_name(servers[i]));
		check_true(input_role_may(INPUT_SERVER_13, servers[i]));
		check_true(input_role_may(INPUT_SERVER_12, servers[i]));
		check_true(!input_role_may(INPUT_CLIENT_13, servers[i]));
		check_true(!input_role_may(INPUT_CLIENT_12, servers[i]));
		check_true(!input_role_may(INPUT_NONE, servers[i]));
	}
	check_begin("relay");
	check_true(input_role_may(INPUT_CLIENT_13, ROLE_RELAY));
	check_true(input_role_may(INPUT_CLIENT_12, ROLE_RELAY));
	check_true(!input_role_may(INPUT_SERVER_13, ROLE_RELAY));
	check_true(!input_role_may(INPUT_SERVER_12, ROLE_RELAY));
	check_true(!input_role_may(INPUT_NONE, ROLE_RELAY));
	check_begin("anybody else");
	for (kind = INPUT_NONE; kind <= INPUT_CLIENT_12; kind++) {
		check_true(!input_role_may((enum input_kind)kind, ROLE_LOGD));
		check_true(!input_role_may((enum input_kind)kind,
		    ROLE_RESOLVER));
	}
}

int
main(void)
{
	struct buf b = BUF_INIT(MAX);

	test_13(&b);
	test_ske(&b);
	test_client_12(&b);
	test_foreign(&b);
	test_roles();
	buf_clear(&b);
	return check_end();
}
