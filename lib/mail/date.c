/*
 * lib/mail/date.c - writes and reads dates without strptime and locales, whose
 * month names are not those of mail.
 */
#include "lib/mail/date.h"

#include <stdio.h>

#include "lib/mail/cfws.h"

#define YEAR_MAX 9999

static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
	"Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri",
	"Sat" };

static const struct {
	const char *name;
	int minutes;
} zones[] = {
	{ "UT", 0 }, { "UTC", 0 }, { "GMT", 0 }, { "EDT", -240 },
	{ "EST", -300 }, { "CDT", -300 }, { "CST", -360 }, { "MDT", -360 },
	{ "MST", -420 }, { "PDT", -420 }, { "PST", -480 },
};

/* Years that have no four digits would not be read again. */
static time_t
within_years(time_t t)
{
	const time_t last = 253402214400; /* 9999-12-31, a day for any zone */

	return t < 0 ? 0 : t > last ? last : t;
}

const char *
date_format(time_t t, char out[DATE_TEXT])
{
	struct tm tm;
	int off;

	t = within_years(t);
	if (localtime_r(&t, &tm) == NULL)
		gmtime_r(&t, &tm);
	off = (int)tm.tm_gmtoff / 60;
	snprintf(out, DATE_TEXT, "%s, %d %s %d %02d:%02d:%02d %c%02d%02d",
	    days[tm.tm_wday % 7], tm.tm_mday, months[tm.tm_mon % 12],
	    tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec,
	    off < 0 ? '-' : '+', (off < 0 ? -off : off) / 60 % 100,
	    (off < 0 ? -off : off) % 60);
	return out;
}

const char *
date_format_mbox(time_t t, char out[DATE_TEXT])
{
	struct tm tm = { 0 };

	t = within_years(t);
	gmtime_r(&t, &tm);
	snprintf(out, DATE_TEXT, "%s %s %2d %02d:%02d:%02d %d",
	    days[tm.tm_wday % 7], months[tm.tm_mon % 12], tm.tm_mday,
	    tm.tm_hour, tm.tm_min, tm.tm_sec, tm.tm_year + 1900);
	return out;
}

static bool
take_char(struct span *in, char c)
{
	cfws_skip(in);
	if (in->len == 0 || in->p[0] != c)
		return false;
	*in = span_from(*in, 1);
	return true;
}

static struct span
take_word(struct span *in)
{
	size_t n = 0;

	cfws_skip(in);
	while (n < in->len && ascii_lower(in->p[n]) >= 'a' &&
	    ascii_lower(in->p[n]) <= 'z')
		n++;
	*in = span_from(*in, n);
	return span_make(in->p - n, n);
}

/* digits: how many there were; at most eight are taken. */
static int
take_number(struct span *in, int *value, size_t *digits)
{
	uint64_t v;
	size_t n = 0;

	cfws_skip(in);
	while (n < in->len && n < 8 && in->p[n] >= '0' && in->p[n] <= '9')
		n++;
	if (n == 0 || span_u64(span_make(in->p, n), 99999999, &v) == -1)
		return -1;
	*in = span_from(*in, n);
	*value = (int)v;
	*digits = n;
	return 0;
}

/* "Sep", "Sept" and "September" alike: three letters tell a name. */
static int
name_find(const char *const *names, int n, struct span word)
{
	int i;

	if (word.len < 3)
		return -1;
	for (i = 0; i < n; i++)
		if (span_caseeq(span_make(word.p, 3), names[i]))
			return i;
	return -1;
}

static int
take_year(struct span *in, int *year)
{
	size_t digits;

	if (take_number(in, year, &digits) == -1 || digits < 2 ||
	    *year > YEAR_MAX)
		return -1;
	/* RFC 5322 section 4.3: two and three digits */
	if (digits == 3 || (digits == 2 && *year >= 50))
		*year += 1900;
	else if (digits == 2)
		*year += 2000;
	return 0;
}

static int
take_time(struct span *in, struct tm *tm)
{
	size_t n;

	if (take_number(in, &tm->tm_hour, &n) == -1 || n > 2 ||
	    !take_char(in, ':') || take_number(in, &tm->tm_min, &n) == -1 ||
	    n > 2)
		return -1;
	if (take_char(in, ':') &&
	    (take_number(in, &tm->tm_sec, &n) == -1 || n > 2))
		return -1;
	return tm->tm_hour > 23 || tm->tm_min > 59 || tm->tm_sec > 60 ? -1 : 0;
}

/* Minutes ahead of UTC; what is unknown counts as UTC (RFC 5322 4.3). */
static int
take_zone(struct span *in, int *minutes)
{
	bool minus = take_char(in, '-');
	struct span word;
	size_t i, digits;
	int v;

	*minutes = 0;
	if (minus || take_char(in, '+')) {
		if (take_number(in, &v, &digits) == -1 || digits != 4 ||
		    v % 100 > 59)
			return -1;
		*minutes = (v / 100 * 60 + v % 100) * (minus ? -1 : 1);
		return 0;
	}
	word = take_word(in);
	for (i = 0; i < nitems(zones); i++)
		if (span_caseeq(word, zones[i].name))
			*minutes = zones[i].minutes;
	return 0;
}

/* Days from 1970-01-01 by the Gregorian calendar. */
static int64_t
day_number(int year, int month, int day)
{
	int64_t y = month <= 1 ? year - 1 : year, era, yoe, doy;

	era = (y >= 0 ? y : y - 399) / 400;
	yoe = y - era * 400;
	doy = (153 * (month > 1 ? month - 2 : month + 10) + 2) / 5 + day - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static bool
day_is_valid(int year, int month, int day)
{
	static const char last[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31,
		30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return day >= 1 && day <= last[month] + (month == 1 && leap);
}

/* "21 Nov 2026 11:03:34 +0000" or "Nov 21 11:03:34 2026" into tm. */
static int
take_date(struct span *in, struct tm *tm, int *minutes)
{
	struct span word = take_word(in);
	size_t n;

	if (word.len > 0 && name_find(days, nitems(days), word) != -1 &&
	    name_find(months, nitems(months), word) == -1) {
		take_char(in, ',');
		word = take_word(in);
	}
	if (word.len > 0) { /* ctime(3), a zone before the year perhaps */
		tm->tm_mon = name_find(months, nitems(months), word);
		if (take_number(in, &tm->tm_mday, &n) == -1 ||
		    take_time(in, tm) == -1 || take_zone(in, minutes) == -1)
			return -1;
		return take_year(in, &tm->tm_year);
	}
	if (take_number(in, &tm->tm_mday, &n) == -1)
		return -1;
	take_char(in, '-');
	tm->tm_mon = name_find(months, nitems(months), take_word(in));
	take_char(in, '-');
	if (take_year(in, &tm->tm_year) == -1 || take_time(in, tm) == -1)
		return -1;
	return take_zone(in, minutes);
}

int
date_parse(struct span in, int64_t *out)
{
	struct tm tm = { 0 };
	int minutes;

	if (take_date(&in, &tm, &minutes) == -1 || tm.tm_mon == -1 ||
	    !day_is_valid(tm.tm_year, tm.tm_mon, tm.tm_mday))
		return -1;
	*out = day_number(tm.tm_year, tm.tm_mon, tm.tm_mday) * 86400 +
	    tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec - minutes * 60;
	return 0;
}
