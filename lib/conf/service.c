/*
 * lib/conf/service.c - the blocks about how programs work: relay, queue, dns,
 * log. Each stands for itself; a later one replaces an earlier one whole.
 */
#include <arpa/inet.h>

#include "lib/conf/parser.h"

#define RELAY(field) offsetof(struct conf_relay, field)
#define QUEUE(field) offsetof(struct conf_queue, field)
#define DNS(field) offsetof(struct conf_dns, field)
#define LOG(field) offsetof(struct conf_log, field)
#define DAY ((uint64_t)86400)

/* -- relay ----------------------------------------------------------------- */

static void
parse_source4(struct conf_parser *p, const struct conf_node *n, void *into)
{
	struct conf_relay *r = into;

	if (n->nwords < 2 ||
	    inet_pton(AF_INET, n->words[1].text, &r->source4) != 1)
		conf_bad(p, n, 1, "source4 wants an IPv4 address of this host");
	else
		r->has_source4 = conf_no_more(p, n, 2);
}

static void
parse_source6(struct conf_parser *p, const struct conf_node *n, void *into)
{
	struct conf_relay *r = into;

	if (n->nwords < 2 ||
	    inet_pton(AF_INET6, n->words[1].text, &r->source6) != 1)
		conf_bad(p, n, 1, "source6 wants an IPv6 address of this host");
	else
		r->has_source6 = conf_no_more(p, n, 2);
}

static void
format_source4(struct conf_writer *w, const void *from)
{
	const struct conf_relay *r = from;
	char text[INET_ADDRSTRLEN];

	if (r->has_source4)
		conf_put(w, "%ssource4 %s\n", w->indent, inet_ntop(AF_INET,
		    &r->source4, text, sizeof(text)));
}

static void
format_source6(struct conf_writer *w, const void *from)
{
	const struct conf_relay *r = from;
	char text[INET6_ADDRSTRLEN];

	if (r->has_source6)
		conf_put(w, "%ssource6 %s\n", w->indent, inet_ntop(AF_INET6,
		    &r->source6, text, sizeof(text)));
}

/* clang-format off */
const struct conf_row conf_relay_rows[] = {
	{ .name = "source4", .type = T_CALL,
	  .parse = parse_source4, .format = format_source4,
	  .args = "ADDRESS", .doc = "from which IPv4 address it connects" },
	{ .name = "source6", .type = T_CALL,
	  .parse = parse_source6, .format = format_source6,
	  .args = "ADDRESS", .doc = "from which IPv6 address it connects" },
	{ .name = "helo", .type = T_HOST, .offset = RELAY(helo),
	  .args = "NAME", .doc = "the name it gives; as in host if not said" },
	{ .name = "connections", .type = T_COUNT, .offset = RELAY(connections),
	  .min = 1, .max = 10000, .standard = "20", .args = "NUMBER",
	  .doc = "at once to one destination" },
	{ .name = "workers", .type = T_COUNT, .offset = RELAY(workers),
	  .min = 1, .max = 16, .standard = "1", .args = "NUMBER",
	  .doc = "processes" },
	{ .name = "limit", .type = T_COUNT, .offset = RELAY(limit),
	  .min = 1, .max = 100000, .standard = "500", .args = "NUMBER",
	  .doc = "connections at once to all destinations" },
	{ .name = "ca", .type = T_PATH, .offset = RELAY(ca), .args = "PATH",
	  .doc = "who vouches for other hosts, PEM; the system's if not said" },
	{ .name = NULL }
};
/* clang-format on */

/* -- queue ----------------------------------------------------------------- */

/* warn after TIME | warn never */
static void
parse_warn(struct conf_parser *p, const struct conf_node *n, void *into)
{
	static const char *const words[] = { "after", "never", NULL };
	struct conf_queue *q = into;
	int what = conf_choose(p, n, 1, words);

	if (what == 1) {
		q->warn_s = 0;
		conf_no_more(p, n, 2);
	} else if (what == 0 &&
	    conf_get_time(p, n, 2, 1, 365 * DAY, &q->warn_s))
		conf_no_more(p, n, 3);
}

static void
format_warn(struct conf_writer *w, const void *from)
{
	const struct conf_queue *q = from;

	conf_put(w, "%swarn %s", w->indent, q->warn_s == 0 ? "never" : "after");
	if (q->warn_s > 0)
		conf_put_time(w, q->warn_s);
	conf_put(w, "\n");
}

static void
parse_retry(struct conf_parser *p, const struct conf_node *n, void *into)
{
	struct conf_queue *q = into;
	size_t i;

	if (n->nwords < 2)
		conf_bad(p, n, 1, "retry wants times, as in retry 5m 1h");
	q->nretry = 0;
	for (i = 1; i < n->nwords; i++) {
		if (q->nretry == CONF_RETRY_MAX) {
			conf_bad(p, n, i, "more than %zu times; the last one "
			    "repeats", CONF_RETRY_MAX);
			return;
		}
		if (!conf_get_time(p, n, i, 1, 30 * DAY,
		    &q->retry_s[q->nretry++]))
			return;
	}
}

static void
format_retry(struct conf_writer *w, const void *from)
{
	const struct conf_queue *q = from;
	size_t i;

	conf_put(w, "%sretry", w->indent);
	for (i = 0; i < q->nretry; i++)
		conf_put_time(w, q->retry_s[i]);
	conf_put(w, "\n");
}

/* space reserve N% */
static void
parse_space(struct conf_parser *p, const struct conf_node *n, void *into)
{
	static const char *const words[] = { "reserve", NULL };
	struct conf_queue *q = into;
	struct span s;
	uint64_t v;

	if (conf_choose(p, n, 1, words) == -1)
		return;
	s = n->nwords > 2 ? span_str(n->words[2].text) : span_str("");
	if (s.len < 2 || s.p[s.len - 1] != '%' ||
	    span_u64(span_make(s.p, s.len - 1), 90, &v) == -1) {
		conf_bad(p, n, 2, "the reserve is a part of the file system "
		    "from 0%% to 90%%, as in space reserve 10%%");
		return;
	}
	q->reserve_percent = (unsigned)v;
	conf_no_more(p, n, 3);
}

static void
format_space(struct conf_writer *w, const void *from)
{
	const struct conf_queue *q = from;

	conf_put(w, "%sspace reserve %u%%\n", w->indent, q->reserve_percent);
}

/* clang-format off */
const struct conf_row conf_queue_rows[] = {
	{ .name = "keep", .type = T_TIME, .offset = QUEUE(keep_s),
	  .min = 1, .max = 365 * DAY, .standard = "5d", .args = "TIME",
	  .doc = "how long delivery is tried before a letter goes back" },
	{ .name = "warn", .type = T_CALL,
	  .parse = parse_warn, .format = format_warn,
	  .args = "after TIME | never",
	  .doc = "when its sender hears of a delay (4h)" },
	{ .name = "retry", .type = T_CALL,
	  .parse = parse_retry, .format = format_retry, .args = "TIME ...",
	  .doc = "waits between attempts, the last repeats "
	      "(5m 10m 20m 40m 1h 2h 4h)" },
	{ .name = "space", .type = T_CALL,
	  .parse = parse_space, .format = format_space, .args = "reserve N%",
	  .doc = "part of the file system that new mail leaves free (10%)" },
	{ .name = "segment", .type = T_SIZE, .offset = QUEUE(segment),
	  .min = 1u << 20, .max = 1u << 30, .standard = "64M", .args = "SIZE",
	  .doc = "a file of the log of accepted mail" },
	{ .name = "local", .type = T_COUNT, .offset = QUEUE(local),
	  .min = 1, .max = 1000, .standard = "50", .args = "NUMBER",
	  .doc = "mailboxes that are written at once" },
	{ .name = NULL }
};
/* clang-format on */

/* -- accounts -------------------------------------------------------------- */

/* NUMBER/hour, NUMBER/day: either or both; 0 is no limit. */
static void
parse_limits(struct conf_parser *p, const struct conf_node *n, uint32_t *hour,
    uint32_t *day)
{
	size_t end = conf_list_end(n, 1), i;
	struct span count, per;
	uint32_t *into;
	bool seen[2] = { false, false };
	uint64_t v;

	if (n->nwords < 2)
		conf_bad(p, n, 1, "%s wants limits, as in %s 100/hour, "
		    "500/day", n->words[0].text, n->words[0].text);
	for (i = 1; i < end; i++) {
		span_split(span_str(n->words[i].text), '/', &count, &per);
		into = span_eqstr(per, "hour") ? hour :
		    span_eqstr(per, "day") ? day : NULL;
		if (into == NULL || span_u64(count, UINT32_MAX, &v) == -1)
			conf_bad(p, n, i, "\"%s\" is not NUMBER/hour or "
			    "NUMBER/day", n->words[i].text);
		else if (seen[into == day])
			conf_bad(p, n, i, "a limit by %s stands here twice",
			    into == day ? "day" : "hour");
		else {
			*into = (uint32_t)v;
			seen[into == day] = true;
		}
	}
	conf_no_more(p, n, end);
}

static void
parse_letters(struct conf_parser *p, const struct conf_node *n, void *into)
{
	struct conf_accounts *a = into;

	parse_limits(p, n, &a->letters_hour, &a->letters_day);
}

static void
parse_recipients(struct conf_parser *p, const struct conf_node *n, void *into)
{
	struct conf_accounts *a = into;

	parse_limits(p, n, &a->recipients_hour, &a->recipients_day);
}

static void
format_letters(struct conf_writer *w, const void *from)
{
	const struct conf_accounts *a = from;

	conf_put(w, "%sletters %u/hour, %u/day\n", w->indent,
	    a->letters_hour, a->letters_day);
}

static void
format_recipients(struct conf_writer *w, const void *from)
{
	const struct conf_accounts *a = from;

	conf_put(w, "%srecipients %u/hour, %u/day\n", w->indent,
	    a->recipients_hour, a->recipients_day);
}

/* More than a person writes by hand, less than a stolen password is good for. */
void
conf_accounts_default(struct conf_accounts *a)
{
	*a = (struct conf_accounts){ .letters_hour = 1000,
		.letters_day = 5000, .recipients_hour = 5000,
		.recipients_day = 20000 };
}

/* clang-format off */
const struct conf_row conf_accounts_rows[] = {
	{ .name = "letters", .type = T_CALL,
	  .parse = parse_letters, .format = format_letters,
	  .args = "NUMBER/hour, NUMBER/day",
	  .doc = "letters of one account; 0: no limit (1000, 5000)" },
	{ .name = "recipients", .type = T_CALL,
	  .parse = parse_recipients, .format = format_recipients,
	  .args = "NUMBER/hour, NUMBER/day",
	  .doc = "recipients of one account (5000, 20000)" },
	{ .name = NULL }
};
/* clang-format on */

/* -- dns ------------------------------------------------------------------- */

static void
parse_builtin(struct conf_parser *p, const struct conf_node *n, void *into)
{
	struct conf_dns *d = into;

	conf_no_more(p, n, 1);
	d->builtin = true;
	if (d->forward.n > 0)
		conf_bad(p, n, 0, "either \"builtin\" or \"forward\"");
}

static bool
is_server(const char *s)
{
	struct span text = span_str(s), address = text, port = span_str("53");
	ssize_t colon = span_rfind(text, ':');
	unsigned char a[16];
	char copy[64];
	uint64_t v;

	if (text.len > 0 && text.p[0] == '[') {
		if (colon < 1 || text.p[colon - 1] != ']')
			return false;
		address = span_make(text.p + 1, (size_t)colon - 2);
		port = span_from(text, (size_t)colon + 1);
	} else if (colon != -1 && span_find(text, ':') == colon) {
		address.len = (size_t)colon;
		port = span_from(text, (size_t)colon + 1);
	}
	return span_copy(address, copy, sizeof(copy)) == 0 &&
	    span_u64(port, UINT16_MAX, &v) == 0 && v > 0 &&
	    (inet_pton(AF_INET, copy, a) == 1 ||
	    inet_pton(AF_INET6, copy, a) == 1);
}

static void
parse_forward(struct conf_parser *p, const struct conf_node *n, void *into)
{
	struct conf_dns *d = into;
	size_t end;

	end = conf_get_list(p, n, 1, is_server, "ADDRESS or ADDRESS:PORT",
	    false, &d->forward);
	if (end != 0)
		conf_no_more(p, n, end);
	if (d->builtin)
		conf_bad(p, n, 0, "either \"builtin\" or \"forward\"");
}

static void
format_forward(struct conf_writer *w, const void *from)
{
	const struct conf_dns *d = from;

	if (d->forward.n == 0) {
		conf_put(w, "%sbuiltin\n", w->indent);
		return;
	}
	conf_put(w, "%sforward", w->indent);
	conf_put_list(w, &d->forward);
	conf_put(w, "\n");
}

/* clang-format off */
const struct conf_row conf_dns_rows[] = {
	{ .name = "builtin", .type = T_CALL, .parse = parse_builtin,
	  .doc = "ask the servers of the Internet itself (the standard)" },
	{ .name = "forward", .type = T_CALL,
	  .parse = parse_forward, .format = format_forward,
	  .args = "ADDRESS[:PORT], ...", .doc = "ask these servers" },
	{ .name = "records", .type = T_PATH, .offset = DNS(records),
	  .flags = ROW_TEST, .args = "PATH",
	  .doc = "answer from this file, ask nobody" },
	{ .name = "anchor", .type = T_PATH, .offset = DNS(anchor),
	  .flags = ROW_TEST, .args = "PATH",
	  .doc = "trust the DS or DNSKEY records in this file" },
	{ .name = NULL }
};
/* clang-format on */

/* -- log ------------------------------------------------------------------- */

/* Where the log goes is said once. */
static bool
set_to(struct conf_parser *p, const struct conf_node *n, struct conf_log *l,
    enum conf_log_to to)
{
	if (l->facility != NULL || l->dir != NULL || l->to == LOG_TO_STDERR) {
		conf_bad(p, n, 0, "the log goes to one of syslog, stderr, "
		    "file");
		return false;
	}
	l->to = to;
	return true;
}

static void
parse_syslog(struct conf_parser *p, const struct conf_node *n, void *into)
{
	static const char *const facilities[] = { "mail", "daemon", "local0",
		"local1", "local2", "local3", "local4", "local5", "local6",
		"local7", NULL };
	struct conf_log *l = into;
	int i = 0;

	if (!set_to(p, n, l, LOG_TO_SYSLOG))
		return;
	if (n->nwords > 1 && (i = conf_choose(p, n, 1, facilities)) == -1)
		return;
	l->facility = conf_dup(p->c, facilities[i]);
	conf_no_more(p, n, 2);
}

static void
parse_stderr(struct conf_parser *p, const struct conf_node *n, void *into)
{
	if (set_to(p, n, into, LOG_TO_STDERR))
		conf_no_more(p, n, 1);
}

static void
parse_file(struct conf_parser *p, const struct conf_node *n, void *into)
{
	struct conf_log *l = into;

	if (set_to(p, n, l, LOG_TO_FILE) && conf_get_path(p, n, 1, &l->dir))
		conf_no_more(p, n, 2);
}

static void
format_to(struct conf_writer *w, const void *from)
{
	const struct conf_log *l = from;

	if (l->to == LOG_TO_STDERR)
		conf_put(w, "%sstderr\n", w->indent);
	else if (l->to == LOG_TO_SYSLOG)
		conf_put(w, "%ssyslog %s\n", w->indent,
		    l->facility == NULL ? "mail" : l->facility);
	else {
		conf_put(w, "%sfile", w->indent);
		conf_put_word(w, l->dir);
		conf_put(w, "\n");
	}
}

static void
parse_format(struct conf_parser *p, const struct conf_node *n, void *into)
{
	static const char *const formats[] = { "text", "json", NULL };
	struct conf_log *l = into;

	l->json = conf_choose(p, n, 1, formats) == 1;
	conf_no_more(p, n, 2);
}

static void
format_format(struct conf_writer *w, const void *from)
{
	const struct conf_log *l = from;

	conf_put(w, "%sformat %s\n", w->indent, l->json ? "json" : "text");
}

/* keep TIME [SIZE] */
static void
parse_keep(struct conf_parser *p, const struct conf_node *n, void *into)
{
	struct conf_log *l = into;

	if (!conf_get_time(p, n, 1, DAY, 3650 * DAY, &l->keep_s))
		return;
	if (n->nwords > 2 && conf_get_size(p, n, 2, 1u << 20,
	    (uint64_t)1 << 40, &l->keep_octets))
		conf_no_more(p, n, 3);
}

static void
format_keep(struct conf_writer *w, const void *from)
{
	const struct conf_log *l = from;

	conf_put(w, "%skeep", w->indent);
	conf_put_time(w, l->keep_s);
	conf_put_size(w, l->keep_octets);
	conf_put(w, "\n");
}

/* clang-format off */
const struct conf_row conf_log_rows[] = {
	{ .name = "syslog", .type = T_CALL,
	  .parse = parse_syslog, .format = format_to,
	  .args = "[FACILITY]", .doc = "to /dev/log (the standard, as mail)" },
	{ .name = "stderr", .type = T_CALL, .parse = parse_stderr,
	  .doc = "to standard error" },
	{ .name = "file", .type = T_CALL, .parse = parse_file,
	  .args = "FOLDER", .doc = "to a file for each day in this folder" },
	{ .name = "format", .type = T_CALL,
	  .parse = parse_format, .format = format_format,
	  .args = "text|json", .doc = "how a line is written" },
	{ .name = "keep", .type = T_CALL,
	  .parse = parse_keep, .format = format_keep, .args = "TIME [SIZE]",
	  .doc = "how long, and how much, barid trace remembers (30d 1G)" },
	{ .name = NULL }
};
/* clang-format on */
