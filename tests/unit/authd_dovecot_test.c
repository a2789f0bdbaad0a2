/* authd_dovecot_test - lines of Dovecot's auth socket, good and bad. */
#include "authd/outside.h"
#include "authd/secret.h"
#include "tests/unit/check.h"

static const struct {
	const char *name, *in;
	int rv, kind;
	uint32_t id;
	bool temp;
} cases[] = {
	{ "version", "VERSION\t1\t2", 0, DOVECOT_VERSION, 1, false },
	{ "another version", "VERSION\t2\t0", 0, DOVECOT_VERSION, 2, false },
	{ "no version", "VERSION", -1, 0, 0, false },
	{ "a mechanism", "MECH\tPLAIN\tplaintext", 0, DOVECOT_OTHER, 0,
	    false },
	{ "done", "DONE", 0, DOVECOT_DONE, 0, false },
	{ "right", "OK\t17\tuser=a@b.example", 0, DOVECOT_OK, 17, false },
	{ "right, no more said", "OK\t17", 0, DOVECOT_OK, 17, false },
	{ "wrong", "FAIL\t3\tuser=a", 0, DOVECOT_FAIL, 3, false },
	{ "wrong, with a reason", "FAIL\t3\tuser=temp\treason=temp", 0,
	    DOVECOT_FAIL, 3, false },
	{ "later", "FAIL\t3\tuser=a\ttemp", 0, DOVECOT_FAIL, 3, true },
	{ "later, since 2.3", "FAIL\t3\tuser=a\tcode=temp_fail", 0,
	    DOVECOT_FAIL, 3, true },
	{ "go on", "CONT\t4\t", 0, DOVECOT_CONT, 4, false },
	{ "no number", "OK\tx", -1, 0, 0, false },
	{ "a negative number", "OK\t-1", -1, 0, 0, false },
	{ "a big number", "OK\t4294967296", -1, 0, 0, false },
	{ "nothing", "", -1, 0, 0, false },
	{ "a tab alone", "\t", -1, 0, 0, false },
	{ "another protocol", "HTTP/1.1 400 Bad Request\r", 0, DOVECOT_OTHER,
	    0, false },
};

int
main(void)
{
	struct dovecot_reply r;
	struct secret a, b;
	size_t i;

	for (i = 0; i < nitems(cases); i++) {
		check_begin(cases[i].name);
		check_int(dovecot_reply_parse(span_str(cases[i].in), &r),
		    cases[i].rv);
		if (cases[i].rv == -1)
			continue;
		check_int(r.kind, cases[i].kind);
		check_int(r.id, cases[i].id);
		check_int(r.temp, cases[i].temp);
	}
	check_begin("a NUL");
	check_int(dovecot_reply_parse(span_make("OK\t1\0", 5), &r), -1);

	check_begin("two workers have one secret");
	secret_init(&a);
	secret_init(&b);
	check_mem(a.key, sizeof(a.key), b.key, sizeof(b.key));
	return check_end();
}
