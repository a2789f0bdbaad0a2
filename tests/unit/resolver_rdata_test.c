/* tests/unit/resolver_rdata_test.c - records, names and the order of hosts. */
#include "resolver/mx.h"
#include "resolver/rdata.h"
#include "resolver/records.h"

#include "tests/unit/check.h"

#define A21 "aaaaaaaaaaaaaaaaaaaaa"
#define LABEL63 A21 A21 A21

static const struct {
	const char *name;
	uint16_t type;
	const char *in;
	size_t len;
	const char *out; /* NULL: refused */
} rdata[] = {
	{ "mx", RR_MX, "\0\12\4mail\4test\0", 13, "10 mail.test" },
	{ "mx with octets behind", RR_MX, "\0\12\1a\0x", 6, NULL },
	{ "mx cut short", RR_MX, "\0\12\4ma", 5, NULL },
	{ "mx without a name", RR_MX, "\0\12", 2, NULL },
	{ "null mx", RR_MX, "\0\0\0", 3, "0 ." },
	{ "pointer", RR_PTR, "\300\14", 2, NULL },
	{ "ptr", RR_PTR, "\2ab\1c\0", 6, "ab.c" },
	{ "dot within a label", RR_PTR, "\3a.b\0", 5, NULL },
	{ "NUL within a label", RR_PTR, "\3a\0b\0", 5, NULL },
	{ "txt", RR_TXT, "\2ab\1c", 5, "abc" },
	{ "empty txt", RR_TXT, "\0", 1, "" },
	{ "txt past its end", RR_TXT, "\5ab", 3, NULL },
	{ "a", RR_A, "abcd", 4, "abcd" },
	{ "a of five octets", RR_A, "abcde", 5, NULL },
	{ "tlsa", RR_TLSA, "\3\1\1x", 4, "\3\1\1x" },
	{ "another type", 99, "abcd", 4, NULL },
};

static const struct {
	const char *name;
	bool ok;
} names[] = {
	{ "example.test", true },
	{ "example.test.", true },
	{ "_25._tcp.mx.test", true },
	{ "0/26.2.0.192.in-addr.arpa", true },
	{ LABEL63 ".test", true },
	{ LABEL63 "a.test", false },
	{ LABEL63 "." LABEL63 "." LABEL63 "." LABEL63, false },
	{ "", false },
	{ ".", false },
	{ "a..b", false },
	{ ".a", false },
	{ "a b", false },
	{ "b\303\274cher.test", false },
	{ "a\\.b", false },
};

static void
test_rdata(void)
{
	struct buf out = BUF_INIT(300);
	size_t i;

	for (i = 0; i < nitems(rdata); i++) {
		check_begin(rdata[i].name);
		buf_reset(&out);
		check_int(rdata_format(rdata[i].type, span_make(rdata[i].in,
		    rdata[i].len), &out), rdata[i].out == NULL ? -1 : 0);
		if (rdata[i].out != NULL)
			check_span(buf_span(&out), rdata[i].out);
		else
			check_int(out.len, 0);
	}
	buf_clear(&out);
	for (i = 0; i < nitems(names); i++) {
		check_begin(names[i].name);
		check_int(dns_name_ok(span_str(names[i].name)), names[i].ok);
	}
}

/* A header, the question lost.test MX, then what each case has. */
#define ID_FLAGS "\0\1\200\0"
#define QUESTION "\4lost\4test\0\0\17\0\1"
#define RECORD(type, rdlen, rdata) \
	"\300\14\0" type "\0\1\0\0\0\74\0" rdlen rdata

static const struct {
	const char *name;
	bool referral;
	const char *in;
	size_t len;
} packets[] = {
#define PACKET(s) s, sizeof(s) - 1
	{ "a referral", true, PACKET(ID_FLAGS "\0\1\0\0\0\1\0\0" QUESTION
	    RECORD("\2", "\2", "\300\14")) },
	{ "no such record", false, PACKET(ID_FLAGS "\0\1\0\0\0\1\0\0" QUESTION
	    RECORD("\6", "\2", "\300\14")) },
	{ "no such record, with name servers", false, PACKET(ID_FLAGS
	    "\0\1\0\0\0\2\0\0" QUESTION RECORD("\2", "\2", "\300\14")
	    RECORD("\6", "\2", "\300\14")) },
	{ "a CNAME, and NS behind it", true, PACKET(ID_FLAGS
	    "\0\1\0\1\0\1\0\0" QUESTION RECORD("\5", "\2", "\300\14")
	    RECORD("\2", "\2", "\300\14")) },
	{ "NS as the answer alone", false, PACKET(ID_FLAGS
	    "\0\1\0\1\0\0\0\0" QUESTION RECORD("\2", "\2", "\300\14")) },
	{ "an empty one", false, PACKET(ID_FLAGS "\0\1\0\0\0\0\0\0" QUESTION) },
	{ "cut in the record", false, PACKET(ID_FLAGS "\0\1\0\0\0\1\0\0"
	    QUESTION "\300\14\0\2\0\1\0") },
	{ "a length past the end", false, PACKET(ID_FLAGS
	    "\0\1\0\0\0\1\0\0" QUESTION RECORD("\2", "\3", "\300\14")) },
	{ "a name past the end", false, PACKET(ID_FLAGS
	    "\0\1\0\0\0\1\0\0" "\77lost") },
	{ "cut in the header", false, PACKET(ID_FLAGS "\0\1\0\0") },
};

static void
test_referral(void)
{
	size_t i;

	for (i = 0; i < nitems(packets); i++) {
		check_begin(packets[i].name);
		check_int(packet_is_referral(span_make(packets[i].in,
		    packets[i].len)), packets[i].referral);
	}
}

static void
test_mx(void)
{
	struct mx_host h[4];
	unsigned first_b = 0;
	size_t i;

	check_begin("sorted, equals shuffled");
	for (i = 0; i < 200; i++) {
		h[0] = (struct mx_host){ "c.test", 20 };
		h[1] = (struct mx_host){ "a.test", 10 };
		h[2] = (struct mx_host){ "b.test", 10 };
		h[3] = (struct mx_host){ "zero.test", 0 };
		mx_sort(h, 4);
		check_str(h[0].name, "zero.test");
		check_str(h[3].name, "c.test");
		if (strcmp(h[1].name, "b.test") == 0)
			first_b++;
	}
	check_true(first_b > 50 && first_b < 150);
	check_begin("our own name cuts the list");
	check_int(mx_cut_ours(h, 4, "other.test"), 4);
	check_int(mx_cut_ours(h, 4, "C.TEST"), 3);
	check_int(mx_cut_ours(h, 4, "a.test"), 1);
	check_int(mx_cut_ours(h, 4, "b.test"), 1);
	check_int(mx_cut_ours(h, 4, "zero.test"), 0);
	check_int(mx_cut_ours(h, 0, "zero.test"), 0);
}

static void
test_interleave(void)
{
	struct mx_addr a[] = {
		{ 0, 10, false, 4, { 1 } }, { 0, 10, false, 4, { 2 } },
		{ 1, 10, false, 6, { 3 } }, { 1, 10, false, 4, { 4 } },
		{ 2, 20, false, 4, { 5 } }, { 2, 20, false, 6, { 6 } },
		{ 3, 30, false, 4, { 7 } },
	};
	static const uint8_t want[] = { 3, 1, 2, 4, 6, 5, 7 };
	size_t i;

	check_begin("IPv6 and IPv4 take turns within a preference");
	mx_interleave(a, nitems(a));
	for (i = 0; i < nitems(a); i++)
		check_int(a[i].addr[0], want[i]);
	mx_interleave(a, 0);
}

static void
test_refused(void)
{
	struct mx_addr a = { .family = 4, .addr = { 127, 3, 2, 1 } };

	check_begin("addresses of this very machine");
	check_true(mx_addr_refused(&a, false));
	check_true(!mx_addr_refused(&a, true));
	a.addr[0] = 0;
	check_true(mx_addr_refused(&a, false));
	check_true(mx_addr_refused(&a, true));
	a.addr[0] = 192;
	check_true(!mx_addr_refused(&a, false));
	a = (struct mx_addr){ .family = 6, .addr = { [15] = 1 } };
	check_true(mx_addr_refused(&a, false));
	a.addr[15] = 0;
	check_true(mx_addr_refused(&a, false));
	a.addr[15] = 2;
	check_true(!mx_addr_refused(&a, false));
	a = (struct mx_addr){ .family = 6, .addr = { [10] = 255, [11] = 255,
		[12] = 127, [15] = 1 } };
	check_true(mx_addr_refused(&a, false));
	check_true(mx_is_address("127.0.0.1"));
	check_true(!mx_is_address("127.0.0.1.test"));
	a.addr[12] = 8;
	check_true(!mx_addr_refused(&a, false));
}

static int
take(void *arg, const char *record)
{
	struct buf *b = arg;

	return buf_addf(b, "%s|", record);
}

static void
test_records(void)
{
	struct records r = { NULL, 0 };
	struct buf got = BUF_INIT(1000);
	bool secure;
	unsigned line;

	check_begin("records and special words");
	check_int(records_parse(span_str("# note\n\n"
	    "a.test \t MX 10 mail.a.test.\r\n"
	    "t.test TXT \"a b\" \"c\"\n"
	    "Gone.test NXDOMAIN\nx.test. aaaa servfail\nx.test SECURE"), &r,
	    take, &got, &line), 0);
	check_span(buf_span(&got), "a.test. 60 IN MX 10 mail.a.test.|"
	    "t.test. 60 IN TXT \"a b\" \"c\"|");
	check_int(records_find(&r, "gone.TEST.", RR_A, &secure),
	    SPECIAL_NXDOMAIN);
	check_int(records_find(&r, "x.test", RR_AAAA, &secure),
	    SPECIAL_SERVFAIL);
	check_true(secure);
	check_int(records_find(&r, "x.test", RR_A, &secure), SPECIAL_NONE);
	check_int(records_find(&r, "a.test", RR_A, &secure), SPECIAL_NONE);
	check_true(!secure);
	records_clear(&r);

	check_begin("lines that are none");
	check_int(records_parse(span_str("a.test A 1.2.3.4\na.test"), &r, take,
	    &got, &line), -1);
	check_int(line, 2);
	check_int(records_parse(span_str("a.test A"), &r, take, &got, &line),
	    -1);
	check_int(records_parse(span_str("a..test A 1.2.3.4"), &r, take, &got,
	    &line), -1);
	check_int(records_parse(span_str("a.test NXDOMAIN now"), &r, take,
	    &got, &line), -1);
	records_clear(&r);
	buf_clear(&got);
}

int
main(void)
{
	test_rdata();
	test_referral();
	test_mx();
	test_interleave();
	test_refused();
	test_records();
	return check_end();
}
