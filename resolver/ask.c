/*
 * resolver/ask.c - single questions of smtpd: one name, one type, one answer.
 */
#include <stdlib.h>

#include "lib/mem.h"
#include "resolver/resolver.h"

struct ask {
	struct asker asker;
	uint16_t type;
	struct dns_query *query;
};

static bool
type_known(uint16_t type)
{
	return type == RR_A || type == RR_AAAA || type == RR_CNAME ||
	    type == RR_MX || type == RR_PTR || type == RR_TLSA ||
	    type == RR_TXT;
}

static void
ask_free(struct asker *asker)
{
	struct ask *a = (struct ask *)asker;

	dns_cancel(a->query);
	asker_end(asker);
	free(a);
}

static void
answer_write(struct ipc_writer *w, int status, bool secure, uint16_t n,
    const struct buf *records)
{
	ipc_put_u8(w, (uint8_t)status);
	ipc_put_u8(w, secure);
	ipc_put_u16(w, n);
	if (n > 0)
		ipc_put_octets(w, buf_span(records));
	ipc_end(w);
}

/* The records in order, each with its length; malformed ones are left out. */
static uint16_t
records_encode(const struct dns_answer *a, uint16_t type, struct buf *out)
{
	struct buf one = BUF_INIT(ANSWER_OCTETS_MAX);
	uint16_t n = 0;
	size_t i;

	for (i = 0; i < a->n && n < ANSWER_RECORDS_MAX; i++) {
		buf_reset(&one);
		if (rdata_format(type, span_make(a->data[i],
		    (size_t)a->len[i]), &one) == -1 ||
		    one.len + 4 > out->max - out->len)
			continue;
		buf_add_u32(out, (uint32_t)one.len);
		buf_add_span(out, buf_span(&one));
		n++;
	}
	buf_clear(&one);
	return n;
}

static void
on_answer(void *arg, const struct dns_answer *dns)
{
	struct ask *a = arg;
	struct buf records = BUF_INIT(ANSWER_OCTETS_MAX);
	struct ipc_writer w = asker_reply(&a->asker, IPC_DNS_ANSWER);
	int status = dns->status;
	uint16_t n;

	a->query = NULL; /* it ends by itself */
	n = records_encode(dns, a->type, &records);
	if (status == DNS_OK && n == 0)
		status = DNS_NODATA;
	answer_write(&w, status, dns->secure, n, &records);
	buf_clear(&records);
	ask_free(&a->asker);
}

int
ask_start(struct resolver *r, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);
	uint16_t type = ipc_get_u16(&rd);
	struct span name = ipc_get_span(&rd, IPC_PATH_MAX);
	char text[DNS_NAME_TEXT + 1];
	struct ipc_writer w;
	struct ask *a;

	if (!ipc_at_end(&rd) || !type_known(type))
		return -1;
	if (!dns_name_ok(name) || span_copy(name, text, sizeof(text)) == -1) {
		w = ipc_reply_begin(m->ch, m, IPC_DNS_ANSWER);
		answer_write(&w, DNS_NXDOMAIN, false, 0, NULL);
		return 0;
	}
	a = xcalloc(1, sizeof(*a));
	if (!asker_begin(&a->asker, r, m, ask_free)) {
		free(a);
		w = ipc_reply_begin(m->ch, m, IPC_DNS_ANSWER);
		answer_write(&w, DNS_TEMP, false, 0, NULL);
		return 0;
	}
	a->type = type;
	a->query = dns_ask(&r->dns, text, type, on_answer, a);
	return 0;
}
