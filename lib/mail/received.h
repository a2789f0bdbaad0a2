/* lib/mail/received.h - the fields that we add: Received and Message-Id. */
#ifndef LIB_MAIL_RECEIVED_H
#define LIB_MAIL_RECEIVED_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "lib/buf.h"
#include "lib/span.h"

/* Octets that either field can take at most, with its CRLF. */
#define RECEIVED_MAX 2048

/* How a letter came in: bits for received_protocol(). */
#define RECEIVED_ESMTP 1u
#define RECEIVED_LMTP  2u
#define RECEIVED_TLS   4u
#define RECEIVED_AUTH  8u
#define RECEIVED_UTF8  16u /* with SMTPUTF8 (RFC 6531 section 4.3) */

/* received_protocol - "SMTP", "ESMTPSA", "UTF8SMTP" ... (RFC 3848, RFC 6531) */
const char *received_protocol(unsigned how);

/* Spans borrow; what is empty is left out. */
struct received {
	struct span helo;     /* what the client called itself */
	struct span name;     /* what the DNS calls it */
	struct span ip;       /* "192.0.2.1" or "2001:db8::1" */
	bool local;           /* from a user of this host, not from a client: */
	uint32_t uid;         /* proved by the kernel */
	struct span user;     /* the name of that account */
	bool person;          /* who logged in: where from is nobody's business
	                       * (neither helo, name nor ip is shown) */
	struct span tls;      /* version and cipher, in a comment */
	struct span host;     /* ours */
	const char *protocol;
	uint64_t qid;
	struct span rcpt;     /* the forward-path if there is one alone */
	time_t date;
};

/*
 * received_add - adds the field, with CRLF, folded before column 78 where a
 * blank is. Values are strangers' words: what cannot stand in the field becomes
 * "?", so that none of them ends a line or a comment.
 * Returns 0, or -1 (ENOBUFS). Source: RFC 5321 section 4.4.
 */
int received_add(struct buf *out, const struct received *r);

/* message_id_add - "Message-Id: <QID.TIME@HOST>" and CRLF; 0 or -1. */
int message_id_add(struct buf *out, uint64_t qid, time_t t, struct span host);

#endif
