/* Tests lib/mail/date.c. */
#include "lib/mail/date.h"
#include "tests/unit/check.h"
#include "tests/unit/rec.h"

static const struct {
	const char *in;
	int rv;
	int64_t out;
} dates[] = {
	{ "Fri, 21 Nov 1997 09:55:06 -0600", 0, 880127706 },
	{ "21 Nov 97 09:55 GMT", 0, 880106100 },
	{ "Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", 0, 880127706 },
	{ "Thu, 1 Jan 1970 00:00:00 +0000", 0, 0 },
	{ "Thu Jan  1 00:00:01 1970", 0, 1 },
	{ "Thu Jan  1 00:00:01 EST 1970", 0, 18001 },
	{ "1-Jan-1970 00:00:00 +0100", 0, -3600 },
	{ "Fri, 6 September 2018 10:00:00 -0700", 0, 1536253200 },
	{ "1 Mar 2000 00:00:00 Z", 0, 951868800 },
	{ "29 Feb 2000 00:00 XYZ", 0, 951782400 },
	{ "29 Feb 1900 00:00:00 Z", -1, 0 },
	{ "30 Feb 2000 00:00:00 Z", -1, 0 },
	{ "0 Jan 2000 00:00:00 Z", -1, 0 },
	{ "1 Foo 2000 00:00:00 Z", -1, 0 },
	{ "1 Jan 2000 24:00:00 Z", -1, 0 },
	{ "1 Jan 2000 23:60:00 Z", -1, 0 },
	{ "1 Jan 2000 23:00:61 Z", -1, 0 },
	{ "1 Jan 2000 23 Z", -1, 0 },
	{ "1 Jan 10000 23:00 Z", -1, 0 },
	{ "1 Jan 99999999999 23:00 Z", -1, 0 },
	{ "1 Jan 2000 23:00 +01", -1, 0 },
	{ "1 Jan 2000 23:00 +0160", -1, 0 },
	{ "Sat", -1, 0 },
	{ "(((((", -1, 0 },
	{ "", -1, 0 },
};

static void
test_parse(void)
{
	int64_t v;
	size_t i;
	int rv;

	for (i = 0; i < nitems(dates); i++) {
		check_begin(dates[i].in);
		rv = date_parse(span_str(dates[i].in), &v);
		if (check_int(rv, dates[i].rv) && rv == 0)
			check_int(v, dates[i].out);
	}
}

static void
test_format(void)
{
	char out[DATE_TEXT];
	int64_t back;
	time_t t;

	setenv("TZ", "XYZ+03:30", 1);
	tzset();
	check_begin("format");
	check_str(date_format(880127706, out),
	    "Fri, 21 Nov 1997 12:25:06 -0330");
	check_str(date_format_mbox(880127706, out),
	    "Fri Nov 21 15:55:06 1997");
	date_format(INT64_MAX, out);
	check_int(date_parse(span_str(out), &back), 0);
	check_begin("there and back");
	for (t = 0; t < 8000000000; t += 86399 * 11) {
		check_int(date_parse(span_str(date_format(t, out)), &back), 0);
		check_int(back, t);
		check_int(date_parse(span_str(date_format_mbox(t, out)),
			&back), 0);
		check_int(back, t);
	}
}

static void
test_vectors(void)
{
	static struct rec r;
	char text[30];
	int64_t v;

	for (rec_open(&r, "headers/dates.rec"); rec_next(&r);) {
		check_begin(rec_str(&r, "date"));
		if (!check_int(date_parse(rec_get(&r, "date"), &v), 0))
			continue;
		snprintf(text, sizeof(text), "%" PRId64, v);
		check_str(text, rec_str(&r, "unix"));
	}
}

int
main(void)
{
	test_parse();
	test_format();
	test_vectors();
	return check_end();
}
