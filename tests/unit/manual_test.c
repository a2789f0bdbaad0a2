/*
 * Tests that manual pages and tables say the same: barid-log(5) every event and
 * key of lib/events.def with its level and meaning, barid.conf(5) every
 * statement that the parser knows, and neither anything else.
 */
#include "lib/buf.h"
#include "lib/conf/parser.h"
#include "lib/log.h"
#include "tests/unit/check.h"

#define PAGE_MAX (1 << 20)

static const struct {
	const char *name, *text;
	enum log_level level;
} events[] = {
#define EVENT(code, name, level, text) { name, text, LOG_L_##level },
#define KEY(code, name, text)
#include "lib/events.def"
#undef EVENT
#undef KEY
};

static const struct {
	const char *name, *text;
} keys[] = {
#define EVENT(code, name, level, text)
#define KEY(code, name, text) { name, text },
#include "lib/events.def"
#undef EVENT
#undef KEY
};

static const struct conf_row *const tables[] = {
	conf_top_rows, conf_listen_rows, conf_users_rows, conf_domain_rows,
	conf_relay_rows, conf_via_rows, conf_queue_rows, conf_dns_rows,
	conf_log_rows, conf_tls_rows, conf_accounts_rows,
};

static void
page_read(struct buf *page, const char *name)
{
	const char *src = getenv("SRCDIR");
	char path[4096], *room;
	FILE *f;

	buf_reset(page);
	snprintf(path, sizeof(path), "%s/man/%s", src == NULL ? "." : src,
	    name);
	if ((f = fopen(path, "r")) == NULL) {
		perror(path);
		exit(1);
	}
	room = buf_reserve(page, PAGE_MAX - 1);
	buf_grow(page, fread(room, 1, PAGE_MAX - 1, f));
	fclose(f);
}

static bool
page_has(struct buf *page, const char *text)
{
	return strstr(buf_str(page), text) != NULL;
}

/* From a section's title to the next one. */
static struct span
page_section(struct buf *page, const char *title)
{
	const char *start = strstr(buf_str(page), title), *end;

	if (start == NULL)
		return span_str("");
	end = strstr(start + 1, "\n.Sh ");
	return end == NULL ? span_str(start) :
	    span_make(start, (size_t)(end - start));
}

static size_t
items_count(struct span text)
{
	const char *p, *end = text.p + text.len;
	size_t n = 0;

	for (p = text.p; (p = memmem(p, (size_t)(end - p), "\n.It Ic ", 8)) !=
	    NULL; p += 8)
		n++;
	return n;
}

static void
test_log(struct buf *page)
{
	static const char *const levels[] = { "debug", "info", "warning",
		"error" };
	char want[400];
	size_t i;

	page_read(page, "barid-log.5");
	for (i = 0; i < nitems(events); i++) {
		check_begin(events[i].name);
		snprintf(want, sizeof(want), "\n.It Ic %s\n%s\n.Pq %s\n",
		    events[i].name, events[i].text, levels[events[i].level]);
		check_true(page_has(page, want));
	}
	for (i = 0; i < nitems(keys); i++) {
		check_begin(keys[i].name);
		snprintf(want, sizeof(want), "\n.It Ic %s\n%s\n",
		    keys[i].name, keys[i].text);
		check_true(page_has(page, want));
	}
	check_begin("nothing else");
	check_int(items_count(page_section(page, "\n.Sh EVENTS\n")),
	    nitems(events));
	check_int(items_count(page_section(page, "\n.Sh KEYS\n")),
	    nitems(keys));
}

/* Is word, up to a blank, a statement of any block? */
static bool
is_statement(struct span word)
{
	const struct conf_row *row;
	size_t i;

	for (i = 0; i < nitems(tables); i++)
		for (row = tables[i]; row->name != NULL; row++)
			if (span_eqstr(word, row->name))
				return true;
	return false;
}

static void
test_conf(struct buf *page)
{
	const struct conf_row *row;
	struct span rest, line, word;
	char want[100];
	size_t i;

	page_read(page, "barid.conf.5");
	for (i = 0; i < nitems(tables); i++)
		for (row = tables[i]; row->name != NULL; row++) {
			check_begin(row->name);
			snprintf(want, sizeof(want), "\n.It Ic %s",
			    row->name);
			check_true(page_has(page, want));
		}
	for (rest = buf_span(page); rest.len > 0;) {
		span_split(rest, '\n', &line, &rest);
		if (!span_prefix(line, ".It Ic "))
			continue;
		check_begin("an item that is no statement");
		span_split(span_from(line, 7), ' ', &word, &line);
		if (!check_true(is_statement(word)))
			printf("\t%.*s\n", SPAN_ARG(word));
	}
}

int
main(void)
{
	struct buf page = BUF_INIT(PAGE_MAX);

	test_log(&page);
	test_conf(&page);
	buf_clear(&page);
	return check_end();
}
