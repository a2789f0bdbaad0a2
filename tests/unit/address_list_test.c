/* Tests lib/mail/address_list.c. */
#include "lib/mail/address_list.h"
#include "lib/buf.h"
#include "tests/unit/check.h"
#include "tests/unit/rec.h"

#define TEXT_MAX (1 << 20)

/* One line for all that came: "name|local|domain", "[" and "]" for groups, "!"
 * behind what is bad. */
static const struct {
	const char *in, *out;
} lists[] = {
	{ "", "" },
	{ " , ,", "" },
	{ "a@b", "|a|b " },
	{ "root", "|root| " },
	{ "a@b, c@d ,e@f", "|a|b |c|d |e|f " },
	{ "\"Joe Q. Public\" <j.q@b>", "Joe Q. Public|j.q|b " },
	{ "Joe Q. Public <j.q@b>", "Joe Q. Public|j.q|b " },
	{ "Pete(A nice \\) chap) <pete(x)@silly(y).test(z)>",
	  "Pete|pete|silly.test " },
	{ "<@x.y,@z:a@b>", "|a|b " },
	{ "<>", "|| " },
	{ "\"a, b\"@c", "|a, b|c " },
	{ "a@[192.0.2.1]", "|a|[192.0.2.1] " },
	{ "a . b @ c . d", "|a.b|c.d " },
	{ "G: a@b, N <c@d>; e@f", "[G |a|b N|c|d ] |e|f " },
	{ "G:;", "[G ] " },
	{ "G: a@b", "[G |a|b ] " },
	{ "a b@c", "|ab|c! " },
	{ "\"a\"b@c", "|ab|c! " },
	{ "\"a\".b@c", "|a.b|c " },
	{ "a@b c@d", "|a|b! " },
	{ "a@b>", "|a|b! " },
	{ "N <a@b", "N|a|b! " },
	{ "N <a@b> x, c@d", "N|a|b! |c|d " },
	{ "a\\b@c", "|a\\b|c! " },
	{ ">", "||! " },
	{ ";a@b", "||! " },
	{ "\"open", "|open| " },
	{ "(open", "" },
	{ "<<a@b>>", "||! " },
	{ "a@b@c", "|a|b! " },
	{ "\"a\r\n b\" <c@d>", "a b|c|d " },
	{ "((((((((((((((((a)))))))))))))))) b@c", "|b|c " },
	{ "(((((((((((((((((a))))))))))))))))) b@c", "" },
};

static void
show(struct buf *out, const struct address *a)
{
	if (a->kind == ADDRESS_GROUP_START)
		buf_addf(out, "[%.*s ", SPAN_ARG(a->name));
	else if (a->kind == ADDRESS_GROUP_END)
		buf_add_str(out, "] ");
	else
		buf_addf(out, "%.*s|%.*s|%.*s%s ", SPAN_ARG(a->name),
		    SPAN_ARG(a->local), SPAN_ARG(a->domain),
		    a->bad ? "!" : "");
}

static void
test_lists(void)
{
	struct buf out = BUF_INIT(TEXT_MAX);
	struct address_list l;
	struct address a;
	size_t i;

	for (i = 0; i < nitems(lists); i++) {
		check_begin(lists[i].in);
		buf_reset(&out);
		address_list_begin(&l, span_str(lists[i].in));
		while (address_list_next(&l, &a))
			show(&out, &a);
		check_span(buf_span(&out), lists[i].out);
	}
	buf_clear(&out);
}

static void
test_limits(void)
{
	struct buf in = BUF_INIT(TEXT_MAX);
	struct address_list l;
	struct address a;
	size_t n;

	check_begin("too many");
	for (n = 0; n < ADDRESS_LIST_MAX + 1; n++)
		buf_add_str(&in, "a@b,");
	address_list_begin(&l, buf_span(&in));
	for (n = 0; address_list_next(&l, &a);)
		n++;
	check_int(n, ADDRESS_LIST_MAX);
	check_true(l.cut);
	address_list_begin(&l, span_make(in.p, in.len - 4));
	while (address_list_next(&l, &a))
		continue;
	check_true(!l.cut);
	check_begin("long parts");
	memset(in.p, 'a', 2000);
	address_list_begin(&l, span_make(in.p, ADDRESS_PART_MAX));
	check_true(address_list_next(&l, &a) && !a.bad);
	address_list_begin(&l, span_make(in.p, ADDRESS_PART_MAX + 1));
	check_true(address_list_next(&l, &a) && a.bad);
	buf_clear(&in);
}

static void
test_vectors(void)
{
	static struct rec r;
	struct address_list l;
	struct address a;
	struct span key;
	size_t i;

	for (rec_open(&r, "headers/addresses.rec"); rec_next(&r);) {
		check_begin(rec_str(&r, "value"));
		address_list_begin(&l, rec_get(&r, "value"));
		for (i = 1; i < r.n; i++) {
			key = rec_word(&r, i, 0);
			if (!check_true(address_list_next(&l, &a)))
				break;
			check_int(a.kind, span_eqstr(key, "mailbox") ?
			    ADDRESS_MAILBOX : span_eqstr(key, "group-start") ?
			    ADDRESS_GROUP_START : ADDRESS_GROUP_END);
			check_span(a.name, rec_word(&r, i, 1).p);
			check_span(a.local, rec_word(&r, i, 2).p);
			check_span(a.domain, rec_word(&r, i, 3).p);
		}
		check_true(!address_list_next(&l, &a));
	}
}

int
main(void)
{
	test_lists();
	test_limits();
	test_vectors();
	return check_end();
}
