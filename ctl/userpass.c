/*
 * ctl/userpass.c - passwords on their way into a users file: typed twice
 * without an echo, read as one line, or made up; and what is kept of them.
 */
#include <crypt.h>
#include <readpassphrase.h>
#include <stdlib.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "ctl/user.h"
#include "lib/mail/usersfile.h"
#include "lib/mail/verifier.h"

/* Twenty of 32 letters that nobody takes for one another: 100 bits. */
#define FRESH_GROUPS 4
#define FRESH_GROUP  5

/* Lead octets tell how many follow; overlong forms and surrogates are wrong. */
static size_t
utf8_length(struct span s)
{
	unsigned char c = (unsigned char)s.p[0], d;
	size_t n = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 :
	    (c & 0xf0) == 0xe0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0, i;

	if (n == 0 || s.len < n)
		return 0;
	for (i = 1; i < n; i++)
		if (((unsigned char)s.p[i] & 0xc0) != 0x80)
			return 0;
	d = n > 1 ? (unsigned char)s.p[1] : 0;
	if ((c == 0xe0 && d < 0xa0) || (c == 0xed && d > 0x9f) ||
	    (c == 0xf0 && d < 0x90) || (c == 0xf4 && d > 0x8f))
		return 0;
	return n;
}

/* What clients can send: no control characters, and UTF-8. */
static int
password_check(const char *password)
{
	struct span s = span_str(password);
	bool ascii = true;
	size_t n;

	if (s.len == 0) {
		complain("the password is empty");
		return EX_DATAERR;
	}
	for (; s.len > 0; s = span_from(s, n)) {
		unsigned char c = (unsigned char)*s.p;

		if ((n = utf8_length(s)) == 0 || c < ' ' || c == 0x7f) {
			complain("the password holds a control character, or "
			    "is not UTF-8");
			return EX_DATAERR;
		}
		ascii = ascii && n == 1;
	}
	if (!ascii)
		complain("note: beyond ASCII, not every program sends a "
		    "password as it was typed here");
	return 0;
}

static int
ask_twice(const char *account, char out[USER_PASSWORD_MAX + 2])
{
	char prompt[USERSFILE_ADDR_MAX + 32], again[USER_PASSWORD_MAX + 2];
	int status = 0;

	snprintf(prompt, sizeof(prompt), "New password of %s: ", account);
	if (readpassphrase(prompt, out, USER_PASSWORD_MAX + 2,
	    RPP_REQUIRE_TTY) == NULL || readpassphrase("Once more: ", again,
	    sizeof(again), RPP_REQUIRE_TTY) == NULL) {
		complain("the terminal cannot be read");
		status = EX_NOINPUT;
	} else if (strcmp(out, again) != 0) {
		complain("these were two different passwords");
		status = EX_DATAERR;
	}
	explicit_bzero(again, sizeof(again));
	return status;
}

/* Up to the first line end, octet by octet: what follows is not ours. */
static int
read_line(char out[USER_PASSWORD_MAX + 2])
{
	size_t n = 0;
	ssize_t got;

	while ((got = read(STDIN_FILENO, out + n, 1)) == 1 && out[n] != '\n')
		if (out[n] == '\0' || ++n > USER_PASSWORD_MAX)
			break;
	if (got == -1) {
		complain("standard input cannot be read");
		return EX_NOINPUT;
	}
	if (n > 0 && got == 1 && out[n] == '\n' && out[n - 1] == '\r')
		n--;
	if (got == 1 && n <= USER_PASSWORD_MAX && out[n] == '\0') {
		complain("the password holds a NUL");
		return EX_DATAERR;
	}
	out[n] = '\0';
	return 0;
}

int
user_password(const char *account, char out[USER_PASSWORD_MAX + 2])
{
	int status = isatty(STDIN_FILENO) == 1 ? ask_twice(account, out) :
	    read_line(out);

	if (status == 0 && strlen(out) > USER_PASSWORD_MAX) {
		complain("a password has at most %d octets",
		    USER_PASSWORD_MAX);
		status = EX_DATAERR;
	}
	return status == 0 ? password_check(out) : status;
}

void
user_password_fresh(char out[USER_PASSWORD_MAX + 2])
{
	static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789";
	size_t n = 0, i;

	for (i = 0; i < FRESH_GROUPS * FRESH_GROUP; i++) {
		if (i > 0 && i % FRESH_GROUP == 0)
			out[n++] = '-';
		out[n++] = letters[arc4random_uniform(sizeof(letters) - 1)];
	}
	out[n] = '\0';
}

int
user_hash_crypt(const char *password, char out[USER_HASH_MAX])
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	struct crypt_data *d = calloc(1, sizeof(*d));
	const char *made = NULL;
	int status = EX_SOFTWARE;

	if (d != NULL && crypt_gensalt_rn(NULL, 0, NULL, 0, setting,
	    sizeof(setting)) != NULL)
		made = crypt_r(password, setting, d);
	if (made != NULL && *made == '$' &&
	    strlcpy(out, made, USER_HASH_MAX) < USER_HASH_MAX)
		status = 0;
	else
		complain("crypt(3) of this host makes no hash");
	if (d != NULL)
		explicit_bzero(d, sizeof(*d));
	free(d);
	return status;
}

int
user_hash_scram(const char *password, const struct verifier *like,
    char out[USER_HASH_MAX])
{
	unsigned char salt[VERIFIER_SALT];
	struct verifier v;

	arc4random_buf(salt, sizeof(salt));
	if (verifier_make(&v, span_str(password), like == NULL ?
	    span_make(salt, sizeof(salt)) :
	    span_make(like->salt, like->nsalt), like == NULL ?
	    VERIFIER_ITERATIONS : like->iterations) == -1) {
		complain("OpenSSL makes no verifier");
		return EX_SOFTWARE;
	}
	verifier_format(&v, out);
	explicit_bzero(&v, sizeof(v));
	return 0;
}

_Static_assert(USER_HASH_MAX >= VERIFIER_TEXT &&
    USER_HASH_MAX > USERSFILE_HASH_MAX, "both kinds fit");
