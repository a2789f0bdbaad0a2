/*
 * ctl/print.c - records on paper: for people, and as JSON for programs. Texts
 * come from strangers; nothing in them may reach a terminal as a control.
 */
#include <stdarg.h>
#include <time.h>

#include "ctl/ctl.h"
#include "lib/log.h"

void
put_safe(FILE *f, struct span s)
{
	size_t i;

	for (i = 0; i < s.len; i++)
		if (s.p[i] >= ' ' && s.p[i] <= '~')
			fputc(s.p[i], f);
		else
			fprintf(f, "\\x%02x", (unsigned char)s.p[i]);
}

void
put_lines(FILE *f, struct span s)
{
	struct span line;

	while (s.len > 0) {
		bool ends = span_find(s, '\n') != -1;

		span_split(s, '\n', &line, &s);
		if (line.len > 0 && line.p[line.len - 1] == '\r')
			line.len--;
		for (; line.len > 0 && line.p[0] == '\t';
		    line = span_from(line, 1))
			fputc('\t', f); /* folded header fields */
		put_safe(f, line);
		if (ends)
			fputc('\n', f);
	}
}

void
put_json(FILE *f, struct span s)
{
	size_t i;

	fputc('"', f);
	for (i = 0; i < s.len; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			fprintf(f, "\\%c", s.p[i]);
		else if (s.p[i] >= ' ' && s.p[i] <= '~')
			fputc(s.p[i], f);
		else
			fprintf(f, "\\u%04x", (unsigned char)s.p[i]);
	}
	fputc('"', f);
}

static void
put_value(FILE *f, const struct ctl_field *x)
{
	char id[QID_TEXT], date[HUMAN_MAX];
	time_t t = (time_t)x->number;
	struct tm tm;

	switch (x->kind) {
	case CTL_TEXT:
		put_json(f, x->text);
		return;
	case CTL_QID:
		fprintf(f, "\"%s\"", qid_format(x->number, id));
		return;
	case CTL_TIME:
		if (gmtime_r(&t, &tm) != NULL && strftime(date, sizeof(date),
		    "%Y-%m-%dT%H:%M:%SZ", &tm) > 0) {
			fprintf(f, "\"%s\"", date);
			return;
		}
		break;
	default:
		break;
	}
	fprintf(f, "%llu", (unsigned long long)x->number);
}

void
put_record(FILE *f, const struct fields *r)
{
	size_t i;

	fputc('{', f);
	for (i = 0; i < r->n; i++) {
		if (i > 0)
			fputc(',', f);
		put_json(f, r->list[i].key);
		fputc(':', f);
		put_value(f, &r->list[i]);
	}
	fputs("}\n", f);
}

const char *
human_time(int64_t seconds, char out[HUMAN_MAX])
{
	static const struct { int64_t s; const char *name; } units[] = {
		{ 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" }
	};
	size_t i = 0;

	if (seconds < 0)
		seconds = 0;
	/* Of the two units that would do the smaller one: 90 min, 36 h. */
	while (i < 3 && seconds < 2 * units[i].s)
		i++;
	snprintf(out, HUMAN_MAX, "%lld %s", (long long)seconds / units[i].s,
	    units[i].name);
	return out;
}

const char *
human_octets(uint64_t octets, char out[HUMAN_MAX])
{
	static const char letters[] = "KMGT";
	uint64_t tenths = octets * 10 / 1024;
	size_t i = 0;

	if (octets < 1024) {
		snprintf(out, HUMAN_MAX, "%u", (unsigned)octets);
		return out;
	}
	while (tenths >= 10240 && letters[i + 1] != '\0') {
		tenths /= 1024;
		i++;
	}
	if (tenths < 100)
		snprintf(out, HUMAN_MAX, "%u.%u%c", (unsigned)(tenths / 10),
		    (unsigned)(tenths % 10), letters[i]);
	else
		snprintf(out, HUMAN_MAX, "%llu%c",
		    (unsigned long long)tenths / 10, letters[i]);
	return out;
}

const char *
human_date(int64_t time_s, char out[HUMAN_MAX])
{
	time_t t = (time_t)time_s;
	struct tm tm;

	if (localtime_r(&t, &tm) == NULL ||
	    strftime(out, HUMAN_MAX, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		snprintf(out, HUMAN_MAX, "?");
	return out;
}

void
complain(const char *fmt, ...)
{
	va_list ap;

	fputs("barid: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

void
progress(const struct ctl *c, const char *what, uint64_t done, uint64_t total)
{
	if (!c->terminal)
		return;
	if (what == NULL)
		fputs("\r\033[K", stderr);
	else if (total > 0)
		fprintf(stderr, "\r%s: %llu of %llu", what,
		    (unsigned long long)done, (unsigned long long)total);
	else
		fprintf(stderr, "\r%s: %llu", what, (unsigned long long)done);
	fflush(stderr);
}
