/*
 * authd_password_test - app passwords, SCRAM, and accounts that are not there,
 * asked of authd -w over a channel as authd does.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "authd/worker.h"
#include "lib/clock.h"
#include "lib/mail/usersfile.h"
#include "lib/mail/verifier.h"
#include "lib/mem.h"
#include "tests/unit/check.h"
#include "tests/unit/fake_peer.h"

static struct worker worker;

/* What the last answer said. */
static struct answer {
	bool come;
	uint8_t status;
	uint32_t iterations;
	char octets[VERIFIER_SALT_MAX];
	size_t n;
} got;

static struct side {
	struct loop loop;
	struct channel worker, authd;
} s;

static void
sides_up(void)
{
	static const struct ipc_handler asked[] = {
		{ IPC_PW_NAME,  on_nothing },
		{ IPC_PW_UID,   on_nothing },
		{ IPC_PW_CHECK, on_nothing },
		{ IPC_PW_SCRAM, on_pw_scram },
		{ IPC_PW_PROOF, on_pw_proof },
		IPC_HANDLERS_END
	};
	static const struct ipc_handler told[] = {
		{ IPC_USERS_BEGIN, on_nothing },
		{ IPC_USERS_ROW,   on_nothing },
		{ IPC_USERS_END,   on_nothing },
		IPC_HANDLERS_END
	};
	int sv[2];

	peer_pair(sv);
	loop_init(&s.loop);
	channel_init(&s.worker, &s.loop, ROLE_AUTHW, ROLE_AUTHD, asked,
	    &worker);
	channel_init(&s.authd, &s.loop, ROLE_AUTHD, ROLE_AUTHW, told, NULL);
	channel_open(&s.worker, sv[0]);
	channel_open(&s.authd, sv[1]);
}

static int
on_answer(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd;
	struct span octets;

	(void)arg;
	got.come = true;
	got.status = PW_TEMP;
	if (m == NULL)
		return 0;
	rd = ipc_reader(m);
	got.status = ipc_get_u8(&rd);
	got.iterations = m->type == IPC_PW_SALT ? ipc_get_u32(&rd) : 0;
	octets = ipc_get_span(&rd, sizeof(got.octets));
	check_true(ipc_at_end(&rd));
	memcpy(got.octets, octets.p, octets.len);
	got.n = octets.len;
	return 0;
}

static struct ipc_writer
question(enum ipc_type type, const char *address)
{
	uint32_t request = channel_request(&s.authd, 10000, on_answer, NULL);
	struct ipc_writer w = ipc_begin(&s.authd, type, request, 0);

	memset(&got, 0, sizeof(got));
	ipc_put_str(&w, "virtual");
	ipc_put_str(&w, address);
	return w;
}

static void
answered(struct ipc_writer *w)
{
	check_int(ipc_end(w), 0);
	while (!got.come)
		loop_run_once(&s.loop, 100);
}

static void
ask_salt(const char *address, uint8_t service)
{
	struct ipc_writer w = question(IPC_PW_SCRAM, address);

	ipc_put_u8(&w, service);
	answered(&w);
}

/* A client with this password, that was given this salt. */
static void
ask_proof(const char *address, uint8_t service, const struct answer *salt,
    const char *password)
{
	struct span given = span_make(salt->octets, salt->n);
	struct verifier v;
	struct ipc_writer w = question(IPC_PW_PROOF, address);

	/* For the test StoredKey serves as ClientKey: the proof of a verifier
	 * whose ClientKey nobody knows cannot be made from it. */
	check_int(verifier_make(&v, span_str(password), given,
	    salt->iterations), 0);
	ipc_put_u8(&w, service);
	ipc_put_span(&w, given);
	ipc_put_str(&w, "message");
	ipc_put_span(&w, span_make(v.stored, sizeof(v.stored)));
	answered(&w);
}

static char *
verifier_of(const char *password, const char *salt, char out[VERIFIER_TEXT])
{
	struct verifier v;

	check_int(verifier_make(&v, span_str(password), span_str(salt), 4096),
	    0);
	verifier_format(&v, out);
	return out;
}

static void
load(const char *text)
{
	struct hashed_users *u;
	int fd = memfd_create("users", MFD_CLOEXEC);

	if (worker.users == NULL) {
		worker.users = xcalloc(1, sizeof(*worker.users));
		worker.nusers = 1;
	}
	u = worker.users;
	u->name = (char *)(uintptr_t)"virtual";
	u->file = (char *)(uintptr_t)"users";
	u->passwords = PASSWORDS_FILE;
	if (fd == -1 || write(fd, text, strlen(text)) == -1 ||
	    hashed_read(u, fd, true, 1000, true) == -1)
		exit(1);
	close(fd);
}

static uint8_t
check(const char *address, const char *password, uint8_t service)
{
	return password_check(&worker, span_str("virtual"), span_str(address),
	    password, service);
}

static void
test_app_passwords(void)
{
	char text[8192], a[VERIFIER_TEXT], b[VERIFIER_TEXT], c[VERIFIER_TEXT];
	char yesterday[USERS_DAY_TEXT], today[USERS_DAY_TEXT];
	uint32_t day = (uint32_t)(clock_now_s() / 86400);

	users_day_format(day - 1, yesterday);
	users_day_format(day, today);
	snprintf(text, sizeof(text), "u : %s, %s label=p scope=pop3 until=%s, "
	    "%s label=old until=%s\nc : "
	    "$6$saltsalt$Kl.hT/OjhmdRoBWN5PoBL2ehJ/z7BxV6bPwHrETHNMFPz90Fh3s."
	    "zKLlV4C4X6Aa8R2R/G.9i1g1pWKBSuDKt1\n",
	    verifier_of("main", "saltsalt", a),
	    verifier_of("phone", "saltsalt", b), today,
	    verifier_of("old", "saltsalt", c), yesterday);
	load(text);
	check_begin("PLAIN against verifiers");
	check_int(check("u", "main", LISTEN_POP3), PW_OK);
	check_int(check("u", "main", LISTEN_SUBMISSION), PW_OK);
	check_int(check("u", "wrong", LISTEN_POP3), PW_WRONG);
	check_int(check("u", "", LISTEN_POP3), PW_WRONG);
	check_begin("scope and date");
	check_int(check("u", "phone", LISTEN_POP3), PW_OK);
	check_int(check("u", "phone", LISTEN_SUBMISSION), PW_WRONG);
	check_int(check("u", "old", LISTEN_POP3), PW_WRONG);
	check_begin("nobody has the password of who stands for him");
	check_int(check("nobody", "main", LISTEN_POP3), PW_WRONG);
	check_int(check("no@where", "phone", LISTEN_POP3), PW_WRONG);
	check_begin("crypt(3) beside it keeps SCRAM away");
	check_true(!worker.users[0].scram);
	check_begin("another block's name");
	check_int(password_check(&worker, span_str("staff"), span_str("u"),
	    "main", LISTEN_POP3), PW_WRONG);
}

static void
test_complete(void)
{
	char text[8192], a[VERIFIER_TEXT], b[VERIFIER_TEXT];

	check_begin("verifiers alone");
	snprintf(text, sizeof(text), "u : %s, %s label=p\nv : *\nw : "
	    "$6$x : : : nologin\n", verifier_of("main", "saltsalt", a),
	    verifier_of("phone", "saltsalt", b));
	load(text);
	check_true(worker.users[0].scram);
	check_begin("two salts for one account");
	snprintf(text, sizeof(text), "u : %s, %s label=p\n",
	    verifier_of("main", "saltsalt", a),
	    verifier_of("phone", "saltsals", b));
	load(text);
	check_true(!worker.users[0].scram);
}

static void
test_scram(void)
{
	char text[8192], a[VERIFIER_TEXT], b[VERIFIER_TEXT];
	struct answer first, salt;

	snprintf(text, sizeof(text), "u : %s : 2000\nlocked : *\n"
	    "other : %s scope=pop3\n", verifier_of("main", "saltsaltsalt", a),
	    verifier_of("other", "pepperpepper", b));
	load(text);
	check_begin("the account's own salt");
	ask_salt("u", LISTEN_POP3);
	check_int(got.status, PW_OK);
	check_int(got.iterations, 4096);
	check_mem(got.octets, got.n, "saltsaltsalt", 12);
	salt = got;
	check_begin("a wrong proof");
	ask_proof("u", LISTEN_POP3, &salt, "wrong");
	check_int(got.status, PW_WRONG);
	check_int(got.n, 0);
	check_begin("nobody's is as long, stays, and is nobody else's");
	ask_salt("nobody@example.test", LISTEN_POP3);
	check_int(got.status, PW_OK);
	check_int(got.iterations, 4096);
	check_int(got.n, 12);
	first = got;
	ask_salt("nobody@example.test", LISTEN_POP3);
	check_mem(got.octets, got.n, first.octets, first.n);
	ask_salt("nobody2@example.test", LISTEN_POP3);
	check_true(memcmp(got.octets, first.octets, 12) != 0);
	ask_salt("locked", LISTEN_POP3);
	check_int(got.n, 12);
	check_true(memcmp(got.octets, salt.octets, 12) != 0);
	check_begin("nobody proves nothing");
	ask_proof("nobody@example.test", LISTEN_POP3, &first, "main");
	check_int(got.status, PW_WRONG);
	check_begin("out of scope looks alike");
	ask_salt("other", LISTEN_SUBMISSION);
	check_mem(got.octets, got.n, "pepperpepper", 12);
	check_begin("a hash of crypt(3) looks like a verifier");
	snprintf(text, sizeof(text), "u : %s\nc : $6$x : : : nologin\n",
	    verifier_of("main", "saltsaltsalt", a));
	load(text);
	ask_salt("c", LISTEN_POP3);
	check_int(got.iterations, 4096);
	check_int(got.n, 12);
	ask_salt("nobody3", LISTEN_POP3);
	check_int(got.iterations, 4096);
	check_int(got.n, 12);
	check_begin("a file without passwords");
	load("a : *\n");
	ask_salt("a", LISTEN_POP3);
	check_int(got.status, PW_OK);
	check_int(got.iterations, VERIFIER_ITERATIONS);
	check_int(got.n, VERIFIER_SALT);
}

/* The exchange of RFC 7677, with the worker as the server. */
static void
test_proof(void)
{
	static const char message[] =
	    "n=user,r=rOprNGfwEbeRWgbNEkqO,"
	    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
	    "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
	    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
	static const unsigned char proof[VERIFIER_KEY] = {
	    0x74, 0x7c, 0xdb, 0x65, 0xaa, 0x56, 0x22, 0x4e, 0x23, 0x52, 0x13,
	    0x7e, 0x52, 0xd7, 0xbd, 0xca, 0xd6, 0xa0, 0xf7, 0x38, 0xdf, 0x30,
	    0x78, 0x2c, 0xaa, 0x69, 0xa2, 0xcf, 0xb0, 0x27, 0x75, 0x54 };
	struct answer salt;
	struct ipc_writer w;
	int scoped;

	for (scoped = 0; scoped < 2; scoped++) {
		check_begin(scoped ? "a proof out of scope" :
		    "the proof of RFC 7677");
		load(scoped ? "user : SCRAM-SHA-256$4096:"
		    "W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXk"
		    "uLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU= "
		    "scope=imap\n" : "user : SCRAM-SHA-256$4096:"
		    "W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXk"
		    "uLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU= "
		    "\n");
		ask_salt("user", LISTEN_POP3);
		salt = got;
		w = question(IPC_PW_PROOF, "user");
		ipc_put_u8(&w, LISTEN_POP3);
		ipc_put_span(&w, span_make(salt.octets, salt.n));
		ipc_put_str(&w, message);
		ipc_put_span(&w, span_make(proof, sizeof(proof)));
		answered(&w);
		check_int(got.status, scoped ? PW_WRONG : PW_OK);
		check_int(got.n, scoped ? 0 : VERIFIER_KEY);
	}
}

int
main(void)
{
	secret_init(&worker.secret);
	sides_up();
	test_app_passwords();
	test_complete();
	test_scram();
	test_proof();
	channel_abandon(&s.worker);
	channel_abandon(&s.authd);
	loop_clear(&s.loop);
	hashed_clear(worker.users);
	x_free(&worker.users);
	return check_end();
}
