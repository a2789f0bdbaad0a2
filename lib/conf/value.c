/*
 * lib/conf/value.c - words to values: numbers with their units, addresses,
 * names and paths. Each says what it expected when a word does not fit.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>

#include "lib/conf/parser.h"

static const struct unit {
	char letter;
	uint64_t factor;
} size_units[] = {
	{ 'K', 1u << 10 }, { 'M', 1u << 20 }, { 'G', 1u << 30 },
	{ 'T', (uint64_t)1 << 40 }, { '\0', 0 }
}, time_units[] = {
	{ 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 },
	{ 'w', 7 * 86400 }, { '\0', 0 }
};

struct measure {
	const char *what, *how; /* what is asked for, how it is written */
	const struct unit *units;
	bool bare;              /* a number without a unit will do */
};

/* The word, or NULL after the complaint that it is missing. */
static const char *
word_at(struct conf_parser *p, const struct conf_node *n, size_t i,
    const char *what)
{
	if (i < n->nwords)
		return n->words[i].text;
	conf_bad(p, n, i, "%s is missing behind \"%s\"", what,
	    n->words[n->nwords - 1].text);
	return NULL;
}

bool
conf_get_count(struct conf_parser *p, const struct conf_node *n, size_t i,
    uint64_t min, uint64_t max, uint64_t *out)
{
	const char *s = word_at(p, n, i, "a number");
	uint64_t v;

	if (s == NULL)
		return false;
	if (span_u64(span_str(s), UINT64_MAX, &v) == -1) {
		conf_bad(p, n, i, "\"%s\" is not a number", s);
		return false;
	}
	if (v < min || v > max) {
		conf_bad(p, n, i, "%s is out of range: %llu to %llu", s,
		    (unsigned long long)min, (unsigned long long)max);
		return false;
	}
	*out = v;
	return true;
}

/* Digits and one letter; bare says whether digits alone will do. */
static bool
get_scaled(const char *s, const struct unit *units, bool bare, uint64_t *out)
{
	size_t len = strlen(s);
	uint64_t factor = 1;

	if (len == 0)
		return false;
	if (!isdigit((unsigned char)s[len - 1])) {
		for (; units->letter != '\0'; units++)
			if (units->letter == s[len - 1])
				break;
		if ((factor = units->factor) == 0)
			return false;
		len--;
	} else if (!bare && !(len == 1 && s[0] == '0'))
		return false;
	if (span_u64(span_make(s, len), INT64_MAX / factor, out) == -1)
		return false;
	*out *= factor;
	return true;
}

/* A complaint in the units in which people write. */
static void
bad_range(struct conf_parser *p, const struct conf_node *n, size_t i,
    const struct unit *units, uint64_t min, uint64_t max)
{
	uint64_t end[2] = { min, max };
	char text[2][24];
	const struct unit *u, *best;
	size_t k;

	for (k = 0; k < 2; k++) {
		best = NULL;
		for (u = units; u->letter != '\0'; u++)
			if (u->letter != 'w' && end[k] >= u->factor &&
			    end[k] % u->factor == 0)
				best = u;
		snprintf(text[k], sizeof(text[k]), "%llu%.1s",
		    (unsigned long long)(best == NULL ? end[k] :
		    end[k] / best->factor), best == NULL ? "" :
		    &best->letter);
	}
	conf_bad(p, n, i, "%s is out of range: %s to %s", n->words[i].text,
	    text[0], text[1]);
}

/* A number with its unit, from min to max. */
static bool
get_measure(struct conf_parser *p, const struct conf_node *n, size_t i,
    const struct measure *m, uint64_t min, uint64_t max, uint64_t *out)
{
	const char *s = word_at(p, n, i, m->what);
	uint64_t v;

	if (s == NULL)
		return false;
	if (!get_scaled(s, m->units, m->bare, &v)) {
		conf_bad(p, n, i, "\"%s\" is not %s; write it %s", s, m->what,
		    m->how);
		return false;
	}
	if (v < min || v > max) {
		bad_range(p, n, i, m->units, min, max);
		return false;
	}
	*out = v;
	return true;
}

bool
conf_get_size(struct conf_parser *p, const struct conf_node *n, size_t i,
    uint64_t min, uint64_t max, uint64_t *out)
{
	static const struct measure size = { "a size", "as octets or with "
	    "K, M or G behind it, as in 50M", size_units, true };

	return get_measure(p, n, i, &size, min, max, out);
}

bool
conf_get_time(struct conf_parser *p, const struct conf_node *n, size_t i,
    uint64_t min, uint64_t max, int64_t *out)
{
	static const struct measure time = { "a time", "with s, m, h, d or w "
	    "behind it, as in 4h", time_units, false };
	uint64_t v;

	if (!get_measure(p, n, i, &time, min, max, &v))
		return false;
	*out = (int64_t)v;
	return true;
}

bool
conf_get_rate(struct conf_parser *p, const struct conf_node *n, size_t i,
    struct conf_rate *out)
{
	static const struct { const char *name; uint32_t seconds; } pers[] = {
		{ "second", 1 }, { "minute", 60 }, { "hour", 3600 },
		{ "day", 86400 }
	};
	const char *s = word_at(p, n, i, "a rate");
	struct span count, per;
	uint64_t v;
	size_t k;

	if (s == NULL)
		return false;
	span_split(span_str(s), '/', &count, &per);
	for (k = 0; k < nitems(pers); k++)
		if (span_eqstr(per, pers[k].name) &&
		    span_u64(count, UINT32_MAX, &v) == 0 && v > 0) {
			out->count = (uint32_t)v;
			out->per_s = pers[k].seconds;
			return true;
		}
	conf_bad(p, n, i, "\"%s\" is not a rate; write it as in 100/hour "
	    "(second, minute, hour, day)", s);
	return false;
}

/* An address as it is kept: v4 as v4-mapped. bits: of the whole address. */
static bool
parse_ip(const char *s, struct in6_addr *out, unsigned *bits)
{
	struct in_addr v4;

	if (inet_pton(AF_INET6, s, out) == 1) {
		*bits = 128;
		return true;
	}
	if (inet_pton(AF_INET, s, &v4) != 1)
		return false;
	memset(out, 0, sizeof(*out));
	out->s6_addr[10] = out->s6_addr[11] = 0xff;
	memcpy(&out->s6_addr[12], &v4, sizeof(v4));
	*bits = 32;
	return true;
}

bool
conf_get_net(struct conf_parser *p, const struct conf_node *n, size_t i,
    struct conf_net *out)
{
	const char *s = word_at(p, n, i, "an address or network");
	struct span address, prefix;
	char text[INET6_ADDRSTRLEN];
	unsigned bits, b;
	uint64_t v;

	if (s == NULL)
		return false;
	span_split(span_str(s), '/', &address, &prefix);
	if (span_copy(address, text, sizeof(text)) == -1 ||
	    !parse_ip(text, &out->addr, &bits)) {
		conf_bad(p, n, i, "\"%s\" is not an address or network", s);
		return false;
	}
	v = bits;
	if (strchr(s, '/') != NULL && span_u64(prefix, bits, &v) == -1) {
		conf_bad(p, n, i, "\"%.*s\" is not a prefix length: 0 to %u",
		    SPAN_ARG(prefix), bits);
		return false;
	}
	out->prefix = (unsigned)v + 128 - bits;
	for (b = out->prefix; b < 128; b++)
		if (out->addr.s6_addr[b / 8] & (0x80 >> b % 8)) {
			conf_bad(p, n, i, "%s has bits set behind its prefix "
			    "of /%u", s, (unsigned)v);
			return false;
		}
	return true;
}

bool
conf_is_domain(const char *s)
{
	size_t len = strlen(s), label = 0, i;
	bool letter = false;

	if (len == 0 || len > 253)
		return false;
	for (i = 0; i <= len; i++) {
		if (s[i] == '.' || s[i] == '\0') {
			if (label == 0 || label > 63 || s[i - 1] == '-')
				return false;
			label = 0;
			continue;
		}
		if (!isalnum((unsigned char)s[i]) && s[i] != '_' &&
		    (s[i] != '-' || label == 0))
			return false;
		letter = letter || !isdigit((unsigned char)s[i]);
		label++;
	}
	return letter;
}

bool
conf_is_host(const char *s)
{
	struct in6_addr a;
	unsigned bits;

	return conf_is_domain(s) || parse_ip(s, &a, &bits);
}

static void
lower(char *s)
{
	for (; *s != '\0'; s++)
		*s = ascii_lower(*s);
}

bool
conf_get_host(struct conf_parser *p, const struct conf_node *n, size_t i,
    char **out)
{
	const char *s = word_at(p, n, i, "a host name");

	if (s == NULL)
		return false;
	if (!conf_is_domain(s)) {
		conf_bad(p, n, i, "\"%s\" is not a host name", s);
		return false;
	}
	*out = conf_dup(p->c, s);
	lower(*out);
	return true;
}

/* Only the shape: what it leads to is decided by those who deliver. */
bool
conf_get_address(struct conf_parser *p, const struct conf_node *n, size_t i,
    char **out)
{
	const char *s = word_at(p, n, i, "an address"), *at;
	struct span local;

	if (s == NULL)
		return false;
	at = strrchr(s, '@');
	local = span_make(s, at == NULL ? 0 : (size_t)(at - s));
	if (local.len == 0 || local.len > 64 || !span_printable(local) ||
	    strpbrk(s, " \t<>()\\,;:") != NULL ||
	    span_find(local, '@') != -1 || !conf_is_domain(at + 1)) {
		conf_bad(p, n, i, "\"%s\" is not a mail address", s);
		return false;
	}
	*out = conf_dup(p->c, s);
	lower(*out + local.len);
	return true;
}

/* No component ".." and, below --test DIR, nothing outside of it. */
bool
conf_take_path(struct conf_parser *p, const struct conf_node *n, size_t i,
    const char *s, char **out)
{
	struct span rest, part;
	size_t len;

	if (s[0] != '/') {
		conf_bad(p, n, i, "\"%s\" is not an absolute path", s);
		return false;
	}
	for (rest = span_str(s); span_next(&rest, '/', &part);)
		if (span_eqstr(part, "..")) {
			conf_bad(p, n, i, "\"..\" in a path");
			return false;
		}
	if (p->test_dir != NULL) {
		len = strlen(p->test_dir);
		if (strncmp(s, p->test_dir, len) != 0 || s[len] != '/') {
			conf_bad(p, n, i, "%s is not below %s, the folder "
			    "of --test", s, p->test_dir);
			return false;
		}
	}
	*out = conf_dup(p->c, s);
	return true;
}

bool
conf_get_path(struct conf_parser *p, const struct conf_node *n, size_t i,
    char **out)
{
	const char *s = word_at(p, n, i, "a path");

	return s != NULL && conf_take_path(p, n, i, s, out);
}

/* Names of blocks and accounts. */
bool
conf_get_name(struct conf_parser *p, const struct conf_node *n, size_t i,
    char **out)
{
	const char *s = word_at(p, n, i, "a name");
	size_t k;

	if (s == NULL)
		return false;
	for (k = 0; s[k] != '\0'; k++)
		if (!isalnum((unsigned char)s[k]) && s[k] != '_' &&
		    (k == 0 || (s[k] != '-' && s[k] != '.')))
			break;
	if (k == 0 || s[k] != '\0' || k >= CONF_LABEL_MAX) {
		conf_bad(p, n, i, "\"%s\" is not a name: letters, digits, "
		    "\"_\", \"-\", at most %d", s, CONF_LABEL_MAX - 1);
		return false;
	}
	*out = conf_dup(p->c, s);
	return true;
}

/* What a client is told: one line of SMTP with room for the codes. */
bool
conf_get_text(struct conf_parser *p, const struct conf_node *n, size_t i,
    char **out)
{
	const char *s = word_at(p, n, i, "a text");

	if (s == NULL)
		return false;
	if (strlen(s) > 400 || !span_printable(span_str(s))) {
		conf_bad(p, n, i, "a text for clients has at most 400 "
		    "characters, all of them ASCII");
		return false;
	}
	*out = conf_dup(p->c, s);
	return true;
}

bool
conf_take_endpoint(struct conf_parser *p, const struct conf_node *n, size_t i,
    const char *text, char **host, uint16_t *port)
{
	struct span name = span_str(text), digits = { NULL, 0 };
	ssize_t end;
	char copy[256];
	uint64_t v;

	if (text[0] == '[') {
		end = span_find(name, ']');
		if (end > 0 && name.p[end + 1] == ':')
			digits = span_from(name, (size_t)end + 2);
		else if (end == -1 || name.p[end + 1] != '\0')
			name.len = 0;
		if (end > 0 && name.len > 0)
			name = span_make(name.p + 1, (size_t)end - 1);
	} else if ((end = span_rfind(name, ':')) != -1) {
		digits = span_from(name, (size_t)end + 1);
		name.len = (size_t)end;
	}
	if (span_copy(name, copy, sizeof(copy)) == -1 || !conf_is_host(copy)) {
		conf_bad(p, n, i, "\"%s\" is not HOST or HOST:PORT", text);
		return false;
	}
	if (digits.p != NULL) {
		if (span_u64(digits, UINT16_MAX, &v) == -1 || v == 0) {
			conf_bad(p, n, i, "\"%.*s\" is not a port",
			    SPAN_ARG(digits));
			return false;
		}
		*port = (uint16_t)v;
	}
	*host = conf_dup(p->c, copy);
	lower(*host);
	return true;
}

size_t
conf_list_end(const struct conf_node *n, size_t i)
{
	while (i < n->nwords && n->words[i].comma)
		i++;
	return i < n->nwords ? i + 1 : i;
}

bool
conf_no_more(struct conf_parser *p, const struct conf_node *n, size_t i)
{
	if (i >= n->nwords)
		return true;
	conf_bad(p, n, i, "\"%s\" is one word too many", n->words[i].text);
	return false;
}

size_t
conf_get_list(struct conf_parser *p, const struct conf_node *n, size_t i,
    bool (*fits)(const char *s), const char *what, bool to_lower,
    struct conf_list *out)
{
	size_t end = conf_list_end(n, i), k;
	bool good = true;

	if (word_at(p, n, i, what) == NULL)
		return 0;
	out->n = 0;
	out->words = conf_alloc(p->c, end - i, sizeof(*out->words));
	for (k = i; k < end; k++) {
		if (!fits(n->words[k].text)) {
			conf_bad(p, n, k, "\"%s\" is not %s",
			    n->words[k].text, what);
			good = false;
			continue;
		}
		out->words[out->n] = conf_dup(p->c, n->words[k].text);
		if (to_lower)
			lower(out->words[out->n]);
		out->n++;
	}
	return good ? end : 0;
}
