/*
 * lib/mail/domain.c - domains and address literals as addresses and HELO have
 * them. U-labels stay UTF-8; only ASCII letters have a case here.
 */
#include <arpa/inet.h>

#include <string.h>

#include "lib/mail/addr.h"
#include "lib/mail/addr_parts.h"

/* Groups of an IPv6 address; "::" stands for two or more (RFC 5321 4.1.3). */
#define IPV6_GROUPS 8

static bool
is_let_dig(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9');
}

/* Other scripts' full stops end a label in some resolvers (RFC 3490 3.1). */
static bool
is_dot_elsewhere(struct span in)
{
	return span_prefix(in, "\xe3\x80\x82") ||
	    span_prefix(in, "\xef\xbc\x8e") || span_prefix(in, "\xef\xbd\xa1");
}

static bool
label_is_valid(struct span label)
{
	size_t i = 0, n;

	if (label.len == 0 || label.len > ADDR_LABEL_MAX ||
	    label.p[0] == '-' || label.p[label.len - 1] == '-')
		return false;
	while (i < label.len) {
		if (is_let_dig(label.p[i]) || label.p[i] == '-') {
			i++;
			continue;
		}
		n = addr_utf8_len(span_from(label, i));
		if (n == 0 || is_dot_elsewhere(span_from(label, i)))
			return false;
		i += n;
	}
	return true;
}

bool
domain_is_valid(struct span in)
{
	ssize_t dot;

	if (in.len > ADDR_DOMAIN_MAX)
		return false;
	while ((dot = span_find(in, '.')) != -1) {
		if (!label_is_valid(span_make(in.p, (size_t)dot)))
			return false;
		in = span_from(in, (size_t)dot + 1);
	}
	return label_is_valid(in);
}

int
domain_canon(struct span in, char out[ADDR_DOMAIN_TEXT])
{
	size_t i;

	if (!domain_is_valid(in))
		return -1;
	for (i = 0; i < in.len; i++)
		out[i] = ascii_lower(in.p[i]);
	out[in.len] = '\0';
	return 0;
}

/* inet_pton knows the syntax, RFC 5321 wants "::" to stand for two groups. */
static bool
ipv6_groups_ok(const char *text)
{
	const char *p = text, *gap = strstr(text, "::");
	int groups = 0;

	if (gap == NULL)
		return true;
	while (*p != '\0') {
		size_t n = strcspn(p, ":");

		if (n > 0)
			groups += memchr(p, '.', n) == NULL ? 1 : 2;
		p += n;
		p += *p == ':';
	}
	return groups <= IPV6_GROUPS - 2;
}

int
literal_parse(struct span in, struct in6_addr *out)
{
	static const unsigned char v4[12] = { [10] = 0xff, [11] = 0xff };
	char text[INET6_ADDRSTRLEN];

	if (in.len < 2 || in.p[0] != '[' || in.p[in.len - 1] != ']')
		return -1;
	in = span_make(in.p + 1, in.len - 2);
	if (span_caseprefix(in, "IPv6:")) {
		if (span_copy(span_from(in, 5), text, sizeof(text)) == -1 ||
		    inet_pton(AF_INET6, text, out) != 1)
			return -1;
		return ipv6_groups_ok(text) ? 0 : -1;
	}
	if (span_copy(in, text, sizeof(text)) == -1 ||
	    inet_pton(AF_INET, text, out->s6_addr + sizeof(v4)) != 1)
		return -1;
	memcpy(out->s6_addr, v4, sizeof(v4));
	return 0;
}

/* "[tag:text]"; an IPv6 address whose tag was forgotten is none of these. */
static bool
general_is_valid(struct span in)
{
	ssize_t colon = span_find(in, ':');
	bool bare_v6 = true;
	size_t i;

	if (colon < 1 || (size_t)colon + 1 == in.len ||
	    !label_is_valid(span_make(in.p, (size_t)colon)))
		return false;
	for (i = 0; i < in.len; i++) {
		if (in.p[i] <= ' ' || in.p[i] > '~' || in.p[i] == '[' ||
		    in.p[i] == ']' || in.p[i] == '\\')
			return false;
		if (strchr("0123456789abcdefABCDEF:.", in.p[i]) == NULL)
			bare_v6 = false;
	}
	return !bare_v6 && !span_caseprefix(in, "IPv6:");
}

bool
literal_is_valid(struct span in)
{
	struct in6_addr ip;

	if (literal_parse(in, &ip) == 0)
		return true;
	return in.len >= 2 && in.p[0] == '[' && in.p[in.len - 1] == ']' &&
	    general_is_valid(span_make(in.p + 1, in.len - 2));
}
