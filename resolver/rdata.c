/*
 * resolver/rdata.c - reads single records. What comes in was sent by strangers
 * and checked by libunbound for its outer form alone; names in it are neither
 * compressed nor trusted.
 */
#include "resolver/rdata.h"

#include <stdbool.h>

#define LABEL_MAX 63

static bool
label_octet_ok(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '/';
}

bool
dns_name_ok(struct span name)
{
	size_t label = 0, i;

	if (name.len > 0 && name.p[name.len - 1] == '.')
		name.len--;
	if (name.len == 0 || name.len >= DNS_NAME_TEXT)
		return false;
	for (i = 0; i < name.len; i++) {
		if (name.p[i] != '.') {
			if (!label_octet_ok(name.p[i]) || ++label > LABEL_MAX)
				return false;
		} else if (label == 0) {
			return false;
		} else {
			label = 0;
		}
	}
	return label > 0;
}

int
rdata_name(struct span in, char out[DNS_NAME_TEXT], size_t *used)
{
	size_t at = 0, len = 0, label, i;

	for (;;) {
		if (at >= in.len)
			return -1;
		label = (unsigned char)in.p[at++];
		if (label == 0)
			break;
		if (label > LABEL_MAX || label > in.len - at ||
		    len + label + 2 > DNS_NAME_TEXT)
			return -1;
		if (len > 0)
			out[len++] = '.';
		for (i = 0; i < label; i++, at++) {
			if (!label_octet_ok(in.p[at]))
				return -1;
			out[len++] = in.p[at];
		}
	}
	if (len == 0)
		out[len++] = '.';
	out[len] = '\0';
	*used = at;
	return 0;
}

int
rdata_mx(struct span in, uint16_t *preference, char host[DNS_NAME_TEXT])
{
	size_t used;

	if (in.len < 3 || rdata_name(span_from(in, 2), host, &used) == -1 ||
	    used + 2 != in.len)
		return -1;
	*preference = (uint16_t)((unsigned char)in.p[0] << 8 |
	    (unsigned char)in.p[1]);
	return 0;
}

/* RFC 7208 section 3.3: the strings of one record are joined without blanks. */
static int
format_txt(struct span in, struct buf *out)
{
	size_t before = out->len, len;

	while (in.len > 0) {
		len = (unsigned char)in.p[0];
		if (len >= in.len ||
		    buf_add(out, in.p + 1, len) == -1) {
			out->len = before;
			return -1;
		}
		in = span_from(in, len + 1);
	}
	return 0;
}

static int
format_name(struct span in, struct buf *out)
{
	char name[DNS_NAME_TEXT];
	size_t used;

	if (rdata_name(in, name, &used) == -1 || used != in.len)
		return -1;
	return buf_add_str(out, name);
}

int
rdata_format(uint16_t type, struct span in, struct buf *out)
{
	char host[DNS_NAME_TEXT];
	uint16_t preference;

	switch (type) {
	case RR_A:
		return in.len == 4 ? buf_add_span(out, in) : -1;
	case RR_AAAA:
		return in.len == 16 ? buf_add_span(out, in) : -1;
	case RR_TLSA: /* usage, selector, matching type, data: RFC 6698 2.1 */
		return in.len > 3 ? buf_add_span(out, in) : -1;
	case RR_TXT:
		return format_txt(in, out);
	case RR_PTR:
	case RR_CNAME:
		return format_name(in, out);
	case RR_MX:
		if (rdata_mx(in, &preference, host) == -1)
			return -1;
		return buf_addf(out, "%u %s", preference, host);
	default:
		return -1;
	}
}
