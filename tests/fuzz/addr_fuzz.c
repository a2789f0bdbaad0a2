/* Fuzzes the address parsers: what they accept is small, formats and parses
 * back to itself, and its canonical form is a fixed point. */

#include "lib/mail/addr.h"
#include "lib/mail/params.h"
#include "tests/fuzz/fuzz.h"

static void
check_addr(const struct addr *a)
{
	char text[ADDR_TEXT], canon[ADDR_TEXT], again[ADDR_TEXT];
	char local[ADDR_LOCAL_TEXT], made[ADDR_TEXT];
	struct span s, plain;
	struct addr b;

	hold(a->local.len <= ADDR_LOCAL_MAX);
	hold(a->domain.len <= ADDR_DOMAIN_MAX);
	s = addr_format(a, text);
	hold(addr_parse_text(s, &b) == 0 && addr_equal(a, &b));
	hold(addr_parse_text(addr_canon(a, canon), &b) == 0);
	hold(addr_equal(a, &b));
	hold(span_eqstr(addr_canon(&b, again), canon));
	plain = addr_unquote_local(a, local);
	if (a->domain.len > 0 &&
	    addr_make(plain, a->domain, made) == 0)
		hold(span_eqstr(span_str(canon), made));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_make(data, size), params, keyword, value;
	char out[100], domain[ADDR_DOMAIN_TEXT];
	struct in6_addr ip;
	struct addr a;
	int use, rv;

	if (addr_parse_path(in, &a) == 0)
		check_addr(&a);
	if (addr_parse_mailbox(in, &a) == 0)
		check_addr(&a);
	for (use = ADDR_REVERSE; use <= ADDR_FORWARD; use++) {
		if (addr_parse_command(in, (enum addr_use)use, &a,
			&params) == -1)
			continue;
		check_addr(&a);
		while ((rv = smtp_params_next(&params, &keyword, &value)) == 1)
			hold(keyword.len > 0);
	}
	if (xtext_decode(in, out, sizeof(out)) != -1)
		hold(span_printable(span_str(out)));
	literal_parse(in, &ip);
	if (domain_canon(in, domain) == 0)
		hold(domain_is_valid(span_str(domain)));
	return 0;
}
