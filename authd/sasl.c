/*
 * authd/sasl.c - the table of mechanisms, and what they have in common. The
 * mechanisms themselves are in sasl_*.c, an exchange's life in exchange.c.
 */
#include <stdlib.h>

#include "authd/sasl.h"
#include "lib/mail/base64.h"
#include "lib/mail/utf8.h"

/* Room for all that one exchange may gather; what its messages may hold is
 * less (IPC_SASL_MAX each). */
#define GATHERED_MAX 16384

static const struct sasl_mechanism mechanisms[] = {
	{ "PLAIN", SASL_F_CLEAR, sasl_plain },
	/* obsolete, and all that some programs and devices know */
	{ "LOGIN", SASL_F_CLEAR | SASL_F_SUBMISSION, sasl_login },
	{ "SCRAM-SHA-256", SASL_F_SCRAM, sasl_scram },
	{ "SCRAM-SHA-256-PLUS", SASL_F_SCRAM | SASL_F_PLUS, sasl_scram },
	{ "EXTERNAL", SASL_F_CERTIFICATE | SASL_F_SUBMISSION, sasl_external },
};

const struct sasl_mechanism *
sasl_find(struct span name)
{
	size_t i;

	for (i = 0; i < nitems(mechanisms); i++)
		if (span_caseeq(name, mechanisms[i].name))
			return &mechanisms[i];
	return NULL;
}

void
sasl_init(struct sasl *s, const struct sasl_mechanism *m,
    const struct sasl_facts *facts)
{
	unsigned char random[SASL_OWN_NONCE / 4 * 3];

	memset(s, 0, sizeof(*s));
	s->mechanism = m;
	s->facts = *facts;
	buf_init(&s->scram.binding, GATHERED_MAX);
	buf_init(&s->scram.auth, GATHERED_MAX);
	arc4random_buf(random, sizeof(random));
	(void)base64_encode(span_make(random, sizeof(random)), s->scram.nonce,
	    sizeof(s->scram.nonce));
}

void
sasl_clear(struct sasl *s)
{
	buf_wipe(&s->scram.binding);
	buf_wipe(&s->scram.auth);
	explicit_bzero(s, sizeof(*s));
}

enum sasl_next
sasl_step(struct sasl *s, struct span in, struct buf *out)
{
	enum sasl_next next;

	buf_reset(out);
	next = s->mechanism->step(s, in, out);
	s->stage++;
	return next;
}

int
sasl_name(struct sasl *s, struct span name)
{
	struct span rest = name;
	uint32_t cp;
	size_t n;

	for (; rest.len > 0; rest = span_from(rest, n)) {
		n = utf8_next(rest, &cp);
		if (n == 0 || cp < 0x20 || (cp >= 0x7f && cp < 0xa0))
			return -1;
	}
	return name.len == 0 ? -1 :
	    span_copy(name, s->name, sizeof(s->name));
}
