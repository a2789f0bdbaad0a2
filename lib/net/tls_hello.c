/*
 * lib/net/tls_hello.c - looks at what a client sends in clear on its way to
 * OpenSSL, which sets memory aside for as long a ClientHello as is announced:
 * nine octets would hold 128 KiB for the whole time of a handshake.
 */
#include "lib/net/tls_in.h"

/* RFC 8446 sections 4 and 5.1 */
enum { RECORD_HEAD = 5, MESSAGE_HEAD = 4 };
enum { CHANGE_CIPHER_SPEC = 20, HANDSHAKE = 22, CLIENT_HELLO = 1 };

/* As many octets as are still missing from a head; true when it is whole. */
static bool
head_take(unsigned char *head, size_t *have, size_t want,
    const unsigned char **p, size_t *n)
{
	while (*have < want && *n > 0) {
		head[(*have)++] = *(*p)++;
		(*n)--;
	}
	return *have == want;
}

/* The part of a record's content that is here. */
static bool
content_take(struct tls_hello *h, const unsigned char *p, size_t n)
{
	size_t skip;

	while (n > 0) {
		skip = n < h->message_left ? n : h->message_left;
		p += skip;
		n -= skip;
		h->message_left -= skip;
		if (h->message_left > 0 || !head_take(h->message,
		    &h->message_have, MESSAGE_HEAD, &p, &n))
			continue;
		h->message_have = 0;
		h->message_left = (size_t)h->message[1] << 16 |
		    (size_t)h->message[2] << 8 | h->message[3];
		if (h->message[0] == CLIENT_HELLO &&
		    h->message_left > TLS_HELLO_MAX)
			return false;
	}
	return true;
}

bool
tls_hello_fits(struct tls_hello *h, const void *data, size_t n)
{
	const unsigned char *p = data;
	size_t here;

	while (n > 0 && !h->over) {
		if (h->record_left == 0) {
			if (!head_take(h->record, &h->record_have, RECORD_HEAD,
			    &p, &n))
				break;
			h->record_have = 0;
			h->record_left = (size_t)h->record[3] << 8 |
			    h->record[4];
			/* what follows it is encrypted */
			h->over = h->record[0] == CHANGE_CIPHER_SPEC;
			continue;
		}
		here = n < h->record_left ? n : h->record_left;
		if (h->record[0] == HANDSHAKE && !content_take(h, p, here))
			return false;
		h->record_left -= here;
		p += here;
		n -= here;
	}
	return true;
}
