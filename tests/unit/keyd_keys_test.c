/*
 * tests/unit/keyd_keys_test.c - who may use which key, how long an old one
 * stays, and what a question over a sign socket gets for an answer.
 */
#include <sys/socket.h>

#include "keyd/keyd.h"
#include "lib/conf.h"
#include "lib/log.h"
#include "tests/unit/check.h"
#include "tests/unit/keyd_key.h"

#define PEM_MAX 65536

/* Keys a, b, c ...: a file each, and its name. */
enum { A, B, C, D, KEYS };
static struct {
	struct buf pem;
	uint8_t name[SIGN_KEY];
} made[KEYS];

static const char two_blocks[] =
    "config 1 for keyd\nhost mx.here.test\n"
    "tls main { cert /c1; key /k1 }\n"
    "tls out { cert /c2; key /k2 }\n"
    "listen mx { port 25; tls main offered }\n"
    "listen submission { port 465; tls main immediate }\n"
    "listen pop3 { port 110; tls main required }\n"
    "route { to far.test via mx { certificate out } }\n";

static const char one_block[] =
    "config 1 for keyd\nhost mx.here.test\n"
    "tls main { cert /c1; key /k1 }\n"
    "listen mx { port 25; tls main offered }\n"
    "listen pop3 { port 110 }\n";

static void
keys_make(void)
{
	char why[100];
	EVP_PKEY *p;
	struct key *k;
	size_t i;

	for (i = 0; i < KEYS; i++) {
		p = make_pkey(i == D ? "ED25519" : "P-256");
		buf_init(&made[i].pem, PEM_MAX);
		put_pem(p, NULL, &made[i].pem);
		k = key_parse(buf_span(&made[i].pem), why, sizeof(why));
		memcpy(made[i].name, k->name, SIGN_KEY);
		key_drop(k);
		EVP_PKEY_free(p);
	}
}

static struct conf *
conf_of(const char *text)
{
	struct conf_errors errors = { 0 };
	struct conf *c = conf_parse(span_str(text), "test", false, &errors);

	if (c == NULL) {
		printf("the configuration is refused: %s\n",
		    errors.list[0].text);
		exit(1);
	}
	conf_errors_clear(&errors);
	return c;
}

static void
give(struct keys *k, const char *path, struct span text)
{
	int fd = file_with(text);

	keys_file(k, path, fd);
	close(fd);
}

static bool
may(const struct keys *k, enum role role, int key)
{
	return keys_find(k, role, made[key].name) != NULL;
}

static void
used(struct keys *k, struct keys_user *u, const char *block, int key)
{
	check_int(keys_used(k, u, span_str(block), made[key].name), 0);
}

/* Two programs of smtpd, one of pop3d and one of relay, both blocks loaded. */
struct play {
	struct keys keys;
	struct conf *conf;
	struct keys_user smtp1, smtp2, pop, relay;
};

static void
play_begin(struct play *p, const char *name)
{
	check_begin(name);
	*p = (struct play){ .smtp1.role = ROLE_SMTPD,
		.smtp2.role = ROLE_SMTPD, .pop.role = ROLE_POP3D,
		.relay.role = ROLE_RELAY };
	p->conf = conf_of(two_blocks);
	give(&p->keys, "/k1", buf_span(&made[A].pem));
	give(&p->keys, "/k2", buf_span(&made[B].pem));
	keys_apply(&p->keys, p->conf);
	keys_user_add(&p->keys, &p->smtp1);
	keys_user_add(&p->keys, &p->smtp2);
	keys_user_add(&p->keys, &p->pop);
	keys_user_add(&p->keys, &p->relay);
	used(&p->keys, &p->smtp1, "main", A);
	used(&p->keys, &p->smtp2, "main", A);
	used(&p->keys, &p->pop, "main", A);
	used(&p->keys, &p->relay, "out", B);
}

static void
play_end(struct play *p)
{
	keys_user_remove(&p->keys, &p->smtp1);
	keys_user_remove(&p->keys, &p->smtp2);
	keys_user_remove(&p->keys, &p->pop);
	keys_user_remove(&p->keys, &p->relay);
	keys_clear(&p->keys);
	conf_free(p->conf);
}

static void
play_file(struct play *p, const char *path, int key)
{
	give(&p->keys, path, buf_span(&made[key].pem));
	keys_apply(&p->keys, p->conf);
}

static void
test_roles(void)
{
	struct play p;

	play_begin(&p, "each role its keys");
	check_int((intmax_t)keys_count(&p.keys), 2);
	check_true(may(&p.keys, ROLE_SMTPD, A));
	check_true(may(&p.keys, ROLE_POP3D, A));
	check_true(!may(&p.keys, ROLE_RELAY, A));
	check_true(may(&p.keys, ROLE_RELAY, B));
	check_true(!may(&p.keys, ROLE_SMTPD, B));
	check_true(!may(&p.keys, ROLE_POP3D, B));
	check_true(!may(&p.keys, ROLE_SMTPD, C));
	check_true(!may(&p.keys, ROLE_LOGD, A));
	play_end(&p);
}

static void
test_replace(void)
{
	struct play p;

	play_begin(&p, "a key is replaced");
	play_file(&p, "/k1", C);
	check_true(may(&p.keys, ROLE_SMTPD, A) && may(&p.keys, ROLE_SMTPD, C));
	check_true(may(&p.keys, ROLE_POP3D, A) && may(&p.keys, ROLE_POP3D, C));
	check_int((intmax_t)keys_count(&p.keys), 3);
	used(&p.keys, &p.smtp1, "main", C);
	check_true(may(&p.keys, ROLE_SMTPD, A)); /* smtp2 has it still */
	used(&p.keys, &p.smtp2, "main", C);
	check_true(!may(&p.keys, ROLE_SMTPD, A));
	check_true(may(&p.keys, ROLE_POP3D, A));
	used(&p.keys, &p.pop, "main", C);
	check_true(!may(&p.keys, ROLE_POP3D, A));
	check_int((intmax_t)keys_count(&p.keys), 2);
	play_end(&p);

	play_begin(&p, "another block's word counts for nothing");
	play_file(&p, "/k1", C);
	used(&p.keys, &p.smtp1, "other", C);
	used(&p.keys, &p.smtp2, "main", C);
	check_true(may(&p.keys, ROLE_SMTPD, A));
	play_end(&p);

	play_begin(&p, "one role's word counts for itself alone");
	play_file(&p, "/k1", C);
	used(&p.keys, &p.relay, "main", C);
	used(&p.keys, &p.pop, "main", C);
	check_true(may(&p.keys, ROLE_SMTPD, A));
	check_true(!may(&p.keys, ROLE_POP3D, A));
	play_end(&p);

	play_begin(&p, "there and back again");
	play_file(&p, "/k1", C);
	play_file(&p, "/k1", A);
	check_int((intmax_t)keys_count(&p.keys), 2); /* nobody uses C */
	check_true(may(&p.keys, ROLE_SMTPD, A));
	check_true(!may(&p.keys, ROLE_SMTPD, C));
	play_end(&p);
}

static void
test_coming_and_going(void)
{
	struct keys_user late = { .role = ROLE_SMTPD };
	struct play p;

	play_begin(&p, "the last user goes");
	play_file(&p, "/k1", C);
	used(&p.keys, &p.smtp1, "main", C);
	keys_user_remove(&p.keys, &p.smtp2);
	check_true(!may(&p.keys, ROLE_SMTPD, A));
	play_end(&p);

	play_begin(&p, "nobody is connected: perhaps he comes back");
	play_file(&p, "/k1", C);
	keys_user_remove(&p.keys, &p.smtp1);
	keys_user_remove(&p.keys, &p.smtp2);
	check_true(may(&p.keys, ROLE_SMTPD, A));
	keys_user_add(&p.keys, &late);
	check_true(may(&p.keys, ROLE_SMTPD, A)); /* has not spoken yet */
	used(&p.keys, &late, "main", A);         /* the old certificate */
	check_true(may(&p.keys, ROLE_SMTPD, A));
	used(&p.keys, &late, "main", C);
	check_true(!may(&p.keys, ROLE_SMTPD, A));
	keys_user_remove(&p.keys, &late);
	play_end(&p);
}

static void
test_broken(void)
{
	struct play p;

	play_begin(&p, "a broken file keeps the old key");
	give(&p.keys, "/k1", span_str("nothing of the kind"));
	keys_apply(&p.keys, p.conf);
	check_true(may(&p.keys, ROLE_SMTPD, A));
	give(&p.keys, "/k1", span_make("", 0));
	keys_apply(&p.keys, p.conf);
	check_true(may(&p.keys, ROLE_SMTPD, A));
	check_int((intmax_t)keys_count(&p.keys), 2);
	play_file(&p, "/k1", C);
	check_true(may(&p.keys, ROLE_SMTPD, C));
	play_end(&p);

	play_begin(&p, "a file of the largest size, and one octet more");
	{
		struct buf big = BUF_INIT(KEY_FILE_MAX + 1);

		buf_add_span(&big, buf_span(&made[C].pem));
		while (big.len < KEY_FILE_MAX)
			buf_add_char(&big, '\n');
		give(&p.keys, "/k1", buf_span(&big));
		keys_apply(&p.keys, p.conf);
		check_true(may(&p.keys, ROLE_SMTPD, C));
		buf_add_char(&big, '\n');
		give(&p.keys, "/k2", buf_span(&big));
		keys_apply(&p.keys, p.conf);
		check_true(!may(&p.keys, ROLE_RELAY, C));
		check_true(may(&p.keys, ROLE_RELAY, B));
		buf_clear(&big);
	}
	play_end(&p);
}

static void
test_reload(void)
{
	struct play p;

	play_begin(&p, "a block and a listener go");
	conf_free(p.conf);
	p.conf = conf_of(one_block);
	keys_apply(&p.keys, p.conf);
	check_true(may(&p.keys, ROLE_SMTPD, A));
	/* those who began before may have sessions in progress */
	check_true(may(&p.keys, ROLE_POP3D, A));
	check_true(may(&p.keys, ROLE_RELAY, B));
	keys_user_remove(&p.keys, &p.pop);
	check_true(!may(&p.keys, ROLE_POP3D, A));
	keys_user_remove(&p.keys, &p.relay);
	check_true(!may(&p.keys, ROLE_RELAY, B));
	check_int((intmax_t)keys_count(&p.keys), 1);
	play_end(&p);

	play_begin(&p, "the file of a block is another one");
	conf_free(p.conf);
	p.conf = conf_of(
	    "config 1 for keyd\nhost mx.here.test\n"
	    "tls main { cert /c1; key /k9 }\n"
	    "listen mx { port 25; tls main offered }\n"
	    "listen pop3 { port 110; tls main required }\n");
	give(&p.keys, "/k9", buf_span(&made[D].pem)); /* comes first */
	keys_apply(&p.keys, p.conf);
	check_true(may(&p.keys, ROLE_SMTPD, A) && may(&p.keys, ROLE_SMTPD, D));
	used(&p.keys, &p.smtp1, "main", D);
	keys_user_remove(&p.keys, &p.smtp2);
	check_true(!may(&p.keys, ROLE_SMTPD, A));
	check_true(may(&p.keys, ROLE_POP3D, A));
	play_end(&p);
}

static bool
count_warnings(void *arg, const struct event_out *e)
{
	unsigned *n = arg;

	*n += e->code == EV_WARNING;
	return true;
}

static void
test_complaints(void)
{
	unsigned n = 0;
	struct play p;

	play_begin(&p, "certificates that have another key");
	log_attach(count_warnings, &n);
	keys_complain(&p.keys);
	check_int(n, 0);
	used(&p.keys, &p.pop, "main", C);
	used(&p.keys, &p.relay, "gone", C); /* of an old configuration */
	keys_complain(&p.keys);
	keys_complain(&p.keys);
	check_int(n, 1);
	used(&p.keys, &p.pop, "main", C);
	keys_complain(&p.keys);
	check_int(n, 1);
	used(&p.keys, &p.pop, "main", D);
	keys_complain(&p.keys);
	check_int(n, 2);
	play_file(&p, "/k1", D);
	keys_complain(&p.keys);
	check_int(n, 2);
	log_attach(NULL, NULL);
	play_end(&p);
}

static void
test_bounds(void)
{
	char name[16];
	struct play p;
	int i;

	play_begin(&p, "more words than blocks");
	for (i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "b%d", i);
		if (keys_used(&p.keys, &p.pop, span_str(name),
		    made[A].name) == -1)
			break;
	}
	check_true(i > 200 && i < 300);
	check_true(may(&p.keys, ROLE_POP3D, A));
	keys_complain(&p.keys);
	play_end(&p);
}

/* -- questions ------------------------------------------------------------- */

static void
handshake(struct buf *out, const char *context)
{
	size_t i;

	buf_reset(out);
	for (i = 0; i < 64; i++)
		buf_add_char(out, ' ');
	buf_add(out, context, strlen(context) + 1);
	for (i = 0; i < 32; i++)
		buf_add_char(out, (char)i);
}

static int
status_of(struct sign *s, int key, uint16_t scheme, struct span data)
{
	struct buf ask = BUF_INIT(SIGN_QUESTION_MAX);
	struct buf got = BUF_INIT(SIGN_ANSWER_MAX);
	struct sign_question q = { .id = 77, .scheme = scheme, .data = data };
	struct sign_answer a = { .status = 99 };

	memcpy(q.key, made[key].name, SIGN_KEY);
	check_int(sign_question_encode(&q, &ask), 0);
	check_int(sign_answer(s, buf_span(&ask), &got), 0);
	check_int(sign_answer_decode(buf_span(&got), &a), 0);
	check_int(a.id, 77);
	buf_clear(&ask);
	buf_clear(&got);
	return a.status;
}

static void
test_questions(void)
{
	struct sign_counts counts = { 0, 0 };
	struct buf data = BUF_INIT(1000), got = BUF_INIT(SIGN_ANSWER_MAX);
	struct sign smtp, relay;
	struct play p;

	play_begin(&p, "questions");
	sign_init(&smtp, &p.keys, &counts, ROLE_SMTPD);
	sign_init(&relay, &p.keys, &counts, ROLE_RELAY);
	handshake(&data, "TLS 1.3, server CertificateVerify");
	check_int(status_of(&smtp, A, SIGN_ECDSA_SHA256, buf_span(&data)),
	    SIGN_OK);
	check_int(status_of(&smtp, A, SIGN_ECDSA_SHA384, buf_span(&data)),
	    SIGN_REFUSED);
	check_int(status_of(&smtp, A, SIGN_RSA_PSS_SHA256, buf_span(&data)),
	    SIGN_REFUSED);
	check_int(status_of(&smtp, B, SIGN_ECDSA_SHA256, buf_span(&data)),
	    SIGN_NO_KEY);
	check_int(status_of(&smtp, C, SIGN_ECDSA_SHA256, buf_span(&data)),
	    SIGN_NO_KEY);
	check_int(status_of(&relay, B, SIGN_ECDSA_SHA256, buf_span(&data)),
	    SIGN_REFUSED);
	handshake(&data, "TLS 1.3, client CertificateVerify");
	check_int(status_of(&relay, B, SIGN_ECDSA_SHA256, buf_span(&data)),
	    SIGN_OK);
	check_int(status_of(&smtp, A, SIGN_ECDSA_SHA256, buf_span(&data)),
	    SIGN_REFUSED);
	check_int(status_of(&smtp, A, SIGN_ECDSA_SHA256,
	    span_str("pay to the bearer")), SIGN_REFUSED);
	check_int((intmax_t)counts.signatures, 2);
	check_int((intmax_t)counts.refused, 7);
	check_int(sign_answer(&smtp, span_str("what?"), &got), -1);
	check_int((intmax_t)counts.refused, 8);
	buf_clear(&data);
	buf_clear(&got);
	play_end(&p);
}

/* Over a socket, as it is in life; then what ends it. */
static void
test_socket(void)
{
	struct sign_counts counts = { 0, 0 };
	struct buf data = BUF_INIT(1000), ask = BUF_INIT(SIGN_QUESTION_MAX);
	struct sign_question q = { .id = 5, .scheme = SIGN_ECDSA_SHA256 };
	struct sign_answer a;
	char got[SIGN_ANSWER_MAX];
	struct loop loop;
	struct sign s;
	struct play p;
	int sv[2], other[2], i;
	ssize_t n;

	play_begin(&p, "over a socket");
	loop_init(&loop);
	sign_init(&s, &p.keys, &counts, ROLE_SMTPD);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, other) == -1 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv) == -1)
		exit(1);
	check_int(sign_open(&s, &loop, other[0]), -1); /* of another kind */
	close(other[1]);
	check_int(sign_open(&s, &loop, file_with(span_str("x"))), -1);
	check_int(sign_open(&s, &loop, sv[0]), 0);
	handshake(&data, "TLS 1.3, server CertificateVerify");
	memcpy(q.key, made[A].name, SIGN_KEY);
	q.data = buf_span(&data);
	sign_question_encode(&q, &ask);
	for (i = 0; i < 3; i++) {
		n = send(sv[1], buf_span(&ask).p, ask.len, 0);
		check_int(n, (intmax_t)ask.len);
		loop_run_once(&loop, 1000);
		n = recv(sv[1], got, sizeof(got), MSG_DONTWAIT);
		check_true(n > 0);
		check_int(sign_answer_decode(span_make(got,
		    n > 0 ? (size_t)n : 0), &a), 0);
		check_int(a.status, SIGN_OK);
	}
	check_true(s.fd != -1);
	send(sv[1], "nonsense", 8, 0);
	loop_run_once(&loop, 1000);
	check_int(s.fd, -1);
	check_int(recv(sv[1], got, sizeof(got), MSG_DONTWAIT), 0);
	close(sv[1]);
	sign_close(&s); /* twice is allowed */
	loop_clear(&loop);
	buf_clear(&data);
	buf_clear(&ask);
	play_end(&p);
}

/* -- tickets --------------------------------------------------------------- */

static void
test_tickets(void)
{
	struct tickets t, before;

	check_begin("tickets");
	tickets_init(&t);
	check_true(!t.has_previous);
	check_true(memcmp(&t.current, &t.next, sizeof(t.next)) != 0);
	before = t;
	tickets_rotate(&t);
	check_true(t.has_previous);
	check_true(memcmp(&t.current, &before.next, sizeof(t.next)) == 0);
	check_true(memcmp(&t.previous, &before.current, sizeof(t.next)) == 0);
	check_true(memcmp(&t.next, &before.next, sizeof(t.next)) != 0);
	tickets_wipe(&t);
	check_true(!t.has_previous && t.current.aes[0] == 0);
}

int
main(void)
{
	size_t i;

	keys_make();
	log_stderr_level(LOG_L_ERROR);
	test_roles();
	test_replace();
	test_coming_and_going();
	test_broken();
	test_reload();
	test_complaints();
	test_bounds();
	test_questions();
	test_socket();
	test_tickets();
	for (i = 0; i < KEYS; i++)
		buf_wipe(&made[i].pem);
	return check_end();
}
