/*
 * tests/fuzz/resolver_rdata_fuzz.c - records as name servers may send them: two
 * octets of type, then rdata; and the file of test records, and domains.
 */
#include <stdlib.h>

#include "resolver/dane.h"
#include "resolver/punycode.h"
#include "resolver/rdata.h"
#include "resolver/records.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static int
take(void *arg, const char *record)
{
	*(size_t *)arg += strlen(record);
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct buf out = BUF_INIT(4096);
	struct records records = { NULL, 0 };
	struct span in = span_make(data, len);
	char name[DNS_NAME_TEXT + 1];
	size_t used, sum = 0;
	unsigned line;

	if (rdata_name(in, name, &used) == 0 &&
	    (used > len || strlen(name) >= sizeof(name)))
		abort();
	if (len >= 2)
		rdata_format((uint16_t)(data[0] << 8 | data[1]),
		    span_from(in, 2), &out);
	if (tlsa_usable(in) && len < 4)
		abort();
	packet_is_referral(in);
	if (len > 0)
		punycode_domain(in, name);
	if (out.len > 4096)
		abort();
	records_parse(in, &records, take, &sum, &line);
	records_clear(&records);
	buf_clear(&out);
	return 0;
}
