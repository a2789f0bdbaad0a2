/*
 * authd/password.c - is this the password? In authd -w. Whether an account is
 * missing, locked, or has another password shows neither in the answer nor in
 * the time that it took: a name that nobody has is taken for some account of
 * the same file, always the same, and its passwords are tried.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <pwd.h>
#include <shadow.h>
#include <stdlib.h>

#include "authd/worker.h"
#include "lib/clock.h"
#include "lib/mail/usersfile.h"
#include "lib/mail/verifier.h"
#include "lib/log.h"

#define SPENT_FALLBACK "$6$barid.no.account" /* sha512crypt */
#define DAY_S          86400

static bool
hash_is_usable(const char *hash)
{
	return *hash == '$';
}

static bool
hash_fits(struct worker *w, const char *hash, const char *password)
{
	const char *made = crypt_r(password, hash, &w->crypt);
	size_t n = strlen(hash);

	return made != NULL && strlen(made) == n && *made != '*' &&
	    CRYPTO_memcmp(made, hash, n) == 0;
}

/* The work of a check, and never a success. */
static void
spend(struct worker *w, const char *setting, const char *password)
{
	const char *made = crypt_r(password, setting, &w->crypt);

	if (made == NULL || *made == '*')
		(void)crypt_r(password, SPENT_FALLBACK, &w->crypt);
}

/* -- accounts of a users file -- */

static bool
verifier_fits(const struct verifier *v, const char *password)
{
	struct verifier made;
	bool fits = verifier_make(&made, span_str(password),
	    span_make(v->salt, v->nsalt), v->iterations) == 0 &&
	    verifier_same_keys(&made, v);

	explicit_bzero(&made, sizeof(made));
	return fits;
}

static bool
one_fits(struct worker *w, const struct hashed_one *one, const char *password)
{
	struct verifier v;
	bool fits;

	if (verifier_parse(one->text, &v) == -1)
		return hash_fits(w, one->text.p, password);
	fits = verifier_fits(&v, password);
	explicit_bzero(&v, sizeof(v));
	return fits;
}

bool
hashed_usable(const struct hashed_one *one, uint8_t service)
{
	if (one->scope != 0 && (one->scope & USERS_SCOPE(service)) == 0)
		return false;
	return one->until == USERSFILE_NO_UNTIL ||
	    clock_now_s() / DAY_S <= one->until;
}

/* Passwords that are out of scope or date are tried all the same: what is left
 * of an account is not to be seen in the time. */
static uint8_t
check_file(struct worker *w, const struct hashed_users *u,
    struct span address, const char *password, uint8_t service)
{
	struct hashed_walk walk;
	struct hashed_one one;
	uint64_t place = secret_place(&w->secret, address);
	bool known = hashed_find(u, address, &walk);

	if (!u->loaded)
		return PW_TEMP;
	if (!known && !hashed_model(u, place, &walk))
		spend(w, SPENT_FALLBACK, password);
	while (hashed_next(&walk, &one))
		if (one_fits(w, &one, password) && known &&
		    hashed_usable(&one, service))
			return PW_OK;
	return PW_WRONG;
}

/* -- accounts of the host -- */

static int
passwd_field(const char *name, char *out, size_t size, char *room,
    size_t room_size)
{
	struct passwd pw, *found;
	int error = getpwnam_r(name, &pw, room, room_size, &found);

	if (error != 0 && error != ENOENT && error != ESRCH)
		return -1;
	out[0] = '\0';
	if (found != NULL && hash_is_usable(pw.pw_passwd))
		(void)span_copy(span_str(pw.pw_passwd), out, size);
	return 0;
}

/* The hash of an account, or "": none, locked, expired. -1: cannot tell now. */
static int
system_hash(const char *name, char *out, size_t size)
{
	char room[16384];
	struct spwd sp, *found = NULL;
	int error = getspnam_r(name, &sp, room, sizeof(room), &found), rv = 0;

	out[0] = '\0';
	if (found != NULL) {
		bool expired = sp.sp_expire > 0 &&
		    clock_now_s() / DAY_S >= sp.sp_expire;

		if (!expired && hash_is_usable(sp.sp_pwdp))
			(void)span_copy(span_str(sp.sp_pwdp), out, size);
	} else if (error == EACCES) {
		log_warnx("/etc/shadow cannot be read: is this program's "
		    "group shadow?");
		rv = -1;
	} else {
		rv = passwd_field(name, out, size, room, sizeof(room));
	}
	explicit_bzero(room, sizeof(room));
	return rv;
}

static uint8_t
check_system(struct worker *w, struct span address, const char *password)
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	char name[256], hash[CRYPT_OUTPUT_SIZE];
	bool fits = false;

	if (span_copy(address, name, sizeof(name)) == -1 ||
	    system_hash(name[0] == '\0' ? "-" : name, hash,
	    sizeof(hash)) == -1)
		return PW_TEMP;
	if (hash[0] != '\0')
		fits = hash_fits(w, hash, password);
	else if (crypt_gensalt_rn(NULL, 0, NULL, 0, setting,
	    sizeof(setting)) != NULL) /* as passwd(1) makes them here */
		spend(w, setting, password);
	else
		spend(w, SPENT_FALLBACK, password);
	explicit_bzero(hash, sizeof(hash));
	return fits ? PW_OK : PW_WRONG;
}

const struct hashed_users *
worker_users(const struct worker *w, struct span block)
{
	size_t i;

	for (i = 0; i < w->nusers; i++)
		if (span_eqstr(block, w->users[i].name))
			return &w->users[i];
	return NULL;
}

uint8_t
password_check(struct worker *w, struct span block, struct span address,
    const char *password, uint8_t service)
{
	const struct hashed_users *u = worker_users(w, block);
	uint8_t status = PW_WRONG;

	if (u == NULL)
		spend(w, SPENT_FALLBACK, password);
	else if (u->passwords == PASSWORDS_SHADOW)
		status = check_system(w, address, password);
	else
		status = check_file(w, u, address, password, service);
	explicit_bzero(&w->crypt, sizeof(w->crypt));
	return status;
}
