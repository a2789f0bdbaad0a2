/* pop3d/sasl.c: responses of PLAIN. */
#include "pop3d/pop3d.h"
#include "tests/unit/check.h"

static const struct {
	const char *name, *in, *user, *password; /* user NULL: refused */
} cases[] = {
	{ "plain", "AHVzZXIAcGFzcw==", "user", "pass" },
	{ "for himself", "dXNlcgB1c2VyAHBhc3M=", "user", "pass" },
	{ "for another", "dXNlMQB1c2VyAHBhc3M=", NULL, NULL },
	{ "no padding", "AHVzZXIAcGFzcw", NULL, NULL },
	{ "padding in the middle", "AHVz=XIAcGFzcw==", NULL, NULL },
	{ "three of it", "AHVzZXIAcGFzc===", NULL, NULL },
	{ "nothing", "", NULL, NULL },
	{ "a blank", "AHVzZXIA cGFzcw==", NULL, NULL },
	{ "one NUL", "AHVzZXI=", NULL, NULL },
	{ "no NUL", "dXNlcg==", NULL, NULL },
	{ "three NULs", "AHVzZXIAcGEAc3M=", NULL, NULL },
	{ "no name", "AABwYXNz", NULL, NULL },
	{ "no password", "AHVzZXIA", NULL, NULL },
	{ "only padding", "====", NULL, NULL },
	{ "-_ of URLs", "AHVzZXIAcGF_cw==", NULL, NULL },
};

int
main(void)
{
	char name[LOGIN_NAME_MAX + 1], password[LOGIN_PASSWORD_MAX + 1];
	static char huge[8192];
	size_t i, len;
	int rv;

	for (i = 0; i < nitems(cases); i++) {
		check_begin(cases[i].name);
		rv = sasl_plain(span_str(cases[i].in), name, password, &len);
		check_int(rv, cases[i].user != NULL ? 0 : -1);
		if (rv == 0) {
			check_str(name, cases[i].user);
			check_str(password, cases[i].password);
			check_int(len, strlen(cases[i].password));
		}
	}
	check_begin("far too long");
	memset(huge, 'A', sizeof(huge));
	check_int(sasl_plain(span_make(huge, sizeof(huge)), name, password,
	    &len), -1);
	return check_end();
}
