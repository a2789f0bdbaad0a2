/*
 * authd/sasl*.c: each mechanism's messages, right and wrong. SCRAM is held
 * against the examples of RFC 7677 and, where they are, against more vectors,
 * with the proof checked as authd -w does.
 */
#include "authd/sasl.h"
#include "lib/mail/base64.h"
#include "lib/mail/verifier.h"
#include "tests/unit/check.h"
#include "tests/unit/rec.h"

#define NONE NULL /* no message came yet */

static struct buf out = BUF_INIT(4096);
static struct sasl s;

static void
begin(const char *mechanism, const struct sasl_facts *facts)
{
	static const struct sasl_facts none;

	sasl_clear(&s);
	sasl_init(&s, sasl_find(span_str(mechanism)),
	    facts != NULL ? facts : &none);
}

static enum sasl_next
step(const char *p, size_t len)
{
	/* A copy of its own, so that a sanitizer sees one octet too far. */
	char *copy = p == NULL ? NULL : malloc(len + 1);
	enum sasl_next next;

	if (copy != NULL)
		memcpy(copy, p, len);
	next = sasl_step(&s, span_make(copy, len), &out);
	free(copy);
	return next;
}

static enum sasl_next
say(const char *text)
{
	return step(text, text == NULL ? 0 : strlen(text));
}

/* -- PLAIN -------------------------------------------------------------------- */

static const struct {
	const char *name, *in;
	size_t len;
	const char *user, *password; /* user NULL: refused */
} plains[] = {
	{ "plain", "\0user\0pass", 10, "user", "pass" },
	{ "for himself", "user\0user\0pass", 14, "user", "pass" },
	{ "for another", "root\0user\0pass", 14, NULL, NULL },
	{ "UTF-8", "\0\xc3\xbc\0p\xc3\xa4ss", 9, "\xc3\xbc", "p\xc3\xa4ss" },
	{ "blanks in a password", "\0u\0 a\tb ", 8, "u", " a\tb " },
	{ "nothing", "", 0, NULL, NULL },
	{ "no NUL", "user", 4, NULL, NULL },
	{ "one NUL", "\0user", 5, NULL, NULL },
	{ "one NUL later", "user\0pass", 9, NULL, NULL },
	{ "three NULs", "\0user\0pa\0ss", 11, NULL, NULL },
	{ "no name", "\0\0pass", 6, NULL, NULL },
	{ "no password", "\0user\0", 6, NULL, NULL },
	{ "only NULs", "\0\0", 2, NULL, NULL },
	{ "a line end in the name", "\0us\ner\0pass", 11, NULL, NULL },
	{ "DEL in the name", "\0us\x7f" "er\0pass", 11, NULL, NULL },
	{ "a name that is no UTF-8", "\0us\xfc" "er\0pass", 11, NULL, NULL },
};

static void
test_plain(void)
{
	char longest[2 + SASL_NAME_MAX + SASL_PASSWORD_MAX + 1] = "";
	size_t i, n = sizeof(longest) - 1;
	enum sasl_next next;

	for (i = 0; i < nitems(plains); i++) {
		check_begin(plains[i].name);
		begin("PLAIN", NULL);
		next = step(plains[i].in, plains[i].len);
		check_int(next, plains[i].user != NULL ? SASL_PASSWORD :
		    SASL_BAD);
		if (next == SASL_PASSWORD) {
			check_str(s.name, plains[i].user);
			check_str(s.password, plains[i].password);
		}
	}
	check_begin("step by step");
	begin("plain", NULL);
	check_int(say(NONE), SASL_CHALLENGE);
	check_int(out.len, 0);
	check_int(step("\0user\0pass", 10), SASL_PASSWORD);
	check_begin("the longest name and password, and one octet more");
	memset(longest, 'x', sizeof(longest));
	longest[0] = longest[1 + SASL_NAME_MAX] = '\0';
	begin("PLAIN", NULL);
	check_int(step(longest, n), SASL_PASSWORD);
	begin("PLAIN", NULL);
	check_int(step(longest, n + 1), SASL_BAD);
	longest[1 + SASL_NAME_MAX] = 'x';
	longest[2 + SASL_NAME_MAX] = '\0';
	begin("PLAIN", NULL);
	check_int(step(longest, n), SASL_BAD);
}

/* -- LOGIN -------------------------------------------------------------------- */

static void
test_login(void)
{
	check_begin("LOGIN in three messages");
	begin("LOGIN", NULL);
	check_int(say(NONE), SASL_CHALLENGE);
	check_span(buf_span(&out), "Username:");
	check_int(say("user"), SASL_CHALLENGE);
	check_span(buf_span(&out), "Password:");
	check_int(say("pass"), SASL_PASSWORD);
	check_str(s.name, "user");
	check_str(s.password, "pass");
	check_begin("LOGIN with the name at once");
	begin("LOGIN", NULL);
	check_int(say("user"), SASL_CHALLENGE);
	check_span(buf_span(&out), "Password:");
	check_int(say("pass"), SASL_PASSWORD);
	check_begin("no name");
	begin("LOGIN", NULL);
	check_int(say(NONE), SASL_CHALLENGE);
	check_int(say(""), SASL_BAD);
	begin("LOGIN", NULL);
	check_int(say(""), SASL_BAD);
	check_begin("no password");
	begin("LOGIN", NULL);
	check_int(say("user"), SASL_CHALLENGE);
	check_int(say(""), SASL_BAD);
	check_begin("a NUL in either");
	begin("LOGIN", NULL);
	check_int(step("us\0er", 5), SASL_BAD);
	begin("LOGIN", NULL);
	check_int(say("user"), SASL_CHALLENGE);
	check_int(step("pa\0ss", 5), SASL_BAD);
}

/* -- EXTERNAL ----------------------------------------------------------------- */

static void
test_external(void)
{
	struct sasl_facts proved = { .certificate = "user1@example.test" };

	check_begin("EXTERNAL, whoever the certificate says");
	begin("EXTERNAL", &proved);
	check_int(say(""), SASL_CERTIFICATE);
	check_str(s.name, "user1@example.test");
	check_begin("and step by step");
	begin("EXTERNAL", &proved);
	check_int(say(NONE), SASL_CHALLENGE);
	check_int(say("User1@Example.test"), SASL_CERTIFICATE);
	check_begin("as another");
	begin("EXTERNAL", &proved);
	check_int(say("user2@example.test"), SASL_BAD);
	begin("EXTERNAL", &proved);
	check_int(step("user1@example.test\0", 19), SASL_BAD);
	check_begin("without a certificate");
	begin("EXTERNAL", NULL);
	check_int(say(""), SASL_BAD);
}

/* -- SCRAM -------------------------------------------------------------------- */

/* What authd -w knows. */
static struct verifier pencil;
static char salt[64];
static size_t nsalt;

static void
know(const char *password, const char *salt64, uint32_t iterations)
{
	ssize_t n = base64_decode(span_str(salt64), salt, sizeof(salt));

	nsalt = n == -1 ? 0 : (size_t)n;
	check_int(verifier_make(&pencil, span_str(password),
	    span_make(salt, nsalt), iterations), 0);
}

/* The client's two messages under the nonce SERVER; what comes of them. */
static enum sasl_next
scram(const char *server_nonce, const char *first, const char *final)
{
	unsigned char signature[VERIFIER_KEY];
	enum sasl_next next;

	snprintf(s.scram.nonce, sizeof(s.scram.nonce), "%s", server_nonce);
	if ((next = say(first)) != SASL_SALT ||
	    (next = scram_salted(&s, span_make(salt, nsalt),
	    pencil.iterations, &out)) != SASL_CHALLENGE ||
	    (next = say(final)) != SASL_PROOF)
		return next;
	if (!verifier_proof(&pencil, buf_span(&s.scram.auth),
	    span_make(s.scram.proof, sizeof(s.scram.proof)), signature))
		return SASL_BAD;
	return scram_proved(&s, span_make(signature, sizeof(signature)),
	    &out);
}

#define FIRST "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
#define OURS  "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define WHOLE "r=rOprNGfwEbeRWgbNEkqO" OURS
#define PROOF "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="

static void
test_scram_rfc(void)
{
	check_begin("the example of RFC 7677");
	know("pencil", "W22ZaJ0SNY7soEsUEjb6gQ==", 4096);
	begin("SCRAM-SHA-256", NULL);
	check_int(scram(OURS, FIRST, "c=biws," WHOLE "," PROOF),
	    SASL_CHALLENGE);
	check_span(buf_span(&out),
	    "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
	check_int(say(""), SASL_DONE);
	check_str(s.name, "user");
	check_begin("its server-first-message");
	begin("SCRAM-SHA-256", NULL);
	snprintf(s.scram.nonce, sizeof(s.scram.nonce), "%s", OURS);
	check_int(say(NONE), SASL_CHALLENGE);
	check_int(say(FIRST), SASL_SALT);
	check_int(scram_salted(&s, span_make(salt, nsalt), 4096, &out),
	    SASL_CHALLENGE);
	check_span(buf_span(&out),
	    WHOLE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
	check_begin("an answer to the last message that is none");
	begin("SCRAM-SHA-256", NULL);
	check_int(scram(OURS, FIRST, "c=biws," WHOLE "," PROOF),
	    SASL_CHALLENGE);
	check_int(say("x"), SASL_BAD);
	check_begin("done before it was proved");
	begin("SCRAM-SHA-256", NULL);
	check_int(say(FIRST), SASL_SALT);
	check_int(say(""), SASL_BAD);
	check_int(scram_proved(&s, span_make(salt, 16), &out), SASL_BAD);
}

static const struct { const char *name, *in; const char *user; } firsts[] = {
	{ "plain", "n,,n=user,r=abc", "user" },
	{ "for himself", "n,a=user,n=user,r=abc", "user" },
	{ "a comma and an equals sign", "n,,n=a=2Cb=3Dc,r=abc", "a,b=c" },
	{ "escaped for himself", "n,a=a=2Cb,n=a=2Cb,r=abc", "a,b" },
	{ "a client that could bind", "y,,n=user,r=abc", "user" },
	{ "an extension", "n,,n=user,r=abc,x=1", "user" },
	{ "nothing", "", NULL },
	{ "the flag alone", "n", NULL },
	{ "no authzid", "n,", NULL },
	{ "a header alone", "n,,", NULL },
	{ "no nonce", "n,,n=user", NULL },
	{ "an empty nonce", "n,,n=user,r=", NULL },
	{ "a blank in the nonce", "n,,n=user,r=a b", NULL },
	{ "an octet past ASCII in the nonce", "n,,n=user,r=a\xc3\xa4", NULL },
	{ "no name", "n,,n=,r=abc", NULL },
	{ "for another", "n,a=root,n=user,r=abc", NULL },
	{ "an empty authzid", "n,a=,n=user,r=abc", NULL },
	{ "an authzid without its letter", "n,user,n=user,r=abc", NULL },
	{ "a mandatory extension", "n,,m=x,n=user,r=abc", NULL },
	{ "a mandatory extension behind", "n,,n=user,r=abc,m=x", NULL },
	{ "half an extension", "n,,n=user,r=abc,x", NULL },
	{ "an empty extension", "n,,n=user,r=abc,x=", NULL },
	{ "a comma at the end", "n,,n=user,r=abc,", NULL },
	{ "two commas at the end", "n,,n=user,r=abc,x=1,", NULL },
	{ "the other order", "n,,r=abc,n=user", NULL },
	{ "an unknown flag", "z,,n=user,r=abc", NULL },
	{ "capitals", "N,,n=user,r=abc", NULL },
	{ "bound without -PLUS", "p=tls-exporter,,n=user,r=abc", NULL },
	{ "an equals sign alone", "n,,n=a=b,r=abc", NULL },
	{ "an escape in small letters", "n,,n=a=2cb,r=abc", NULL },
	{ "an escape that is cut off", "n,,n=a=2,r=abc", NULL },
	{ "an equals sign at the end", "n,,n=a=,r=abc", NULL },
	{ "a control character", "n,,n=a\tb,r=abc", NULL },
};

static void
test_scram_first(void)
{
	struct sasl_facts offered = { .plus = true, .nexporter = 32 };
	char text[SASL_NONCE_MAX + 64];
	size_t i;

	for (i = 0; i < nitems(firsts); i++) {
		check_begin(firsts[i].name);
		begin("SCRAM-SHA-256", NULL);
		check_int(say(firsts[i].in), firsts[i].user != NULL ?
		    SASL_SALT : SASL_BAD);
		if (firsts[i].user != NULL)
			check_str(s.name, firsts[i].user);
	}
	check_begin("a NUL");
	begin("SCRAM-SHA-256", NULL);
	check_int(step("n,,n=us\0r,r=abc", 15), SASL_BAD);
	begin("SCRAM-SHA-256", NULL);
	check_int(step("n,,n=usr,r=a\0c", 14), SASL_BAD);
	check_begin("y where -PLUS was offered: somebody took it away");
	begin("SCRAM-SHA-256", &offered);
	check_int(say("y,,n=user,r=abc"), SASL_BAD);
	begin("SCRAM-SHA-256", &offered);
	check_int(say("n,,n=user,r=abc"), SASL_SALT);
	check_begin("the longest nonce, and one character more");
	snprintf(text, sizeof(text), "n,,n=user,r=%0*d", SASL_NONCE_MAX, 0);
	begin("SCRAM-SHA-256", NULL);
	check_int(say(text), SASL_SALT);
	snprintf(text, sizeof(text), "n,,n=user,r=%0*d", SASL_NONCE_MAX + 1,
	    0);
	begin("SCRAM-SHA-256", NULL);
	check_int(say(text), SASL_BAD);
	check_begin("two exchanges have two nonces");
	begin("SCRAM-SHA-256", NULL);
	snprintf(text, sizeof(text), "%s", s.scram.nonce);
	check_int(strlen(text), SASL_OWN_NONCE);
	begin("SCRAM-SHA-256", NULL);
	check_true(strcmp(text, s.scram.nonce) != 0);
	check_begin("a salt and a count that nobody could use");
	begin("SCRAM-SHA-256", NULL);
	check_int(say("n,,n=user,r=abc"), SASL_SALT);
	check_int(scram_salted(&s, span_str(""), 4096, &out), SASL_BAD);
	check_int(scram_salted(&s, span_str("salt"), 4095, &out), SASL_BAD);
}

static const struct { const char *name, *in; } finals[] = {
	{ "nothing", "" },
	{ "no proof", "c=biws," WHOLE },
	{ "another proof", "c=biws," WHOLE
	    ",p=AAAbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=" },
	{ "a short proof", "c=biws," WHOLE ",p=dHzbZapWIk4jUhN+Ute9" },
	{ "a proof that is no base64", "c=biws," WHOLE ",p=!!!" },
	{ "another binding", "c=eSws," WHOLE "," PROOF },
	{ "no binding", WHOLE "," PROOF },
	{ "an empty binding", "c=," WHOLE "," PROOF },
	{ "the client's nonce alone",
	    "c=biws,r=rOprNGfwEbeRWgbNEkqO," PROOF },
	{ "more nonce", "c=biws," WHOLE "x," PROOF },
	{ "another nonce", "c=biws,r=x" OURS "," PROOF },
	{ "the other order", WHOLE ",c=biws," PROOF },
	{ "the proof first", PROOF ",c=biws," WHOLE },
	{ "something behind it", "c=biws," WHOLE "," PROOF ",x=1" },
	{ "something between, not proved", "c=biws," WHOLE ",x=1," PROOF },
	{ "half of something between", "c=biws," WHOLE ",x," PROOF },
	{ "two commas", "c=biws," WHOLE ",," PROOF },
	{ "a mandatory extension", "c=biws," WHOLE ",m=1," PROOF },
};

static void
test_scram_final(void)
{
	size_t i;

	know("pencil", "W22ZaJ0SNY7soEsUEjb6gQ==", 4096);
	for (i = 0; i < nitems(finals); i++) {
		check_begin(finals[i].name);
		begin("SCRAM-SHA-256", NULL);
		check_int(scram(OURS, FIRST, finals[i].in), SASL_BAD);
	}
	check_begin("another password");
	know("pen", "W22ZaJ0SNY7soEsUEjb6gQ==", 4096);
	begin("SCRAM-SHA-256", NULL);
	check_int(scram(OURS, FIRST, "c=biws," WHOLE "," PROOF), SASL_BAD);
}

/* c= of a header and a binding. */
static enum sasl_next
bound(const struct sasl_facts *facts, const char *flag, const char *binding,
    size_t len)
{
	char octets[256], text[400], first[256], final[1024];
	int n = snprintf(octets, sizeof(octets), "%s,,", flag);

	memcpy(octets + n, binding, len);
	base64_encode(span_make(octets, (size_t)n + len), text, sizeof(text));
	snprintf(first, sizeof(first), "%s,,n=user,r=abc", flag);
	snprintf(final, sizeof(final), "c=%s,r=abcdef,%s", text, PROOF);
	begin("SCRAM-SHA-256-PLUS", facts);
	snprintf(s.scram.nonce, sizeof(s.scram.nonce), "def");
	if (say(first) != SASL_SALT)
		return SASL_BAD;
	check_int(scram_salted(&s, span_str("saltsalt"), 4096, &out),
	    SASL_CHALLENGE);
	return say(final);
}

static void
test_scram_plus(void)
{
	struct sasl_facts both = { .nexporter = 4, .nend_point = 6,
	    .exporter = "EXPO", .end_point = "\0END\xffP", .plus = true };
	struct sasl_facts one = { .nend_point = 6, .end_point = "POINTS" };

	check_begin("tls-exporter");
	check_int(bound(&both, "p=tls-exporter", "EXPO", 4), SASL_PROOF);
	check_begin("tls-server-end-point");
	check_int(bound(&both, "p=tls-server-end-point", "\0END\xffP", 6),
	    SASL_PROOF);
	check_begin("one's name with the other's octets");
	check_int(bound(&both, "p=tls-exporter", "\0END\xffP", 6), SASL_BAD);
	check_begin("another connection's octets");
	check_int(bound(&both, "p=tls-exporter", "EXPA", 4), SASL_BAD);
	check_begin("none");
	check_int(bound(&both, "p=tls-exporter", "", 0), SASL_BAD);
	check_begin("more than there are");
	check_int(bound(&both, "p=tls-exporter", "EXPO!", 5), SASL_BAD);
	check_begin("a binding that this connection has not");
	check_int(bound(&one, "p=tls-exporter", "", 0), SASL_BAD);
	check_begin("one that nobody has");
	check_int(bound(&both, "p=tls-unique", "EXPO", 4), SASL_BAD);
	check_begin("-PLUS without a binding");
	check_int(bound(&both, "n", "", 0), SASL_BAD);
	check_int(bound(&both, "y", "", 0), SASL_BAD);
}

/* -- the vectors -------------------------------------------------------------- */

static struct span
field(const struct rec *r, const char *key, unsigned nth)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		if (span_eqstr(rec_word(r, i, 0), key) && nth-- == 0)
			return rec_word(r, i, 1);
	return span_make(NULL, 0);
}

static void
replay_scram(const struct rec *r)
{
	struct span server = field(r, "server", 1);
	uint64_t iterations = 0;
	unsigned i;

	check_int(span_u64(field(r, "iterations", 0), 1000000, &iterations),
	    0);
	know(field(r, "password", 0).p, field(r, "salt", 0).p,
	    (uint32_t)iterations);
	begin("SCRAM-SHA-256", NULL);
	check_int(scram(field(r, "server-nonce", 0).p,
	    field(r, "client", 0).p, field(r, "client", 1).p),
	    SASL_CHALLENGE);
	check_mem(out.p + out.off, out.len, server.p, server.len);
	check_str(s.name, field(r, "user", 0).p);
	/* One bit less of the proof is another proof. */
	begin("SCRAM-SHA-256", NULL);
	for (i = 0; i < nsalt; i++)
		salt[i] ^= 1;
	check_int(scram(field(r, "server-nonce", 0).p,
	    field(r, "client", 0).p, field(r, "client", 1).p), SASL_BAD);
}

static void
replay_plain(const struct rec *r)
{
	struct span in = field(r, "client", 0), who = field(r, "authzid", 0);
	bool lawful = span_eqstr(field(r, "valid", 0), "yes") &&
	    (who.len == 0 || span_eq(who, field(r, "user", 0)));

	begin("PLAIN", NULL);
	check_int(step(in.p, in.len), lawful ? SASL_PASSWORD : SASL_BAD);
	if (lawful) {
		check_str(s.name, field(r, "user", 0).p);
		check_str(s.password, field(r, "password", 0).p);
	}
}

static void
test_vectors(void)
{
	static const char *const files[] = { "sasl/scram.rec",
		"sasl/simple.rec" };
	static struct rec r;
	struct span mechanism;
	unsigned n = 0;
	size_t i;

	for (i = 0; i < nitems(files); i++)
		for (rec_open(&r, files[i]); rec_next(&r);) {
			check_begin("vectors");
			mechanism = field(&r, "mechanism", 0);
			if (span_eqstr(mechanism, "SCRAM-SHA-256"))
				replay_scram(&r);
			else if (span_eqstr(mechanism, "PLAIN"))
				replay_plain(&r);
			else
				continue;
			n++;
		}
	printf("%u vectors\n", n);
}

int
main(void)
{
	sasl_init(&s, sasl_find(span_str("PLAIN")), &(struct sasl_facts){ 0 });
	check_begin("mechanisms that there are not");
	check_true(sasl_find(span_str("CRAM-MD5")) == NULL);
	check_true(sasl_find(span_str("")) == NULL);
	check_true(sasl_find(span_str("SCRAM-SHA-256-PLU")) == NULL);
	test_plain();
	test_login();
	test_external();
	test_scram_rfc();
	test_scram_first();
	test_scram_final();
	test_scram_plus();
	test_vectors();
	sasl_clear(&s);
	buf_clear(&out);
	return check_end();
}
