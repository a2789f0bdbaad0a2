/*
 * resolver/rdata.c - reads single records. What comes in was sent by strangers
 * and checked by libunbound for its outer form alone; names in it are neither
 * compressed nor trusted.
 */
#include "resolver/rdata.h"

#include <stdbool.h>

#define LABEL_MAX 63

/* RFC 1035 section 4.1: a header; type and class; those, TTL and a length. */
#define HEADER_OCTETS  12
#define QUESTION_FIXED 4
#define RECORD_FIXED   10

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

static unsigned
packet_u16(struct span in, size_t at)
{
	return (unsigned)((unsigned char)in.p[at] << 8 |
	    (unsigned char)in.p[at + 1]);
}

/* Where the name at this place ends; 0 when it does not. A pointer is its last
 * part (RFC 1035 section 4.1.4) and is not followed. */
static size_t
packet_skip_name(struct span in, size_t at)
{
	unsigned label;

	while (at < in.len) {
		label = (unsigned char)in.p[at++];
		if (label == 0)
			return at;
		if ((label & 0xc0) == 0xc0)
			return at + 1;
		at += label;
	}
	return 0;
}

/* Behind the record at this place; 0 when it is cut short. */
static size_t
packet_record(struct span in, size_t at, unsigned *type)
{
	at = packet_skip_name(in, at);
	if (at == 0 || at > in.len || in.len - at < RECORD_FIXED)
		return 0;
	*type = packet_u16(in, at);
	at += RECORD_FIXED + packet_u16(in, at + RECORD_FIXED - 2);
	return at <= in.len ? at : 0;
}

bool
packet_is_referral(struct span packet)
{
	size_t at = HEADER_OCTETS;
	unsigned i, answers, authority, type;
	bool ns = false;

	if (packet.len < HEADER_OCTETS || packet_u16(packet, 4) != 1)
		return false;
	answers = packet_u16(packet, 6);
	authority = packet_u16(packet, 8);
	at = packet_skip_name(packet, at);
	if (at == 0 || at + QUESTION_FIXED > packet.len)
		return false;
	at += QUESTION_FIXED;
	for (i = 0; i < answers + authority; i++) {
		if ((at = packet_record(packet, at, &type)) == 0)
			return false;
		if (i >= answers && type == RR_SOA)
			return false;
		ns = ns || (i >= answers && type == RR_NS);
	}
	return ns;
}
