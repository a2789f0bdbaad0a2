/* ctl/status.c - barid status: one line for each program. */
#include "ctl/ctl.h"
#include "lib/log.h"

struct status {
	const struct ctl *ctl;
	bool bad; /* a program is not up */
};

/* The keys that have a column of their own. */
static bool
has_column(struct span key)
{
	static const char *const columns[] = { "program", "instance", "pid",
		"state", "uptime", "restarts", "version" };
	size_t i;

	for (i = 0; i < nitems(columns); i++)
		if (span_eqstr(key, columns[i]))
			return true;
	return false;
}

/* What the program says of itself. */
static void
put_numbers(const struct fields *f)
{
	char octets[HUMAN_MAX];
	bool first = true;
	size_t i;

	for (i = 0; i < f->n; i++) {
		if (has_column(f->list[i].key))
			continue;
		fputs(first ? "  " : ", ", stdout);
		first = false;
		put_safe(stdout, f->list[i].key);
		if (f->list[i].kind == CTL_TEXT) {
			putchar(' ');
			put_safe(stdout, f->list[i].text);
		} else if (span_rfind(f->list[i].key, '_') != -1 &&
		    span_eqstr(span_from(f->list[i].key,
		    (size_t)span_rfind(f->list[i].key, '_')), "_octets"))
			printf(" %s", human_octets(f->list[i].number,
			    octets));
		else
			printf(" %llu",
			    (unsigned long long)f->list[i].number);
	}
}

static void
on_record(void *arg, const struct fields *f)
{
	struct status *s = arg;
	struct span state = field_text(f, "state");
	char name[40] = "", since[HUMAN_MAX];
	uint64_t instance = field_number(f, "instance");
	size_t len;

	if (!span_eqstr(state, "up"))
		s->bad = true;
	if (s->ctl->json) {
		put_record(stdout, f);
		return;
	}
	span_copy(field_text(f, "program"), name, sizeof(name) - 8);
	len = strlen(name);
	if (instance > 0)
		snprintf(name + len, sizeof(name) - len, "-%u",
		    (unsigned)(instance % 10000));
	printf("%-10s %7llu  ", name,
	    (unsigned long long)field_number(f, "pid"));
	put_safe(stdout, state);
	printf(" %s", human_time((int64_t)field_number(f, "uptime"), since));
	if (field_number(f, "restarts") > 0)
		printf(", %llu restarts",
		    (unsigned long long)field_number(f, "restarts"));
	if (field(f, "version") != NULL) {
		printf("  barid ");
		put_safe(stdout, field_text(f, "version"));
	}
	put_numbers(f);
	putchar('\n');
}

int
verb_status(struct ctl *c)
{
	struct span words[] = { span_str("status") };
	struct status s = { c, false };
	struct talk t;
	int status = talk_open(&t, c, false);

	if (status != 0)
		return status;
	status = talk_ask(&t, ROLE_MASTER, words, 1, on_record, &s);
	talk_close(&t);
	return status != 0 ? status : s.bad ? EX_TEMPFAIL : 0;
}
